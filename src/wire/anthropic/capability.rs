//! What becomes of each field of a request, lane by lane and version by version: one table, as data.
//!
//! `inference-relay capabilities` tells it, `src/wire/capabilities.md` is printed from it, and tests hold the rows against
//! what calls with these fields get. `GET /v1/capabilities` has its fields, and a column for each lane that there is.

use Standing::Emulated;
use Standing::Honoured;
use Standing::Ignored;
use Standing::Moot;
use Standing::Rejected;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It reaches the model as it was written.
    Honoured,
    /// It reaches the model in another form, and `x-relay-emulated` names it.
    Emulated,
    /// It changes nothing of the answer, and is not passed on.
    Moot,
    /// It is not passed on, and `x-relay-ignored` names it; in strict mode it is a 400.
    Ignored,
    /// It is a 4xx.
    Rejected,
}

/// One field: its path, its standing in each version of the API, and what else is to be said.
pub(crate) struct Row {
    pub(crate) field: &'static str,
    pub(crate) old: Standing,
    pub(crate) new: Standing,
    note: &'static str,
}

/// Every field that has a standing of its own; any other top-level field is ignored.
pub(crate) const ROWS: &[Row] = &[
    same(
        "model",
        Honoured,
        "any name is passed on; short ones such as opus are claude's own",
    ),
    same(
        "max_tokens",
        Honoured,
        "also beyond what claude believes of the model; 0 is refused, and for a host of Messages it passes",
    ),
    same(
        "stream",
        Honoured,
        "an answer with thinking comes block by block",
    ),
    same(
        "system",
        Honoured,
        "texts are joined by a line break; ignored where it holds a mark of the CLI's own",
    ),
    same("stop_sequences", Honoured, ""),
    until("temperature"),
    until("top_p"),
    until("top_k"),
    same("thinking", Honoured, "enabled, adaptive, disabled"),
    same("output_config.effort", Honoured, ""),
    same(
        "output_config.format",
        Honoured,
        "where it is not set, the CLI adds its default effort",
    ),
    same("output_format", Emulated, "becomes output_config.format"),
    same(
        "context_management",
        Honoured,
        "what was applied is not told back",
    ),
    same("tools", Honoured, "the model sees the prefix mcp__relay__"),
    same(
        "tools.*.name",
        Honoured,
        "ignored where it is longer than 116 characters",
    ),
    same(
        "tools.*.description",
        Honoured,
        "ignored where the CLI cuts or rewrites it and all tools are longer than 64 KiB",
    ),
    same(
        "tools.*.input_schema",
        Honoured,
        "ignored where the CLI takes it apart and all tools are longer than 64 KiB; 1.0 becomes 1",
    ),
    same("tools.*.cache_control", Moot, ""),
    same("tools.*.strict", Ignored, ""),
    same("tools.*.input_examples", Ignored, ""),
    same("tools.*.defer_loading", Ignored, "all tools are loaded"),
    same("tools.*.allowed_callers", Ignored, ""),
    same("tools.*.eager_input_streaming", Ignored, ""),
    same(
        "tools.*.type",
        Ignored,
        "tools that the API runs itself; bash, text_editor and memory, which the caller runs, are emulated",
    ),
    same("tool_choice", Honoured, ""),
    same(
        "messages.*.content.*.text",
        Honoured,
        "an assistant's text that is only (no content) is emulated: it goes in two blocks",
    ),
    same("messages.*.content.*.image", Honoured, "base64 and url"),
    same(
        "messages.*.content.*.document",
        Honoured,
        "base64, text, content and url",
    ),
    same(
        "messages.*.content.*.source.file_id",
        Honoured,
        "a file of /v1/files; its bytes stand in the call",
    ),
    same(
        "messages.*.content.*.citations",
        Ignored,
        "not passed on in a history; where they are wished for, the model cites, and it is not told",
    ),
    same(
        "messages.*.content.*.tool_use",
        Honoured,
        "1.0 becomes 1; an input with whole numbers of more than 53 bits is emulated, and so is a call before words, which \
         goes behind them",
    ),
    same(
        "messages.*.content.*.tool_result",
        Honoured,
        "words between the results of the last message are emulated: they go behind them",
    ),
    same(
        "messages.*.content.*.tool_reference",
        Emulated,
        "becomes a text",
    ),
    same("messages.*.content.*.thinking", Honoured, ""),
    same(
        "messages.*.role: system",
        Emulated,
        "becomes a reminder in the user's turn",
    ),
    same(
        "messages.*.output_config",
        Ignored,
        "unless the call sets the same",
    ),
    same(
        "messages.-1.role: assistant",
        Rejected,
        "prefill: no lane can continue an answer",
    ),
    same("thread", Rejected, "the SDKs go on without"),
    same("cache_control", Moot, "the CLI places its own marks"),
    same("metadata", Moot, "the CLI sends its own"),
    same("service_tier", Moot, ""),
    same("diagnostics", Moot, ""),
    same("user_profile_id", Moot, ""),
    same("fallback_credit_token", Moot, ""),
    same("mcp_servers", Ignored, ""),
    same("container", Ignored, ""),
    same("speed", Ignored, "standard asks for nothing"),
    same("inference_geo", Ignored, ""),
];

