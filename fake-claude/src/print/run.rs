//! The loop of print mode: one message after another becomes a turn, and what the turn tells becomes lines.

use std::collections::VecDeque;
use std::io::BufRead;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::args::Args;
use crate::clock;
use crate::conversation::Conversation;
use crate::conversation::Role;
use crate::conversation::text_of;
use crate::hook;
use crate::http::Cancel;
use crate::id;
use crate::js;
use crate::mcp::Client;
use crate::mcp::Server;
use crate::print::input;
use crate::print::input::Incoming;
use crate::print::line;
use crate::print::line::Account;
use crate::print::line::End;
use crate::print::picture;
use crate::session::CLEAR_NOTE;
use crate::session::Exit;
use crate::session::NEW_CAVEAT;
use crate::session::OLD_CAVEAT;
use crate::stunt;
use crate::transcript::Journal;
use crate::turn;
use crate::turn::Cause;
use crate::world::News;
use crate::world::Outcome;
use crate::world::World;
use crate::world::lock;

/// How the answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Stream { partial: bool },
}

/// A process in print mode.
pub(crate) struct Print {
    world: Arc<World>,
    news: Receiver<News>,
    format: Format,
    /// Messages that wait for the turn before them.
    queue: VecDeque<Value>,
    running: Option<Cancel>,
    ended: bool,
    account: Account,
    began: Instant,
    message: String,
    request_id: String,
    said: String,
    stop_reason: Option<String>,
    failure: Option<Option<u16>>,
    exit: Option<Exit>,
    has_failed: bool,
}

impl Print {
    /// The prompt is the first message; with `--input-format stream-json` messages come on stdin.
    /// `answer`: the last message of what was taken up is to be answered first.
    pub(crate) fn new(world: Arc<World>, news: Receiver<News>, args: &Args, answer: bool) -> Print {
        let format = match args.output_format.as_deref() {
            Some("stream-json") => Format::Stream {
                partial: args.partial_messages,
            },
            Some("json") => Format::Json,
            _ => Format::Text,
        };
        let streams = args.input_format.as_deref() == Some("stream-json");
        let mut queue = VecDeque::new();
        if answer {
            // It is treated like a message that came in: a command in it is obeyed.
            queue.extend(world.talk().entries.pop().map(|last| last.content));
        }
        if streams {
            listen(Arc::clone(&world));
        } else {
            queue.extend(prompt(args).map(|text| json!(text)));
        }
        Print {
            world,
            news,
            format,
            queue,
            running: None,
            ended: !streams,
            account: Account::default(),
            began: clock::now(),
            message: String::new(),
            request_id: String::new(),
            said: String::new(),
            stop_reason: None,
            failure: None,
            exit: None,
            has_failed: false,
        }
    }

    pub(crate) fn run(mut self) -> Exit {
        if self.ended && self.queue.is_empty() {
            let words = "Error: Input must be provided either through stdin or as a prompt argument when using --print";
            return Exit {
                code: 1,
                words: Some(words.to_owned()),
            };
        }
        self.next();
        while self.exit.is_none() && !(self.ended && self.running.is_none()) {
            self.wait();
        }
        self.world.journal().flush();
        let body = hook::session_end(&self.world.subject(None), "other");
        self.world
            .hooks
            .ask("SessionEnd", &body, &Cancel::default());
        self.exit.take().unwrap_or(Exit {
            code: u8::from(self.has_failed),
            words: None,
        })
    }

