//! What is benchmarked: the parts that only think, one measure each.
//!
//! **What for.** A measure is a name, the bytes that one round of it moves, and the round; the benchmarks run it as
//! often as they like, and `benches/count.rs` has it counted.
//!
//! **Never.** It is in no build that anybody runs: only behind the feature `bench`.
//!
//! Start reading at [`measures`].

mod door;
mod pool;
mod terminal;
mod wire;

/// One thing to measure.
pub struct Measure {
    /// `room/part`.
    pub name: &'static str,
    /// Bytes that a round goes through; 0 where bytes are not what counts.
    pub bytes: u64,
    /// One round.
    pub round: Box<dyn FnMut()>,
}

/// All of them.
#[must_use]
pub fn measures() -> Vec<Measure> {
    let mut measures = terminal::measures();
    measures.extend(wire::measures());
    measures.extend(pool::measures());
    measures.extend(door::measures());
    measures
}

/// What the terminal of the recorded sessions got, piece by piece.
#[must_use]
pub fn recordings() -> Vec<Vec<String>> {
    terminal::recordings()
}
