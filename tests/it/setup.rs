//! The setup as a person goes through it, at a terminal, and as a program has it.

use super::support::client;
use super::support::manager::Manager;
use super::support::relay::World;
use super::support::relay::free_port;
use super::support::wait::DEADLINE;
use expectrl::Eof;
use expectrl::Expect;
use expectrl::session::OsSession;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A user with a claude, a service manager, and a configuration with this port.
fn user(script: &str) -> (Manager, SocketAddr) {
    let world = World::scripted(script).pool("idle = 1\nmax = 1");
    let port = free_port();
    world.settle(port);
    (
        Manager::new(world),
        SocketAddr::from(([127, 0, 0, 1], port)),
    )
}

/// A person who reads what is on the terminal, and types.
struct Person {
    terminal: OsSession,
    read: String,
}

impl Person {
    fn at(user: &Manager, args: &[&str]) -> Person {
        let mut command = user.relay(args);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let mut terminal = OsSession::spawn(command).expect("the setup must start at a terminal");
        terminal.set_expect_timeout(Some(DEADLINE));
        let read = String::new();
        Person { terminal, read }
    }

    /// Reads on until these words.
    fn sees(&mut self, words: &str) -> &mut Person {
        let seen = self.terminal.expect(words);
        let seen = seen.unwrap_or_else(|error| panic!("{words:?}: {error}; read: {}", self.read));
        self.read
            .push_str(&String::from_utf8_lossy(seen.as_bytes()));
        self
    }

    fn types(&mut self, line: &str) -> &mut Person {
        self.terminal
            .send_line(line)
            .expect("a terminal takes a line");
        self
    }

    /// Reads to the end; all that was on the screen.
    fn leaves(mut self) -> String {
        let seen = self.terminal.expect(Eof).expect("the setup must end");
        self.read
            .push_str(&String::from_utf8_lossy(seen.as_bytes()));
        self.read
    }
}

#[test]
fn a_person_is_led_from_a_login_to_a_service_that_answers() {
    let (user, address) = user(&format!("not_logged_in = true\n{ECHO}"));
    let mut person = Person::at(&user, &["setup"]);
    person.sees("1. Claude Code").sees("ok: claude: ");
    person.sees("2. A first call").sees("[Y/n]").types("");
    person
        .sees("problem: login: login_required")
        .sees("next: run `claude` in a terminal and log in with /login")
        .sees("Press Enter to try again");
    let script = user.world.path("script.toml");
    fs::write(script, format!("flush_delay_ms = 0\n{ECHO}")).expect("a login must be possible");
    person.types("").sees("ok: canary turn: the model answered");
    person.sees("3. The service").sees("[Y/n]").types("y");
    person
        .sees("ok: service: it answers on http://127.0.0.1:")
        .sees("4. Your program")
        .sees("ANTHROPIC_BASE_URL=http://127.0.0.1:");
    let screen = person.leaves();
    assert!(screen.contains("Done.\r\n"), "{screen}");
    let answer = client::post(address, &client::call("Are you there?"));
    assert_eq!(answer.text(), "Are you there?");
    assert!(user.unit().is_file());
}

#[test]
fn a_person_may_say_no_and_nothing_is_done() {
    let (user, address) = user(ECHO);
    let mut person = Person::at(&user, &["setup"]);
    person.sees("[Y/n]").types("perhaps");
    person
        .sees("Please answer y or n.")
        .sees("[Y/n]")
        .types("n");
    person
        .sees("not checked: canary turn")
        .sees("[Y/n]")
        .types("N");
    let screen = person.leaves();
    assert!(screen.contains("note: service: left out"), "{screen}");
    assert!(
        screen.contains("next: run `inference-relay serve`"),
        "{screen}"
    );
    assert!(!user.unit().exists());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_person_who_goes_away_leaves_nothing_begun() {
    let (user, _) = user(ECHO);
    let mut person = Person::at(&user, &["setup"]);
    person.sees("Try it now? [Y/n]");
    let end = person
        .terminal
        .send(expectrl::ControlCode::EndOfTransmission);
    end.expect("a terminal takes an end");
    let screen = person.leaves();
    assert!(screen.contains("error: stopped before the end"), "{screen}");
    assert!(!user.unit().exists());
}

#[test]
fn where_nobody_can_be_asked_nothing_is_asked() {
    let (user, _) = user(ECHO);
    let output = user
        .relay(&["setup"])
        .stdin(Stdio::null())
        .output()
        .expect("the setup must run");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(
        words.contains("there is no terminal") && words.contains("setup --yes"),
        "{words}"
    );
    assert!(output.stdout.is_empty() && user.told().is_empty());
}

#[test]
fn a_program_gets_the_whole_setup_as_one_object() {
    let (user, address) = user(ECHO);
    let output = user
        .relay(&["setup", "--json", "--no-service"])
        .output()
        .expect("the setup must run");
    let told: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON alone");
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(
        told["env"]["ANTHROPIC_BASE_URL"],
        format!("http://{address}")
    );
    let steps = told["steps"].as_array().expect("steps are a list");
    let state = |name: &str| {
        let step = steps.iter().find(|step| step["name"] == name);
        step.map(|step| step["state"].clone()).unwrap_or_default()
    };
    assert_eq!(state("canary turn"), "ok");
    assert_eq!(state("service"), "note");
}

#[test]
fn where_calls_need_a_key_no_program_is_sent_without_one() {
    let (user, _) = user(ECHO);
    let run = |args: &[&str]| user.relay(args).output().expect("the command must run");
    let setup = || run(&["setup", "--json", "--no-service", "--no-call"]);
    let told = |output: &std::process::Output| -> Value {
        serde_json::from_slice(&output.stdout).expect("--json prints JSON alone")
    };
    assert_eq!(told(&setup())["env"]["ANTHROPIC_API_KEY"], "unused");
    assert!(run(&["key", "create", "k1"]).status.success());
    let one = told(&setup());
    assert_eq!(one["env"]["ANTHROPIC_API_KEY"], Value::Null, "{one}");
    assert_eq!(one["ok"], true, "{one}");
    assert!(run(&["key", "delete", "k1"]).status.success());
    let none = setup();
    assert_eq!(none.status.code(), Some(1));
    assert_eq!(told(&none)["ok"], false);
    assert!(told(&none)["next"].to_string().contains("key create"));
    let screen = run(&["setup", "--yes", "--no-service", "--no-call"]);
    let screen = String::from_utf8_lossy(&screen.stdout).into_owned();
    assert!(
        !screen.contains("Done.") && !screen.contains("unused"),
        "{screen}"
    );
}

#[test]
fn a_machine_without_a_claude_is_told_how_to_get_one() {
    let world = World::scripted(ECHO).without_claude();
    world.settle(free_port());
    let output = world.run(&["setup", "--yes"]);
    let screen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{screen}");
    for words in [
        "problem: claude: none is found on this machine",
        "npm install -g @anthropic-ai/claude-code",
        "Not everything is well yet.",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}
