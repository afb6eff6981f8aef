//! Events of a stream, out of bytes that come in any pieces. `[pure]`

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamEvent {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Reads the events of a relay, which ends each line with a line feed and each event with an empty line.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// The event that is not complete yet.
    begun: Vec<u8>,
}

impl EventReader {
    /// Takes the next bytes and gives the events that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<StreamEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            self.begun.push(byte);
            if self.begun.ends_with(b"\n\n") {
                events.push(event(&String::from_utf8_lossy(&self.begun)));
                self.begun.clear();
            }
        }
        events
    }
}

fn event(text: &str) -> StreamEvent {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let field = |name| field(name).unwrap_or_default().to_owned();
    StreamEvent {
        name: field("event: "),
        data: field("data: "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_the_bytes_were_cut() {
        let bytes = b"event: a\ndata: 1\n\n: waits\n\nevent: b\ndata: {\"x\": 2}\n\nevent: c\n";
        for size in 1..=bytes.len() {
            let mut reader = EventReader::default();
            let events: Vec<_> = bytes
                .chunks(size)
                .flat_map(|piece| reader.push(piece))
                .collect();
            let seen = events
                .iter()
                .map(|event| (event.name.as_str(), event.data.as_str()));
            let expected = [("a", "1"), ("", ""), ("b", "{\"x\": 2}")];
            assert_eq!(seen.collect::<Vec<_>>(), expected, "{size}");
        }
    }
}
