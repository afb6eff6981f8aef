//! The end of a turn, as the CLI tells it.

use crate::shape;
use crate::turn::Player;
use serde_json::Value;
use serde_json::json;

/// How a turn goes on.
#[derive(Debug)]
pub(crate) enum Ending {
    Interrupted,
    /// Nothing more is said.
    Done,
    Failed(Value, String),
}

/// Tells the end of a turn.
pub(crate) fn tell(player: &Player<'_>, ending: &Ending) {
    if let Some((total, last)) = usage(player.number, ending) {
        let usage = json!({"total": total, "last": last, "modelContextWindow": shape::WINDOW});
        player.notice("thread/tokenUsage/updated", json!({"tokenUsage": usage}));
    }
    if player.limit.is_some() || !player.is_refused {
        let limits = shape::limits(player.limit.as_ref());
        player
            .shared
            .out
            .notice("account/rateLimits/updated", &limits);
    }
    if player.is_filtered {
        player.raw(shape::filtered());
    }
    let (state, status, error) = match ending {
        Ending::Done => ("idle", "completed", Value::Null),
        Ending::Interrupted => {
            player.raw(shape::aborted());
            if let Some(id) = &player.stop {
                player.shared.out.reply(id, &json!({}));
            }
            ("idle", "interrupted", Value::Null)
        }
        Ending::Failed(info, message) => {
            let error = json!({
                "message": message, "codexErrorInfo": info, "additionalDetails": null, "misalignment": null,
            });
            ("systemError", "failed", error)
        }
    };
    player.write(&json!({"ended": status}));
    player.thread_notice("thread/status/changed", json!({"status": {"type": state}}));
    if !error.is_null() {
        player.notice("error", json!({"error": error, "willRetry": false}));
    }
    let turn = player.told(status, &error, true);
    player.thread_notice("turn/completed", json!({"turn": turn}));
}

/// Of the whole thread, and of the last answer.
fn usage(number: u64, ending: &Ending) -> Option<(Value, Value)> {
    let used = shape::usage(1000 + number, 100 + number);
    let window = || shape::nothing(shape::WINDOW);
    match ending {
        Ending::Done => Some((used.clone(), used)),
        Ending::Failed(_, words) if words.starts_with("Incomplete response") => {
            Some((used, shape::nothing(0)))
        }
        // It counts the model's whole window as used.
        Ending::Failed(info, _) if info == "contextWindowExceeded" => Some((window(), window())),
        Ending::Failed(..) | Ending::Interrupted => None,
    }
}
