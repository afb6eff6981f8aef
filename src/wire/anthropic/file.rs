//! Files as Anthropic's clients know them.

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::file::FileView;
use crate::wire::file::Form;
use crate::wire::file::Inlined;
use crate::wire::file::unsupported;
use serde_json::Value;
use serde_json::json;

/// One file.
pub(crate) fn told(file: &FileView) -> Value {
    json!({
        "id": file.id,
        "type": "file",
        "filename": file.name,
        "mime_type": file.media,
        "size_bytes": file.bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "downloadable": true,
    })
}

/// A page of files, the newest first; they are given in the order in which they came.
///
/// # Errors
/// `invalid_request` for a query that is none.
pub(crate) fn list(files: &[FileView], query: Option<&str>) -> Result<Value, Fault> {
    let said = |name: &str| {
        let pairs = query.unwrap_or_default().split('&');
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let limit = match said("limit") {
        None => LIMIT_DEFAULT,
        Some(limit) => {
            let limit = limit
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| invalid("limit: Input should be an integer from 1 to 1000"))?
        }
    };
    let mut rest: Vec<&FileView> = files.iter().rev().collect();
    let place = |rest: &[&FileView], id: &str| rest.iter().position(|file| file.id == id);
    if let Some(after) = said("after_id").or_else(|| said("page")) {
        let place = place(&rest, after)
            .ok_or_else(|| invalid("after_id: Input should be the id of a listed file"))?;
        rest.drain(..=place);
    }
    let mut has_more = rest.len() > limit;
    if let Some(before) = said("before_id") {
        let place = place(&rest, before)
            .ok_or_else(|| invalid("before_id: Input should be the id of a listed file"))?;
        rest.truncate(place);
        has_more = rest.len() > limit;
        rest.drain(..rest.len().saturating_sub(limit));
    }
    rest.truncate(limit);
    let id = |file: Option<&&FileView>| file.map(|file| file.id.clone());
    Ok(json!({
        "data": rest.iter().map(|file| told(file)).collect::<Value>(),
        "has_more": has_more,
        "first_id": id(rest.first()),
        "last_id": id(rest.last()),
        "next_page": id(rest.last()).filter(|_| has_more),
    }))
}

pub(crate) fn deleted(id: &str) -> Value {
    json!({"id": id, "type": "file_deleted"})
}

/// The ids of files that stand in the messages of a call.
pub(crate) fn references(body: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    if let Some(messages) = body.get("messages") {
        collect(messages, &mut ids);
    }
    ids
}

fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        Value::Object(fields) => match fields.get("source").and_then(file_id) {
            Some(id) => ids.push(id.to_owned()),
            None => fields.values().for_each(|value| collect(value, ids)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn file_id(source: &Value) -> Option<&str> {
    let id = source.get("file_id")?.as_str()?;
    (source.get("type")? == "file").then_some(id)
}

/// Puts the bytes of files in the place of their ids, where they are known.
///
/// # Errors
/// `file_unsupported` for a file that cannot stand at its place.
pub(crate) fn inline(
    body: &mut Value,
    find: &dyn Fn(&str) -> Option<Inlined>,
) -> Result<(), Fault> {
    body.get_mut("messages")
        .map_or(Ok(()), |messages| replace(messages, find))
}

fn replace(value: &mut Value, find: &dyn Fn(&str) -> Option<Inlined>) -> Result<(), Fault> {
    match value {
        Value::Array(values) => values.iter_mut().try_for_each(|value| replace(value, find)),
        Value::Object(fields) => {
            let id = fields.get("source").and_then(file_id).map(str::to_owned);
            let Some((id, file)) = id.and_then(|id| Some((id.clone(), find(&id)?))) else {
                return fields
                    .values_mut()
                    .try_for_each(|value| replace(value, find));
            };
            let is_image = fields.get("type").is_some_and(|kind| kind == "image");
            let source = match file.form {
                Form::Picture(media, data) if is_image => {
                    json!({"type": "base64", "media_type": media, "data": data})
                }
                Form::Pdf(data) if !is_image => {
                    json!({"type": "base64", "media_type": "application/pdf", "data": data})
                }
                Form::Text(text) if !is_image => {
                    json!({"type": "text", "media_type": "text/plain", "data": text})
                }
                Form::Picture(..) => {
                    return Err(unsupported(
                        &id,
                        "it is an image, and stands for a document",
                    ));
                }
                Form::Pdf(_) | Form::Text(_) => return Err(unsupported(&id, "it is not an image")),
            };
            fields.insert("source".into(), source);
            if !is_image {
                fields.entry("title").or_insert_with(|| file.name.into());
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn invalid(public: &str) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

/// Files on a page: the API's own bounds.
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(id: &str) -> FileView {
        FileView {
            id: id.into(),
            name: "n".into(),
            media: "text/plain".into(),
            purpose: "user_data".into(),
            bytes: 1,
            created: 0,
            expires: None,
            created_at: "1970-01-01T00:00:00Z".into(),
            expires_at: None,
        }
    }

    fn ids(query: &str) -> (Vec<String>, bool) {
        let files = ["a", "b", "c"].map(view);
        let page = list(&files, Some(query)).expect("the query is good");
        let data = page["data"].as_array().expect("data is a list");
        let ids = data
            .iter()
            .filter_map(|file| file["id"].as_str())
            .map(str::to_owned);
        (ids.collect(), page["has_more"] == true)
    }

    #[test]
    fn pages_follow_each_other_the_newest_first() {
        let told = |ids: &[&str], more| (ids.iter().map(|id| (*id).to_owned()).collect(), more);
        assert_eq!(ids(""), told(&["c", "b", "a"], false));
        assert_eq!(ids("limit=2"), told(&["c", "b"], true));
        assert_eq!(ids("limit=2&after_id=b"), told(&["a"], false));
        assert_eq!(ids("limit=1&before_id=a"), told(&["b"], true));
        assert!(list(&[], Some("limit=0")).is_err() && list(&[], Some("after_id=x")).is_err());
    }

    #[test]
    fn ids_are_replaced_where_files_may_stand() {
        let find = |id: &str| {
            let form = match id {
                "pic" => Form::Picture("image/png".into(), "aGk=".into()),
                "text" => Form::Text("hi".into()),
                _ => return None,
            };
            Some(Inlined {
                name: "n".into(),
                form,
            })
        };
        let source = |id: &str| json!({"type": "file", "file_id": id});
        let mut body = json!({"messages": [{"content": [{"type": "image", "source": source("pic")},
            {"type": "tool_result", "content": [{"type": "document", "source": source("text")}]},
            {"type": "document", "source": source("foreign")}]}]});
        assert_eq!(references(&body), ["pic", "text", "foreign"]);
        inline(&mut body, &find).expect("each can stand there");
        let content = &body["messages"][0]["content"];
        assert_eq!(content[0]["source"]["media_type"], "image/png");
        assert_eq!(content[1]["content"][0]["source"]["data"], "hi");
        assert_eq!(content[1]["content"][0]["title"], "n");
        assert_eq!(content[2]["source"]["file_id"], "foreign");
        let mut wrong =
            json!({"messages": [{"content": [{"type": "image", "source": source("text")}]}]});
        assert!(inline(&mut wrong, &find).is_err());
    }
}
