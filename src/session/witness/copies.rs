//! The API's answers, as the CLI copies them into a folder of its session once each is whole.
//!
//! The CLI writes its transcript a tenth of a second after the answer's end. The copy comes with that end, and has what
//! only the API knows: the message's id, what it used and why the model stopped. Whoever reads one removes it.

use super::record;
use super::record::AssistantMessage;
use super::wakers::Change;
use super::wakers::Changes;
use super::wakers::Wakers;
use super::watch::Ear;
use super::watch::FolderId;
use crate::sync::lock;
use crate::turn::json;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// A folder of copies; nobody hears of it any more once this is dropped.
pub(crate) struct Copies {
    pub(super) folder: PathBuf,
    pub(super) id: FolderId,
    pub(super) wakers: Wakers,
    pub(super) ear: Ear,
    /// What the system told of since the last look.
    pub(super) told: Changes,
    /// Told when a question or an answer began to be written, or was written.
    pub(crate) came: Arc<Notify>,
    pub(super) seen: Seen,
}

/// Copies that were seen, whether they are written to their end or not.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Their names, the oldest first: those of files that are there, and the latest of files that are gone.
    names: VecDeque<OsString>,
    asked: u32,
    answers: u32,
    /// Those of them that came before the last question.
    answered: u32,
    /// The answer to the first question since the turn began: one that came before there was a second one. A message
    /// without a block is not copied, so the first that comes may be to a question of the CLI's own.
    first: Option<OsString>,
    /// The first answer's file was written to its end.
    written: bool,
    /// It was written again after that: what it holds is another answer, whose request has the same name.
    rewritten: bool,
}

/// What was copied since the turn began, and what can be read since the last look.
#[derive(Debug, PartialEq)]
pub(crate) struct Copied {
    /// Questions that the CLI asked the API.
    pub(crate) asked: u32,
    /// Answers that it had before the last of them.
    pub(crate) answered: u32,
    /// Answers that it has had by now, whole or not.
    pub(crate) answers: u32,
    /// The answer to the first of them, once it is whole.
    pub(crate) first: Option<Box<AssistantMessage>>,
    pub(crate) answer: Readable,
}

/// What can be read.
#[derive(Debug, PartialEq)]
pub(crate) enum Readable {
    /// Nothing that is whole.
    Nothing,
    /// One answer, to one question.
    Answer(Box<AssistantMessage>),
    /// The CLI asked more than once, or nobody knows what: which question was the caller's cannot be told.
    Unclear,
}

impl Copies {
    /// A turn begins: what was copied before is not of it.
    pub(crate) fn begin(&mut self) {
        let files = self.files();
        self.look(&files);
        self.seen.forget_turn();
    }

    /// What came since the last look; the files of what is whole are removed, with what is copied beside it.
    pub(crate) fn read(&mut self) -> Copied {
        let files = self.files();
        self.look(&files);
        // Each is read once: one that is written meanwhile is whole for all, or for the next look.
        let answers = answers(&files);
        // Behind the reading: what was read is of the first writing, if nobody has told of another one by now.
        self.look(&files);
        let first = self.seen.first.as_deref();
        let mut same = answers.iter().filter(|(name, _)| first == Some(name));
        let first = same.next().filter(|_| !self.seen.rewritten);
        Copied {
            first: first.map(|(_, said)| Box::new(said.clone())),
            asked: self.seen.asked,
            answered: self.seen.answered,
            answers: self.seen.answers,
            answer: match readable(&files, answers.into_iter().map(|(_, said)| said).collect()) {
                Readable::Answer(_) if self.seen.rewritten => Readable::Unclear,
                answer => answer,
            },
        }
    }

    fn look(&mut self, files: &[PathBuf]) {
        // Behind the listing: all that is listed was told of by now.
        self.ear.catch_up();
        let mut told = lock(&self.told);
        let told = std::mem::take(&mut *told);
        let names = files.iter().filter_map(|file| file.file_name());
        self.seen.look(told, &names.map(OsStr::to_owned).collect());
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        files.map(|file| file.path()).collect()
    }
}

