//! The life of the process on its terminal: keys and news in, pictures and turns out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::child;
use crate::clock;
use crate::command;
use crate::command::Meaning;
use crate::config::Config;
use crate::conversation::Conversation;
use crate::conversation::Role;
use crate::dialog::Dialog;
use crate::dialog::Topic;
use crate::history::History;
use crate::hook;
use crate::http::Cancel;
use crate::id;
use crate::input::Input;
use crate::input::Submission;
use crate::keys::Decoder;
use crate::keys::Key;
use crate::look::Look;
use crate::paint::Painter;
use crate::reply::Stunt;
use crate::scene;
use crate::scene::Block;
use crate::scene::Busy;
use crate::scene::Scene;
use crate::script::Crash;
use crate::terminal;
use crate::transcript::Journal;
use crate::tty;
use crate::tty::Heard;
use crate::tty::Tty;
use crate::turn;
use crate::turn::Cause;
use crate::world::Called;
use crate::world::News;
use crate::world::Outcome;
use crate::world::World;

/// How the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: u8,
    /// The last words, for stderr.
    pub(crate) words: Option<String>,
}

/// What a session starts with.
pub(crate) struct Start {
    pub(crate) world: Arc<World>,
    pub(crate) news: Receiver<News>,
    pub(crate) tty: Tty,
    pub(crate) config: Config,
    pub(crate) scene: Scene,
    pub(crate) editor: Option<String>,
    pub(crate) dialogs: VecDeque<Dialog>,
    pub(crate) api_key: Option<String>,
    /// A transcript to show first, and whether its last message is to be answered.
    pub(crate) history: Option<(History, bool)>,
    pub(crate) prompt: Option<String>,
}

pub(crate) struct Session {
    world: Arc<World>,
    news: Receiver<News>,
    tty: Tty,
    config: Config,
    scene: Scene,
    input: Input,
    painter: Painter,
    decoder: Decoder,
    dialogs: VecDeque<Dialog>,
    api_key: Option<String>,
    editor: Option<String>,
    history: Option<(History, bool)>,
    prompt: Option<String>,
    running: Option<Running>,
    queue: VecDeque<String>,
    prompt_id: Option<String>,
    last_prompt: Option<String>,
    /// When Ctrl+C or Esc was pressed, which waits for the second press.
    armed: Option<(Key, Instant)>,
    asked: Option<Cancel>,
    frozen: bool,
    exit: Option<Exit>,
    /// Whether the user ended it, so that a word of goodbye is due.
    polite: bool,
    since: Instant,
}

/// A turn on its way.
struct Running {
    cancel: Cancel,
    /// How many blocks there were before it.
    blocks: usize,
    thinking: Option<Instant>,
    /// The servers whose tools the message calls.
    servers: Vec<String>,
    fresh: bool,
}

impl Session {
    pub(crate) fn new(start: Start) -> Session {
        let is_new = start.world.dialect.is_new();
        Session {
            world: start.world,
            news: start.news,
            tty: start.tty,
            config: start.config,
            scene: start.scene,
            input: Input::new(is_new),
            painter: Painter::new(Look::Inline, tty::size()),
            decoder: Decoder::default(),
            dialogs: start.dialogs,
            api_key: start.api_key,
            editor: start.editor,
            history: start.history,
            prompt: start.prompt,
            running: None,
            queue: VecDeque::new(),
            prompt_id: None,
            last_prompt: None,
            armed: None,
            asked: None,
            frozen: false,
            exit: None,
            polite: false,
            since: clock::now(),
        }
    }

