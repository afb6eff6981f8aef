//! One claude in print mode and its life: the same CLI without a screen, JSON lines in and out.
//!
//! **What for.** A caller that asks for it gets a session that streams token by token and takes any content as native
//! blocks. To the pool it is a session like the others: the same orders, the same outcomes.
//!
//! **Never.** No text of a caller is a command. The CLI looks for one in the last text block of a message that comes
//! on its stdin, so every message ends in a text of nothing, which the model is not shown. A transcript whose last
//! message is to be answered ends in one too.
//!
//! **Invariants.** A process serves one conversation and then goes: its `/clear` would leave a mark in the next one.
//! No message goes in before the CLI has told that it has the call's tools. What the CLI does by itself after the
//! model's first message reaches nobody: the process is ended there.
//!
//! **How a conversation gets in.** The history as a transcript, which a waiting process reads from a pipe; the tools
//! by the control channel (`mcp_set_servers`), which answers once they are listed; the message on stdin. Results of
//! tool calls whose session is gone cannot come on stdin: they go in with the transcript, in a process that is
//! launched for it, finds its tools at its start, and reads the transcript only when it has them.
//!
//! Start reading at [`machine`]; [`mod@line`] reads what the CLI says, [`answer`] makes events of it, [`input`] is what it
//! is told.

pub(crate) mod answer;
pub(crate) mod input;
mod launcher;
pub(crate) mod line;
pub(crate) mod machine;
pub(crate) mod output;
pub(crate) mod spawn;
#[cfg(test)]
mod tests;
mod transport;
