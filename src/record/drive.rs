//! Plays one case on one claude and keeps what it did.

use super::case::Goal;
use super::case::Press;
use super::case::Shot;
use super::case::Step;
use super::dialect::Dialect;
use super::mask;
use super::stage::Stage;
use super::stage::Subject;
use super::take::Intact;
use super::take::Take;
use super::take::Wire;
use super::upstream::Upstream;
use crate::clock;
use crate::session::EndMode;
use crate::session::Exit;
use crate::session::Process;
use crate::session::end_group;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::terminal::Screen;
use crate::terminal::keys;
use crate::terminal::recording::Tape;
use crate::terminal::recording::What;
use std::fs::File;
use std::io;
use std::time::Duration;
use std::time::Instant;

/// Plays the case, again where the scrub has damaged the picture: the clock is in it, and it goes on.
///
/// # Errors
/// Where the machine gives no port, folder or process.
pub(crate) async fn play(subject: &Subject, shot: &Shot) -> io::Result<Take> {
    let mut tries = 0;
    loop {
        let (take, intact) = once(subject, shot).await?;
        tries += 1;
        if intact == Intact::Yes || tries == TRIES_MAX {
            return Ok(take);
        }
    }
}

/// A step that cannot be done ends it, and the recording says so with a marker.
///
/// # Errors
/// Where the machine gives no port, folder or process.
async fn once(subject: &Subject, shot: &Shot) -> io::Result<(Take, Intact)> {
    let case = &shot.case;
    let upstream = Upstream::start(case).await?;
    let mut stage = Stage::build(subject, case, &upstream)?;
    let launch = stage.launch(subject, case, &upstream)?;
    let (process, exit) = Process::spawn_sized(&launch, shot.size())?;
    let now = clock::now();
    let mut player = Player {
        running: Running(process.pid),
        process,
        exit,
        upstream,
        stage,
        screen: Screen::of(shot.size()),
        scene: Scene::Unknown,
        tape: Tape::new(shot.size(), &Take::title(&subject.version, shot)),
        taped: now,
        stirred: now,
        wired: now,
        transcript_bytes: 0,
        posts: Dialect::of(&subject.version).posts(),
        answers: case.answers.len(),
        submitted: usize::from(case.setup.interrupted),
        spins: false,
        drawn: false,
        ended: None,
        gate: None,
    };
    for (number, step) in case.steps.iter().enumerate() {
        if let Err(stuck) = player.perform(step).await {
            let mark = format!("stuck at step {}: {}", number + 1, stuck.why);
            player.put(What::Marker(mark));
            break;
        }
    }
    let (mut take, intact) = player.finish(subject).await;
    if !shot.keeps_wire() {
        take.wire = Wire::default();
    }
    Ok((take, intact))
}

/// A claude at its terminal, and everything around it.
struct Player {
    running: Running,
    process: Process,
    exit: Exit,
    upstream: Upstream,
    stage: Stage,
    screen: Screen,
    scene: Scene,
    tape: Tape,
    /// When the tape got its last event.
    taped: Instant,
    /// When something was last drawn, heard or written.
    stirred: Instant,
    /// When something was last heard.
    wired: Instant,
    transcript_bytes: u64,
    /// Whether this version posts the ends of its turns.
    posts: bool,
    /// Answers that the upstream has for this case.
    answers: usize,
    /// Prompts that were submitted.
    submitted: usize,
    /// Whether a spinner is drawn: old versions tell in no other way that a turn runs.
    spins: bool,
    /// Whether anything was drawn at all.
    drawn: bool,
    /// How the process ended by itself.
    ended: Option<String>,
    /// The gate, once it is open.
    gate: Option<File>,
}

/// A process that is ended with its group, on every path.
struct Running(u32);

impl Drop for Running {
    fn drop(&mut self) {
        end_group(self.0, EndMode::Forced);
    }
}

/// Why a step could not be done.
struct Stuck {
    why: String,
}

impl From<io::Error> for Stuck {
    fn from(error: io::Error) -> Stuck {
        Stuck {
            why: error.to_string(),
        }
    }
}

