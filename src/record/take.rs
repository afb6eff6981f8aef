//! What one case left: the recording and what went over the wire, scrubbed. `[pure]`

use super::case::Shot;
use crate::terminal::Scene;
use crate::terminal::Screen;
use crate::terminal::recording::Recording;
use crate::terminal::recording::What;
use crate::terminal::scrub::Scrub;
use serde_json::Map;
use serde_json::Value;

/// One case as it went. Everything that is compared is read from it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Take {
    /// With a marker at each checkpoint, and the end if there was one.
    pub(crate) recording: Recording,
    pub(crate) wire: Wire,
}

/// What went over the wire and to disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wire {
    /// Bodies of hooks, in order.
    pub(crate) hooks: Vec<Value>,
    /// Records of transcripts, in order; what we wrote ourselves is left out.
    pub(crate) transcript: Vec<Value>,
    /// Requests to the API and to the MCP server, in order.
    pub(crate) requests: Vec<Value>,
}

/// Whether a scrubbed recording draws what the scrub makes of its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intact {
    Yes,
    No,
}

/// The screen at a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) name: String,
    pub(crate) scene: Scene,
    /// From top to bottom, without blank ones at the end.
    pub(crate) rows: Vec<String>,
}

impl Take {
    /// Takes out what is private. Gives whether the recording still draws what was drawn: a program that draws only
    /// what differs can meet a character that the scrub has changed.
    pub(crate) fn scrub(&mut self, screen: &mut Scrub, wire: &mut Scrub) -> Intact {
        let drawn = checkpoints(&self.recording, |_| Vec::new());
        self.recording.map_output(|text| screen.text(text));
        for event in &mut self.recording.events {
            if let What::Input(text) | What::Marker(text) = &mut event.what {
                *text = screen.text(text);
            }
        }
        let Wire {
            hooks,
            transcript,
            requests,
        } = &mut self.wire;
        for value in hooks.iter_mut().chain(transcript).chain(requests) {
            let text = wire.text(&value.to_string());
            *value = shortened(serde_json::from_str(&text).unwrap_or_default());
        }
        let draws = checkpoints(&self.recording, |_| Vec::new());
        let mut rows = drawn.iter().flat_map(|point| &point.rows);
        let mut rows_now = draws.iter().flat_map(|point| &point.rows);
        let same = rows
            .by_ref()
            .zip(rows_now.by_ref())
            .all(|(row, now)| screen.text(row) == *now);
        match same && rows.next().is_none() && rows_now.next().is_none() {
            true => Intact::Yes,
            false => Intact::No,
        }
    }

    /// The title of a shot's recording.
    pub(crate) fn title(version: &str, shot: &Shot) -> String {
        format!("claude {version}: {}", shot.name())
    }
}

/// The screens at a recording's markers, drawn again from its bytes; `cuts` says in which pieces they are fed.
pub(crate) fn checkpoints(
    recording: &Recording,
    mut cuts: impl FnMut(&[u8]) -> Vec<usize>,
) -> Vec<Checkpoint> {
    let mut screen = Screen::of(recording.size);
    let mut checkpoints = Vec::new();
    for event in &recording.events {
        match &event.what {
            What::Output(text) => {
                let mut from = 0;
                for end in cuts(text.as_bytes()) {
                    screen.feed(&text.as_bytes()[from..end]);
                    from = end;
                }
                screen.feed(&text.as_bytes()[from..]);
            }
            What::Marker(name) => checkpoints.push(checkpoint(name, &mut screen)),
            What::Input(_) | What::Resize(_) | What::Exit(_) => {}
        }
    }
    checkpoints
}

fn checkpoint(name: &str, screen: &mut Screen) -> Checkpoint {
    let mut rows = screen.frame().rows;
    let used = rows.iter().rposition(|row| !row.is_empty());
    rows.truncate(used.map_or(0, |last| last + 1));
    Checkpoint {
        name: name.to_owned(),
        scene: screen.scene().clone(),
        rows,
    }
}

/// A value whose long texts are told by their beginning, their length and a digest.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > TEXT_CHARACTERS_MAX => {
            let head: String = text.chars().take(TEXT_CHARACTERS_KEPT).collect();
            let (length, digest) = (text.chars().count(), digest(&text));
            Value::from(format!("{head}… [{length} characters, {digest:016x}]"))
        }
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(fields) if is_long_tool(&fields) => {
            Value::from(format!("… [the tool {}]", fields["name"]))
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, shortened(value)))
            .collect(),
        other => other,
    }
}

/// A built-in tool, whose manual nobody wants in a golden.
fn is_long_tool(fields: &Map<String, Value>) -> bool {
    let manual = fields.get("description").and_then(Value::as_str);
    fields.contains_key("input_schema")
        && fields.contains_key("name")
        && manual.is_some_and(|manual| manual.len() > MANUAL_BYTES_MAX)
}

/// FNV-1a: two texts that differ are told apart, which is all that is wanted.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Texts of cases are shorter; what is longer is the CLI's own, and would fill the goldens.
const TEXT_CHARACTERS_MAX: usize = 1500;
const TEXT_CHARACTERS_KEPT: usize = 200;
/// The tools of cases say what they are in a line.
const MANUAL_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Size;
    use crate::terminal::recording::Tape;
    use std::time::Duration;

    #[test]
    fn a_checkpoint_is_the_screen_at_its_marker() {
        let mut tape = Tape::new(Size::SESSION, "");
        tape.output(Duration::ZERO, b"one\r\n\r\n");
        tape.put(Duration::ZERO, What::Marker("first".into()));
        tape.output(Duration::from_millis(20), b"two");
        tape.put(Duration::ZERO, What::Marker("second".into()));
        let found = checkpoints(&tape.finish(), |_| Vec::new());
        let rows: Vec<_> = found
            .iter()
            .map(|point| (point.name.as_str(), point.rows.join("|")))
            .collect();
        assert_eq!(
            rows,
            [
                ("first", "one".to_owned()),
                ("second", "one||two".to_owned())
            ]
        );
    }

    #[test]
    fn long_texts_that_differ_at_their_end_stay_different() {
        let long = |end: &str| shortened(Value::from("a".repeat(2000) + end));
        assert_ne!(long("b"), long("c"));
        assert_eq!(shortened(Value::from("short")), Value::from("short"));
    }
}
