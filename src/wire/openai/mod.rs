//! The OpenAI dialects: Chat Completions, Responses, and the older Completions.
//!
//! **What for.** [`chat`] and [`responses`] each read a request into the inner language and write an answer out of it;
//! [`error`] writes failures. What both share stands beside them: [`talk`] puts a conversation together as the inner
//! language wants it, [`part`] reads pictures and files, [`tool`] offers tools and tells their calls back, [`form`],
//! [`effort`] and [`usage`] translate the shape of an answer, the wish for thought, and what it cost.
//!
//! **Never.** It does not decide what a lane can do: what no lane honours is read, checked, and named in
//! `Request.ignored`; what reaches the model in another way is named in `Request.emulated`.
//!
//! **Invariants.** Every refusal names the path of the field. A call's id that fits passes byte for byte; one that does
//! not has the same replacement on the call and on its result.
//!
//! Start reading at [`chat`].

pub(crate) mod error;

pub(crate) mod model;

pub(crate) mod file;

pub(crate) mod capability;

pub(crate) mod page;

pub(crate) mod conversation;

mod asked;
mod effort;
mod foreign;
mod form;
mod id;
mod incoming;
mod label;
mod mark;
mod part;
mod stop;
mod talk;
mod tool;
mod unwrap;
mod usage;

pub(crate) mod chat;

pub(crate) mod responses;

pub(crate) mod completion;
