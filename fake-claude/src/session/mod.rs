//! The life of the process on its terminal: keys and news in, pictures and turns out.
//!
//! One thread owns it; turns run on others and tell it news. Start reading at `life.rs`, the loop.

mod keyboard;
mod life;
mod local;
mod question;
mod report;
mod start;
mod submission;
mod switch;

pub(crate) use life::Session;
pub(crate) use start::Exit;
pub(crate) use start::Start;
pub(crate) use switch::CLEAR_NOTE;
pub(crate) use switch::NEW_CAVEAT;
pub(crate) use switch::OLD_CAVEAT;
