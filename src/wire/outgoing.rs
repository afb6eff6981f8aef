//! A request of the inner language as a host gets it, whatever the host speaks.

use serde_json::Value;

/// A request in a host's dialect; its answer is to come as a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) body: Value,
    /// What the host gets in another way than it was written, by path.
    pub(crate) emulated: Vec<String>,
    /// What the host's dialect cannot say, by path.
    pub(crate) ignored: Vec<String>,
}
