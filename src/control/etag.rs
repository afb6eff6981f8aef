//! The tag of a row: the same row has the same one. `[pure]`

use crate::catalog::Document;
use crate::hex::to_hex;
use sha2::Digest;
use sha2::Sha256;

/// The tag, in its quotes.
pub(super) fn of(document: &Document) -> String {
    of_text(&document.to_yaml())
}

/// The tag of whatever says this.
pub(super) fn of_text(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    format!("\"{}\"", to_hex(&hash[..12]))
}

/// Whether a change may go on: `If-Match` names the row as it is, `If-None-Match: *` wants none.
///
/// # Errors
/// What the caller should know.
pub(super) fn check(
    current: Option<&Document>,
    if_match: Option<&str>,
    if_none_match: Option<&str>,
) -> Result<(), &'static str> {
    if if_none_match.is_some_and(|wanted| wanted.trim() == "*") && current.is_some() {
        return Err("there is a row of this name already");
    }
    let Some(wanted) = if_match else {
        return Ok(());
    };
    match current {
        Some(row) => matches(&of(row), Some(wanted)),
        None => Err(CHANGED),
    }
}

/// Whether `If-Match`, where it was sent, names this tag.
///
/// # Errors
/// What the caller should know.
pub(super) fn matches(tag: &str, if_match: Option<&str>) -> Result<(), &'static str> {
    let is_it = |one: &str| one.trim() == "*" || one.trim() == tag;
    match if_match.is_none_or(|wanted| wanted.split(',').any(is_it)) {
        true => Ok(()),
        false => Err(CHANGED),
    }
}

const CHANGED: &str = "it has changed since you read it; read it again, and send its new etag";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::DocumentSet;
    use crate::catalog::Location;

    #[test]
    fn a_tag_is_of_what_the_row_says() {
        let row = |port: u16| {
            let text = format!(
                "kind: Host\nmetadata: {{ name: a }}\nspec: {{ url: \"http://10.0.0.1:{port}\", network: private }}\n"
            );
            let set = DocumentSet::of_text(&text, &Location::default());
            set.iter().next().cloned().expect("it is a row")
        };
        let (one, other) = (row(1), row(2));
        assert_eq!(of(&one), of(&row(1)));
        assert_ne!(of(&one), of(&other));
        assert!(check(Some(&one), Some(&of(&one)), None).is_ok());
        assert!(check(Some(&one), Some(&of(&other)), None).is_err());
        assert!(check(None, Some("*"), None).is_err());
        assert!(check(Some(&one), None, Some("*")).is_err());
        assert!(check(None, None, Some("*")).is_ok());
    }
}
