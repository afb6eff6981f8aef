//! Server-sent events, read: bytes in, the data of each event out. `[pure]`

/// Holds what has come of the next line and the next event.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<String>,
}

impl Events {
    /// Takes the next bytes, cut anywhere, and gives the data of the events that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut done = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                done.extend(self.end_line(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(*byte);
            }
        }
        done
    }

    fn end_line(&mut self, line: &str) -> Option<String> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(data) = line.strip_prefix("data:") {
            self.data
                .push(data.strip_prefix(' ').unwrap_or(data).to_owned());
        }
        if !line.is_empty() || self.data.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut self.data).join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut() {
        let text =
            "event: ping\ndata: {}\n\n: a comment\r\n\r\ndata: ä\ndata: b\r\n\r\ndata: cut off";
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<String> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|bytes| events.push(bytes))
                .collect();
            assert_eq!(found, ["{}", "ä\nb"], "in pieces of {size}");
        }
    }
}
