//! The model list of the Messages API.

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::offer;
use crate::wire::offer::Listed;
use serde_json::Value;
use serde_json::json;

/// Models on a page where the caller does not say.
const LIMIT_DEFAULT: usize = 20;
/// Models a caller may ask for on one page: the API's own bound.
const LIMIT_MAX: usize = 1000;
/// The API's own rule for a day that is not known.
const UNKNOWN_DAY: &str = "1970-01-01T00:00:00Z";

/// One page of the list; `query` is the URL's query as it stands there.
///
/// # Errors
/// Refuses a `limit` out of bounds, and two cursors at once.
pub(crate) fn list(offer: &[Listed], query: Option<&str>) -> Result<Value, Fault> {
    let mut limit = LIMIT_DEFAULT;
    let (mut after, mut before) = (None, None);
    for (name, value) in query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        match name {
            "limit" => limit = page_limit(value)?,
            "after_id" => after = Some(value),
            "before_id" => before = Some(value),
            _ => {}
        }
    }
    let (page, has_more) = match (after, before) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "after_id: only one of `after_id` and `before_id` can be given",
            ));
        }
        (None, None) => forward(offer, limit),
        (Some(after), None) => forward(&offer[place(offer, "after_id", after)? + 1..], limit),
        (None, Some(before)) => {
            let earlier = &offer[..place(offer, "before_id", before)?];
            let first = earlier.len().saturating_sub(limit);
            (&earlier[first..], first > 0)
        }
    };
    Ok(json!({
        "data": page.iter().map(value).collect::<Vec<_>>(),
        "has_more": has_more,
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    }))
}

/// One model by its id or its alias.
///
/// # Errors
/// `not_found` where the offer does not have it, which does not mean that claude would refuse it.
pub(crate) fn find(offer: &[Listed], id: &str) -> Result<Value, Fault> {
    let found = offer.iter().find(|model| model.is_called(id));
    found.map(value).ok_or_else(|| offer::unlisted(id))
}

fn forward(models: &[Listed], limit: usize) -> (&[Listed], bool) {
    (&models[..limit.min(models.len())], models.len() > limit)
}

fn page_limit(value: &str) -> Result<usize, Fault> {
    let limit = value
        .parse()
        .ok()
        .filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| invalid("limit: Input should be an integer from 1 to 1000"))
}

fn place(offer: &[Listed], field: &str, id: &str) -> Result<usize, Fault> {
    let found = offer.iter().position(|model| model.is_called(id));
    found.ok_or_else(|| {
        invalid(&format!(
            "{field}: Input should be the id of a listed model"
        ))
    })
}

fn value(model: &Listed) -> Value {
    json!({
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.day.map_or(UNKNOWN_DAY, |day| day.text),
    })
}

fn invalid(public: &str) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: Option<&str>) -> Result<Value, Fault> {
        super::list(&offer::claude(), query)
    }

    fn find(id: &str) -> Result<Value, Fault> {
        super::find(&offer::claude(), id)
    }

    fn ids(page: &Value) -> Vec<&str> {
        page["data"]
            .as_array()
            .expect("data is a list")
            .iter()
            .filter_map(|m| m["id"].as_str())
            .collect()
    }

    #[test]
    fn pages_follow_each_other_until_the_list_is_read() {
        let mut seen = Vec::new();
        let mut query = "limit=4".to_owned();
        loop {
            let page = list(Some(&query)).expect("the query is good");
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            if page["has_more"] == json!(false) {
                break;
            }
            query = format!(
                "limit=4&after_id={}",
                page["last_id"].as_str().expect("a page has an end")
            );
        }
        let all = offer::claude();
        assert_eq!(
            seen,
            all.iter()
                .map(|model| model.id.to_string())
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_page_before_an_id_ends_right_before_it() {
        let page = list(Some("before_id=claude-opus-4-8&limit=2")).expect("the query is good");
        assert_eq!(ids(&page), ["claude-sonnet-5", "claude-fable-5"]);
        assert_eq!(page["has_more"], json!(true));
        let empty =
            list(Some(&format!("before_id={}", offer::claude()[0].id))).expect("the query is good");
        assert_eq!(
            empty,
            json!({ "data": [], "has_more": false, "first_id": null, "last_id": null })
        );
    }

    #[test]
    fn wrong_queries_are_refused_and_unknown_names_are_passed_over() {
        for query in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "after_id=nobody",
            "after_id=opus&before_id=opus",
        ] {
            assert!(list(Some(query)).is_err(), "{query}");
        }
        assert!(list(Some("x=1&&y")).is_ok());
    }

    #[test]
    fn a_model_is_found_by_its_id_and_by_its_alias() {
        assert_eq!(
            find("claude-haiku-4-5").expect("listed")["id"],
            "claude-haiku-4-5-20251001"
        );
        assert_eq!(
            find("claude-9").map_err(|fault| fault.kind),
            Err(FaultKind::NotFound)
        );
    }
}
