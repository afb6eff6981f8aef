//! What we read on a screen, in words. `[pure]`

use crate::terminal::Prompt;
use crate::terminal::Scene;

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
