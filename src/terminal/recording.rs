//! Recordings of a terminal: what was written and pressed, and when. `[pure]`
//!
//! Texts are UTF-8, so a character that the program wrote in two pieces is kept until it is whole.

use super::Size;
use std::time::Duration;

/// What happened on a terminal, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) size: Size,
    pub(crate) title: String,
    pub(crate) events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Since the event before; milliseconds are kept.
    pub(crate) after: Duration,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The program wrote.
    Output(String),
    /// Keys were pressed.
    Input(String),
    /// A checkpoint was reached, of this name.
    Marker(String),
    /// The terminal got another size.
    #[cfg_attr(
        not(feature = "recorder"),
        expect(dead_code, reason = "only a recording that is read holds one")
    )]
    Resize(Size),
    /// The program ended with this status.
    Exit(i32),
}

impl Recording {
    pub(crate) fn new(size: Size, title: &str) -> Recording {
        Recording {
            size,
            title: title.to_owned(),
            events: Vec::new(),
        }
    }

    /// Changes all that was written, as one text, so that what stands across two events is met as well.
    ///
    /// The change must keep the number of characters; where it does not, the recording stays as it is.
    pub(crate) fn map_output(&mut self, change: impl FnOnce(&str) -> String) {
        let whole: String = self.outputs().collect();
        let changed: Vec<char> = change(&whole).chars().collect();
        if changed.len() != whole.chars().count() {
            return;
        }
        let mut rest = changed.into_iter();
        for event in &mut self.events {
            if let What::Output(text) = &mut event.what {
                *text = rest.by_ref().take(text.chars().count()).collect();
            }
        }
    }

    /// The texts that the program wrote.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Output(text) => Some(text.as_str()),
            What::Input(_) | What::Marker(_) | What::Resize(_) | What::Exit(_) => None,
        })
    }
}

/// A recording in the making.
#[derive(Debug)]
pub(crate) struct Tape {
    recording: Recording,
    /// Since the last event.
    waited: Duration,
    /// The beginning of a character whose end has not been written yet.
    partial: Vec<u8>,
}

impl Tape {
    pub(crate) fn new(size: Size, title: &str) -> Tape {
        Tape {
            recording: Recording::new(size, title),
            waited: Duration::ZERO,
            partial: Vec::new(),
        }
    }

    /// Bytes that the program wrote, and how long after the last thing on this tape.
    pub(crate) fn output(&mut self, after: Duration, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let whole = whole_characters(&self.partial);
        let rest = self.partial.split_off(whole);
        let ready = std::mem::replace(&mut self.partial, rest);
        self.waited += after;
        if !ready.is_empty() {
            self.write(String::from_utf8_lossy(&ready).into_owned());
        }
    }

    pub(crate) fn put(&mut self, after: Duration, what: What) {
        let after = std::mem::take(&mut self.waited) + after;
        self.recording.events.push(Event { after, what });
    }

    pub(crate) fn finish(mut self) -> Recording {
        if !self.partial.is_empty() {
            let rest = std::mem::take(&mut self.partial);
            self.write(String::from_utf8_lossy(&rest).into_owned());
        }
        self.recording
    }

    /// Writes follow each other within a drawing; they are kept as one.
    fn write(&mut self, text: String) {
        if let Some(Event {
            what: What::Output(last),
            ..
        }) = self.recording.events.last_mut()
            && self.waited < TOGETHER
        {
            last.push_str(&text);
            return;
        }
        self.put(Duration::ZERO, What::Output(text));
    }
}

/// How many of the bytes are whole characters, or no characters at all.
fn whole_characters(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(CHARACTER_BYTES_MAX) {
        let at = bytes.len() - back;
        let needed = match bytes[at] {
            0x00..=0x7f => 1,
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => CHARACTER_BYTES_MAX,
        };
        return if back < needed { at } else { bytes.len() };
    }
    bytes.len()
}

/// The longest character of UTF-8.
const CHARACTER_BYTES_MAX: usize = 4;
/// Writes that are closer than this are one drawing; a screen shows at most sixty a second.
const TOGETHER: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size() -> Size {
        Size {
            columns: 80,
            rows: 24,
        }
    }

    fn what() -> impl Strategy<Value = What> {
        prop_oneof![
            any::<String>().prop_map(What::Output),
            any::<String>().prop_map(What::Input),
            any::<String>().prop_map(What::Marker),
            (1_u16.., 1_u16..).prop_map(|(columns, rows)| What::Resize(Size { columns, rows })),
            any::<i32>().prop_map(What::Exit),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(events in prop::collection::vec((0_u64..100_000, what()), 0..20), title: String) {
            let events = events.into_iter().map(|(ms, what)| Event { after: Duration::from_millis(ms), what });
            let recording = Recording { size: size(), title, events: events.collect() };
            prop_assert_eq!(Recording::read(&recording.write()), Ok(recording));
        }

        #[test]
        fn no_text_breaks_the_reader(text: String) {
            drop(Recording::read(&text));
        }

        #[test]
        fn a_tape_keeps_every_character_however_it_is_cut(text: String, cuts in prop::collection::vec(0_usize..200, 0..8)) {
            let mut tape = Tape::new(size(), "");
            let bytes = text.as_bytes();
            let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            ends.sort_unstable();
            ends.push(bytes.len());
            let mut from = 0;
            for end in ends {
                tape.output(Duration::from_millis(20), &bytes[from..end]);
                from = end;
            }
            let whole: String = tape.finish().outputs().collect();
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn a_change_across_events_keeps_their_places(parts in prop::collection::vec("[a-c]{0,5}", 0..6)) {
            let event = |part: &String| Event { after: Duration::ZERO, what: What::Output(part.clone()) };
            let mut recording = Recording { size: size(), title: String::new(), events: parts.iter().map(event).collect() };
            recording.map_output(|text| text.replace("abc", "xyz"));
            let whole: String = recording.outputs().collect();
            prop_assert_eq!(whole, parts.concat().replace("abc", "xyz"));
            for (part, text) in parts.iter().zip(recording.outputs()) {
                prop_assert_eq!(part.len(), text.len());
            }
        }
    }

    #[test]
    fn a_player_finds_what_the_format_promises() {
        let mut tape = Tape::new(size(), "a case");
        tape.output(Duration::from_millis(1200), "❯".as_bytes());
        tape.put(Duration::from_millis(50), What::Marker("ready".into()));
        tape.put(Duration::ZERO, What::Exit(1));
        let text = tape.finish().write();
        assert_eq!(
            text,
            "{\"version\":3,\"term\":{\"cols\":80,\"rows\":24,\"type\":\"xterm-256color\"},\"title\":\"a case\"}\n\
             [1.200, \"o\", \"❯\"]\n[0.050, \"m\", \"ready\"]\n[0.000, \"x\", \"1\"]\n"
        );
    }

    #[test]
    fn a_comment_is_no_event_and_nonsense_is_told_with_its_line() {
        let head = "{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n";
        assert!(Recording::read(&format!("{head}# a note\n")).is_ok());
        let error = Recording::read(&format!("{head}\n[1]\n"));
        assert_eq!(error.map_err(|error| error.line), Err(3));
        assert!(Recording::read("{\"version\":2}").is_err());
    }
}
