//! Prompts as keystrokes, read back by a model of the prompt box that was written from what the real one was seen to
//! do. `[pure]`

use crate::session::plan_delivery;
use crate::terminal::keys;
use crate::turn::Block;
use crate::turn::Message;
use crate::turn::Role;
use unicode_normalization::UnicodeNormalization;

/// What is typed is submitted as it was written, or nothing is typed at all.
pub(super) fn delivery(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let message = Message {
        role: Role::User,
        blocks: vec![Block::Text(text.clone())],
    };
    let delivery = plan_delivery(&message);
    assert!(
        plan_delivery(&message)
            .typed(false)
            .is_none_or(|typed| typed.edited.is_none())
    );
    let Some(typed) = delivery.typed(true) else {
        return;
    };
    assert_eq!(typed.prompt, text, "the plan must be of this text");
    let mut prompt_box = PromptBox {
        edited: typed.edited.clone(),
        ..PromptBox::default()
    };
    prompt_box.press(&typed.keys);
    if typed.edited.is_some() {
        // Enter follows once the text stands in the box.
        prompt_box.press(keys::ENTER);
    }
    assert_eq!(
        prompt_box.done,
        vec![Done::Submitted(text)],
        "what is typed must arrive"
    );
    assert!(prompt_box.text.is_empty(), "nothing may be left in the box");
}

/// What came of keys.
#[derive(Debug, PartialEq)]
enum Done {
    Submitted(String),
    /// A command, a shell line, an exit, a completion, an attachment: anything but a prompt.
    Obeyed,
}

/// The prompt box.
#[derive(Debug, Default)]
struct PromptBox {
    text: String,
    /// What its editor gives.
    edited: Option<String>,
    done: Vec<Done>,
}

impl PromptBox {
    fn press(&mut self, keys: &[u8]) {
        let keys = String::from_utf8(keys.to_vec()).expect("keys must be text");
        let mut rest = keys.as_str();
        while let Some(first) = rest.chars().next() {
            if let Some(pasted) = rest.strip_prefix("\x1b[200~") {
                let (pasted, after) = pasted.split_once("\x1b[201~").expect("a paste must end");
                self.paste(pasted);
                rest = after;
                continue;
            }
            match first {
                '\r' => self.enter(),
                '\x07' => self.text = edited(&self.edited.take().unwrap_or_default()),
                c if c.is_control() => self.done.push(Done::Obeyed),
                c => self.text.push(c),
            }
            rest = &rest[first.len_utf8()..];
        }
    }

    fn paste(&mut self, pasted: &str) {
        if pasted.chars().count() > FOLDED_CHARS || pasted.matches('\n').count() >= FOLDED_LINES {
            return self.text.push_str("[Pasted text #1]");
        }
        // Control characters mean something to the terminal's own parser; blanks are folded.
        let clean = pasted
            .replace("\r\n", "\n")
            .replace('\t', "    ")
            .replace('\u{a0}', " ");
        let clean = clean.chars().filter(|c| *c == '\n' || !c.is_control());
        let clean: String = clean.filter(|c| !is_invisible(*c)).collect();
        self.text = (self.text.clone() + &clean).nfc().collect();
    }

    fn enter(&mut self) {
        let text = std::mem::take(&mut self.text);
        let submitted = text.trim_end().to_owned();
        let core = submitted.trim_start();
        let word = submitted.split_whitespace().next_back().unwrap_or_default();
        let obeyed = core.is_empty()
            || core.starts_with(['!', '/', '#', '&', '?'])
            || ["exit", "quit", ":q", ":q!", ":wq", ":wq!"].contains(&core.to_lowercase().as_str())
            || word.starts_with('/')
            || word.contains('@')
            || submitted.ends_with('\\')
            || submitted.split_whitespace().any(is_image);
        self.done.push(if obeyed {
            Done::Obeyed
        } else {
            Done::Submitted(submitted)
        });
    }
}

/// A text from the editor: its last line breaks are lost, and a large one is folded like a paste.
fn edited(text: &str) -> String {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.chars().count() > FOLDED_CHARS || text.matches('\n').count() >= FOLDED_LINES {
        return "[Pasted text #1]".to_owned();
    }
    text.to_owned()
}

fn is_image(word: &str) -> bool {
    let word = word.to_lowercase();
    [".png", ".jpg", ".jpeg", ".gif", ".webp"]
        .iter()
        .any(|suffix| word.ends_with(suffix))
}

/// Characters that take no room on a screen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A paste of more characters, or of so many line breaks, is folded to a mark.
const FOLDED_CHARS: usize = 800;
const FOLDED_LINES: usize = 3;
