//! One app-server: the task that moves lines between it and the calls that it serves.

use super::account::Account;
use super::connection::Ask;
use super::connection::CallKey;
use super::connection::Connection;
use super::connection::ConnectionEvent;
use super::connection::Inbound;
use super::http_log;
use super::known::Known;
use super::launch::Folder;
use super::rpc::Lines;
use super::rpc::Unread;
use super::talk::Speaker;
use super::talk::Talk;
use crate::clock;
use crate::session::EndMode;
use crate::session::ProcessRegistry;
use crate::session::end_group;
use crate::sync::lock;
use serde_json::Value;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::process::ChildStderr;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::timeout;

/// How an app-server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    Starting,
    Ready {
        version: String,
        account: Account,
    },
    /// It is of no further use.
    Gone(String),
}

/// A word to an app-server.
#[derive(Debug)]
pub(super) enum Order {
    Begin(CallKey, mpsc::Sender<Inbound>),
    Ask(CallKey, Ask, Value),
    End(CallKey),
}

/// A live app-server. It ends when its last holder lets go.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) status: watch::Receiver<Status>,
    /// Calls under way.
    pub(super) load: AtomicUsize,
    /// Calls that it was given.
    pub(super) calls: AtomicUsize,
    pub(super) models: BTreeSet<String>,
    pub(super) login: Option<SystemTime>,
    /// It gets no further call.
    is_retired: AtomicBool,
    /// An empty folder, which threads are told to be in.
    pub(super) empty: String,
}

/// What a process is started with.
pub(super) struct Birth {
    pub(super) child: Child,
    pub(super) folder: Folder,
    pub(super) models: BTreeSet<String>,
    pub(super) login: Option<SystemTime>,
    pub(super) registry: ProcessRegistry,
    pub(super) known: Arc<Mutex<Known>>,
    pub(super) talk: Option<Talk>,
}

impl Process {
    /// Takes a child up; `None` where it has ended already.
    pub(super) fn start(mut birth: Birth) -> Option<Process> {
        let pid = birth.child.id()?;
        let (stdin, stdout) = (birth.child.stdin.take()?, birth.child.stdout.take()?);
        let stderr = birth.child.stderr.take()?;
        birth.registry.add(pid);
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (told, status) = watch::channel(Status::Starting);
        let (models, login) = (std::mem::take(&mut birth.models), birth.login);
        let empty = birth.folder.empty().to_string_lossy().into_owned();
        let driver = AppServer {
            connection: Connection::begin(env!("CARGO_PKG_VERSION")),
            calls: HashMap::new(),
            known: Arc::clone(&birth.known),
            status: told,
            talk: birth.talk.take(),
        };
        tokio::spawn(async move {
            driver.run(stdin, (stdout, stderr), inbox).await;
            end(&mut birth.child, pid).await;
            birth.registry.remove(pid);
            drop(birth.folder); // The process reads and writes there as long as it lives.
        });
        Some(Process {
            pid,
            orders,
            status,
            load: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            models,
            login,
            is_retired: AtomicBool::new(false),
            empty,
        })
    }

    /// Whether another call may go there.
    pub(super) fn is_of_use(&self) -> bool {
        !self.is_retired.load(Ordering::Relaxed)
            && !matches!(&*self.status.borrow(), Status::Gone(_))
            && !self.orders.is_closed()
    }

    /// Gives it no further call: the login that it knows has ended.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    /// Calls under way.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }
}

/// Its input is closed, which ends a healthy one; the group goes with it in any case.
async fn end(child: &mut Child, pid: u32) {
    let ended = timeout(END_WAIT, child.wait()).await;
    end_group(pid, EndMode::Forced);
    if ended.is_err() {
        let _ = child.wait().await; // It was killed.
    }
}

struct AppServer {
    connection: Connection,
    calls: HashMap<CallKey, mpsc::Sender<Inbound>>,
    known: Arc<Mutex<Known>>,
    status: watch::Sender<Status>,
    talk: Option<Talk>,
}

impl AppServer {
    async fn run(
        mut self,
        mut stdin: ChildStdin,
        mut outputs: (ChildStdout, ChildStderr),
        mut inbox: mpsc::Receiver<Order>,
    ) {
        let why = self.serve(&mut stdin, &mut outputs, &mut inbox).await;
        tracing::debug!(why, "an app-server of codex ends");
        self.status.send_replace(Status::Gone(why.to_owned()));
    }

