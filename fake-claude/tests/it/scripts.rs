//! Every example script does what its first line says.

use crate::support::Claude;
use crate::support::Hooks;
use crate::support::McpServer;
use crate::support::claude::Start;
use crate::support::mcp::reader;

fn start(name: &str, hooks: &Hooks) -> Start {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name);
    let mut start = Start::version("2.1.197");
    start.env("FAKE_CLAUDE_SCRIPT", &path.to_string_lossy());
    start.hooked(hooks);
    start
}

fn run(name: &str, hooks: &Hooks) -> Claude {
    let claude = start(name, hooks).run();
    claude.ready();
    claude
}

#[test]
fn every_example_has_a_test_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = std::fs::read_dir(folder).expect("the examples lie beside the crate");
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let quoted = format!("\"{name}\"");
        let is_tested = include_str!("scripts.rs").contains(&quoted);
        assert!(is_tested || name == "README.md", "{name} has no test");
    }
}

#[test]
fn one_answer_is_given_to_everything() {
    let hooks = Hooks::new();
    let mut claude = run("plain-answer.toml", &hooks);
    claude.submit("hello");
    hooks.nth("Stop", 1);
    claude.sees("● This is a simulated answer.");
}

#[test]
fn a_slow_stream_thinks_first_and_comes_in_pieces() {
    let hooks = Hooks::new();
    let mut begun = start("slow-stream.toml", &hooks);
    begun.env("FAKE_CLAUDE_TIME_SCALE", "0.2");
    let mut claude = begun.run();
    claude.ready();
    claude.submit("hello");
    hooks.nth("Stop", 1);
    claude.sees("Thought for 1s");
    assert!(
        hooks
            .names()
            .iter()
            .filter(|name| *name == "MessageDisplay")
            .count()
            > 1
    );
}

#[test]
fn tools_are_called_and_answered_to() {
    let hooks = Hooks::new();
    let server = McpServer::new(&[reader("search"), reader("read")]);
    let mut begun = start("tools.toml", &hooks);
    begun.args(&[
        "--mcp-config",
        &server.config(),
        "--allowedTools",
        "mcp__relay",
    ]);
    let mut claude = begun.run();
    claude.ready();
    server.listed(1);
    claude.submit("hello");
    let said = hooks.nth("Stop", 1)["last_assistant_message"].to_string();
    assert!(
        said.contains("They said: ") && said.contains("search said") && said.contains("read said")
    );
}

#[test]
fn each_error_is_told_as_that_error() {
    let hooks = Hooks::new();
    let mut claude = run("errors.toml", &hooks);
    let expected = [
        ("overload", "server_error"),
        ("rate", "rate_limit"),
        ("auth", "authentication_failed"),
        ("cut", "max_output_tokens"),
    ];
    for (at, (prompt, error)) in expected.into_iter().enumerate() {
        claude.submit(prompt);
        assert_eq!(hooks.nth("StopFailure", at + 1)["error"], error);
        claude.sees_times(" for 0s", at + 1);
    }
}

#[test]
fn limits_have_their_own_words() {
    let hooks = Hooks::new();
    let mut claude = run("limits.toml", &hooks);
    claude.submit("busy hour");
    claude.sees("You've hit your session limit");
    claude.sees("What do you want to do?");
    claude.type_keys("\r");
    claude.sees_no("What do you want to do?");
    claude.submit("busy week");
    claude.sees("You've hit your weekly limit");
    let mut claude = run("usage-limit.toml", &hooks);
    claude.submit("anything");
    claude.sees("You've hit your session limit · resets 7pm (UTC)");
}

#[test]
fn a_question_waits_for_its_answer() {
    let hooks = Hooks::new();
    let mut claude = run("dialog.toml", &hooks);
    claude.submit("hello");
    claude.sees("Do you want to proceed?");
    claude.type_keys("\r");
    hooks.nth("Stop", 1);
    claude.sees("Thank you for answering.");
}

