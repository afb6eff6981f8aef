//! Conversations on disk: one private file each, to which a turn adds a line.
//!
//! A turn is one line, so that a line that was cut off by a crash is a turn that was never encode, and is left out.

use super::encode;
use crate::clock;
use crate::disk::make_private_folder;
use crate::disk::replace_unsynced;
use crate::hex::to_hex;
use crate::turn::ConversationId;
use crate::turn::Message;
use crate::turn::Owner;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The folder of all conversations.
#[derive(Debug)]
pub(super) struct ConversationStore {
    folder: PathBuf,
}

/// A conversation as it was found.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) id: ConversationId,
    pub(super) messages: Vec<Message>,
    pub(super) bytes: u64,
    pub(super) turns: u32,
    pub(super) model: String,
    /// Since its last turn.
    pub(super) age: Duration,
}

/// What a turn adds.
pub(super) struct StoredTurn<'a> {
    /// The messages that are new with it; all of them, where the file begins anew.
    pub(super) messages: &'a [Message],
    pub(super) turns: u32,
    pub(super) model: &'a str,
}

impl ConversationStore {
    /// The store in this folder, and what stands on it. A file that cannot be read is removed.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub(super) fn open(folder: &Path) -> io::Result<(ConversationStore, Vec<Found>)> {
        make_private_folder(folder)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)?.flatten() {
            match read(&entry.path()) {
                Some(conversation) => found.push(conversation),
                None => drop(fs::remove_file(entry.path())),
            }
        }
        let folder = folder.to_owned();
        Ok((ConversationStore { folder }, found))
    }

    /// Writes a conversation in place of what stands there.
    ///
    /// # Errors
    /// Where it cannot be written; nothing stands there then.
    pub(super) fn write(&self, id: &ConversationId, turn: &StoredTurn<'_>) -> io::Result<()> {
        let head = json!({"version": VERSION, "owner": id.owner.0, "id": id.name()});
        let text = format!("{head}\n{}", line(turn));
        let path = self.path(id);
        self.or_nothing(id, replace_unsynced(&path, text.as_bytes()))
    }

    /// Adds a turn.
    ///
    /// # Errors
    /// Where it cannot be written; nothing stands there then.
    pub(super) fn add(&self, id: &ConversationId, turn: &StoredTurn<'_>) -> io::Result<()> {
        let file = fs::OpenOptions::new().append(true).open(self.path(id));
        let written = file.and_then(|mut file| file.write_all(line(turn).as_bytes()));
        self.or_nothing(id, written)
    }

    pub(super) fn remove(&self, id: &ConversationId) {
        let removed = fs::remove_file(self.path(id));
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a conversation could not be removed");
        }
    }

    /// A conversation that lacks a turn must not be taken for the whole one.
    fn or_nothing(&self, id: &ConversationId, written: io::Result<()>) -> io::Result<()> {
        written.inspect_err(|_| self.remove(id))
    }

    /// A caller's name is no name for a file: its digest is.
    fn path(&self, id: &ConversationId) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update((id.owner.0.len() as u64).to_be_bytes());
        hash.update(id.owner.0.as_bytes());
        hash.update(id.name().as_bytes());
        let digest = to_hex(&hash.finalize());
        self.folder.join(format!("{digest}.jsonl"))
    }
}

fn line(turn: &StoredTurn<'_>) -> String {
    let messages: Vec<Value> = turn.messages.iter().map(encode::to_json).collect();
    let used = clock::unix_ms();
    let line =
        json!({"used": used, "turns": turn.turns, "model": turn.model, "messages": messages});
    format!("{line}\n")
}

