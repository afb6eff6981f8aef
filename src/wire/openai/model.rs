//! The model list as OpenAI's clients want it.

use crate::turn::Fault;
use crate::wire::offer;
use crate::wire::offer::Listed;
use serde_json::Value;
use serde_json::json;

/// The list, whole: this API has no pages.
pub(crate) fn list(offer: &[Listed]) -> Value {
    json!({"object": "list", "data": offer.iter().map(value).collect::<Value>()})
}

/// One model by its id or another name of it.
///
/// # Errors
/// `not_found` where the offer does not have it.
pub(crate) fn find(offer: &[Listed], id: &str) -> Result<Value, Fault> {
    let found = offer.iter().find(|model| model.is_called(id));
    found.map(value).ok_or_else(|| offer::unlisted(id))
}

/// What of a model this API says, into whatever is said of it already.
pub(crate) fn add(told: &mut Value, model: &Listed) {
    told["object"] = "model".into();
    told["created"] = model.day.map_or(0, |day| day.seconds).into();
    told["owned_by"] = model.owner.as_ref().into();
}

fn value(model: &Listed) -> Value {
    let mut told = json!({"id": model.id});
    add(&mut told, model);
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::FaultKind;

    #[test]
    fn every_model_is_listed_with_its_four_fields() {
        let offer = offer::claude();
        let told = list(&offer);
        assert_eq!(told["object"], "list");
        assert_eq!(told["data"].as_array().map(Vec::len), Some(offer.len()));
        let haiku = find(&offer, "claude-haiku-4-5").expect("listed");
        assert_eq!(
            haiku,
            json!({"id": "claude-haiku-4-5-20251001", "object": "model", "created": 1_759_276_800, "owned_by": "anthropic"})
        );
        assert_eq!(
            find(&offer, "gpt-9").map_err(|fault| fault.kind),
            Err(FaultKind::NotFound)
        );
    }
}
