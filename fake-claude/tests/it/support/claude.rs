//! The program in a terminal of its own, with a home and a working folder that go away.

use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use portable_pty::Child;
use portable_pty::CommandBuilder;
use portable_pty::ExitStatus;
use portable_pty::MasterPty;
use portable_pty::PtySize;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::support::Hooks;
use crate::support::watch::Watch;

/// How to start it.
pub(crate) struct Start {
    home: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    size: (u16, u16),
}

/// The running program.
pub(crate) struct Claude {
    home: TempDir,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Watch<Screen>>,
}

struct Screen {
    emulator: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

impl Start {
    /// A version in a trusted folder, onboarded, with the key approved.
    pub(crate) fn version(version: &str) -> Start {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let mut start = Start {
            args: Vec::new(),
            env: Vec::new(),
            size: (100, 40),
            home,
        };
        let config = json!({
            "hasCompletedOnboarding": true, "theme": "dark",
            "customApiKeyResponses": { "approved": [KEY.get(KEY.len() - 20..)], "rejected": [] },
            "projects": { start.work().to_string_lossy(): { "hasTrustDialogAccepted": true } },
        });
        start.configure(&config);
        std::fs::create_dir(start.work()).expect("the working folder can be made");
        start.env("FAKE_CLAUDE_VERSION", version);
        start.env("FAKE_CLAUDE_FLUSH_DELAY_MS", "0");
        start.env("CLAUDE_CODE_MAX_RETRIES", "0");
        start
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// Another `~/.claude.json`.
    pub(crate) fn configure(&self, config: &Value) {
        let path = self.home.path().join(".claude.json");
        std::fs::write(path, config.to_string()).expect("the configuration can be written");
    }

    pub(crate) fn args(&mut self, args: &[&str]) -> &mut Start {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Nothing is asked, and what happens is told to these hooks.
    pub(crate) fn hooked(&mut self, hooks: &Hooks) -> &mut Start {
        let settings = hooks.settings();
        self.args(&["--permission-mode", "dontAsk", "--settings", &settings])
    }

    pub(crate) fn env(&mut self, name: &str, value: &str) -> &mut Start {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers come from a script.
    pub(crate) fn script(&mut self, script: &str) -> &mut Start {
        let path = self.home.path().join("script.toml");
        std::fs::write(&path, script).expect("the script can be written");
        self.env("FAKE_CLAUDE_SCRIPT", &path.to_string_lossy())
    }

    /// Answers come from this host.
    pub(crate) fn upstream(&mut self, url: &str) -> &mut Start {
        self.env("ANTHROPIC_BASE_URL", url)
            .env("ANTHROPIC_API_KEY", KEY)
    }

    pub(crate) fn size(&mut self, columns: u16, rows: u16) -> &mut Start {
        self.size = (columns, rows);
        self
    }

    pub(crate) fn run(self) -> Claude {
        let (columns, rows) = self.size;
        let pair = portable_pty::native_pty_system()
            .openpty(size(columns, rows))
            .expect("a terminal can be opened");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fake-claude"));
        command.args(&self.args);
        command.cwd(self.work());
        command.env_clear();
        command.env("HOME", self.home.path());
        command.env("PATH", "/usr/bin:/bin");
        for (name, value) in &self.env {
            command.env(name, value);
        }
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program can be started");
        drop(pair.slave);
        let screen = Arc::new(Watch::of(Screen {
            emulator: vt100::Parser::new(rows, columns, 0),
            raw: Vec::new(),
            closed: false,
        }));
        let mut output = pair
            .master
            .try_clone_reader()
            .expect("the terminal can be read");
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || read(&mut *output, &shared));
        Claude {
            home: self.home,
            child,
            keys: pair
                .master
                .take_writer()
                .expect("the terminal can be written"),
            master: pair.master,
            screen,
        }
    }
}

impl Claude {
    /// Waits for the prompt box.
    pub(crate) fn ready(&self) {
        self.sees("❯");
    }

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keys
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// Types a prompt, waits until it stands in the box, and presses Enter.
    pub(crate) fn submit(&mut self, prompt: &str) {
        self.type_keys(prompt);
        self.sees(prompt);
        self.type_keys("\r");
    }

    pub(crate) fn text(&self) -> String {
        self.screen.lock().emulator.screen().contents()
    }

    /// Waits until the screen shows `text`.
    pub(crate) fn sees(&self, text: &str) {
        self.sees_that(text, |shown| shown.contains(text));
    }

    /// Waits until the screen shows it that often.
    pub(crate) fn sees_times(&self, text: &str, times: usize) {
        self.sees_that(text, |shown| shown.matches(text).count() >= times);
    }

    /// Waits until the screen shows it no more.
    pub(crate) fn sees_no(&self, text: &str) {
        self.sees_that(text, |shown| !shown.contains(text));
    }

    fn sees_that(&self, text: &str, holds: impl Fn(&str) -> bool) {
        let seen = self
            .screen
            .wait(|screen| holds(&screen.emulator.screen().contents()).then_some(()));
        assert!(seen.is_some(), "waited for {text:?}, saw:\n{}", self.text());
    }

    /// How much memory the process holds.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_kb(&self) -> usize {
        let process = self.child.process_id().expect("the process runs");
        let status = std::fs::read_to_string(format!("/proc/{process}/status"));
        let status = status.expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        number.expect("the status tells the resident size")
    }

    /// Waits until these bytes were written to the terminal.
    pub(crate) fn wrote(&self, bytes: &str) {
        let bytes = bytes.as_bytes();
        let found = self.screen.wait(|screen| {
            let mut windows = screen.raw.windows(bytes.len());
            windows.any(|window| window == bytes).then_some(())
        });
        assert!(found.is_some(), "waited for {bytes:?} in the output");
    }

    /// Everything written to the terminal so far.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.screen.lock().raw.clone()
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.screen
            .change(|screen| screen.emulator.screen_mut().set_size(rows, columns));
        self.master
            .resize(size(columns, rows))
            .expect("the terminal can be resized");
    }

