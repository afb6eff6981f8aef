//! What the relay and an app-server say to each other, line by line, for whoever records it.

use crate::sync::lock;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
#[cfg(feature = "recorder")]
use tokio::sync::Notify;

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Relay,
    Cli,
}

/// A talk that is kept; cheap to clone. Only a recorder has one: it holds texts of calls.
#[derive(Clone, Default)]
pub(crate) struct Talk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<(Speaker, Value)>>,
    #[cfg(feature = "recorder")]
    changed: Notify,
}

impl Talk {
    /// Keeps a line. One that is no JSON is not a part of the talk.
    pub(super) fn keep(&self, speaker: Speaker, line: &[u8]) {
        let Ok(line) = serde_json::from_slice(line) else {
            return;
        };
        let mut lines = lock(&self.0.lines);
        if lines.len() < LINES_MAX {
            lines.push((speaker, line));
        }
        #[cfg(feature = "recorder")]
        self.0.changed.notify_one();
    }

    /// What `find` finds in the lines so far, as soon as it finds something. One waits at a time.
    #[cfg(feature = "recorder")]
    pub(crate) async fn until<T>(&self, find: impl Fn(&[(Speaker, Value)]) -> Option<T>) -> T {
        loop {
            let found = {
                let lines = lock(&self.0.lines);
                find(&lines)
            };
            match found {
                Some(found) => return found,
                None => self.0.changed.notified().await,
            }
        }
    }
}

impl fmt::Debug for Talk {
    /// No text of a call is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Talk")
    }
}

/// Lines that are kept; a recording of every case has a thousand.
const LINES_MAX: usize = 65_536;