impl Seen {
    /// What was seen so far is of no turn that goes on.
    fn forget_turn(&mut self) {
        *self = Seen {
            names: std::mem::take(&mut self.names),
            ..Seen::default()
        };
    }

    /// Takes in the names of what is there now, and what was told of since the last look, in the order of that.
    fn look(&mut self, told: VecDeque<(OsString, Change)>, there: &BTreeSet<OsString>) {
        // What nobody told of stands behind: an answer among it is to the question before it, or to none that is known.
        let (questions, answers): (Vec<_>, Vec<_>) =
            there.iter().cloned().partition(|name| ends(name, QUESTION));
        for (name, change) in told {
            self.meet(&name);
            self.watch_first(&name, change);
        }
        for name in questions.iter().chain(&answers) {
            self.meet(name);
        }
        // A file that is there is never forgotten, or it would count again.
        while self.names.len() > NAMES_MAX
            && let Some(gone) = self.names.iter().position(|name| !there.contains(name))
        {
            self.names.remove(gone);
        }
    }

    fn meet(&mut self, name: &OsStr) {
        if !self.names.iter().any(|it| it == name) {
            self.count(name);
            self.names.push_back(name.to_owned());
        }
    }

    fn watch_first(&mut self, name: &OsStr, change: Change) {
        if self.first.as_deref() == Some(name) {
            self.rewritten |= self.written;
            self.written |= change == Change::Written;
        }
    }

    fn count(&mut self, name: &OsStr) {
        if ends(name, QUESTION) {
            self.asked += 1;
            self.answered = self.answers;
        } else if ends(name, ANSWER) {
            self.answers += 1;
            if self.asked == 1 && self.first.is_none() {
                self.first = Some(name.to_owned());
            }
        }
    }
}

fn ends(name: &OsStr, ending: &str) -> bool {
    name.to_string_lossy().ends_with(ending)
}

/// Those that are written to their end, by name.
fn answers(files: &[PathBuf]) -> Vec<(OsString, AssistantMessage)> {
    let read = |file: &PathBuf| {
        let name = file.file_name().filter(|name| ends(name, ANSWER))?;
        Some((name.to_owned(), message(file)?))
    };
    files.iter().filter_map(read).collect()
}

/// What the whole ones come to; with one of them all files go.
fn readable(files: &[PathBuf], mut whole: Vec<AssistantMessage>) -> Readable {
    if whole.is_empty() {
        return Readable::Nothing;
    }
    let count = |ending: &str| {
        let names = files.iter().filter_map(|file| file.file_name());
        names.filter(|name| ends(name, ending)).count()
    };
    let counts = (count(ANSWER), count(QUESTION));
    files.iter().for_each(|file| drop(fs::remove_file(file)));
    match (whole.pop(), whole.is_empty(), counts) {
        (Some(said), true, (1, 1)) => Readable::Answer(Box::new(said)),
        _ => Readable::Unclear,
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.wakers.forget_folder(self.id);
    }
}

/// The message of a file that is written to its end; whoever writes it tells of that again.
fn message(file: &Path) -> Option<AssistantMessage> {
    let (message, replaced) = json::read(&fs::read(file).ok()?).ok()?;
    let said = record::said(&message)?;
    Some(AssistantMessage {
        replaced: replaced.is_any(),
        ..said
    })
}

