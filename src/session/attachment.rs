//! What the CLI tells the model of itself, learned from its transcripts, so that a conversation can have it told. `[pure]`
//!
//! Once a conversation the CLI attaches its folder, the system, the model's name and the date to the user's message. It
//! looks in the transcript for what it has told, and shows the model what the record says was shown. A transcript that
//! we write has these records, and says that nothing was shown: the model gets the caller's words alone.

use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// One attachment of a transcript, as the CLI wrote it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attachment {
    /// The CLI that wrote it.
    version: String,
    content: Value,
}

impl Attachment {
    /// That of a transcript's record, unless it is a record of ours.
    pub(crate) fn of(record: &Value) -> Option<Attachment> {
        let is_ours = record["rendered"][0]["content"] == SHOWN_AS;
        let content = record.get("attachment").filter(|_| !is_ours);
        Some(Attachment {
            version: record["version"].as_str()?.to_owned(),
            content: content?.clone(),
        })
    }
}

/// The attachments that one version of the CLI was seen to make.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    version: String,
    /// Those that hold for every model, by type.
    common: BTreeMap<String, Value>,
    /// What the CLI says of a model, by the name that a session asked for.
    models: BTreeMap<String, Value>,
    /// It was seen to ask without attaching anything.
    is_silent: bool,
}

impl Attachments {
    /// Of a version of which nothing was seen.
    pub(crate) fn of(version: &str) -> Attachments {
        Attachments {
            version: version.to_owned(),
            ..Attachments::default()
        }
    }

    pub(crate) fn is_of(&self, version: &str) -> bool {
        self.version == version
    }

    /// Takes up what the CLI attached in a session that asked for `model`. Of another version it is not taken up: one
    /// that makes no such record takes ours for a conversation that broke off.
    pub(crate) fn learn(&mut self, model: &str, attachment: &Attachment) {
        if !self.is_of(&attachment.version) {
            return;
        }
        let content = &attachment.content;
        let kind = content["type"].as_str().unwrap_or_default();
        if kind == OF_THE_MODEL {
            if self.models.len() < MODELS_MAX || self.models.contains_key(model) {
                self.models.insert(model.to_owned(), content.clone());
            }
        } else if COMMON.contains(&kind) {
            self.common.insert(kind.to_owned(), content.clone());
        }
    }

    /// It asked, and all that it attached was taken up.
    pub(crate) fn note_asked(&mut self) {
        self.is_silent = !self.is_any();
    }

    /// Whether all is known that the CLI would tell this model by itself.
    pub(crate) fn is_known(&self, model: &str) -> bool {
        match self.is_any() {
            true => self.models.contains_key(model),
            false => self.is_silent,
        }
    }

    /// What a conversation with this model has to have told: nothing where nothing was seen. Of a new day the CLI tells
    /// by itself, once, and is believed from then on.
    pub(crate) fn told(&self, model: &str) -> Vec<Value> {
        let known = self.common.values().chain(self.models.get(model));
        known.filter(|_| self.is_any()).cloned().collect()
    }

    /// Whether the CLI was seen to attach anything.
    pub(crate) fn is_any(&self) -> bool {
        !self.common.is_empty()
    }
}

/// A record of the transcript that says: this was told, and nothing was shown.
pub(crate) fn as_told(attachment: &Value, mut record: Value) -> Value {
    record["attachment"] = attachment.clone();
    record["rendered"] = json!([{"content": SHOWN_AS}]);
    record["renderedRole"] = "system".into();
    record
}

/// What the record says was shown. Of nothing at all the CLI believes that it was not shown; a blank it leaves away.
const SHOWN_AS: &str = " ";
/// The types that speak of the machine and the day. No other is taken up: it could hold a caller's words.
const COMMON: [&str; 3] = ["date", "environment", "session_context"];
/// The type that speaks of the model.
const OF_THE_MODEL: &str = "model";
/// Models that are remembered; a relay is asked for a handful.
const MODELS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(version: &str, content: Value) -> Attachment {
        let record = json!({"type": "attachment", "version": version, "attachment": content, "rendered": [{"content": "shown"}]});
        Attachment::of(&record).expect("the CLI made it")
    }

    fn seen(model: &str) -> Attachments {
        let mut attachments = Attachments::of("1.0.0");
        for content in [
            json!({"type": "environment", "snapshot": {"workingDirectory": "/w"}}),
            json!({"type": "model", "identity": {"modelId": "opus-x"}}),
            json!({"type": "date", "date": "2026-01-01"}),
            json!({"type": "file", "content": "a caller's words"}),
        ] {
            attachments.learn(model, &attachment("1.0.0", content));
        }
        attachments
    }

    #[test]
    fn what_the_cli_attached_is_told_and_of_no_other_model() {
        let told = seen("opus").told("opus");
        let kinds: Vec<_> = told.iter().map(|told| told["type"].clone()).collect();
        assert_eq!(kinds, ["date", "environment", "model"]);
        assert_eq!(told[2]["identity"]["modelId"], "opus-x");
        assert_eq!(seen("opus").told("haiku").len(), 2);
    }

    #[test]
    fn of_a_version_that_was_not_seen_nothing_is_told() {
        let mut attachments = Attachments::of("0.9.0");
        attachments.learn("opus", &attachment("1.0.0", json!({"type": "date"})));
        assert!(attachments.told("opus").is_empty());
        assert!(!attachments.is_any());
    }

    #[test]
    fn all_is_known_of_a_model_once_it_was_seen_and_of_every_one_once_nothing_was() {
        let mut unseen = Attachments::of("1.0.0");
        assert!(!unseen.is_known("opus"));
        unseen.note_asked();
        assert!(unseen.is_known("opus") && unseen.told("opus").is_empty());
        let mut seen = seen("opus");
        seen.note_asked();
        assert!(seen.is_known("opus") && !seen.is_known("haiku"));
    }

    #[test]
    fn a_callers_words_are_never_taken_up() {
        let told = seen("opus").told("opus");
        assert!(!Value::Array(told).to_string().contains("caller"));
    }

    #[test]
    fn what_we_wrote_ourselves_teaches_nothing() {
        let record = json!({"parentUuid": "a", "type": "attachment", "version": "1.0.0"});
        let content = json!({"type": "environment", "snapshot": "old"});
        assert_eq!(Attachment::of(&as_told(&content, record)), None);
    }

    #[test]
    fn models_are_bounded() {
        let mut attachments = Attachments::of("1.0.0");
        let model = attachment("1.0.0", json!({"type": "model"}));
        for index in 0..2 * MODELS_MAX {
            attachments.learn(&index.to_string(), &model);
        }
        assert_eq!(attachments.models.len(), MODELS_MAX);
    }
}