    /// One piece of news, or the moment at which the transcript is to be written.
    fn wait(&mut self) {
        let due = self.world.journal().due();
        let patience = due.map_or(PATIENCE, |due| due.saturating_duration_since(clock::now()));
        match self.news.recv_timeout(patience) {
            Ok(news) => self.take(news),
            Err(RecvTimeoutError::Timeout) if due.is_some() => self.world.journal().flush(),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Incoming(incoming) => self.incoming(incoming),
            News::Requesting => self.line(&line::requesting(&self.world), true),
            News::Event(event) => self.event(&event),
            News::Block(message, request_id) => {
                self.request_id = request_id;
                let line = line::assistant(&self.world, &message, &self.request_id);
                self.line(&line, false);
            }
            News::Replied(usage) => {
                self.account.turn.add(&usage);
                self.account.all.add(&usage);
                self.account.requests += 1;
            }
            News::Told(told) => self.line(&line::user(&self.world, &told), false),
            News::Failed(message, error, status) => {
                self.failure = Some(status);
                let line = line::failed(&self.world, &message, error, status);
                self.line(&line, false);
            }
            News::Ended(text, reason) => (self.said, self.stop_reason) = (text, reason),
            News::Stunt(stunt) => self.exit = stunt::perform(stunt, &mut |text| write(text)),
            News::Over(outcome) => self.over(outcome),
            _ => {}
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::User(content) => {
                let text = text_of(&content);
                let mut note = json!({
                    "type": "queue-operation", "operation": "enqueue", "timestamp": clock::iso(clock::unix_ms()),
                });
                if content.is_string() {
                    note["content"] = json!(text);
                }
                self.world.journal().note(note);
                self.queue.push_back(content);
                self.next();
            }
            Incoming::Control(id, request) => self.control(&id, &request),
            Incoming::Bad(line) => {
                let words = input::complaint(&line, self.world.dialect.is_new());
                self.exit = Some(Exit {
                    code: 1,
                    words: Some(words),
                });
            }
            Incoming::Ignored => {}
            Incoming::End => self.ended = true,
        }
    }

    fn control(&mut self, id: &str, request: &Value) {
        let is_new = self.world.dialect.is_new();
        let subtype = request["subtype"].as_str().unwrap_or_default();
        let answer = match subtype {
            "interrupt" => {
                if let Some(running) = &self.running {
                    running.set();
                }
                Ok(is_new.then(|| json!({ "still_queued": [] })))
            }
            "initialize" => Ok(Some(json!({
                "commands": [], "output_style": "default", "available_output_styles": ["default"], "models": [],
            }))),
            "set_model" => {
                let model = request["model"].as_str().unwrap_or_default();
                model.clone_into(&mut lock(&self.world.model));
                Ok(is_new.then(|| json!({ "model": model })))
            }
            "mcp_set_servers" => Ok(Some(self.set_servers(&request["servers"]))),
            "set_permission_mode" => Ok(Some(json!({ "mode": request["mode"] }))),
            _ => Err(format!("Unsupported control request subtype: {subtype}")),
        };
        self.line(&line::control(id, answer), false);
    }

    /// Starts the next message's turn, if there is one and none runs.
    fn next(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(content) = self.queue.pop_front() else {
            return;
        };
        self.world.journal().note(json!({
            "type": "queue-operation", "operation": "dequeue", "timestamp": clock::iso(clock::unix_ms()),
        }));
        self.began = clock::now();
        self.account = Account {
            all: self.account.all.clone(),
            ..Account::default()
        };
        self.failure = None;
        self.line(&line::init(&self.world), false);
        if let Some(name) = command(&content, self.world.dialect.is_new()) {
            return self.obey(&name);
        }
        let prompt_id = id::uuid();
        let content = picture::kept(&self.world, content);
        self.running = Some(turn::start(&self.world, Cause::Sdk { content, prompt_id }));
    }

    /// The servers that the host names are in force once they have listed their tools.
    fn set_servers(&self, servers: &Value) -> Value {
        let (version, dialect) = (&self.world.frame.version, &self.world.dialect);
        let clients: Vec<Arc<Client>> = Server::named(servers)
            .into_iter()
            .map(|server| Arc::new(Client::new(server, version, "sdk-cli", dialect)))
            .collect();
        self.world.toolbox.set(clients.clone());
        let (mut added, mut errors) = (Vec::new(), json!({}));
        for client in clients {
            let name = &client.server.name;
            match client.status() {
                "connected" => added.push(json!(name)),
                _ => errors[name] = json!("Connection failed"),
            }
        }
        json!({ "added": added, "removed": [], "errors": errors })
    }

