//! What there is to see, and the picture of it in each look.
//!
//! Start reading at `picture.rs`.

mod banner;
mod block;
mod busy;
mod entry;
mod picture;

pub(crate) use block::Block;
pub(crate) use busy::Busy;
pub(crate) use busy::past_verb;
pub(crate) use picture::Scene;
