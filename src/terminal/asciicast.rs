//! A recording as a file: asciicast v3, written and read. `[pure]`
//!
//! The format is a header line and one JSON array an event: how many seconds after the event before, what kind, and
//! its text. `asciinema play` shows it.

use super::Size;
use super::recording::Event;
use super::recording::Recording;
use super::recording::What;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use thiserror::Error;

/// Why a text is no recording.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line} of the recording {problem}")]
pub(crate) struct RecordingError {
    pub(crate) line: usize,
    pub(crate) problem: &'static str,
}

impl Recording {
    /// Reads an asciicast v3; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// Where a line is not of the format, or an event of a kind that we do not know.
    pub(crate) fn read(text: &str) -> Result<Recording, RecordingError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().map(|(_, line)| line).unwrap_or_default();
        let mut recording = header(head).ok_or(RecordingError {
            line: 1,
            problem: "is no header of an asciicast v3",
        })?;
        for (at, line) in lines {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let event = event(line).ok_or(RecordingError {
                line: at + 1,
                problem: "is no event",
            })?;
            recording.events.push(event);
        }
        Ok(recording)
    }

    /// The text of the file.
    pub(crate) fn write(&self) -> String {
        let Size { columns, rows } = self.size;
        let mut text = json!({
            "version": VERSION,
            "term": {"cols": columns, "rows": rows, "type": TERM},
            "title": self.title,
        })
        .to_string();
        text.push('\n');
        for event in &self.events {
            text.push_str(&event.write());
            text.push('\n');
        }
        text
    }
}

impl Event {
    fn write(&self) -> String {
        let (code, text) = match &self.what {
            What::Output(text) => ("o", text.clone()),
            What::Input(text) => ("i", text.clone()),
            What::Marker(name) => ("m", name.clone()),
            What::Resize(Size { columns, rows }) => ("r", format!("{columns}x{rows}")),
            What::Exit(status) => ("x", status.to_string()),
        };
        let (seconds, millis) = (self.after.as_secs(), self.after.subsec_millis());
        format!("[{seconds}.{millis:03}, \"{code}\", {}]", Value::from(text))
    }
}

fn header(line: &str) -> Option<Recording> {
    let head: Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| u16::try_from(head["term"][name].as_u64()?).ok();
    if head["version"].as_u64() != Some(VERSION) {
        return None;
    }
    let size = Size {
        columns: number("cols")?,
        rows: number("rows")?,
    };
    Some(Recording::new(
        size,
        head["title"].as_str().unwrap_or_default(),
    ))
}

fn event(line: &str) -> Option<Event> {
    let (seconds, code, text): (f64, String, String) = serde_json::from_str(line).ok()?;
    let after = Duration::try_from_secs_f64(seconds).ok()?;
    // What is told in thousandths is kept in thousandths: a fraction of a float is not exact.
    let micros = after.as_micros() + 500;
    let after = Duration::from_millis(u64::try_from(micros / 1000).ok()?);
    let what = match code.as_str() {
        "o" => What::Output(text),
        "i" => What::Input(text),
        "m" => What::Marker(text),
        "r" => {
            let (columns, rows) = text.split_once('x')?;
            What::Resize(Size {
                columns: columns.parse().ok()?,
                rows: rows.parse().ok()?,
            })
        }
        "x" => What::Exit(text.parse().ok()?),
        _ => return None,
    };
    Some(Event { after, what })
}

const VERSION: u64 = 3;
/// What the program is told the terminal is.
const TERM: &str = "xterm-256color";
