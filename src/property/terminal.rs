//! Bytes that a terminal gets, and replies that would like to be the prompt box. `[pure]`

use crate::terminal::COLUMNS;
use crate::terminal::Prompt;
use crate::terminal::ROWS;
use crate::terminal::Scene;
use crate::terminal::Screen;

/// Any split of any bytes draws the same picture, and owes the program the same answers.
pub(super) fn screen(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let (mut whole, mut split) = (Screen::new(), Screen::new());
    let owed = whole.feed(bytes);
    let pieces = bytes.chunks(usize::from(*cut) + 1);
    let mut owed_split = Vec::new();
    for piece in pieces {
        owed_split.extend(split.feed(piece));
        split.scene();
    }
    assert_eq!(owed_split, owed, "a split must not change what is answered");
    let (frame, frame_split) = (whole.frame(), split.frame());
    assert_eq!(frame_split, frame, "a split must not change the picture");
    assert_eq!(frame.rows.len(), usize::from(ROWS));
    assert_eq!(
        split.scene(),
        whole.scene(),
        "a look asks only for what changed, and sees all of it"
    );
}

/// No text of a reply makes another scene of the prompt box below it.
pub(super) fn reply(bytes: &[u8]) {
    let Some((shape, text)) = bytes.split_first() else {
        return;
    };
    let (typed, busy, inline) = (shape & 1 != 0, shape & 2 != 0, shape & 4 != 0);
    let mut screen = Screen::new();
    screen.feed(&draw(&String::from_utf8_lossy(text), typed, busy, inline));
    let scene = screen.scene();
    let expected = Scene::Prompt(Prompt {
        empty: !typed,
        busy,
        logged_out: false,
    });
    assert_eq!(
        *scene, expected,
        "a reply must not be taken for the prompt box"
    );
}

/// The conversation and the prompt box, as the program draws them: a reply is indented, wrapped, and free of control
/// characters.
fn draw(reply: &str, typed: bool, busy: bool, inline: bool) -> Vec<u8> {
    let mut lines: Vec<String> = Vec::new();
    for (n, line) in reply.lines().enumerate() {
        let line: Vec<char> = line.chars().filter(|c| !c.is_control()).collect();
        for (m, piece) in line.chunks(usize::from(COLUMNS) / 2 - 2).enumerate() {
            let margin = if n + m == 0 { "● " } else { "  " };
            lines.push(margin.chars().chain(piece.iter().copied()).collect());
        }
    }
    let rule = "─".repeat(usize::from(COLUMNS));
    let input = if typed {
        "❯ some words"
    } else {
        "❯ \x1b[7mT\x1b[27m\x1b[2mry \"this\"\x1b[22m"
    };
    let footer = if busy {
        "  ⏵⏵ don't ask on · esc to interrupt"
    } else {
        "  ⏵⏵ don't ask on"
    };
    let chrome = [rule.clone(), input.to_owned(), rule, footer.to_owned()];
    if !inline {
        // On the alternate screen the program shows the last lines only.
        let shown = usize::from(ROWS) - chrome.len();
        lines.drain(..lines.len().saturating_sub(shown));
    }
    lines.extend(chrome);
    let start = if inline { "" } else { "\x1b[?1049h\x1b[H" };
    (start.to_owned() + &lines.join("\r\n")).into_bytes()
}
