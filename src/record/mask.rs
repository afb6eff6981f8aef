//! Takes out of rows and values what is another one every time. `[pure]`
//!
//! A mask is applied when two takes are compared, to both sides, so a mask that turns out too coarse can be made finer
//! without recording anything again.

/// A row of the screen: spinners, hints, tips, versions and folders become their names.
pub(crate) fn row(row: &str) -> String {
    let mut masked = text(row);
    // The logo moves.
    if masked.contains(is_block) && masked.contains(|c: char| c.is_alphanumeric() || c == '<') {
        masked = masked.replace(is_block, " ").trim().to_owned();
    } else if masked.contains(is_block) && !masked.contains('│') {
        return "<logo>".to_owned();
    }
    // Where the logo is not drawn yet, what stands beside it is indented.
    if BESIDE_LOGO
        .iter()
        .any(|mark| masked.trim_start().starts_with(mark))
    {
        masked = masked.trim().to_owned();
    }
    for late in LATE_HINTS {
        masked = masked.replace(late, "");
    }
    if masked.contains(MODE) {
        masked = masked.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let masked = masked.trim_end();
    let trimmed = masked.trim_start();
    let mut marks = trimmed.chars();
    let spins = marks.next().is_some_and(|c| SPINNERS.contains(c)) && marks.next() == Some(' ');
    if spins && trimmed.contains('…') {
        let busy = if trimmed.contains(BUSY) { BUSY } else { "" };
        return format!("<spinner> {busy}").trim_end().to_owned();
    }
    if spins && trimmed.contains(" for ") {
        return "<spun>".to_owned();
    }
    for (mark, name) in HINTS {
        if let Some(at) = masked.find(mark) {
            return format!("{}{name}", &masked[..at]);
        }
    }
    masked.to_owned()
}

/// Whether a row is a spinner's, whatever it says.
pub(crate) fn spins(row_text: &str) -> bool {
    row(row_text).starts_with("<spinner>")
}

/// A part of the logo.
fn is_block(c: char) -> bool {
    ('\u{2580}'..='\u{259f}').contains(&c) && c != '▔' && c != '▎'
}

/// A text: identities, folders and times become their names.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match token(rest).filter(|_| !inside(&out)) {
            Some((length, name)) => {
                out.push_str(name);
                rest = &rest[length..];
            }
            None => {
                out.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    out
}

/// Whether what was written so far ends within a word; the `v` before a version is none.
fn inside(out: &str) -> bool {
    let out = out
        .strip_suffix('v')
        .filter(|rest| !rest.is_empty())
        .unwrap_or(out);
    out.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// What begins a text and is another one every time: its length, and its name.
fn token(text: &str) -> Option<(usize, &'static str)> {
    uuid(text)
        .or_else(|| stamp(text))
        .or_else(|| folder(text))
        .or_else(|| hash(text))
        .or_else(|| system(text))
        .or_else(|| paste(text))
        .or_else(|| billing(text))
        .or_else(|| version(text))
        .or_else(|| time(text))
}

fn uuid(text: &str) -> Option<(usize, &'static str)> {
    let fits = text.len() >= 36
        && text
            .bytes()
            .take(36)
            .enumerate()
            .all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
    fits.then_some((36, "<id>"))
}

/// A stamp, as the scrub leaves it.
fn stamp(text: &str) -> Option<(usize, &'static str)> {
    const STAMP: &str = "2000-01-01T00:00:00";
    let rest = text.strip_prefix(STAMP)?;
    let fraction = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != 'Z');
    Some((STAMP.len() + fraction.unwrap_or(rest.len()), "<time>"))
}

/// The recorder's folder, as the scrub leaves it, with what lies in it.
fn folder(text: &str) -> Option<(usize, &'static str)> {
    let stem = FOLDERS.iter().find(|stem| text.starts_with(**stem))?;
    let end = text[stem.len()..]
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-/._".contains(c))
        .map_or(text.len(), |end| stem.len() + end);
    Some((end, "<folder>"))
}

fn hash(text: &str) -> Option<(usize, &'static str)> {
    let end = text
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(text.len());
    let mixed = text[..end].contains(|c: char| c.is_ascii_digit());
    (end >= HASH_CHARACTERS_MIN && mixed).then_some((end, "<hash>"))
}

/// The machine's system and its release, which the scrub leaves at its length.
fn system(text: &str) -> Option<(usize, &'static str)> {
    let system = ["Linux ", "Darwin "];
    let system = system.iter().find(|system| text.starts_with(**system))?;
    let release = &text[system.len()..];
    let end = release
        .find([' ', '\n', '"', '\\'])
        .unwrap_or(release.len());
    let is_release = release.starts_with(|c: char| c.is_ascii_digit());
    is_release.then_some((system.len() + end, "<system>"))
}

/// The mark around a long paste; its id is another one every time.
fn paste(text: &str) -> Option<(usize, &'static str)> {
    let rest = text.strip_prefix(PASTE)?;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit())?;
    Some((PASTE.len() + end, "pasted_content id=\"<id>"))
}

