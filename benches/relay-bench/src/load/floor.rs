//! What no relay can go below: a terminal's echo, and a session that is driven by hand.

use super::hooks::Hooks;
use super::host::Host;
use super::host::Setup;
use super::terminal::COLUMNS;
use super::terminal::ROWS;
use super::terminal::Terminal;
use crate::clock;
use portable_pty::CommandBuilder;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A program on a terminal that gives back what it gets.
pub(crate) struct Echo {
    terminal: Terminal,
}

impl Echo {
    /// # Errors
    /// Where there is no pseudo-terminal or no `cat`.
    pub(crate) async fn start() -> io::Result<Echo> {
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", "stty raw -echo; printf .; exec cat"]);
        let mut terminal = Terminal::spawn(command)?;
        terminal.read().await?;
        Ok(Echo { terminal })
    }

    /// One byte there and back.
    ///
    /// # Errors
    /// Where the program is gone.
    pub(crate) async fn measure(&mut self) -> io::Result<Duration> {
        let began = clock::now();
        self.terminal.write(b"x")?;
        self.terminal.read().await?;
        Ok(clock::now().duration_since(began))
    }
}

/// The simulated claude with nobody between: its prompt typed, its `Stop` hook awaited.
pub(crate) struct Bare {
    terminal: Terminal,
    hooks: Hooks,
    screen: vt100::Parser,
}

impl Bare {
    /// Starts one in the host's folder.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start(host: &Host, setup: &Setup) -> io::Result<Bare> {
        let hooks = Hooks::listen().await?;
        let folder = host.folder.path().join("bare");
        fs::create_dir(&folder)?;
        let settings = folder.join("settings.json");
        fs::write(&settings, hooks.settings().to_string())?;
        let mut bare = Bare {
            terminal: Terminal::spawn(command(host.folder.path(), setup, &folder, &settings))?,
            hooks,
            screen: vt100::Parser::new(ROWS, COLUMNS, 0),
        };
        bare.idle().await?;
        Ok(bare)
    }

    /// One turn in an empty conversation, from the keystrokes to the `Stop` hook.
    ///
    /// # Errors
    /// Where the process is gone.
    pub(crate) async fn measure(&mut self, prompt: &str) -> io::Result<Duration> {
        let began = clock::now();
        self.submit(prompt)?;
        self.until("Stop").await?;
        let took = clock::now().duration_since(began);
        self.idle().await?;
        self.submit("/clear")?;
        self.until("SessionEnd").await?;
        self.idle().await?;
        Ok(took)
    }

    /// Types a text as one paste.
    fn submit(&mut self, text: &str) -> io::Result<()> {
        let keys = format!("\x1b[200~{text}\x1b[201~\r");
        self.terminal.write(keys.as_bytes())
    }

    /// Draws until this hook has come.
    async fn until(&mut self, event: &str) -> io::Result<()> {
        loop {
            tokio::select! {
                name = self.hooks.next() => {
                    if name.ok_or(io::ErrorKind::UnexpectedEof)? == event {
                        return Ok(());
                    }
                }
                bytes = self.terminal.read() => self.screen.process(&bytes?),
            }
        }
    }

    /// Draws until the prompt box is empty and nothing runs; the folder is its own, and trusted.
    async fn idle(&mut self) -> io::Result<()> {
        let mut is_trusted = false;
        loop {
            let rows = solid_rows(self.screen.screen());
            if is_idle(&rows) {
                return Ok(());
            }
            if let (Some(keys), false) = (trusting(&rows), is_trusted) {
                is_trusted = true;
                self.terminal.write(keys.as_bytes())?;
            }
            let bytes = tokio::time::timeout(IDLE_WAIT_MAX, self.terminal.read()).await;
            self.screen.process(&bytes??);
        }
    }
}

