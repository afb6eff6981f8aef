//! What a Codex CLI and the relay say to each other in every case that matters to us.
//!
//! The relay's own lane is run on it, in a throwaway home, against an API that the recorder plays. A talk is what both
//! said, without what differs from run to run; it is kept, and compared.

pub(crate) mod case;
pub(crate) mod golden;
pub(crate) mod play;
pub(crate) mod talk;

mod answer;
mod upstream;