    /// Runs to the end of the process.
    pub(crate) fn run(mut self) -> Exit {
        let is_new = self.world.dialect.is_new();
        tty::write(terminal::opening(is_new).as_bytes());
        self.next_dialog();
        let mut paused = clock::now();
        let exit = loop {
            self.paint();
            if let Some(exit) = self.exit.take() {
                break exit;
            }
            match self.tty.hear(self.patience()) {
                Heard::Closed => {
                    break Exit {
                        code: 0,
                        words: None,
                    };
                }
                Heard::Bytes(bytes) => {
                    paused = clock::now();
                    let keys = self.decoder.feed(&bytes);
                    keys.into_iter().for_each(|key| self.key(key));
                }
                Heard::Nothing if paused.elapsed() >= ESC_PATIENCE => {
                    let keys = self.decoder.idle();
                    keys.into_iter().for_each(|key| self.key(key));
                }
                Heard::Nothing => {}
            }
            while let Ok(news) = self.news.try_recv() {
                self.take_news(news);
            }
            self.tick();
        };
        self.close();
        exit
    }

    fn close(&mut self) {
        self.world.journal().flush();
        let is_new = self.world.dialect.is_new();
        let below = self.painter.leave();
        tty::write(&below);
        tty::write(terminal::closing(is_new).as_bytes());
        self.tty.cooked();
        if self.polite && self.last_prompt.is_some() {
            let session = self.world.journal().session_id().to_owned();
            tty::write(
                format!("\r\nResume this session with:\r\nclaude --resume {session}\r\n")
                    .as_bytes(),
            );
        }
    }

    /// How long to wait for a key before looking around.
    fn patience(&self) -> Duration {
        let young = self.since.elapsed() < YOUTH;
        let mut patience = if young { IDLE_YOUNG } else { IDLE };
        if self.scene.busy.is_some() && !self.frozen {
            patience = BEAT;
        }
        if self.decoder.waits() {
            patience = patience.min(ESC_PATIENCE);
        }
        match self.world.journal().due() {
            Some(due) => patience.min(due.saturating_duration_since(clock::now())),
            None => patience,
        }
    }

    fn tick(&mut self) {
        let now = clock::now();
        if self.world.journal().due().is_some_and(|due| due <= now) {
            self.world.journal().flush();
        }
        if let Some((_, since)) = &self.armed
            && now.duration_since(*since) > ARMED
        {
            self.armed = None;
            self.scene.footer = None;
        }
        if let Some(busy) = &mut self.scene.busy {
            busy.beat =
                usize::try_from(now.duration_since(busy.since).as_millis() / BEAT.as_millis())
                    .unwrap_or(0);
        }
        let size = tty::size();
        if size != self.painter.size() {
            let bytes = self.painter.resize(size);
            tty::write(&bytes);
        }
    }

    fn paint(&mut self) {
        if self.frozen {
            return;
        }
        let picture = self
            .scene
            .picture(&self.input, self.painter.size(), clock::now());
        let bytes = self.painter.paint(picture);
        if !bytes.is_empty() {
            tty::write(&bytes);
        }
    }

    // Keys.

    fn key(&mut self, key: Key) {
        match (&key, self.scene.dialog.is_some()) {
            (Key::Named, _) => {
                tty::write(terminal::second_query(self.world.dialect.is_new()).as_bytes())
            }
            (Key::SyncKnown, _) => self.painter.synchronize(),
            (_, true) => self.dialog_key(&key),
            (_, false) => self.prompt_key(key),
        }
    }

    fn prompt_key(&mut self, key: Key) {
        let armed = self.armed.take().map(|(key, _)| key);
        self.scene.footer = None;
        match key {
            Key::Text(text) => self.input.type_text(&text),
            Key::Paste(text) => self.input.paste(&text),
            Key::Newline => self.input.newline(),
            Key::Backspace => self.input.backspace(),
            Key::Left => self.input.left(),
            Key::Right => self.input.right(),
            Key::Enter => self.enter(),
            Key::Esc => self.esc(armed),
            Key::Ctrl('c') => self.ctrl_c(armed),
            Key::Ctrl('d') if self.input.is_empty() => {
                self.arm(armed, Key::Ctrl('d'), "Press Ctrl-D again to exit")
            }
            Key::Ctrl('u') => self.input.kill_line(),
            Key::Ctrl('g') => self.edit(),
            Key::Ctrl('l') => {
                let bytes = self.painter.forget();
                tty::write(&bytes);
            }
            Key::Up | Key::Down | Key::Delete | Key::Tab | Key::ShiftTab | Key::Ctrl(_) => {}
            Key::SyncKnown | Key::Named => {}
        }
    }

