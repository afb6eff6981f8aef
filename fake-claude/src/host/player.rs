//! Plays a script: a request in, what is said to it out.

use crate::answer::Answer;
use crate::answer::Counts;
use crate::answer::Part;
use crate::answer::Stop;
use crate::api::Api;
use crate::asked::Asked;
use crate::said::Said;
use crate::script::Fail;
use crate::script::Script;
use crate::script::Step;
use crate::script::Use;
use serde_json::Value;
use serde_json::json;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// A host that answers by a script.
#[derive(Debug)]
pub struct Player {
    script: Mutex<Script>,
    counted: Mutex<Counted>,
}

/// All answers so far.
#[derive(Debug, Default)]
struct Counted {
    calls: u64,
    counts: Counts,
}

impl Player {
    #[must_use]
    pub fn new(script: Script) -> Player {
        Player {
            script: Mutex::new(script),
            counted: Mutex::default(),
        }
    }

    /// What is said to a request.
    #[must_use]
    pub fn answer(&self, asked: &Asked) -> Said {
        let path = asked.path().split('?').next().unwrap_or_default();
        match (asked.method(), Api::at(path)) {
            ("POST", Some(api)) => self.play(api, asked),
            ("POST", None) if path.ends_with("/count_tokens") => {
                json_said(200, &json!({"input_tokens": tokens(asked.body.len())}))
            }
            ("GET", None) if path.ends_with("/models") => json_said(200, &models()),
            // For whoever compares a bill with it.
            ("GET", None) if path == "/counted" => json_said(200, &self.counted()),
            ("HEAD", _) => json_said(200, &json!({})),
            _ => {
                let words = "fake-host plays /v1/messages, /v1/chat/completions and /v1/responses";
                json_said(404, &Api::Chat.failure("not_found_error", "", words))
            }
        }
    }

    fn play(&self, api: Api, asked: &Asked) -> Said {
        let json = asked.json();
        let model = json["model"].as_str().unwrap_or_default();
        let steps = lock(&self.script).take(&asked.prompt(), model);
        let other = steps.iter().find_map(|step| step.other);
        let api = other.map_or(api, Api::from);
        let any = |wanted: fn(&Step) -> bool| steps.iter().any(wanted);
        let wait: u64 = steps.iter().map(|step| step.wait_ms).sum();
        let said = match steps.iter().find_map(|step| step.fail.as_ref()) {
            Some(fail) => failed(api, fail),
            None if any(|step| step.close) => Said::Nothing,
            None if any(|step| step.silence) => Said::Silence,
            None if any(|step| step.html) => {
                let page = "<!doctype html><html><body>Sign in to this network</body></html>";
                Said::Whole(200, "".into(), "text/html", page.to_owned())
            }
            None => self.say(api, asked, model, &steps),
        };
        match wait {
            0 => said,
            ms => Said::Later(Duration::from_millis(ms), Box::new(said)),
        }
    }

    fn say(&self, api: Api, asked: &Asked, model: &str, steps: &[Step]) -> Said {
        let mut answer = answer(asked, model, steps);
        let any = |wanted: fn(&Step) -> bool| steps.iter().any(wanted);
        answer.stem = self.count(answer.counts).to_string();
        if !asked.is_streamed() {
            let body = api.whole(&answer).to_string();
            return match () {
                () if any(|step| step.cut) => Said::Short(body),
                () if any(|step| step.gzip) => Said::Gzip(200, "application/json", body),
                () => Said::Whole(200, "".into(), "application/json", body),
            };
        }
        let counts = asked.json()["stream_options"]["include_usage"] == true;
        let mut events = api.events(&answer, counts);
        let broken = steps.iter().find_map(|step| step.failed.as_ref());
        if broken.is_some() || any(|step| step.cut || step.stall || step.endless) {
            events = begun(events, &answer);
        }
        if let Some(fail) = broken {
            events.push(api.failed(&answer.stem, &fail.kind, &fail.code, &fail.message));
        }
        match () {
            () if any(|step| step.cut) => Said::Cut(events),
            () if any(|step| step.stall) => Said::Stall(events),
            () if any(|step| step.endless) => Said::Endless(events),
            () => paced(events, steps),
        }
    }

    /// Counts an answer; which one it is, from 1 on.
    fn count(&self, counts: Counts) -> u64 {
        let mut counted = lock(&self.counted);
        counted.calls += 1;
        let sum = &mut counted.counts;
        sum.input += counts.input;
        sum.output += counts.output;
        sum.reasoning += counts.reasoning;
        for (sum, count) in [
            (&mut sum.cache_read, counts.cache_read),
            (&mut sum.cache_write, counts.cache_write),
        ] {
            *sum = sum.map_or(count, |sum| Some(sum + count.unwrap_or(0)));
        }
        counted.calls
    }

