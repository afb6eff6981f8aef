//! `explain`: what a code of the error contract means, and what to do.

use crate::cli::args::Explain;
use crate::cli::misuse::Misuse;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::story;
use crate::config::Env;
use crate::wire::contract;
use crate::wire::contract::CONTRACT;
use crate::wire::contract::Ending;
use crate::wire::contract::Row;
use serde_json::Value;
use serde_json::json;
use thiserror::Error;

/// A code that there is not.
#[derive(Debug, Error)]
#[error("there is no code \"{code}\"{}", hint(*nearest))]
pub(crate) struct NoSuchCode {
    code: String,
    nearest: Option<&'static str>,
}

pub(crate) fn explain(args: &Explain, env: &Env) -> anyhow::Result<CommandOutcome> {
    if let (Some("call"), Some(id)) = (args.code.as_deref(), &args.request) {
        return story::call(id, args, env);
    }
    match (args.code.as_deref(), &args.request) {
        (Some("call"), None) => {
            let told = "explain call takes the call's request-id: `inference-relay explain call req_…`; \
                        `inference-relay usage --calls` lists the ids";
            return Err(Misuse(told.to_owned()).into());
        }
        (Some(code), Some(id)) => {
            let told = format!(
                "\"{id}\" is one word too many behind \"{code}\"; a call is explained by `explain call {id}`"
            );
            return Err(Misuse(told).into());
        }
        (_, _) => {}
    }
    match &args.code {
        None if args.markdown => out::text(&contract::page())?,
        None if args.json => out::json(&CONTRACT.iter().map(machine).collect())?,
        None => out::text(&list())?,
        Some(code) => {
            let row = find(code)?;
            if args.json {
                out::json(&machine(row))?;
            } else {
                out::text(&plain(row))?;
            }
        }
    }
    Ok(CommandOutcome::Done)
}

/// Takes a code as it stands in a header line, too.
fn find(code: &str) -> Result<&'static Row, NoSuchCode> {
    let word = code.trim().trim_start_matches("x-relay-error:").trim();
    let word = word.to_ascii_lowercase().replace('-', "_");
    contract::find(&word).ok_or_else(|| NoSuchCode {
        code: code.to_owned(),
        nearest: nearest(&word),
    })
}

pub(super) fn nearest(code: &str) -> Option<&'static str> {
    let likeness = |row: &Row| strsim::jaro_winkler(code, row.code);
    let nearest = CONTRACT
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest
        .filter(|row| likeness(row) >= LIKE)
        .map(|row| row.code)
}

pub(super) fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(code) => format!("; did you mean \"{code}\"?"),
        None => "; `inference-relay explain` lists all codes".to_owned(),
    }
}

fn list() -> String {
    let width = CONTRACT.iter().map(|row| row.code.len()).max();
    let width = width.unwrap_or(0);
    let line = |row: &Row| {
        let (code, status, culprit) = (row.code, row.status(), row.culprit());
        format!(
            "{code:width$}  {status:14}  {culprit:8}  {}\n",
            row.happened
        )
    };
    CONTRACT.iter().map(line).collect()
}

pub(super) fn plain(row: &Row) -> String {
    let [anthropic, openai] = row.types();
    format!(
        "{}\n\n  what happened  {}\n  whose fault    {}\n  next step      {}\n  status         {}\n  \
         try again      {}\n  type           {anthropic} (Anthropic), {openai} (OpenAI)\n",
        row.code,
        row.happened,
        row.culprit(),
        row.next,
        row.status(),
        row.again().replace('`', ""),
    )
}

pub(super) fn machine(row: &Row) -> Value {
    let (status, exit, [anthropic, openai]) = match row.ending {
        Ending::Http(http) => (Some(http.status), None, row.types().map(Some)),
        Ending::Upstream => (None, None, [None; 2]),
        Ending::Exit(code) => (None, Some(code), [None; 2]),
    };
    json!({
        "code": row.code,
        "status": status,
        "exit": exit,
        "blame": row.culprit().to_ascii_lowercase(),
        "anthropic_type": anthropic,
        "openai_type": openai,
        "retry_helps": row.retry.helps(),
        "retry_after": row.retry.is_timed(),
        "happened": row.happened,
        "next": row.next,
    })
}

/// Below this two words have little in common.
const LIKE: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_mistyped_code_is_told_the_nearest_one() {
        let told = |code| {
            find(code)
                .map(|row| row.code)
                .map_err(|error| error.to_string())
        };
        assert_eq!(told("x-relay-error: Queue-Full"), Ok("queue_full"));
        assert_eq!(
            told("qeue_full"),
            Err("there is no code \"qeue_full\"; did you mean \"queue_full\"?".to_owned())
        );
        assert_eq!(
            told("weather"),
            Err(
                "there is no code \"weather\"; `inference-relay explain` lists all codes"
                    .to_owned()
            )
        );
    }
}