    fn enter(&mut self) {
        match self.input.submit() {
            None => {}
            Some(_) if self.running.is_some() && self.is_shelling() => {}
            Some(Submission::Shell(command)) => self.shell(command),
            Some(Submission::Text(text)) if self.scene.busy.is_some() => self.enqueue(text),
            Some(Submission::Text(text)) => self.submit(text, "typed"),
        }
    }

    fn is_shelling(&self) -> bool {
        self.scene.busy.is_some() && self.running.is_none()
    }

    fn esc(&mut self, armed: Option<Key>) {
        if let Some(running) = &self.running {
            running.cancel.set();
        } else if !self.input.is_empty() {
            match armed {
                Some(Key::Esc) => self.input.clear(),
                _ => self.wait_for_second(Key::Esc, "Esc again to clear"),
            }
        } else if armed == Some(Key::Esc) {
            self.scene.dialog = Some(Dialog::script(
                "Rewind",
                &["(current)".to_owned()],
                self.world.dialect.is_new(),
            ));
        } else {
            self.armed = Some((Key::Esc, clock::now()));
        }
    }

    fn ctrl_c(&mut self, armed: Option<Key>) {
        if let Some(running) = &self.running {
            running.cancel.set();
        } else if !self.input.is_empty() {
            self.input.clear();
            self.wait_for_second(Key::Ctrl('c'), "Press Ctrl-C again to exit");
        } else {
            self.arm(armed, Key::Ctrl('c'), "Press Ctrl-C again to exit");
        }
    }

    /// The second press ends the process.
    fn arm(&mut self, armed: Option<Key>, key: Key, footer: &'static str) {
        match armed == Some(key.clone()) {
            true => self.leave(),
            false => self.wait_for_second(key, footer),
        }
    }

    fn wait_for_second(&mut self, key: Key, footer: &'static str) {
        self.armed = Some((key, clock::now()));
        self.scene.footer = Some(footer);
    }

    fn edit(&mut self) {
        let Some(editor) = self.editor.clone() else {
            return;
        };
        let is_new = self.world.dialect.is_new();
        tty::write(terminal::before_editor(is_new).as_bytes());
        self.tty.cooked();
        let edited = child::edit(&editor, &self.input.expanded());
        self.tty.raw();
        tty::write(terminal::after_editor(is_new).as_bytes());
        let bytes = self.painter.forget();
        tty::write(&bytes);
        if let Some(text) = edited {
            self.input.set_from_editor(&text);
        }
    }

    // Dialogs.

    /// The next question before the prompt box, or the prompt box itself.
    fn next_dialog(&mut self) {
        self.scene.dialog = self.dialogs.pop_front();
        if self.scene.dialog.is_some() {
            self.paint();
            tty::write(terminal::first_query(self.world.dialect.is_new()).as_bytes());
            return;
        }
        self.open();
    }

    /// Draws the prompt box for the first time and starts what is to start.
    fn open(&mut self) {
        let is_new = self.world.dialect.is_new();
        tty::write(terminal::enter(is_new).as_bytes());
        self.painter = Painter::new(self.world.dialect.look, tty::size());
        if let Some((history, answer)) = self.history.take() {
            self.show_history(&history);
            self.paint();
            if answer {
                self.start(Cause::Resumed, self.scene.blocks.len());
            }
        }
        self.paint();
        tty::write(terminal::first_query(is_new).as_bytes());
        if let Some(prompt) = self.prompt.take() {
            self.submit(prompt, "typed");
        }
    }

    fn dialog_key(&mut self, key: &Key) {
        let Some(dialog) = &mut self.scene.dialog else {
            return;
        };
        match key {
            Key::Up => dialog.up(),
            Key::Down => dialog.down(),
            Key::Text(text) if dialog.digit(text) => self.answer(),
            Key::Enter => self.answer(),
            Key::Esc | Key::Ctrl('c') => self.cancel_dialog(),
            _ => {}
        }
    }

