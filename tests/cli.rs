//! The commands as a user types them.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// A command that does not end by itself is ended, and its test fails.
const DEADLINE: Duration = Duration::from_secs(120);

/// A private home folder, and the relay run in it with nothing of this machine's environment.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary folder must be made"),
        }
    }

    fn relay(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inference-relay"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("USERPROFILE", self.home.path())
            .timeout(DEADLINE)
            .args(args);
        command
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.home.path().join(name);
        let folder = file.parent().expect("a file in a folder must have one");
        fs::create_dir_all(folder).expect("a folder in a temporary one must be made");
        fs::write(file, text).expect("a file in a temporary folder must be written");
    }

    fn shown(&self, command: &mut Command) -> Vec<(String, Value, String)> {
        let output = command.assert().success().get_output().stdout.clone();
        let value: Value = serde_json::from_slice(&output).expect("--json must print JSON");
        let rows = value["values"]
            .as_array()
            .expect("the values must be a list")
            .clone();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        rows.iter()
            .map(|row| (text(row, "key"), row["value"].clone(), text(row, "source")))
            .collect()
    }
}

fn row(rows: &[(String, Value, String)], key: &str) -> (Value, String) {
    let found = rows.iter().find(|(name, _, _)| name == key);
    let (_, value, source) = found.unwrap_or_else(|| panic!("{key} must be shown"));
    (value.clone(), source.clone())
}

fn stdout(command: &mut Command) -> String {
    let output = command.assert().success().get_output().stdout.clone();
    String::from_utf8(output).expect("output must be text")
}

fn stderr(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().stderr.clone();
    String::from_utf8(output).expect("output must be text")
}

/// What a command with `--json` prints.
fn json(command: &mut Command, code: i32) -> Value {
    let output = command.assert().code(code).get_output().stdout.clone();
    serde_json::from_slice(&output).expect("--json must print JSON")
}

/// A port that was free a moment ago.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    listener
        .local_addr()
        .expect("a listener must have an address")
        .port()
        .to_string()
}

#[test]
fn every_command_has_help_with_examples() {
    let user = User::new();
    for args in [
        &[][..],
        &["setup"],
        &["serve"],
        &["service"],
        &["ask"],
        &["doctor"],
        &["status"],
        &["key"],
        &["top"],
        &["explain"],
        &["update"],
        &["config"],
        &["completions"],
    ] {
        let help = stdout(user.relay(args).arg("--help"));
        assert!(help.contains("Examples:"), "{args:?}: {help}");
        assert!(
            !help.contains('\u{1b}'),
            "{args:?}: colours where no terminal is"
        );
    }
    assert!(stdout(&mut user.relay(&["--version"])).starts_with("inference-relay "));
}

