//! The picture on the screen: drawn in parts, wrapped, wide, moved when the window changes.

use crate::support::Claude;
use crate::support::Hooks;
use crate::support::claude::Start;

const BOTH: [&str; 2] = ["2.1.197", "2.1.329"];
const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";
const LIVE: &str = "[[rule]]\nany = true\n[[rule.step]]\nhang = \"live\"\n";

fn run(version: &str, script: &str, size: (u16, u16), hooks: &Hooks) -> Claude {
    let mut start = Start::version(version);
    start.script(script).size(size.0, size.1);
    start.hooked(hooks);
    let claude = start.run();
    claude.ready();
    claude
}

fn says(text: &str) -> String {
    let say = text.replace('\n', "\\n");
    format!("[[rule]]\nany = true\n[[rule.step]]\nsay = \"{say}\"\n")
}

#[test]
fn a_key_draws_only_what_it_changed() {
    for version in BOTH {
        let hooks = Hooks::new();
        let mut claude = run(version, ECHO, (100, 40), &hooks);
        claude.submit("hello");
        hooks.nth("Stop", 1);
        claude.sees(" for 0s");
        claude.type_keys("abc");
        claude.sees("abc");
        let before = claude.raw().len();
        claude.type_keys("d");
        claude.sees("abcd");
        let drawn = claude.raw().split_off(before);
        let drawn = String::from_utf8_lossy(&drawn);
        assert!(drawn.len() < 100 && !drawn.contains("hello"), "{drawn}");
    }
}

#[test]
fn changes_are_synchronized_once_the_terminal_says_that_it_can() {
    let hooks = Hooks::new();
    let mut claude = run("2.1.197", ECHO, (80, 24), &hooks);
    let raw = claude.raw();
    assert!(!String::from_utf8_lossy(&raw).contains("\u{1b}[?2026h"));
    claude.type_keys("\u{1b}P>|xterm\u{1b}\\");
    claude.wrote("\u{1b}[?2026$p");
    claude.type_keys("\u{1b}[?2026;2$yhello");
    claude.sees("hello");
    claude.wrote("\u{1b}[?2026h");
    claude.wrote("\u{1b}[?2026l");
}

#[test]
fn a_spinner_turns_while_a_turn_runs() {
    for version in BOTH {
        let hooks = Hooks::new();
        let mut claude = run(version, LIVE, (100, 40), &hooks);
        claude.submit("hello");
        ["✢", "✳", "✶"].iter().for_each(|shape| claude.wrote(shape));
        claude.sees("esc to interrupt");
    }
}

#[test]
fn a_narrower_window_wraps_what_was_said() {
    for version in BOTH {
        let hooks = Hooks::new();
        let said = "one two three four five six seven eight nine ten eleven twelve";
        let mut claude = run(version, &says(said), (100, 40), &hooks);
        claude.submit("hello");
        hooks.nth("Stop", 1);
        claude.sees(&format!("● {said}"));
        claude.resize(40, 30);
        claude.sees("● one two three four five six seven\n  eight nine ten eleven twelve");
        claude.resize(100, 40);
        claude.sees(&format!("● {said}"));
    }
}

#[test]
fn wide_letters_take_two_columns() {
    for version in BOTH {
        let hooks = Hooks::new();
        let mut claude = run(version, &says(&"漢字".repeat(10)), (40, 30), &hooks);
        claude.submit("hello");
        hooks.nth("Stop", 1);
        claude.sees(&format!("● {}漢\n  字", "漢字".repeat(9)));
    }
}

#[test]
fn markdown_loses_its_marks_and_tables_are_laid_out() {
    for version in BOTH {
        let hooks = Hooks::new();
        let said =
            "# Head\n**bold** and `code`\n- item\n> quoted\n| a | b |\n|---|---|\n| 1 | 22222 |\n";
        let mut claude = run(version, &says(said), (100, 40), &hooks);
        claude.submit("hello");
        hooks.nth("Stop", 1);
        for shown in [
            "● Head",
            "bold and code",
            "- item",
            "▎ quoted",
            "│ 1   │ 22222 │",
        ] {
            claude.sees(shown);
        }
        claude.sees_no("**bold**");
    }
}

#[test]
fn a_long_answer_scrolls_and_the_box_stays_in_sight() {
    for version in BOTH {
        let hooks = Hooks::new();
        let lines: Vec<String> = (1..=60).map(|at| format!("line {at}")).collect();
        let mut claude = run(version, &says(&lines.join("\n")), (80, 24), &hooks);
        claude.submit("hello");
        hooks.nth("Stop", 1);
        claude.sees("line 60");
        claude.sees("shift+tab to cycle");
        claude.sees_no("line 20");
    }
}
