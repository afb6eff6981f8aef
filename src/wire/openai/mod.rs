//! The OpenAI dialect. So far its failures: no route of it is served yet, and a caller of one is told so in it.

pub(crate) mod error;
