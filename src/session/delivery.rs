//! How a prompt gets in, exact and harmless: the cheapest channel that cannot change it. `[pure]`
//!
//! The rules come from what the real prompt box was seen to do. They err on the side of the transcript, which carries
//! anything as it is and in which no text is ever a keystroke. Whatever they miss is caught later: the CLI tells what
//! was submitted before it asks the model, and a difference blocks the prompt.

use crate::terminal::keys;
use crate::turn::Block;
use crate::turn::Message;
use unicode_normalization::is_nfc;

/// The channel for one prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Bracketed pastes, in order.
    Paste(Vec<String>),
    /// The text editor that the prompt box opens.
    Editor(String),
    /// A transcript that ends with the prompt, taken up by a session at its launch.
    Transcript,
}

/// A prompt as keystrokes.
pub(crate) struct Typed {
    pub(crate) prompt: String,
    pub(crate) keys: Vec<u8>,
    /// What the editor shall put into the prompt box.
    pub(crate) edited: Option<String>,
}

impl Delivery {
    /// The keystrokes, where there are any; `edits` tells whether the session has an editor.
    pub(crate) fn typed(&self, edits: bool) -> Option<Typed> {
        match self {
            Delivery::Paste(chunks) => {
                let mut keys: Vec<u8> =
                    chunks.iter().flat_map(|chunk| keys::paste(chunk)).collect();
                keys.extend_from_slice(keys::ENTER);
                Some(Typed {
                    prompt: chunks.concat(),
                    keys,
                    edited: None,
                })
            }
            Delivery::Editor(text) if edits => Some(Typed {
                prompt: text.clone(),
                keys: keys::CTRL_G.to_vec(),
                edited: Some(text.clone()),
            }),
            Delivery::Editor(_) | Delivery::Transcript => None,
        }
    }
}

/// Plans the delivery of the message that is to be answered.
pub(crate) fn plan_delivery(prompt: &Message) -> Delivery {
    prompt.sole_text().map_or(Delivery::Transcript, of_text)
}

/// Plans the delivery of the last block of a message whose blocks before it are taken up with the history.
pub(crate) fn plan_last_block(prompt: &Message) -> Delivery {
    match prompt.blocks.last() {
        Some(Block::Text(text)) => of_text(text),
        _ => Delivery::Transcript,
    }
}

/// Whether the model gets a message as it was written where its last block is typed behind the others: the CLI ends a text
/// that the typed one follows with a newline, which only a text that ends in one can spare.
pub(crate) fn splits_exactly(prompt: &Message) -> bool {
    match prompt.blocks.iter().nth_back(1) {
        Some(Block::Text(text)) => unclosed(text).is_some(),
        Some(_) | None => true,
    }
}

/// Takes the last block of the message away, which is typed, and the newline that the CLI gives back to the text before it.
pub(crate) fn leave_open(prompt: &mut Message) {
    prompt.blocks.pop();
    if let Some(Block::Text(text)) = prompt.blocks.last_mut()
        && let Some(open) = unclosed(text)
    {
        *text = open.to_owned();
    }
}

/// A text without the newline at its end; a text that says nothing without it would be left away.
fn unclosed(text: &str) -> Option<&str> {
    text.strip_suffix('\n')
        .filter(|open| !open.trim().is_empty())
}

/// Plans the delivery of the last block through the editor, for a CLI that takes nothing but keystrokes together with
/// tools: the editor of 2.1.197 was seen to keep every character. What it changes all the same is blocked when it is
/// submitted.
pub(crate) fn plan_through_editor(prompt: &Message) -> Delivery {
    match prompt.blocks.last() {
        Some(Block::Text(text))
            if is_plain(text) && fits_box(text) && !text.chars().any(steers) =>
        {
            Delivery::Editor(text.clone())
        }
        Some(_) | None => Delivery::Transcript,
    }
}

