//! Numbers that a claude cannot pass on as they are: it is a program of JavaScript. `[pure]`

use serde_json::Value;

/// Whether a value holds a whole number that becomes another one on its way through a claude.
pub(crate) fn holds_rounded(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let negative = number.as_i64().map(i64::unsigned_abs);
            number.as_u64().or(negative).is_some_and(is_rounded)
        }
        Value::Array(values) => values.iter().any(holds_rounded),
        Value::Object(fields) => fields.values().any(holds_rounded),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A double holds 53 bits, and zeros behind them.
fn is_rounded(whole: u64) -> bool {
    let bits = u64::BITS - whole.leading_zeros();
    bits.saturating_sub(whole.trailing_zeros()) > f64::MANTISSA_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_whole_numbers_of_more_than_53_bits_are_rounded() {
        for exact in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(1_u64 << 53),
            json!(1_u64 << 63),
        ] {
            assert!(!holds_rounded(&exact), "{exact}");
        }
        for rounded in [(1_u64 << 53) + 1, 12_345_678_901_234_567_890] {
            assert!(holds_rounded(&json!({"a": [rounded]})), "{rounded}");
        }
        assert!(holds_rounded(&json!(-((1_i64 << 53) + 1))));
    }
}
