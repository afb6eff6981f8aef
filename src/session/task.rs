//! One turn as a session gets it: what to type, what must be seen submitted, what the answer begins with. `[pure]`

use crate::turn::Start;

/// One turn's orders.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) route: Route,
    /// The head of the answer, told before its first block.
    pub(crate) start: Start,
    /// Whether the CLI was given an API key, so that a refused credential is the key's and not a login's.
    pub(crate) keyed: bool,
    pub(crate) confirm: Confirm,
    /// The caller is gone: nothing more may reach the model.
    pub(crate) cancelled: bool,
}

/// How the prompt gets in.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// Into the prompt box of a waiting session, after the history was taken up, where there is one.
    Typed {
        resume: Option<String>,
        prompt: String,
        keys: Vec<u8>,
    },
    /// The session was launched with a transcript that ends with the prompt.
    Launched,
}

/// When the prompt's Enter is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// It is among the keys, or was pressed.
    Included,
    /// When the prompt box shows the text: it comes from the editor.
    WhenTyped,
}

impl Task {
    /// How many user messages the transcript gets by this turn itself.
    pub(crate) fn asks(&self) -> u32 {
        match self.route {
            Route::Typed { .. } => 1,
            Route::Launched => 0,
        }
    }

    /// Whether a submitted prompt is this one.
    pub(crate) fn accepts(&self, submitted: &str) -> bool {
        match &self.route {
            Route::Typed { prompt, .. } => !self.cancelled && prompt == submitted,
            Route::Launched => false,
        }
    }
}
