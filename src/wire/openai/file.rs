//! Files as OpenAI's clients know them.

use crate::turn::Fault;
use crate::wire::file::FileView;
use crate::wire::file::Form;
use crate::wire::file::Inlined;
use crate::wire::file::unsupported;
use crate::wire::openai::page;
use crate::wire::openai::page::PageSize;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// One file.
pub(crate) fn told(file: &FileView) -> Value {
    json!({
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created,
        "expires_at": file.expires,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": null,
    })
}

/// A page of files, which stand in the order in which they came.
///
/// # Errors
/// `invalid_request` for a query that is none.
pub(crate) fn list(files: &[FileView], query: Option<&str>) -> Result<Value, Fault> {
    let pairs = query.unwrap_or_default().split('&');
    let purpose = pairs
        .filter_map(|pair| pair.strip_prefix("purpose="))
        .next();
    let of_purpose = files
        .iter()
        .filter(|file| purpose.is_none_or(|purpose| file.purpose == purpose));
    let told: Vec<Value> = of_purpose.map(told).collect();
    page::page(&told, query, FILES)
}

pub(crate) fn deleted(id: &str) -> Value {
    json!({"id": id, "object": "file", "deleted": true})
}

/// The ids of files that stand in the messages or the input of a call.
pub(crate) fn references(body: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for part in ["messages", "input"]
        .iter()
        .filter_map(|name| body.get(*name))
    {
        collect(part, &mut ids);
    }
    ids
}

fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        Value::Object(fields) => {
            ids.extend(
                fields
                    .get("file_id")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            fields.values().for_each(|value| collect(value, ids));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts the bytes of files in the place of their ids, where they are known.
///
/// # Errors
/// `file_unsupported` for a file that cannot stand at its place.
pub(crate) fn inline(
    body: &mut Value,
    find: &dyn Fn(&str) -> Option<Inlined>,
) -> Result<(), Fault> {
    for name in ["messages", "input"] {
        if let Some(part) = body.get_mut(name) {
            replace(part, false, find)?;
        }
    }
    Ok(())
}

fn replace(
    value: &mut Value,
    is_picture: bool,
    find: &dyn Fn(&str) -> Option<Inlined>,
) -> Result<(), Fault> {
    match value {
        Value::Array(values) => values
            .iter_mut()
            .try_for_each(|value| replace(value, false, find)),
        Value::Object(fields) => {
            let id = fields
                .get("file_id")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if let Some((id, file)) = id.and_then(|id| Some((id.clone(), find(&id)?))) {
                return place(fields, is_picture, &id, file);
            }
            fields
                .iter_mut()
                .try_for_each(|(name, value)| replace(value, name == "image_url", find))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn place(
    fields: &mut Map<String, Value>,
    is_picture: bool,
    id: &str,
    file: Inlined,
) -> Result<(), Fault> {
    let is_input_image = fields.get("type").is_some_and(|kind| kind == "input_image");
    let url = match file.form {
        Form::Picture(media, data) => format!("data:{media};base64,{data}"),
        _ if is_picture || is_input_image => return Err(unsupported(id, "it is not an image")),
        Form::Pdf(data) => format!("data:application/pdf;base64,{data}"),
        Form::Text(text) => format!("data:text/plain;base64,{}", STANDARD.encode(text)),
    };
    fields.remove("file_id");
    if is_picture {
        fields.insert("url".into(), url.into());
    } else if is_input_image {
        fields.insert("image_url".into(), url.into());
    } else {
        fields.insert("file_data".into(), url.into());
        fields.entry("filename").or_insert_with(|| file.name.into());
    }
    Ok(())
}

/// The API's own bounds.
const FILES: PageSize = PageSize {
    usual: 10_000,
    max: 10_000,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn find(id: &str) -> Option<Inlined> {
        let form = match id {
            "pic" => Form::Picture("image/png".into(), "aGk=".into()),
            "pdf" => Form::Pdf("aGk=".into()),
            "text" => Form::Text("hi".into()),
            _ => return None,
        };
        Some(Inlined {
            name: "n".into(),
            form,
        })
    }

    #[test]
    fn ids_are_replaced_where_files_may_stand() {
        let mut body = json!({
            "messages": [{"content": [{"type": "file", "file": {"file_id": "pdf"}},
                {"type": "image_url", "image_url": {"file_id": "pic"}}]}],
            "input": [{"content": [{"type": "input_image", "file_id": "pic"}, {"type": "input_file", "file_id": "text"},
                {"type": "input_file", "file_id": "foreign"}]}],
        });
        assert_eq!(references(&body), ["pdf", "pic", "pic", "text", "foreign"]);
        inline(&mut body, &find).expect("each can stand there");
        let chat = &body["messages"][0]["content"];
        assert_eq!(
            chat[0]["file"],
            json!({"file_data": "data:application/pdf;base64,aGk=", "filename": "n"})
        );
        assert_eq!(
            chat[1]["image_url"],
            json!({"url": "data:image/png;base64,aGk="})
        );
        let input = &body["input"][0]["content"];
        assert_eq!(input[0]["image_url"], "data:image/png;base64,aGk=");
        assert_eq!(input[1]["file_data"], "data:text/plain;base64,aGk=");
        assert_eq!(input[2]["file_id"], "foreign");
    }

    #[test]
    fn what_is_no_picture_cannot_stand_for_one() {
        let mut body =
            json!({"input": [{"content": [{"type": "input_image", "file_id": "text"}]}]});
        let fault = inline(&mut body, &find).expect_err("it is a text");
        assert!(fault.public.contains("is not an image"), "{}", fault.public);
    }
}