    fn counted(&self) -> Value {
        let counted = lock(&self.counted);
        let counts = counted.counts;
        json!({"calls": counted.calls, "input": counts.input, "output": counts.output,
            "cache_read": counts.cache_read.unwrap_or(0), "cache_write": counts.cache_write.unwrap_or(0),
            "reasoning": counts.reasoning})
    }
}

/// What the steps say, one after the other.
fn answer(asked: &Asked, model: &str, steps: &[Step]) -> Answer {
    let mut parts = Vec::new();
    for step in steps {
        parts.extend(step.think.clone().map(Part::Think));
        let is_refusal = step.stop.as_deref() == Some("refusal");
        let text = step
            .say
            .clone()
            .or_else(|| step.echo.then(|| asked.prompt()));
        let text = text.or_else(|| is_refusal.then(|| "no".to_owned()));
        parts.extend(text.map(|text| match is_refusal {
            true => Part::Refuse(text),
            false => Part::Say(pieces(&text, step.chunk)),
        }));
        parts.extend(step.call.iter().map(call));
    }
    let stops = steps.iter().find_map(|step| step.stop.as_deref());
    let stop = match stops {
        Some("max_tokens") => Stop::MaxTokens,
        Some("refusal") => Stop::Refusal,
        Some("content_filter") => Stop::Filter,
        _ if parts.iter().any(|part| matches!(part, Part::Call { .. })) => Stop::Tools,
        _ => Stop::End,
    };
    let used = steps.iter().find_map(|step| step.usage);
    let estimate = || Counts {
        input: tokens(asked.body.len()),
        output: parts.iter().map(weight).sum(),
        ..Counts::default()
    };
    Answer {
        model: model.to_owned(),
        stem: String::new(), // It is known once the answer is counted.
        counts: used.map_or_else(estimate, Counts::from),
        parts,
        stop,
    }
}

fn call(call: &Use) -> Part {
    let input = || call.input.clone().unwrap_or_else(|| json!({})).to_string();
    Part::Call {
        id: None,
        tool: call.tool.clone(),
        arguments: call.arguments.clone().unwrap_or_else(input),
    }
}

fn pieces(text: &str, chunk: Option<usize>) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let chunk = chunk.unwrap_or(letters.len()).max(1);
    letters
        .chunks(chunk)
        .map(|piece| piece.iter().collect())
        .collect()
}

/// The events up to where the last part of the answer was said, and not that it was; of an answer without a word the
/// first one.
fn begun(mut events: Vec<String>, answer: &Answer) -> Vec<String> {
    let ends_part = |event: &String| {
        let ends = ["\"content_block_stop\"", "\"response.output_item.done\""];
        ends.iter().any(|word| event.contains(word))
    };
    let finishes = |event: &String| event.contains("\"finish_reason\":\"");
    let end = events.iter().rposition(ends_part);
    let end = end.or_else(|| events.iter().position(finishes));
    events.truncate(match answer.parts.is_empty() {
        true => 1,
        false => end.unwrap_or(events.len()),
    });
    events
}

fn paced(events: Vec<String>, steps: &[Step]) -> Said {
    match steps.iter().map(|step| step.delay_ms).max() {
        None | Some(0) => Said::Stream(events),
        Some(ms) => {
            let wait = Duration::from_millis(ms);
            Said::Slow(events.into_iter().map(|event| (wait, event)).collect())
        }
    }
}

fn failed(api: Api, fail: &Fail) -> Said {
    let body = api
        .failure(&fail.kind, &fail.code, &fail.message)
        .to_string();
    let lines: String = fail
        .headers
        .iter()
        .map(|line| format!("{line}\r\n"))
        .collect();
    Said::Whole(fail.status, lines.into(), "application/json", body)
}

fn json_said(status: u16, json: &Value) -> Said {
    Said::Whole(status, "".into(), "application/json", json.to_string())
}

fn models() -> Value {
    let names = ["claude-simulated", "gpt-simulated"];
    let models = names.map(|name| {
        json!({"id": name, "object": "model", "type": "model", "created": 1,
        "created_at": "2026-01-01T00:00:00Z", "display_name": name, "owned_by": "fake-host"})
    });
    json!({"object": "list", "data": models, "has_more": false})
}

fn weight(part: &Part) -> u64 {
    tokens(match part {
        Part::Think(text) | Part::Refuse(text) => text.len(),
        Part::Say(pieces) => pieces.iter().map(String::len).sum(),
        Part::Call {
            tool, arguments, ..
        } => tool.len() + arguments.len(),
    })
}

/// Four bytes are about one token.
fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
