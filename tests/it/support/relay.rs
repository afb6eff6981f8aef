//! A relay in a world of its own: its state folder, claude's home, a script, and nothing of this machine's environment.

use super::client;
use super::fake::FAKE_CLAUDE;
use super::fake::inherited;
use super::process;
use super::upstream::Upstream;
use super::wait;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use tempfile::TempDir;

/// A folder with all that a relay and its sessions read and write. Relays may be started in it one after the other.
pub(crate) struct World {
    folder: TempDir,
    env: Vec<(String, String)>,
    server: String,
    pool: String,
    claude: String,
    has_claude: bool,
    /// The claude to run in place of the usual one, in this folder.
    command: Option<&'static str>,
    files_max: Option<u64>,
    /// Further arguments of `serve`.
    args: &'static [&'static str],
}

/// A running relay. Dropping it ends it and all of its sessions at once, and shows the end of its log where the test
/// has failed. `RELAY_TEST_LOG=1` shows all of the log of every relay, also of shared ones.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    daemon: Child,
    watchdog: Child,
    log: Arc<Mutex<Vec<String>>>,
}

/// How a relay ended that never served.
pub(crate) struct Refusal {
    pub(crate) code: Option<i32>,
    pub(crate) words: String,
}

impl World {
    /// Sessions answer from a script.
    pub(crate) fn scripted(script: &str) -> World {
        let world = World::empty();
        let file = world.path("script.toml");
        fs::write(&file, format!("flush_delay_ms = 0\n{script}"))
            .expect("a script must be written");
        world.env("FAKE_CLAUDE_SCRIPT", &file.to_string_lossy())
    }

    /// Sessions ask this upstream, with a key.
    pub(crate) fn upstream(upstream: &Upstream) -> World {
        World::asking(&upstream.url())
    }

    /// Sessions ask at this address, with a key.
    pub(crate) fn asking(url: &str) -> World {
        World::empty()
            .env("FAKE_CLAUDE_FLUSH_DELAY_MS", "0")
            .env("ANTHROPIC_BASE_URL", url)
            .env("ANTHROPIC_AUTH_TOKEN", "any")
    }

    fn empty() -> World {
        let world = World {
            folder: tempfile::tempdir().expect("a temporary folder must be made"),
            env: Vec::new(),
            server: String::new(),
            pool: String::new(),
            claude: String::new(),
            has_claude: true,
            command: None,
            files_max: None,
            args: &[],
        };
        fs::create_dir(world.path("user")).expect("a home must be made");
        world
    }

    /// A variable for the sessions; the last word of its name counts.
    pub(crate) fn env(mut self, name: &str, value: &str) -> World {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keys of `[pool]`.
    pub(crate) fn pool(mut self, keys: &str) -> World {
        keys.clone_into(&mut self.pool);
        self
    }

    /// Keys of `[claude]`.
    pub(crate) fn claude(mut self, keys: &str) -> World {
        keys.clone_into(&mut self.claude);
        self
    }

    /// Keys of `[server]`.
    pub(crate) fn server(mut self, keys: &str) -> World {
        keys.clone_into(&mut self.server);
        self
    }

    /// Further sections of the configuration.
    pub(crate) fn sections(mut self, text: &str) -> World {
        self.pool.push('\n');
        self.pool.push_str(text);
        self
    }

    /// Sessions run what lies at this path of the world's folder.
    pub(crate) fn command(mut self, name: &'static str) -> World {
        self.command = Some(name);
        self
    }

    /// Puts a claude of this version at a path of the world's folder, in the place of whatever lies there: a program
    /// that leads to the fake one.
    pub(crate) fn install(&self, name: &str, version: &str) {
        let fake = FAKE_CLAUDE.display();
        let script = format!("#!/bin/sh\nFAKE_CLAUDE_VERSION={version} exec '{fake}' \"$@\"\n");
        self.put_program(name, &script);
    }

    /// Puts a script at a path of the world's folder, in the place of whatever lies there.
    pub(crate) fn put_program(&self, name: &str, script: &str) {
        let next = self.path("next");
        // A shell writes it: a file that this process has had open for writing may not start in a child of another test.
        let write = Command::new("sh")
            .args([
                "-c",
                "printf '%s' \"$2\" > \"$1\" && chmod 755 \"$1\"",
                "sh",
            ])
            .args([next.as_os_str(), script.as_ref()])
            .status();
        assert!(write.is_ok_and(|status| status.success()));
        fs::rename(next, self.path(name)).expect("a program must be put in place");
    }

    /// Writes the catalog, which a relay of this world reads at its start or takes up while it runs.
    pub(crate) fn declare(&self, catalog: &str) {
        fs::create_dir_all(self.path("state/catalog")).expect("a folder must be made");
        fs::write(self.path("state/catalog/all.yaml"), catalog).expect("a catalog must be written");
    }

    /// A credential that the catalog names by its file.
    pub(crate) fn credential(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path("state/catalog")).expect("a folder must be made");
        fs::write(self.path("state/catalog").join(name), text)
            .expect("a credential must be written");
    }

