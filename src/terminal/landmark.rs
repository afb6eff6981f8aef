//! What a screen shows: the prompt box, a dialog we answer, a dialog we do not, or nothing yet. `[pure]`

use super::row::Row;

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
    /// For the log: what a dialog asks may be a caller's text.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Scene::Unknown => "unknown",
            Scene::Prompt(prompt) if prompt.busy => "busy",
            Scene::Prompt(prompt) if prompt.empty => "prompt",
            Scene::Prompt(_) => "typed",
            Scene::Trust { .. } => "trust",
            Scene::Login => "login",
            Scene::Dialog { .. } => "dialog",
        }
    }

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

/// What was seen, and where: a look asks only for what changed since the one before.
#[derive(Debug)]
pub(super) struct Look {
    scene: Scene,
    rows: Vec<Seen>,
    /// The scene stands at this row and below it.
    from: usize,
}

impl Default for Look {
    fn default() -> Look {
        Look {
            scene: Scene::Unknown,
            rows: Vec::new(),
            from: 0,
        }
    }
}

/// What is known of a row.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    is_rule: bool,
    /// Whether it says one of the words before a login, or how to confirm; nobody asks while there is a prompt box.
    says: Option<Says>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Login,
    /// The first question that a CLI asks of a user whom it has never met.
    Opening,
    Confirm,
    Other,
}

impl Look {
    /// Looks at rows that are this wide.
    pub(super) fn take(&mut self, rows: &mut [Row], columns: u16) -> &Scene {
        let rules = Rules::across(columns);
        if self.has_changed(rows, rules) {
            (self.from, self.scene) = match prompt(rows, &self.rows) {
                Some((from, prompt)) => (from, Scene::Prompt(prompt)),
                None => (0, self.other(rows, rules)),
            };
        }
        &self.scene
    }

    /// Whether a row of the scene changed, or where the rules are.
    fn has_changed(&mut self, rows: &mut [Row], rules: Rules) -> bool {
        let mut has_changed = self.rows.len() != rows.len();
        self.rows.resize(rows.len(), Seen::default());
        for (at, (row, seen)) in rows.iter_mut().zip(&mut self.rows).enumerate() {
            if row.take_change() {
                let was_rule = seen.is_rule;
                seen.is_rule = rules.stand_in(row);
                seen.says = None;
                has_changed |= at >= self.from || seen.is_rule != was_rule;
            }
        }
        has_changed
    }

    /// What stands there where it is no prompt box.
    fn other(&mut self, rows: &[Row], rules: Rules) -> Scene {
        let (mut login, mut opening, mut confirm) = (false, None, None);
        for (at, (row, seen)) in rows.iter().zip(&mut self.rows).enumerate() {
            match *seen.says.get_or_insert_with(|| says(row)) {
                Says::Login => login = true,
                Says::Opening => opening = Some(at),
                Says::Confirm => confirm = Some(at),
                Says::Other => {}
            }
        }
        if let Some(row) = opening.and_then(|at| rows.get(at)) {
            let title = row.text().trim().to_owned();
            return Scene::Dialog { title };
        }
        match confirm {
            _ if login => Scene::Login,
            None => Scene::Unknown,
            Some(confirm) => question(&rows[..confirm], rules),
        }
    }
}

fn says(row: &Row) -> Says {
    match row {
        _ if LOGIN.iter().any(|mark| row.contains(mark)) => Says::Login,
        _ if row.contains(OPENING) => Says::Opening,
        _ if row.contains(CONFIRM) => Says::Confirm,
        _ => Says::Other,
    }
}

/// The question above the line that says how to confirm.
fn question(above: &[Row], rules: Rules) -> Scene {
    let above: Vec<String> = above.iter().map(Row::text).collect();
    let is_marked = |row: &String| row.trim_start().starts_with(MARKS[0]);
    match above.iter().rposition(is_marked) {
        Some(marked) => dialog(&above, marked, rules),
        None => Scene::Unknown,
    }
}

/// The prompt box is between the last two rules; and where it begins.
fn prompt(rows: &[Row], seen: &[Seen]) -> Option<(usize, Prompt)> {
    let bottom = seen.iter().rposition(|row| row.is_rule)?;
    let top = seen[..bottom].iter().rposition(|row| row.is_rule)?;
    let (first, more) = rows[top + 1..bottom].split_first()?;
    let first = first.solid();
    let typed = MARKS.iter().find_map(|mark| first.strip_prefix(mark))?;
    let below = rows.len().min(bottom + 1 + FOOTER_ROWS);
    let footer = |mark| rows[bottom + 1..below].iter().any(|row| row.contains(mark));
    let prompt = Prompt {
        empty: typed.trim().is_empty() && more.iter().all(|row| row.solid().trim().is_empty()),
        busy: footer("esc to interrupt"),
        logged_out: footer("Not logged in"),
    };
    Some((top, prompt))
}

/// A question, by the row of its marked choice.
fn dialog(above: &[String], marked: usize, rules: Rules) -> Scene {
    let yes = above
        .iter()
        .rposition(|row| row.contains("Yes, I trust this folder"));
    if let Some(yes) = yes {
        return Scene::Trust {
            steps: distance(marked, yes),
        };
    }
    // A dialog stands below a rule of its own; what is above that is the banner's or the conversation's.
    let rule = above[..marked]
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
        line.chars().count() >= self.columns_min && line.chars().all(|c| c == RULE)
    }

    /// Whether one stands in this row; most rows are passed over at their first letter.
    fn stand_in(self, row: &Row) -> bool {
        row.begins(RULE) && self.holds(&row.text())
    }
}

/// The marks before the prompt, newest first.
const MARKS: [&str; 2] = ["❯", ">"];
/// Screens that lead to a login, before there is a prompt box.
const LOGIN: [&str; 2] = ["Select login method", "Paste code here if prompted"];
/// What a CLI asks before anything else.
const OPENING: &str = "Choose the text style that looks best";
/// The last line of every question but the first.
const CONFIRM: &str = "Enter to confirm";
const EDGE: char = '▔';
const RULE: char = '─';
/// Rows of a footer: three have been seen.
const FOOTER_ROWS: usize = 6;
/// Columns that a rule may leave free.
const RULE_GAP_COLUMNS: usize = 2;

#[cfg(test)]
mod tests {
    use super::super::screen::Screen;
    use super::*;

    fn scene(lines: &[&str]) -> Scene {
        let mut screen = Screen::new();
        screen.feed(lines.join("\r\n").as_bytes());
        screen.scene().clone()
    }

    fn rule() -> String {
        "─".repeat(usize::from(crate::terminal::COLUMNS))
    }

    fn boxed(input: &str, footer: &str) -> Scene {
        scene(&["● an answer", &rule(), input, &rule(), footer])
    }

    #[test]
    fn a_cli_that_was_never_used_asks_how_it_shall_look() {
        let asks = "Choose the text style that looks best with your terminal";
        let screen = [
            "Let's get started.",
            "",
            asks,
            "",
            " ❯ 1. Auto",
            "   2. Dark mode",
        ];
        let title = asks.to_owned();
        assert_eq!(scene(&screen), Scene::Dialog { title });
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
