//! What no relay can go below, measured beside it: the way through a terminal, the way over loopback, and a session
//! that is driven by hand.

use super::host::Host;
use super::host::Setup;
use crate::clock;
use crate::session::SessionConfig;
use crate::session::launch;
use crate::session::launch::Files;
use crate::session::launch::Launch;
use crate::session::launch::Opening;
use crate::session::machine::Verdict;
use crate::session::mcp::server::McpServer;
use crate::session::mcp::tool_list::ToolList;
use crate::session::private::create_private;
use crate::session::private::write_private;
use crate::session::pty::reap::How;
use crate::session::pty::reap::end_group;
use crate::session::pty::spawn::Process;
use crate::session::shape::Shape;
use crate::session::witness::hook::HookEvent;
use crate::session::witness::receiver::Line;
use crate::session::witness::receiver::Place;
use crate::session::witness::receiver::Post;
use crate::session::witness::receiver::Receiver;
use crate::terminal::Scene;
use crate::terminal::Screen;
use crate::terminal::keys;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A program on a terminal that gives back what it gets.
pub(crate) struct Echo {
    process: Process,
}

impl Echo {
    /// # Errors
    /// Where there is no pseudo-terminal or no `cat`.
    pub(crate) async fn start() -> io::Result<Echo> {
        let script = "stty raw -echo; printf .; exec cat";
        let (mut process, _) = Process::spawn(&Launch {
            program: "/bin/sh".into(),
            args: ["-c", script].map(Into::into).to_vec(),
            env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
            folder: "/".into(),
        })?;
        process.output.recv().await.ok_or_else(ended)?;
        Ok(Echo { process })
    }

    /// One byte there and back.
    ///
    /// # Errors
    /// Where the program is gone.
    pub(crate) async fn measure(&mut self) -> io::Result<Duration> {
        let began = clock::now();
        self.process.write(b"x".to_vec());
        self.process.output.recv().await.ok_or_else(ended)?;
        Ok(clock::now().duration_since(began))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        end_group(self.process.pid, How::Forced);
    }
}

/// The simulated claude with nobody between: its prompt typed, its `Stop` hook awaited.
pub(crate) struct Bare {
    process: Process,
    posts: mpsc::Receiver<Post>,
    screen: Screen,
    _place: Place,
}

impl Bare {
    /// Starts one in the host's folder.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start(host: &Host, setup: &Setup) -> io::Result<Bare> {
        let receiver = Receiver::listen().await?;
        let (posts_tx, posts) = mpsc::channel(POSTS_MAX);
        let (mcp, _) = McpServer::new(ToolList::default());
        let place = receiver.open(Line {
            posts: posts_tx,
            mcp,
        })?;
        let files = Files {
            folder: host.folder.join("bare"),
        };
        write_files(&files, &place)?;
        let config = config(host);
        create_private(&config.work_dir)?;
        let shape = Shape::plain(&setup.model);
        let opening = Opening::Empty(Uuid::new_v4().to_string());
        let launch = launch::launch(&setup.claude, &config, &shape, &files, &opening);
        let (process, _) = Process::spawn(&launch)?;
        let mut bare = Bare {
            process,
            posts,
            screen: Screen::new(),
            _place: place,
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
        self.submit(prompt);
        self.until(|event| matches!(event, HookEvent::Stopped { .. }))
            .await?;
        let took = clock::now().duration_since(began);
        self.idle().await?;
        self.submit("/clear");
        self.until(|event| matches!(event, HookEvent::Ended { .. }))
            .await?;
        self.idle().await?;
        Ok(took)
    }

    fn submit(&self, text: &str) {
        self.process
            .write([keys::paste(text).as_slice(), keys::ENTER].concat());
    }

    /// Draws, and lets every prompt pass, until this hook has come.
    async fn until(&mut self, is_due: impl Fn(&HookEvent) -> bool) -> io::Result<()> {
        loop {
            tokio::select! {
                post = self.posts.recv() => {
                    let Post { hook, verdict } = post.ok_or_else(ended)?;
                    if let Some(verdict) = verdict {
                        let _ = verdict.send(Verdict::Allow); // The CLI may wait no longer.
                    }
                    if is_due(&hook.event) {
                        return Ok(());
                    }
                }
                bytes = self.process.output.recv() => {
                    self.screen.feed(&bytes.ok_or_else(ended)?);
                }
            }
        }
    }

    /// Draws until the prompt box is empty and nothing runs; the folder is its own, and trusted.
    async fn idle(&mut self) -> io::Result<()> {
        let mut trusted = false;
        loop {
            let scene = self.screen.scene();
            if scene.is_idle() {
                return Ok(());
            }
            if let (Scene::Trust { steps }, false) = (scene, trusted) {
                trusted = true;
                self.process
                    .write([keys::steps(*steps).as_slice(), keys::ENTER].concat());
            }
            let bytes = tokio::time::timeout(IDLE_WAIT_MAX, self.process.output.recv()).await;
            let bytes = bytes.ok().flatten().ok_or_else(ended)?;
            self.screen.feed(&bytes);
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        end_group(self.process.pid, How::Forced);
    }
}

fn write_files(files: &Files, place: &Place) -> io::Result<()> {
    create_private(&files.folder)?;
    let settings = launch::settings(&place.url, None).to_string();
    write_private(&files.settings(), settings.as_bytes(), 0o600)?;
    let servers = launch::servers(&place.tools_url()).to_string();
    write_private(&files.tools(), servers.as_bytes(), 0o600)
}

fn config(host: &Host) -> SessionConfig {
    let path = |name: &str| host.folder.join(name);
    let env = [
        ("HOME", path("user")),
        ("FAKE_CLAUDE_SCRIPT", path("script.toml")),
    ];
    SessionConfig {
        command: None,
        env: env
            .map(|(name, path)| (name.to_owned(), path.display().to_string()))
            .into(),
        inherited: BTreeMap::new(),
        work_dir: path("bare-work"),
        run_dir: path("bare"),
        model: String::new(),
        keep_transcripts: true,
        start_wait_max: IDLE_WAIT_MAX,
        builtin_tools: false,
        tap: false,
    }
}

fn ended() -> io::Error {
    io::Error::other("the program that is measured has ended")
}

/// As many as a turn posts, and more.
const POSTS_MAX: usize = 4096;
/// A simulated claude draws at once; a very busy machine is given this.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(20);
