//! Takes out of a text what belongs to a person or a machine, and puts as much in its place. `[pure]`
//!
//! Every character is replaced by one of the same width, so that a scrubbed recording draws the same picture. A
//! UUID keeps its identity: the first one met is number one, wherever it stands again.

use std::collections::HashMap;

/// What is to be taken out. It remembers the UUIDs that it met, so one serves for all files of a recording.
#[derive(Debug, Default)]
pub(crate) struct Scrub {
    /// What is known to be private, longest first, and what stands for it.
    secrets: Vec<(String, String)>,
    uuids: HashMap<String, usize>,
    keeps_uuids: bool,
}

impl Scrub {
    /// Hides a text wherever it stands; `stem` begins what stands for it.
    pub(crate) fn hide(mut self, secret: &str, stem: &str) -> Scrub {
        if !secret.is_empty() {
            let stand_in = stand_in(secret, stem);
            self.secrets.push((secret.to_owned(), stand_in));
            self.secrets
                .sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        }
        self
    }

    /// UUIDs stay: a program draws what differs from what stands there, so a character that is changed here may be
    /// missing there.
    pub(crate) fn keep_uuids(mut self) -> Scrub {
        self.keeps_uuids = true;
        self
    }

    /// The text without what is private, as wide as it was.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for (secret, stand_in) in &self.secrets {
            hidden = hidden.replace(secret, stand_in);
        }
        let mut out = String::with_capacity(hidden.len());
        let mut rest = hidden.as_str();
        let mut before = None;
        while let Some(next) = rest.chars().next() {
            let (taken, put) = self
                .token(rest, before)
                .unwrap_or_else(|| (next.len_utf8(), next.to_string()));
            before = rest[..taken].chars().last();
            out.push_str(&put);
            rest = &rest[taken..];
        }
        out
    }

    /// What stands at the beginning of the text, if it is private: how long it is, and what to put there.
    fn token(&mut self, text: &str, before: Option<char>) -> Option<(usize, String)> {
        let inside = before.is_some_and(|c| c.is_ascii_alphanumeric());
        key(text)
            .or_else(|| port(text))
            .or_else(|| self.uuid(text).filter(|_| !inside))
            .or_else(|| date(text).filter(|_| !inside))
            .or_else(|| clock(text).filter(|_| !inside))
            .or_else(|| mail(text).filter(|_| !inside))
    }

    fn uuid(&mut self, text: &str) -> Option<(usize, String)> {
        if self.keeps_uuids {
            return None;
        }
        let uuid = text.get(..UUID_SHAPE.len()).filter(|uuid| {
            let fits = |(c, shape): (char, char)| match shape {
                '-' => c == '-',
                _ => c.is_ascii_hexdigit(),
            };
            uuid.chars().zip(UUID_SHAPE.chars()).all(fits)
        })?;
        let next = self.uuids.len() + 1;
        let number = *self.uuids.entry(uuid.to_owned()).or_insert(next);
        Some((uuid.len(), format!("00000000-0000-4000-8000-{number:012}")))
    }
}

/// A text of the same number of characters, each as wide, which begins with the stem.
fn stand_in(secret: &str, stem: &str) -> String {
    let mut stem = stem.chars();
    let fill = |c: char| if c < WIDE_FROM { 'x' } else { 'Ｘ' };
    secret
        .chars()
        .map(|c| match stem.next() {
            Some(put) if c < WIDE_FROM => put,
            _ => fill(c),
        })
        .collect()
}

