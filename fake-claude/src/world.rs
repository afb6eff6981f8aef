//! What all threads of the process share: who we are, what was said, and where news goes.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use std::io::Write;

use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::conversation::Conversation;
use crate::conversation::Role;
use crate::copy::Copies;
use crate::ending::Circumstances;
use crate::history::History;
use crate::hook::Hooks;
use crate::hook::Subject;
use crate::look::Dialect;
use crate::mcp::Toolbox;
use crate::print::Incoming;
use crate::reply::Stunt;
use crate::request::Shape;
use crate::script::Script;
use crate::transcript::Frame;
use crate::transcript::Journal;
use crate::turn;
use crate::upstream::Upstream;

/// The shared state.
pub(crate) struct World {
    pub(crate) dialect: Dialect,
    pub(crate) shape: Shape,
    /// The model of the next request, which `/model` changes.
    pub(crate) model: Mutex<String>,
    pub(crate) gateway: Option<String>,
    pub(crate) attachments: bool,
    pub(crate) is_print: bool,
    /// It goes on with turns that were interrupted.
    pub(crate) goes_on: bool,
    pub(crate) frame: Frame,
    pub(crate) hooks: Hooks,
    /// What is run before a turn that was taken up.
    pub(crate) start_commands: Vec<String>,
    pub(crate) toolbox: Toolbox,
    pub(crate) cwd: String,
    pub(crate) permission_mode: String,
    pub(crate) max_retries: u64,
    /// A refused answer is not asked for once more.
    pub(crate) refusals_stand: bool,
    /// What it does is told on stderr.
    pub(crate) diagnoses: bool,
    /// With the heads of the API's answers.
    pub(crate) tells_heads: bool,
    /// What is run, and waited for, before each request.
    pub(crate) helper: Option<String>,
    /// No key is read between an answer that is cut and the request after it, but while something is waited for.
    pub(crate) is_deaf: bool,
    /// Where folders for passing files are made.
    pub(crate) passing: PathBuf,
    /// Where requests and answers are copied to.
    pub(crate) copies: Option<Copies>,
    pub(crate) logged_in: AtomicBool,
    /// Where answers come from; without it, the script.
    pub(crate) upstream: Option<Upstream>,
    pub(crate) script: Mutex<Script>,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) talk: Mutex<Conversation>,
    pub(crate) news: Mutex<Sender<News>>,
    pub(crate) bell: UnixStream,
}

/// What a turn tells the screen.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// The prompt passed the hook.
    Accepted,
    Thinking,
    /// Whole lines of the reply, or its rest.
    Said(String),
    /// The message is complete; the next text begins a new block.
    MessageOver,
    Notice(String),
    Running(&'static str),
    /// A tool of this server is called.
    Calling(String),
    /// The calls of a message are over.
    Called(Called),
    Stunt(Stunt),
    /// The request failed, and is made again after a while.
    Retrying(Retry),
    /// Something came in on stdin in print mode; the news up to `Ended` is for that mode only.
    Incoming(Incoming),
    Requesting,
    /// An event of the API's stream.
    Event(Value),
    /// A whole block of the assistant's message, and the request's id.
    Block(Value, String),
    /// The usage of a whole message.
    Replied(Value),
    Told(Told),
    /// The message that stands for a failure, its error and its status.
    Failed(Value, &'static str, Option<u16>),
    /// What the turn said last, and why it stopped.
    Ended(String, Option<String>),
    /// A file was read for the prompt: its name and how many lines it has.
    Attached(String, usize),
    Over(Outcome),
    /// A shell command ended, with its output.
    Shell(String, String),
    /// Records wait to be written.
    Written,
}

/// A message in the user's name that the user did not write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) content: Value,
    pub(crate) tool_use_result: Option<Value>,
    pub(crate) is_synthetic: bool,
}

/// A pause before the next attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) what: String,
    pub(crate) ms: u64,
    pub(crate) attempt: u64,
    pub(crate) attempts: u64,
}

/// What there is to say about the calls of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Called {
    /// Each call and its result, as versions show them that do not fold calls.
    pub(crate) told: Vec<(String, String)>,
    /// Errors of calls that no tool answered to.
    pub(crate) errors: Vec<String>,
    /// The call that was interrupted: server and tool.
    pub(crate) interrupted: Vec<(String, String)>,
    pub(crate) not_begun: usize,
}

/// How a turn ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Answered,
    Blocked {
        reason: String,
        prompt: String,
    },
    /// A silent one leaves no line on the screen, as the older family does while tools run.
    Interrupted {
        is_silent: bool,
    },
    /// Interrupted before anything was answered.
    TakenBack {
        prompt: String,
    },
    Failed {
        text: String,
        hint: Option<&'static str>,
        kind: FailureKind,
    },
}

/// What a failure does to the screen beyond its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Plain,
    Login,
    Limit,
}

impl World {
    pub(crate) fn tell(&self, news: News) {
        let _ = lock(&self.news).send(news);
        let _ = (&self.bell).write(&[1]);
    }

