//! One turn: what the simulated model does, told as the CLI tells it.

use crate::catalogue;
use crate::clock;
use crate::ending;
use crate::ending::Ending;
use crate::failure;
use crate::history;
use crate::id;
use crate::out;
use crate::script::Fail;
use crate::script::Limit;
use crate::script::Step;
use crate::script::Use;
use crate::server::Shared;
use crate::server::lock;
use crate::shape;
use crate::thread::Thread;
use serde_json::Value;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// A turn that is being told.
pub(crate) struct Player<'a> {
    pub(crate) shared: &'a Shared,
    thread: Thread,
    turn: &'a str,
    stopped: &'a Receiver<Value>,
    /// Of the model's answer.
    pub(crate) number: u64,
    began: u64,
    /// The message that is told at the turn's end.
    last: Option<Value>,
    pub(crate) limit: Option<Value>,
    calls: Vec<(String, String, Value)>,
    /// The API answered with an error in place of a stream.
    pub(crate) is_refused: bool,
    pub(crate) is_filtered: bool,
    /// The request that asked it to stop.
    pub(crate) stop: Option<Value>,
}

/// Plays a turn to its end.
pub(crate) fn play(
    shared: &Shared,
    thread: Thread,
    turn: &str,
    id: &Value,
    params: &Value,
    stopped: &Receiver<Value>,
) {
    let habits = catalogue::habits(shared.settings.get("model_catalog_json"), &thread.model);
    let mut player = Player {
        shared,
        thread,
        turn,
        stopped,
        number: shared.answers.fetch_add(1, Ordering::Relaxed) + 1,
        began: clock::unix_ms(),
        last: None,
        limit: None,
        calls: Vec::new(),
        is_refused: false,
        is_filtered: false,
        stop: None,
    };
    player.remember();
    shared.out.reply(
        id,
        &json!({"turn": player.told("inProgress", &Value::Null, false)}),
    );
    if habits.is_unknown {
        let model = &player.thread.model;
        let words = format!(
            "Model metadata for `{model}` not found. Defaulting to fallback metadata; this can degrade performance and \
             cause issues."
        );
        player.thread_notice("warning", json!({"message": words}));
    }
    if !params["summary"].is_null() || !params["effort"].is_null() {
        let settings = player.thread.settings(params);
        player.thread_notice(
            "thread/settings/updated",
            json!({"threadSettings": settings}),
        );
    }
    player.thread_notice(
        "thread/status/changed",
        json!({"status": {"type": "active", "activeFlags": []}}),
    );
    let started = player.told("inProgress", &Value::Null, true);
    player.thread_notice("turn/started", json!({"turn": started}));
    let sent = history::sent(&player.thread.items, habits);
    player.log(&sent, params);
    let (prompt, before) = history::prompt(&sent);
    let steps = lock(&shared.script).take(&prompt, &before);
    let ending = player.steps(&steps, &prompt);
    ending::tell(&player, &ending);
}

