//! Hooks of type http: the awaited ones block the turn, `MessageDisplay` is sent and not waited for.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::child;
use crate::http::Cancel;
use crate::http::Conn;
use crate::http::Url;
use crate::js;

/// Who a hook speaks of: the fields that open every hook's body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) session_id: String,
    pub(crate) transcript_path: String,
    pub(crate) cwd: String,
    pub(crate) prompt_id: Option<String>,
    pub(crate) permission_mode: String,
    pub(crate) effort: String,
    /// Whether the body leaves out what was said last.
    pub(crate) is_sparse: bool,
}

/// Posts hooks over kept-alive connections.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    targets: Vec<(String, String)>,
    /// Events and the commands of a shell that are told of them.
    commands: Vec<(String, String)>,
    idle: Arc<Mutex<Vec<(String, Conn)>>>,
}

impl Hooks {
    pub(crate) fn new(targets: Vec<(String, String)>, commands: Vec<(String, String)>) -> Hooks {
        Hooks {
            targets,
            commands,
            idle: Arc::default(),
        }
    }

    /// Without the hooks of these events.
    pub(crate) fn muted(mut self, events: &[String]) -> Hooks {
        self.targets.retain(|(event, _)| !events.contains(event));
        self.commands.retain(|(event, _)| !events.contains(event));
        self
    }

    /// The addresses that want `event`.
    pub(crate) fn urls(&self, event: &str) -> Vec<String> {
        self.targets
            .iter()
            .filter(|(name, _)| name == event)
            .map(|(_, url)| url.clone())
            .collect()
    }

    /// Posts to every address and waits for the answers; an address that fails is as good as silent.
    pub(crate) fn ask(&self, event: &str, body: &Value, cancel: &Cancel) -> Vec<Value> {
        let posted: Vec<_> = self
            .urls(event)
            .into_iter()
            .filter_map(|url| self.post(&url, body))
            .collect();
        let said = self.commands(event);
        let said = said.iter().map(|command| told(command, body));
        posted
            .into_iter()
            .map(|(host, conn)| self.answer(host, conn, cancel))
            .chain(said)
            .collect()
    }

    /// The commands that want `event`.
    pub(crate) fn commands(&self, event: &str) -> Vec<String> {
        let wanted = self.commands.iter().filter(|(name, _)| name == event);
        wanted.map(|(_, command)| command.clone()).collect()
    }

    /// Posts and goes on; the answers are read in the background.
    pub(crate) fn tell(&self, event: &str, body: &Value) {
        for url in self.urls(event) {
            if let Some((host, conn)) = self.post(&url, body) {
                let hooks = self.clone();
                std::thread::spawn(move || hooks.answer(host, conn, &Cancel::default()));
            }
        }
    }

    /// Writes the request; a kept connection that the peer has closed is replaced by a fresh one.
    fn post(&self, url: &str, body: &Value) -> Option<(String, Conn)> {
        let url = Url::parse(url)?;
        let bytes = js::text(body).into_bytes();
        let headers = [
            ("Content-Type", "application/json"),
            ("Connection", "keep-alive"),
        ];
        let mut conn = self
            .kept(&url.host)
            .map_or_else(|| Conn::open(&url), Ok)
            .ok()?;
        if conn.send("POST", &url, &headers, &bytes).is_err() {
            conn = Conn::open(&url).ok()?;
            conn.send("POST", &url, &headers, &bytes).ok()?;
        }
        Some((url.host, conn))
    }

    fn answer(&self, host: String, mut conn: Conn, cancel: &Cancel) -> Value {
        let Ok(head) = conn.head(cancel) else {
            return Value::Null;
        };
        let Ok(body) = conn.rest(cancel) else {
            return Value::Null;
        };
        if head.reusable() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((host, conn));
        }
        serde_json::from_slice(&body).unwrap_or_default()
    }

    fn kept(&self, host: &str) -> Option<Conn> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|(name, _)| name == host)?;
        Some(idle.swap_remove(at).1)
    }
}

/// What a command answers that is told of an event.
fn told(command: &str, body: &Value) -> Value {
    let said = child::pipe(command, &body.to_string());
    serde_json::from_str(&said).unwrap_or_default()
}

/// The reason, if an answer blocks the prompt.
pub(crate) fn block_reason(answers: &[Value]) -> Option<String> {
    let blocking = answers
        .iter()
        .find(|answer| answer["decision"] == "block")?;
    Some(
        blocking["reason"]
            .as_str()
            .unwrap_or("Blocked by hook")
            .to_owned(),
    )
}

/// Whether an answer ends the turn where it is.
pub(crate) fn stops(answers: &[Value]) -> bool {
    answers.iter().any(|answer| answer["continue"] == false)
}

/// The reason, if an answer denies the use of a tool.
pub(crate) fn deny_reason(answers: &[Value]) -> Option<String> {
    let denied = |answer: &Value| {
        let specific = &answer["hookSpecificOutput"];
        (specific["permissionDecision"] == "deny")
            .then(|| specific["permissionDecisionReason"].as_str())
            .map(|reason| reason.unwrap_or("Blocked by hook").to_owned())
    };
    answers
        .iter()
        .find_map(denied)
        .or_else(|| block_reason(answers))
}

pub(crate) fn user_prompt_submit(subject: &Subject, prompt: &str) -> Value {
    let mut body = opening(subject, "UserPromptSubmit", Mode::Named);
    body.insert("prompt".to_owned(), json!(prompt));
    Value::Object(body)
}

/// One piece of the reply on its way to the screen.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) turn_id: &'a str,
    pub(crate) message_id: &'a str,
    pub(crate) index: usize,
    pub(crate) last: bool,
    pub(crate) delta: &'a str,
}

