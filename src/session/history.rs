//! A conversation as a transcript that claude takes up: role by role, block by block. `[pure]`

use super::attachment::as_told;
use super::mcp::name;
use crate::turn::Block;
use crate::turn::Message;
use crate::turn::PlacedMessage;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::Tool;
use serde_json::Value;
use serde_json::json;
use std::borrow::Cow;

/// What a transcript says of itself beside the conversation.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) session: String,
    /// The folder the session runs in.
    pub(crate) folder: String,
    /// The version of the CLI that will read it.
    pub(crate) version: String,
    pub(crate) model: String,
    /// RFC 3339, as the CLI writes it.
    pub(crate) timestamp: String,
    /// What the CLI would tell the model by itself, had it not been told.
    pub(crate) told: Vec<Value>,
}

/// Writes the messages as JSON lines; `next_id` gives each record its UUID.
pub(crate) fn write_transcript(
    messages: &[Message],
    heading: &Heading,
    mut next_id: impl FnMut() -> String,
) -> Written {
    let (mut text, mut parent) = told(heading, &mut next_id);
    for (index, message) in messages.iter().enumerate() {
        let id = next_id();
        let record = record(message, index, heading, &parent, &id);
        text.push_str(&record.to_string());
        text.push('\n');
        parent = Value::String(id);
    }
    let last = parent.as_str().unwrap_or_default().to_owned();
    Written { text, last }
}

/// What was told before the first message, and the id of its last record.
fn told(heading: &Heading, mut next_id: impl FnMut() -> String) -> (String, Value) {
    let mut text = String::new();
    let mut parent = Value::Null;
    for attachment in &heading.told {
        let id = next_id();
        let record = as_told(attachment, frame(heading, &parent, &id, "attachment"));
        text.push_str(&record.to_string());
        text.push('\n');
        parent = Value::String(id);
    }
    (text, parent)
}

/// A conversation as JSON lines.
pub(crate) struct Written {
    pub(crate) text: String,
    /// The id of the last record.
    pub(crate) last: String,
}

/// The messages of a conversation whose last is to be answered, as the records that the CLI takes up without a word of
/// its own: after tool results it would put a sentence, unless something of the user comes after them. Where nothing
/// does, that is a text of nothing, which the model is not shown.
pub(crate) fn to_be_answered(messages: Cow<'_, [Message]>) -> Cow<'_, [Message]> {
    let results = messages.last().map_or(0, |last| {
        let results = last.blocks.iter().take_while(|block| is_result(block));
        results.count()
    });
    if results == 0 {
        return messages;
    }
    let mut messages = messages.into_owned();
    let last = messages.last_mut();
    let mut rest = last.map_or_else(Vec::new, |last| last.blocks.split_off(results));
    if rest.is_empty() {
        rest.push(Block::Text(String::new()));
    }
    messages.push(Message {
        role: Role::User,
        blocks: rest,
    });
    messages.into()
}

/// Whether the CLI takes the last message of this history for one that it wrote itself, where nobody had answered: it
/// leaves such a message away when it takes up a conversation that ends in it.
pub(crate) fn ends_in_placeholder(history: &[Message]) -> bool {
    let Some(Message {
        role: Role::Assistant,
        blocks,
    }) = history.last()
    else {
        return false;
    };
    match blocks.first() {
        Some(Block::Text(text)) => PLACEHOLDERS.contains(&text.trim()),
        _ => false,
    }
}

/// Whether in print mode the last message goes in with the history: results of calls that no session waits for are
/// history there, and a history whose end would be left away must go on.
pub(crate) fn is_told_at_once(messages: &[Message]) -> bool {
    messages
        .split_last()
        .is_some_and(|(last, history)| brings_results(last) || ends_in_placeholder(history))
}

/// A failure after which 2.1.329 never takes a turn for one that was interrupted; older versions do not look at it.
const FAILED_FOR_GOOD: &str = "dlp_request_denied";
/// What the CLI writes where nobody had answered.
const PLACEHOLDERS: [&str; 1] = ["No response requested."];
/// What the CLI writes where the model said nothing. It leaves a message of the assistant away that is nothing but that.
const NOTHINGS: [&str; 2] = ["(no content)", "[Empty text removed]"];

/// Whether a message brings results of tool calls, wherever in it they stand.
fn brings_results(message: &Message) -> bool {
    message.blocks.iter().any(is_result)
}

fn is_result(block: &Block) -> bool {
    block.is_result()
}

/// A record after which the CLI goes on with the user's message before it: it says that a request failed for good, and
/// the model is not shown it. Without it the CLI would put words of its own between that message and the prompt; so
/// would 2.1.329 after a failure that may pass, in a session that was primed.
pub(crate) fn open_end(heading: &Heading, parent: &str, id: &str) -> String {
    let mut record = frame(heading, &parent.into(), id, "assistant");
    record["isApiErrorMessage"] = true.into();
    record["error"] = "unknown".into();
    record["apiError"] = FAILED_FOR_GOOD.into();
    record["message"] = json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": "<synthetic>",
        "content": [{"type": "text", "text": "API Error"}],
        "stop_reason": "stop_sequence",
        "stop_sequence": "",
        "usage": {"input_tokens": 0, "output_tokens": 0},
    });
    format!("{record}\n")
}

