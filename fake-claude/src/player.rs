//! Plays the steps of a script as if a model had answered.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::http::Cancel;
use crate::id;
use crate::reply::Bit;
use crate::reply::Failure;
use crate::reply::Reply;
use crate::reply::Stunt;
use crate::script::Fail;
use crate::script::Hang;
use crate::script::Step;

/// An event as the API would stream it.
fn event(sink: &mut dyn FnMut(Bit), kind: &str, mut event: Value) {
    event["type"] = json!(kind);
    sink(Bit::Event(event));
}

/// The message before anything was said.
fn start(reply: &Reply) -> Value {
    json!({
        "id": reply.id, "type": "message", "role": "assistant", "model": reply.model, "stop_sequence": null,
        "content": [], "stop_reason": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    })
}

/// A block begins; `empty` is what it begins with.
fn open(reply: &Reply, empty: Value, sink: &mut dyn FnMut(Bit)) {
    let begun = json!({ "index": reply.blocks.len(), "content_block": empty });
    event(sink, "content_block_start", begun);
}

/// The last block gets more.
fn grow(reply: &Reply, delta: Value, sink: &mut dyn FnMut(Bit)) {
    let grown = json!({ "index": reply.blocks.len() - 1, "delta": delta });
    event(sink, "content_block_delta", grown);
}

/// The last block is whole.
fn close(reply: &Reply, sink: &mut dyn FnMut(Bit)) {
    if let Some(block) = reply.blocks.last() {
        sink(Bit::Block(reply.so_far(block), reply.request_id.clone()));
        let at = json!({ "index": reply.blocks.len() - 1 });
        event(sink, "content_block_stop", at);
    }
}

/// How many steps make up the next message: a call of tools ends it.
pub(crate) fn message(steps: &[Step]) -> usize {
    let call = steps.iter().position(|step| !step.call.is_empty());
    call.map_or(steps.len(), |at| at + 1)
}

