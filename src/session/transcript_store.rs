//! The transcripts of our sessions, where the CLI keeps them: written for it to take up, and removed.

use super::attachment::Attachments;
use super::history;
use super::history::Heading;
use super::transcript_pipe::TranscriptPipe;
use super::transcript_pipe::is_pipe;
use super::witness::record::Record;
use super::witness::record::parse_record;
use crate::clock;
use crate::disk::write_private;
use crate::sync::lock;
use crate::turn::Message;
use serde_json::Value;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::UNIX_EPOCH;
use uuid::Uuid;

/// Who reads what is written: a CLI of this version, which is asked for this model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TranscriptReader<'a> {
    pub(crate) version: &'a str,
    pub(crate) model: &'a str,
}

/// The CLI's folder of our sessions' transcripts; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TranscriptStore {
    project: PathBuf,
    /// The folder that sessions run in.
    work_dir: String,
    /// What the CLI that was asked for its version last was seen to tell the model by itself.
    attachments: Arc<Mutex<Attachments>>,
    keep: bool,
}

/// What a rehearsal showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rehearsed {
    /// What the CLI tells by itself.
    Told,
    /// It asked, and told nothing by itself.
    Silent,
    /// It did not come to ask.
    Unasked,
}

impl TranscriptStore {
    /// The transcript_store below the CLI's own folder.
    pub(crate) fn new(claude: &Path, work_dir: &Path, keep: bool) -> TranscriptStore {
        let work_dir = work_dir.to_string_lossy().into_owned();
        let project = claude
            .join("projects")
            .join(history::project_slug(&work_dir));
        TranscriptStore {
            project,
            work_dir,
            attachments: Arc::default(),
            keep,
        }
    }

    /// The CLI told its version: what is learned from here on is learned of it.
    pub(crate) fn label(&self, version: &str) {
        let mut attachments = self.attachments();
        if !attachments.is_of(version) {
            *attachments = Attachments::of(version);
        }
    }