    /// The relay may have so many files open, and cannot raise that.
    pub(crate) fn files_max(mut self, files: u64) -> World {
        self.files_max = Some(files);
        self
    }

    /// Stand-ins answer, as for a first look.
    pub(crate) fn simulated(mut self) -> World {
        self.args = &["--simulated"];
        self
    }

    /// There is no claude, wherever one looks.
    pub(crate) fn without_claude(mut self) -> World {
        self.has_claude = false;
        self
    }

    /// A relay in this world, ready to serve.
    pub(crate) fn start(self) -> Relay {
        Relay::start(Arc::new(self))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The processes that the relay says it has started.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let text = fs::read(self.path("state/pty-pids.json")).unwrap_or_default();
        let entries: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
        let pid = |entry: &Value| {
            entry["pid"]
                .as_u64()
                .and_then(|pid| u32::try_from(pid).ok())
        };
        entries.iter().filter_map(pid).collect()
    }

    /// Every file below a folder of this world.
    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        files_in(&self.path(folder))
    }

    /// Every transcript that lies in claude's home.
    pub(crate) fn transcripts(&self) -> Vec<PathBuf> {
        self.files("user/.claude/projects")
    }

    /// A relay that is expected not to come up.
    pub(crate) fn refusal(&self, args: &[&str]) -> Refusal {
        let output = self
            .serve_command(args)
            .output()
            .expect("the relay must run");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Refusal {
            code: output.status.code(),
            words,
        }
    }

    /// Runs a command of the relay to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = self.program();
        command
            .args(args)
            .output()
            .expect("the relay's command must run")
    }

    fn serve_command(&self, args: &[&str]) -> Command {
        let config = self.path("relay.toml");
        fs::write(&config, self.config()).expect("a configuration must be written");
        let mut command = match self.files_max {
            None => self.program(),
            Some(files) => {
                let mut shell = Command::new("sh");
                let script = "ulimit -n \"$0\" && exec \"$@\"";
                shell.args(["-c", script, &files.to_string(), RELAY]);
                self.environment(&mut shell);
                shell
            }
        };
        command
            .args(["serve", "--config"])
            .arg(config)
            .args(args)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Writes the configuration to where a user's lies, with this port.
    pub(crate) fn settle(&self, port: u16) {
        let config = self.config().replace("port = 0", &format!("port = {port}"));
        fs::create_dir_all(self.path("state")).expect("a state folder must be made");
        fs::write(self.path("state/relay.toml"), config).expect("a configuration must be written");
    }

    /// The relay in this world's environment.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(RELAY);
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        let path = inherited("PATH").filter(|_| self.has_claude);
        command
            .env_clear()
            .envs(path.map(|path| ("PATH", path)))
            .envs(
                self.env
                    .iter()
                    .filter(|(name, _)| {
                        [VERSION, "SSL_CERT_FILE"].contains(&name.as_str()) || name.starts_with(OWN)
                    })
                    .cloned(),
            )
            .env("HOME", self.path("user"))
            .env("INFERENCE_RELAY_HOME", self.path("state"));
    }

    fn config(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let home = self.path("user").to_string_lossy().into_owned();
        let mut env = format!("HOME = {}\n", quoted(&home));
        for (name, value) in &self.env {
            env.push_str(&format!("{name} = {}\n", quoted(value)));
        }
        let path = match self.command {
            Some(name) => self.path(name),
            None => FAKE_CLAUDE.clone(),
        };
        let command = match self.has_claude {
            true => format!("command = {}\n", quoted(&path.to_string_lossy())),
            false => String::new(),
        };
        let control = match self.pool.contains("[control]") {
            true => "",
            false => "[control]\nport = \"off\"\n",
        };
        format!(
            "{control}[server]\nport = 0\n{}\n[claude]\n{command}{}\n[claude.env]\n{env}[log]\nlevel = \"trace\"\n[pool]\n{}\n",
            self.server, self.claude, self.pool
        )
    }
}