/// Does the steps in order; `sink` gets what the screen is to show.
pub(crate) fn play(
    steps: &[Step],
    prompt: &str,
    model: &str,
    cancel: &Cancel,
    sink: &mut dyn FnMut(Bit),
) -> Result<Reply, Failure> {
    let mut reply = Reply::empty(model);
    reply.id = format!("msg_sim{}", id::hex(18));
    reply.request_id = format!("req_sim{}", id::hex(18));
    reply.stop_reason = Some("end_turn".to_owned());
    let fails_at_once = |step: &Step| step.fail.is_some() || step.limit.is_some();
    if !steps.first().is_some_and(fails_at_once) {
        event(sink, "message_start", json!({ "message": start(&reply) }));
    }
    for step in steps {
        act(step, prompt, &mut reply, cancel, sink)?;
    }
    fill_usage(&mut reply, prompt);
    let delta = json!({ "stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence });
    event(
        sink,
        "message_delta",
        json!({ "delta": delta, "usage": reply.usage }),
    );
    event(sink, "message_stop", json!({}));
    Ok(reply)
}

fn act(
    step: &Step,
    prompt: &str,
    reply: &mut Reply,
    cancel: &Cancel,
    sink: &mut dyn FnMut(Bit),
) -> Result<(), Failure> {
    wait(step.wait_ms, reply, cancel)?;
    if let Some(fail) = &step.fail {
        return Err(failure(fail));
    }
    if let Some(limit) = &step.limit {
        return Err(Failure::Limit(limit.clone()));
    }
    if let Some(thought) = &step.think {
        sink(Bit::Thinking);
        wait(step.delay_ms, reply, cancel)?;
        think(thought, reply, sink);
    }
    if let Some(text) = step.say.as_deref().or(step.echo.then_some(prompt)) {
        let text = match step.stamp {
            true => Cow::Owned(format!("{}\n{text}", clock::unix_us())),
            false => Cow::Borrowed(text),
        };
        say(&text, step, reply, cancel, sink)?;
    }
    if let Some(stunt) = stunt(step) {
        sink(Bit::Stunt(stunt));
    }
    if let Some(ask) = &step.ask {
        let answered = Cancel::default();
        sink(Bit::Stunt(Stunt::Ask(ask.clone(), answered.clone())));
        while !answered.is_set() {
            wait(1, reply, cancel)?;
            clock::sleep(NAP);
        }
    }
    if step.hang.is_some() || step.exit.is_some() || step.crash.is_some() {
        wait(FOREVER_MS, reply, cancel)?;
    }
    call(step, reply, sink);
    reply.lie = step.lie.clone().or(reply.lie.take());
    reply.stop_reason = step.stop.clone().or(reply.stop_reason.take());
    reply.stop_sequence = step.stop_sequence.clone().or(reply.stop_sequence.take());
    if let Some(usage) = &step.usage {
        reply.usage = usage.clone();
    }
    Ok(())
}

fn failure(fail: &Fail) -> Failure {
    let (kind, message) = (&fail.kind, &fail.message);
    let body = json!({ "type": "error", "error": { "type": kind, "message": message } });
    Failure::Api {
        status: fail.status,
        kind: Some(kind.clone()),
        message: message.clone(),
        body: body.to_string(),
        is_event: false,
    }
}

fn think(thought: &str, reply: &mut Reply, sink: &mut dyn FnMut(Bit)) {
    let block = |thought: &str, signature: &str| json!({ "type": "thinking", "thinking": thought, "signature": signature });
    open(reply, block("", ""), sink);
    reply.blocks.push(block(thought, SIGNATURE));
    let delta = json!({ "type": "thinking_delta", "thinking": thought });
    grow(reply, delta, sink);
    let delta = json!({ "type": "signature_delta", "signature": SIGNATURE });
    grow(reply, delta, sink);
    close(reply, sink);
}

fn stunt(step: &Step) -> Option<Stunt> {
    let frozen = step
        .hang
        .filter(|hang| *hang == Hang::Quiet)
        .map(|_| Stunt::Freeze);
    let painted = step.paint.clone().map(Stunt::Paint);
    let grown = step.grow_mb.map(Stunt::Grow);
    let ended = step.exit.map(Stunt::Exit).or(step.crash.map(Stunt::Crash));
    frozen.or(painted).or(grown).or(ended)
}

fn call(step: &Step, reply: &mut Reply, sink: &mut dyn FnMut(Bit)) {
    for used in &step.call {
        let input = used.input.clone().unwrap_or_else(|| json!({}));
        let block = json!({
            "type": "tool_use", "id": format!("toolu_sim{}", id::hex(18)), "name": used.tool, "input": input,
        });
        let mut empty = block.clone();
        empty["input"] = json!({});
        open(reply, empty, sink);
        reply.blocks.push(block.clone());
        let text = block["input"].to_string();
        grow(
            reply,
            json!({ "type": "input_json_delta", "partial_json": text }),
            sink,
        );
        close(reply, sink);
        reply.stop_reason = Some("tool_use".to_owned());
        sink(Bit::Tool(block));
    }
}

/// Streams one text block; an interruption leaves what was said so far.
fn say(
    text: &str,
    step: &Step,
    reply: &mut Reply,
    cancel: &Cancel,
    sink: &mut dyn FnMut(Bit),
) -> Result<(), Failure> {
    let letters: Vec<char> = text.chars().collect();
    let chunk = step.chunk.unwrap_or(letters.len()).max(1);
    open(reply, json!({ "type": "text", "text": "" }), sink);
    reply.blocks.push(json!({ "type": "text", "text": "" }));
    for piece in letters.chunks(chunk) {
        let piece: String = piece.iter().collect();
        if let Some(Value::String(said)) = reply.blocks.last_mut().map(|block| &mut block["text"]) {
            said.push_str(&piece);
        }
        grow(reply, json!({ "type": "text_delta", "text": piece }), sink);
        sink(Bit::Text(piece));
        wait(step.delay_ms, reply, cancel)?;
    }
    close(reply, sink);
    Ok(())
}

/// Waits in small steps, so that an interruption is felt.
fn wait(ms: u64, reply: &Reply, cancel: &Cancel) -> Result<(), Failure> {
    let until = clock::now().checked_add(clock::scaled(ms));
    loop {
        if cancel.is_set() {
            let partial = Reply {
                stop_reason: None,
                ..reply.clone()
            };
            return Err(Failure::Interrupted(Box::new(partial)));
        }
        let left = until.map_or(NAP, |until| until.saturating_duration_since(clock::now()));
        if left.is_zero() {
            return Ok(());
        }
        clock::sleep(left.min(NAP));
    }
}

fn fill_usage(reply: &mut Reply, prompt: &str) {
    let guess = |text: &str| text.len() / 4 + 1;
    let defaults = json!({
        "input_tokens": guess(prompt) + 20, "output_tokens": guess(&reply.text()),
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
    });
    reply.usage = crate::transcript::with(defaults, reply.usage.clone());
}

/// The longest wait between two looks at an interruption.
const NAP: Duration = Duration::from_millis(10);
/// Longer than any test: a thousand days.
const FOREVER_MS: u64 = 86_400_000_000;
const SIGNATURE: &str = "c2ltdWxhdGVk";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[Step], cancel: &Cancel) -> (Result<Reply, Failure>, String) {
        let mut heard = String::new();
        let result = play(steps, "prompt", "m", cancel, &mut |bit| {
            if let Bit::Text(text) = bit {
                heard.push_str(&text);
            }
        });
        (result, heard)
    }

    #[test]
    fn what_is_streamed_is_what_the_message_says() {
        let step = Step {
            say: Some("h\u{e9}llo w\u{f6}rld".to_owned()),
            chunk: Some(3),
            ..Step::default()
        };
        let (result, heard) = run(&[step], &Cancel::default());
        assert_eq!(
            result.map(|reply| reply.text()).ok().as_deref(),
            Some(heard.as_str())
        );
    }

    #[test]
    fn a_stamped_text_begins_with_when_it_was_said() {
        let step = Step {
            say: Some("hello".to_owned()),
            stamp: true,
            ..Step::default()
        };
        let before = clock::unix_us();
        let (_, heard) = run(&[step], &Cancel::default());
        let (stamp, text) = heard.split_once('\n').expect("a line of its own");
        let stamp: u64 = stamp.parse().expect("microseconds");
        assert!(before <= stamp && stamp <= clock::unix_us());
        assert_eq!(text, "hello");
    }

    #[test]
    fn a_failure_is_the_failure_the_script_names() {
        let fail = Fail {
            status: 529,
            kind: "overloaded_error".to_owned(),
            message: "m".to_owned(),
            retry_after: None,
        };
        let (result, _) = run(
            &[Step {
                fail: Some(fail),
                ..Step::default()
            }],
            &Cancel::default(),
        );
        assert!(matches!(result, Err(Failure::Api { status: 529, .. })));
    }

    #[test]
    fn an_interruption_keeps_what_was_said() {
        let cancel = Cancel::default();
        cancel.set();
        let (result, _) = run(
            &[Step {
                hang: Some(Hang::Live),
                ..Step::default()
            }],
            &cancel,
        );
        assert!(matches!(result, Err(Failure::Interrupted(_))));
    }
}
