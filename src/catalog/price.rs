//! Money in whole numbers: prices a million tokens, and what a call cost. `[pure]`
//!
//! Everything is in nano-units of a currency (a billionth), and no step rounds but the last one of a call. A price is
//! kept for a million tokens, as it is written, since providers price below a nano-unit a token (a cached token at 0.0028
//! a million costs 2.8 of them).

use std::fmt;

/// Nano-units of a currency: an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(crate) struct Nanos(pub(crate) u64);

/// Nano-units a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(crate) struct Rate(pub(crate) u64);

/// Three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Currency([u8; 3]);

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) currency: Currency,
    pub(crate) input: Rate,
    pub(crate) output: Rate,
    /// `None`: as input, never free.
    pub(crate) cache_read: Option<Rate>,
    /// `None`: as input.
    pub(crate) cache_write: Option<Rate>,
    /// `None`: as output.
    pub(crate) reasoning: Option<Rate>,
}

/// Tokens of a call by kind. Invariant: disjoint, so that each token is charged once; a dialect that counts one kind
/// within another is taken apart before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TokenCount {
    /// Neither read from a cache nor written to one.
    pub(crate) input: u64,
    /// Without reasoning.
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    pub(crate) reasoning: u64,
}

impl TokenCount {
    pub(crate) fn total(&self) -> u64 {
        [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.reasoning,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

impl Price {
    /// What the tokens cost, rounded half up to a nano-unit once, at the end.
    pub(crate) fn cost(&self, tokens: &TokenCount) -> Nanos {
        let parts = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (tokens.cache_read, self.cache_read.unwrap_or(self.input)),
            (tokens.cache_write, self.cache_write.unwrap_or(self.input)),
            (tokens.reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        let exact: u128 = parts
            .iter()
            .map(|(count, rate)| u128::from(*count) * u128::from(rate.0))
            .sum();
        let nanos = (exact + u128::from(PER / 2)) / u128::from(PER);
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Currency {
    pub(crate) fn parse(text: &str) -> Option<Currency> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Currency(bytes))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three capital letters must be text")
    }
}

/// Reads an amount such as `2.5` exactly.
pub(super) fn decimal(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "\"{text}\" is not an amount; write digits with at most 9 after the point, such as 2.5"
        )
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() > 9 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
    let nanos = whole
        .checked_mul(UNIT)
        .and_then(|nanos| nanos.checked_add(part));
    nanos.ok_or_else(wrong)
}

/// Writes an amount as people do: no zeros at its end.
fn show(nanos: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match nanos % UNIT {
        0 => write!(f, "{}", nanos / UNIT),
        part => {
            let part = format!("{part:09}");
            write!(f, "{}.{}", nanos / UNIT, part.trim_end_matches('0'))
        }
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, f)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, f)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Nano-units of a unit.
const UNIT: u64 = 1_000_000_000;
/// Tokens that a rate is for.
const PER: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price() -> Price {
        Price {
            currency: Currency::parse("USD").expect("a currency"),
            input: Rate(decimal("2.5").expect("an amount")),
            output: Rate(decimal("10").expect("an amount")),
            cache_read: Some(Rate(decimal("0.25").expect("an amount"))),
            cache_write: Some(Rate(decimal("3.125").expect("an amount"))),
            reasoning: None,
        }
    }

    #[test]
    fn each_kind_of_token_is_charged_once_at_its_own_price() {
        let tokens = TokenCount {
            input: 1000,
            output: 100,
            cache_read: 10_000,
            cache_write: 2000,
            reasoning: 50,
        };
        // 2500 + 1000 + 2500 + 6250 + 500 millionths.
        assert_eq!(price().cost(&tokens), Nanos(12_750_000));
    }

    #[test]
    fn what_has_no_price_of_its_own_is_not_free() {
        let price = Price {
            cache_read: None,
            cache_write: None,
            ..price()
        };
        let cached = TokenCount {
            cache_read: 4,
            cache_write: 2,
            ..TokenCount::default()
        };
        assert_eq!(price.cost(&cached), Nanos(15_000));
    }

    #[test]
    fn a_price_below_a_nano_unit_a_token_is_kept_exactly() {
        let price = Price {
            cache_read: Some(Rate(decimal("0.0028").expect("an amount"))),
            ..price()
        };
        let tokens = TokenCount {
            cache_read: 1000,
            ..TokenCount::default()
        };
        assert_eq!(price.cost(&tokens), Nanos(2800));
    }

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all() {
        for (text, nanos) in [
            ("0", 0),
            ("2.5", 2_500_000_000),
            ("0.000000001", 1),
            ("18446744073.7", 18_446_744_073_700_000_000),
        ] {
            assert_eq!(decimal(text), Ok(nanos), "{text}");
        }
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "1e3",
            "1,5",
            "0.0000000001",
            "99999999999",
            " 1",
        ] {
            assert!(decimal(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_writing(nanos: u64) {
            prop_assert_eq!(decimal(&Nanos(nanos).to_string()), Ok(nanos));
        }

        #[test]
        fn a_cost_of_parts_differs_from_the_whole_by_rounding_alone(a in 0..1_000_000u64, b in 0..1_000_000u64) {
            let of = |output| price().cost(&TokenCount { output, ..TokenCount::default() }).0;
            prop_assert!(of(a + b).abs_diff(of(a) + of(b)) <= 1);
        }
    }
}
