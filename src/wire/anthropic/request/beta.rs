//! The betas that a caller names in the header `anthropic-beta`.

/// The names, each once and sorted; or that the header holds what is no name, and goes no further.
///
/// # Errors
/// The label of a header that is left out: its name.
pub(crate) fn betas<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<String>, &'static str> {
    let mut names = Vec::new();
    for header in headers {
        let header = std::str::from_utf8(header).map_err(|_| HEADER)?;
        let parts = header.split(',').map(str::trim);
        for name in parts.filter(|name| !name.is_empty()) {
            if !is_name(name) || names.len() == NAMES_MAX {
                return Err(HEADER);
            }
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    name.len() <= NAME_MAX && name.chars().all(fits)
}

/// The name that the header has in labels.
const HEADER: &str = "anthropic-beta";
/// Names of one call, all headers together; a client names a dozen.
const NAMES_MAX: usize = 64;
/// Bytes of one name; they have about thirty.
const NAME_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_all_headers_each_once() {
        let headers: [&[u8]; 3] = [b"b-2026-01-01, a-2025-01-01", b"", b" a-2025-01-01,,"];
        let names = betas(headers).expect("they are names");
        assert_eq!(names, ["a-2025-01-01", "b-2026-01-01"]);
        assert_eq!(betas([]), Ok(vec![]));
    }

    #[test]
    fn what_is_no_name_is_not_passed_on_and_named() {
        let many = vec!["a"; NAMES_MAX + 1].join(",");
        let long = "a".repeat(NAME_MAX + 1);
        for header in [
            b"a b".as_slice(),
            b"a\"b",
            b"\xff",
            many.as_bytes(),
            long.as_bytes(),
        ] {
            assert_eq!(betas([header]), Err("anthropic-beta"));
        }
    }
}
