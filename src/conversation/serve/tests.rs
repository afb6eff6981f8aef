use super::*;
use crate::turn::Block;
use crate::turn::Role;
use std::fs;
use std::path::PathBuf;

fn id(name: &str) -> ConversationId {
    ConversationId::new(Owner::anonymous(), name).expect("the name is visible")
}

fn said(texts: &[&str]) -> Vec<Message> {
    let message = |text: &&str| Message {
        role: Role::User,
        blocks: vec![Block::Text((*text).into())],
    };
    texts.iter().map(message).collect()
}

fn kept(folder: &Path) -> Arc<Kept> {
    let config = ConversationConfig {
        ids_max: 9,
        bytes_max: 9999,
        memory_max: Duration::from_secs(60),
        queue_depth_max: 1,
        disk: true,
    };
    let (store, _) = ConversationStore::open(folder).expect("the folder is ours");
    let state = State {
        cache: ConversationCache::new(config),
        queue: Queue::new(1),
        waiting: HashMap::new(),
    };
    Arc::new(Kept {
        state: Mutex::new(state),
        files: FileLocks::default(),
        store: Some(store),
        depth_max: 1,
    })
}

fn enter(kept: &Arc<Kept>, name: &str) -> TurnLock {
    let entered = Kept::enter(kept, id(name)).map_err(|fault| fault.public);
    entered.expect("there is room").0
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there").flatten();
    entries.map(|entry| entry.path()).collect()
}

/// A pipe in place of the file takes nothing until somebody reads it.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_stalls_stops_no_other_conversation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = kept(folder.path());
    let slow = enter(&kept, "slow");
    kept.remember(&slow, said(&["a"]), "m".into());
    let file = files(folder.path()).remove(0);
    fs::remove_file(&file).expect("it is there");
    let mode = rustix::fs::Mode::RWXU;
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &file, kind, mode, 0).expect("a pipe is made");
    let is_known = || {
        let state = kept.state.try_lock();
        let turns = state.map(|state| state.cache.conversation(&slow.id).map(|known| known.turns));
        turns.is_ok_and(|turns| turns == Some(2))
    };
    let (was_known, line) = std::thread::scope(|scope| {
        scope.spawn(|| kept.remember(&slow, said(&["a", "b"]), "m".into()));
        let until = clock::now() + Duration::from_secs(10);
        while !is_known() && clock::now() < until {
            std::thread::yield_now();
        }
        let was_known = is_known();
        if was_known {
            drop(enter(&kept, "other"));
        }
        (was_known, fs::read_to_string(&file))
    });
    assert!(was_known, "the turn is known before its file is written");
    let line = line.expect("the pipe is read");
    assert!(line.contains("\"b\"") && !line.contains("\"a\""), "{line}");
}

#[test]
fn what_was_forgotten_meanwhile_is_not_written_and_what_is_known_again_is_not_removed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = kept(folder.path());
    let turn_lock = enter(&kept, "a");
    let late = page_after(None, said(&["a"]), "m".into());
    kept.write(&turn_lock.id, None, &late);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    kept.remember(&turn_lock, said(&["a"]), "m".into());
    kept.clear([&turn_lock.id]);
    assert_eq!(files(folder.path()).len(), 1);
    kept.state().cache.forget(&turn_lock.id);
    kept.clear([&turn_lock.id]);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_conversation_that_was_ended_while_its_turn_was_told_is_not_remembered() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = kept(folder.path());
    let turn_lock = enter(&kept, "a");
    assert!(kept.state().queue.end(&turn_lock.id));
    kept.remember(&turn_lock, said(&["a"]), "m".into());
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}
