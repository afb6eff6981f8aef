//! Copies of what goes to the API and of what comes from it, which `OTEL_LOG_RAW_API_BODIES=file:FOLDER` asks for.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::id;
use crate::js;
use crate::reply::Reply;
use crate::turn::told;

/// The folder that copies are put into.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    folder: PathBuf,
    /// The newer family keeps an index of the answers.
    is_new: bool,
}

impl Copies {
    /// `None` where no files are wished for.
    pub(crate) fn wished(wish: Option<&str>, is_new: bool) -> Option<Copies> {
        let folder = wish?
            .strip_prefix("file:")
            .filter(|path| !path.is_empty())?;
        Some(Copies {
            folder: folder.into(),
            is_new,
        })
    }

    pub(crate) fn question(&self, body: &Value) {
        self.write(&format!("{}.request.json", id::uuid()), body);
    }

    /// The message as the transcript will have it, in one piece; what was thought is left out. One without any block is
    /// not copied.
    pub(crate) fn answer(&self, reply: &Reply) {
        if reply.blocks.is_empty() {
            return;
        }
        let request = match reply.request_id.as_str() {
            "" => id::uuid(),
            request => request.to_owned(),
        };
        let mut message = reply.record(&Value::Null, self.is_new);
        let told = reply.blocks.iter().map(|block| told(block, reply));
        message["content"] = told.map(|block| redacted(&block)).collect();
        let name = format!("{request}.response.json");
        self.write(&name, &message);
        if self.is_new {
            let line = json!({
                "timestamp": clock::iso(clock::unix_ms()), "request_id": request, "message_id": reply.id,
                "response_file": name,
            });
            let mut index = fs::OpenOptions::new();
            let index = index.create(true).append(true);
            if let Ok(mut index) = index.open(self.folder.join("index.jsonl")) {
                let _ = writeln!(index, "{line}"); // As the real one, which goes on without.
            }
        }
    }

    fn write(&self, name: &str, body: &Value) {
        let _ = put(&self.folder, name, body); // As above.
    }
}

fn put(folder: &Path, name: &str, body: &Value) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), js::text(body))
}

fn redacted(block: &Value) -> Value {
    let mut block = block.clone();
    match block["type"].as_str() {
        Some("thinking") => block["thinking"] = json!("<REDACTED>"),
        Some("redacted_thinking") => block["data"] = json!("<REDACTED>"),
        _ => {}
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_copied_whole_and_without_its_thoughts() {
        let folder = std::env::temp_dir().join(id::uuid());
        let wish = format!("file:{}", folder.display());
        let copies = Copies::wished(Some(&wish), false).expect("files are wished for");
        copies.answer(&Reply {
            id: "msg_1".into(),
            request_id: "req_1".into(),
            blocks: vec![
                json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
                json!({"type": "text", "text": "so"}),
            ],
            stop_reason: Some("end_turn".into()),
            ..Reply::empty("m")
        });
        let text = fs::read_to_string(folder.join("req_1.response.json")).expect("it is there");
        let message: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(message["content"][0]["thinking"], "<REDACTED>");
        assert_eq!(
            (&message["id"], &message["content"][1]["text"]),
            (&json!("msg_1"), &json!("so"))
        );
        fs::remove_dir_all(folder).expect("it can be removed");
    }

    #[test]
    fn bodies_within_events_are_no_files() {
        assert!(Copies::wished(Some("1"), true).is_none());
        assert!(Copies::wished(Some("file:"), true).is_none());
        assert!(Copies::wished(None, true).is_none());
    }
}
