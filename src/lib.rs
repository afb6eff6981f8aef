//! inference-relay: a local daemon that serves the APIs of Anthropic and OpenAI by the lanes that its owner allows: the
//! user's own interactive Claude Code, the same in print mode, HTTP hosts, and the user's own Codex CLI.
//!
//! # Code map
//!
//! A call goes `listen → server → auth → wire → conversation → routing → lane → wire → server`; behind the lane it goes
//! `pool → session → terminal` and back, or to a host by `upstream → egress`. The rooms stand below in reading
//! order; each names only rooms above it, and `tests/tidy.rs` holds them to it.
//!
//! - [`sync`]: locks that a panic leaves usable.
//! - [`turn`]: the inner language. One request, the events of its answer, its end, its fault.
//! - [`clock`]: the only file that reads the time.
//! - [`cause`]: an error and what it came from, in one line.
//! - [`hex`]: bytes as hex digits.
//! - [`quote`]: texts as JSON, written behind what is there already.
//! - [`disk`]: files and folders that only this user can read: how one is made, and how one is replaced.
//! - `inotify`: Linux's word of changes in folders.
//! - [`process_stat`]: what Linux tells of a process.
//! - [`egress`]: the one way out: HTTP to hosts of others, with its pools, waits and checks.
//! - [`signal`]: what tells a process to stop.
//! - [`valkey`]: the server that several relays share, where they do.
//! - [`calls`]: the calls that were: what they took, cost, and how they ended.
//! - [`telemetry`]: what is told of calls to a collector of traces, where the user names one.
//! - [`wire`]: the dialects of Anthropic and OpenAI to and from [`turn`].
//! - [`terminal`]: bytes to a screen, a screen to a scene; texts to keystrokes.
//! - [`listen`]: the door of every listener: accept, limit, tell strangers from those that are known.
//! - [`tap`]: the way of claude's own requests through the daemon, where the user wants that; it reads the answers.
//! - [`license`]: a licence: token in, verdict out.
//! - [`store`]: what the relay keeps on disk for itself: its keys, and the database of usage, audit and settings.
//! - [`secret`]: credentials of hosts: where they stand, and how they are kept.
//! - [`catalog`]: which models there are, which lanes serve them, with which credentials, and who may have what.
//! - [`lane`]: the one interface of whatever serves a call.
//! - [`registry`]: rows that come and seldom go, found without a lock.
//! - [`limits`]: how much there may be: requests, tokens, calls at once, money.
//! - [`session`]: one live claude. `session/machine` decides, `session/driver.rs` does,
//!   `session/delivery.rs` plans how a prompt gets in, `session/witness` sees how the answer comes out, `session/mcp`
//!   offers it the caller's tools, `session/launcher.rs` starts it; `session/print` is the same without a screen. The
//!   door, `session/mod.rs`, names all that other rooms may use.
//! - [`codex`]: the user's own Codex CLI as a lane, by its app-server.
//! - [`record`]: plays cases on a claude, keeps what it did as goldens, and compares.
//! - [`pool`]: the sessions, shared among callers: a pure ledger, and the one task that keeps it.
//! - [`upstream`]: HTTP hosts as lanes: keys, circuit breakers, bytes that pass, calls that are written anew.
//! - [`routing`]: which lanes a call tries, in which order, and when it changes.
//! - [`alert`]: tells of budgets that are nearly spent, in the log and to a webhook.
//! - [`conversation`]: conversations that have a name, and how a call goes on with one.
//! - [`archive`]: responses, conversations and files that callers have the relay keep.
//! - `simulation`: the whole pool in virtual time, under seeded chance; in tests only.
//! - `property`: what must hold for any bytes at all; in tests and for the fuzzers of `ci/fuzz` only.
//! - [`auth`]: who is asking, and what they may have: keys, budgets, blocks. One admission decides each call.
//! - [`authority`]: has the licence renewed, where one is configured, and stands at the gate with what is known.
//! - `gauge`: the parts that only think, for the benchmarks; behind the feature `bench` only. Whole calls are measured
//!   from outside, by the program of `benches/relay-bench`.
//! - [`server`]: HTTP: dispatch, stream, drain.
//! - [`control`]: the control plane: an operator's dashboard and admin API, behind a login of its own.
//! - [`service`]: what keeps the daemon running: systemd, launchd, the Task Scheduler.
//! - [`update`]: a newer relay: fetched, verified, put in place, taken back.
//! - [`config`]: typed text to typed meaning. `default.toml` is the manual.
//! - [`daemon`]: the composition root.
//! - [`cli`]: the commands.
//!
//! # Glossary
//!
//! - *Call*: one HTTP request of a client. *Turn*: what a session does for it.
//! - *Session*: one live claude process. *Conversation*: what it holds; a session has many, one after the other.
//! - *Conversations*: what is known of the conversations that callers gave a name. *Joined*: how a call goes on with one.
//! - *Shape*: what must be known of a call when its session is launched: model, system prompt, sampling.
//! - *Mode*: how a session's claude is driven: `pty`, on a screen, or `print`, in lines of JSON. *Driver*: the loop that
//!   does what its machine decided.
//! - *Slot*: where the pool keeps a session. *Lease*: a turn's hold on it.
//! - *Demand*: which sessions should wait before anybody asks. *Pause*: when none is warmed all the same.
//! - *Delivery*: how a prompt gets in: typed, through the editor, or as a transcript.
//! - *Primed*: a session that waits in its read of a transcript that is still to be written.
//! - *Parked*: a session whose turn ended in tool calls; it waits for their results. *Kept*: one that stays in a
//!   conversation that has a name; its slot is the first that is given up. *Gate*: where a session that was
//!   launched with a turn waits until its tools are there.
//! - *Witness*: what tells of a turn: a hook, the transcript, the CLI's *copy* of the API's answer, the screen, the tap.
//!   *Evidence*: what they have said so far. *Merge*: the one decision out of it.
//! - *Tap*: a loopback address that a session takes for the API's. *Gate* of a tap: which requests of a session it reads,
//!   and which one it holds.
//! - *Scene*: what stands on the screen, as far as it matters.
//! - *Case*: what a claude is put through to be recorded. *Take*: what it did then. *Golden*: a take that is kept.
//! - *Observation*: what of a take can be compared. *Drift*: how two observations differ. *Support*: what that means.
//! - *Verdict*: whether a submitted prompt may go to the model.
//! - *Lane*: what serves a call, whatever it is. *Host*: a server that is asked over HTTP. *Host key*: a credential of it.
//! - *Catalog*: what the owner declared: hosts, host keys, models, bindings, policies. *Snapshot*: the catalog that is in
//!   force, swapped whole. *Binding*: a model on a lane. *Policy*: what a key may call, and how much.
//! - *Route*: the lanes that a call may try, in order. *Attempt*: one try. *Commit*: from then on no other lane is tried.
//! - *Breaker*: keeps a host key from being asked while it refuses. *Outcome*: what an attempt says of host and key.
//! - *Reservation*: what a call may spend at most, taken before it goes and settled after it.
//! - *Archive*: responses, conversations and files that callers have the relay keep.
//! - *Key*: what a caller shows to be let in. *Budget*: how much it may have. *Permit*: an admitted call's hold on it.
//! - *Timeline*: when a turn passed from one phase to the next. *CallRecorder*: what is noted of a call while it runs.
//!   *CallRecord*: what is kept of it.
//! - *DrainDeadline*: the moment at which the relay's own end gives up the calls that are still in flight.
//! - *Fault*: how a call fails: a kind with a stable code, a culprit, a sentence for the client, one for the log.
//!
//! # Architecture invariants
//!
//! - [`turn`], [`wire`], [`terminal`], [`license`], and every file whose first line ends in `[pure]`, hold no `async`, no file,
//!   socket or process, and no clock.
//! - A prompt reaches the model only if it equals the caller's text, in the conversation it belongs to. The session's
//!   `UserPromptSubmit` hook blocks every other one, before the model is asked.
//! - No prompt reaches the model before the tools it comes with were taken up, and no call of the model is answered by
//!   anyone but the caller.
//! - A text that the prompt box could obey or change is never typed: it goes in as a transcript.
//! - Nothing is believed of the screen but the state of the prompt box, which is found below the last rules across the
//!   whole width, where no reply can draw.
//! - A failed turn is never a 200. After the first byte it is an `error` event.
//! - A session without a screen serves one conversation and ends.
//! - Print mode is used where the caller or the configuration asks for it, and the lane's label says so.
//! - A session that served a call takes up a blank conversation before it serves another; but for the next call in the
//!   same conversation, by the same name of the same owner, where what it holds is that conversation to the last byte.
//! - Every process leads its own group, is listed in `pty-pids.json`, and is ended with its group on every path.
//! - Text of prompts and answers is logged at no level. Of a key only its hash is kept, and only its id is logged.
//! - The tap changes, keeps and logs no byte of a request, and looks at no credential.
//! - Only `terminal::draw` names the parser of sequences; only `clock` reads time; only `config::env` reads the environment;
//!   only `wire` knows a dialect's status codes.
//!
//! # The way of a call
//!
//! `listen/door.rs` accepts the connection and `server/listener.rs` hands it to hyper. `server/frame.rs` gives the request
//! its id and its log line, `server/guard.rs` looks at its host and origin, `server/admission.rs` asks `auth/admission.rs`
//! who calls. `server/messages.rs` (or `chat.rs`, `responses/`) names the dialect and hands over to `server/front.rs`, which
//! reads the body (`server/body.rs`), makes a `lane/call.rs` call of it, and has `conversation/serve.rs` serve it: behind
//! the calls before it where its conversation has a name. `routing/run.rs` asks `routing/ways.rs` for the lanes and
//! `routing/plan.rs` for their order, and tries one after the other until one commits.
//!
//! The claude lanes (`pool/lane.rs`) start `pool/serve.rs`, which gets a session from `pool/supervisor.rs` (decided by
//! `pool/ledger.rs`) and a turn from `session/prepare.rs`; `session/driver.rs` performs what `session/machine` decides, down
//! to the keystrokes of `terminal/keys.rs` and the bytes of `session/pty`. What the CLI says comes back as hooks, transcript,
//! copies and screen (`session/witness`), is merged in `session/witness/merge.rs`, and goes out as events through
//! `session/reply.rs`. The lane of a host (`upstream/lane.rs`) tries its keys by `upstream/attempt.rs`; bytes of one dialect
//! pass through `upstream/passing.rs`, and others are told in events by `upstream/translated.rs`, and read once
//! (`upstream/along.rs`).
//!
//! `server/answer.rs` and `server/stream.rs` write the events in the caller's dialect, `server/passed.rs` passes bytes on.
//!
//! # Cancel safety
//!
//! A client that goes away drops its [`lane::Serving`] or [`lane::Reply`], and with it the receiver of its events. Whoever holds the
//! sender sees that at once, wherever the call is:
//!
//! - in the queue: the wait ends, and its place goes to the next caller at the next lease;
//! - while a history is taken up, or the prompt is being submitted: the submission is blocked, nothing reaches the
//!   model;
//! - while the model answers: the session gets Escape as soon as its screen says that a turn runs, comes to rest, has
//!   its prompt box emptied, and takes up a blank conversation; a session that does not come to rest within a second
//!   and a half is ended and replaced.
//!
//! A caller that goes away between a tool call and its results leaves nothing behind but a parked session, which is
//! interrupted and emptied when its time is over, or ended when its place is needed. One that goes away in the middle
//! of a conversation that has a name has its turn forgotten; what was told before it stays.
//!
//! The task that conducts a call outlives the client, so no lease is lost by a cancelled future.

mod sync;

mod turn;

mod clock;

mod cause;

mod hex;

mod quote;

mod disk;

#[cfg(target_os = "linux")]
mod inotify;

mod process_stat;

mod egress;

mod signal;

mod valkey;

mod calls;

mod telemetry;

mod wire;

mod terminal;

mod listen;

mod tap;

mod license;

mod store;

mod secret;

mod catalog;

mod registry;

mod limits;

mod lane;

mod session;

mod codex;

mod record;

mod pool;

mod upstream;

mod routing;

mod alert;

mod conversation;

mod archive;

#[cfg(test)]
mod simulation;

#[cfg(any(test, feature = "fuzz"))]
pub mod property;

mod auth;

mod authority;

#[cfg(feature = "bench")]
pub mod gauge;

mod server;

mod control;

mod service;

mod update;

mod config;

mod daemon;

mod cli;

pub use cli::main;
