//! `route`: where a call of a model would go, and why nowhere else; asked of the running daemon, which alone knows.

use crate::cli::args::RouteArgs;
use crate::cli::client::Client;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::running;
use crate::clock;
use crate::config::Config;
use crate::config::Env;
use crate::store::Key;
use crate::store::KeyFile;
use crate::store::KeyState;
use anyhow::Context;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use serde_json::Value;

pub(crate) async fn route(args: &RouteArgs, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = running::config(&args.query.place, env)?;
    let mut path = format!("/v1/route?model={}", encoded(&args.model));
    let key = args
        .key
        .as_ref()
        .map(|name| key(&config, name))
        .transpose()?;
    let policy = match &key {
        Some(key) => {
            let default = config.auth.default_policy.as_deref();
            key.policy.as_deref().or(default).map(str::to_owned)
        }
        None => args.policy.clone(),
    };
    let key_id = key.as_ref().map(|key| key.id.0.clone());
    for (name, value) in [
        ("policy", &policy),
        ("lane", &args.lane),
        ("dialect", &args.dialect),
        ("key_id", &key_id),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let mut told = Client::new(&config, env).page(&path).await?;
    if let Some(state) = key.map(|key| key.state(clock::unix_ms())) {
        told["key"] = serde_json::json!({ "name": args.key, "state": state.name() });
        if state != KeyState::Active {
            told["served"] = false.into();
        }
    }
    match args.query.json {
        true => out::json(&told)?,
        false => out::text(&plain(&told))?,
    }
    Ok(match told["served"] == true {
        true => CommandOutcome::Done,
        false => CommandOutcome::Failed,
    })
}

/// The key of this name or id.
fn key(config: &Config, name: &str) -> anyhow::Result<Key> {
    let keys = KeyFile::of(&config.home).read()?.unwrap_or_default();
    let mut all = keys.all().iter();
    let found = all.find(|key| key.name == name || key.id.0 == name);
    found.cloned().with_context(|| {
        format!(
            "no key has the name or id \"{name}\"; `inference-relay key list` shows those that there are"
        )
    })
}

fn plain(told: &Value) -> String {
    let mut text = key_line(&told["key"]);
    text.push_str(&head(told));
    for candidate in told["candidates"].as_array().into_iter().flatten() {
        candidate_lines(candidate, &mut text);
    }
    for limit in told["limits"].as_array().into_iter().flatten() {
        text.push_str(&limit_line(limit));
    }
    text
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

/// Empty of a key that lets in.
fn key_line(key: &Value) -> String {
    match key["state"].as_str() {
        None | Some("active") => String::new(),
        Some(state) => format!(
            "the key {} is {state}: every call of it gets 401; `inference-relay key enable` or `key rotate` mends it\n",
            word(&key["name"])
        ),
    }
}

/// Whether the call would be served, and what to do where it would not.
fn head(told: &Value) -> String {
    let head = match told["served"] == true {
        true => "would be served".to_owned(),
        false if told["refusal"].is_null() => "would be refused".to_owned(),
        false => format!(
            "would be refused: {} {}",
            told["refusal"]["status"],
            word(&told["refusal"]["code"])
        ),
    };
    let (asked, policy) = (word(&told["asked"]), word(&told["policy"]));
    let mut text = format!("{asked} (policy {policy}) {head}\n");
    if !told["refusal"].is_null() {
        text.push_str(&format!(
            "  {}\n  next: {}\n",
            word(&told["refusal"]["message"]),
            word(&told["refusal"]["next"])
        ));
        if let Some(wait) = told["refusal"]["retry_after_s"].as_f64() {
            text.push_str(&format!("  heals by itself in {wait} s\n"));
        }
    }
    text
}

fn limit_line(limit: &Value) -> String {
    let amount = |value: &Value| match limit["what"] == "budget" {
        true => crate::catalog::Nanos(value.as_u64().unwrap_or(0)).to_string(),
        false => value.as_u64().map_or("?".to_owned(), |n| n.to_string()),
    };
    let refuses = limit["refuses"].as_str();
    let refuses = refuses.map(|code| format!("; refuses: {code}"));
    let wait = limit["wait_s"].as_f64();
    let wait = wait.map(|wait| format!(", for {wait} s"));
    format!(
        "{} of {} {}: {} left of {}, a call reserves {}{}{}\n",
        word(&limit["what"]),
        word(&limit["subject"]),
        word(&limit["id"]),
        amount(&limit["left"]),
        amount(&limit["max"]),
        amount(&limit["needs"]),
        refuses.unwrap_or_default(),
        wait.unwrap_or_default(),
    )
}

fn candidate_lines(candidate: &Value, text: &mut String) {
    let step = candidate["step"]
        .as_u64()
        .map_or("-".to_owned(), |step| step.to_string());
    let form = match (candidate["adapter"].as_str(), candidate["passes"] == true) {
        (None, _) => String::new(),
        (Some(adapter), true) => format!(", {adapter}, bytes pass"),
        (Some(adapter), false) => format!(", {adapter}, written anew"),
    };
    let binding = candidate["binding"]
        .as_str()
        .map(|name| format!("  binding {name}{form}"));
    text.push_str(&format!(
        "{step:>3}  {}{}\n",
        word(&candidate["lane"]),
        binding.unwrap_or_default()
    ));
    reason_lines(&candidate["reason"], "       ", text);
    for key in candidate["keys"].as_array().into_iter().flatten() {
        let state = if key["usable"] == true {
            "may be used"
        } else {
            "skipped"
        };
        text.push_str(&format!("       key {}: {state}\n", word(&key["name"])));
        reason_lines(&key["reason"], "         ", text);
    }
}

fn reason_lines(reason: &Value, indent: &str, text: &mut String) {
    let Some(code) = reason["code"].as_str() else {
        return;
    };
    let wait = reason["wait_s"]
        .as_f64()
        .map(|wait| format!(", for {wait} s"));
    let (why, next) = (&reason["why"], &reason["next"]);
    text.push_str(&format!(
        "{indent}{code}: {}{}\n{indent}next: {}\n",
        why.as_str().unwrap_or_default(),
        wait.unwrap_or_default(),
        next.as_str().unwrap_or_default()
    ));
}

/// A value as a query takes it.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, &QUERY).to_string()
}

/// What stands for something in a query.
const QUERY: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_skipped_is_told_with_its_reason_and_the_next_step() {
        let told = json!({"asked": "m", "policy": "team", "served": false,
            "refusal": {"code": "no_healthy_keys", "status": 503, "message": "No key.", "next": "Wait."},
            "candidates": [{"lane": "http:one", "binding": "b", "adapter": "anthropic", "passes": true, "step": 1,
                "keys": [{"name": "a", "usable": false,
                    "reason": {"code": "breaker_open", "why": "a rests after auth", "next": "Reset it.", "wait_s": 60.0}}]}],
            "limits": [{"what": "budget", "subject": "policy", "id": "team", "max": 2_500_000_000_u64,
                "left": 500_000_000, "needs": 600_000_000, "refuses": "budget_exceeded", "wait_s": 9.0}]});
        let text = plain(&told);
        for line in [
            "m (policy team) would be refused: 503 no_healthy_keys",
            "  1  http:one  binding b, anthropic, bytes pass",
            "         breaker_open: a rests after auth, for 60 s",
            "budget of policy team: 0.5 left of 2.5, a call reserves 0.6; refuses: budget_exceeded, for 9 s",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_value_is_one_value_of_a_query() {
        assert_eq!(encoded("a b&c=é"), "a%20b%26c%3D%C3%A9");
    }
}
