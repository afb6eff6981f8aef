//! The course of a turn: the prompt, then answers until one is the last.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::json;

use crate::child;
use crate::clock;
use crate::conversation::Attached;
use crate::conversation::Role;
use crate::hook::Subject;
use crate::http::Cancel;
use crate::id;
use crate::reply::Failure;
use crate::reply::Reply;
use crate::request;
use crate::script::Step;
use crate::turn::batch::Batch;
use crate::turn::cause::Cause;
use crate::turn::record::is_said;
use crate::turn::request::PREPARED;
use crate::turn::submission::NoteKind;
use crate::world::News;
use crate::world::Outcome;
use crate::world::Told;
use crate::world::World;

pub(super) struct Turn {
    pub(super) world: Arc<World>,
    pub(super) cause: Cause,
    pub(super) cancel: Cancel,
    pub(super) subject: Subject,
    pub(super) prompt_id: Option<String>,
    pub(super) turn_id: String,
    pub(super) began: Instant,
    /// The steps of the script that answer to the results of tools.
    pub(super) rest: Mutex<Vec<Step>>,
    /// The tool that was called last.
    pub(super) used: Mutex<Option<String>>,
    /// The name of the last request, in the newer family's notes.
    pub(super) request: Mutex<String>,
    /// Whether tools are told of; the first request of a turn that was taken up has none.
    pub(super) has_tools: AtomicBool,
    /// The record of the message that is answered.
    pub(super) asked_in: Option<String>,
    /// Where conversation and transcript stood before this turn.
    pub(super) before: (usize, Option<String>, Attached),
}

impl Turn {
    pub(super) fn new(world: Arc<World>, cause: Cause, cancel: Cancel) -> Turn {
        let prompt_id = match &cause {
            Cause::Prompt { prompt_id, .. } | Cause::Sdk { prompt_id, .. } => {
                Some(prompt_id.clone())
            }
            Cause::Resumed => None,
            Cause::Shell { prompt_id } => prompt_id.clone(),
        };
        let subject = world.subject(prompt_id.as_deref());
        let has_tools = !matches!(cause, Cause::Resumed);
        let talk = world.talk();
        let told = talk.told;
        let before = (talk.entries.len(), world.journal().last(), told);
        drop(talk);
        Turn {
            world,
            cause,
            cancel,
            subject,
            prompt_id,
            turn_id: id::uuid(),
            began: clock::now(),
            rest: Mutex::default(),
            used: Mutex::default(),
            request: Mutex::default(),
            has_tools: AtomicBool::new(has_tools),
            asked_in: before.1.clone(),
            before,
        }
    }

    pub(super) fn run(&mut self) -> Outcome {
        match self.cause.clone() {
            Cause::Prompt {
                text,
                source,
                asked,
                ..
            } => {
                if let Some(outcome) = self.submit(&text, source, asked) {
                    return outcome;
                }
            }
            Cause::Sdk { content, .. } => {
                if let Some(outcome) = self.take_message(&content) {
                    return outcome;
                }
            }
            Cause::Resumed => {
                self.run_start_commands();
                self.world.journal().snapshot();
                self.notes(NoteKind::DateOnly, "");
            }
            Cause::Shell { .. } => self.notes(NoteKind::DateOnly, ""),
        }
        self.answer()
    }

    /// A turn that is taken up waits for what runs at the start; the newer family then has its tools.
    fn run_start_commands(&self) {
        for command in &self.world.start_commands {
            child::shell(command, &self.world.cwd);
            let has_tools = self.world.dialect.is_new();
            self.has_tools.store(has_tools, Ordering::SeqCst);
        }
    }

