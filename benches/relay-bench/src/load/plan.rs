//! What is called, how often and when. `[pure]`

use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// A run of calls.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Calls under way at the same time, each on a connection of its own.
    pub(crate) clients: u32,
    /// All calls together.
    pub(crate) calls: u32,
    pub(crate) pace: Pace,
    pub(crate) model: String,
    /// The length of the last message.
    pub(crate) prompt_bytes: usize,
    pub(crate) history: History,
    pub(crate) stream: bool,
}

/// What was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    /// Turns: a question and an answer each.
    pub(crate) turns: u32,
    /// Of each of their messages.
    pub(crate) message_bytes: usize,
}

impl History {
    pub(crate) const NONE: History = History {
        turns: 0,
        message_bytes: 0,
    };

    /// Of all messages together.
    pub(crate) fn bytes(self) -> u64 {
        2 * u64::from(self.turns) * self.message_bytes as u64
    }
}

/// When a call is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// When its client's last one has ended.
    Closed,
    /// So many a second, whatever became of the others.
    Open { per_second: f64 },
}

impl Plan {
    /// When this call is due, from the run's beginning; `None`: as soon as a client is free.
    pub(crate) fn due(&self, number: u32) -> Option<Duration> {
        match self.pace {
            Pace::Closed => None,
            Pace::Open { per_second } => {
                Some(Duration::from_secs_f64(f64::from(number) / per_second))
            }
        }
    }

    /// The request of this call, of the shape that sessions are warmed for. No two are the same, and none begins or ends in what a prompt box would change.
    pub(crate) fn body(&self, number: u32) -> Value {
        let length = self.history.message_bytes;
        let mut messages: Vec<Value> = (0..self.history.turns)
            .flat_map(|turn| {
                let asked = words(format!("question {turn}"), length);
                let said = words(format!("answer {turn}"), length);
                [
                    json!({"role": "user", "content": asked}),
                    json!({"role": "assistant", "content": said}),
                ]
            })
            .collect();
        let prompt = words(format!("call {number} asks"), self.prompt_bytes);
        messages.push(json!({"role": "user", "content": prompt}));
        json!({
            "model": self.model,
            "max_tokens": MAX_TOKENS,
            "stream": self.stream,
            "messages": messages,
        })
    }
}

/// Words up to this length.
fn words(first: String, bytes: usize) -> String {
    let mut text = first;
    text.reserve(bytes.saturating_sub(text.len()));
    while text.len() + WORD.len() <= bytes {
        text.push_str(WORD);
    }
    text
}

const WORD: &str = " for more";
/// The bound that sessions are warmed with; another one would take a session of its own.
const MAX_TOKENS: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            clients: 1,
            calls: 2,
            pace: Pace::Open { per_second: 4.0 },
            model: "m".into(),
            prompt_bytes: 100,
            history: History {
                turns: 1,
                message_bytes: 30,
            },
            stream: true,
        }
    }

    #[test]
    fn a_paced_call_is_due_whatever_became_of_the_others() {
        assert_eq!(plan().due(0), Some(Duration::ZERO));
        assert_eq!(plan().due(6), Some(Duration::from_millis(1500)));
        let closed = Plan {
            pace: Pace::Closed,
            ..plan()
        };
        assert_eq!(closed.due(6), None);
    }

    #[test]
    fn prompts_have_their_length_and_differ() {
        let body = plan().body(7);
        let messages = body["messages"].as_array().expect("messages are a list");
        assert_eq!(messages.len(), 3);
        let prompt = messages[2]["content"].as_str().expect("a text");
        assert!((92..=100).contains(&prompt.len()), "{prompt}");
        assert_ne!(body, plan().body(8));
        assert_eq!(messages[0]["content"].as_str().map(str::len), Some(28));
        assert_eq!(plan().history.bytes(), 60);
    }
}