impl Relay {
    /// A relay in a world that another one may have left.
    pub(crate) fn start(world: Arc<World>) -> Relay {
        let mut daemon = world
            .serve_command(world.args)
            .spawn()
            .expect("the relay must start");
        let stderr = daemon.stderr.take().expect("stderr is a pipe");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (address_tx, address) = mpsc::channel();
        let lines = Arc::clone(&log);
        let aloud = inherited("RELAY_TEST_LOG").is_some();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = address_tx.send(address); // Only the first one is waited for.
                }
                // Looking at the relay is not part of its story.
                if line.contains(" method=GET ") {
                    continue;
                }
                if aloud {
                    let _ = writeln!(std::io::stderr(), "{line}");
                }
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        let watchdog = watchdog(daemon.id(), world.folder.path());
        let told = address.recv_timeout(wait::DEADLINE);
        let relay = Relay {
            address: told.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0))),
            world,
            daemon,
            watchdog,
            log,
        };
        assert_ne!(relay.address.port(), 0, "the relay did not come up");
        relay
    }

    pub(crate) fn post(&self, body: &Value) -> client::Response {
        client::post(self.address, body)
    }

    /// Asks one thing and takes the whole answer.
    pub(crate) fn ask(&self, prompt: &str) -> client::Response {
        self.post(&client::call(prompt))
    }

    pub(crate) fn stream(&self, body: &Value) -> client::Stream {
        client::stream(self.address, body)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        client::get(self.address, path).json()
    }

    /// What `/v1/sessions` says, as pid and state.
    pub(crate) fn sessions(&self) -> Vec<(u32, String)> {
        let told = self.get("/v1/sessions");
        let sessions = told["sessions"].as_array().expect("sessions are a list");
        let pid = |session: &Value| {
            session["pid"]
                .as_u64()
                .and_then(|pid| u32::try_from(pid).ok())
        };
        let state = |session: &Value| session["state"].as_str().unwrap_or_default().to_owned();
        sessions
            .iter()
            .map(|session| (pid(session).unwrap_or(0), state(session)))
            .collect()
    }

    /// Waits until this many sessions live and all of them are idle; their pids.
    pub(crate) fn idle(&self, count: usize) -> Vec<u32> {
        wait::until(&format!("{count} sessions, all idle"), || {
            let sessions = self.sessions();
            let at_rest = sessions.iter().all(|(_, state)| state == "idle");
            (at_rest && sessions.len() == count)
                .then(|| sessions.iter().map(|(pid, _)| *pid).collect())
        })
    }

    /// Waits for a session that serves a turn; its pid.
    pub(crate) fn busy(&self) -> u32 {
        wait::until("a busy session", || {
            let sessions = self.sessions();
            let busy = sessions
                .iter()
                .find(|(pid, state)| state == "busy" && *pid != 0);
            busy.map(|(pid, _)| *pid)
        })
    }

    /// Waits until this many callers wait for a session.
    pub(crate) fn queued(&self, count: usize) {
        wait::until(&format!("{count} callers in the queue"), || {
            (self.get("/v1/sessions")["waiting"] == count).then_some(())
        });
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Waits for the daemon's own end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let daemon = &mut self.daemon;
        wait::until("the relay's end", || {
            daemon.try_wait().expect("the relay is our child")
        })
    }

    /// All of its log so far.
    pub(crate) fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.join("\n")
    }

    fn last_words(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log[log.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let pids = self.world.pids();
        if !matches!(self.daemon.try_wait(), Ok(Some(_))) {
            process::end_group(self.daemon.id());
            let _ = self.daemon.wait();
        }
        for pid in pids.into_iter().filter(|pid| process::is_alive(*pid)) {
            process::end_group(pid);
        }
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "---- the relay's log ----\n{}",
                self.last_words()
            );
        }
    }
}

/// Ends the relay and removes its world when this process ends, however it ends: relays that tests share are in
/// statics, and those are never dropped.
fn watchdog(pid: u32, folder: &Path) -> Child {
    let script = "cat >/dev/null; kill -TERM \"$1\"; n=0; \
                  while kill -0 \"$1\" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.05; n=$((n+1)); done; rm -rf \"$2\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "watchdog", &pid.to_string()])
        .arg(folder)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("sh must start")
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening address=")?;
    rest.split(' ').next()?.parse().ok()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_in(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The program under test.
const RELAY: &str = env!("CARGO_BIN_EXE_inference-relay");
/// What fake-claude takes for its version; the relay asks for that with its own environment.
const VERSION: &str = "FAKE_CLAUDE_VERSION";
/// What variables begin with that are the relay's own and no session's.
const OWN: &str = "RELAY_";
/// Enough to see the turn that failed.
const LOG_LINES_SHOWN: usize = 150;

/// A port that was free a moment ago, and that no other test of this run is given. It is none of those that the system gives
/// to whoever asks for any: a service that starts anew finds it free again.
pub(crate) fn free_port() -> u16 {
    loop {
        let step = PORTS_GIVEN.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
        let port = FIRST_PORT + u16::try_from(step % PORTS).expect("there are fewer ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

static PORTS_GIVEN: AtomicU32 = AtomicU32::new(0);
/// Linux gives ports from 32768 on by itself, others from 49152 on.
const FIRST_PORT: u16 = 20_000;
const PORTS: u32 = 12_000;
