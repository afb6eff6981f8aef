//! What differs between the imitated versions.

/// Where and how the screen is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As 2.1.197: inline on the main screen, a boxed banner.
    Inline,
    /// As 2.1.329: the alternate screen, the prompt at its bottom.
    Fullscreen,
}

/// One imitated version.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) look: Look,
    /// Whether the `MessageDisplay` hook exists (since about 2.1.152).
    pub(crate) message_display: bool,
}

impl Dialect {
    /// The dialect of a version such as `2.1.197`.
    pub(crate) fn of(version: &str) -> Dialect {
        let mut parts = version
            .split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0));
        let number = (
            parts.next().unwrap_or(0),
            parts.next().unwrap_or(0),
            parts.next().unwrap_or(0),
        );
        Dialect {
            look: if number >= (2, 1, 250) {
                Look::Fullscreen
            } else {
                Look::Inline
            },
            message_display: number >= (2, 1, 152),
        }
    }

    /// Whether this is the newer family.
    pub(crate) fn is_new(&self) -> bool {
        self.look == Look::Fullscreen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fall_into_their_families() {
        assert_eq!(Dialect::of("2.1.197").look, Look::Inline);
        assert_eq!(Dialect::of("2.1.329").look, Look::Fullscreen);
        assert!(!Dialect::of("2.1.120").message_display);
    }
}