/// A conversation in which nothing was said yet: one record that the CLI shows to nobody but the user.
pub(crate) fn blank(heading: &Heading, mut next_id: impl FnMut() -> String) -> String {
    let (mut text, mut parent) = told(heading, &mut next_id);
    // Of what was told alone, the CLI would say that nobody has answered it.
    if let Some(last) = parent.as_str() {
        let id = next_id();
        text.push_str(&open_end(heading, last, &id));
        parent = id.into();
    }
    let mut record = frame(heading, &parent, &next_id(), "system");
    record["subtype"] = "informational".into();
    record["level"] = "info".into();
    record["content"] = "ready".into();
    format!("{text}{record}\n")
}

fn record(message: &Message, index: usize, heading: &Heading, parent: &Value, id: &str) -> Value {
    let (kind, body) = match message.role {
        Role::User => ("user", json!({"role": "user", "content": content(message)})),
        Role::Assistant => ("assistant", answer(message, index, heading)),
    };
    let mut record = frame(heading, parent, id, kind);
    record["message"] = body;
    record
}

/// What every record says of itself.
fn frame(heading: &Heading, parent: &Value, id: &str, kind: &str) -> Value {
    json!({
        "parentUuid": parent,
        "isSidechain": false,
        "userType": "external",
        "cwd": heading.folder,
        "sessionId": heading.session,
        "version": heading.version,
        "gitBranch": "",
        "type": kind,
        "uuid": id,
        "timestamp": heading.timestamp,
    })
}

fn answer(message: &Message, index: usize, heading: &Heading) -> Value {
    json!({
        "id": format!("msg_relay_history_{index}"),
        "type": "message",
        "role": "assistant",
        "model": heading.model,
        "content": content(message),
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    })
}

/// Always blocks: a text that stands alone would be taken up as if it were typed, with commands and all.
pub(crate) fn content(message: &Message) -> Value {
    let blocks = message
        .blocks
        .iter()
        .map(|part| match nothing(message, part) {
            Some(text) => halves(text),
            None => vec![block(part)],
        });
    Value::Array(blocks.flatten().collect())
}

/// The messages that reach the model in other blocks than they were written, by path.
pub(crate) fn divided(request: &Request) -> Vec<String> {
    let divided = |message: &Message, block: &Block| nothing(message, block).is_some();
    let mut paths: Vec<String> = blocks_where(request, divided)
        .map(|(said, block)| said.field_at(block, "content"))
        .collect();
    paths.dedup();
    paths
}

/// What the CLI leaves away, by path: of a result that is an error it passes on the words alone.
pub(crate) fn left_away(request: &Request) -> Vec<String> {
    blocks_where(request, |_, block| holds_more_than_its_words(block))
        .map(|(said, block)| format!("{}.content", said.at(block)))
        .collect()
}

fn blocks_where(
    request: &Request,
    is_meant: impl Fn(&Message, &Block) -> bool + Copy,
) -> impl Iterator<Item = (PlacedMessage<'_>, usize)> {
    request.placed_messages().flat_map(move |said| {
        let blocks = said.message.blocks.iter().enumerate();
        let meant = blocks.filter(move |(_, block)| is_meant(said.message, block));
        meant.map(move |(place, _)| (said, place))
    })
}

fn holds_more_than_its_words(block: &Block) -> bool {
    let Block::ToolResult(result) = block else {
        return false;
    };
    let parts = result["content"].as_array().into_iter().flatten();
    result["is_error"] == true && parts.into_iter().any(|part| part["type"] != "text")
}

/// The text of a block that the CLI would take for one of its own.
fn nothing<'a>(message: &Message, block: &'a Block) -> Option<&'a str> {
    match block {
        Block::Text(text) if message.role == Role::Assistant => {
            Some(text.as_str()).filter(|text| NOTHINGS.contains(&text.trim()))
        }
        _ => None,
    }
}

/// The same text in two blocks, neither of which is the CLI's own.
fn halves(text: &str) -> Vec<Value> {
    let middle = text.find(['(', '[']).map_or(0, |bracket| bracket + 1);
    let (first, second) = text.split_at(middle);
    [first, second]
        .map(|text| json!({"type": "text", "text": text}))
        .into()
}

pub(crate) fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        other => other.json().cloned().unwrap_or_default(),
    }
}

/// The conversation as the model has seen it: its calls under the names that the session's tools have.
pub(crate) fn as_seen<'a>(messages: &'a [Message], tools: &[Tool]) -> Cow<'a, [Message]> {
    if tools.is_empty() {
        return messages.into();
    }
    let mut messages = messages.to_vec();
    let blocks = messages.iter_mut().flat_map(|message| &mut message.blocks);
    for block in blocks {
        if let Some(call) = block.call_mut()
            && let Some(tool) = tools.iter().find(|tool| call["name"] == tool.name)
        {
            call["name"] = name::prefixed(&tool.name).into();
        }
    }
    messages.into()
}

