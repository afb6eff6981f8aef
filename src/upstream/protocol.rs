//! What a host speaks, and what bytes that are not it look like. `[pure]`

/// The protocol of a host's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Messages,
    Chat,
    Responses,
}

impl Protocol {
    /// The name that a binding's `adapter` has, and whose it is.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Protocol::Messages => "an anthropic answer",
            Protocol::Chat => "an openai chat answer",
            Protocol::Responses => "an openai responses answer",
        }
    }

    /// The route of a turn.
    pub(super) fn path(self) -> &'static str {
        match self {
            Protocol::Messages => "/v1/messages",
            Protocol::Chat => "/v1/chat/completions",
            Protocol::Responses => "/v1/responses",
        }
    }

    /// The adapter's word in the catalog.
    pub(crate) fn adapter(self) -> &'static str {
        match self {
            Protocol::Messages => "anthropic",
            Protocol::Chat => "openai",
            Protocol::Responses => "responses",
        }
    }

    /// Whose event this is; `None` where it could be anybody's.
    pub(super) fn of_event(object: Option<&str>, kind: &str) -> Option<Protocol> {
        if object == Some("chat.completion.chunk") {
            return Some(Protocol::Chat);
        }
        match kind {
            "error" => None,
            kind if kind.starts_with("response.") => Some(Protocol::Responses),
            kind if MESSAGES_EVENTS.contains(&kind) => Some(Protocol::Messages),
            _ => None,
        }
    }

    /// Whose answer this is.
    pub(super) fn of_answer(
        object: Option<&str>,
        kind: Option<&str>,
        has_choices: impl FnOnce() -> bool,
    ) -> Option<Protocol> {
        match (object, kind) {
            (Some("response"), _) => Some(Protocol::Responses),
            (_, Some("message")) => Some(Protocol::Messages),
            _ => has_choices().then_some(Protocol::Chat),
        }
    }
}

/// What bytes look like that are no answer.
pub(super) fn looks_like(bytes: &[u8]) -> &'static str {
    let begin = bytes.trim_ascii_start();
    match begin.first() {
        None => "nothing",
        Some(b'<') => "an HTML page",
        Some(b'{' | b'[') => "JSON of no protocol that is known",
        Some(_) => "plain text",
    }
}

const MESSAGES_EVENTS: [&str; 7] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
];