    /// Writes a conversation where the CLI will find it; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write(
        &self,
        messages: &[Message],
        reader: TranscriptReader<'_>,
    ) -> io::Result<String> {
        self.store(reader, |heading| {
            history::write_transcript(messages, heading, fresh_id).text
        })
    }

    /// Writes a conversation whose last message the next prompt goes on with; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_open(
        &self,
        messages: &[Message],
        reader: TranscriptReader<'_>,
    ) -> io::Result<String> {
        self.store(reader, |heading| {
            let written = history::write_transcript(messages, heading, fresh_id);
            written.text + &history::open_end(heading, &written.last, &fresh_id())
        })
    }

    /// The text of a transcript of this id; of a blank one where nothing was said.
    pub(crate) fn compose(
        &self,
        uuid: &str,
        messages: &[Message],
        reader: TranscriptReader<'_>,
    ) -> String {
        let heading = self.heading(uuid.to_owned(), reader);
        match messages {
            [] => history::blank(&heading, fresh_id),
            messages => history::write_transcript(messages, &heading, fresh_id).text,
        }
    }

    /// Puts a pipe in the place of a transcript that is still to be written.
    ///
    /// # Errors
    /// Where there can be none.
    pub(crate) fn prime(&self, uuid: &str) -> io::Result<TranscriptPipe> {
        fs::create_dir_all(&self.project)?;
        TranscriptPipe::place(&self.path(uuid))
    }

    /// Writes a conversation in which nothing was said yet; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_blank(&self, reader: TranscriptReader<'_>) -> io::Result<String> {
        self.store(reader, |heading| history::blank(heading, fresh_id))
    }

    /// Writes such a conversation under this id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn put_blank(&self, uuid: &str, reader: TranscriptReader<'_>) -> io::Result<()> {
        let text = self.compose(uuid, &[], reader);
        fs::create_dir_all(&self.project)?;
        write_private(&self.path(uuid), text.as_bytes(), 0o600)
    }

    /// Where the transcript of this id is.
    pub(crate) fn path(&self, uuid: &str) -> PathBuf {
        self.project.join(format!("{uuid}.jsonl"))
    }

    /// What the CLI attached in a session that asked for `model`, as far as these records say it: in what is written
    /// from now on it was told already.
    pub(crate) fn learn<'a>(&self, model: &str, records: impl IntoIterator<Item = &'a Record>) {
        // Under one lock: what was learned in part is not yet known.
        let mut attachments = self.attachments();
        for record in records {
            if let Record::Attached(attachment) = record {
                attachments.learn(model, attachment);
            }
        }
    }

    /// The same of a whole transcript, at its end: what was written too late for whoever followed it.
    pub(crate) fn learn_from(&self, model: &str, transcript: &Path) {
        self.learn(model, &short_records(transcript));
    }

    /// The same of the transcript of a rehearsal, which failed to ask.
    pub(crate) fn learn_rehearsed(&self, model: &str, transcript: &Path) -> Rehearsed {
        let records = short_records(transcript);
        self.learn(model, &records);
        let is_asked = |record: &Record| matches!(record, Record::Error(_) | Record::Assistant(_));
        match records.iter().any(is_asked) {
            _ if self.attachments().is_any() => Rehearsed::Told,
            true => Rehearsed::Silent,
            false => Rehearsed::Unasked,
        }
    }

    /// It asked, more than once, and attached nothing: it never does.
    pub(crate) fn note_silent(&self) {
        self.attachments().note_asked();
    }

    /// How many things a conversation that is written now has told, which the CLI would tell by itself else.
    pub(crate) fn tells(&self, reader: TranscriptReader<'_>) -> usize {
        self.told(reader).len()
    }

    /// Whether these are all.
    pub(crate) fn is_known(&self, reader: TranscriptReader<'_>) -> bool {
        let attachments = self.attachments();
        attachments.is_of(reader.version) && attachments.is_known(reader.model)
    }

    /// To a CLI of another version nothing is told: one that makes no such records would take them for a conversation
    /// that broke off.
    fn told(&self, reader: TranscriptReader<'_>) -> Vec<Value> {
        let attachments = self.attachments();
        match attachments.is_of(reader.version) {
            true => attachments.told(reader.model),
            false => Vec::new(),
        }
    }

    fn attachments(&self) -> MutexGuard<'_, Attachments> {
        lock(&self.attachments)
    }

    /// Removes a transcript, unless they are kept.
    pub(crate) fn remove(&self, transcript: &Path) {
        if !self.keep && transcript.starts_with(&self.project) {
            drop(fs::remove_file(transcript));
        }
    }

    /// Removes all transcripts, unless they are kept. None of our sessions may be alive.
    pub(crate) fn sweep(&self) {
        let left = fs::read_dir(&self.project).into_iter().flatten().flatten();
        for path in left
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        {
            self.remove(&path);
        }
    }

    fn store(
        &self,
        reader: TranscriptReader<'_>,
        text: impl FnOnce(&Heading) -> String,
    ) -> io::Result<String> {
        let uuid = Uuid::new_v4().to_string();
        let heading = self.heading(uuid.clone(), reader);
        fs::create_dir_all(&self.project)?;
        write_private(&self.path(&uuid), text(&heading).as_bytes(), 0o600)?;
        Ok(uuid)
    }

    fn heading(&self, session: String, reader: TranscriptReader<'_>) -> Heading {
        let now = UNIX_EPOCH + Duration::from_millis(clock::unix_ms());
        Heading {
            session,
            folder: self.work_dir.clone(),
            version: reader.version.to_owned(),
            model: reader.model.to_owned(),
            told: self.told(reader),
            timestamp: humantime::format_rfc3339_millis(now).to_string(),
        }
    }
}

/// The records of a transcript's beginning; what was said, which may be long, is not read.
fn short_records(transcript: &Path) -> Vec<Record> {
    if is_pipe(transcript) {
        return Vec::new(); // Its session was never asked.
    }
    let file = fs::File::open(transcript);
    let mut text = Vec::new();
    match file.and_then(|file| file.take(LEARNED_MAX).read_to_end(&mut text)) {
        Ok(_) => {
            let lines = text.split(|byte| *byte == b'\n');
            let short = lines.filter(|line| line.len() <= ATTACHMENT_MAX);
            short.map(parse_record).collect()
        }
        Err(_) => Vec::new(),
    }
}

fn fresh_id() -> String {
    Uuid::new_v4().to_string()
}

/// Bytes of a transcript that are read for what the CLI attached: the first turn of a conversation without a history.
const LEARNED_MAX: u64 = 256 * 1024;
/// Bytes of the record of an attachment: a kilobyte of text twice, and ids.
const ATTACHMENT_MAX: usize = 16 * 1024;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_of_a_pipe_that_a_session_was_to_wait_at() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let store = TranscriptStore::new(folder.path(), folder.path(), false);
        let pipe = store.prime("one").expect("pipes exist here");
        store.learn_from("some", &store.path("one")); // It would wait for ever.
        assert!(is_pipe(&store.path("one")));
        assert!(!pipe.is_met());
    }
}
