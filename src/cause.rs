//! What an error came from: its chain in one line, or its end. `[pure]`
//!
//! An error tells its own level alone ("read /x/keys.json") and has what it came from as its source ("Permission denied").
//! Who logs or shows one tells both.

use std::error::Error;

/// An error and what it came from, in one line: a certificate that nobody vouches for is told by the last of them.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let words: Vec<_> = chain(error).map(ToString::to_string).collect();
    words.join(": ")
}

/// The cause at the bottom, which is what a person can act on.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}

/// An error, then what it came from, and so on.
pub(crate) fn chain<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

#[cfg(test)]
mod tests {
    use super::causes;
    use super::root_cause;
    use std::io;
    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("read /x/keys.json")]
    struct Unreadable {
        source: io::Error,
    }

    #[test]
    fn an_error_is_told_with_what_it_came_from() {
        let source = io::Error::other("permission denied");
        let error = Unreadable { source };
        assert_eq!(causes(&error), "read /x/keys.json: permission denied");
        assert_eq!(root_cause(&error), "permission denied");
    }
}