impl Player {
    async fn perform(&mut self, step: &Step) -> Result<(), Stuck> {
        match step {
            Step::Await(goal) => self.wait_for(*goal).await?,
            Step::Mark(name) => self.put(What::Marker(name.clone())),
            Step::Release(_) => {
                self.stirred = clock::now();
                self.upstream.release();
            }
            Step::Type(text) => self.press(text.as_bytes()),
            Step::Paste(text) => {
                self.press(format!("\x1b[200~{}\x1b[201~", text.written()).as_bytes());
            }
            Step::Press(press) => self.press(bytes(*press)),
            Step::SubmitPasted(text) => {
                self.submitted += 1;
                self.press(format!("\x1b[200~{}\x1b[201~\r", text.written()).as_bytes());
            }
            Step::Open(_) => {
                self.stirred = clock::now();
                self.gate = Some(self.stage.open_gate()?);
            }
            Step::Redefine(_) => self.redefine().await?,
            Step::Edit(text) => {
                self.stage.stage_prompt(text)?;
                self.press(keys::CTRL_G);
            }
            Step::Submit(_) => self.submit(),
            Step::Ask(text) => self.ask(text).await?,
            Step::Resume(past) => {
                let uuid = self.stage.write_past(*past)?;
                self.press(format!("/resume {uuid}").as_bytes());
                self.reach(Goal::Typed).await?;
                self.reach(Goal::Quiet).await?;
                self.press(keys::ENTER);
            }
        }
        Ok(())
    }

    async fn wait_for(&mut self, goal: Goal) -> Result<(), Stuck> {
        self.reach(goal).await?;
        if matches!(goal, Goal::Done | Goal::Settled) && !self.is_reached(Goal::Typed) {
            self.close().await;
        }
        Ok(())
    }

    async fn ask(&mut self, text: &str) -> Result<(), Stuck> {
        self.reach(Goal::Idle).await?;
        self.press(text.as_bytes());
        self.reach(Goal::Typed).await?;
        self.submit();
        Ok(())
    }

    /// Has the MCP server describe its tools anew, until the CLI has asked for them again.
    async fn redefine(&mut self) -> Result<(), Stuck> {
        let before = self.upstream.heard().lists();
        let deadline = clock::now() + STEP_WAIT_MAX;
        let mut told = None;
        self.upstream.redefine();
        while self.upstream.heard().lists() == before {
            let now = clock::now();
            if now > deadline {
                let why = "it did not ask for its tools again".to_owned();
                return Err(Stuck { why });
            }
            if told.is_none_or(|at| now.duration_since(at) >= NOTICE_WAIT) {
                told = Some(now);
                self.upstream.tell_change();
            }
            self.attend().await;
        }
        Ok(())
    }

    fn submit(&mut self) {
        self.submitted += 1;
        self.press(keys::ENTER);
    }

    fn press(&mut self, keys: &[u8]) {
        self.put(What::Input(String::from_utf8_lossy(keys).into_owned()));
        self.stirred = clock::now();
        self.process.write(keys.to_vec());
    }

    fn put(&mut self, what: What) {
        let now = clock::now();
        self.tape.put(now.duration_since(self.taped), what);
        self.taped = now;
    }

    /// Waits for the goal.
    async fn reach(&mut self, goal: Goal) -> Result<(), Stuck> {
        let deadline = clock::now() + STEP_WAIT_MAX;
        while !self.is_reached(goal) {
            if self.ended.is_some() {
                return Err(Stuck {
                    why: format!("the process ended before: {}", word(goal)),
                });
            }
            if clock::now() > deadline {
                return Err(Stuck {
                    why: format!("waited in vain for: {}", word(goal)),
                });
            }
            self.attend().await;
        }
        Ok(())
    }

    /// Gives the closing records of the turns the time that a busy machine takes; some turns have none.
    async fn close(&mut self) {
        let deadline = clock::now() + CLOSE_WAIT_MAX;
        while self.posts && clock::now() < deadline && self.ended.is_none() {
            if self.stage.closes() >= self.upstream.heard().stops() {
                return;
            }
            self.attend().await;
        }
    }

    fn is_reached(&self, goal: Goal) -> bool {
        if goal == Goal::Settled {
            let stands = self.is_reached(Goal::Typed) && self.is_quiet();
            return stands || self.is_reached(Goal::Done);
        }
        let heard = self.upstream.heard();
        match goal {
            Goal::Typed | Goal::Settled => {
                matches!(self.scene, Scene::Prompt(Prompt { empty: false, .. }))
            }
            Goal::Idle => self.scene.is_idle() && !self.spins && self.is_quiet(),
            Goal::Done => {
                let turns = self.submitted.min(self.answers);
                let answered = heard.answered >= turns && (!self.posts || heard.ends() >= turns);
                self.scene.is_idle() && answered && !self.spins && self.is_quiet()
            }
            // A session that waits at its gate draws that it is busy.
            Goal::Listed => heard.lists() > 0 && clock::now().duration_since(self.wired) >= QUIET,
            Goal::Told => heard.submissions() >= self.submitted && self.is_quiet(),
            // A running turn draws all the time; what is quiet then is the wire.
            Goal::Held => heard.held > 0 && self.is_quiet(),
            Goal::Question => {
                let asks = matches!(
                    self.scene,
                    Scene::Dialog { .. } | Scene::Trust { .. } | Scene::Login
                );
                asks && self.is_quiet()
            }
            Goal::Quiet => self.drawn && self.is_quiet(),
            Goal::End => self.ended.is_some(),
        }
    }