/// A key of the API: its mark says what it was, the rest is gone.
fn key(text: &str) -> Option<(usize, String)> {
    let rest = text.strip_prefix(KEY_MARK)?;
    let secret = prefix(rest, |c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let hidden = secret.replace(|c: char| c.is_ascii_alphanumeric(), "x");
    Some((KEY_MARK.len() + secret.len(), format!("sk-xxx-{hidden}")))
}

/// A loopback port, which is another one every time.
fn port(text: &str) -> Option<(usize, String)> {
    let host = HOSTS.iter().find(|host| text.starts_with(**host))?;
    let digits = prefix(&text[host.len()..], |c| c.is_ascii_digit());
    (!digits.is_empty()).then(|| {
        (
            host.len() + digits.len(),
            format!("{host}{}", "0".repeat(digits.len())),
        )
    })
}

/// `2026-11-21T09:17:06.886Z`. A date alone is left: versions and features of the API are named by dates.
fn date(text: &str) -> Option<(usize, String)> {
    let fits = |(c, shape): (char, char)| match shape {
        '0' => c.is_ascii_digit(),
        _ => c == shape,
    };
    let stamp = text.get(..STAMP.len())?;
    if !stamp.chars().zip(STAMP.chars()).all(fits) {
        return None;
    }
    let fraction = prefix(&text[STAMP.len()..], |c| c.is_ascii_digit() || c == '.');
    let zeros = fraction.replace(|c: char| c.is_ascii_digit(), "0");
    Some((STAMP.len() + fraction.len(), format!("{STAMP_ZERO}{zeros}")))
}

/// `9:17 AM`
fn clock(text: &str) -> Option<(usize, String)> {
    let hour = prefix(text, |c| c.is_ascii_digit());
    let minute = prefix(text.get(hour.len() + 1..)?, |c| c.is_ascii_digit());
    let length = hour.len() + 1 + minute.len();
    let is_time = matches!(hour.len(), 1..=2)
        && minute.len() == 2
        && text[hour.len()..].starts_with(':')
        && [" AM", " PM"]
            .iter()
            .any(|half| text[length..].starts_with(half));
    is_time.then(|| (length + 3, format!("{}:00 AM", "0".repeat(hour.len()))))
}

/// An address: its letters go, its dots too.
fn mail(text: &str) -> Option<(usize, String)> {
    let part = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
    let name = prefix(text, part);
    let host = prefix(text[name.len()..].strip_prefix('@')?, part);
    let is_mail = !name.is_empty() && host.contains('.') && !host.starts_with("example.");
    is_mail.then(|| {
        let (name_x, host_x) = ("x".repeat(name.len()), "x".repeat(host.len()));
        (name.len() + 1 + host.len(), format!("{name_x}@{host_x}"))
    })
}

/// The longest beginning whose characters are all of a kind.
fn prefix(text: &str, kind: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c: char| !kind(c)).unwrap_or(text.len());
    &text[..end]
}

const UUID_SHAPE: &str = "00000000-0000-0000-0000-000000000000";
const KEY_MARK: &str = concat!("sk-", "ant-");
const HOSTS: [&str; 2] = ["127.0.0.1:", "localhost:"];
const STAMP: &str = "0000-00-00T00:00:00";
const STAMP_ZERO: &str = "2000-01-01T00:00:00";
/// From here on most letters take two columns.
const WIDE_FROM: char = '\u{1100}';

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scrubbed(text: &str) -> String {
        let mut scrub = Scrub::default().hide("/home/ann", "/u").hide("名前", "");
        scrub.text(text)
    }

    #[test]
    fn what_is_private_goes_and_the_width_stays() {
        for (text, expected) in [
            ("cd /home/ann/x", "cd /uxxxxxxx/x"),
            ("by 名前.", "by ＸＸ."),
            (
                "key sk-ant-api03-Ab_9 and sk-ant-...mock",
                "key sk-xxx-xxxxx-xx_x and sk-xxx-...xxxx",
            ),
            ("http://127.0.0.1:34567/h", "http://127.0.0.1:00000/h"),
            (
                "at 2026-11-21T09:17:06.886Z, since 2023-06-01",
                "at 2000-01-01T00:00:00.000Z, since 2023-06-01",
            ),
            ("done 9:17 AM", "done 0:00 AM"),
            ("ann.b@mail.org", "xxxxx@xxxxxxxx"),
            (
                "a 5586c49a-8138-4de8-b106-621d8b7b277c",
                "a 00000000-0000-4000-8000-000000000001",
            ),
            ("1:2 a@b 20261121 12:30", "1:2 a@b 20261121 12:30"),
        ] {
            assert_eq!(scrubbed(text), expected);
        }
    }

    #[test]
    fn a_uuid_is_the_same_one_in_every_file() {
        let (a, b) = (
            "5586c49a-8138-4de8-b106-621d8b7b277c",
            "65ed1b75-9c0f-4c0e-9c8b-2d1f0c3b7a11",
        );
        let mut scrub = Scrub::default();
        let first = scrub.text(&format!("{a} {b}"));
        assert_eq!(scrub.text(&format!("{b} {a}")), {
            let (a, b) = first.split_once(' ').expect("two stand there");
            format!("{b} {a}")
        });
    }

    proptest! {
        #[test]
        fn no_character_is_lost_or_added(text in "(\\PC|[0-9a-f:./@-]|sk-ant-|/home/ann|名前|127\\.0\\.0\\.1:|2026-11-21T|09:17){0,60}") {
            let out = scrubbed(&text);
            prop_assert_eq!(out.chars().count(), text.chars().count());
            prop_assert!(!out.contains("/home/ann") && !out.contains("名前") && !out.contains("sk-ant-"));
        }

        #[test]
        fn a_second_scrub_changes_nothing(text in "([0-9a-f:./ -]|sk-ant-|/home/ann|127\\.0\\.0\\.1:|2026-11-21){0,60}") {
            let once = scrubbed(&text);
            prop_assert_eq!(scrubbed(&once), once);
        }
    }
}
