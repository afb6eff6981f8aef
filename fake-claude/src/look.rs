//! What differs between the imitated versions.

/// Where and how the screen is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As 2.1.197: inline on the main screen, a boxed banner.
    Inline,
    /// As 2.1.329: the alternate screen, the prompt at its bottom.
    Fullscreen,
}

/// What a version makes of hooks that `--settings` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookSense {
    /// As 2.0.76: a hook of type http makes the whole file an error.
    NoHttp,
    /// As 2.1.120: `MessageDisplay` is not known, is warned of and skipped.
    NoMessageDisplay,
    All,
}

/// One imitated version.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) look: Look,
    pub(crate) hooks: HookSense,
    /// What stands before the prompt, without the blank.
    pub(crate) mark: &'static str,
    /// How wide the left half of the boxed banner is.
    pub(crate) banner_left: usize,
    /// Whether `esc to interrupt` stands in the spinner's line, as in 2.0, and not in the footer.
    pub(crate) esc_at_spinner: bool,
    /// Whether hooks name the prompt and the effort.
    pub(crate) hooks_name_prompt: bool,
    /// Whether `--tools` is for print mode only.
    pub(crate) tools_need_print: bool,
}

impl Dialect {
    /// The dialect of a version such as `2.1.197`.
    pub(crate) fn of(version: &str) -> Dialect {
        let number = number(version);
        let is_early = number < (2, 1, 0);
        let is_middle = number < (2, 1, 152);
        Dialect {
            look: match number >= (2, 1, 250) {
                true => Look::Fullscreen,
                false => Look::Inline,
            },
            hooks: match (is_early, is_middle) {
                (true, _) => HookSense::NoHttp,
                (false, true) => HookSense::NoMessageDisplay,
                (false, false) => HookSense::All,
            },
            mark: if is_early { ">" } else { "❯" },
            banner_left: if is_middle { 41 } else { 34 },
            esc_at_spinner: is_early,
            hooks_name_prompt: !is_middle,
            tools_need_print: is_early,
        }
    }

    /// Whether this is the newer family.
    pub(crate) fn is_new(&self) -> bool {
        self.look == Look::Fullscreen
    }

    /// Whether the `MessageDisplay` hook exists.
    pub(crate) fn has_message_display(&self) -> bool {
        self.hooks == HookSense::All
    }
}

fn number(version: &str) -> (u32, u32, u32) {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fall_into_their_families() {
        assert_eq!(Dialect::of("2.1.197").look, Look::Inline);
        assert_eq!(Dialect::of("2.1.329").look, Look::Fullscreen);
        assert!(!Dialect::of("2.1.120").has_message_display());
        assert_eq!(Dialect::of("2.0.76").hooks, HookSense::NoHttp);
        assert_eq!(Dialect::of("2.0.76").mark, ">");
    }
}
