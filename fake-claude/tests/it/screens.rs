//! The screens between the prompt boxes: questions at the start, limits, models, rewinding, resuming.

use serde_json::Value;
use serde_json::json;

use crate::support::Claude;
use crate::support::Hooks;
use crate::support::Upstream;
use crate::support::claude::Start;

const BOTH: [&str; 2] = ["2.1.197", "2.1.329"];
const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn scripted(version: &str, script: &str, hooks: &Hooks) -> Claude {
    let mut start = Start::version(version);
    start.script(script);
    start.hooked(hooks);
    let claude = start.run();
    claude.ready();
    claude
}

/// A prompt and its answer.
fn turn(claude: &mut Claude, hooks: &Hooks, prompt: &str, nth: usize) {
    claude.submit(prompt);
    hooks.nth("Stop", nth);
    claude.sees_times(" for 0s", nth);
}

#[test]
fn a_folder_that_is_not_trusted_is_asked_about_before_the_key() {
    for version in BOTH {
        let mut start = Start::version(version);
        start.configure(&json!({ "hasCompletedOnboarding": true }));
        start.upstream("http://127.0.0.1:9");
        let mut claude = start.run();
        claude.sees("Accessing workspace");
        claude.type_keys(if version == "2.1.329" {
            "\u{1b}[A\r"
        } else {
            "\r"
        });
        claude.sees("Do you want to use this API key?");
        claude.type_keys("\u{1b}[A\r");
        claude.sees_no("Do you want to use this API key?");
        let config = std::fs::read_to_string(claude.home().join(".claude.json"));
        let config: Value = serde_json::from_str(&config.expect("the configuration can be read"))
            .expect("the configuration is JSON");
        assert_eq!(
            config["customApiKeyResponses"]["approved"][0],
            "y-key-for-local-mock"
        );
        assert!(
            config["projects"]
                .to_string()
                .contains("hasTrustDialogAccepted")
        );
    }
}

#[test]
fn a_folder_that_stays_untrusted_ends_the_process() {
    let start = Start::version("2.1.329");
    start.configure(&json!({}));
    let mut claude = start.run();
    claude.sees("No, exit");
    claude.type_keys("\r");
    let (status, output) = claude.end();
    assert_eq!(status.exit_code(), 1);
    assert!(output.contains("Claude Code didn't start because this folder isn't trusted."));
}

#[test]
fn a_new_user_is_asked_for_a_theme_first() {
    let mut start = Start::version("2.1.197");
    let trusted = json!({ start.work().to_string_lossy(): { "hasTrustDialogAccepted": true } });
    start.configure(&json!({ "hasCompletedOnboarding": false, "projects": trusted }));
    start.script(ECHO);
    let mut claude = start.run();
    claude.sees("Choose the text style that looks best with your terminal");
    claude.type_keys("3");
    claude.sees_no("Choose the text style");
    claude.ready();
    let config = std::fs::read_to_string(claude.home().join(".claude.json"));
    assert!(config.is_ok_and(|config| config.contains("\"theme\": \"light\"")));
}

#[test]
fn old_versions_do_not_know_every_hook() {
    let hooks = Hooks::new();
    let mut start = Start::version("2.1.120");
    start.script(ECHO).args(&["--settings", &hooks.settings()]);
    let mut claude = start.run();
    claude.sees("Settings Warning");
    claude.type_keys("\r");
    claude.sees_no("Settings Warning");
    turn(&mut claude, &hooks, "hello", 1);
    assert!(!hooks.names().contains(&"MessageDisplay".to_owned()));
    assert!(hooks.nth("Stop", 1).get("prompt_id").is_none());

    let mut start = Start::version("2.0.76");
    start.script(ECHO).args(&["--settings", &hooks.settings()]);
    let mut claude = start.run();
    claude.sees("Invalid discriminator value");
    claude.type_keys("\r");
    assert_eq!(claude.end().0.exit_code(), 1);
}

#[test]
fn the_oldest_look_has_another_mark_and_refuses_tools() {
    let mut start = Start::version("2.0.76");
    start.script("[[rule]]\nany = true\n[[rule.step]]\nhang = \"live\"\n");
    let mut claude = start.run();
    claude.sees(">");
    claude.submit("hello");
    claude.sees("(esc to interrupt)");
    let mut start = Start::version("2.0.76");
    start.args(&["--tools", ""]);
    let (status, output) = start.run().end();
    assert_eq!(status.exit_code(), 1);
    assert!(output.contains("Error: --tools can only be used with --print mode."));
}

#[test]
fn a_missing_login_ends_turns_and_can_be_asked_for() {
    for version in BOTH {
        let hooks = Hooks::new();
        let script = format!("not_logged_in = true\n{ECHO}");
        let mut claude = scripted(version, &script, &hooks);
        claude.submit("hello");
        assert_eq!(
            hooks.nth("StopFailure", 1)["error"],
            "authentication_failed"
        );
        claude.sees("Not logged in · Please run /login");
        claude.submit("/login");
        claude.sees("Select login method:");
        claude.type_keys("\r");
        claude.sees("Browser didn't open?");
        claude.type_keys("\u{1b}");
        claude.sees("Login interrupted");
    }
}

