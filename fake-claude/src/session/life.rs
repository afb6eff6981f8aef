//! The loop: keys and news in, pictures out, until the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use crate::clock;
use crate::config::Config;
use crate::dialog::Dialog;
use crate::history::History;
use crate::hook;
use crate::http::Cancel;
use crate::input::Input;
use crate::keys::Decoder;
use crate::keys::Key;
use crate::look::Look;
use crate::paint::Painter;
use crate::scene::Block;
use crate::scene::Scene;
use crate::session::keyboard::ARMED;
use crate::session::local::Mark;
use crate::session::start::Exit;
use crate::session::start::Start;
use crate::terminal;
use crate::tty;
use crate::tty::Heard;
use crate::tty::Tty;
use crate::world::News;
use crate::world::World;
use crate::world::lock;

pub(crate) struct Session {
    pub(super) world: Arc<World>,
    pub(super) news: Receiver<News>,
    pub(super) tty: Tty,
    pub(super) config: Config,
    pub(super) scene: Scene,
    pub(super) input: Input,
    pub(super) painter: Painter,
    pub(super) decoder: Decoder,
    pub(super) dialogs: VecDeque<Dialog>,
    pub(super) api_key: Option<String>,
    pub(super) editor: Option<String>,
    pub(super) history: Option<(History, bool)>,
    pub(super) prompt: Option<String>,
    pub(super) running: Option<Running>,
    pub(super) queue: VecDeque<String>,
    pub(super) prompt_id: Option<String>,
    pub(super) last_prompt: Option<String>,
    /// When Ctrl+C or Esc was pressed, which waits for the second press.
    pub(super) armed: Option<(Key, Instant)>,
    pub(super) asked: Option<Cancel>,
    /// Where each prompt of this conversation began.
    pub(super) marks: Vec<Mark>,
    /// A command that is shown once its question is answered.
    pub(super) hidden: Option<Block>,
    pub(super) frozen: bool,
    /// Whether the prompt box has been drawn.
    pub(super) opened: bool,
    pub(super) exit: Option<Exit>,
    /// Whether the user ended it, so that a word of goodbye is due.
    pub(super) polite: bool,
    pub(super) since: Instant,
}

/// A turn on its way.
pub(super) struct Running {
    pub(super) cancel: Cancel,
    /// How many blocks there were before it.
    pub(super) blocks: usize,
    pub(super) thinking: Option<Instant>,
    /// The servers whose tools the message calls.
    pub(super) servers: Vec<String>,
    pub(super) fresh: bool,
    /// What came and is not shown before its end.
    pub(super) coming: String,
}

impl Session {
    pub(crate) fn new(start: Start) -> Session {
        let is_new = start.world.dialect.is_new();
        let emoji = start.world.dialect.emoji;
        Session {
            world: start.world,
            news: start.news,
            tty: start.tty,
            config: start.config,
            scene: start.scene,
            input: Input::new(is_new),
            painter: Painter::new(Look::Inline, emoji, tty::size()),
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
            marks: Vec::new(),
            hidden: None,
            frozen: false,
            opened: false,
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
            if self.opened || self.scene.dialog.is_some() {
                self.paint();
            }
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
                    self.keys(keys);
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

    pub(super) fn paint(&mut self) {
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

    /// Tells the hook, which has a moment to answer, and writes the transcript to its end.
    pub(super) fn end_session(&mut self, reason: &str) {
        let patience = Cancel::default();
        let over = patience.clone();
        std::thread::spawn(move || {
            clock::sleep(END_PATIENCE);
            over.set();
        });
        let body = hook::session_end(&self.world.subject(self.prompt_id.as_deref()), reason);
        self.world.hooks.ask("SessionEnd", &body, &patience);
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let model = self.world.model();
        let talk = self.world.talk();
        let mut journal = self.world.journal();
        talk.ledger.close(&model, ms, &mut journal);
        if let (Some(prompt), Some(last)) = (self.last_prompt.take(), journal.last()) {
            journal.note(json!({ "type": "last-prompt", "lastPrompt": prompt, "leafUuid": last }));
            self.last_prompt = Some(prompt);
        }
        journal.flush();
    }

    /// The user leaves; a script that still waits for something makes that a failure.
    pub(super) fn leave(&mut self) {
        self.end_session("prompt_input_exit");
        self.polite = true;
        let words = lock(&self.world.script).missed();
        self.exit = Some(Exit {
            code: if words.is_some() { MISSED } else { 0 },
            words,
        });
    }
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

/// How long a `SessionEnd` hook may take.
const END_PATIENCE: Duration = Duration::from_millis(1500);
/// The exit code of a script that was not played to its end.
const MISSED: u8 = 4;
