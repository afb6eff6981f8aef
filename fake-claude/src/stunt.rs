//! What a script does to the process itself, whatever it shows.

use std::sync::Mutex;

use crate::reply::Stunt;
use crate::script::Crash;
use crate::session::Exit;
use crate::world::lock;

/// Does it; `paint` writes raw bytes. An exit is the caller's to make; freezing and asking are the screen's.
pub(crate) fn perform(stunt: Stunt, paint: &mut dyn FnMut(&str)) -> Option<Exit> {
    match stunt {
        Stunt::Freeze | Stunt::Ask(..) => None,
        Stunt::Paint(text) => {
            paint(&text);
            None
        }
        Stunt::Grow(megabytes) => {
            let more = vec![1; megabytes.saturating_mul(MEGABYTE)];
            lock(&HELD).push(more);
            None
        }
        Stunt::Exit(code) => Some(Exit { code, words: None }),
        Stunt::Unexpected(words) => Some(Exit {
            code: UNEXPECTED,
            words: Some(words),
        }),
        Stunt::Crash(Crash::Abort) => std::process::abort(),
        Stunt::Crash(Crash::Kill) => {
            let (own, kill) = (rustix::process::getpid(), rustix::process::Signal::KILL);
            let _ = rustix::process::kill_process(own, kill);
            None
        }
    }
}

/// What was grown and is kept.
static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
const MEGABYTE: usize = 1 << 20;
/// The exit code of a prompt that the script does not expect.
const UNEXPECTED: u8 = 3;
