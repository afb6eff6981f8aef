//! A request's body as the fields of its JSON object.

use super::field::Path;
use super::field::invalid;
use super::top::Top;
use super::weight;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use serde_json::Map;
use serde_json::Value;

/// The fields of a body.
///
/// # Errors
/// `invalid_request` for what is no JSON object, `request_too_large` for one of too many values.
pub(crate) fn parse(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    if weight::is_too_heavy(body) {
        let public = format!(
            "The request body has more than {} fields and items together; send fewer.",
            weight::VALUES_MAX
        );
        return Err(Fault::new(
            FaultKind::RequestTooLarge,
            Blame::Client,
            public,
        ));
    }
    let read: Result<Top, serde_json::Error> = match str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body), // It says where.
    };
    match read {
        // Readers differ in which of the two they take, and whoever checks a call before us may have taken the other.
        Ok(Top {
            twice: Some(name), ..
        }) => Err(Path::Root
            .field(&name)
            .wrong("the field is there more than once")),
        Ok(Top { fields, .. }) => Ok(fields),
        Err(error) if error.is_data() => Err(invalid("The request body is not a JSON object.")),
        Err(error) => Err(invalid(format!(
            "The request body is not valid JSON: {error}"
        ))),
    }
}