    /// Waits for the end of the process, with all that it wrote.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let closed = self.screen.wait(|screen| screen.closed.then_some(()));
        assert!(closed.is_some(), "the program must end:\n{}", self.text());
        let status = self.child.wait().expect("the program can be waited for");
        let raw = self.raw();
        (status, String::from_utf8_lossy(&raw).into_owned())
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// The only transcript's records.
    pub(crate) fn transcript(&self) -> Vec<Value> {
        let mut files = Vec::new();
        let projects = self.home().join(".claude/projects");
        for folder in std::fs::read_dir(projects).into_iter().flatten().flatten() {
            let entries = std::fs::read_dir(folder.path())
                .into_iter()
                .flatten()
                .flatten();
            files.extend(
                entries
                    .map(|entry| entry.path())
                    .filter(|path| path.is_file()),
            );
        }
        assert_eq!(files.len(), 1, "one session has one transcript: {files:?}");
        let text = std::fs::read_to_string(&files[0]).expect("a transcript can be read");
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits until a record of the transcript pleases.
    pub(crate) fn record(&self, what: &str, pleases: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..RECORD_LOOKS {
            if let Some(found) = self.transcript().into_iter().find(|record| pleases(record)) {
                return found;
            }
            self.screen.nap();
        }
        panic!("no record {what}: {:#?}", self.transcript());
    }
}

impl Drop for Claude {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut dyn Read, screen: &Watch<Screen>) {
    let mut bytes = [0; 65_536];
    while let Ok(count) = output.read(&mut bytes)
        && count > 0
    {
        screen.change(|screen| {
            screen.emulator.process(&bytes[..count]);
            screen.raw.extend_from_slice(&bytes[..count]);
        });
    }
    screen.change(|screen| screen.closed = true);
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// Never valid anywhere.
const KEY: &str = "sk-ant-api03-dummy-key-for-local-mock";
/// How often a test looks into the transcript, which tells nobody that it grew.
const RECORD_LOOKS: usize = 2000;