    fn answer(&mut self) {
        let Some(dialog) = self.scene.dialog.take() else {
            return;
        };
        let yes = dialog.answer().starts_with("Yes");
        match dialog.topic {
            Topic::Trust if !yes => {
                return self.exit = Some(Exit {
                    code: 1,
                    words: None,
                });
            }
            Topic::Trust => self.config.trust(),
            Topic::ApiKey => {
                let key = self.api_key.clone().unwrap_or_default();
                self.config
                    .answer_key(&key, if yes { "approved" } else { "rejected" });
                self.world.set_key(yes);
                self.scene.logged_out = !self.world.is_logged_in();
            }
            Topic::Script => return self.answered(),
        }
        let bytes = self.painter.forget();
        tty::write(&bytes);
        self.next_dialog();
    }

    fn answered(&mut self) {
        if let Some(asked) = self.asked.take() {
            asked.set();
        }
    }

    fn cancel_dialog(&mut self) {
        match self.scene.dialog.as_ref().map(|dialog| dialog.topic) {
            Some(Topic::Trust) => {
                self.exit = Some(Exit {
                    code: 1,
                    words: None,
                })
            }
            Some(Topic::ApiKey) => {
                if let Some(dialog) = &mut self.scene.dialog {
                    dialog.down();
                }
                self.answer();
            }
            Some(Topic::Script) | None => {
                self.scene.dialog = None;
                self.answered();
                if let Some(running) = &self.running {
                    running.cancel.set();
                }
            }
        }
    }

    // What was submitted.

    fn submit(&mut self, text: String, source: &'static str) {
        self.scene.hint = None;
        self.prompt_id = Some(id::uuid());
        match command::meaning(&text, self.world.dialect.is_new()) {
            Meaning::Exit => self.leave(),
            Meaning::Clear => self.clear(),
            Meaning::Resume(session) => self.resume(&session),
            Meaning::Unknown { name, args } => self.unknown(&name, &args),
            Meaning::Prompt => self.prompt(text, source),
        }
    }

    fn prompt(&mut self, text: String, source: &'static str) {
        let blocks = self.scene.blocks.len();
        self.scene.blocks.push(Block::Prompt(as_shown(&text)));
        self.last_prompt = Some(text.clone());
        let prompt_id = self.prompt_id.clone().unwrap_or_default();
        let asked = source == "queued" && self.world.dialect.is_new();
        self.start(
            Cause::Prompt {
                text,
                prompt_id,
                source,
                asked,
            },
            blocks,
        );
    }

    fn start(&mut self, cause: Cause, blocks: usize) {
        self.scene.busy = Some(Busy::new(clock::now()));
        self.paint();
        let cancel = turn::start(&self.world, cause);
        self.running = Some(Running {
            cancel,
            blocks,
            thinking: None,
            servers: Vec::new(),
            fresh: true,
        });
    }

    /// The newer family asks the hook at once, with the id of the running prompt.
    fn enqueue(&mut self, text: String) {
        self.world.journal().note(json!({
            "type": "queue-operation", "operation": "enqueue", "timestamp": clock::iso(clock::unix_ms()), "content": text,
        }));
        if self.world.dialect.is_new() {
            let body =
                hook::user_prompt_submit(&self.world.subject(self.prompt_id.as_deref()), &text);
            self.world.hooks.tell("UserPromptSubmit", &body);
        }
        self.scene.queued.push(text.clone());
        self.queue.push_back(text);
    }

    fn dequeue(&mut self) {
        let Some(text) = self.queue.pop_front() else {
            return;
        };
        self.scene.queued.remove(0);
        self.world.journal().note(json!({
            "type": "queue-operation", "operation": "dequeue", "timestamp": clock::iso(clock::unix_ms()),
        }));
        self.submit(text, "queued");
    }

