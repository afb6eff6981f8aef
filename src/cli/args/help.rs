//! `help`, asked for its own help: `help --help` says what `help` says. `[pure]`

use clap::Command;
use std::ffi::OsString;

/// The words of a command line, without an option that asks `help` for help.
pub(crate) fn without_repeated(command: &Command, mut words: Vec<OsString>) -> Vec<OsString> {
    if let Some(help) = place(command, &words) {
        let behind = words.split_off(help + 1);
        let is_option = |word: &OsString| word == "--help" || word == "-h";
        words.extend(behind.into_iter().filter(|word| !is_option(word)));
    }
    words
}

/// Where the command `help` stands, behind the commands that it is asked of.
fn place(command: &Command, words: &[OsString]) -> Option<usize> {
    let mut command = command;
    for (place, word) in words.iter().enumerate().skip(1) {
        if word == "help" && command.has_subcommands() {
            return Some(place);
        }
        command = command.find_subcommand(word)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::examples;

    #[test]
    fn help_of_help_is_help_and_other_words_stay() {
        for (said, meant) in [
            ("relay help --help", "relay help"),
            ("relay help -h", "relay help"),
            ("relay help ask --help", "relay help ask"),
            ("relay key help create -h", "relay key help create"),
            ("relay ask help --help", "relay ask help --help"),
            ("relay --help", "relay --help"),
            ("relay", "relay"),
        ] {
            let words = said.split(' ').map(OsString::from).collect();
            let words = without_repeated(&examples::command(), words);
            assert_eq!(words.join(" ".as_ref()), meant);
        }
    }
}
