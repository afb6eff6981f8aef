//! `breaker list` and `breaker reset`: asked of the running daemon, which alone knows.

use crate::cli::args::BreakerCommand;
use crate::cli::args::Query;
use crate::cli::client::Client;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::running;
use crate::config::Env;
use serde_json::Value;
use serde_json::json;

pub(crate) async fn breaker(command: &BreakerCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    match command {
        BreakerCommand::List(query) => {
            let told = client(query, env)?.page("/v1/breakers").await?;
            match query.json {
                true => out::json(&told)?,
                false => out::text(&table(&told))?,
            }
        }
        BreakerCommand::Reset { key, query } => {
            let key = key.as_ref().map(|key| format!("?key={key}"));
            let path = format!("/v1/breakers/reset{}", key.unwrap_or_default());
            let client = client(query, env)?;
            let answer = client.post(&path, &json!({})).await?;
            let told = client.whole(answer).await?;
            let told_words = told.body["error"]["message"].as_str().unwrap_or_default();
            if !told.status.is_success() {
                out::note(told_words);
                return Ok(CommandOutcome::Failed);
            }
            match query.json {
                true => out::json(&told.body)?,
                false => out::line(&format!("reset: {}", told.body["reset"]))?,
            }
        }
    }
    Ok(CommandOutcome::Done)
}

fn client(query: &Query, env: &Env) -> anyhow::Result<Client> {
    let config = running::config(&query.place, env)?;
    Ok(Client::new(&config, env))
}

fn table(told: &Value) -> String {
    let rows = told["breakers"].as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        return "nothing rests: every host and every host key may be used\n".to_owned();
    }
    let line = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let keys = row["keys"].as_array().into_iter().flatten();
        let keys: Vec<&str> = keys.filter_map(Value::as_str).collect();
        let wait = row["probe_in_s"].as_u64().map(|wait| format!("{wait} s"));
        format!(
            "{:16} {:20} {:24} {:10} {:12} {}\n",
            text("host"),
            if keys.is_empty() {
                "the host".to_owned()
            } else {
                keys.join(",")
            },
            text("model"),
            text("state"),
            text("class"),
            wait.unwrap_or_default()
        )
    };
    let head = format!(
        "{:16} {:20} {:24} {:10} {:12} {}\n",
        "HOST", "KEY", "MODEL", "STATE", "CLASS", "NEXT PROBE"
    );
    head + &rows.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_is_told_with_its_reason_and_its_end() {
        let told = json!({"breakers": [{"host": "one", "keys": ["a"], "model": "m", "state": "open",
            "class": "auth", "probe_in_s": 60}]});
        let table = table(&told);
        assert!(
            table
                .lines()
                .nth(1)
                .is_some_and(|line| line.contains("auth") && line.ends_with("60 s")),
            "{table}"
        );
        assert!(super::table(&json!({"breakers": []})).starts_with("nothing rests"));
    }
}
