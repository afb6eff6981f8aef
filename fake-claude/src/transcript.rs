//! The transcript of a session: one JSON record a line, written a little after it came about.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::id;
use crate::js;

/// Where a record goes when the file is made: the real 2.1.197 sometimes writes the first prompt behind its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    InTurn,
    Behind,
}

/// A session's transcript file and what is not yet in it.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    session_id: String,
    cwd: String,
    version: String,
    mode: String,
    entry: &'static str,
    is_new: bool,
    is_sparse: bool,
    delay: Duration,
    silent: bool,
    late_prompt: bool,
    pending: Vec<(Place, String)>,
    due: Option<Instant>,
    made: bool,
    last: Option<String>,
    count: usize,
    latched: bool,
}

/// What stays the same over all sessions of a process.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) folder: PathBuf,
    pub(crate) cwd: String,
    pub(crate) version: String,
    pub(crate) mode: String,
    /// `cli`, or `sdk-cli` in print mode.
    pub(crate) entry: &'static str,
    pub(crate) is_new: bool,
    /// Whether records leave out what 2.0 does not tell.
    pub(crate) is_sparse: bool,
    pub(crate) delay: Duration,
    pub(crate) silent: bool,
    /// Whether a new file's first prompt is written behind what follows it within the delay.
    pub(crate) late_prompt: bool,
}

impl Journal {
    /// A transcript for a new session; the file is made with its first record.
    pub(crate) fn new(frame: &Frame, session_id: &str) -> Journal {
        Journal {
            folder: frame.folder.clone(),
            session_id: session_id.to_owned(),
            cwd: frame.cwd.clone(),
            version: frame.version.clone(),
            mode: frame.mode.clone(),
            entry: frame.entry,
            is_new: frame.is_new,
            is_sparse: frame.is_sparse,
            delay: frame.delay,
            silent: frame.silent,
            late_prompt: frame.late_prompt,
            pending: Vec::new(),
            due: None,
            made: false,
            last: None,
            count: 0,
            latched: false,
        }
    }

    /// Goes on in the file of a session that was taken up, behind `count` messages; `last` is the last of them.
    pub(crate) fn resumed(
        frame: &Frame,
        session_id: &str,
        last: Option<String>,
        count: usize,
    ) -> Journal {
        Journal {
            made: true,
            last,
            count,
            ..Journal::new(frame, session_id)
        }
    }

    pub(crate) fn session_id(&self) -> &str {
        &self.session_id
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.jsonl", self.session_id))
    }

    /// The last record of the conversation, to which the next one points.
    pub(crate) fn last(&self) -> Option<String> {
        self.last.clone()
    }

    /// Points the next record at `last`, as after a prompt that was taken back.
    pub(crate) fn rewind(&mut self, last: Option<String>) {
        self.last = last;
    }

    /// A record of the user: a prompt, a command or the note about an interruption.
    pub(crate) fn user(&mut self, content: &Value, prompt_id: Option<&str>, more: Value) -> String {
        let head = json!({ "parentUuid": self.last, "isSidechain": false });
        let prompt =
            prompt_id.map_or_else(|| json!({}), |prompt_id| json!({ "promptId": prompt_id }));
        let message = json!({ "type": "user", "message": { "role": "user", "content": content } });
        let place = self.prompt_place();
        self.chained(&[head, prompt, message], more, place)
    }

    /// The snapshot the real one writes before a prompt.
    pub(crate) fn snapshot(&mut self) {
        let (message_id, now) = (id::uuid(), clock::iso(clock::unix_ms()));
        let place = self.prompt_place();
        let snapshot =
            json!({ "messageId": message_id, "trackedFileBackups": {}, "timestamp": now });
        self.push(
            place,
            &json!({ "type": "file-history-snapshot", "messageId": message_id, "snapshot": snapshot, "isSnapshotUpdate": false }),
        );
    }

    /// A record of the assistant: one block of its message, or an error in its place.
    pub(crate) fn assistant(&mut self, message: &Value, more: Value) -> String {
        let head = json!({ "parentUuid": self.last, "isSidechain": false, "message": message });
        let kind = json!({ "type": "assistant" });
        self.chained(&[head, more, kind], json!({}), Place::InTurn)
    }

    /// A `system` record of some subtype.
    pub(crate) fn system(&mut self, subtype: &str, more: Value) -> String {
        let head = json!({ "parentUuid": self.last, "isSidechain": false, "type": "system", "subtype": subtype });
        self.chained(&[head], more, Place::InTurn)
    }

    /// An `attachment` record.
    pub(crate) fn attachment(&mut self, attachment: &Value) -> String {
        self.attached(attachment, json!({}))
    }

    /// An `attachment` record of the newer family, with the words that the model is told.
    pub(crate) fn reminder(&mut self, attachment: &Value, text: &str) -> String {
        let content = format!("<system-reminder>\n{text}\n</system-reminder>");
        let more = json!({ "rendered": [{ "content": content }], "renderedRole": "system" });
        self.attached(attachment, more)
    }

    fn attached(&mut self, attachment: &Value, more: Value) -> String {
        let head = json!({ "parentUuid": self.last, "isSidechain": false, "attachment": attachment, "type": "attachment" });
        self.chained(&[head], more, Place::InTurn)
    }

    /// The result of a tool, which hangs on the call that asked for it.
    pub(crate) fn result(
        &mut self,
        call: Option<&str>,
        content: &Value,
        prompt_id: Option<&str>,
        more: Value,
    ) -> String {
        let last = self.last.clone();
        self.last = call.map(str::to_owned).or(last);
        self.user(content, prompt_id, more)
    }

    /// What the newer family notes once in a session that asks the model.
    pub(crate) fn latch(&mut self) {
        if self.is_new && !std::mem::replace(&mut self.latched, true) {
            self.note(json!({ "type": "atis-latch", "atis": "" }));
        }
    }

