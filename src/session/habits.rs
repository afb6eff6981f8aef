//! What a version of the CLI was seen to do where versions differ. `[pure]`
//!
//! Nothing here is known by a version's number: a version that was recorded or tried out showed it, and of any other the
//! least is taken for granted.

use std::fmt;

/// The habits of one version; what was not seen is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    /// It tells what it displays.
    pub(crate) displays: bool,
    /// What runs at the start of a session holds a turn that it takes up back, until its tools are in.
    pub(crate) gates: bool,
    /// It takes an Enter that it reads together with a pasted prompt. Else the prompt stands in its box until the Enter
    /// is pressed again.
    pub(crate) takes_enter: bool,
    /// A tool that is described in other words is told to the model in those. Else a process keeps what it heard first
    /// of a tool by its name and schema, for as long as it lives.
    pub(crate) redefines: bool,
}

impl Habits {
    /// The habits that these words name; a word that is none is left out.
    pub(crate) fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> Habits {
        let mut habits = Habits::default();
        for word in words {
            match word {
                DISPLAYS => habits.displays = true,
                GATES => habits.gates = true,
                TAKES_ENTER => habits.takes_enter = true,
                REDEFINES => habits.redefines = true,
                _ => {}
            }
        }
        habits
    }

    pub(crate) fn words(self) -> Vec<&'static str> {
        let words = [
            (DISPLAYS, self.displays),
            (GATES, self.gates),
            (TAKES_ENTER, self.takes_enter),
            (REDEFINES, self.redefines),
        ];
        let seen = words.into_iter().filter(|(_, seen)| *seen);
        seen.map(|(word, _)| word).collect()
    }
}

impl fmt::Display for Habits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

const DISPLAYS: &str = "displays";
const GATES: &str = "gates";
const TAKES_ENTER: &str = "takes-enter";
const REDEFINES: &str = "redefines";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_read_as_they_are_written_and_nothing_is_taken_for_granted() {
        for number in 0..16 {
            let habits = Habits {
                displays: number & 1 > 0,
                gates: number & 2 > 0,
                takes_enter: number & 4 > 0,
                redefines: number & 8 > 0,
            };
            assert_eq!(Habits::read(habits.words()), habits);
        }
        assert_eq!(Habits::read(["no such habit"]), Habits::default());
    }
}