impl Player<'_> {
    /// The history comes back as items of a turn that is not this one.
    fn remember(&self) {
        for item in &self.thread.items {
            let mut item = item.clone();
            if item["id"].is_null() {
                item["id"] = format!("msg_{}", id::uuid()).into();
            }
            item["internal_chat_message_metadata_passthrough"] =
                json!({"turn_id": "auto-compact-0"});
            let params =
                json!({"threadId": self.thread.id, "turnId": "auto-compact-0", "item": item});
            self.shared.out.notice("rawResponseItem/completed", &params);
        }
    }

    /// What the model is asked, for whoever wants to see it.
    fn log(&self, sent: &[Value], params: &Value) {
        self.write(&json!({
            "model": self.thread.model, "instructions": self.thread.instructions, "input": sent,
            "tools": self.thread.tools, "effort": params["effort"], "summary": params["summary"],
            "schema": params["outputSchema"],
        }));
    }

    /// A line of the log that is kept for tests.
    pub(crate) fn write(&self, line: &Value) {
        let Some(path) = &self.shared.env.log else {
            return;
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        // A log that cannot be written is found missing by whoever reads it.
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    fn steps(&mut self, steps: &[Step], prompt: &str) -> Ending {
        for step in steps {
            if self.waits(step.wait_ms) {
                return Ending::Interrupted;
            }
            let ending = self.step(step, prompt);
            if let Some(ending) = ending {
                return ending;
            }
        }
        self.respond();
        match self.calls.is_empty() {
            true => Ending::Done,
            false => self.wait_for_tools(),
        }
    }

    fn step(&mut self, step: &Step, prompt: &str) -> Option<Ending> {
        if step.crash {
            std::process::abort();
        }
        if let Some(model) = &step.reroute {
            let from = self.thread.model.clone();
            let params =
                json!({"fromModel": from, "toModel": model, "reason": "highRiskCyberActivity"});
            self.notice("model/rerouted", params);
            self.thread_notice("warning", json!({"message": failure::REROUTED}));
        }
        if let Some(limit) = step.limit {
            self.limit = Some(shape::window(limit));
        }
        if step.unreachable {
            self.is_refused = true;
            let (info, message) = failure::unreachable();
            return Some(Ending::Failed(info, message));
        }
        if let Some(fail) = step.fail.as_ref().or(step.failed.as_ref()) {
            return Some(self.fail(fail));
        }
        if let Some(text) = &step.think {
            self.think(text);
        }
        let text = step
            .say
            .clone()
            .or_else(|| step.echo.then(|| prompt.to_owned()));
        if let Some(text) = text
            && let Some(ending) = self.say(&text, step)
        {
            return Some(ending);
        }
        if let Some(words) = failure::broken(step) {
            return Some(Ending::Failed(json!("other"), words.to_owned()));
        }
        for (place, call) in step.call.iter().enumerate() {
            self.call(call, place);
        }
        if step.hang {
            self.stop = self.stopped.recv().ok(); // Whoever interrupts ends it.
            return Some(Ending::Interrupted);
        }
        self.stop(step.stop.as_deref()?)
    }

    fn fail(&mut self, fail: &Fail) -> Ending {
        if let Some(resets_in) = fail.resets_in {
            let limit = Limit {
                used: 100,
                minutes: 300,
                resets_in,
            };
            self.limit = Some(shape::window(limit));
        }
        self.is_refused = fail.status > 0;
        if self.is_refused && self.shared.env.logs_requests {
            out::log(&failure::logged(fail));
        }
        let (info, message) = failure::told(fail);
        Ending::Failed(info, message)
    }

    fn think(&self, text: &str) {
        let id = format!("rs_{}", self.number);
        let item = |summary: Value| json!({"type": "reasoning", "id": id, "summary": summary, "content": []});
        self.item("item/started", item(json!([])), false);
        self.notice(
            "item/reasoning/summaryPartAdded",
            json!({"itemId": id, "summaryIndex": 0}),
        );
        let params = json!({"itemId": id, "delta": text, "summaryIndex": 0});
        self.notice("item/reasoning/summaryTextDelta", params);
        self.item("item/completed", item(json!([text])), true);
        self.raw(json!({
            "type": "reasoning", "id": id, "summary": [{"type": "summary_text", "text": text}], "content": null,
            "encrypted_content": format!("enc-{}", self.number),
        }));
    }

    /// Says a text in pieces; without what the CLI takes for a mark of its own.
    fn say(&mut self, text: &str, step: &Step) -> Option<Ending> {
        let is_whole = !step.cut && !step.close && !step.hang;
        self.item("item/started", shape::message(self.number, ""), false);
        let shown = shape::without_marks(text);
        let letters: Vec<char> = shown.chars().collect();
        for piece in letters.chunks(step.chunk.unwrap_or(letters.len()).max(1)) {
            let delta: String = piece.iter().collect();
            let params = json!({"itemId": format!("msg_{}", self.number), "delta": delta});
            self.notice("item/agentMessage/delta", params);
            if self.waits(step.delay_ms) {
                return Some(Ending::Interrupted);
            }
        }
        if is_whole {
            let item = self.item("item/completed", shape::message(self.number, &shown), true);
            self.last = Some(item);
            let status = match step.stop.as_deref() {
                Some("max_tokens" | "content_filter") => "incomplete",
                _ => "completed",
            };
            let part =
                json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
            self.raw(json!({
                "type": "message", "status": status, "id": format!("msg_{}", self.number), "role": "assistant",
                "content": [part],
            }));
        }
        None
    }

    fn call(&mut self, call: &Use, place: usize) {
        let input = call.input.clone().unwrap_or_else(|| json!({}));
        let arguments = call.arguments.clone().unwrap_or_else(|| input.to_string());
        let id = format!("call_{:04}{place:02}", self.number);
        self.raw(json!({
            "type": "function_call", "status": "completed", "id": format!("fc_{}_{place}", self.number),
            "name": call.tool, "arguments": arguments, "call_id": id,
        }));
        self.calls.push((
            id,
            call.tool.clone(),
            serde_json::from_str(&arguments).unwrap_or_default(),
        ));
    }

    /// How the model's answer ends, where it does not end as it should.
    fn stop(&mut self, stop: &str) -> Option<Ending> {
        let failed = |message: &str| Some(Ending::Failed(json!("other"), message.to_owned()));
        match stop {
            "max_tokens" => failed("Incomplete response returned, reason: max_output_tokens"),
            "content_filter" => {
                self.is_filtered = true;
                failed(
                    "stream disconnected before completion: Incomplete response returned, reason: content_filter",
                )
            }
            "refusal" => {
                self.item("item/started", shape::message(self.number, ""), false);
                None
            }
            "none" => {
                self.stop = self.stopped.recv().ok(); // Its end never comes.
                Some(Ending::Interrupted)
            }
            _ => None,
        }
    }

    /// The model's answer is whole.
    fn respond(&self) {
        let (input, output) = (1000 + self.number, 100 + self.number);
        let metadata = json!({
            "input_tokens": input, "input_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 0},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output,
        });
        self.notice(
            "rawResponse/completed",
            json!({
                "responseId": format!("resp_{}", self.number), "usage": shape::usage(input, output),
                "usageMetadata": {"amount": null, "metadata": metadata},
            }),
        );
    }

    /// Has the client asked for each tool, the last one first, and waits; only an interrupt ends it.
    fn wait_for_tools(&mut self) -> Ending {
        for (id, tool, arguments) in self.calls.iter().rev() {
            let call =
                json!({"callId": id, "namespace": null, "tool": tool, "arguments": arguments});
            let item = json!({
                "type": "dynamicToolCall", "id": id, "namespace": null, "tool": tool, "arguments": arguments,
                "status": "inProgress", "contentItems": null, "success": null, "durationMs": null,
            });
            self.item("item/started", item, false);
            let params = self.with_ids(call);
            let number = self.shared.asked.fetch_add(1, Ordering::Relaxed);
            self.shared.out.ask(number, "item/tool/call", &params);
        }
        self.stop = self.stopped.recv().ok(); // Whoever interrupts ends it.
        Ending::Interrupted
    }

    /// Whether the turn was stopped meanwhile.
    fn waits(&mut self, ms: u64) -> bool {
        match self.stopped.recv_timeout(Duration::from_millis(ms)) {
            Err(RecvTimeoutError::Timeout) => false,
            stopped => {
                self.stop = stopped.ok();
                true
            }
        }
    }

    pub(crate) fn told(&self, status: &str, error: &Value, is_under_way: bool) -> Value {
        let is_over = status != "inProgress";
        let now = clock::unix_ms();
        let items: Vec<&Value> = self.last.iter().filter(|_| status == "completed").collect();
        json!({
            "id": self.turn, "rootTurnId": self.turn, "items": items,
            "itemsView": match items.is_empty() { true => "notLoaded", false => "summary" },
            "status": status, "error": error, "startedAt": is_under_way.then_some(self.began / 1000),
            "completedAt": is_over.then_some(now / 1000), "durationMs": is_over.then_some(now - self.began),
        })
    }

    /// Tells of an item that begins or is whole; gives it back with its times.
    fn item(&self, method: &str, mut item: Value, is_whole: bool) -> Value {
        let now = clock::unix_ms();
        item["startedAtMs"] = now.into();
        item["completedAtMs"] = is_whole.then_some(now).into();
        let params = match is_whole {
            true => json!({"item": item, "contentTokenCount": null, "completedAtMs": now}),
            false => json!({"item": item, "startedAtMs": now}),
        };
        self.notice(method, params);
        item
    }

    pub(crate) fn raw(&self, mut item: Value) {
        item["internal_chat_message_metadata_passthrough"] = json!({"turn_id": self.turn});
        self.notice("rawResponseItem/completed", json!({"item": item}));
    }

    pub(crate) fn notice(&self, method: &str, params: Value) {
        self.shared.out.notice(method, &self.with_ids(params));
    }

    pub(crate) fn thread_notice(&self, method: &str, mut params: Value) {
        params["threadId"] = self.thread.id.as_str().into();
        self.shared.out.notice(method, &params);
    }

    fn with_ids(&self, mut params: Value) -> Value {
        params["threadId"] = self.thread.id.as_str().into();
        params["turnId"] = self.turn.into();
        params
    }
}