/// Lanes, and whether each was measured; the rows hold for all of them.
const LANES: &[(&str, bool)] = &[("claude-pty", true), ("claude-print", true)];
pub(crate) const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

impl Standing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Standing::Honoured => "honoured",
            Standing::Emulated => "emulated",
            Standing::Moot => "moot",
            Standing::Ignored => "ignored",
            Standing::Rejected => "rejected",
        }
    }
}

/// The table as `GET /v1/capabilities` tells it.
pub(crate) fn document() -> Value {
    let lanes: Vec<Value> = LANES
        .iter()
        .map(|(name, measured)| json!({"name": name, "measured": measured}))
        .collect();
    let fields: Vec<Value> = ROWS.iter().map(told).collect();
    json!({
        "lanes": lanes,
        "versions": VERSIONS,
        "fields": fields,
        "headers": [{"header": "anthropic-beta", "standing": Honoured.name(), "note": BETA_NOTE}],
        "added": ADDED,
    })
}

fn told(row: &Row) -> Value {
    let standings = json!({VERSIONS[0]: row.old.name(), VERSIONS[1]: row.new.name()});
    let mut told = Map::new();
    told.insert("field".into(), row.field.into());
    for (lane, _) in LANES {
        told.insert((*lane).into(), standings.clone());
    }
    if !row.note.is_empty() {
        told.insert("note".into(), row.note.into());
    }
    told.into()
}

const BETA_NOTE: &str = "ignored where it holds what is no name";
/// What reaches the model beside the call.
const ADDED: [&str; 4] = [
    "two short system blocks: what is billed, and who claude is",
    "from 2.1.329 on, until a version was seen to tell it, and of a new day or model once: a system message of about 1,000 characters (folder, platform, shell, date, model)",
    "before that, on sonnet and haiku, in tool results that no waiting session asked for: today's date, or the same message",
    "before 2.1.329: today's date, in a reminder before the first message of the user",
];

/// The table as a page.
pub(crate) fn page() -> String {
    let mut page = PREFACE.to_owned();
    for row in ROWS {
        let (old, new) = (row.old.name(), row.new.name());
        page.push_str(&format!(
            "| `{}` | {old} | {new} | {} |\n",
            row.field, row.note
        ));
    }
    page + POSTSCRIPT
}

const fn same(field: &'static str, standing: Standing, note: &'static str) -> Row {
    Row {
        field,
        old: standing,
        new: standing,
        note,
    }
}

/// A field that the newer version has no more.
const fn until(field: &'static str) -> Row {
    Row {
        field,
        old: Honoured,
        new: Rejected,
        note: "gone from the newer version",
    }
}

const PREFACE: &str = "\
# What becomes of each field

*Honoured*: it reaches the model as it was written. *Emulated*: in another form, and `x-relay-emulated` names it.
*Moot*: it changes nothing of the answer, and is not passed on. *Ignored*: it is not passed on, `x-relay-ignored` names
it, and in strict mode (`server.strict`, or the header `x-relay-strict: true`) it is a 400. *Rejected*: it is a 4xx.