    /// A record outside the chain, such as a queue operation.
    pub(crate) fn note(&mut self, record: Value) {
        self.push(
            Place::InTurn,
            &with(record, json!({ "sessionId": self.session_id })),
        );
    }

    /// How many records of the conversation there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// When there is something to write.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes everything that waits, in one write.
    pub(crate) fn flush(&mut self) {
        self.due = None;
        let pending = std::mem::take(&mut self.pending);
        if self.silent || pending.is_empty() {
            return;
        }
        let mut text = String::new();
        if !self.made {
            if self.entry == "cli" && !self.is_sparse {
                text.push_str(&self.opening());
            }
            self.made = true;
        }
        for place in [Place::InTurn, Place::Behind] {
            for (_, line) in pending.iter().filter(|(wanted, _)| *wanted == place) {
                text.push_str(line);
                text.push('\n');
            }
        }
        append(&self.path(), text.as_bytes());
    }

    fn prompt_place(&self) -> Place {
        match self.late_prompt && !self.made && self.count == 0 {
            true => Place::Behind,
            false => Place::InTurn,
        }
    }

    fn opening(&self) -> String {
        let mut text = String::new();
        let records = [
            json!({ "type": "mode", "mode": "normal", "sessionId": self.session_id }),
            json!({ "type": "permission-mode", "permissionMode": self.mode, "sessionId": self.session_id }),
        ];
        for record in records {
            text.push_str(&record.to_string());
            text.push('\n');
        }
        text
    }

    /// Adds the fields every record of the chain ends with, and makes it the last one.
    fn chained(&mut self, parts: &[Value], more: Value, place: Place) -> String {
        let uuid = id::uuid();
        let mut record = parts
            .iter()
            .fold(json!({}), |whole, part| with(whole, part.clone()));
        record = with(
            record,
            json!({ "uuid": uuid, "timestamp": clock::iso(clock::unix_ms()) }),
        );
        record = with(record, more);
        if self.is_new && is_of_turn(&record) {
            record["session_id"] = json!(self.session_id);
        }
        record = with(
            record,
            json!({
                "userType": "external", "entrypoint": self.entry, "cwd": self.cwd, "sessionId": self.session_id,
                "version": self.version, "gitBranch": "HEAD",
            }),
        );
        if self.is_sparse {
            make_sparse(&mut record);
        }
        self.push(place, &record);
        self.last = Some(uuid.clone());
        self.count += 1;
        uuid
    }

    fn push(&mut self, place: Place, record: &Value) {
        self.pending.push((place, js::text(record)));
        self.due.get_or_insert_with(|| clock::now() + self.delay);
    }
}

/// Whether a record was made while the model was asked; the newer family then names the session twice.
fn is_of_turn(record: &Value) -> bool {
    let told = &record["attachment"]["type"];
    match record["type"].as_str().unwrap_or_default() {
        "assistant" => true,
        "attachment" => told != "environment" && told != "model",
        "system" => record["subtype"] == "stop_hook_summary",
        _ => ["toolUseResult", "interruptedMessageId", "turnCompanion"]
            .iter()
            .any(|field| record.get(field).is_some()),
    }
}

/// Takes out of a record what 2.0 does not tell.
fn make_sparse(record: &mut Value) {
    record["gitBranch"] = json!("");
    without(Some(record), &UNTOLD);
    without(record.pointer_mut("/message/usage"), &UNCOUNTED);
}

fn without(value: Option<&mut Value>, fields: &[&str]) {
    let inner = value.and_then(Value::as_object_mut).into_iter();
    inner.for_each(|inner| inner.retain(|name, _| !fields.contains(&name.as_str())));
}

const UNTOLD: [&str; 5] = [
    "promptId",
    "permissionMode",
    "entrypoint",
    "sourceToolAssistantUUID",
    "apiErrorStatus",
];
const UNCOUNTED: [&str; 3] = ["inference_geo", "iterations", "speed"];

/// The folder of a working directory's transcripts.
pub(crate) fn folder(claude_dir: &Path, cwd: &Path) -> PathBuf {
    let slug = cwd
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>();
    claude_dir.join("projects").join(slug)
}

fn append(path: &Path, bytes: &[u8]) {
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    if let Ok(mut file) = file {
        let _ = file.write_all(bytes);
    }
}

/// `whole` with the fields of `more` behind its own.
pub(crate) fn with(whole: Value, more: Value) -> Value {
    let mut fields = whole.as_object().cloned().unwrap_or_else(Map::new);
    for (key, value) in more.as_object().into_iter().flatten() {
        fields.insert(key.clone(), value.clone());
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_has_dashes_for_all_but_letters_and_digits() {
        let folder = folder(Path::new("/h/.claude"), Path::new("/tmp/a_b.c"));
        assert_eq!(folder, Path::new("/h/.claude/projects/-tmp-a-b-c"));
    }

    #[test]
    fn records_point_at_the_one_before() {
        let frame = Frame {
            folder: "/nowhere".into(),
            cwd: "/c".to_owned(),
            version: "2.1.329".to_owned(),
            mode: "dontAsk".to_owned(),
            entry: "cli",
            is_new: true,
            is_sparse: false,
            delay: Duration::ZERO,
            silent: true,
            late_prompt: false,
        };
        let mut journal = Journal::new(&frame, "s");
        let first = journal.user(&json!("hi"), Some("p"), json!({}));
        journal.system("turn_duration", json!({ "durationMs": 1 }));
        let second: Value = serde_json::from_str(&journal.pending[1].1).expect("a record is JSON");
        assert_eq!(second["parentUuid"], json!(first));
        assert_eq!(second["version"], "2.1.329");
    }
}