pub(crate) fn message_display(subject: &Subject, piece: &Piece<'_>) -> Value {
    let mut body = opening(subject, "MessageDisplay", Mode::Left);
    body.insert("turn_id".to_owned(), json!(piece.turn_id));
    body.insert("message_id".to_owned(), json!(piece.message_id));
    body.insert("index".to_owned(), json!(piece.index));
    body.insert("final".to_owned(), json!(piece.last));
    body.insert("delta".to_owned(), json!(piece.delta));
    Value::Object(body)
}

/// A tool on its way; the newer family names its server too.
#[derive(Clone, Debug)]
pub(crate) struct ToolUse<'a> {
    pub(crate) name: &'a str,
    pub(crate) input: &'a Value,
    pub(crate) id: &'a str,
    pub(crate) server: Option<&'a str>,
}

pub(crate) fn pre_tool_use(subject: &Subject, used: &ToolUse<'_>) -> Value {
    tool_body(
        subject,
        "PreToolUse",
        used,
        vec![("tool_use_id", json!(used.id))],
    )
}

pub(crate) fn post_tool_use(
    subject: &Subject,
    used: &ToolUse<'_>,
    response: &Value,
    ms: u64,
) -> Value {
    let more = vec![
        ("tool_response", response.clone()),
        ("tool_use_id", json!(used.id)),
        ("duration_ms", json!(ms)),
    ];
    tool_body(subject, "PostToolUse", used, more)
}

pub(crate) fn post_tool_use_failure(
    subject: &Subject,
    used: &ToolUse<'_>,
    error: &Value,
    ms: u64,
) -> Value {
    let more = vec![
        ("tool_use_id", json!(used.id)),
        ("error", error.clone()),
        ("is_interrupt", json!(false)),
        ("duration_ms", json!(ms)),
    ];
    tool_body(subject, "PostToolUseFailure", used, more)
}

pub(crate) fn post_tool_batch(subject: &Subject, calls: &Value) -> Value {
    let mut body = opening(subject, "PostToolBatch", Mode::WithEffort);
    body.insert("tool_calls".to_owned(), calls.clone());
    Value::Object(body)
}

fn tool_body(
    subject: &Subject,
    event: &str,
    used: &ToolUse<'_>,
    more: Vec<(&str, Value)>,
) -> Value {
    let mut body = opening(subject, event, Mode::WithEffort);
    body.insert("tool_name".to_owned(), json!(used.name));
    body.insert("tool_input".to_owned(), used.input.clone());
    for (key, value) in more {
        body.insert(key.to_owned(), value);
    }
    if let Some(server) = used.server {
        let server = json!({ "name": server, "source": "dynamic" });
        body.insert("mcp_server".to_owned(), server);
    }
    Value::Object(body)
}

/// The end of a turn; a turn without any text has no `last_assistant_message`.
pub(crate) fn stop(subject: &Subject, text: &str, is_terse: bool) -> Value {
    let mut body = opening(subject, "Stop", Mode::WithEffort);
    body.insert("stop_hook_active".to_owned(), json!(false));
    let text = text.trim();
    if !text.is_empty() && !subject.is_sparse {
        body.insert("last_assistant_message".to_owned(), json!(text));
    }
    if !is_terse {
        body.insert("background_tasks".to_owned(), json!([]));
        body.insert("session_crons".to_owned(), json!([]));
    }
    Value::Object(body)
}

pub(crate) fn stop_failure(
    subject: &Subject,
    error: &str,
    details: Option<&str>,
    text: &str,
) -> Value {
    let mut body = opening(subject, "StopFailure", Mode::Effort);
    body.insert("error".to_owned(), json!(error));
    if let Some(details) = details {
        body.insert("error_details".to_owned(), json!(details));
    }
    body.insert("last_assistant_message".to_owned(), json!(text));
    Value::Object(body)
}

pub(crate) fn session_end(subject: &Subject, reason: &str) -> Value {
    let mut body = opening(subject, "SessionEnd", Mode::Left);
    body.insert("reason".to_owned(), json!(reason));
    Value::Object(body)
}

/// Whether the permission mode (and the effort) is in the body; it is not in every hook's.
enum Mode {
    Left,
    Named,
    WithEffort,
    /// The effort alone.
    Effort,
}

fn opening(subject: &Subject, event: &str, mode: Mode) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("session_id", json!(subject.session_id));
    put("transcript_path", json!(subject.transcript_path));
    put("cwd", json!(subject.cwd));
    if let Some(prompt_id) = &subject.prompt_id {
        put("prompt_id", json!(prompt_id));
    }
    match mode {
        Mode::Left | Mode::Effort => {}
        Mode::Named | Mode::WithEffort => {
            put("permission_mode", json!(subject.permission_mode));
        }
    }
    if matches!(mode, Mode::Effort | Mode::WithEffort) && !subject.effort.is_empty() {
        put("effort", json!({ "level": subject.effort }));
    }
    put("hook_event_name", json!(event));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_without_text_names_no_message() {
        let body = stop(&Subject::default(), "\n", false);
        assert!(body.get("last_assistant_message").is_none());
        assert_eq!(
            stop(&Subject::default(), "a\n\n", true)["last_assistant_message"],
            "a"
        );
    }

    #[test]
    fn only_a_block_blocks() {
        assert_eq!(
            block_reason(&[json!({}), json!({"decision": "block", "reason": "no"})]).as_deref(),
            Some("no")
        );
        assert_eq!(block_reason(&[json!({"decision": "allow"})]), None);
        assert!(stops(&[json!({}), json!({"continue": false})]));
        assert!(!stops(&[json!({}), json!({"continue": true})]));
    }
}