fn command(home: &Path, setup: &Setup, folder: &Path, settings: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(&setup.claude);
    command.args(["--setting-sources", "", "--model", &setup.model]);
    command.args([
        "--permission-mode",
        "dontAsk",
        "--tools",
        "",
        "--system-prompt",
        "",
    ]);
    command.args(["--session-id", SESSION_ID, "--settings"]);
    command.arg(settings);
    command.env_clear();
    command.env("TERM", "xterm-256color");
    command.env("HOME", home.join("user"));
    command.env("FAKE_CLAUDE_SCRIPT", home.join("script.toml"));
    command.cwd(folder);
    command
}

/// What stands on the screen, without the cursor and the dim hint in an empty prompt box.
fn solid_rows(screen: &vt100::Screen) -> Vec<String> {
    let cell = |row, column| {
        let cell = screen.cell(row, column);
        let is_solid = |cell: &&vt100::Cell| !cell.dim() && !cell.inverse() && cell.has_contents();
        cell.filter(is_solid)
            .map_or_else(|| " ".to_owned(), |cell| cell.contents().to_owned())
    };
    let row = |row| (0..COLUMNS).map(|column| cell(row, column)).collect();
    (0..ROWS).map(row).collect()
}

/// Whether the prompt box, which stands between the last two rules, is empty, and no turn runs.
fn is_idle(rows: &[String]) -> bool {
    let is_rule =
        |row: &String| row.chars().filter(|c| *c == '─').count() > usize::from(COLUMNS / 2);
    let Some(bottom) = rows.iter().rposition(is_rule) else {
        return false;
    };
    let Some(top) = rows[..bottom].iter().rposition(is_rule) else {
        return false;
    };
    let typed = rows[top + 1..bottom].concat();
    let typed = typed.trim_matches([' ', '\u{a0}', '❯', '>']);
    let runs = rows[bottom..]
        .iter()
        .any(|row| row.contains("esc to interrupt"));
    let is_box = rows
        .get(top + 1)
        .is_some_and(|row| row.starts_with(['❯', '>']));
    is_box && typed.is_empty() && !runs
}

/// The keys that move the mark to the choice to trust the folder, and take it; `None` where that is not asked.
fn trusting(rows: &[String]) -> Option<String> {
    let marked = rows
        .iter()
        .position(|row| row.trim_start().starts_with('❯'))?;
    let yes = rows.iter().position(|row| row.contains("Yes, I trust"))?;
    let (down, up) = (yes.saturating_sub(marked), marked.saturating_sub(yes));
    Some(format!(
        "{}{}\r",
        "\x1b[B".repeat(down),
        "\x1b[A".repeat(up)
    ))
}

/// No other session of this home has it.
const SESSION_ID: &str = "00000000-0000-4000-8000-000000000000";
/// A simulated claude draws at once; a very busy machine is given this.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(typed: &str, footer: &str) -> Vec<String> {
        let rule = "─".repeat(usize::from(COLUMNS));
        ["said", &rule, typed, &rule, footer]
            .map(str::to_owned)
            .into()
    }

    #[test]
    fn a_session_is_idle_where_its_box_is_empty_and_no_turn_runs() {
        assert!(is_idle(&screen("❯\u{a0}", "  ? for shortcuts")));
        assert!(!is_idle(&screen("❯ asks", "  ?")));
        assert!(!is_idle(&screen("❯ ", "  esc to interrupt")));
        assert!(!is_idle(&["❯ ".to_owned()]));
    }

    #[test]
    fn a_folder_is_trusted_wherever_the_mark_stands() {
        let keys = |rows: [&str; 2]| trusting(&rows.map(str::to_owned));
        let (yes, no) = ("   Yes, I trust this folder", "   No, exit");
        assert_eq!(
            keys([" ❯ Yes, I trust this folder", no]).as_deref(),
            Some("\r")
        );
        assert_eq!(keys([" ❯ No, exit", yes]).as_deref(), Some("\x1b[B\r"));
        assert_eq!(keys([yes, " ❯ No, exit"]).as_deref(), Some("\x1b[A\r"));
        assert_eq!(keys(["❯ ", "  ?"]), None);
    }
}
