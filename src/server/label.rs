//! What an answer's headers say of how it came about.

use crate::calls::CallRecorder;
use crate::turn::Attempt;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::Notes;
use crate::turn::Usage;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use std::borrow::Cow;

/// A label's name and what it says: nearly all say one of a few words.
pub(super) type Label = (&'static str, Cow<'static, str>);

/// The labels by their names.
pub(super) fn named(labels: &Labels) -> impl Iterator<Item = Label> {
    let joined = labels.conversation.map(|joined| joined.name().into());
    let session = labels.session.map(|session| session.name().into());
    let text = labels.text.name().into();
    let sometimes = [
        session.map(|session| ("x-relay-session", session)),
        joined.map(|joined| ("x-relay-conversation", joined)),
    ];
    passed(&labels.lane, &labels.attempts)
        .chain([
            ("x-relay-text", text),
            ("x-relay-emulated", paths(&labels.emulated)),
            ("x-relay-ignored", paths(&labels.ignored)),
        ])
        .chain(sometimes.into_iter().flatten())
}

/// The labels that an answer has which is passed on as bytes: who gave it, and who was tried before.
pub(super) fn passed(lane: &LaneId, attempts: &[Attempt]) -> impl Iterator<Item = Label> {
    let tried = attempts.iter();
    let tried: Vec<String> = tried.map(|a| format!("{}={}", a.lane, a.code)).collect();
    let tried = (!tried.is_empty()).then(|| ("x-relay-attempts", tried.join(",").into()));
    [("x-relay-lane", lane.name().to_owned().into())]
        .into_iter()
        .chain(tried)
}

/// What became known only when the answer had begun; its counts may not be known at its end either.
pub(super) fn late(notes: &Notes, usage: &Usage) -> impl Iterator<Item = Label> {
    let emulated =
        (!notes.emulated.is_empty()).then(|| ("x-relay-emulated", paths(&notes.emulated)));
    let usage = (!usage.is_known()).then(|| (USAGE, USAGE_UNKNOWN.into()));
    emulated
        .into_iter()
        .chain(usage)
        .chain(questions(notes.questions))
}

/// How often the upstream was asked, where that was more than once.
fn questions(count: u32) -> Option<Label> {
    (count > 1).then(|| (UPSTREAM_REQUESTS, count.to_string().into()))
}

/// Writes how often the upstream was asked so far, where that was more than once; on a failure, too.
pub(super) fn write_questions(headers: &mut HeaderMap, note: &CallRecorder) {
    if let Some((name, count)) = questions(note.questions())
        && let Ok(count) = HeaderValue::from_str(&count)
    {
        headers.insert(header(name), count);
    }
}

/// Writes on a failure which lane it came from, and those that failed before. A call that no lane was asked for has none.
pub(super) fn write_failed(headers: &mut HeaderMap, note: &CallRecorder) {
    let mut lanes: Vec<Attempt> = Vec::new();
    for tried in note.notes().tries {
        lanes.retain(|before| before.lane != tried.lane);
        lanes.push(Attempt {
            lane: tried.lane,
            code: tried.outcome,
        });
    }
    if let Some(last) = lanes.pop() {
        write_each(headers, passed(&last.lane, &lanes));
    }
}

/// Writes the labels, and what of the time was the relay's own.
pub(super) fn write(headers: &mut HeaderMap, labels: &Labels, note: &CallRecorder) {
    let late = note.emulated();
    if late.is_empty() {
        return write_all(headers, named(labels), note);
    }
    let mut labels = labels.clone();
    labels.emulated.extend(late);
    write_all(headers, named(&labels), note);
}

/// Writes the labels of an answer that is passed on as bytes.
pub(super) fn write_passed(
    headers: &mut HeaderMap,
    lane: &LaneId,
    attempts: &[Attempt],
    note: &CallRecorder,
) {
    match attempts {
        // Most have nothing to tell but a name.
        [] => write_all(headers, std::iter::empty(), note),
        attempts => write_all(headers, passed(lane, attempts), note),
    }
    if let Ok(lane) = HeaderValue::from_str(lane.name()) {
        headers.insert(LANE, lane);
    }
    headers.insert(TEXT, HeaderValue::from_static("exact"));
    headers.insert(ORIGIN, HeaderValue::from_static("upstream"));
}

