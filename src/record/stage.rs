//! A throwaway world for one claude: its home, its folder, its transcripts, its command line.

use super::case::Case;
use super::case::Key;
use super::case::Past;
use super::dialect::Dialect;
use super::upstream::HOOK_PATH;
use super::upstream::MCP_PATH;
use super::upstream::Upstream;
use crate::clock;
use crate::disk::make_private_folder;
use crate::disk::write_private;
use crate::session::Files;
use crate::session::Launch;
use crate::session::Opening;
use crate::session::SessionConfig;
use crate::session::Shape;
use crate::session::TranscriptReader;
use crate::session::TranscriptStore;
use crate::session::editor_script;
use crate::session::make_pipe;
use crate::session::open_gate;
use crate::session::parse_record;
use crate::session::pty_launch;
use crate::terminal::scrub::Scrub;
use crate::turn::Block;
use crate::turn::Message;
use crate::turn::Role;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::UNIX_EPOCH;
use uuid::Uuid;

/// The claude that is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
    /// `PATH`, so that a script finds its interpreter.
    pub(crate) path: OsString,
    /// The user's home folder, which is to be seen nowhere.
    pub(crate) home: Option<PathBuf>,
    /// Set for it, beside what every session gets.
    pub(crate) env: BTreeMap<String, String>,
}

impl Subject {
    /// A claude as the relay's sessions run it, without what would lead it to the user's login, folder or proxy.
    pub(crate) fn of_sessions(program: &Path, version: &str, session: &SessionConfig) -> Subject {
        let inherited = |name: &str| session.inherited.get(&OsString::from(name)).cloned();
        let harmless = |name: &str| {
            let begins = ["ANTHROPIC_", "CLAUDE_"]
                .iter()
                .any(|mark| name.starts_with(mark));
            !begins && !name.to_ascii_lowercase().ends_with("_proxy")
        };
        let env = session.env.iter().filter(|(name, _)| harmless(name));
        Subject {
            program: program.to_owned(),
            version: version.to_owned(),
            path: inherited("PATH").unwrap_or_default(),
            home: inherited("HOME").map(PathBuf::from),
            env: env
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}

/// The world of one case. Dropping it removes it.
pub(crate) struct Stage {
    version: String,
    base: PathBuf,
    config: SessionConfig,
    files: Files,
    transcript_store: TranscriptStore,
    /// How much of a transcript we wrote ourselves.
    written: BTreeMap<PathBuf, u64>,
}

impl Stage {
    /// Makes the folders and files of a case.
    ///
    /// # Errors
    /// Where the folder for temporary files cannot be written.
    pub(crate) fn build(subject: &Subject, case: &Case, upstream: &Upstream) -> io::Result<Stage> {
        let base = free_folder(&std::env::temp_dir().canonicalize()?)?;
        let (home, work_dir, run) = (base.join("user"), base.join("work"), base.join("run"));
        for folder in [&base, &home, &work_dir, &run] {
            make_private_folder(folder)?;
        }
        let config = config(subject, case, upstream, &home, &work_dir, &run);
        let transcript_store = TranscriptStore::new(&home.join(".claude"), &work_dir, true);
        transcript_store.label(&subject.version);
        let stage = Stage {
            version: subject.version.clone(),
            base,
            files: Files { folder: run },
            config,
            transcript_store,
            written: BTreeMap::new(),
        };
        let state = claude_state(case, &work_dir).to_string();
        write_private(&home.join(".claude.json"), state.as_bytes(), 0o600)?;
        write_private(
            &stage.files.editor(),
            editor_script(&stage.files).as_bytes(),
            0o700,
        )?;
        Ok(stage)
    }

    /// The process to start.
    ///
    /// # Errors
    /// Where a file of it cannot be written.
    pub(crate) fn launch(
        &mut self,
        subject: &Subject,
        case: &Case,
        upstream: &Upstream,
    ) -> io::Result<Launch> {
        let dialect = match case.setup.as_the_relay {
            true => Dialect::of_the_relay(),
            false => Dialect::of(&subject.version),
        };
        let gate = case.setup.gated.then(|| self.files.gate());
        if let Some(gate) = &gate {
            make_pipe(gate)?;
        }
        let settings = dialect
            .settings(&upstream.url(HOOK_PATH), &self.hook_file(), gate.as_deref())
            .to_string();
        write_private(&self.files.settings(), settings.as_bytes(), 0o600)?;
        let opening = match case.setup.interrupted {
            true => Opening::Interrupted(self.write(&interrupted())?),
            false => Opening::Empty(Uuid::new_v4().to_string()),
        };
        let mut shape = Shape::plain(MODEL);
        shape.thinking = case.setup.thinking;
        let mut launch = pty_launch(
            &subject.program,
            &self.config,
            &shape,
            &self.files,
            &opening,
        );
        launch.args = dialect.args(launch.args);
        if case.setup.tools {
            launch.args.splice(0..0, self.offer_tools(upstream)?);
        }
        launch
            .args
            .extend(case.setup.flags.iter().map(OsString::from));
        Ok(launch)
    }

    /// The flags by which the process finds the case's tools.
    fn offer_tools(&self, upstream: &Upstream) -> io::Result<[OsString; 4]> {
        let server = json!({"type": "http", "url": upstream.url(MCP_PATH), "alwaysLoad": true});
        let servers = json!({"mcpServers": {super::answer::SERVER: server}}).to_string();
        let file = self.base.join("run").join("mcp.json");
        write_private(&file, servers.as_bytes(), 0o600)?;
        Ok([
            "--mcp-config".into(),
            file.into(),
            "--allowedTools".into(),
            format!("mcp__{}", super::answer::SERVER).into(),
        ])
    }

    /// Lets a session that waits at its gate begin; the pipe's end is to be held until it has.
    ///
    /// # Errors
    /// Where the pipe cannot be written.
    pub(crate) fn open_gate(&self) -> io::Result<fs::File> {
        open_gate(&self.files)
    }

    /// Puts a prompt where the editor takes it from.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn stage_prompt(&self, text: &str) -> io::Result<()> {
        write_private(&self.files.prompt(), text.as_bytes(), 0o600)
    }

    /// Writes a conversation that can be taken up; returns its id.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write_past(&mut self, past: Past) -> io::Result<String> {
        match past {
            Past::History => self.write(&history()),
            Past::Blank => self.write_blank(),
            Past::Told => {
                self.tell_the_day();
                self.write_blank()
            }
        }
    }

