//! What a screen shows: the prompt box, a dialog we answer, a dialog we do not, or nothing yet. `[pure]`

use super::frame::Frame;
use super::screen::Screen;
use super::screen::Size;

/// What stands on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Nothing that is known, yet or any more.
    Unknown,
    /// The prompt box.
    Prompt(Prompt),
    /// The folder-trust question; `steps` lead from the marked choice to Yes.
    Trust { steps: i32 },
    /// The CLI asks for a login.
    Login,
    /// A question that we do not answer, by its first line.
    Dialog { title: String },
}

/// The prompt box and the footer below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// Nothing is typed.
    pub(crate) empty: bool,
    /// A turn or a command is running.
    pub(crate) busy: bool,
    /// The footer says that there is no login.
    pub(crate) logged_out: bool,
}

impl Scene {
    /// The prompt box waits for input, and nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(
            self,
            Scene::Prompt(Prompt {
                empty: true,
                busy: false,
                ..
            })
        )
    }
}

/// Reads a screen.
pub(crate) fn read(screen: &Screen) -> Scene {
    prompt(screen).map_or_else(|| other(&screen.frame()), Scene::Prompt)
}

/// What stands there where it is no prompt box.
fn other(frame: &Frame) -> Scene {
    let is_login = |row: &String| LOGIN.iter().any(|mark| row.contains(mark));
    match choices(&frame.rows) {
        _ if frame.rows.iter().any(is_login) => Scene::Login,
        None => Scene::Unknown,
        Some(choices) => dialog(&frame.rows, &choices, Rules::across(frame.columns)),
    }
}

/// The prompt box is between the last two rules.
fn prompt(screen: &Screen) -> Option<Prompt> {
    let Size { rows, columns } = screen.size();
    let rules = Rules::across(columns);
    let mut from_below = (0..rows).rev().filter(|row| rules.stand_at(*row, screen));
    let (bottom, top) = (from_below.next()?, from_below.next()?);
    let first = (top + 1 < bottom).then(|| screen.solid(top + 1))?;
    let typed = MARKS.iter().find_map(|mark| first.strip_prefix(mark))?;
    let more = (top + 2..bottom).any(|row| !screen.solid(row).trim().is_empty());
    let below = rows.min(bottom + 1 + FOOTER_ROWS);
    let footer: Vec<String> = (bottom + 1..below).map(|row| screen.text(row)).collect();
    Some(Prompt {
        empty: typed.trim().is_empty() && !more,
        busy: footer.iter().any(|line| line.contains("esc to interrupt")),
        logged_out: footer.iter().any(|line| line.contains("Not logged in")),
    })
}

/// Rows of a dialog's choices: the marked one, and all.
struct Choices {
    marked: usize,
    confirm: usize,
}

fn choices(rows: &[String]) -> Option<Choices> {
    let confirm = rows
        .iter()
        .rposition(|row| row.contains("Enter to confirm"))?;
    let marked = rows[..confirm]
        .iter()
        .rposition(|row| row.trim_start().starts_with(MARKS[0]))?;
    Some(Choices { marked, confirm })
}

fn dialog(rows: &[String], choices: &Choices, rules: Rules) -> Scene {
    let above = &rows[..choices.confirm];
    if let Some(yes) = above
        .iter()
        .rposition(|row| row.contains("Yes, I trust this folder"))
    {
        return Scene::Trust {
            steps: distance(choices.marked, yes),
        };
    }
    // A dialog stands below a rule of its own; what is above that is the banner's or the conversation's.
    let rule = above[..choices.marked]
        .iter()
        .rposition(|row| rules.holds(row) || is_edge(row));
    let title = above[rule.map_or(0, |rule| rule + 1)..]
        .iter()
        .map(|row| row.trim())
        .find(|line| line.chars().any(char::is_alphanumeric));
    Scene::Dialog {
        title: title.unwrap_or("a question").to_owned(),
    }
}

fn distance(from: usize, to: usize) -> i32 {
    let steps = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    if to >= from {
        steps(to - from)
    } else {
        -steps(from - to)
    }
}

/// The upper edge that 2.1.329 draws above a dialog.
fn is_edge(line: &str) -> bool {
    line.starts_with(EDGE) && line.chars().all(|c| c == EDGE)
}

/// Lines across most of the screen; a reply's own rules are indented or shorter.
#[derive(Clone, Copy)]
struct Rules {
    columns_min: usize,
}