    fn shell(&mut self, command: String) {
        if self.scene.busy.is_some() {
            return;
        }
        self.prompt_id = self.world.dialect.is_new().then(id::uuid);
        self.scene.busy = Some(Busy::new(clock::now()));
        let world = Arc::clone(&self.world);
        std::thread::spawn(move || {
            let output = child::shell(&command, &world.cwd);
            world.tell(News::Shell(command, output));
        });
    }

    /// The command and its output go into the conversation, and the model is asked about them.
    fn shell_ended(&mut self, command: String, output: String) {
        let input = format!("<bash-input>{command}</bash-input>");
        let printed = format!("<bash-stdout>{output}</bash-stdout><bash-stderr></bash-stderr>");
        let prompt_id = self.prompt_id.clone();
        {
            let (mut talk, mut journal) = (self.world.talk(), self.world.journal());
            journal.snapshot();
            for text in [input, printed] {
                journal.user(&json!(text), prompt_id.as_deref(), json!({}));
                talk.add(Role::User, json!(text));
            }
        }
        let output = if output.is_empty() {
            "(Bash completed with no output)".to_owned()
        } else {
            output
        };
        self.scene.blocks.push(Block::Shell { command, output });
        self.start(Cause::Shell { prompt_id }, self.scene.blocks.len());
    }

    fn unknown(&mut self, name: &str, args: &str) {
        let mut told = vec![format!("Unknown command: /{name}")];
        if !args.is_empty() {
            told.push(format!("Args from unknown skill: {args}"));
        }
        for text in told {
            self.world.journal().system(
                "informational",
                json!({ "content": text, "isMeta": false, "level": "warning" }),
            );
            self.scene.blocks.push(Block::Notice(text));
        }
    }

    /// A new session in the same process; only the note about the command is left.
    fn clear(&mut self) {
        self.end_session("clear");
        let mut journal = Journal::new(&self.world.frame, &id::uuid());
        let mut talk = Conversation::default();
        let is_new = self.world.dialect.is_new();
        let prompt_id = self.prompt_id.clone().filter(|_| !is_new);
        journal.snapshot();
        let caveat = if is_new { NEW_CAVEAT } else { OLD_CAVEAT };
        let stdout = "<local-command-stdout></local-command-stdout>";
        journal.user(
            &json!(caveat),
            prompt_id.as_deref(),
            json!({ "isMeta": true }),
        );
        journal.user(&json!(CLEAR_NOTE), prompt_id.as_deref(), json!({}));
        let mut more = json!({ "content": stdout, "level": "info", "isMeta": false });
        if is_new {
            more["commandRun"] = json!({ "command": "clear", "args": "" });
        }
        journal.system("local_command", more);
        for text in [caveat, CLEAR_NOTE, stdout] {
            talk.add(Role::User, json!(text));
        }
        *self.world.journal() = journal;
        *self.world.talk() = talk;
        self.scene.blocks = vec![Block::Prompt("/clear".to_owned())];
        let bytes = self.painter.forget();
        tty::write(&bytes);
    }

    fn resume(&mut self, session: &str) {
        let path = self.world.frame.folder.join(format!("{session}.jsonl"));
        let Some(history) = History::read(&path) else {
            self.scene
                .blocks
                .push(Block::Prompt(format!("/resume {session}")));
            self.scene
                .blocks
                .push(Block::Answer(format!("Session {session} was not found.")));
            return;
        };
        self.end_session("resume");
        self.world.take_up(&history, session, false);
        self.show_history(&history);
        let bytes = self.painter.forget();
        tty::write(&bytes);
    }

    fn show_history(&mut self, history: &History) {
        self.scene.blocks.clear();
        for entry in &history.entries {
            let texts: Vec<String> = match &entry.content {
                Value::String(text) => vec![text.clone()],
                Value::Array(blocks) => blocks
                    .iter()
                    .filter_map(|block| block["text"].as_str())
                    .map(str::to_owned)
                    .collect(),
                _ => Vec::new(),
            };
            for text in texts {
                let text = text.trim_end().to_owned();
                self.scene.blocks.push(if entry.role == Role::User {
                    Block::Prompt(text)
                } else {
                    Block::Reply(text)
                });
            }
        }
    }

