//! How many values a body has, told before it is read. `[pure]`
//!
//! A value takes two bytes to send (`0,`) and up to a few hundred to hold: 32 MiB of them took gigabytes, and seconds.

/// Fields and items of a body. A hundred thousand messages, which are the most that a call may have, have half as many.
pub(crate) const VALUES_MAX: usize = 1_000_000;

/// Whether a body has more values than a call may have. What is no JSON may be told either way.
pub(crate) fn is_too_heavy(body: &[u8]) -> bool {
    // No value is shorter than its mark and one more byte, so a usual body is not looked at.
    body.len() / 2 > VALUES_MAX && marks(body) > VALUES_MAX
}

/// The marks that a value begins or ends with, outside of strings.
fn marks(body: &[u8]) -> usize {
    let mut marks = 0;
    let mut rest = body.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'[' | b'{' | b':' | b',' => marks += 1,
            b'"' => pass_string(&mut rest),
            _ => {}
        }
    }
    marks
}

fn pass_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(rest.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_in_strings_do_not_count() {
        for (text, count) in [
            (r#"{"a":[0,1]}"#, 4),
            (r#"{"a":"[{,:\",,"}"#, 2),
            (r#"["\\",0]"#, 2),
            (r#""no end,,"#, 0),
            ("", 0),
        ] {
            assert_eq!(marks(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_light_and_a_million_zeros_are_not() {
        let text = format!("[\"{}\"]", ",".repeat(4 * VALUES_MAX));
        assert!(!is_too_heavy(text.as_bytes()));
        let zeros = format!("[{}0]", "0,".repeat(VALUES_MAX));
        assert!(is_too_heavy(zeros.as_bytes()));
        assert!(!is_too_heavy(&zeros.as_bytes()[..VALUES_MAX]));
    }
}
