//! One page of a list, as all of OpenAI's lists have them.

use crate::turn::Fault;
use crate::wire::field::invalid;
use serde_json::Value;
use serde_json::json;

/// How many things a page has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize {
    /// Where the caller does not say.
    pub(crate) usual: usize,
    pub(crate) max: usize,
}

/// Items of a conversation or of a response.
pub(crate) const ITEMS: PageSize = PageSize {
    usual: 20,
    max: 100,
};

/// The page that a URL's query asks for, out of all that there is in the order in which it came; the newest stand first
/// unless the caller says otherwise.
///
/// # Errors
/// `invalid_request` for a limit out of bounds, an order that is none, or an id that is not in the list.
pub(crate) fn page(all: &[Value], query: Option<&str>, size: PageSize) -> Result<Value, Fault> {
    let said = |name: &str| {
        let pairs = query.unwrap_or_default().split('&');
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let limit = match said("limit") {
        None => size.usual,
        Some(limit) => number(limit, size.max)?,
    };
    let mut rest: Vec<&Value> = all.iter().collect();
    match said("order") {
        None | Some("desc") => rest.reverse(),
        Some("asc") => {}
        Some(_) => return Err(invalid("order: Input should be 'asc' or 'desc'")),
    }
    if let Some(after) = said("after") {
        let place = rest.iter().position(|item| item["id"] == after);
        let place =
            place.ok_or_else(|| invalid("after: Input should be the id of a listed item"))?;
        rest.drain(..=place);
    }
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let id = |item: Option<&&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    Ok(json!({
        "object": "list",
        "data": rest,
        "first_id": id(rest.first()),
        "last_id": id(rest.last()),
        "has_more": has_more,
    }))
}

fn number(limit: &str, max: usize) -> Result<usize, Fault> {
    let limit = limit.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| invalid(format!("limit: Input should be an integer from 1 to {max}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> Result<(Vec<String>, bool), Fault> {
        let all: Vec<Value> = ["a", "b", "c"]
            .iter()
            .map(|id| json!({ "id": id }))
            .collect();
        let page = page(&all, Some(query), ITEMS)?;
        let data = page["data"].as_array().expect("data is a list");
        let ids = data
            .iter()
            .filter_map(|item| item["id"].as_str())
            .map(str::to_owned);
        Ok((ids.collect(), page["has_more"] == true))
    }

    #[test]
    fn pages_follow_each_other_the_newest_first() {
        let told = |ids: &[&str], more| Ok((ids.iter().map(|id| (*id).to_owned()).collect(), more));
        assert_eq!(ids(""), told(&["c", "b", "a"], false));
        assert_eq!(ids("limit=2"), told(&["c", "b"], true));
        assert_eq!(ids("limit=2&after=b"), told(&["a"], false));
        assert_eq!(ids("order=asc&limit=1"), told(&["a"], true));
        for wrong in ["limit=0", "limit=101", "order=x", "after=z"] {
            assert!(ids(wrong).is_err(), "{wrong}");
        }
        let empty = page(&[], None, ITEMS).expect("good");
        assert_eq!(
            (&empty["data"], &empty["first_id"]),
            (&json!([]), &Value::Null)
        );
    }
}
