//! What the readers of both of OpenAI's streams share: blocks that open and close by themselves.

use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::Usage;
use crate::turn::token_count;
use crate::wire::reader::Word;
use serde_json::Value;

/// The blocks of an answer as they come, one after the other.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Blocks that were closed.
    closed: usize,
    open: Option<Open>,
    pub(super) calls: usize,
}

/// What the open block is, by what its host calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    Text,
    Thinking,
    /// The call of this number.
    Call(u64),
}

impl Blocks {
    /// More of this block, which is opened unless it is.
    pub(super) fn extend(
        &mut self,
        open: Open,
        kind: BlockKind,
        delta: Delta,
        words: &mut Vec<Word>,
    ) {
        self.open(open, kind, words);
        let index = self.closed;
        words.push(Word::Event(Event::Delta { index, delta }));
    }

    /// Opens this block, unless it is open.
    pub(super) fn open(&mut self, open: Open, kind: BlockKind, words: &mut Vec<Word>) {
        if self.open.as_ref() == Some(&open) {
            return;
        }
        self.close(words);
        if matches!(open, Open::Call(_)) {
            self.calls += 1;
        }
        self.open = Some(open);
        let index = self.closed;
        words.push(Word::Event(Event::BlockStart { index, kind }));
    }

    pub(super) fn is_open(&self, open: &Open) -> bool {
        self.open.as_ref() == Some(open)
    }

    pub(super) fn close(&mut self, words: &mut Vec<Word>) {
        if self.open.take().is_some() {
            let index = self.closed;
            self.closed += 1;
            words.push(Word::Event(Event::BlockStop { index }));
        }
    }
}

/// Counts in OpenAI's words; these are the names of what went in and what came out.
pub(super) fn usage(told: &Value, input: &str, output: &str) -> Usage {
    let count = |path: [&str; 2]| match path {
        [name, ""] => token_count(told.get(name)?),
        [outer, inner] => token_count(told.get(outer)?.get(inner)?),
    };
    let (details, reasoning) = (format!("{input}_details"), format!("{output}_details"));
    let cached = count([&details, "cached_tokens"]);
    let written = count([&details, "cache_write_tokens"]);
    let all = count([input, ""]);
    Usage {
        input_tokens: all.map(|all| all.saturating_sub(cached.unwrap_or(0) + written.unwrap_or(0))),
        output_tokens: count([output, ""]),
        cache_creation_input_tokens: written,
        cache_read_input_tokens: cached,
        reasoning_tokens: count([&reasoning, "reasoning_tokens"]),
    }
}

/// A failure that a host tells within its stream.
pub(super) fn failure(error: &Value) -> Word {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let said = error.as_str().unwrap_or_else(|| text("message"));
    let named = |words: &[&str]| {
        words
            .iter()
            .any(|word| text("code").contains(word) || text("type").contains(word))
    };
    let status = if named(&["rate_limit", "quota"]) {
        Some(429)
    } else if named(&["overloaded", "unavailable"]) {
        Some(529)
    } else if named(&["invalid", "context_length"]) {
        Some(400)
    } else if named(&["server_error", "internal"]) {
        Some(500)
    } else {
        None
    };
    Word::Failed {
        status,
        message: said.to_owned(),
    }
}
