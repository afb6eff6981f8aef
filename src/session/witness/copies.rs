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

impl Copies {
    /// The answers that came since the last read. What is copied beside them, before an answer or after the one before,
    /// is thrown away.
    pub(crate) fn read(&self) -> Vec<Said> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        files
            .filter_map(|file| taken(&file.path()))
            .take(READ_MAX)
            .collect()
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.wakers.forget_folder(self.id);
    }
}

/// An answer out of its file, which is removed. One that is still being written stays: its end is told, too.
fn taken(file: &Path) -> Option<Said> {
    if !file.to_string_lossy().ends_with(ANSWER) {
        drop(fs::remove_file(file));
        return None;
    }
    let message: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    drop(fs::remove_file(file));
    record::said(&message)
}

/// How the name of an answer's file ends.
pub(super) const ANSWER: &str = ".response.json";
/// Answers read at once; a turn has one, or a few where the CLI asks again by itself.
const READ_MAX: usize = 64;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::tail::Tails;
    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_once_and_nothing_stays() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let copies = tails.copies(folder.path()).expect("it can be watched");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        };
        write("1.request.json", "{}");
        write("2.response.json", "{\"id\":\"msg_1\",");
        copies.came.notified().await;
        assert_eq!(copies.read(), vec![]);
        let answer = r#"{"id":"msg_1","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}"#;
        write("2.response.json", answer);
        copies.came.notified().await;
        let said = copies.read();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].message, "msg_1");
        assert_eq!(
            fs::read_dir(folder.path()).map(Iterator::count).ok(),
            Some(0)
        );
    }
}