/// A part of the billing line that is another one every time.
fn billing(text: &str) -> Option<(usize, &'static str)> {
    let rest = text.strip_prefix("cch=")?;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit())?;
    Some(("cch=".len() + end, "cch=<id>"))
}

/// `2.1.197`, and a build's name behind it.
fn version(text: &str) -> Option<(usize, &'static str)> {
    let digits = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let mut end = digits(text);
    for _ in 0..2 {
        let more = text[end..].strip_prefix('.').map(digits)?;
        if end == 0 || more == 0 {
            return None;
        }
        end += 1 + more;
    }
    let build = text[end..].strip_prefix('.').map_or(0, |build| {
        1 + build
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(build.len())
    });
    Some((end + if build > 1 { build } else { 0 }, "<version>"))
}

/// `0:00 AM`, as the scrub leaves it; with one digit or two.
fn time(text: &str) -> Option<(usize, &'static str)> {
    let times = ["00:00 AM", "0:00 AM"];
    let found = times.iter().find(|time| text.starts_with(**time))?;
    Some((found.len(), "<time>"))
}

/// What stands beside the logo.
const BESIDE_LOGO: [&str; 3] = ["Claude Code v", "Opus ", "<folder>"];
/// The mark before the permission mode, in the footer.
const MODE: char = '⏵';
/// What the footer says once there is time for it.
const LATE_HINTS: [&str; 2] = [" (shift+tab to cycle)", " · ← for agents"];
const PASTE: &str = "pasted_content id=\"";
const SPINNERS: &str = "·✢✳✶✻✽*∗";
const BUSY: &str = "esc to interrupt";
/// What is drawn to help, and changes by itself.
const HINTS: [(&str, &str); 4] = [
    ("Try \"", "<hint>"),
    ("Tip: ", "<tip>"),
    ("Update available", "<notice>"),
    ("Failed to install Anthropic marketplace", "<notice>"),
];
const FOLDERS: [&str; 2] = ["/tmp/relay-record-", "-tmp-relay-record-"];
/// Shorter ones are words.
const HASH_CHARACTERS_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_what_matters() {
        for (drawn, expected) in [
            ("✻ Sautéed for 0s · done 0:00 AM", "<spun>"),
            (
                "✢ Thinking… (2s · esc to interrupt)",
                "<spinner> esc to interrupt",
            ),
            ("· Pondering…", "<spinner>"),
            ("❯ Try \"fix the tests\"", "❯ <hint>"),
            (
                "  Claude Code v2.1.329 in /tmp/relay-record-xxxxxxxx/work",
                "Claude Code v<version> in <folder>",
            ),
            ("● A list for 3s", "● A list for 3s"),
        ] {
            assert_eq!(row(drawn), expected);
        }
    }
}
