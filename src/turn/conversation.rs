//! A conversation that its caller has named, so that it can be gone on with.

/// Whose a conversation is: nobody reaches the conversations of another owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner(pub(crate) String);

impl Owner {
    /// Whoever calls without a key of the relay.
    pub(crate) fn anonymous() -> Owner {
        Owner("anonymous".to_owned())
    }
}

/// A name that a caller gave to a conversation, among its owner's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConversationId {
    pub(crate) owner: Owner,
    /// Invariant: visible ASCII, at most [`ConversationId::CHARACTERS_MAX`] characters, not empty.
    name: String,
}

impl ConversationId {
    /// As long as the contract lets it be.
    pub(crate) const CHARACTERS_MAX: usize = 128;

    /// `None` for a name that is empty, too long, or has anything in it but visible ASCII characters.
    pub(crate) fn new(owner: Owner, name: &str) -> Option<ConversationId> {
        let fits = !name.is_empty() && name.len() <= ConversationId::CHARACTERS_MAX;
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && visible).then(|| ConversationId {
            owner,
            name: name.to_owned(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// How a call was joined with what was said before under its conversation's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joined {
    /// Nothing was known under that name.
    Fresh,
    /// The caller told the whole conversation, and it is the one that is known.
    Continued,
    /// The caller told the new message alone; it was put after what is known.
    Appended,
    /// The caller told another conversation, which takes the place of the one that was known.
    Diverged,
}

impl Joined {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Joined::Fresh => "fresh",
            Joined::Continued => "continued",
            Joined::Appended => "appended",
            Joined::Diverged => "diverged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_ascii_within_its_bound() {
        let new = |name: &str| ConversationId::new(Owner::anonymous(), name);
        for good in ["a", "~!/..%20", &"x".repeat(128)] {
            assert_eq!(new(good).map(|id| id.name), Some(good.to_owned()));
        }
        for bad in ["", " ", "a b", "a\tb", "\u{7f}", "é", &"x".repeat(129)] {
            assert_eq!(new(bad), None, "{bad:?}");
        }
    }
}