    /// Tells the hook, which has a moment to answer, and writes the transcript to its end.
    fn end_session(&mut self, reason: &str) {
        let patience = Cancel::default();
        let over = patience.clone();
        std::thread::spawn(move || {
            clock::sleep(END_PATIENCE);
            over.set();
        });
        let body = hook::session_end(&self.world.subject(self.prompt_id.as_deref()), reason);
        self.world.hooks.ask("SessionEnd", &body, &patience);
        let mut journal = self.world.journal();
        if let (Some(prompt), Some(last)) = (self.last_prompt.take(), journal.last()) {
            journal.note(json!({ "type": "last-prompt", "lastPrompt": prompt, "leafUuid": last }));
            self.last_prompt = Some(prompt);
        }
        journal.flush();
    }

    fn leave(&mut self) {
        self.end_session("prompt_input_exit");
        self.polite = true;
        self.exit = Some(Exit {
            code: 0,
            words: None,
        });
    }

    // News of a turn.

    fn take_news(&mut self, news: News) {
        match news {
            News::Accepted | News::Written => {}
            News::Thinking => {
                if let Some(running) = &mut self.running {
                    let since = self.scene.busy.as_ref().map(|busy| busy.since);
                    running.thinking = since;
                }
            }
            News::Said(text) => self.said(&text),
            News::MessageOver => {
                self.thought();
                self.scene.streaming = false;
                if let Some(running) = &mut self.running {
                    running.fresh = true;
                    let servers = std::mem::take(&mut running.servers);
                    if !servers.is_empty() {
                        let over = false;
                        self.scene.blocks.push(Block::Tools { servers, over });
                    }
                }
            }
            News::Notice(text) => self.scene.blocks.push(Block::Notice(text)),
            News::Retrying(text) => self.scene.blocks.push(Block::Result(text)),
            News::Running(what) => {
                if let Some(busy) = &mut self.scene.busy {
                    busy.running = Some(what);
                }
            }
            News::Calling(server) => {
                if let Some(running) = &mut self.running {
                    running.servers.push(server);
                }
            }
            News::Called(called) => self.called(&called),
            News::Stunt(stunt) => self.stunt(stunt),
            News::Shell(command, output) => self.shell_ended(command, output),
            News::Over(outcome) => self.over(outcome),
        }
    }

    fn called(&mut self, called: &Called) {
        if let Some(Block::Tools { over, .. }) = self.scene.blocks.last_mut() {
            *over = true;
        }
        if self.world.dialect.is_new() {
            let errors = called.errors.iter().cloned();
            self.scene.blocks.extend(errors.map(Block::Answer));
            if !called.interrupted.is_empty() {
                self.scene.blocks.pop();
                self.scene.blocks.push(Block::Unfinished {
                    calls: called.interrupted.clone(),
                    not_begun: called.not_begun,
                });
            }
        }
    }

    fn thought(&mut self) {
        let since = self
            .running
            .as_mut()
            .and_then(|running| running.thinking.take());
        if let Some(since) = since {
            self.scene
                .blocks
                .push(Block::Thought(since.elapsed().as_secs()));
        }
    }

    fn said(&mut self, text: &str) {
        self.thought();
        let fresh = self
            .running
            .as_mut()
            .is_some_and(|running| std::mem::take(&mut running.fresh));
        match self.scene.blocks.last_mut().filter(|_| !fresh) {
            Some(Block::Reply(before)) => before.push_str(text),
            _ => self.scene.blocks.push(Block::Reply(text.to_owned())),
        }
        self.scene.streaming = true;
    }

