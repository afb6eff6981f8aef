//! The relay's inner language: one request, the events of its answer, its end, or its fault.
//!
//! **What for.** Dialects (of Anthropic and of OpenAI) and lanes (a live claude, HTTP hosts, Codex)
//! meet here and nowhere else: a dialect turns bytes into a [`Request`] and [`Event`]s into bytes, a lane turns
//! a [`Request`] into [`Event`]s. Neither knows the other.
//!
//! **Never.** No I/O, no clock, no async, no status codes, no field names of a dialect.
//!
//! **Invariants.** An answer is `Start`, then blocks (`BlockStart`, `Delta`s, `BlockStop`, with rising indexes
//! from 0), then exactly one `End`; or a [`Fault`] at any point, after which nothing follows.
//! [`AnswerGrammar`] checks that, and [`AnswerBuilder`], which holds all of it within a bound, is what a buffered answer is made of.
//!
//! Start reading at [`request`].

mod answer_block;
mod answer_builder;
mod answer_grammar;
mod answer_size;
mod block;
mod conversation;
mod end;
mod event;
mod fault;
mod fingerprint;
mod id;
pub(crate) mod json;
mod label;
mod model;
mod number;
mod place;
mod request;
mod timeline;
mod tool;
mod usage;

pub(crate) use answer_block::AnswerBlock;
pub(crate) use answer_builder::AnswerBuilder;
pub(crate) use answer_builder::CompleteAnswer;
pub(crate) use answer_builder::Unbuilt;
pub(crate) use answer_grammar::AnswerGrammar;
pub(crate) use answer_size::ANSWER_BYTES_MAX;
pub(crate) use answer_size::AnswerSize;
pub(crate) use block::Block;
pub(crate) use conversation::ConversationId;
pub(crate) use conversation::Joined;
pub(crate) use conversation::Owner;
pub(crate) use end::End;
pub(crate) use end::StopReason;
pub(crate) use event::BlockKind;
pub(crate) use event::Delta;
pub(crate) use event::Event;
pub(crate) use event::Start;
pub(crate) use fault::Blame;
pub(crate) use fault::Fault;
pub(crate) use fault::FaultKind;
pub(crate) use fault::Remedy;
pub(crate) use fault::as_sentence;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use id::KeyId;
pub(crate) use id::LaneId;
pub(crate) use id::MessageId;
pub(crate) use id::RequestId;
pub(crate) use label::Attempt;
pub(crate) use label::Labels;
pub(crate) use label::SessionOrigin;
pub(crate) use model::answer_tokens_max;
pub(crate) use number::holds_changed;
pub(crate) use number::may_be_rounded;
pub(crate) use place::BlockPlace;
pub(crate) use place::PlacedMessage;
pub(crate) use place::Places;
pub(crate) use request::Mark;
pub(crate) use request::Marked;
pub(crate) use request::Message;
pub(crate) use request::Reading;
pub(crate) use request::Request;
pub(crate) use request::Role;
pub(crate) use request::Sampling;
pub(crate) use timeline::Notes;
pub(crate) use timeline::Timeline;
pub(crate) use timeline::Try;
pub(crate) use tool::Tool;
pub(crate) use tool::ToolChoice;
pub(crate) use tool::ToolRule;
pub(crate) use usage::TOKENS_MAX;
pub(crate) use usage::Usage;
pub(crate) use usage::token_count;
