//! Faults as the Messages API's errors: the body, and the `error` event of a stream.

use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::RequestId;
use crate::wire::contract;
use crate::wire::sse;
use serde_json::Value;
use serde_json::json;

/// The body of a failed call.
pub(crate) fn body(fault: &Fault, request_id: &RequestId) -> Value {
    let mut error =
        json!({ "type": contract::http(&fault.kind).anthropic, "message": fault.public });
    if let Some(details) = details(&fault.kind) {
        error["details"] = details;
    }
    let mut body = json!({ "type": "error", "error": error, "request_id": &*request_id.0 });
    contract::add_top_up(&mut body, &fault.kind);
    body
}

/// What a client's own code acts upon: the SDKs then send the whole conversation, and go on.
fn details(kind: &FaultKind) -> Option<Value> {
    let details = json!({ "error_code": "thread_unsupported_request", "unsupported": ["thread"] });
    (*kind == FaultKind::ThreadUnsupported).then_some(details)
}

/// The `error` event of a stream that has begun and fails. The stable code, which is a header of other failures, is
/// a comment here.
pub(crate) fn frame(fault: &Fault, request_id: &RequestId) -> String {
    let code = sse::comment(&format!("x-relay-error: {}", fault.kind.code()));
    code + &sse::encode("error", &body(fault, request_id).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;

    #[test]
    fn a_client_that_wants_a_thread_is_told_so_that_it_goes_on_without() {
        let fault = Fault::new(FaultKind::ThreadUnsupported, Blame::Client, "no threads");
        insta::assert_snapshot!(body(&fault, &RequestId("req_1".into())), @r#"{"type":"error","error":{"type":"invalid_request_error","message":"no threads","details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}},"request_id":"req_1"}"#);
    }

    #[test]
    fn a_body_is_the_apis() {
        let fault = Fault::new(FaultKind::EmptyTurn, Blame::Cli, "nothing came").because("secret");
        let id = RequestId("req_1".into());
        insta::assert_snapshot!(body(&fault, &id), @r#"{"type":"error","error":{"type":"api_error","message":"nothing came"},"request_id":"req_1"}"#);
        insta::assert_snapshot!(frame(&fault, &id), @r#"
        : x-relay-error: empty_turn
        event: error
        data: {"type":"error","error":{"type":"api_error","message":"nothing came"},"request_id":"req_1"}
        "#);
    }
}
