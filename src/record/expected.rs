//! The expected side of a golden: what we read in a recording, and what a version is worth. `[pure]`

use super::reading;
use super::take::Checkpoint;
use super::take::checkpoints;
use crate::session::Assessment;
use crate::terminal::recording::Recording;

/// One line a checkpoint: its name and the scene there.
pub(crate) fn reading(recording: &Recording) -> String {
    let points = checkpoints(recording, |_| Vec::new());
    points.iter().map(line).collect()
}

fn line(point: &Checkpoint) -> String {
    format!("{}: {}\n", point.name, reading::words(&point.scene))
}

/// A version's line in the list, as `record` writes it.
pub(crate) fn version(name: &str, assessment: &Assessment) -> String {
    let (support, habits) = (assessment.support.to_string(), assessment.habits.words());
    format!("{name:?} = {{ support = {support:?}, habits = {habits:?} }}\n")
}