    /// Serves until one side ends; says why.
    async fn serve(
        &mut self,
        stdin: &mut ChildStdin,
        (stdout, stderr): &mut (ChildStdout, ChildStderr),
        inbox: &mut mpsc::Receiver<Order>,
    ) -> &'static str {
        let mut lines = Lines::default();
        let mut piece = vec![0_u8; PIECE_BYTES];
        let (mut log, mut logged) = (Some(Lines::default()), vec![0_u8; LOG_PIECE_BYTES]);
        let (mut writing, mut written): (Vec<u8>, usize) = Default::default();
        loop {
            while let Some(told) = self.connection.poll_told() {
                if !self.tell(told) {
                    return "it does not take the handshake";
                }
            }
            if written == writing.len() {
                (writing, written) = (self.connection.poll_write().unwrap_or_default(), 0);
                self.keep(Speaker::Relay, &writing);
            }
            tokio::select! {
                // What is logged of a request stands there before its turn ends; and a CLI that talks without an end
                // is none the less told to stop.
                biased;
                read = stderr.read(&mut logged), if log.is_some() => {
                    log = log.take().filter(|_| matches!(read, Ok(1..)));
                    let count = read.unwrap_or_default();
                    log = log.and_then(|log| self.logged(log, &logged[..count]));
                }
                wrote = stdin.write(&writing[written..]), if written < writing.len() => match wrote {
                    Ok(0) | Err(_) => return "it does not read",
                    Ok(count) => written += count,
                },
                order = inbox.recv(), if written == writing.len() => match order {
                    None => return "nobody needs it",
                    Some(order) => self.obey(order),
                },
                read = stdout.read(&mut piece) => match read {
                    Ok(0) | Err(_) => return "it ended",
                    Ok(count) => if self.heard(&mut lines, &piece[..count]).is_err() {
                        return "it wrote a line without an end";
                    }
                },
                () = tokio::time::sleep(IDLE_MAX), if self.calls.is_empty() => return "it had nothing to do",
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Begin(call, inbound) => {
                self.calls.insert(call, inbound);
            }
            Order::Ask(call, ask, params) => self.connection.handle_ask(call, ask, &params),
            Order::End(call) => {
                self.calls.remove(&call);
                self.connection.handle_end(call);
            }
        }
    }

    /// Whether the process is of further use.
    fn tell(&mut self, told: ConnectionEvent) -> bool {
        match told {
            ConnectionEvent::Ready { version, account } => {
                tracing::info!(version, "an app-server of codex is ready");
                {
                    let mut known = self.known();
                    known.version = Some(version.clone());
                    known.account = account.clone();
                }
                self.status.send_replace(Status::Ready { version, account });
            }
            ConnectionEvent::Refused(why) => {
                tracing::warn!(why, "codex does not take the handshake");
                return false;
            }
            ConnectionEvent::Call(call, inbound) => {
                let full = self
                    .calls
                    .get(&call)
                    .is_some_and(|calls| calls.try_send(inbound).is_err());
                if full {
                    // Its conductor is gone or stuck; it sees the end of its channel.
                    self.obey(Order::End(call));
                }
            }
            ConnectionEvent::Limits(told) => {
                self.known().limits.take(&told);
            }
            ConnectionEvent::Account(account) => self.known().account = account,
        }
        true
    }

    /// Takes a piece of what the CLI says.
    fn heard(&mut self, lines: &mut Lines, piece: &[u8]) -> Result<(), Unread> {
        lines.push(piece);
        while let Some(line) = lines.next()? {
            self.keep(Speaker::Cli, &line);
            self.connection.handle_line(&line);
        }
        Ok(())
    }

    /// Takes a piece of the CLI's log; `None` where it is none that can be read.
    fn logged(&self, mut log: Lines, piece: &[u8]) -> Option<Lines> {
        log.push(piece);
        while let Some(line) = log.next().ok()? {
            if let Some(refused) = http_log::read(&line) {
                let now = clock::unix_ms() / 1000;
                self.known().limits.refuse(refused.wait, now);
            }
        }
        Some(log)
    }

    fn keep(&self, speaker: Speaker, line: &[u8]) {
        if let Some(talk) = &self.talk {
            talk.keep(speaker, line);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

/// Orders that may wait for one process; calls send a handful each.
const ORDERS_MAX: usize = 256;
/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Of its log; a line has half a kilobyte.
const LOG_PIECE_BYTES: usize = 4 << 10;
/// A process without a call ends after this time; the next call starts another.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// A process whose input is closed ends in 70 ms.
const END_WAIT: Duration = Duration::from_secs(2);
