//! Questions to a person, line by line: it works in every terminal and with every screen reader.

use crate::cli::args::Setup;
use crate::cli::out;
use anyhow::bail;
use std::io;
use std::io::IsTerminal;
use thiserror::Error;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A person at a terminal.
    Person,
    /// Nobody: every question has its default answer.
    Nobody,
}

/// Questions, and nobody who could answer them.
#[derive(Debug, Error)]
#[error(
    "setup asks questions, and there is no terminal to answer them in; `inference-relay setup --yes` answers yes to all of them, and `inference-relay doctor` looks without changing anything"
)]
pub(crate) struct NobodyToAsk;

impl Asker {
    pub(super) fn of(args: &Setup) -> Result<Self, NobodyToAsk> {
        if args.yes || args.query.json {
            return Ok(Self::Nobody);
        }
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if is_terminal {
            Ok(Self::Person)
        } else {
            Err(NobodyToAsk)
        }
    }

    /// Asks for a yes, which is the default.
    pub(super) fn agrees(self, question: &str) -> anyhow::Result<bool> {
        if self == Self::Nobody {
            return Ok(true);
        }
        loop {
            match line(&format!("   {question} [Y/n] "))?.as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => out::line("   Please answer y or n.")?,
            }
        }
    }

    /// Whether to try once more what went wrong.
    pub(super) fn tries_again(self) -> anyhow::Result<bool> {
        if self == Self::Nobody {
            return Ok(false);
        }
        let answer = line("   Press Enter to try again, or type s to skip this step: ")?;
        Ok(!answer.starts_with('s'))
    }

    /// Has one of several chosen; the first is the default.
    pub(super) fn choice(self, question: &str, count: usize) -> anyhow::Result<usize> {
        if self == Self::Nobody {
            return Ok(0);
        }
        loop {
            let answer = line(&format!("   {question} [1] "))?;
            let number = if answer.is_empty() {
                Ok(1)
            } else {
                answer.parse()
            };
            match number {
                Ok(number) if (1..=count).contains(&number) => return Ok(number - 1),
                Ok(_) | Err(_) => {
                    out::line(&format!("   Please type a number from 1 to {count}."))?
                }
            }
        }
    }
}

/// Asks, and reads one line in small letters.
fn line(question: &str) -> anyhow::Result<String> {
    out::text(question)?;
    let mut answer = String::new();
    if io::stdin().read_line(&mut answer)? == 0 {
        out::line("")?;
        bail!("stopped before the end; run `inference-relay setup` to go through it again");
    }
    Ok(answer.trim().to_lowercase())
}