    fn is_quiet(&self) -> bool {
        clock::now().duration_since(self.stirred) >= QUIET
    }

    /// Takes in what comes next, or looks around after a while.
    async fn attend(&mut self) {
        tokio::select! {
            bytes = self.process.output.recv() => match bytes {
                Some(bytes) => self.draw(&bytes),
                None => self.end().await,
            },
            () = self.upstream.changed() => {
                self.wired = clock::now();
                self.stirred = self.wired;
            }
            () = tokio::time::sleep(LOOK) => {
                let bytes = self.stage.transcript_bytes();
                if bytes != std::mem::replace(&mut self.transcript_bytes, bytes) {
                    self.stirred = clock::now();
                }
            }
        }
    }

    fn draw(&mut self, bytes: &[u8]) {
        let now = clock::now();
        self.tape.output(now.duration_since(self.taped), bytes);
        self.taped = now;
        let owed = self.screen.feed(bytes);
        if !owed.is_empty() {
            self.process.write(owed);
        }
        self.scene = self.screen.scene().clone();
        self.spins = self.screen.frame().rows.iter().any(|row| mask::spins(row));
        self.drawn = true;
        if self.upstream.heard().held == 0 {
            self.stirred = now;
        }
    }

    async fn end(&mut self) {
        let exit = tokio::time::timeout(END_WAIT_MAX, self.exit.how()).await;
        self.ended = Some(exit.unwrap_or_else(|_| "unknown".to_owned()));
    }

    /// Ends what still runs; gives all that was kept.
    async fn finish(mut self, subject: &Subject) -> (Take, Intact) {
        let wire = {
            let heard = self.upstream.heard();
            Wire {
                hooks: [heard.hooks.clone(), self.stage.written_hooks()].concat(),
                requests: heard.requests.clone(),
                transcript: self.stage.transcript(),
            }
        };
        if let Some(words) = self.ended.take() {
            self.put(What::Exit(status(&words)));
        } else {
            end_group(self.running.0, EndMode::Asked);
            drop(tokio::time::timeout(END_WAIT_MAX, self.exit.how()).await);
        }
        let mut take = Take {
            recording: self.tape.finish(),
            wire,
        };
        let (mut screen, mut wire) = (
            self.stage.screen_scrub(subject),
            self.stage.wire_scrub(subject),
        );
        let intact = take.scrub(&mut screen, &mut wire);
        (take, intact)
    }
}

/// `Success` and `Exited with code 1` as numbers; an end by a signal as a shell would tell it, without its number.
fn status(words: &str) -> i32 {
    if words == "Success" {
        return 0;
    }
    let number = words
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok());
    number.unwrap_or(STATUS_OF_A_SIGNAL)
}

fn bytes(press: Press) -> &'static [u8] {
    match press {
        Press::Enter => keys::ENTER,
        Press::Escape => keys::ESCAPE,
        Press::Up => keys::UP,
        Press::Down => keys::DOWN,
        Press::CtrlC => keys::CTRL_C,
    }
}

fn word(goal: Goal) -> &'static str {
    match goal {
        Goal::Idle => "an idle prompt box",
        Goal::Done => "the end of the turn",
        Goal::Typed => "the typed text in the box",
        Goal::Listed => "the tools to be asked for",
        Goal::Settled => "the end of the turn, or its text in the box",
        Goal::Told => "the hook of what was submitted",
        Goal::Held => "an answer that is held",
        Goal::Question => "a question",
        Goal::Quiet => "quiet",
        Goal::End => "the end of the process",
    }
}

/// Nothing drawn, heard or written for so long is quiet. The slowest pause seen within a turn, 190 ms, is the closing
/// record of the transcript.
const QUIET: Duration = Duration::from_millis(450);
/// How often to look at what tells nothing by itself.
const LOOK: Duration = Duration::from_millis(50);
/// A claude that is not there by then is stuck; a busy machine takes half of it.
const STEP_WAIT_MAX: Duration = Duration::from_secs(20);
/// The closing record has come by then, or does not come.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Within this a process that was asked has ended, or is made to.
const END_WAIT_MAX: Duration = Duration::from_secs(2);
/// A CLI that has only just connected may miss a notice; it is told again after this.
const NOTICE_WAIT: Duration = Duration::from_secs(3);
/// A picture that is damaged three times is kept as it is.
const TRIES_MAX: u32 = 3;
/// What a shell adds a signal's number to.
const STATUS_OF_A_SIGNAL: i32 = 128;
