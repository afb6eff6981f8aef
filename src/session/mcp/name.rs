//! A tool's name as the caller wrote it, and as the model sees it. `[pure]`

/// The server's name in the CLI's configuration.
pub(crate) const SERVER: &str = "relay";
const PREFIX: &str = "mcp__relay__";

/// As the model sees it.
pub(crate) fn prefixed(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// As the caller wrote it; any other name stays as it is.
pub(crate) fn plain(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_as_it_was_written() {
        for name in ["get_weather", "a__b", "mcp__relay__x", "-"] {
            assert_eq!(plain(&prefixed(name)), name);
        }
        assert_eq!(plain("Bash"), "Bash");
        assert!(prefixed("x").contains(SERVER));
    }
}
