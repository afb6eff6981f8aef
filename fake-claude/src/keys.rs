//! Bytes of the keyboard in, keys out: text, pastes, control keys; answers of the terminal are swallowed.

/// One thing the user did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Text(String),
    Paste(String),
    Enter,
    Newline,
    Esc,
    Up,
    Down,
    Left,
    Right,
    Backspace,
    Delete,
    Tab,
    ShiftTab,
    Ctrl(char),
    /// The terminal knows synchronized output.
    SyncKnown,
    /// The terminal said its name.
    Named,
}

/// An incremental decoder: a sequence may arrive in any number of pieces.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
}

impl Decoder {
    /// Takes what was read and gives the keys that are complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while !self.pending.is_empty() {
            let taken = match self.paste.is_some() {
                true => self.take_paste(&mut keys),
                false => self.take_key(&mut keys),
            };
            if taken == 0 {
                break;
            }
            self.pending.drain(..taken);
        }
        keys
    }

    /// Nothing more came: a lone ESC is the Esc key.
    pub(crate) fn idle(&mut self) -> Vec<Key> {
        if self.paste.is_none() && self.pending == [ESC] {
            self.pending.clear();
            return vec![Key::Esc];
        }
        Vec::new()
    }

    /// Whether an unfinished sequence waits for more.
    pub(crate) fn waits(&self) -> bool {
        self.paste.is_none() && !self.pending.is_empty()
    }

    fn take_paste(&mut self, keys: &mut Vec<Key>) -> usize {
        let body = self.paste.get_or_insert_default();
        if let Some(at) = find(&self.pending, PASTE_END) {
            body.extend_from_slice(&self.pending[..at]);
            let text = String::from_utf8_lossy(body).into_owned();
            self.paste = None;
            keys.push(Key::Paste(text));
            return at + PASTE_END.len();
        }
        let kept = partial_tail(&self.pending, PASTE_END);
        let taken = self.pending.len() - kept;
        body.extend_from_slice(&self.pending[..taken]);
        taken
    }

    fn take_key(&mut self, keys: &mut Vec<Key>) -> usize {
        match self.pending[0] {
            ESC => self.take_escape(keys),
            b'\r' => push(keys, Key::Enter, 1),
            b'\n' => push(keys, Key::Newline, 1),
            b'\t' => push(keys, Key::Tab, 1),
            0x7f | 0x08 => push(keys, Key::Backspace, 1),
            byte if byte < 0x20 => push(keys, Key::Ctrl(char::from(byte + 0x60)), 1),
            _ => self.take_text(keys),
        }
    }

    fn take_text(&self, keys: &mut Vec<Key>) -> usize {
        let end = self
            .pending
            .iter()
            .position(|byte| *byte < 0x20 || *byte == 0x7f)
            .unwrap_or(self.pending.len());
        match std::str::from_utf8(&self.pending[..end]) {
            Ok(text) => push(keys, Key::Text(text.to_owned()), end),
            Err(error) if error.valid_up_to() > 0 => {
                let text =
                    String::from_utf8_lossy(&self.pending[..error.valid_up_to()]).into_owned();
                push(keys, Key::Text(text), error.valid_up_to())
            }
            Err(error) => error.error_len().unwrap_or(0),
        }
    }

    fn take_escape(&mut self, keys: &mut Vec<Key>) -> usize {
        match self.pending.get(1) {
            None => 0,
            Some(b'[') => self.take_csi(keys),
            Some(b'P' | b']' | b'_' | b'^' | b'X') => self.take_string(keys),
            Some(b'O') => match self.pending.get(2) {
                None => 0,
                Some(letter) => {
                    keys.extend(arrow(*letter));
                    3
                }
            },
            Some(b'\r' | b'\n') => push(keys, Key::Newline, 2),
            Some(&ESC) => push(keys, Key::Esc, 1),
            Some(_) => 2,
        }
    }

    fn take_csi(&mut self, keys: &mut Vec<Key>) -> usize {
        let Some(end) = self.pending[2..]
            .iter()
            .position(|byte| (0x40..=0x7e).contains(byte))
        else {
            return 0;
        };
        let (body, last) = (&self.pending[2..2 + end], self.pending[2 + end]);
        match (body, last) {
            (b"200", b'~') => self.paste = Some(Vec::new()),
            (b"3", b'~') => keys.push(Key::Delete),
            (b"", b'Z') => keys.push(Key::ShiftTab),
            (b"?2026;1$" | b"?2026;2$", b'y') => keys.push(Key::SyncKnown),
            (b"27", b'u') => keys.push(Key::Esc),
            (b"27;2;13", b'~') | (b"13;2", b'u') => keys.push(Key::Newline),
            (b"", letter) => keys.extend(arrow(letter)),
            _ => {}
        }
        end + 3
    }

    /// DCS, OSC, APC: an answer of the terminal, up to ST or BEL.
    fn take_string(&mut self, keys: &mut Vec<Key>) -> usize {
        let named = self.pending.starts_with(b"\x1bP>|");
        let st = find(&self.pending[2..], b"\x1b\\").map(|at| at + 4);
        let bel = self
            .pending
            .iter()
            .position(|byte| *byte == 0x07)
            .map(|at| at + 1);
        let Some(end) = [st, bel].into_iter().flatten().min() else {
            return 0;
        };
        if named {
            keys.push(Key::Named);
        }
        end
    }
}

fn push(keys: &mut Vec<Key>, key: Key, taken: usize) -> usize {
    keys.push(key);
    taken
}

fn arrow(letter: u8) -> Option<Key> {
    match letter {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        _ => None,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// How many bytes at the end of `bytes` may be the beginning of `needle`.
fn partial_tail(bytes: &[u8], needle: &[u8]) -> usize {
    (1..needle.len())
        .rev()
        .find(|length| bytes.ends_with(&needle[..*length]))
        .unwrap_or(0)
}

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_of_the_bytes_reads_the_same() {
        let bytes =
            "h\u{e9}\x1b[200~a\tb\x1b[31m\x1b[201~\r\x1b[A\x1bP>|xterm\x1b\\\x1b[?62;22c\x15"
                .as_bytes();
        let whole = merge(Decoder::default().feed(bytes));
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut keys = decoder.feed(&bytes[..cut]);
            keys.extend(decoder.feed(&bytes[cut..]));
            assert_eq!(merge(keys), whole, "cut at {cut}");
        }
        assert!(whole.contains(&Key::Paste("a\tb\x1b[31m".to_owned())));
    }

    #[test]
    fn a_lone_escape_is_a_key_only_when_nothing_follows() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b").is_empty());
        assert_eq!(decoder.idle(), vec![Key::Esc]);
    }

    fn merge(keys: Vec<Key>) -> Vec<Key> {
        let mut merged: Vec<Key> = Vec::new();
        for key in keys {
            match (merged.last_mut(), key) {
                (Some(Key::Text(before)), Key::Text(more)) => before.push_str(&more),
                (_, key) => merged.push(key),
            }
        }
        merged
    }
}
