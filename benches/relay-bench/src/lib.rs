//! Measures an inference-relay from outside: it starts the program, speaks HTTP to it, and looks at its process.
//!
//! **What for.** `inference-relay bench …` is this program: [`args`] says what there is, [`command`] measures and
//! prints, and [`load`] makes the calls. [`WholeCall`] is for `benches/call.rs`.
//!
//! **Never.** It shares no code with the relay, and knows nothing of it but its command line and its API: it measures
//! any build of it.
//!
//! Start reading at [`command`].

mod args;
mod clock;
mod command;
mod load;
mod out;
mod progress;
mod whole_call;

pub use command::main;
pub use whole_call::WholeCall;
