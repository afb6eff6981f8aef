//! The transcripts of our sessions, where the CLI keeps them: written for it to take up, and removed.

use super::attachment::Attachments;
use super::history;
use super::history::Heading;
use super::private::write_private;
use super::transcript_pipe::TranscriptPipe;
use super::witness::record::Record;
use super::witness::record::parse_record;
use crate::clock;
use crate::turn::Message;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::UNIX_EPOCH;
use uuid::Uuid;

/// The CLI's folder of our sessions' transcripts; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TranscriptStore {
    project: PathBuf,
    /// The folder that sessions run in.
    work_dir: String,
    /// The version of the CLI that was asked last, which only labels records.
    version: Arc<Mutex<Option<String>>>,
    /// What the CLI was seen to tell the model by itself.
    attachments: Arc<Mutex<Attachments>>,
    keep: bool,
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
            version: Arc::default(),
            attachments: Arc::default(),
            keep,
        }
    }

    /// The CLI told its version.
    pub(crate) fn label(&self, version: &str) {
        let label = self.version.lock();
        *label.unwrap_or_else(PoisonError::into_inner) = Some(version.to_owned());
        let mut attachments = self.attachments();
        if !attachments.is_of(version) {
            *attachments = Attachments::of(version);
        }
    }

    /// Writes a conversation where the CLI will find it; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write(&self, messages: &[Message], model: &str) -> io::Result<String> {
        self.store(model, |heading| {
            history::write_transcript(messages, heading, fresh_id).text
        })
    }

    /// Writes a conversation whose last message the next prompt goes on with; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_open(&self, messages: &[Message], model: &str) -> io::Result<String> {
        self.store(model, |heading| {
            let written = history::write_transcript(messages, heading, fresh_id);
            written.text + &history::open_end(heading, &written.last, &fresh_id())
        })
    }

    /// The text of a transcript of this id; of a blank one where nothing was said.
    pub(crate) fn compose(&self, uuid: &str, messages: &[Message], model: &str) -> String {
        let heading = self.heading(uuid.to_owned(), model);
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
    pub(crate) fn write_blank(&self, model: &str) -> io::Result<String> {
        self.store(model, |heading| history::blank(heading, fresh_id))
    }

    /// Writes such a conversation under this id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn put_blank(&self, uuid: &str, model: &str) -> io::Result<()> {
        let text = self.compose(uuid, &[], model);
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
        for record in records {
            if let Record::Attached(attachment) = record {
                self.attachments().learn(model, attachment);
            }
        }
    }

    /// The same of a whole transcript, at its end: what was written too late for whoever followed it.
    pub(crate) fn learn_from(&self, model: &str, transcript: &Path) {
        let file = fs::File::open(transcript);
        let mut text = Vec::new();
        let read = file.and_then(|file| file.take(LEARNED_MAX).read_to_end(&mut text));
        if read.is_ok() {
            // What was said, which may be long, is not read.
            let lines = text.split(|byte| *byte == b'\n');
            let short = lines.filter(|line| line.len() <= ATTACHMENT_MAX);
            self.learn(model, &short.map(parse_record).collect::<Vec<_>>());
        }
    }

    /// Whether a conversation that is written now has anything told that it would not have by itself.
    pub(crate) fn knows_more(&self) -> bool {
        self.attachments().is_any()
    }

    fn attachments(&self) -> MutexGuard<'_, Attachments> {
        let attachments = self.attachments.lock();
        attachments.unwrap_or_else(PoisonError::into_inner)
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

    fn store(&self, model: &str, text: impl FnOnce(&Heading) -> String) -> io::Result<String> {
        let uuid = Uuid::new_v4().to_string();
        let heading = self.heading(uuid.clone(), model);
        fs::create_dir_all(&self.project)?;
        write_private(&self.path(&uuid), text(&heading).as_bytes(), 0o600)?;
        Ok(uuid)
    }

    fn heading(&self, session: String, model: &str) -> Heading {
        let now = UNIX_EPOCH + Duration::from_millis(clock::unix_ms());
        let version = self.version.lock();
        let version = version.unwrap_or_else(PoisonError::into_inner).clone();
        let version = version.unwrap_or_else(|| VERSION_UNASKED.to_owned());
        Heading {
            session,
            folder: self.work_dir.clone(),
            version,
            model: model.to_owned(),
            told: self.attachments().told(model),
            timestamp: humantime::format_rfc3339_millis(now).to_string(),
        }
    }
}

fn fresh_id() -> String {
    Uuid::new_v4().to_string()
}

/// Bytes of a transcript that are read for what the CLI attached: the first turn of a conversation without a history.
const LEARNED_MAX: u64 = 256 * 1024;
/// Bytes of the record of an attachment: a kilobyte of text twice, and ids.
const ATTACHMENT_MAX: usize = 16 * 1024;
/// What a transcript says where the CLI has not told its version yet; it only labels the record.
const VERSION_UNASKED: &str = "2.1.0";