fn read(path: &Path) -> Option<Found> {
    // A file that was never finished may be whole all the same, and stands beside the one that it was to replace.
    path.extension().filter(|end| *end == "jsonl")?;
    let text = fs::read(path).ok()?;
    let end = text.iter().rposition(|byte| *byte == b'\n')?;
    let whole = text.get(..end)?;
    if end + 1 < text.len() {
        // The next turn is added behind whole lines.
        fs::OpenOptions::new()
            .write(true)
            .open(path)
            .ok()?
            .set_len(end as u64 + 1)
            .ok()?;
    }
    let mut lines = whole.split(|byte| *byte == b'\n');
    let head: Value = serde_json::from_slice(lines.next()?).ok()?;
    let owner = Owner(head.get("owner")?.as_str()?.to_owned());
    let id = ConversationId::new(owner, head.get("id")?.as_str()?)?;
    let mut messages = Vec::new();
    let mut last = Value::Null;
    for line in lines {
        last = serde_json::from_slice(line).ok()?;
        for message in last.get("messages")?.as_array()? {
            messages.push(encode::from_json(message)?);
        }
    }
    let used = last.get("used")?.as_u64()?;
    Some(Found {
        id,
        messages,
        bytes: text.len() as u64,
        turns: u32::try_from(last.get("turns")?.as_u64()?).ok()?,
        model: last.get("model")?.as_str()?.to_owned(),
        age: Duration::from_millis(clock::unix_ms().saturating_sub(used)),
    })
    .filter(|_| head["version"] == VERSION)
}

/// Of the files' form.
const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Role;

    fn id(name: &str) -> ConversationId {
        ConversationId::new(Owner::anonymous(), name).expect("the name is visible")
    }

    fn said(text: &str) -> Message {
        Message {
            role: Role::User,
            blocks: vec![Block::Text(text.into())],
        }
    }

    fn turn(messages: &[Message], turns: u32) -> StoredTurn<'_> {
        StoredTurn {
            messages,
            turns,
            model: "m",
        }
    }

    fn found(folder: &Path) -> Vec<(String, usize, u32)> {
        let (_, found) = ConversationStore::open(folder).expect("the folder is ours");
        let mut found: Vec<_> = found
            .into_iter()
            .map(|found| {
                (
                    found.id.name().to_owned(),
                    found.messages.len(),
                    found.turns,
                )
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn what_was_put_up_is_found_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, none) = ConversationStore::open(folder.path()).expect("the folder is ours");
        assert_eq!(none, []);
        let messages = [said("a"), said("b\n\u{1}"), said("c")];
        store
            .write(&id("../x"), &turn(&messages[..2], 1))
            .expect("a file is written");
        store
            .add(&id("../x"), &turn(&messages[2..], 2))
            .expect("a line is added");
        store
            .write(&id("y"), &turn(&messages, 1))
            .expect("a file is written");
        let expected = [("../x".to_owned(), 3, 2), ("y".to_owned(), 3, 1)];
        assert_eq!(found(folder.path()), expected);
        store.remove(&id("y"));
        store.remove(&id("never"));
        assert_eq!(found(folder.path()), expected[..1]);
    }

    #[test]
    fn a_turn_that_was_cut_off_is_left_out_and_the_next_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, _) = ConversationStore::open(folder.path()).expect("the folder is ours");
        store
            .write(&id("x"), &turn(&[said("a")], 1))
            .expect("a file is written");
        let path = store.path(&id("x"));
        let mut text = fs::read(&path).expect("the file is there");
        text.extend_from_slice(b"{\"messages\":[{\"ro");
        fs::write(&path, text).expect("the file is ours");
        assert_eq!(found(folder.path()), [("x".to_owned(), 1, 1)]);
        store
            .add(&id("x"), &turn(&[said("b")], 2))
            .expect("a line is added");
        assert_eq!(found(folder.path()), [("x".to_owned(), 2, 2)]);
    }

    #[test]
    fn a_file_of_something_else_is_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in [
            ("a.jsonl", ""),
            ("b.jsonl", "no\n"),
            ("c.jsonl", "{\"version\":9}\n{}\n"),
            ("d.next", ""),
        ] {
            fs::write(folder.path().join(name), text).expect("the folder is ours");
        }
        assert_eq!(found(folder.path()), []);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_a_conversation() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, _) = ConversationStore::open(folder.path()).expect("the folder is ours");
        store
            .write(&id("x"), &turn(&[said("a")], 1))
            .expect("a file is written");
        let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
        assert_eq!(mode(folder.path()).ok(), Some(0o700));
        assert_eq!(mode(&store.path(&id("x"))).ok(), Some(0o600));
    }
}