#[test]
fn keys_are_made_listed_changed_and_deleted() {
    let user = User::new();
    let run = |args: &[&str]| stdout(user.relay(&["key"]).args(args));
    assert_eq!(run(&["list"]), "");
    let text = run(&["create", "laptop"]);
    assert!(text.starts_with("irk_") && text.len() == 48, "{text}");
    let made = json(
        &mut user.relay(&["key", "create", "ci", "--expires-in", "90d", "--json"]),
        0,
    );
    let (id, new) = (made["id"].as_str(), made["key"].as_str());
    let id = id.expect("there is an id").to_owned();
    assert!(new.is_some_and(|key| key.starts_with("irk_")), "{made}");
    let state = |name: &str| {
        let list = json(&mut user.relay(&["key", "list", "--json"]), 0);
        let keys = list["keys"].as_array().cloned().unwrap_or_default();
        let found = keys.into_iter().find(|key| key["name"] == name);
        found.map(|key| key["state"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(state("ci").as_deref(), Some("active"));
    run(&["disable", &id]);
    assert_eq!(state("ci").as_deref(), Some("disabled"));
    run(&["enable", "ci"]);
    run(&["expire", "ci", "--in", "0s"]);
    assert_eq!(state("ci").as_deref(), Some("expired"));
    assert!(run(&["expire", "ci", "--never"]).contains("active, expires never"));
    let rotated = run(&["rotate", "laptop", "--overlap", "2h"]);
    assert!(rotated.starts_with("irk_") && rotated != text);
    run(&["delete", "ci"]);
    assert_eq!(state("ci"), None);
    let list = run(&["list"]);
    assert!(
        list.contains("laptop") && !list.contains(text.trim()),
        "{list}"
    );
    let file = user.home.path().join(".inference-relay/keys.json");
    let kept = fs::read_to_string(&file).expect("the keys are in a file");
    for text in [text, rotated] {
        assert!(!kept.contains(&text.trim()[4..]), "{kept}");
    }
}

#[test]
fn a_change_of_keys_that_cannot_be_meant_says_why_and_changes_nothing() {
    let user = User::new();
    let complaint = |args: &[&str]| stderr(user.relay(&["key"]).args(args), 1);
    assert!(complaint(&["disable", "nobody"]).contains("`inference-relay key list` shows"));
    assert!(!user.home.path().join(".inference-relay").exists());
    stdout(&mut user.relay(&["key", "create", "laptop"]));
    assert!(complaint(&["create", "laptop"]).contains("there is a key called \"laptop\" already"));
    let unnamed = stderr(&mut user.relay(&["key", "create", "a b"]), 2);
    assert!(unnamed.contains("is not a name for a key"), "{unnamed}");
    stderr(
        &mut user.relay(&["key", "create", "x", "--expires-in", "soon"]),
        2,
    );
    user.write(
        ".inference-relay/keys.json",
        "{\"version\": 7, \"keys\": []}",
    );
    assert!(complaint(&["create", "other"]).contains("a newer relay wrote (version 7)"));
    let refused = stderr(&mut user.relay(&["serve", "--port", "0"]), 2);
    assert!(refused.contains("a newer relay wrote"), "{refused}");
}

#[test]
fn every_command_has_a_page_of_the_manual() {
    let user = User::new();
    let first = stdout(&mut user.relay(&["man"]));
    assert!(first.contains(".TH inference-relay 1"), "{first}");
    let folder = user.home.path().join("man/man1");
    user.relay(&["man", "--dir"]).arg(&folder).assert().code(0);
    for command in ["", "-serve", "-setup", "-service-install", "-config-show"] {
        let page = folder.join(format!("inference-relay{command}.1"));
        let text = fs::read_to_string(&page).unwrap_or_default();
        assert!(text.contains(".SH SYNOPSIS"), "{}", page.display());
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let user = User::new();
    user.relay(&[]).assert().code(2);
    user.relay(&["sreve"]).assert().code(2);
    user.relay(&["serve", "--port", "70000"]).assert().code(2);
    user.relay(&["ask", "--max-tokens", "0", "hello"])
        .assert()
        .code(2);
}

#[test]
fn a_value_that_cannot_be_meant_is_exit_code_2_and_told_with_what_can() {
    let user = User::new();
    for (args, told) in [
        (
            &["usage", "--status", "abc"][..],
            "a class (ok, 4xx, 5xx), or left",
        ),
        (
            &["usage", "--code", "queue_ful"],
            "did you mean \"queue_full\"?",
        ),
        (
            &["usage", "--lane", "clade"],
            "claude-pty, claude-print, codex or http:HOST",
        ),
        (&["explain", "call"], "takes the call's request-id"),
        (&["explain", "queue_full", "req_1"], "one word too many"),
    ] {
        let said = stderr(&mut user.relay(args), 2);
        assert!(said.contains(told), "{args:?}: {said}");
    }
}

#[test]
fn every_code_is_explained_and_a_mistyped_one_is_told_the_nearest() {
    let user = User::new();
    let all = json(&mut user.relay(&["explain", "--json"]), 0);
    let list = stdout(&mut user.relay(&["explain"]));
    for row in all.as_array().expect("the codes are a list") {
        let code = row["code"].as_str().expect("a code is a text");
        assert!(list.contains(&format!("\n{code} ")) || list.starts_with(code));
        let told = stdout(&mut user.relay(&["explain", code]));
        for part in ["happened", "next"] {
            let sentence = row[part].as_str().expect("it is a sentence");
            assert!(told.contains(sentence), "{told}");
        }
        assert_eq!(json(&mut user.relay(&["explain", code, "--json"]), 0), *row);
    }
    let told = stderr(&mut user.relay(&["explain", "qeue_full"]), 2);
    assert_eq!(
        told,
        "error: there is no code \"qeue_full\"; did you mean \"queue_full\"?\n"
    );
}

#[test]
fn the_page_of_errors_is_the_one_that_the_program_prints() {
    let user = User::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/errors.md");
    let page = fs::read_to_string(&file).expect("the page must be there");
    let told = stdout(&mut user.relay(&["explain", "--markdown"]));
    assert_eq!(
        page, told,
        "write it anew: inference-relay explain --markdown > src/wire/errors.md"
    );
}

#[test]
fn without_a_home_it_is_told_what_to_set() {
    let user = User::new();
    let told = stderr(
        user.relay(&["serve"])
            .env_remove("HOME")
            .env_remove("USERPROFILE"),
        2,
    );
    assert!(
        told.contains("no home folder is known: set INFERENCE_RELAY_HOME"),
        "{told}"
    );
}

#[test]
fn each_layer_wins_over_the_ones_below_and_says_so() {
    let user = User::new();
    let show = ["config", "show", "--json"];
    let port = |rows: &[(String, Value, String)]| row(rows, "server.port");
    assert_eq!(
        port(&user.shown(&mut user.relay(&show))),
        (7421.into(), "default".to_owned())
    );
    user.write(".inference-relay/settings.json", r#"{"port": 7001}"#);
    assert_eq!(
        port(&user.shown(&mut user.relay(&show))),
        (7001.into(), "settings".to_owned())
    );
    user.write(".inference-relay/relay.toml", "[server]\nport = 7002\n");
    assert_eq!(
        port(&user.shown(&mut user.relay(&show))),
        (7002.into(), "file".to_owned())
    );
    let mut command = user.relay(&show);
    assert_eq!(
        port(&user.shown(command.env("SR_DAEMON_PORT", "7003"))),
        (7003.into(), "environment".to_owned())
    );
    let mut command = user.relay(&show);
    let rows = user.shown(
        command
            .env("SR_DAEMON_PORT", "7003")
            .args(["--port", "7004"]),
    );
    assert_eq!(port(&rows), (7004.into(), "flag".to_owned()));
}

#[test]
fn what_config_show_prints_is_a_configuration_file() {
    let user = User::new();
    user.write(
        ".inference-relay/relay.toml",
        "[pool]\nmax = 7\n[claude.env]\n\"CLAUDE_CODE_A.B\" = \"x\\ty\"\n",
    );
    let text = stdout(&mut user.relay(&["config", "show"]));
    assert!(text.contains("pool.max = 7"), "{text}");
    assert!(text.contains("relay.toml:2"), "{text}");
    user.write("again.toml", &text);
    let again = user.home.path().join("again.toml").display().to_string();
    let rows = user.shown(&mut user.relay(&["config", "show", "--json", "--config", &again]));
    assert_eq!(row(&rows, "pool.max").0, 7);
    assert_eq!(row(&rows, "claude.env.\"CLAUDE_CODE_A.B\"").0, "x\ty");
}

#[test]
fn secrets_are_not_printed() {
    let user = User::new();
    user.write(
        ".inference-relay/settings.json",
        r#"{"licenseKey": "hush-licence"}"#,
    );
    user.write(
        ".inference-relay/relay.toml",
        "[claude.env]\nANTHROPIC_API_KEY = \"hush-key\"\nCODEX_PAT = \"hush-pat\"\nTZ = \"seen\"\n",
    );
    for args in [&["config", "show"][..], &["config", "show", "--json"]] {
        let text = stdout(&mut user.relay(args));
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("seen"), "{text}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let user = User::new();
    user.write("mine.toml", "[pool]\nidel = 3\n");
    let file = user.home.path().join("mine.toml").display().to_string();
    for args in [&["config", "show"][..], &["serve"], &["status"]] {
        let text = stderr(user.relay(args).args(["--config", &file]), 2);
        assert_eq!(
            text,
            format!("error: {file}:2: unknown key \"pool.idel\"; did you mean \"pool.idle\"?\n")
        );
    }
}

#[test]
fn a_file_that_is_named_must_be_there_and_a_default_one_need_not() {
    let user = User::new();
    let text = stderr(
        &mut user.relay(&["config", "show", "--config", "/nowhere/relay.toml"]),
        2,
    );
    assert!(
        text.starts_with("error: /nowhere/relay.toml: this file does not open: "),
        "{text}"
    );
    user.relay(&["config", "show"]).assert().success();
}

#[test]
fn the_settings_of_the_desktop_application_are_honoured() {
    let user = User::new();
    let text = r#"{"licenseKey": "k", "workingDirectory": "/srv/work", "builtinTools": true, "theme": "dark"}"#;
    user.write(".inference-relay/settings.json", text);
    let rows = user.shown(&mut user.relay(&["config", "show", "--json"]));
    assert_eq!(
        row(&rows, "claude.work_dir"),
        ("/srv/work".into(), "settings".to_owned())
    );
    assert_eq!(
        row(&rows, "claude.builtin_tools"),
        (true.into(), "settings".to_owned())
    );
    let text = stdout(&mut user.relay(&["config", "show"]));
    assert!(text.contains("theme: this key is not known here"), "{text}");
    assert!(text.contains("# licence key: set, not shown"), "{text}");
}

#[cfg(unix)]
#[test]
fn settings_that_others_can_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new();
    user.write(".inference-relay/settings.json", "{}");
    let file = user.home.path().join(".inference-relay/settings.json");
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode must be set");
        let text = stdout(&mut user.relay(&["config", "show"]));
        assert_eq!(text.contains("chmod 600"), warned, "{text}");
    }
}

#[test]
fn the_state_folder_moves() {
    let user = User::new();
    user.write("elsewhere/relay.toml", "pool.max = 9\n");
    let folder = user.home.path().join("elsewhere");
    let mut command = user.relay(&["config", "show", "--json"]);
    let rows = user.shown(command.env("INFERENCE_RELAY_HOME", &folder));
    assert_eq!(row(&rows, "pool.max").0, 9);
    assert_eq!(
        row(&rows, "home"),
        (
            folder.display().to_string().into(),
            "environment".to_owned()
        )
    );
    let path = stdout(
        user.relay(&["config", "path"])
            .env("INFERENCE_RELAY_HOME", &folder),
    );
    assert_eq!(Path::new(path.trim_end()), folder.join("relay.toml"));
}

#[test]
fn a_relative_path_starts_at_the_file_that_it_is_written_in() {
    let user = User::new();
    user.write("sub/relay.toml", "[claude]\ncommand = \"bin/claude\"\n");
    let mut command = user.relay(&["config", "show", "--json", "--config", "sub/relay.toml"]);
    let rows = user.shown(command.current_dir(user.home.path()));
    let folder = user
        .home
        .path()
        .canonicalize()
        .expect("the folder must exist");
    let expected = folder.join("sub/bin/claude").display().to_string();
    assert_eq!(row(&rows, "claude.command").0, expected);
}

#[test]
fn the_manual_is_printed_and_is_a_configuration_file() {
    let user = User::new();
    let text = stdout(&mut user.relay(&["config", "default"]));
    user.write(".inference-relay/relay.toml", &text);
    let rows = user.shown(&mut user.relay(&["config", "show", "--json"]));
    assert_eq!(row(&rows, "pool.idle"), (2.into(), "file".to_owned()));
}

#[test]
fn completions_are_there_for_every_shell() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&mut user.relay(&["completions", shell]));
        assert!(
            script.contains("inference-relay") && script.contains("doctor"),
            "{shell}"
        );
    }
}

#[test]
fn status_without_a_daemon_says_how_to_start_one() {
    let user = User::new();
    let port = free_port();
    let text = stderr(&mut user.relay(&["status", "--port", &port]), 1);
    assert_eq!(
        text,
        format!("no daemon answers on 127.0.0.1:{port}; start one with `inference-relay serve`\n")
    );
    let value = json(&mut user.relay(&["status", "--port", &port, "--json"]), 1);
    assert_eq!(value["running"], false);
}

/// The commands behind one, as its help lists them.
fn behind(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let words = lines
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    words
        .filter(|word| *word != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_shows_an_example() {
    let user = User::new();
    let mut open = vec![Vec::new()];
    let mut count = 0;
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = stdout(&mut user.relay(&words));
        // What bench says, and its commands, are another program's, where that is built.
        if path == ["bench"] {
            continue;
        }
        assert!(help.contains("Examples:\n  "), "{path:?}: {help}");
        count += 1;
        for word in behind(&help) {
            open.push(path.iter().cloned().chain([word]).collect());
        }
    }
    assert!(count > 60, "{count} commands");
}

#[test]
fn an_error_that_a_program_reads_is_json() {
    let user = User::new();
    let output = user
        .relay(&["route", "m", "--key", "nobody", "--json"])
        .assert()
        .code(1);
    let error: Value = serde_json::from_slice(&output.get_output().stderr).expect("it is JSON");
    assert_eq!(error["error"]["exit_code"], 1, "{error}");
    assert!(
        error["error"]["message"].to_string().contains("nobody"),
        "{error}"
    );
    assert!(output.get_output().stdout.is_empty());
}

#[test]
fn the_last_key_that_goes_leaves_nobody_who_may_call_and_that_is_said() {
    let user = User::new();
    let said = |args: &[&str]| {
        let output = user
            .relay(args)
            .assert()
            .success()
            .get_output()
            .stderr
            .clone();
        String::from_utf8_lossy(&output).into_owned()
    };
    assert!(!said(&["key", "list"]).contains("refused"));
    said(&["key", "create", "a"]);
    assert!(!said(&["key", "list"]).contains("refused"));
    for args in [&["key", "delete", "a"][..], &["key", "list"]] {
        let told = said(args);
        assert!(told.contains("All calls are refused now"), "{told}");
    }
}

#[test]
fn a_master_key_that_is_none_is_refused_by_name_and_a_misspelt_variable_is_told() {
    let user = User::new();
    let mut serve = user.relay(&["serve", "--port", "0"]);
    let output = serve.env("RELAY_MASTER_KEY", "abc").assert().code(2);
    let told = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(
        told.contains("RELAY_MASTER_KEY") && !told.contains("abc"),
        "{told}"
    );
    let mut doctor = user.relay(&["doctor", "--port", &free_port()]);
    let output = doctor.env("RELAY_CONTROL_PROT", "off").assert().code(1);
    let told = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(told.contains("did you mean RELAY_CONTROL_PORT?"), "{told}");
}

#[test]
fn ask_without_words_asks_what_comes_in_a_pipe() {
    let user = User::new();
    let output = user.relay(&["ask"]).write_stdin("").assert().code(2);
    let told = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(told.contains("there is nothing to ask"), "{told}");
}

#[test]
fn doctor_on_a_machine_without_claude_names_the_next_step() {
    let user = User::new();
    let port = free_port();
    let value = json(&mut user.relay(&["doctor", "--json", "--port", &port]), 1);
    assert_eq!(
        (&value["ok"], &value["installs"]),
        (&false.into(), &Value::Array(Vec::new()))
    );
    assert!(
        value["next"]
            .as_str()
            .is_some_and(|next| next.contains("install Claude Code")),
        "{value}"
    );
    let states: Vec<_> = value["checks"]
        .as_array()
        .expect("the checks must be a list")
        .iter()
        .map(|check| (check["name"].clone(), check["state"].clone()))
        .collect();
    assert!(states.contains(&("port".into(), "ok".into())), "{value}");
    assert!(
        states.contains(&("login".into(), "not checked".into())),
        "{value}"
    );
}

#[cfg(unix)]
#[test]
fn doctor_shows_every_claude_with_its_version() {
    let user = User::new();
    user.write(".local/bin/placeholder", "");
    user.write(".bun/bin/placeholder", "");
    for (folder, version) in [(".local/bin", "2.0.76"), (".bun/bin", "2.1.197")] {
        // A shell writes it: a file that this process has had open for writing may still be so in the child of
        // another test, and then it does not start ("text file busy").
        let script = format!(
            "printf '#!/bin/sh\\necho {version}\\n' > {folder}/claude && chmod 755 {folder}/claude"
        );
        let mut shell = std::process::Command::new("sh");
        let made = shell
            .args(["-c", &script])
            .current_dir(user.home.path())
            .status();
        assert!(made.is_ok_and(|status| status.success()));
    }
    let port = free_port();
    let text = stdout(
        user.relay(&["doctor", "--port", &port])
            .env("PATH", "/usr/bin:/bin"),
    );
    assert!(
        text.contains(".bun/bin/claude  2.1.197  ← sessions run this one"),
        "{text}"
    );
    assert!(text.contains(".local/bin/claude  2.0.76\n"), "{text}");
    assert!(
        text.ends_with("next: run `inference-relay serve`\n"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn doctor_tells_what_looks_like_a_claude_and_where_it_looked_and_names_the_one_that_works() {
    let user = User::new();
    let port = free_port();
    let said = |code: i32| {
        let mut command = user.relay(&["doctor", "--port", &port]);
        command.env("PATH", user.home.path().join("first"));
        let output = command.assert().code(code).get_output().stdout.clone();
        String::from_utf8_lossy(&output).into_owned()
    };
    user.write("first/claude", "#!/bin/sh\nexit 3\n");
    let text = said(1);
    for words in ["first/claude is not executable", "looked in ", ".local/bin"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // A shell writes them: see above.
    let script = "mkdir -p .local/bin && cd .local/bin && printf '#!/bin/sh\necho 2.1.332\n' > claude \
                  && chmod 755 claude ../../first/claude";
    let mut shell = std::process::Command::new("sh");
    let made = shell
        .args(["-c", script])
        .current_dir(user.home.path())
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let text = said(1);
    assert!(text.contains("does not tell its version"), "{text}");
    let next = text.lines().last().unwrap_or_default();
    assert!(
        next.contains("command = ") && next.contains(".local/bin/claude"),
        "{text}"
    );
}

#[test]
fn a_program_that_is_not_ours_on_the_port_is_told_apart() {
    let user = User::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let port = listener
        .local_addr()
        .expect("a listener must have an address")
        .port()
        .to_string();
    let answering = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.expect("a connection must be taken");
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        }
    });
    for args in [&["status"][..], &["ask", "hello"]] {
        let text = stderr(user.relay(args).args(["--port", &port]), 1);
        assert!(
            text.contains("is held by a program that is not an inference-relay daemon"),
            "{text}"
        );
    }
    answering.join().expect("the listener must end");
}

/// A stand-in for the daemon: answers every call to a path with one text, and keeps what was asked.
struct Daemon {
    port: String,
    bodies: mpsc::Receiver<String>,
}

impl Daemon {
    fn answering(messages: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
        let address = listener
            .local_addr()
            .expect("a listener must have an address");
        let messages = messages.into();
        let (body_tx, bodies) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                Self::serve(&stream, &messages, &body_tx);
            }
        });
        Self {
            port: address.port().to_string(),
            bodies,
        }
    }

    fn serve(mut stream: &TcpStream, messages: &str, body_tx: &mpsc::Sender<String>) {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        for line in reader.by_ref().lines() {
            let line = line.expect("a request must be text").to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).expect("a body must be whole");
        let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        let path = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = match path.as_str() {
            "/v1/health" => format!(
                "{json}{{\"port\": 1, \"sessions\": 2, \"status\": \"healthy\", \"uptime\": 5}}"
            ),
            "/v1/version" => format!("{json}{{\"ir\": \"0.1.0\"}}"),
            "/v1/sessions" => format!("{json}{{\"idle\": 2}}"),
            _ => {
                let _ = body_tx.send(String::from_utf8_lossy(&body).into_owned());
                messages.replace('\n', "\r\n")
            }
        };
        let _ = stream.write_all(answer.as_bytes());
    }
}