#[test]
fn another_model_is_asked_about_once_the_conversation_is_cached() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let mut start = Start::version(version);
        start.upstream(&upstream.url);
        start.hooked(&hooks);
        let mut claude = start.run();
        claude.ready();
        claude.submit("/model claude-sonnet-4-5");
        claude.sees("Set model to Sonnet 4.5");
        upstream.say("ok");
        turn(&mut claude, &hooks, "hello", 1);
        assert_eq!(upstream.nth(1)["model"], "claude-sonnet-4-5");
        claude.submit("/model claude-opus-4-8");
        claude.sees("Switch model?");
        claude.type_keys("\r");
        claude.sees("Set model to Opus 4.8");
        upstream.say("ok");
        claude.submit("again");
        hooks.nth("Stop", 2);
        let request = upstream.nth(2);
        assert_eq!(request["model"], "claude-opus-4-8");
        assert!(
            request["messages"]
                .to_string()
                .contains("<command-name>/model</command-name>")
        );
    }
}

#[test]
fn escape_twice_takes_the_conversation_back_to_before_a_prompt() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let mut start = Start::version(version);
        start.upstream(&upstream.url);
        start.hooked(&hooks);
        let mut claude = start.run();
        claude.ready();
        for (at, prompt) in ["first", "second"].into_iter().enumerate() {
            upstream.say("ok");
            turn(&mut claude, &hooks, prompt, at + 1);
        }
        claude.type_keys("\u{1b}\u{1b}");
        claude.sees("Restore the code and/or conversation");
        claude.type_keys("\u{1b}[A\r");
        claude.sees("Restore conversation");
        claude.type_keys("\r");
        claude.sees_no("Rewind");
        upstream.say("ok");
        claude.type_keys(" third\r");
        hooks.nth("Stop", 3);
        assert_eq!(hooks.nth("UserPromptSubmit", 3)["prompt"], "second third");
        let messages = upstream.nth(3)["messages"].to_string();
        assert!(messages.contains("first") && !messages.contains("\"second\""));
    }
}

#[test]
fn the_list_of_conversations_takes_one_up() {
    for version in BOTH {
        let hooks = Hooks::new();
        let mut claude = scripted(version, ECHO, &hooks);
        turn(&mut claude, &hooks, "the older one", 1);
        claude.submit("/clear");
        hooks.nth("SessionEnd", 1);
        claude.submit("/resume");
        claude.sees("Resume session");
        claude.type_keys("\r");
        assert_eq!(hooks.nth("SessionEnd", 2)["reason"], "resume");
        claude.sees("● the older one");
    }
}

#[test]
fn a_limit_is_told_and_asked_about_in_each_familys_way() {
    for version in BOTH {
        let hooks = Hooks::new();
        let script = format!("usage_limit = \"seven_day\"\n{ECHO}");
        let mut claude = scripted(version, &script, &hooks);
        claude.submit("hello");
        let failure = hooks.nth("StopFailure", 1);
        assert_eq!(failure["error"], "rate_limit");
        let said = failure["last_assistant_message"]
            .as_str()
            .unwrap_or_default();
        assert!(
            said.starts_with("You've hit your weekly limit · resets "),
            "{said}"
        );
        claude.sees("You've hit your weekly limit");
        if version == "2.1.329" {
            claude.sees("Continuing automatically at");
            claude.type_keys("\u{1b}");
            claude.sees("Automatic continue cancelled");
        } else {
            claude.sees("Stop and wait for limit to reset");
            claude.type_keys("\r");
            claude.sees_no("What do you want to do?");
        }
    }
}

#[test]
fn a_failing_request_is_made_again_as_often_as_allowed() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let mut start = Start::version(version);
        start.upstream(&upstream.url);
        start
            .env("CLAUDE_CODE_MAX_RETRIES", "2")
            .env("FAKE_CLAUDE_TIME_SCALE", "0.05");
        start.args(&["--settings", &hooks.settings()]);
        let mut claude = start.run();
        claude.ready();
        upstream.fail(529, "overloaded_error", "Overloaded");
        upstream.say("at last");
        claude.submit("hello");
        assert_eq!(hooks.nth("Stop", 1)["last_assistant_message"], "at last");
        for _ in 0..3 {
            upstream.fail(529, "overloaded_error", "Overloaded");
        }
        claude.submit("again");
        let said = hooks.nth("StopFailure", 1)["last_assistant_message"].to_string();
        assert!(
            said.contains("API Error: Repeated 529 Overloaded errors."),
            "{said}"
        );
        assert_eq!(upstream.count(), 5);
    }
}

#[test]
fn a_file_named_in_the_prompt_is_read_unless_attachments_are_off() {
    for (version, is_off) in [("2.1.197", false), ("2.1.329", false), ("2.1.329", true)] {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let mut start = Start::version(version);
        std::fs::write(start.work().join("note.txt"), "one\ntwo\n").expect("a file can be written");
        start
            .upstream(&upstream.url)
            .args(&["--settings", &hooks.settings()]);
        start.env(
            "CLAUDE_CODE_DISABLE_ATTACHMENTS",
            if is_off { "1" } else { "" },
        );
        let mut claude = start.run();
        claude.ready();
        upstream.say("ok");
        claude.submit("read @note.txt now");
        hooks.nth("Stop", 1);
        let sent = upstream.nth(1)["messages"].to_string();
        let has_file = sent.contains("Result of calling the Read tool:\\n1\\tone\\n2\\ttwo\\n3\\t");
        assert_eq!(has_file, !is_off, "{sent}");
        assert!(sent.contains("read @note.txt now"));
    }
}

#[test]
fn a_flag_that_is_not_known_is_an_error() {
    let mut start = Start::version("2.1.329");
    start.args(&["--nosuch"]);
    let (status, output) = start.run().end();
    assert_eq!(status.exit_code(), 1);
    assert!(output.contains("error: unknown option '--nosuch'"));
}
