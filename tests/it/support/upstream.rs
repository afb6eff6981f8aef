//! A model provider on loopback: keeps every request's body, answers by rule, and is loud about what it does not know.

use super::api_host::Asked;
use super::api_host::Host;
use super::api_host::Said;
use fake_host::Answer as Told;
use fake_host::Api;
use fake_host::Counts;
use fake_host::Part;
use fake_host::Stop;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// What is said to a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A whole message.
    Say(String),
    /// A message that says something and then calls tools: for each its id, name and input.
    Call(String, Vec<(String, String, Value)>),
    /// The beginning of one; then nothing until the asker goes away.
    Begin(String),
    /// These events, as they are written.
    Raw(String),
    /// Nothing at all until the asker goes away.
    Hold,
}

/// A provider that answers until the test process ends. Dropping it verifies that nothing came which it did not know.
pub(crate) struct Upstream {
    host: Host,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    bodies: Vec<Value>,
    /// The betas that the last request named.
    betas: String,
    complaints: Vec<String>,
}

impl Upstream {
    /// Says the last text of the user back.
    pub(crate) fn echo() -> Upstream {
        Upstream::answering(|body| Answer::Say(last_text(body)))
    }

    pub(crate) fn answering(rule: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Upstream {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ears = Arc::clone(&heard);
        let host = Host::answering(move |asked| answer(asked, &rule, &ears));
        Upstream { host, heard }
    }

    pub(crate) fn url(&self) -> String {
        self.host.url()
    }

    /// The bodies of the requests so far.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.heard().bodies.clone()
    }

    /// The betas that the last request named.
    pub(crate) fn betas(&self) -> String {
        self.heard().betas.clone()
    }

    /// The one request whose last text of the user is this.
    pub(crate) fn asked(&self, prompt: &str) -> Value {
        let mut bodies = self.bodies();
        bodies.retain(|body| last_text(body) == prompt);
        assert_eq!(
            bodies.len(),
            1,
            "requests that end with {prompt:.80?}; there came {:.2000?}",
            self.bodies().iter().map(last_text).collect::<Vec<_>>()
        );
        bodies.remove(0)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let complaints = self.heard().complaints.join("\n");
            assert!(complaints.is_empty(), "{complaints}");
        }
    }
}

/// The messages of a request as role and blocks, without what the CLI adds of its own.
pub(crate) fn messages(body: &Value) -> Vec<(String, Vec<Value>)> {
    let messages = body["messages"].as_array().expect("messages are a list");
    let own = messages
        .iter()
        .filter(|message| message["role"] != "system");
    own.map(|message| {
        let role = message["role"].as_str().unwrap_or_default().to_owned();
        let mut blocks = match &message["content"] {
            Value::String(text) => vec![json!({"type": "text", "text": text})],
            content => content.as_array().cloned().unwrap_or_default(),
        };
        blocks.retain(|block| {
            let text = block["text"].as_str().unwrap_or_default();
            !text.starts_with("<system-reminder>")
        });
        for block in blocks.iter_mut().filter_map(Value::as_object_mut) {
            block.remove("cache_control");
        }
        (role, blocks)
    })
    .collect()
}

/// All text of the last message of the user.
pub(crate) fn last_text(body: &Value) -> String {
    let messages = messages(body);
    let last = messages.iter().rfind(|(role, _)| role == "user");
    let blocks = last
        .map(|(_, blocks)| blocks.as_slice())
        .unwrap_or_default();
    blocks
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect()
}

fn answer(asked: &Asked, rule: &impl Fn(&Value) -> Answer, heard: &Mutex<Heard>) -> Said {
    if asked.head[0].starts_with("HEAD / ") {
        // The older family looks whether anyone is there.
        return Said::Whole(
            200,
            "connection: close\r\n".into(),
            "text/plain",
            String::new(),
        );
    }
    let complain = |what: String| {
        lock(heard).complaints.push(what);
        Said::Whole(
            501,
            "connection: close\r\n".into(),
            "text/plain",
            String::new(),
        )
    };
    if !asked.head[0].starts_with("POST /v1/messages") {
        return complain(format!("an unexpected request: {}", asked.head[0]));
    }
    match serde_json::from_slice::<Value>(&asked.body) {
        Ok(body) => {
            let mut ears = lock(heard);
            ears.bodies.push(body.clone());
            ears.betas = asked
                .header("anthropic-beta")
                .unwrap_or_default()
                .to_owned();
            drop(ears);
            said(rule(&body))
        }
        Err(error) => complain(format!("a broken body: {error}")),
    }
}

fn said(answer: Answer) -> Said {
    let said = match answer {
        Answer::Say(text) => Said::Stream(events(text, Vec::new(), Stop::End)),
        Answer::Call(text, calls) => Said::Stream(events(text, calls, Stop::Tools)),
        Answer::Begin(text) => {
            let mut events = events(text, Vec::new(), Stop::End);
            events.truncate(3); // The block stays open.
            Said::Stall(events)
        }
        Answer::Raw(events) => Said::Stream(vec![events]),
        Answer::Hold => return Said::Silence,
    };
    Said::With("request-id: req_upstream\r\n".into(), Box::new(said))
}

fn events(text: String, calls: Vec<(String, String, Value)>, stop: Stop) -> Vec<String> {
    let call = |(id, tool, input): (String, String, Value)| Part::Call {
        id: Some(id),
        tool,
        arguments: input.to_string(),
    };
    let parts = std::iter::once(Part::Say(vec![text])).chain(calls.into_iter().map(call));
    let told = Told {
        model: "claude-opus-4-8".to_owned(),
        stem: "upstream".to_owned(),
        parts: parts.collect(),
        stop,
        counts: Counts {
            input: 21,
            cache_read: Some(7),
            output: 42,
            ..Counts::default()
        },
    };
    Api::Messages.events(&told, true)
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