/// The folder under `projects/` in which the CLI keeps the transcripts of sessions in `folder`.
pub(crate) fn project_slug(folder: &str) -> String {
    let unit = |unit: u16| {
        char::from_u32(u32::from(unit))
            .filter(char::is_ascii_alphanumeric)
            .unwrap_or('-')
    };
    folder.encode_utf16().map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::BlockPlace;

    fn heading() -> Heading {
        Heading {
            session: "s".into(),
            folder: "/tmp/a.b".into(),
            version: "2.1.329".into(),
            model: "m".into(),
            timestamp: "2026-01-01T00:00:00.000Z".into(),
            told: Vec::new(),
        }
    }

    #[test]
    fn of_a_result_that_is_an_error_more_than_words_is_named() {
        let result = |is_error: bool, kind: &str| {
            let content = json!([{"type": "text", "text": "a"}, {"type": kind}]);
            Block::of(json!({"type": "tool_result", "is_error": is_error, "content": content}))
        };
        let blocks = vec![
            result(true, "text"),
            result(false, "image"),
            result(true, "image"),
        ];
        let role = Role::User;
        let left_away = left_away(&Request::plain(vec![Message { role, blocks }]));
        assert_eq!(left_away, ["messages.0.content.2.content"]);
    }

    fn lines(messages: &[Message]) -> Vec<Value> {
        let mut n = 0;
        let text = write_transcript(messages, &heading(), || {
            n += 1;
            format!("id{n}")
        });
        text.text
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line must be JSON"))
            .collect()
    }

    #[test]
    fn each_message_hangs_on_the_one_before() {
        let said = |role, text: &str| Message {
            role,
            blocks: vec![Block::Text(text.into())],
        };
        let lines = lines(&[
            said(Role::User, "a\tb\n"),
            said(Role::Assistant, "**c**"),
            said(Role::User, "/d"),
        ]);
        assert_eq!(lines[0]["message"]["content"][0]["text"], "a\tb\n");
        assert_eq!(lines[1]["message"]["content"][0]["text"], "**c**");
        assert_eq!(lines[2]["parentUuid"], lines[1]["uuid"]);
        assert!(lines[0]["parentUuid"].is_null());
    }

    #[test]
    fn blocks_stay_as_they_are() {
        let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
        let blocks = vec![Block::Text("see".into()), Block::of(image.clone())];
        let lines = lines(&[Message {
            role: Role::User,
            blocks,
        }]);
        assert_eq!(lines[0]["message"]["content"][1], image);
    }

    #[test]
    fn what_the_cli_would_take_for_its_own_goes_in_two_blocks() {
        let said = |role, text: &str| Message {
            role,
            blocks: vec![Block::Text(text.into())],
        };
        for (text, halves) in [
            ("(no content)", ["(", "no content)"]),
            ("\n[Empty text removed] ", ["\n[", "Empty text removed] "]),
        ] {
            let messages = [said(Role::User, text), said(Role::Assistant, text)];
            let lines = lines(&messages);
            let halves = halves.map(|text| json!({"type": "text", "text": text}));
            assert_eq!(lines[0]["message"]["content"][0]["text"], text);
            assert_eq!(lines[1]["message"]["content"], json!(halves));
            assert_eq!(
                divided(&Request::plain(messages.into())),
                ["messages.1.content"]
            );
        }
        let all = said(Role::Assistant, "(no content) at all");
        assert!(divided(&Request::plain(vec![all])).is_empty());
        let mut request = Request::plain(vec![
            said(Role::User, "a"),
            said(Role::Assistant, NOTHINGS[0]),
        ]);
        for index in [1, 4] {
            let list = "input";
            request.places.push(BlockPlace { list, index }, 1);
        }
        assert_eq!(divided(&request), ["input.4.content"]);
    }

    #[test]
    fn results_that_are_to_be_answered_are_followed_by_something() {
        let result = Block::of(json!({"type": "tool_result", "tool_use_id": "t"}));
        let asked = |blocks: &[Block]| {
            let message = Message {
                role: Role::User,
                blocks: blocks.to_vec(),
            };
            to_be_answered(vec![message].into()).into_owned()
        };
        let nothing = Block::Text(String::new());
        let after = asked(std::slice::from_ref(&result));
        assert_eq!(after[0].blocks, std::slice::from_ref(&result));
        assert_eq!(after[1].blocks, [nothing]);
        let text = Block::Text("and?".into());
        let after = asked(&[result.clone(), text.clone()]);
        assert_eq!(
            (&after[0].blocks, &after[1].blocks),
            (&vec![result], &vec![text.clone()])
        );
        assert_eq!(asked(std::slice::from_ref(&text)).len(), 1);
    }

    #[test]
    fn a_folder_has_its_slug() {
        assert_eq!(project_slug("/home/a.b/work_x"), "-home-a-b-work-x");
    }
}
