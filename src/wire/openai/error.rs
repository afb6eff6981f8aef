//! Faults as the OpenAI API's errors: the body of a failed call, and the last frame of a stream.

use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::contract;
use crate::wire::sse;
use serde_json::Value;
use serde_json::json;

/// The body of a failed call. The stable code is the `code`, but where clients know a code of the API's own; `param`
/// is the field, where the fault names one.
pub(crate) fn body(fault: &Fault) -> Value {
    let mut body = json!({
        "error": {
            "message": fault.public,
            "type": contract::http(&fault.kind).openai,
            "param": param(fault),
            "code": code(&fault.kind),
        }
    });
    contract::add_top_up(&mut body, &fault.kind);
    body
}

/// The last frame of a chat stream. The stable code, which is a header of other failures, is a comment here.
pub(crate) fn frame(fault: &Fault) -> String {
    let code = sse::comment(&format!("x-relay-error: {}", fault.kind.code()));
    code + &sse::unnamed(&body(fault).to_string())
}

fn code(kind: &FaultKind) -> &'static str {
    kind.code()
}

/// The field that a refusal names: its sentence begins with the path.
pub(super) fn param(fault: &Fault) -> Option<String> {
    let is_named = matches!(
        fault.kind,
        FaultKind::InvalidRequest
            | FaultKind::PreviousUnknown
            | FaultKind::NotFound
            | FaultKind::FileUnknown
            | FaultKind::FileUnsupported
            | FaultKind::RequestTooLarge
            | FaultKind::UnsupportedMediaType
    );
    let (path, _) = fault.public.split_once(": ").filter(|_| is_named)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.,".contains(c);
    let is_path = path.starts_with(|c: char| c.is_ascii_lowercase()) && path.chars().all(fits);
    is_path.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;

    #[test]
    fn a_body_is_the_apis() {
        let fault = Fault::new(FaultKind::UsageLimit, Blame::Upstream, "no more").because("secret");
        insta::assert_snapshot!(body(&fault), @r#"{"error":{"message":"no more","type":"insufficient_quota","param":null,"code":"usage_limit"}}"#);
        insta::assert_snapshot!(frame(&fault), @r#"
        : x-relay-error: usage_limit
        data: {"error":{"message":"no more","type":"insufficient_quota","param":null,"code":"usage_limit"}}
        "#);
    }

    #[test]
    fn a_refusal_names_its_field_and_a_sentence_is_none() {
        let of = |public: &str| {
            param(&Fault::new(
                FaultKind::InvalidRequest,
                Blame::Client,
                public,
            ))
        };
        assert_eq!(
            of("messages.0.content: Field required").as_deref(),
            Some("messages.0.content")
        );
        assert_eq!(of("n: only 1").as_deref(), Some("n"));
        assert_eq!(of("The body is not JSON: at 1"), None);
        assert_eq!(of("nothing here"), None);
        let other = Fault::new(FaultKind::Internal, Blame::Relay, "n: 1");
        assert_eq!(param(&other), None);
    }
}