    fn over(&mut self, outcome: Outcome) {
        let since = self
            .scene
            .busy
            .take()
            .map_or_else(clock::now, |busy| busy.since);
        let blocks = self.running.take().map_or(0, |running| running.blocks);
        let duration = Block::Duration(
            scene::past_verb(),
            since.elapsed().as_secs(),
            clock::wall(clock::unix_ms()),
        );
        self.frozen = false;
        self.scene.dialog = None;
        let is_new = self.world.dialect.is_new();
        match outcome {
            Outcome::Answered => self.scene.blocks.push(duration),
            Outcome::Blocked { reason, prompt } => {
                self.scene.blocks.truncate(blocks);
                let text = format!(
                    "UserPromptSubmit operation blocked by hook:\n{reason}\n\nOriginal prompt: {prompt}"
                );
                self.scene.blocks.push(Block::Notice(text));
                if is_new {
                    self.input.set(&prompt);
                }
            }
            Outcome::Interrupted { is_silent: true } => {}
            Outcome::Interrupted { is_silent: false } => {
                self.scene.blocks.push(Block::Result(
                    "Interrupted · What should Claude do instead?".to_owned(),
                ));
            }
            Outcome::TakenBack { prompt } => {
                self.scene.blocks.truncate(blocks);
                self.input.set(&prompt);
                return;
            }
            Outcome::Failed {
                text,
                hint,
                is_login,
            } => {
                self.scene.blocks.push(if is_login {
                    Block::Result(text)
                } else {
                    Block::Notice(text)
                });
                match is_new {
                    true => self.scene.hint = hint,
                    false => self.scene.blocks.push(duration),
                }
            }
        }
        self.dequeue();
    }

    fn stunt(&mut self, stunt: Stunt) {
        match stunt {
            Stunt::Freeze => {
                self.paint();
                self.frozen = true;
            }
            Stunt::Paint(text) => tty::write(text.as_bytes()),
            Stunt::Ask(ask, answered) => {
                self.scene.dialog = Some(Dialog::script(
                    &ask.question,
                    &ask.options,
                    self.world.dialect.is_new(),
                ));
                self.asked = Some(answered);
            }
            Stunt::Exit(code) => self.exit = Some(Exit { code, words: None }),
            Stunt::Crash(Crash::Abort) => std::process::abort(),
            Stunt::Crash(Crash::Kill) => {
                let _ = rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::KILL,
                );
            }
            Stunt::Unexpected(words) => {
                self.exit = Some(Exit {
                    code: 3,
                    words: Some(words),
                })
            }
        }
    }
}

/// A prompt without the marks around what was pasted.
fn as_shown(text: &str) -> String {
    let mark = |line: &&str| {
        !line.starts_with("<pasted_content id=") && !line.starts_with("</pasted_content id=")
    };
    let lines: Vec<&str> = text.split('\n').filter(mark).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// How long a lone ESC waits for the rest of a sequence.
const ESC_PATIENCE: Duration = Duration::from_millis(40);
/// How often the spinner moves.
const BEAT: Duration = Duration::from_millis(100);
/// How often an idle process looks at the size of its window.
const IDLE: Duration = Duration::from_millis(250);
/// The same in the beginning, when a terminal is often resized.
const IDLE_YOUNG: Duration = Duration::from_millis(20);
const YOUTH: Duration = Duration::from_secs(2);
/// How long the first of two presses counts.
const ARMED: Duration = Duration::from_millis(800);
/// How long a `SessionEnd` hook may take.
const END_PATIENCE: Duration = Duration::from_millis(1500);

const CLEAR_NOTE: &str = "<command-name>/clear</command-name>\n            <command-message>clear</command-message>\n            <command-args></command-args>";
const OLD_CAVEAT: &str = "<local-command-caveat>Caveat: The messages below were generated by the user while running local commands. DO NOT respond to these messages or otherwise consider them in your response unless the user explicitly asks you to.</local-command-caveat>";
const NEW_CAVEAT: &str = "<local-command-caveat>The command below was run directly in Claude Code, not sent to you as a request, and its output goes straight to the user. It's recorded here as context for later messages.</local-command-caveat>";
