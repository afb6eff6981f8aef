//! `config show` and `config path`.

use crate::cli::args::Query;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::config::Shown;
use serde_json::Value;
use serde_json::json;

/// Prints every value in force: as TOML with the sources as comments, or as JSON.
pub(crate) fn show(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = config::load(&args.place.flags(), env)?;
    if args.json {
        out::json(&machine(&config))?;
        return Ok(CommandOutcome::Done);
    }
    let width = config
        .shown
        .iter()
        .map(|row| assignment(row).chars().count())
        .filter(|width| *width <= WIDTH_MAX)
        .max();
    let mut text = format!("# file: {} ({})\n", config.file.display(), found(&config));
    for row in &config.shown {
        let note = row.note.map(|note| format!(", {note}")).unwrap_or_default();
        text.push_str(&format!(
            "{:width$}  # {}{note}\n",
            assignment(row),
            row.source,
            width = width.unwrap_or(0)
        ));
    }
    let license = if config.license_key.is_some() {
        "set, not shown"
    } else {
        "not set"
    };
    text.push_str(&format!("# licence key: {license}\n"));
    for warning in &config.warnings {
        text.push_str(&format!("# warning: {warning}\n"));
    }
    out::text(&text)?;
    Ok(CommandOutcome::Done)
}

/// Prints the file that is read, or would be.
pub(crate) fn path(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let path = config::file_path(&args.place.flags(), env)?;
    if args.json {
        out::json(&json!({ "path": path.display().to_string(), "found": path.is_file() }))?;
    } else {
        out::line(&path.display().to_string())?;
    }
    Ok(CommandOutcome::Done)
}

fn machine(config: &Config) -> Value {
    let row = |row: &Shown| {
        json!({
            "key": row.key, "value": row.value,
            "source": row.source.kind(), "where": row.source.to_string(), "note": row.note,
        })
    };
    json!({
        "file": { "path": config.file.display().to_string(), "found": config.file_found },
        "values": config.shown.iter().map(row).collect::<Vec<_>>(),
        "license_key_set": config.license_key.is_some(),
        "warnings": config.warnings,
    })
}

/// A row as TOML; what is not a key of the file, or is not set, as a comment.
fn assignment(row: &Shown) -> String {
    match (&row.value, row.key.as_str()) {
        (Value::Null, key) => format!("# {key}: not set"),
        (value, "home") => format!("# home: {}", value.as_str().unwrap_or_default()),
        (value, key) => format!("{key} = {value}"),
    }
}

fn found(config: &Config) -> &'static str {
    if config.file_found {
        "read"
    } else {
        "not there; every key has its default"
    }
}

/// Columns past which a long value no longer pushes the comments of the others to the right.
const WIDTH_MAX: usize = 60;
