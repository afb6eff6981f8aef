//! A scriptable stand-in for HTTP hosts of models: Anthropic's Messages, OpenAI's Chat Completions and Responses.
//!
//! One imitation serves two: the program `fake-host`, which answers by a script, and tests, which answer by a rule of
//! their own. It shares no code with the relay. Start reading at `answer` (what is said), then `messages`, `chat` and
//! `responses` (how each API says it), `said` (how it comes over the wire, well or badly) and `player` (the script).

mod answer;
mod api;
mod asked;
mod chat;
mod messages;
mod player;
mod responses;
mod said;
mod script;
mod server;

pub use answer::Answer;
pub use answer::Counts;
pub use answer::Part;
pub use answer::Stop;
pub use api::Api;
pub use api::event;
pub use asked::Asked;
pub use player::Player;
pub use said::Said;
pub use script::Script;
pub use server::Host;