    /// From here on what is written has the day told, as the CLI itself would tell it.
    fn tell_the_day(&self) {
        let now = UNIX_EPOCH + Duration::from_millis(clock::unix_ms());
        let time = humantime::format_rfc3339(now).to_string();
        let (today, _) = time.split_once('T').unwrap_or_default();
        let told = [
            json!({"type": "session_context", "context": {}}),
            json!({"type": "date", "date": today}),
        ];
        let told = told.map(
            |content| json!({"type": "attachment", "version": self.version, "attachment": content}),
        );
        let told = told.map(|record| parse_record(record.to_string().as_bytes()));
        self.transcript_store.learn(MODEL, &told);
    }

    fn write_blank(&mut self) -> io::Result<String> {
        let uuid = self.transcript_store.write_blank(self.reader())?;
        self.note_written(&uuid)?;
        Ok(uuid)
    }

    fn write(&mut self, messages: &[Message]) -> io::Result<String> {
        let uuid = self.transcript_store.write(messages, self.reader())?;
        self.note_written(&uuid)?;
        Ok(uuid)
    }

    fn reader(&self) -> TranscriptReader<'_> {
        TranscriptReader {
            version: &self.version,
            model: MODEL,
        }
    }

    fn note_written(&mut self, uuid: &str) -> io::Result<()> {
        let path = self.transcript_store.path(uuid);
        let length = fs::metadata(&path)?.len();
        self.written.insert(path, length);
        Ok(())
    }

    /// The records that the CLI wrote, oldest transcript first.
    pub(crate) fn transcript(&self) -> Vec<Value> {
        let mut files: Vec<_> = self
            .transcripts()
            .map(|path| {
                let born = fs::metadata(&path).and_then(|meta| meta.created().or(meta.modified()));
                (born.ok(), path)
            })
            .collect();
        files.sort();
        let records = files.into_iter().flat_map(|(_, path)| self.records(&path));
        records.collect()
    }

    /// Turns whose closing record is in a transcript.
    pub(crate) fn closes(&self) -> usize {
        let texts = self
            .transcripts()
            .filter_map(|path| fs::read_to_string(path).ok());
        texts.map(|text| text.matches(CLOSING).count()).sum()
    }

    /// Hooks that were written, by a version that cannot post them.
    pub(crate) fn written_hooks(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.hook_file()).unwrap_or_default();
        let hooks = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        hooks.collect()
    }

    fn hook_file(&self) -> PathBuf {
        self.files.folder.join("hooks.jsonl")
    }

    /// How large the transcripts are, all together.
    pub(crate) fn transcript_bytes(&self) -> u64 {
        let sizes = self
            .transcripts()
            .filter_map(|path| fs::metadata(path).ok());
        sizes.map(|meta| meta.len()).sum()
    }

    fn transcripts(&self) -> impl Iterator<Item = PathBuf> {
        let folder = self.transcript_store.path("x").parent().map(Path::to_owned);
        let entries = folder.and_then(|folder| fs::read_dir(folder).ok());
        let paths = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
    }

    fn records(&self, path: &Path) -> Vec<Value> {
        let text = fs::read(path).unwrap_or_default();
        let ours = self.written.get(path).copied().unwrap_or_default();
        let theirs = text.get(usize::try_from(ours).unwrap_or_default()..);
        let theirs = String::from_utf8_lossy(theirs.unwrap_or_default()).into_owned();
        let records = theirs
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        records.collect()
    }

    /// What this world would tell of the machine on the screen. Its own folder is told where it is a common one.
    pub(crate) fn screen_scrub(&self, subject: &Subject) -> Scrub {
        let base = self.base.to_string_lossy();
        let scrub = private(subject).keep_uuids();
        match base.starts_with(COMMON) {
            true => scrub,
            false => scrub.hide(&base, &format!("{COMMON}{STEM}")),
        }
    }

    /// What it would tell elsewhere.
    pub(crate) fn wire_scrub(&self, subject: &Subject) -> Scrub {
        let base = self.base.to_string_lossy();
        let slug = base.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let stem = format!("{COMMON}{STEM}");
        private(subject)
            .hide(&base, &stem)
            .hide(&slug, &stem.replace('/', "-"))
            .hide(&today(), "2000-01-01")
    }
}