/// Writes of an answer that passes what is not as the caller asked for it; one that is told in events says so itself.
pub(super) fn emulated(headers: &mut HeaderMap, path: &'static str) {
    let emulated = header("x-relay-emulated");
    headers
        .entry(emulated)
        .or_insert(HeaderValue::from_static(path));
}

/// Writes how the limits of the caller stand.
pub(super) fn write_limits(headers: &mut HeaderMap, limits: &[(&'static str, String)]) {
    for (name, value) in limits {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(header(name), value);
        }
    }
}

fn write_all(headers: &mut HeaderMap, labels: impl Iterator<Item = Label>, note: &CallRecorder) {
    if let Some(overhead) = note.overhead() {
        let ms = u64::try_from(overhead.as_millis()).unwrap_or(u64::MAX);
        headers.insert(OVERHEAD, HeaderValue::from(ms));
    }
    write_each(headers, labels);
}

fn write_each(headers: &mut HeaderMap, labels: impl Iterator<Item = Label>) {
    for (name, value) in labels {
        let value = match value {
            Cow::Borrowed(value) => Ok(HeaderValue::from_static(value)),
            Cow::Owned(value) => HeaderValue::from_str(&value),
        };
        if let Ok(value) = value {
            headers.insert(header(name), value);
        }
    }
}

/// A label's name as a header's. Those of ordinary answers are there; another is checked letter by letter.
fn header(name: &'static str) -> HeaderName {
    let known = ORDINARY.iter().find(|known| known.as_str() == name);
    known.map_or_else(|| HeaderName::from_static(name), HeaderName::clone)
}

/// Names of fields are a caller's text: what a header cannot hold becomes `?`.
pub(super) fn paths(names: &[String]) -> Cow<'static, str> {
    if names.is_empty() {
        return "none".into();
    }
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "_-.".contains(c) {
            c
        } else {
            '?'
        }
    };
    let name = |name: &String| name.chars().take(PATH_MAX).map(plain).collect::<String>();
    names
        .iter()
        .take(PATHS_MAX)
        .map(name)
        .collect::<Vec<_>>()
        .join(",")
        .into()
}

const LANE: HeaderName = HeaderName::from_static("x-relay-lane");
const TEXT: HeaderName = HeaderName::from_static("x-relay-text");
const ORIGIN: HeaderName = HeaderName::from_static("x-relay-origin");
const OVERHEAD: HeaderName = HeaderName::from_static("x-relay-overhead-ms");
/// The names that an ordinary answer has.
static ORDINARY: [HeaderName; 14] = [
    HeaderName::from_static("x-relay-lane"),
    HeaderName::from_static("x-relay-text"),
    HeaderName::from_static("x-relay-emulated"),
    HeaderName::from_static("x-relay-ignored"),
    HeaderName::from_static("x-relay-session"),
    HeaderName::from_static("x-relay-conversation"),
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
];
/// Says how far the counts of the usage can be trusted.
pub(super) const USAGE: &str = "x-relay-usage";
/// Nobody told them.
pub(super) const USAGE_UNKNOWN: &str = "unknown";
/// How many requests went to the upstream for a call.
const UPSTREAM_REQUESTS: &str = "x-relay-upstream-requests";
/// Parameters that are named in a header; a call that sets more is not read by a person.
const PATHS_MAX: usize = 32;
/// Characters of one such name.
const PATH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_known_late_is_told_and_one_request_is_not() {
        let counted = Usage {
            input_tokens: Some(1),
            output_tokens: Some(1),
            ..Usage::default()
        };
        let told = |questions, emulated: &[&str]| -> Vec<Label> {
            let emulated = emulated.iter().map(|path| (*path).to_owned()).collect();
            let notes = Notes {
                questions,
                emulated,
                ..Notes::default()
            };
            late(&notes, &counted).collect()
        };
        assert_eq!(told(1, &[]), []);
        let uncounted: Vec<_> = late(&Notes::default(), &Usage::default()).collect();
        let unknown = ("x-relay-usage", "unknown".into());
        assert_eq!(uncounted, [unknown]);
        let expected = [
            ("x-relay-emulated", "content.0.input".into()),
            ("x-relay-upstream-requests", "2".into()),
        ];
        assert_eq!(told(2, &["content.0.input"]), expected);
    }

    #[test]
    fn a_callers_field_name_cannot_break_a_header() {
        assert_eq!(paths(&["a\r\nx: y".into(), "é,b".into()]), "a??x??y,??b");
    }
}