    /// News for print mode, which nobody else wants.
    pub(crate) fn print(&self, news: impl FnOnce() -> News) {
        if self.is_print {
            self.tell(news());
        }
    }

    /// A line for whoever looks for a fault, as the real CLI writes it.
    pub(crate) fn diagnose(&self, text: &str) {
        self.diagnose_at("DEBUG", text);
    }

    /// The line of a request that the API refuses.
    pub(crate) fn diagnose_refusal(&self, status: u16, body: &str) {
        let tries = self.max_retries + 1;
        let text = format!("API error (attempt {tries}/{tries}): {status} {status} {body}");
        self.diagnose_at("ERROR", &text);
    }

    /// A claude on a pseudo-terminal passes on what it writes there.
    fn diagnose_at(&self, level: &str, text: &str) {
        if self.diagnoses {
            let now = clock::iso(clock::unix_ms());
            let line = match self.is_print {
                true => format!("{now} [{level}] {text}\n"),
                false => format!("{now} [WARN] [stderr] {now} [{level}] {text}\n"),
            };
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    /// The line of a refusal's head that says how long to wait.
    pub(crate) fn diagnose_wait(&self, seconds: u64) {
        if self.diagnoses && self.tells_heads {
            let line = format!("    \"retry-after\": \"{seconds}\",\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn talk(&self) -> MutexGuard<'_, Conversation> {
        lock(&self.talk)
    }

    pub(crate) fn model(&self) -> String {
        lock(&self.model).clone()
    }

    /// What the words about a failure depend on, as of now.
    pub(crate) fn circumstances(&self) -> Circumstances {
        Circumstances {
            is_new: self.dialect.is_new(),
            failing: self.dialect.failing,
            model: self.model(),
            gateway: self.gateway.clone(),
            max_tokens: self.shape.max_tokens,
            retries: self.max_retries,
            is_print: self.is_print,
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.logged_in.load(Ordering::SeqCst)
    }

    /// The question about the API key was answered; simulated answers need no key.
    pub(crate) fn set_key(&self, approved: bool) {
        if self.upstream.is_some() && approved {
            self.logged_in.store(true, Ordering::SeqCst);
        }
    }

    /// Goes on with a transcript; a last message that nobody is to answer is put aside, as the real one does.
    pub(crate) fn take_up(&self, history: &History, session: &str, answer: bool) {
        let entries = history.entries.clone();
        // What was told counts with the failure that stands behind it and what the user alone is shown.
        let count = match (entries.len(), history.told.count()) {
            (0, 0) => 0,
            (0, told) => told + NOT_SAID,
            (said, _) => said,
        };
        let mut talk = Conversation {
            entries,
            resumed: count > 0,
            told: history.told,
            ..Conversation::default()
        };
        // A transcript without a message begins anew.
        let last = history.last.clone().filter(|_| count > 0);
        let mut journal = Journal::resumed(&self.frame, session, last, count);
        // Seen on the newer family where it goes on with interrupted turns: one that failed for now is one.
        let goes_on = history.may_pass && self.goes_on && self.dialect.is_new();
        if history.is_interrupted() && (!history.is_open || self.is_print || goes_on) && !answer {
            if self.is_print {
                talk.add(Role::User, json!(GO_ON));
            } else if goes_on {
                talk.add(Role::User, json!(GO_ON));
                journal.user(&json!(GO_ON), None, json!({ "isMeta": true }));
            }
            let text = json!([{ "type": "text", "text": "No response requested." }]);
            let message = turn::synthetic(&text, "stop_sequence", self.dialect.is_new());
            journal.assistant(&message, json!({ "isApiErrorMessage": false }));
            talk.add(Role::Assistant, text);
        }
        *self.journal() = journal;
        *self.talk() = talk;
    }

    /// A turn that stopped at the results of tools is continued with words. Blank ones are none to the older family;
    /// the newer one then takes its own.
    pub(crate) fn nudge(&self, words: Option<&str>) {
        let own = GO_ON;
        let words = words.unwrap_or(own);
        match (words.trim().is_empty(), self.dialect.is_new()) {
            (true, false) => {}
            (true, true) => self.talk().add(Role::User, json!(own)),
            (false, _) => self.talk().add(Role::User, json!(words)),
        }
    }

    /// The opening fields of a hook, as of now.
    pub(crate) fn subject(&self, prompt_id: Option<&str>) -> Subject {
        let named = self.dialect.hooks_name_prompt;
        let journal = self.journal();
        Subject {
            session_id: journal.session_id().to_owned(),
            transcript_path: journal.path().to_string_lossy().into_owned(),
            cwd: self.cwd.clone(),
            prompt_id: prompt_id.filter(|_| named).map(str::to_owned),
            permission_mode: self.permission_mode.clone(),
            effort: match named {
                true => self.shape.effort.clone(),
                false => String::new(),
            },
            is_sparse: self.dialect.is_sparse,
        }
    }
}

/// What the CLI says for the user where a turn stopped.
const GO_ON: &str = "Continue from where you left off.";

/// A thread that panicked has ended the process's worth already; its data are still the best there is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records of a blank transcript that has something told, beside what was told.
const NOT_SAID: usize = 2;