fn private(subject: &Subject) -> Scrub {
    let home = subject.home.as_deref().map(Path::to_string_lossy);
    Scrub::default()
        .hide(&home.unwrap_or_default(), "/u")
        .hide(&system_release(), "0.0.0")
}

/// The date of the recording, as texts of the CLI say it.
fn today() -> String {
    let now = UNIX_EPOCH + Duration::from_millis(clock::unix_ms());
    let stamp = humantime::format_rfc3339_seconds(now).to_string();
    stamp.split('T').next().unwrap_or_default().to_owned()
}

/// The release of the machine's system, which the CLI tells the model.
fn system_release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.base));
    }
}

/// Makes the first folder of a fixed name that is free: the CLI draws its folder in parts, and what changes from one
/// recording to the next should be as little as can be.
fn free_folder(parent: &Path) -> io::Result<PathBuf> {
    let mut last = io::Error::other("no name is free");
    for number in 1..=FOLDERS_MAX {
        let folder = parent.join(format!("{STEM}{number:04}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn config(
    subject: &Subject,
    case: &Case,
    upstream: &Upstream,
    home: &Path,
    work_dir: &Path,
    run_dir: &Path,
) -> SessionConfig {
    let mut env = subject.env.clone();
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("HOME", home.to_string_lossy().into_owned());
    set("LANG", "C.UTF-8".to_owned());
    set("TZ", "UTC".to_owned());
    set("ANTHROPIC_BASE_URL", upstream.url(""));
    set("NO_PROXY", "127.0.0.1".to_owned());
    set(
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
        "1".to_owned(),
    );
    if case.setup.key != Key::Missing {
        set("ANTHROPIC_API_KEY", API_KEY.to_owned());
    }
    SessionConfig {
        command: Some(subject.program.clone()),
        env,
        inherited: BTreeMap::from([("PATH".into(), subject.path.clone())]),
        work_dir: work_dir.to_owned(),
        run_dir: run_dir.to_owned(),
        model: MODEL.to_owned(),
        keep_transcripts: true,
        start_wait_max: Duration::ZERO,
        builtin_tools: false,
        tap: false,
    }
}

/// `~/.claude.json` of a user who has seen the first screens already.
fn claude_state(case: &Case, work_dir: &Path) -> Value {
    let key = &API_KEY[API_KEY.len() - KEY_CHARACTERS_SHOWN..];
    let approved = match case.setup.key {
        Key::Approved => vec![key],
        Key::Unasked | Key::Missing => Vec::new(),
    };
    let mut state = json!({
        "hasCompletedOnboarding": true,
        "theme": "dark",
        "customApiKeyResponses": {"approved": approved, "rejected": []},
    });
    if !case.setup.new_folder {
        let folder = work_dir.to_string_lossy().into_owned();
        state["projects"] = json!({folder: {"hasTrustDialogAccepted": true}});
    }
    state
}

fn history() -> Vec<Message> {
    vec![
        said(Role::User, "My colour is blue."),
        said(Role::Assistant, "Noted."),
    ]
}

fn interrupted() -> Vec<Message> {
    let mut messages = history();
    messages.push(said(Role::User, "!not a command\tbut a text"));
    messages
}

fn said(role: Role, text: &str) -> Message {
    Message {
        role,
        blocks: vec![Block::Text(text.to_owned())],
    }
}

/// The model of every case; what is asked of another is the CLI's own affair.
pub(crate) const MODEL: &str = "claude-opus-4-8";
/// Valid nowhere.
const API_KEY: &str = concat!("sk-", "ant-", "api03-of-the-recorder-and-valid-nowhere");
/// The CLI remembers a key by so many of its last characters.
const KEY_CHARACTERS_SHOWN: usize = 20;
/// What a turn's last record says of itself.
const CLOSING: &str = "\"subtype\":\"turn_duration\"";
/// Where most systems keep temporary files.
const COMMON: &str = "/tmp/";
const STEM: &str = "relay-record-";
/// More recordings at once, or that were left behind, mean that something is wrong.
const FOLDERS_MAX: u32 = 999;
