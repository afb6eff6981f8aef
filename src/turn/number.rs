//! What of JSON a claude cannot pass on as it is: it is a program of JavaScript. `[pure]`

use serde_json::Value;

/// Whether a value holds a whole number that becomes another one on its way through a claude, or a field that is lost.
pub(crate) fn holds_changed(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let negative = number.as_i64().map(i64::unsigned_abs);
            match number.as_u64().or(negative) {
                Some(whole) => is_rounded(whole),
                None => number.as_f64().is_some_and(is_beyond),
            }
        }
        Value::Array(values) => values.iter().any(holds_changed),
        Value::Object(fields) => {
            fields.contains_key(PROTOTYPE) || fields.values().any(holds_changed)
        }
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A double holds 53 bits, and zeros behind them.
fn is_rounded(whole: u64) -> bool {
    let bits = u64::BITS - whole.leading_zeros();
    bits.saturating_sub(whole.trailing_zeros()) > f64::MANTISSA_DIGITS
}

/// A whole number of more than 64 bits, of which nobody knows any more how it was written.
fn is_beyond(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() >= BEYOND
}

/// To assign it to an object of JavaScript makes no field.
const PROTOTYPE: &str = "__proto__";
/// The first whole number that has no place in 64 bits.
const BEYOND: f64 = 18_446_744_073_709_551_616.0;

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
            assert!(!holds_changed(&exact), "{exact}");
        }
        for rounded in [(1_u64 << 53) + 1, 12_345_678_901_234_567_890] {
            assert!(holds_changed(&json!({"a": [rounded]})), "{rounded}");
        }
        assert!(holds_changed(&json!(-((1_i64 << 53) + 1))));
        assert!(holds_changed(&json!(1.5e29)));
    }

    #[test]
    fn the_field_that_no_object_of_javascript_has_is_lost() {
        assert!(holds_changed(&json!({"a": {"__proto__": 1}})));
        assert!(!holds_changed(&json!({"proto": 1, "constructor": 1})));
    }
}
