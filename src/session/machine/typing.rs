//! Keys for the prompt box, and the Enter behind them. `[pure]`

use super::super::turn_spec::Enter;
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
        if self.enter == Enter::Lost && keys.ends_with(keys::ENTER) {
            keys.truncate(keys.len() - keys::ENTER.len());
        }
        let confirm = match keys.ends_with(keys::ENTER) {
            true => Confirm::Included,
            false => Confirm::WhenTyped,
        };
        self.write(keys);
        confirm
    }

    pub(super) fn write(&mut self, keys: Vec<u8>) {
        self.drew = false;
        self.effects.push_back(Effect::Write(keys));
    }
}