    /// Asks until there is an answer that ends the turn.
    fn answer(&mut self) -> Outcome {
        let (mut cuts, mut refusals, mut empty) = (0, 0, 0);
        loop {
            let batch = Batch::new(&self.world, &self.subject, &self.cancel);
            if cuts + refusals + empty == 0 {
                self.world.diagnose(PREPARED);
            } else if let Err(Failure::Interrupted(partial)) = self.prepare_to_ask_on() {
                return self.interrupted(&partial, &batch);
            }
            let reply = match self.ask_with_retries(&batch) {
                Ok(reply) => reply,
                Err(Failure::Interrupted(partial)) => return self.interrupted(&partial, &batch),
                Err(failure) => return self.failed(&self.world.circumstances().ending(&failure)),
            };
            let sources = self.write_reply(&reply);
            match reply.stop_reason.as_deref() {
                _ if !batch.is_empty() => {
                    let (done, stops) = self.use_tools(&batch, &sources);
                    if self.cancel.is_set() {
                        return self.interrupted_tools(&reply, &done);
                    }
                    if stops {
                        // No hook tells of such an end.
                        return Outcome::Answered;
                    }
                }
                Some("max_tokens" | "model_context_window_exceeded")
                    if cuts == self.world.dialect.failing.cuts_max =>
                {
                    return self.failed(&self.world.circumstances().cut_off());
                }
                Some("max_tokens" | "model_context_window_exceeded") => {
                    cuts += 1;
                    self.go_on(CUT_OFF, &reply);
                }
                Some("refusal") if refusals == 0 && self.asks_again_when_refused() => {
                    refusals += 1;
                    self.note_refusal();
                    self.go_on(REFUSED, &reply);
                }
                Some("refusal") => return self.refused(&reply),
                _ if !reply.blocks.iter().any(is_said)
                    && empty == 0
                    && self.world.dialect.asks_again =>
                {
                    empty += 1;
                    self.continue_empty();
                }
                _ => return self.stopped(&reply),
            }
        }
    }

    /// An answer without a word is asked for once more; both families write that down.
    fn continue_empty(&self) {
        self.note_prompt();
        self.remind(NOTHING_SAID);
        let mut more = json!({ "isMeta": true });
        if self.world.dialect.is_new() {
            more["turnCompanion"] = json!(true);
        }
        if self.world.dialect.owns_notes {
            more["ownNote"] = json!(true);
        }
        let text = json!(NOTHING_SAID);
        self.world
            .journal()
            .user(&text, self.prompt_id.as_deref(), more);
    }

    /// Says something to the model in the user's place; later versions say that it is not the user's.
    fn remind(&self, text: &str) {
        let text = match self.world.dialect.owns_notes {
            true => format!("<system-reminder>\n{text}\n</system-reminder>"),
            false => text.to_owned(),
        };
        self.world.talk().add(Role::User, json!(text));
    }

    /// Asks the model to go on; only the newer family writes that down.
    fn go_on(&self, text: &str, reply: &Reply) {
        self.world.print(|| {
            News::Told(Told {
                content: json!([{ "type": "text", "text": text }]),
                is_synthetic: true,
                ..Told::default()
            })
        });
        self.remind(text);
        if self.world.dialect.is_new() {
            let mut more = json!({ "isMeta": true, "turnCompanion": true });
            if self.world.dialect.owns_notes {
                more["ownNote"] = json!(true);
            }
            if text == REFUSED {
                more["refusedMessageId"] = json!(reply.id);
            }
            self.world
                .journal()
                .user(&json!(text), self.prompt_id.as_deref(), more);
        }
    }

    fn asks_again_when_refused(&self) -> bool {
        self.world.dialect.is_new() && !self.world.refusals_stand
    }

    fn note_refusal(&self) {
        let name = request::marketing(&self.world.model());
        let notice = format!(
            "{name}'s safeguards stopped the response above · continuing once with that noted"
        );
        let more = json!({ "content": notice, "isMeta": false, "level": "notice" });
        self.world.journal().system("informational", more);
        self.world.tell(News::Notice(notice));
    }
}

const NOTHING_SAID: &str = "[Your previous response had no visible output. Please continue and produce a user-visible response.]";

const CUT_OFF: &str = "Output token limit hit. Resume directly — no apology, no recap of what you were doing. Pick up mid-thought if that is where the cut happened. Break remaining work into smaller pieces.";

const REFUSED: &str = "Your response above was stopped by a safety classifier — this is not a tool or API error. The rest of it was withheld, and tool calls in it that had not finished did not run. Do not produce that content again, even reworded.";