impl Rules {
    fn across(columns: u16) -> Rules {
        Rules {
            columns_min: usize::from(columns).saturating_sub(RULE_GAP_COLUMNS),
        }
    }

    fn holds(self, line: &str) -> bool {
        line.chars().count() >= self.columns_min && line.chars().all(|c| c == '─')
    }

    /// Whether one stands in this row; most rows are passed over at their first letter.
    fn stand_at(self, row: u16, screen: &Screen) -> bool {
        screen.begins(row, "─") && self.holds(&screen.text(row))
    }
}

/// The marks before the prompt, newest first.
const MARKS: [&str; 2] = ["❯", ">"];
/// Screens that lead to a login, before there is a prompt box.
const LOGIN: [&str; 2] = ["Select login method", "Paste code here if prompted"];
const EDGE: char = '▔';
/// Rows of a footer: three have been seen.
const FOOTER_ROWS: u16 = 6;
/// Columns that a rule may leave free.
const RULE_GAP_COLUMNS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(lines: &[&str]) -> Scene {
        let mut screen = Screen::new();
        screen.feed(lines.join("\r\n").as_bytes());
        read(&screen)
    }

    fn rule() -> String {
        "─".repeat(usize::from(crate::terminal::COLUMNS))
    }

    fn boxed(input: &str, footer: &str) -> Scene {
        scene(&["● an answer", &rule(), input, &rule(), footer])
    }

    #[test]
    fn an_empty_prompt_box_is_idle() {
        assert!(boxed("❯ ", "  ⏵⏵ don't ask on (shift+tab to cycle)").is_idle());
        assert!(boxed("❯ \x1b[2mTry \"fix it\"\x1b[22m", "  ?").is_idle());
        assert!(boxed("> ", "").is_idle());
    }

    #[test]
    fn a_running_turn_shows_in_the_footer_only() {
        assert!(!boxed("❯ ", "  ⏵⏵ don't ask on · esc to interrupt").is_idle());
        assert!(scene(&["● esc to interrupt", &rule(), "❯ ", &rule(), "  ?"]).is_idle());
    }

    #[test]
    fn typed_text_is_not_empty() {
        assert_eq!(
            boxed("❯ hello", ""),
            Scene::Prompt(Prompt {
                empty: false,
                busy: false,
                logged_out: false
            })
        );
    }

    #[test]
    fn a_reply_that_draws_a_prompt_box_is_not_the_prompt_box() {
        let busy = scene(&[
            &rule(),
            "❯ ",
            &rule(),
            "● more",
            &rule(),
            "❯ x",
            &rule(),
            "  esc to interrupt",
        ]);
        assert_eq!(
            busy,
            Scene::Prompt(Prompt {
                empty: false,
                busy: true,
                logged_out: false
            })
        );
    }

    #[test]
    fn the_trust_question_is_answered_yes_wherever_yes_stands() {
        let old = [
            "Quick safety check",
            " ❯ 1. Yes, I trust this folder",
            "   2. No, exit",
            " Enter to confirm · Esc",
        ];
        assert_eq!(scene(&old), Scene::Trust { steps: 0 });
        let new = [
            "Quick safety check",
            " ❯ No, exit",
            "   Yes, I trust this folder",
            " Enter to confirm · Esc",
        ];
        assert_eq!(scene(&new), Scene::Trust { steps: 1 });
    }

    #[test]
    fn a_hint_under_the_cursor_is_not_typed_text() {
        assert!(boxed("❯ \x1b[7mR\x1b[27m\x1b[2mesend your message\x1b[22m", "  ?").is_idle());
    }

    #[test]
    fn a_question_below_the_banner_is_named_by_its_own_first_line() {
        let shown = [
            "Claude Code v2",
            &rule(),
            " Pick one",
            " ❯ a",
            " Enter to confirm",
        ];
        assert_eq!(
            scene(&shown),
            Scene::Dialog {
                title: "Pick one".into()
            }
        );
    }

    #[test]
    fn another_question_is_named() {
        let key = [
            "  Detected a custom API key",
            "   Yes",
            " ❯ No (recommended)",
            " Enter to confirm",
        ];
        assert_eq!(
            scene(&key),
            Scene::Dialog {
                title: "Detected a custom API key".into()
            }
        );
    }
}