    /// A command of the CLI: the model is not asked, and the next message tells it of the command.
    fn obey(&mut self, name: &str) {
        if name == "clear" {
            return self.clear();
        }
        let said = match name {
            "model" => format!("/{name} isn't available in this environment."),
            _ => format!("Unknown command: /{name}"),
        };
        let mut talk = self.world.talk();
        talk.add(Role::User, json!(format!("/{name}")));
        let told = format!("<local-command-stdout>{said}</local-command-stdout>");
        talk.add(Role::User, json!(told));
        drop(talk);
        self.finish(&End::Answered(said, None));
    }

    /// The conversation begins anew, but for the note about the command.
    fn clear(&mut self) {
        let fresh = id::uuid();
        *self.world.journal() = Journal::new(&self.world.frame, &fresh);
        let mut talk = Conversation::default();
        let caveat = match self.world.dialect.is_new() {
            true => NEW_CAVEAT,
            false => OLD_CAVEAT,
        };
        for text in [
            caveat,
            CLEAR_NOTE,
            "<local-command-stdout></local-command-stdout>",
        ] {
            talk.add(Role::User, json!(text));
        }
        *self.world.talk() = talk;
        if self.world.dialect.is_new() {
            let reset = json!({
                "type": "conversation_reset", "new_conversation_id": fresh, "trigger": "clear", "session_id": fresh,
            });
            self.line(&reset, false);
        }
        self.finish(&End::Answered(String::new(), None));
    }

    fn event(&mut self, event: &Value) {
        if event["type"] == "message_start" {
            self.message = event["message"]["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if self.account.ttft_ms == 0 {
                self.account.ttft_ms = self.ms().max(1);
            }
        }
        let line = line::event(&self.world, event, &self.message, self.account.ttft_ms);
        self.line(&line, true);
    }

    fn over(&mut self, outcome: Outcome) {
        let end = match outcome {
            Outcome::Answered => {
                End::Answered(std::mem::take(&mut self.said), self.stop_reason.take())
            }
            Outcome::Failed { text, .. } => End::Failed(text, self.failure.flatten()),
            Outcome::Blocked { reason, .. } => End::Answered(reason, None),
            Outcome::Interrupted { .. } | Outcome::TakenBack { .. } => End::Interrupted,
        };
        self.has_failed = matches!(end, End::Failed(..));
        self.running = None;
        self.finish(&end);
    }

    fn finish(&mut self, end: &End) {
        self.account.ms = self.ms();
        let line = line::result(&self.world, end, &self.account);
        match (self.format, end) {
            (Format::Text, End::Answered(text, _) | End::Failed(text, _)) => {
                write(&format!("{text}\n"))
            }
            (Format::Text, End::Interrupted) => {}
            (Format::Json | Format::Stream { .. }, _) => write(&format!("{}\n", js::text(&line))),
        }
        self.next();
    }

    fn line(&self, line: &Value, is_partial: bool) {
        match self.format {
            Format::Stream { partial } if partial || !is_partial => {
                write(&format!("{}\n", js::text(line)));
            }
            _ => {}
        }
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The command in a message: in its text, or in the last of its blocks where that is a text. Seen on both families;
/// the newer one hands a name that it does not know to the model.
fn command(content: &Value, is_new: bool) -> Option<String> {
    let text = match content {
        Value::String(text) => text.as_str(),
        Value::Array(blocks) => blocks.last()?["text"].as_str()?,
        _ => return None,
    };
    let name = text.strip_prefix('/')?.split_whitespace().next()?;
    let is_name = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'));
    let is_known = matches!(name, "clear" | "model");
    (is_name && (is_known || !is_new)).then(|| name.to_owned())
}

/// The prompt of the command line, and what stands on stdin before it.
fn prompt(args: &Args) -> Option<String> {
    match &args.prompt {
        Some(prompt) => Some(prompt.clone()),
        None => {
            let read = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
            Some(read.trim_end().to_owned()).filter(|text| !text.is_empty())
        }
    }
}

/// Lines of stdin come as news.
fn listen(world: Arc<World>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else {
                break;
            };
            if !line.trim().is_empty() {
                world.tell(News::Incoming(Incoming::read(&line)));
            }
        }
        world.tell(News::Incoming(Incoming::End));
    });
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// How long to wait when nothing is due.
const PATIENCE: Duration = Duration::from_secs(3600);
