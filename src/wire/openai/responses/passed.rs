//! A host's own response, as far as it is looked at while its bytes pass: what is to be kept of it.

use crate::wire::sse::Frame;
use serde_json::Value;

/// The response that a stream of this dialect ends with; `None` for any other of its events.
pub(crate) fn at_the_end(frame: &Frame) -> Option<Value> {
    let is_end = match frame.event.as_str() {
        // A host that does not name its events says in the data what each is.
        "message" => ENDS.iter().any(|end| frame.data.contains(end)),
        name => ENDS.contains(&name),
    };
    if !is_end {
        return None;
    }
    let mut event: Value = serde_json::from_str(&frame.data).ok()?;
    let is_end = event["type"]
        .as_str()
        .is_some_and(|kind| ENDS.contains(&kind));
    checked(event["response"].take()).filter(|_| is_end)
}

/// The response that a whole answer is; `None` where it is none.
pub(crate) fn whole(body: &[u8]) -> Option<Value> {
    checked(serde_json::from_slice(body).ok()?)
}

/// A response has an id and items; one that goes on without its caller is not there yet.
fn checked(response: Value) -> Option<Value> {
    let is_there = response["id"].is_string() && response["output"].is_array();
    let is_under_way = matches!(
        response["status"].as_str(),
        Some("queued" | "in_progress" | "failed")
    );
    (is_there && !is_under_way).then_some(response)
}

const ENDS: [&str; 2] = ["response.completed", "response.incomplete"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_response_is_found_at_the_end_of_its_stream_and_nowhere_else() {
        let response = json!({"id": "resp_h", "output": [], "status": "completed"});
        let frame = |event: &str, kind: &str| Frame {
            event: event.to_owned(),
            data: json!({"type": kind, "response": response}).to_string(),
        };
        for end in ENDS {
            for event in [end, "message"] {
                assert_eq!(at_the_end(&frame(event, end)), Some(response.clone()));
            }
        }
        for kind in [
            "response.created",
            "response.failed",
            "response.output_text.delta",
        ] {
            assert_eq!(at_the_end(&frame(kind, kind)), None);
            assert_eq!(at_the_end(&frame("message", kind)), None);
        }
    }

    #[test]
    fn what_is_no_response_that_ended_is_not_kept() {
        let of = |value: Value| whole(value.to_string().as_bytes());
        assert!(of(json!({"id": "r", "output": []})).is_some());
        for other in [
            json!({"id": "r"}),
            json!({"output": []}),
            json!({"id": "r", "output": [], "status": "queued"}),
            json!({"error": {"message": "x"}}),
            json!(1),
        ] {
            assert_eq!(of(other), None);
        }
        assert_eq!(whole(b"{"), None);
    }
}
