//! The API's answers, as the CLI copies them into a folder of its session once each is whole.
//!
//! The CLI writes its transcript a tenth of a second after the answer's end. The copy comes with that end, and has what
//! only the API knows: the message's id, what it used and why the model stopped. Whoever reads one removes it.

use super::record;
use super::record::Said;
use super::wakers::Wakers;
use super::watch::FolderId;
use serde_json::Value;
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
    /// Told when an answer was written.
    pub(crate) came: Arc<Notify>,
}

/// What was copied since the last read.
#[derive(Debug, PartialEq)]
pub(crate) enum Copied {
    /// Nothing that is whole.
    Nothing,
    /// One answer, to one question.
    Answer(Said),
    /// The CLI asked more than once, or nobody knows what: which question was the caller's cannot be told.
    Unclear,
}

impl Copies {
    /// What came since the last read; its files are removed, with what is copied beside it.
    pub(crate) fn read(&self) -> Copied {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files: Vec<PathBuf> = files.map(|file| file.path()).collect();
        let ending = |end: &str| {
            let ends = move |file: &&PathBuf| file.to_string_lossy().ends_with(end);
            files.iter().filter(ends).collect::<Vec<_>>()
        };
        let (questions, answers) = (ending(QUESTION), ending(ANSWER));
        let whole: Vec<Value> = answers.iter().filter_map(|file| message(file)).collect();
        if whole.is_empty() {
            return Copied::Nothing;
        }
        files.iter().for_each(|file| drop(fs::remove_file(file)));
        match (whole.as_slice(), answers.len(), questions.len()) {
            ([message], 1, 1) => record::said(message).map_or(Copied::Unclear, Copied::Answer),
            _ => Copied::Unclear,
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.wakers.forget_folder(self.id);
    }
}

/// A file that is written to its end; whoever writes it tells of that again.
fn message(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// How the name of an answer's file ends.
pub(super) const ANSWER: &str = ".response.json";
/// The same for what was asked; its file is made before the answer's.
const QUESTION: &str = ".request.json";

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::tail::Tails;
    use super::*;

    #[tokio::test]
    async fn an_answer_to_one_question_is_read_once_and_nothing_stays() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let copies = tails.copies(folder.path()).expect("it can be watched");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        };
        let answer = r#"{"id":"msg_1","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#;
        write("1.request.json", "{}");
        write("2.response.json", "{\"id\":\"msg_1\",");
        copies.came.notified().await;
        assert_eq!(copies.read(), Copied::Nothing);
        write("2.response.json", answer);
        copies.came.notified().await;
        assert!(matches!(copies.read(), Copied::Answer(said) if said.message == "msg_1"));
        let left = fs::read_dir(folder.path()).map(Iterator::count);
        assert_eq!(left.ok(), Some(0));

        for questions in [&[][..], &["1.request.json", "2.request.json"]] {
            questions.iter().for_each(|name| write(name, "{}"));
            write("3.response.json", answer);
            copies.came.notified().await;
            assert_eq!(copies.read(), Copied::Unclear, "{questions:?}");
        }
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