const STREAM: &str = "HTTP/1.1 200 OK
content-type: text/event-stream
connection: close

event: message_start
data: {\"type\": \"message_start\"}

data: {\"type\": \"content_block_delta\", \"delta\": {\"type\": \"text_delta\", \"text\": \"One\\ttwo\"}}

data: {\"type\": \"content_block_delta\", \"delta\": {\"type\": \"text_delta\", \"text\": \" three\"}}

data: {\"type\": \"message_delta\", \"delta\": {\"stop_reason\": \"max_tokens\"}}

";

const STREAM_END: &str = "data: {\"type\": \"message_stop\"}\n\n";

#[test]
fn ask_prints_the_answer_as_it_is_and_tells_an_early_end() {
    let user = User::new();
    let daemon = Daemon::answering(format!("{STREAM}{STREAM_END}"));
    let mut ask = user.relay(&[
        "ask",
        "Count.",
        "--system",
        "Be brief.",
        "--max-tokens",
        "3",
        "--port",
        &daemon.port,
    ]);
    ask.assert()
        .code(0)
        .stdout("One\ttwo three\n")
        .stderr("note: the answer ended with max_tokens\n");
    let body = daemon.bodies.recv().expect("the call must have come");
    let body: Value = serde_json::from_str(&body).expect("the call must be JSON");
    assert_eq!(
        (&body["max_tokens"], &body["stream"], &body["system"]),
        (&3.into(), &true.into(), &"Be brief.".into())
    );
    assert_eq!(
        body["messages"],
        serde_json::json!([{ "role": "user", "content": "Count." }])
    );
    let lines = stdout(&mut user.relay(&["ask", "Count.", "--json", "--port", &daemon.port]));
    assert_eq!(lines.lines().count(), 5);
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{lines}"
    );
}

#[test]
fn an_answer_that_breaks_off_is_a_failure() {
    let user = User::new();
    let daemon = Daemon::answering(STREAM);
    let mut ask = user.relay(&["ask", "Count.", "--port", &daemon.port]);
    ask.assert()
        .code(1)
        .stdout("One\ttwo three\n")
        .stderr("error: the answer broke off before its end\n");
}

#[test]
fn a_refused_call_says_why_and_with_which_code() {
    let user = User::new();
    let daemon = Daemon::answering("HTTP/1.1 529 Overloaded
x-relay-error: queue_full
connection: close

{\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Too many wait.\"}}");
    for args in [&["ask", "Hi."][..], &["ask", "Hi.", "--no-stream"]] {
        let text = stderr(user.relay(args).args(["--port", &daemon.port]), 1);
        assert_eq!(text, "error: Too many wait. (queue_full)\n");
    }
}

#[test]
fn status_shows_what_the_daemon_says() {
    let user = User::new();
    let daemon = Daemon::answering("");
    let text = stdout(&mut user.relay(&["status", "--port", &daemon.port]));
    assert!(
        text.contains("status: healthy") && text.contains("ir: 0.1.0") && text.contains("idle: 2"),
        "{text}"
    );
    let value = json(
        &mut user.relay(&["status", "--json", "--port", &daemon.port]),
        0,
    );
    assert_eq!(value["health"]["status"], "healthy");
}

#[test]
fn the_page_of_capabilities_is_what_the_command_prints() {
    let user = User::new();
    let output = user
        .relay(&["capabilities"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let page = include_str!("../src/wire/capabilities.md");
    let printed = String::from_utf8_lossy(&output);
    assert_eq!(
        printed, page,
        "run: inference-relay capabilities > src/wire/capabilities.md"
    );
    let json = user
        .relay(&["capabilities", "--json"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let json: Value = serde_json::from_slice(&json).expect("--json must print JSON");
    for field in json["fields"].as_array().expect("fields are a list") {
        let name = field["field"].as_str().expect("a field has a name");
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn a_token_is_the_one_key_of_a_relay_that_needs_no_more() {
    let user = User::new();
    let run = |args: &[&str]| {
        let output = user.relay(args).output().expect("the command runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (found, _, why) = run(&["token", "show"]);
    assert!(!found && why.contains("token rotate"), "{why}");
    let (_, first, _) = run(&["token", "rotate"]);
    let (_, second, _) = run(&["token", "rotate"]);
    assert!(first.starts_with("irk_") && second.starts_with("irk_") && first != second);
    let (found, shown, _) = run(&["token", "show"]);
    assert!(
        found && shown.starts_with("default (key_") && !shown.contains(second.trim()),
        "{shown}"
    );
}

#[test]
fn variables_of_an_older_relay_are_honoured_or_named() {
    let user = User::new();
    let mut command = user.relay(&["config", "show", "--json"]);
    command.env("AIRELAYS_REQUIRE_BEARER_AUTH", "true");
    command.env("AIRELAYS_BEARER_TOKEN", "secret-text");
    let output = command.output().expect("the command runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("AIRELAYS_REQUIRE_BEARER_AUTH"), "{told}");
    assert!(told.contains("AIRELAYS_BEARER_TOKEN is not read"), "{told}");
    assert!(!told.contains("secret-text"), "{told}");
}

/// Every command with something that is well said and that cannot be done in an empty home where no daemon answers, and its
/// exit code; those that can do whatever is well said give 0, and those whose help says so give 2.
const CANNOT: &[(&str, &[&str], i32)] = &[
    ("ask", &["hi"], 1),
    ("backup", &["none/file"], 1),
    ("binding add", &["--model", "m", "--lane", "claude-pty"], 1),
    ("binding list", &[], 0),
    ("binding remove", &["none"], 1),
    ("binding show", &["none"], 1),
    ("binding test", &["none"], 1),
    ("breaker list", &[], 1),
    ("breaker reset", &["none"], 1),
    ("capabilities", &[], 0),
    ("catalog apply", &["none.yaml"], 1),
    ("catalog diff", &["none.yaml"], 1),
    ("catalog export", &[], 0),
    ("catalog kinds", &[], 0),
    ("catalog validate", &["none.yaml"], 1),
    ("completions", &["bash"], 0),
    ("config default", &[], 0),
    ("config path", &[], 0),
    ("config show", &[], 0),
    ("doctor", &[], 1),
    ("explain", &["none"], 2),
    ("explain", &["call", "req_none"], 2),
    (
        "host add",
        &["h", "--url", "https://h.example", "--key-stdin"],
        1,
    ),
    ("host list", &[], 0),
    ("host remove", &["none"], 1),
    ("host show", &["none"], 1),
    ("host test", &["none"], 1),
    ("host-key add", &["k", "--host", "none", "--env", "A"], 1),
    ("host-key list", &[], 0),
    ("host-key remove", &["none"], 1),
    ("host-key show", &["none"], 1),
    ("host-key test", &["none"], 1),
    ("key create", &["k", "--policy", "none"], 1),
    ("key delete", &["none"], 1),
    ("key disable", &["none"], 1),
    ("key enable", &["none"], 1),
    ("key expire", &["none", "--never"], 1),
    ("key list", &[], 0),
    ("key policy", &["none", "none"], 1),
    ("key rotate", &["none"], 1),
    ("login", &["codex"], 1),
    ("logout", &["codex"], 1),
    ("model list", &[], 0),
    ("model remove", &["none"], 1),
    ("model show", &["none"], 1),
    ("model test", &["none"], 1),
    ("policy add", &["p", "--models", "none"], 1),
    ("policy list", &[], 0),
    ("policy remove", &["none"], 1),
    ("policy show", &["none"], 1),
    ("policy test", &["none"], 1),
    ("record", &["--check"], 1),
    ("restore", &["none"], 1),
    ("route", &["m"], 1),
    ("secret list", &[], 0),
    ("secret rekey", &[], 0),
    ("secret remove", &["none"], 1),
    ("secret set", &["s"], 1),
    ("serve", &["--config", "none.toml"], 2),
    ("service install", &[], 1),
    ("service logs", &[], 1),
    ("service start", &[], 1),
    ("service status", &[], 1),
    ("service stop", &[], 1),
    ("service uninstall", &[], 1),
    ("setup", &[], 2),
    ("status", &[], 1),
    ("token show", &[], 1),
    ("top", &[], 1),
    ("update", &[], 2),
    ("usage", &["--key", "none"], 1),
    ("user add", &["u", "--stdin"], 1),
    ("user list", &[], 0),
    ("user passwd", &["none"], 1),
    ("user remove", &["none"], 1),
    // These leave something behind.
    ("model add", &["m"], 0),
    ("model add", &["m"], 1),
    ("token rotate", &[], 0),
];

/// What can be meant nowhere.
const MEANINGLESS: &[&[&str]] = &[
    &["ask", "--max-tokens", "0", "hi"],
    &["binding", "add", "b", "--model", "m", "--lane", "cluade"],
    &["catalog", "kinds", "none"],
    &["completions", "none"],
    &["explain", "call"],
    &["host", "add", "a b", "--url", "https://h.example"],
    &["host", "add", "h", "--url", "h.example"],
    &["host-key", "add", "a b", "--host", "h", "--env", "A"],
    &["key", "create", "a b"],
    &["key", "create", "k", "--expires-in", "soon"],
    &["login", "none"],
    &["model", "add", "a b"],
    &["policy", "add", "a b", "--all"],
    &["route", "m", "--dialect", "none"],
    &["serve", "--port", "70000"],
    &["usage", "--lane", "cluade"],
    &["user", "add", "a b"],
    &["user", "add", "u", "--role", "none"],
];

#[test]
fn an_exit_code_means_the_same_at_every_command() {
    let user = User::new();
    let port = free_port();
    let code = |args: &[&str]| {
        let mut command = user.relay(args);
        command.env("SR_DAEMON_PORT", &port);
        let output = command.current_dir(user.home.path()).write_stdin("");
        let output = output.output().expect("the relay must run");
        output.status.code().expect("it ends by itself")
    };
    let mut commands = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let path: Vec<String> = path;
        // What bench is told, and how it ends, is another program's.
        if path == ["bench"] {
            continue;
        }
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        let below = behind(&stdout(user.relay(&words).arg("--help")));
        if below.is_empty() {
            words.push("--no-such-flag");
            commands.push(path.join(" "));
        }
        assert_eq!(code(&words), 2, "{words:?}");
        open.extend(
            below
                .into_iter()
                .map(|word| [path.clone(), vec![word]].concat()),
        );
    }
    for command in &commands {
        assert!(
            CANNOT.iter().any(|(path, _, _)| path == command),
            "{command}"
        );
    }
    for args in MEANINGLESS {
        assert_eq!(code(args), 2, "{args:?}");
    }
    for (path, args, expected) in CANNOT {
        let words: Vec<&str> = path.split(' ').chain(args.iter().copied()).collect();
        let is_there = commands.iter().any(|command| command == path);
        // Elsewhere the machine's own service manager would be asked.
        let is_tried = cfg!(target_os = "linux") || !path.starts_with("service");
        if is_there && is_tried {
            assert_eq!(code(&words), *expected, "{words:?}");
        }
    }
}
