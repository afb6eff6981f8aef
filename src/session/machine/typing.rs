//! Keys for the prompt box, and the Enter behind them. `[pure]`

use super::super::task::Enter;
use super::Machine;
use super::effect::Effect;
use crate::terminal::keys;

/// When an Enter is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    /// It was among the keys.
    Included,
    /// When the prompt box shows the text.
    WhenTyped,
}

impl Machine {
    /// Types a text. The Enter at its end is kept back where it would be lost; one that comes from the editor has none.
    pub(super) fn type_in(&mut self, mut keys: Vec<u8>) -> Confirm {
        let text = keys.strip_suffix(keys::ENTER).map(<[u8]>::len);
        let confirm = match (self.enter, text) {
            (Enter::Taken, Some(_)) => Confirm::Included,
            (Enter::Lost, Some(_)) | (_, None) => Confirm::WhenTyped,
        };
        if confirm == Confirm::WhenTyped {
            keys.truncate(text.unwrap_or(keys.len()));
        }
        self.write(keys);
        confirm
    }

    pub(super) fn write(&mut self, keys: Vec<u8>) {
        self.drew = false;
        self.effects.push_back(Effect::Write(keys));
    }
}