The rows were measured in the lanes `claude-pty` and `claude-print`, and are the same in both. A top-level field that is
not here is ignored. `inference-relay capabilities` prints this page. `GET /v1/capabilities` of a running relay has a column
for every lane that it has, said by the lane itself: a host that speaks the caller's dialect gets every field as it is.

| field | 2023-06-01 | 2026-10-21 | |
| --- | --- | --- | --- |
";

/// What no row can say, because the lanes differ in it.
const POSTSCRIPT: &str = "
## What differs by lane

| | `claude-pty` | `claude-pty` with the tap | `claude-print` |
| --- | --- | --- | --- |
| a streamed answer comes | line by line | token by token | token by token |
| several texts of one streamed answer | are one block | are told apart | are told apart |
| thinking nobody asked for, in a streamed answer | is not told where its text was told before it is known | is told | is told |
| numbers in the input of a call | are JavaScript's: `1.0` is `1` | as the model wrote them | streamed, as the model wrote them |
| an answer that is cut (`max_tokens`) or shows nothing | is one request as a rule: claude, which would ask once more, is interrupted while it prepares that; where it was quicker it is counted | is one request | is one request, or two |
| which `stop_sequence` it was | is told where the call has one only | is told | is told |
| tools with a message that cannot be typed | need a claude newer than 2.1.197 | need a claude newer than 2.1.197 | are taken |

An answer without any text, thinking or call is a 502 `empty_turn` where claude does not pass it on.

## What a call's header brings

The betas of `anthropic-beta` are honoured: a session that names them to the API serves the call. A header that holds
something else than names is ignored, and `x-relay-ignored` says `anthropic-beta`.

## What reaches the model beside the call

claude has no switch for these that would leave it its login. What it tells by itself once a conversation (the empty
folder that sessions run in, the platform, the shell, today's date, the name of the model), the relay has told beforehand:
a launch whose question reaches nobody shows what that is, and a conversation begins with records that say that it was
told, and that nothing was shown. What is left is told here, once:

- two short system blocks before the caller's: what is billed, and one line of who claude is;
- on newer versions, once a day: that the date has changed, in the call that is the first to see the new one;
- on newer versions, where it could not be found out what they tell: all of it, in about 1,000 characters behind the first
  message of the user or within the last result of a tool. Then `x-relay-emulated` says `messages`;
- on older versions: today's date, in a reminder before the first message of the user.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Fault;
    use crate::wire::anthropic::request;
    use crate::wire::anthropic::request::Call;
    use crate::wire::anthropic::request::Version;
    use crate::wire::anthropic::sample;

    fn standing(read: Result<Call, Fault>) -> Standing {
        match read.map(|call| call.request) {
            Err(_) => Rejected,
            Ok(request) if !request.ignored.is_empty() => Ignored,
            Ok(request) if !request.emulated.is_empty() => Emulated,
            Ok(_) => Honoured,
        }
    }

    /// What is read here and refused by the lanes, and what is there before anything is read.
    const LANES_REFUSE: [&str; 2] = [
        "messages.-1.role: assistant",
        "messages.*.content.*.source.file_id",
    ];

    #[test]
    fn every_row_is_what_a_call_with_the_field_gets() {
        for row in ROWS.iter().filter(|row| !LANES_REFUSE.contains(&row.field)) {
            let body = sample::of(row.field).to_string();
            for (version, told) in [
                (Version::V2023_06_01, row.old),
                (Version::V2026_10_21, row.new),
            ] {
                let told = if told == Moot { Honoured } else { told };
                let found = standing(request::call(body.as_bytes(), version));
                assert_eq!(found, told, "{} in {version:?}", row.field);
            }
        }
    }

    #[test]
    fn what_is_moot_leaves_no_trace_in_the_request() {
        let plain = request::call(
            sample::of("model").to_string().as_bytes(),
            Version::V2023_06_01,
        );
        for row in ROWS
            .iter()
            .filter(|row| row.old == Moot && !row.field.contains('.'))
        {
            let read = request::call(
                sample::of(row.field).to_string().as_bytes(),
                Version::V2023_06_01,
            );
            assert_eq!(read, plain, "{}", row.field);
        }
    }
}