/// How the name of an answer's file ends.
const ANSWER: &str = ".response.json";
/// The same for what was asked; its file is made before the answer's.
const QUESTION: &str = ".request.json";
/// How both end.
pub(super) const COPY: &str = ".json";
/// Names that are kept: of a turn or two, and of what was removed while it was written.
const NAMES_MAX: usize = 64;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::tail::Tails;
    use super::*;

    #[tokio::test]
    async fn an_answer_to_one_question_is_read_once_and_nothing_stays() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let mut copies = tails.copies(folder.path()).expect("it can be watched");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        };
        let answer = r#"{"id":"msg_1","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#;
        write("1.request.json", "{}");
        let (begun, rest) = answer.split_at(20);
        let path = folder.path().join("2.response.json");
        let mut file = fs::File::create(path).expect("a file can be made");
        let mut put = |text: &str| {
            std::io::Write::write_all(&mut file, text.as_bytes()).expect("a file can be written");
        };
        put(begun);
        copies.came.notified().await;
        let read = copies.read();
        assert_eq!((read.asked, read.answered), (1, 0));
        assert_eq!(read.answer, Readable::Nothing);
        put(rest);
        drop(file);
        copies.came.notified().await;
        let read = copies.read();
        assert!(read.first.is_some_and(|first| first.message == "msg_1"));
        assert!(matches!(read.answer, Readable::Answer(said) if said.message == "msg_1"));
        let left = fs::read_dir(folder.path()).map(Iterator::count);
        assert_eq!(left.ok(), Some(0));

        copies.begin();
        for questions in [&[][..], &["1.request.json", "2.request.json"]] {
            questions.iter().for_each(|name| write(name, "{}"));
            write("3.response.json", answer);
            copies.came.notified().await;
            assert_eq!(copies.read().answer, Readable::Unclear, "{questions:?}");
        }
        let read = copies.read();
        // One that is written again under its name is no other.
        assert_eq!((read.asked, read.answered), (1, 1));
    }

    #[tokio::test]
    async fn an_answer_is_the_first_only_where_it_came_before_the_second_question() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let mut copies = tails.copies(folder.path()).expect("it can be watched");
        let answer = r#"{"id":"msg_1","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#;
        let mut turn = |names: [&str; 3]| {
            copies.begin();
            for name in names {
                fs::write(folder.path().join(name), answer).expect("a file can be written");
            }
            // All of it is seen in one look, however it was told.
            let read = copies.read();
            (read.asked, read.answered, read.first.is_some())
        };
        // Names say nothing of an order.
        let answered = turn(["b.request.json", "c.response.json", "a.request.json"]);
        assert_eq!(answered, (2, 1, true));
        let later = turn(["e.request.json", "d.request.json", "f.response.json"]);
        assert_eq!(later, (2, 0, false));
    }

    /// Some providers name all their requests alike.
    #[tokio::test]
    async fn an_answer_that_is_written_over_the_first_one_is_not_taken_for_it() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let mut copies = tails.copies(folder.path()).expect("it can be watched");
        let answer =
            |id| format!(r#"{{"id":"{id}","model":"m","content":[],"stop_reason":"end_turn"}}"#);
        copies.begin();
        for (name, text) in [
            ("1.request.json", String::new()),
            ("same.response.json", answer("msg_1")),
            ("same.response.json", answer("msg_2")),
        ] {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        }
        let read = copies.read();
        assert_eq!((read.first, read.answer), (None, Readable::Unclear));
    }

    #[tokio::test]
    async fn a_folder_that_goes_away_wakes_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let (gone, other) = (folder.path().join("gone"), folder.path().join("other"));
        let _copies = tails.copies(&gone).expect("it can be watched");
        let others = tails.copies(&other).expect("it can be watched");
        let tail = tails.follow(&folder.path().join("t.jsonl"), 0);
        let tail = tail.expect("a file can be followed");
        tail.grew.notified().await;
        fs::remove_dir_all(&gone).expect("it can be removed");
        // The system tells of this after it has told of that.
        fs::write(other.join("1.response.json"), "{}").expect("a file can be written");
        others.came.notified().await;
        let woken = tokio::time::timeout(std::time::Duration::ZERO, tail.grew.notified()).await;
        assert!(
            woken.is_err(),
            "the end of a folder has woken a transcript's reader"
        );
    }
}
