//! How the answer is to be drawn: its length, its chance, its thinking, its form.

use super::Version;
use super::field::Path;
use super::field::number;
use super::field::object;
use super::field::string;
use super::field::unexpected_tag;
use super::field::whole_number;
use super::present;
use super::required;
use crate::turn::Fault;
use crate::turn::Sampling;
use serde_json::Map;
use serde_json::Value;

/// Reads the parameters; the newer version has fewer.
pub(super) fn sampling(fields: &Map<String, Value>, version: Version) -> Result<Sampling, Fault> {
    let path = Path::Root.field("max_tokens");
    let max_tokens = whole_number(required(fields, &path, "max_tokens")?, &path)?;
    if max_tokens < 1 {
        return Err(path.wrong("Input should be greater than or equal to 1"));
    }
    if version == Version::V2026_10_21 {
        for name in ["temperature", "top_p", "top_k"] {
            if fields.contains_key(name) {
                return Err(Path::Root
                    .field(name)
                    .wrong("Extra inputs are not permitted"));
            }
        }
    }
    let top_k = match present(fields, "top_k") {
        None => None,
        Some(value) => Some(whole_number(value, &Path::Root.field("top_k"))?),
    };
    Ok(Sampling {
        max_tokens: Some(max_tokens),
        stop_sequences: stop_sequences(fields)?,
        temperature: share(fields, "temperature")?,
        top_p: share(fields, "top_p")?,
        top_k,
        thinking: thinking(fields, max_tokens)?,
        verbatim: verbatim(fields)?,
    })
}

/// A number from 0 to 1.
fn share(fields: &Map<String, Value>, name: &str) -> Result<Option<f64>, Fault> {
    let path = Path::Root.field(name);
    let Some(value) = present(fields, name) else {
        return Ok(None);
    };
    let share = number(value, &path)?;
    if share < 0.0 {
        return Err(path.wrong("Input should be greater than or equal to 0"));
    }
    if share > 1.0 {
        return Err(path.wrong("Input should be less than or equal to 1"));
    }
    Ok(Some(share))
}

fn stop_sequences(fields: &Map<String, Value>) -> Result<Vec<String>, Fault> {
    let path = Path::Root.field("stop_sequences");
    let values = match present(fields, "stop_sequences") {
        None => return Ok(Vec::new()),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(path.wrong("Input should be a valid list")),
    };
    let mut sequences = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let sequence = string(value, &path.item(index))?;
        if sequence.trim().is_empty() {
            return Err(path.wrong("each stop sequence must contain non-whitespace"));
        }
        sequences.push(sequence.to_owned());
    }
    Ok(sequences)
}

fn thinking(fields: &Map<String, Value>, max_tokens: u64) -> Result<Option<Value>, Fault> {
    let path = Path::Root.field("thinking");
    let Some(value) = present(fields, "thinking") else {
        return Ok(None);
    };
    let wish = object(value, &path)?;
    let kind = path.field("type");
    match string(required(wish, &kind, "type")?, &kind)? {
        "disabled" | "adaptive" => Ok(Some(value.clone())),
        "enabled" => {
            let budget = path.field("budget_tokens");
            let tokens = whole_number(required(wish, &budget, "budget_tokens")?, &budget)?;
            if tokens < THINKING_BUDGET_MIN {
                return Err(budget.wrong("Input should be greater than or equal to 1024"));
            }
            if tokens >= max_tokens {
                return Err(
                    budget.wrong("`max_tokens` must be greater than `thinking.budget_tokens`")
                );
            }
            Ok(Some(value.clone()))
        }
        other => Err(kind.wrong(unexpected_tag(other, &["adaptive", "disabled", "enabled"]))),
    }
}

/// What goes on to the model's API as it is written.
fn verbatim(fields: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let mut verbatim = Map::new();
    if let Some(config) = output_config(fields)? {
        verbatim.insert("output_config".into(), config.into());
    }
    let path = Path::Root.field("context_management");
    if let Some(management) = present(fields, "context_management")
        && !object(management, &path)?.is_empty()
    {
        verbatim.insert("context_management".into(), management.clone());
    }
    Ok(verbatim)
}

/// The effort and the form of the answer; the form may stand at the top, where betas had it.
fn output_config(fields: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Fault> {
    let path = Path::Root.field("output_config");
    let mut config = match present(fields, "output_config") {
        None => Map::new(),
        Some(value) => object(value, &path)?.clone(),
    };
    config.retain(|_, value| !value.is_null());
    if let Some(effort) = config.get("effort") {
        string(effort, &path.field("effort"))?;
    }
    if let Some(format) = config.get("format") {
        checked_format(format, &path.field("format"))?;
    }
    if let Some(format) = old_format(fields) {
        checked_format(format, &Path::Root.field("output_format"))?;
        config.entry("format").or_insert_with(|| format.clone());
    }
    Ok((!config.is_empty()).then_some(config))
}

fn old_format(fields: &Map<String, Value>) -> Option<&Value> {
    present(fields, "output_format")
}

fn checked_format(format: &Value, path: &Path<'_>) -> Result<(), Fault> {
    let fields = object(format, path)?;
    let kind = path.field("type");
    match string(required(fields, &kind, "type")?, &kind)? {
        "json_schema" => {
            let path = path.field("schema");
            object(required(fields, &path, "schema")?, &path).map(drop)
        }
        other => Err(kind.wrong(unexpected_tag(other, &["json_schema"]))),
    }
}

/// Parameters that are honoured in another way than they were written.
pub(super) fn emulated(fields: &Map<String, Value>) -> Option<String> {
    old_format(fields).map(|_| "output_format".to_owned())
}

/// The least budget of thinking: the API's own bound.
const THINKING_BUDGET_MIN: u64 = 1024;
