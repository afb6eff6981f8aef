//! `capabilities`: what becomes of each field of a request.

use crate::cli::args::Capabilities;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::wire::capability;

/// Prints the table; no daemon is asked.
pub(crate) fn capabilities(args: &Capabilities) -> anyhow::Result<CommandOutcome> {
    match args.json {
        true => out::json(&capability::document())?,
        false => out::text(&capability::page())?,
    }
    Ok(CommandOutcome::Done)
}
