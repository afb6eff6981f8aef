//! What of JSON a claude cannot pass on as it is: it is a program of JavaScript. `[pure]`

use serde_json::Value;

/// Whether a value holds a whole number that becomes another one on its way through a claude, or a field that is lost.
pub(crate) fn holds_changed(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from);
            match whole.or(number.as_u64().map(i128::from)) {
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

/// Whether a value that a claude wrote holds a whole number that may have been another one before.
pub(crate) fn may_be_rounded(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| {
            let is_whole = number.fract() == 0.0;
            is_whole && number.abs() >= EXACT_MAX
        }),
        Value::Array(values) => values.iter().any(may_be_rounded),
        Value::Object(fields) => fields.values().any(may_be_rounded),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A double holds 53 bits, and a program of JavaScript writes as few of its digits as tell it from its neighbours, and
/// zeros behind them.
fn is_rounded(whole: i128) -> bool {
    (whole as f64).to_string() != whole.to_string()
}

/// A whole number of more than 64 bits, of which nobody knows any more how it was written.
fn is_beyond(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() >= BEYOND
}

/// To assign it to an object of JavaScript makes no field.
const PROTOTYPE: &str = "__proto__";
/// The first whole number that has no place in 64 bits.
const BEYOND: f64 = 18_446_744_073_709_551_616.0;
/// From here on, doubles do not hold every whole number: 2^53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_number_that_a_double_does_not_hold_is_changed() {
        for exact in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(1_u64 << 53),
            json!(12_345_678_901_234_567_000_u64),
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
    fn a_power_of_two_that_a_double_holds_is_written_with_other_digits() {
        for (written, changes) in [
            (json!(1_u64 << 63), true),
            (json!(i64::MIN), true),
            (json!(1_u64 << 55), true),
            (json!(1_u64 << 54), false),
        ] {
            assert_eq!(holds_changed(&written), changes, "{written}");
        }
    }

    #[test]
    fn what_a_claude_wrote_may_have_been_another_number() {
        for (written, may) in [
            (json!({"a": 9_007_199_254_740_992_u64}), true),
            (json!([-9_007_199_254_740_994_i64]), true),
            (json!(1e21), true),
            (json!(9_007_199_254_740_991_u64), false),
            (json!(0.1), false),
        ] {
            assert_eq!(may_be_rounded(&written), may, "{written}");
        }
    }

    #[test]
    fn the_field_that_no_object_of_javascript_has_is_lost() {
        assert!(holds_changed(&json!({"a": {"__proto__": 1}})));
        assert!(!holds_changed(&json!({"proto": 1, "constructor": 1})));
    }
}