/// What a terminal obeys where the prompt box is drawn.
fn steers(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

fn of_text(text: &str) -> Delivery {
    match text {
        text if fits_paste(text) => Delivery::Paste(chunks(text)),
        text if fits_editor(text) => Delivery::Editor(text.to_owned()),
        _ => Delivery::Transcript,
    }
}

fn fits_paste(text: &str) -> bool {
    text.len() <= PASTE_BYTES_MAX
        && is_plain(text)
        && text.chars().all(survives_paste)
        && is_nfc(text)
}

/// What comes from the editor must be seen in the prompt box before it is confirmed.
fn fits_box(text: &str) -> bool {
    text.len() <= EDITOR_BYTES_MAX && text.lines().count() <= EDITOR_LINES_MAX
}

fn fits_editor(text: &str) -> bool {
    fits_box(text) && is_plain(text) && text.replace("\r\n", "\n").chars().all(survives_editor)
}

/// No part of the text has a meaning for the prompt box, and its end is not trimmed.
fn is_plain(text: &str) -> bool {
    let core = text.trim();
    let Some(first) = core.chars().next() else {
        return false;
    };
    !COMMAND_FIRST.contains(first)
        && !EXIT_WORDS.contains(&core.to_lowercase().as_str())
        && text.trim_end() == text
        && !text.ends_with('\\')
        && !text.contains("[Pasted text")
        && !text.contains("[Image #")
        && !last_word_completes(text)
        && !text.split_whitespace().any(names_an_image)
}

/// The prompt box offers completions for a word like this at its end, and Enter would take one.
fn last_word_completes(text: &str) -> bool {
    text.split_whitespace()
        .next_back()
        .is_some_and(|word| word.starts_with(['/', '#', ':']) || word.contains('@'))
}

/// A pasted path of an image attaches the image.
fn names_an_image(word: &str) -> bool {
    let word = word
        .trim_end_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    IMAGE_SUFFIXES.iter().any(|suffix| word.ends_with(suffix))
}

fn survives_paste(c: char) -> bool {
    c == '\n' || survives_any(c)
}

fn survives_editor(c: char) -> bool {
    matches!(c, '\n' | '\t') || survives_any(c) || is_combining(c)
}

/// Printable, with a width, and not one of the blanks that a terminal program may fold.
fn survives_any(c: char) -> bool {
    match c {
        ' '..='~' => true,
        _ if c.is_control() || c.is_whitespace() || is_combining(c) => false,
        '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' => false,
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' => false,
        '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' => false,
        '\u{fff0}'..='\u{ffff}' | '\u{e0000}'.. => false,
        _ => true,
    }
}

fn is_combining(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Pieces that the prompt box keeps inline: a larger paste is folded to a mark, which newer versions wrap in tags.
fn chunks(text: &str) -> Vec<String> {
    let mut chunks = vec![String::new()];
    let (mut chars, mut lines) = (0, 0);
    for c in text.chars() {
        if chars == CHUNK_CHARS_MAX || lines == CHUNK_NEWLINES_MAX {
            chunks.push(String::new());
            (chars, lines) = (0, 0);
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(c);
        }
        chars += 1;
        lines += usize::from(c == '\n');
    }
    chunks
}

/// Beyond this a launch with a transcript is as fast as the prompt box.
const PASTE_BYTES_MAX: usize = 6 * 1024;
/// The editor's text is folded like a paste where it is larger.
const EDITOR_BYTES_MAX: usize = 700;
const EDITOR_LINES_MAX: usize = 3;
/// A paste of 800 characters, or of four lines, is folded by 2.1.329.
const CHUNK_CHARS_MAX: usize = 600;
const CHUNK_NEWLINES_MAX: usize = 2;
/// Shell, command, memory, background and help, now or in some version.
const COMMAND_FIRST: &str = "!/#&?";
const EXIT_WORDS: [&str; 6] = ["exit", "quit", ":q", ":q!", ":wq", ":wq!"];
const IMAGE_SUFFIXES: [&str; 10] = [
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tiff", ".heic", ".svg", ".pdf",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Role;
    use proptest::prelude::*;

    fn of(text: &str) -> Delivery {
        plan_delivery(&Message {
            role: Role::User,
            blocks: vec![Block::Text(text.to_owned())],
        })
    }

    #[test]
    fn a_plain_text_is_pasted() {
        assert_eq!(
            of("hello there"),
            Delivery::Paste(vec!["hello there".into()])
        );
        assert_eq!(
            of("  漢字🎉 é\nreads @/etc/hostname now"),
            Delivery::Paste(vec!["  漢字🎉 é\nreads @/etc/hostname now".into()])
        );
    }

    #[test]
    fn tabs_and_line_ends_go_through_the_editor() {
        assert_eq!(of("all:\n\tcc"), Delivery::Editor("all:\n\tcc".into()));
        assert_eq!(of("a\r\nb"), Delivery::Editor("a\r\nb".into()));
        assert_eq!(of("e\u{301}"), Delivery::Editor("e\u{301}".into()));
    }

    #[test]
    fn what_the_prompt_box_would_obey_or_change_goes_through_a_transcript() {
        for text in [
            "!touch owned",
            " !x",
            "/clear",
            "\n/clear",
            "# remember",
            "exit",
            " Quit",
            ":wq",
            "ends with\\",
            "x ",
            "x\n",
            " ",
            "a\u{1b}[201~b",
            "a\u{0}b",
            "a\rb",
            "zero\u{200b}width",
            "see @/etc/passwd",
            "/tmp/a.png",
            "look at (b.JPG)",
            "[Pasted text #1 +3 lines]",
            "no\u{a0}break",
        ] {
            assert_eq!(of(text), Delivery::Transcript, "{text:?}");
        }
        assert_eq!(of(&"x".repeat(PASTE_BYTES_MAX + 1)), Delivery::Transcript);
    }

    #[test]
    fn the_editor_takes_what_is_no_command_where_nothing_else_does() {
        let edited = |text: &str| {
            plan_through_editor(&Message {
                role: Role::User,
                blocks: vec![Block::Text(text.to_owned())],
            })
        };
        for text in ["a\rb", "zero\u{200b}width", "no\u{a0}break", "👩\u{200d}👧"] {
            assert_eq!(of(text), Delivery::Transcript);
            assert_eq!(edited(text), Delivery::Editor(text.to_owned()));
        }
        // The box would not be seen behind it.
        let long = "\u{200b}".repeat(300);
        for text in [
            "!x",
            "/clear",
            "exit",
            "x\n",
            "a\u{1b}[2J",
            "a\u{9b}2J",
            "a\0",
            &long,
        ] {
            assert_eq!(edited(text), Delivery::Transcript, "{text:?}");
        }
    }

    #[test]
    fn several_blocks_go_through_a_transcript() {
        let blocks = vec![Block::Text("a".into()), Block::Text("b".into())];
        assert_eq!(
            plan_delivery(&Message {
                role: Role::User,
                blocks
            }),
            Delivery::Transcript
        );
    }

    proptest! {
        #[test]
        fn a_paste_is_the_text_and_holds_no_control_character(text in any::<String>()) {
            if let Delivery::Paste(chunks) = of(&text) {
                prop_assert_eq!(chunks.concat(), text.clone());
                prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
                for chunk in &chunks {
                    prop_assert!(chunk.chars().count() <= CHUNK_CHARS_MAX);
                    prop_assert!(chunk.matches('\n').count() <= CHUNK_NEWLINES_MAX);
                }
            }
        }

        #[test]
        fn no_first_character_with_a_meaning_is_ever_typed(blank in "[ \n]{0,3}", first in "[!/#&?]", rest in ".{0,20}") {
            prop_assert_eq!(of(&format!("{blank}{first}{rest}")), Delivery::Transcript);
        }
    }
}
