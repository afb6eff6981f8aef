//! Faults as the OpenAI API's errors.

use crate::turn::Fault;
use crate::wire::contract;
use serde_json::Value;
use serde_json::json;

/// The body of a failed call. The stable code is the `code`; `param` is for the routes that know a parameter.
pub(crate) fn body(fault: &Fault) -> Value {
    let mut body = json!({
        "error": {
            "message": fault.public,
            "type": contract::http(&fault.kind).openai,
            "code": fault.kind.code(),
            "param": null,
        }
    });
    contract::add_top_up(&mut body, &fault.kind);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;
    use crate::turn::FaultKind;

    #[test]
    fn a_body_is_the_apis() {
        let fault = Fault::new(FaultKind::UsageLimit, Blame::Upstream, "no more").because("secret");
        insta::assert_snapshot!(body(&fault), @r#"{"error":{"message":"no more","type":"insufficient_quota","code":"usage_limit","param":null}}"#);
    }
}
