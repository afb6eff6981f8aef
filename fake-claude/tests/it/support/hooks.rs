//! The receiver of hooks: keeps every body, and answers what the test wants.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::support::http;
use crate::support::http::Response;
use crate::support::watch::Watch;

/// All hooks of one session.
pub(crate) struct Hooks {
    url: String,
    seen: Arc<Watch<Vec<Value>>>,
}

impl Hooks {
    pub(crate) fn new() -> Hooks {
        Hooks::answering(|_| json!({}))
    }

    pub(crate) fn answering(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Hooks {
        let seen = Arc::new(Watch::<Vec<Value>>::default());
        let kept = Arc::clone(&seen);
        let url = http::serve(move |request| {
            let body: Value = serde_json::from_str(&request.body).expect("a hook is JSON");
            let said = answer(&body);
            kept.change(|seen| seen.push(body));
            Response::json(said)
        });
        Hooks { url, seen }
    }

    /// What goes behind `--settings`.
    pub(crate) fn settings(&self) -> String {
        let hook = json!([{ "hooks": [{ "type": "http", "url": format!("{}/hook", self.url) }] }]);
        let hooks: serde_json::Map<String, Value> = EVENTS
            .iter()
            .map(|event| ((*event).to_owned(), hook.clone()))
            .collect();
        json!({ "hooks": hooks }).to_string()
    }

    /// The `nth` hook of this event, from 1.
    pub(crate) fn nth(&self, event: &str, nth: usize) -> Value {
        let found = self.seen.wait(|seen| {
            let mut named = seen.iter().filter(|hook| hook["hook_event_name"] == event);
            named.nth(nth - 1).cloned()
        });
        found.unwrap_or_else(|| panic!("no {event} number {nth}: {:#?}", self.names()))
    }

    /// The events so far, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let seen = self.seen.lock();
        let names = seen.iter().map(|hook| hook["hook_event_name"].as_str());
        names
            .map(|name| name.unwrap_or_default().to_owned())
            .collect()
    }
}

const EVENTS: [&str; 9] = [
    "UserPromptSubmit",
    "MessageDisplay",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "Stop",
    "StopFailure",
    "SessionEnd",
];