#[test]
fn a_hanging_turn_can_be_interrupted() {
    let hooks = Hooks::new();
    let mut claude = run("hang.toml", &hooks);
    claude.submit("live");
    claude.sees("Some words first.");
    claude.sees("esc to interrupt");
    claude.type_keys("\u{1b}");
    claude.sees("Interrupted");
    claude.submit("quiet");
    hooks.nth("UserPromptSubmit", 2);
    claude.type_keys("\u{1b}");
    claude.sees_no("esc to interrupt");
}

#[test]
fn a_crash_ends_the_process_before_in_or_after_the_answer() {
    for (prompt, shown) in [
        ("before", None),
        ("core", None),
        ("middle", Some("I was about to")),
    ] {
        let hooks = Hooks::new();
        let mut claude = run("crash-mid-turn.toml", &hooks);
        claude.submit(prompt);
        let (status, output) = claude.end();
        assert!(!status.success(), "{prompt}: {status:?}");
        assert!(shown.is_none_or(|shown| output.contains(shown)), "{prompt}");
        assert!(!hooks.names().contains(&"Stop".to_owned()));
    }
    let mut claude = run("crash-mid-turn.toml", &Hooks::new());
    claude.submit("leave");
    assert!(claude.end().0.success());
}

#[test]
fn noise_and_pieces_are_what_they_say() {
    let hooks = Hooks::new();
    let mut claude = run("garbage.toml", &hooks);
    claude.submit("hello");
    hooks.nth("Stop", 1);
    claude.wrote("\u{1b}]0;title\u{7}");
    let mut claude = run("split-bytes.toml", &hooks);
    claude.submit("hello");
    claude.sees("Grüße: 漢字");
    claude.sees("and bold.");
}

#[test]
fn a_late_start_goes_by_the_scripts_clock() {
    let hooks = Hooks::new();
    let mut claude = run("slow-start.toml", &hooks);
    claude.submit("hello");
    assert_eq!(hooks.nth("Stop", 1)["last_assistant_message"], "hello");
}

#[test]
fn memory_grows_and_stays() {
    let hooks = Hooks::new();
    let mut claude = run("memory.toml", &hooks);
    claude.submit("hello");
    claude.sees("I remember everything.");
    #[cfg(target_os = "linux")]
    assert!(claude.resident_kb() > 60_000, "{} kB", claude.resident_kb());
}

#[test]
fn screen_and_hooks_may_disagree() {
    let hooks = Hooks::new();
    let mut claude = run("liar.toml", &hooks);
    claude.submit("hello");
    assert_eq!(
        hooks.nth("Stop", 1)["last_assistant_message"],
        "What the hook tells."
    );
    claude.sees("What is on the screen.");
    let silent = Hooks::new();
    let mut claude = run("silent-hooks.toml", &silent);
    claude.submit("hello");
    claude.sees(" for 0s");
    assert!(!silent.names().contains(&"Stop".to_owned()));
}

#[test]
fn an_answer_may_depend_on_what_was_said_before() {
    let hooks = Hooks::new();
    let mut claude = run("conversation.toml", &hooks);
    for (at, (prompt, said)) in [
        ("what is my name", "You have not told me."),
        ("I am Ada", "Hello."),
        ("so what is my name", "Ada."),
    ]
    .into_iter()
    .enumerate()
    {
        claude.submit(prompt);
        assert_eq!(hooks.nth("Stop", at + 1)["last_assistant_message"], said);
        claude.sees_times(" for 0s", at + 1);
    }
    claude.submit("/exit");
    assert!(claude.end().0.success());
}

#[test]
fn what_a_script_does_not_expect_is_a_failure_that_can_be_read() {
    let hooks = Hooks::new();
    let mut claude = run("conversation.toml", &hooks);
    claude.submit("something else");
    let (status, output) = claude.end();
    assert_eq!(status.exit_code(), 3);
    assert!(output.contains("unexpected prompt"), "{output}");
    assert!(output.contains("something else") && output.contains("my name"));
    let mut claude = run("conversation.toml", &hooks);
    claude.submit("/exit");
    let (status, output) = claude.end();
    assert_eq!(status.exit_code(), 4);
    assert!(output.contains("never asked for: my name"), "{output}");
}
