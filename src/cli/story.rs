//! `explain call`: one call's story, out of the store, or where that has it not, out of the recent calls.

use crate::calls::whole_story;
use crate::catalog::Nanos;
use crate::cli::args::Explain;
use crate::cli::explain;
use crate::cli::key::stamp;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::usage::Keys;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::store::StoreReader;
use crate::store::UsageFilter;
use crate::store::UsageRecord;
use crate::wire::contract;
use serde_json::Value;
use std::fs;
use thiserror::Error;

/// A call that nobody remembers.
#[derive(Debug, Error)]
#[error(
    "no call has the id \"{0}\" in the store or among the recent calls; the id is the `request-id` of its answer. A call \
     that still runs has no story yet, and one that has just ended has it within a second: ask again then"
)]
pub(crate) struct NoSuchCall(String);

pub(crate) fn call(id: &str, args: &Explain, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = config::load(&args.place.flags(), env)?;
    let kept = kept(id, &config)?;
    let Some(record) = kept else {
        let recent = recent(id, &config).ok_or_else(|| NoSuchCall(id.to_owned()))?;
        out::json(&recent)?;
        return Ok(CommandOutcome::Done);
    };
    let story = whole_story(&record.story);
    let row = contract::find(&record.code);
    if args.json {
        let mut told = record.json();
        told["story"] = story;
        told["error"] = row.map(explain::machine).into();
        out::json(&told)?;
    } else {
        let mut text = plain(&record, &story, &Keys::of(&config));
        if let Some(row) = row {
            text.push('\n');
            text.push_str(&explain::plain(row));
        }
        out::text(&text)?;
    }
    Ok(CommandOutcome::Done)
}

fn kept(id: &str, config: &Config) -> anyhow::Result<Option<UsageRecord>> {
    let Some(mut reader) = StoreReader::open(&config.store.place)? else {
        return Ok(None);
    };
    let filter = UsageFilter {
        id: Some(id.to_owned()),
        ..UsageFilter::default()
    };
    let page = reader.usage(&filter, None, 1)?;
    Ok(page.rows.into_iter().next())
}

/// The line of the recent calls, where the store was behind.
fn recent(id: &str, config: &Config) -> Option<Value> {
    let text = fs::read_to_string(config.home.join("recent-calls.jsonl")).ok()?;
    let lines = text.lines().rev();
    let mut calls = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    calls.find(|call| call["id"] == id)
}

fn plain(record: &UsageRecord, story: &Value, keys: &Keys) -> String {
    let status = record
        .status
        .map_or("no status".to_owned(), |status| status.to_string());
    let code = match record.code.as_str() {
        "" => String::new(),
        code => format!(" {code}"),
    };
    let left = if record.is_left {
        ", the client left before the end"
    } else {
        ""
    };
    let mut text = format!(
        "{} at {}: {status}{code}{left}, {} ms\n",
        record.id,
        stamp(record.at_ms),
        record.total_ms
    );
    let mut line = |name: &str, told: String| {
        if !told.is_empty() {
            text.push_str(&format!("  {name:10} {told}\n"));
        }
    };
    let streamed = if record.is_stream { ", streamed" } else { "" };
    line(
        "asked for",
        format!("{}{}{streamed}", record.model, caller(record, keys)),
    );
    let by = if record.code.is_empty() {
        "served by"
    } else {
        "failed at"
    };
    line(by, served(record));
    for (number, tried) in story["tries"].as_array().into_iter().flatten().enumerate() {
        line(&format!("try {}", number + 1), try_line(tried));
    }
    line("phases", phases(&story["ms"]));
    line("tokens", tokens(record));
    line("cost", cost(record));
    line("labels", labels(story));
    text
}

fn caller(record: &UsageRecord, keys: &Keys) -> String {
    match (record.relay_key.as_str(), record.policy.as_str()) {
        ("", _) => " without a key".to_owned(),
        (key, "") => format!(" by key {}", keys.name(key)),
        (key, policy) => format!(" by key {} (policy {policy})", keys.name(key)),
    }
}

fn served(record: &UsageRecord) -> String {
    let named = [
        ("", &record.lane),
        ("key ", &record.host_key),
        ("model ", &record.served),
    ];
    let named = named.iter().filter(|(_, name)| !name.is_empty());
    named
        .map(|(what, name)| format!("{what}{name}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn try_line(tried: &Value) -> String {
    let key = tried["key"].as_str().map(|key| format!(" with key {key}"));
    format!(
        "{}{}: {} after {} ms, began at {} ms",
        tried["lane"].as_str().unwrap_or("-"),
        key.unwrap_or_default(),
        tried["outcome"].as_str().unwrap_or("-"),
        tried["took_ms"],
        tried["after_ms"]
    )
}

fn phases(ms: &Value) -> String {
    let phases = ms.as_object().into_iter().flatten();
    let reached = phases.filter(|(_, ms)| ms.is_number());
    let told = reached.map(|(phase, ms)| format!("{phase} {ms}"));
    told.collect::<Vec<_>>().join(", ")
}

fn tokens(record: &UsageRecord) -> String {
    let kinds = [
        ("input", record.input_tokens),
        ("output", record.output_tokens),
        ("cache read", record.cache_read_tokens),
        ("cache write", record.cache_write_tokens),
        ("reasoning", record.reasoning_tokens),
    ];
    let known = kinds
        .iter()
        .filter_map(|(kind, count)| Some(format!("{kind} {}", (*count)?)));
    match known.collect::<Vec<_>>() {
        none if none.is_empty() => "not told".to_owned(),
        known => known.join(", "),
    }
}

fn cost(record: &UsageRecord) -> String {
    let estimate = if record.is_estimate {
        " (an estimate: nobody told the tokens)"
    } else {
        ""
    };
    match record.cost_nanos {
        Some(nanos) => format!("{} {}{estimate}", Nanos(nanos), record.currency),
        None if !record.code.is_empty() && record.output_tokens.is_none() => "nothing".to_owned(),
        None => "no price is known".to_owned(),
    }
}

fn labels(story: &Value) -> String {
    let mut labels: Vec<String> = ["text", "session", "stop"]
        .iter()
        .filter_map(|name| Some(format!("{name} {}", story[*name].as_str()?)))
        .collect();
    let emulated = story["emulated"].as_array().into_iter().flatten();
    labels.extend(
        emulated
            .filter_map(Value::as_str)
            .map(|path| format!("emulated {path}")),
    );
    labels.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_story_tells_each_try_and_leaves_out_what_is_not_known() {
        let record = UsageRecord {
            id: "req_1".to_owned(),
            status: Some(200),
            model: "m".to_owned(),
            lane: "http:one".to_owned(),
            ..UsageRecord::default()
        };
        let story = json!({"tries": [{"lane": "http:one", "key": "a", "outcome": "auth", "took_ms": 2.1, "after_ms": 0.3}],
            "ms": {"queue": null, "total": 8.0}});
        let tries = [
            "try 1",
            "http:one with key a: auth after 2.1 ms, began at 0.3 ms",
        ];
        let keys = Keys::default();
        let text = plain(&record, &story, &keys);
        assert!(
            text.lines()
                .any(|line| tries.iter().all(|part| line.contains(part))),
            "{text}"
        );
        assert!(
            text.contains("phases     total 8.0\n") && text.contains("not told"),
            "{text}"
        );
        assert!(!text.contains("labels"));
    }
}
