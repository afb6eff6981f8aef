//! `man`: the manual's pages, made of the same words as `--help`.

use crate::cli::args::Man;
use crate::cli::args::examples;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use anyhow::Context;

/// Prints the first page, or writes all of them into a folder.
pub(crate) fn man(args: &Man) -> anyhow::Result<CommandOutcome> {
    let command = examples::command();
    let Some(folder) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        out::text(&String::from_utf8_lossy(&page))?;
        return Ok(CommandOutcome::Done);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .with_context(|| format!("{} cannot be written", folder.display()))?;
    Ok(CommandOutcome::Done)
}
