//! What we read in a recording: the expected side of a golden. `[pure]`

use super::take::Checkpoint;
use super::take::checkpoints;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::terminal::recording::Recording;

/// One line a checkpoint: its name and the scene there.
pub(crate) fn of(recording: &Recording) -> String {
    let points = checkpoints(recording, |_| Vec::new());
    points.iter().map(line).collect()
}

fn line(point: &Checkpoint) -> String {
    format!("{}: {}\n", point.name, words(&point.scene))
}

/// A scene in words.
pub(crate) fn words(scene: &Scene) -> String {
    match scene {
        Scene::Unknown => "unknown".to_owned(),
        Scene::Login => "login".to_owned(),
        Scene::Trust { steps } => format!("trust question, yes is {steps} steps away"),
        Scene::Dialog { title } => format!("dialog {title:?}"),
        Scene::Prompt(Prompt {
            empty,
            busy,
            logged_out,
        }) => {
            let word = |is: bool, word: &'static str| if is { word } else { "" };
            format!(
                "prompt box, {}{}{}",
                if *empty { "empty" } else { "filled" },
                word(*busy, ", busy"),
                word(*logged_out, ", logged out"),
            )
        }
    }
}
