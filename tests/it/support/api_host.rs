//! An HTTP host on loopback that a catalog can name: the imitation of `fake-host`, which answers here by a test's rule.

use fake_host::Answer;
use fake_host::Api;
use fake_host::Counts;
use fake_host::Part;
use serde_json::Value;
use serde_json::json;
use std::borrow::Cow;

pub(crate) use fake_host::Asked;
pub(crate) use fake_host::Host;
pub(crate) use fake_host::Said;
pub(crate) use fake_host::event;

/// A good answer of the Messages API that says this, streamed where that was asked for.
pub(crate) fn says(asked: &Asked, text: &str) -> Said {
    let counts = Counts {
        input: 3,
        output: 5,
        cache_read: Some(2),
        ..Counts::default()
    };
    match asked.is_streamed() {
        true => Said::Stream(stream(text)),
        false => answered(&Api::Messages.whole(&Answer::text("up", text, counts))),
    }
}

/// A whole answer that is this.
pub(crate) fn answered(json: &Value) -> Said {
    Said::Whole(200, "".into(), "application/json", json.to_string())
}

/// A page where an answer should be.
pub(crate) fn page(text: &str) -> Said {
    Said::Whole(200, "".into(), "text/html", text.to_owned())
}

/// The events of a stream of the Messages API.
pub(crate) fn stream(text: &str) -> Vec<String> {
    stream_counted(text, 3, 5)
}

/// Such a stream, of so many tokens.
pub(crate) fn stream_counted(text: &str, input: u64, output: u64) -> Vec<String> {
    Api::Messages.events(&Answer::text("up", text, counts(input, output)), true)
}

pub(crate) fn counts(input: u64, output: u64) -> Counts {
    Counts {
        input,
        output,
        ..Counts::default()
    }
}

/// What a stream begins with before it says anything.
pub(crate) fn preamble() -> String {
    stream("").swap_remove(0)
}

/// The chunks of a stream of Chat Completions that says these words and counts them, to its last mark.
pub(crate) fn chat_stream(model: &str, words: &[&str]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|word| format!("{word} ")).collect();
    let mut answer = Answer::text(model, "", counts(9, words.len() as u64));
    answer.parts = vec![Part::Say(words)];
    Api::Chat.events(&answer, true)
}

/// A failure in the words of OpenAI's API.
pub(crate) fn chat_fails(status: u16, headers: &'static str, code: &str, message: &str) -> Said {
    let body = Api::Chat.failure("some_error", code, message);
    refused(status, headers.into(), &body)
}

/// A failure in the words of the Messages API.
pub(crate) fn fails(status: u16, kind: &str, message: &str) -> Said {
    fails_with(status, "", kind, message)
}

pub(crate) fn fails_with(status: u16, headers: &'static str, kind: &str, message: &str) -> Said {
    refused(
        status,
        headers.into(),
        &Api::Messages.failure(kind, "", message),
    )
}

pub(crate) fn refused(status: u16, headers: Cow<'static, str>, body: &Value) -> Said {
    Said::Whole(status, headers, "application/json", body.to_string())
}

/// The failure event of a stream of the Messages API.
pub(crate) fn error_event(kind: &str) -> String {
    event(&json!({"type": "error", "error": {"type": kind, "message": "x"}}))
}
