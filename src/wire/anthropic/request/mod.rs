//! What a client of the Messages API sends, read with the API's own rules.
//!
//! **Read by hand.** The shapes could be derived, but then a refusal would say what serde thinks of our types. Here
//! it says what the API says, with the path of the field as the API writes it: `messages.0.content.1.text: Field
//! required`.
//!
//! **Where we are milder than the API, on purpose.** A missing `anthropic-version` header means `2023-06-01`, for
//! people with curl. A top-level field that we do not know is not refused but goes into `Request.ignored`, so that a
//! newer client keeps working and is told; unknown fields inside blocks are passed over. `null` is an absent field.
//!
//! **Where we are stricter.** A last message of the assistant (prefill) is refused, for no lane can continue it; so
//! is a `system` message among the messages.
//!
//! As the API does, neighbouring messages of one role become one message with the blocks of both.

mod block;
mod field;
mod tool;

pub(crate) use field::Version;

use crate::turn::Drive;
use crate::turn::Fault;
use crate::turn::Message;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::Sampling;
use block::Pairing;
use field::Path;
use field::invalid;
use field::number;
use field::object;
use field::string;
use field::whole_number;
use serde_json::Map;
use serde_json::Value;

/// A Messages call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) stream: bool,
}

/// A call to count tokens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Count {
    /// It may end with the assistant's message and has no `max_tokens`; it is for counting only.
    pub(crate) request: Request,
    pub(crate) tools: Vec<Value>,
}

/// Messages that a call may have: the API's own bound.
const MESSAGES_MAX: usize = 100_000;
/// Characters that a model's name may have: the API's own bound.
const MODEL_MAX: usize = 256;
/// The least budget of thinking: the API's own bound.
const THINKING_BUDGET_MIN: u64 = 1024;

/// Fields whose meaning is in [`Request`], and fields that do not change the answer.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "stream",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "thinking",
    "tools",
    "tool_choice",
    "metadata",
    "service_tier",
    "cache_control",
    "diagnostics",
    "user_profile_id",
    "fallback_credit_token",
];

/// Reads a Messages call.
///
/// # Errors
/// `invalid_request`, with the path of the first field that is wrong.
pub(crate) fn call(body: &[u8], version: Version) -> Result<Call, Fault> {
    read(body, version, Pairing::default())
}

/// Reads a Messages call whose messages may go on with others that are known: it may begin with results of calls that
/// are not among them.
///
/// # Errors
/// `invalid_request`, with the path of the first field that is wrong.
pub(crate) fn call_going_on(body: &[u8], version: Version) -> Result<Call, Fault> {
    read(body, version, Pairing::going_on())
}

fn read(body: &[u8], version: Version, pairing: Pairing) -> Result<Call, Fault> {
    let fields = parse(body)?;
    let mut request = common(&fields, version, pairing)?;
    request.sampling = sampling(&fields, version)?;
    let offered = tool::tools(&fields)?;
    request.tool_choice = tool::choice(&fields, &offered.tools)?;
    request.tools = offered.tools;
    request.ignored = ignored(&fields);
    request.ignored.extend(offered.ignored);
    if let Some(last) = last_role(&fields).filter(|(_, role)| *role == Role::Assistant) {
        return Err(Path::Root.field("messages").item(last.0).field("role").wrong(
            "this lane cannot continue an assistant message (prefill); let the last message be the user's",
        ));
    }
    let stream = match present(&fields, "stream") {
        None => false,
        Some(Value::Bool(stream)) => *stream,
        Some(_) => {
            return Err(Path::Root
                .field("stream")
                .wrong("Input should be a valid boolean"));
        }
    };
    request.reading = match stream {
        true => Reading::Along,
        false => Reading::Whole,
    };
    Ok(Call { request, stream })
}

/// Reads a call to count tokens.
///
/// # Errors
/// `invalid_request`, with the path of the first field that is wrong.
pub(crate) fn count(body: &[u8], version: Version) -> Result<Count, Fault> {
    let fields = parse(body)?;
    let request = common(&fields, version, Pairing::default())?;
    let tools = tool::values(&fields)?.to_vec();
    Ok(Count { request, tools })
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(invalid("The request body is not a JSON object.")),
        Err(error) => Err(invalid(format!(
            "The request body is not valid JSON: {error}"
        ))),
    }
}

/// What both calls have.
fn common(
    fields: &Map<String, Value>,
    version: Version,
    pairing: Pairing,
) -> Result<Request, Fault> {
    let model = model(fields)?;
    let messages = messages(fields, version, pairing)?;
    let system = system(fields)?;
    tool::values(fields)?;
    Ok(Request {
        model,
        system,
        messages,
        tools: Vec::new(),
        tool_choice: None,
        reading: Reading::Whole,
        drive: Drive::default(),
        sampling: Sampling::default(),
        ignored: Vec::new(),
    })
}

fn model(fields: &Map<String, Value>) -> Result<String, Fault> {
    let path = Path::Root.field("model");
    let model = string(required(fields, &path, "model")?, &path)?;
    if model.is_empty() {
        return Err(path.wrong("String should have at least 1 character"));
    }
    if model.chars().count() > MODEL_MAX {
        return Err(path.wrong("String should have at most 256 characters"));
    }
    // It becomes an argument of a command line.
    if model.starts_with('-') || model.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(path.wrong("Input should be the name of a model"));
    }
    Ok(model.to_owned())
}

fn messages(
    fields: &Map<String, Value>,
    version: Version,
    mut pairing: Pairing,
) -> Result<Vec<Message>, Fault> {
    let path = Path::Root.field("messages");
    let Value::Array(values) = required(fields, &path, "messages")? else {
        return Err(path.wrong("Input should be a valid list"));
    };
    if values.is_empty() {
        return Err(path.wrong("at least one message is required"));
    }
    if values.len() > MESSAGES_MAX {
        return Err(path.wrong("List should have at most 100000 items"));
    }
    let mut merged: Vec<Message> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let at = path.item(index);
        let message = object(value, &at)?;
        let role = role(message, &at)?;
        if index == 0 && role == Role::Assistant {
            return Err(path.wrong("first message must use the \"user\" role"));
        }
        let last = index + 1 == values.len();
        let blocks = block::content(message, role, last, &at, version)?;
        pairing.message(role, &blocks, index)?;
        match merged.last_mut() {
            Some(before) if before.role == role => before.blocks.extend(blocks),
            _ => merged.push(Message { role, blocks }),
        }
    }
    pairing.end()?;
    merged.retain(|message| !message.blocks.is_empty()); // An empty last message of the assistant.
    Ok(merged)
}

fn role(message: &Map<String, Value>, at: &Path<'_>) -> Result<Role, Fault> {
    let path = at.field("role");
    match string(required(message, &path, "role")?, &path)? {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Err(path.wrong(
            "Unexpected role \"system\"; use the top-level `system` parameter, which is what this relay takes",
        )),
        _ => Err(path.wrong("Input should be 'user' or 'assistant'")),
    }
}

/// Who speaks last, in the caller's own counting.
fn last_role(fields: &Map<String, Value>) -> Option<(usize, Role)> {
    let values = fields.get("messages")?.as_array()?;
    let index = values.len().checked_sub(1)?;
    match values[index].get("role")?.as_str()? {
        "assistant" => Some((index, Role::Assistant)),
        _ => Some((index, Role::User)),
    }
}

fn system(fields: &Map<String, Value>) -> Result<Vec<String>, Fault> {
    let path = Path::Root.field("system");
    match present(fields, "system") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(values)) => values
            .iter()
            .enumerate()
            .map(|(index, value)| system_text(value, &path.item(index)))
            .collect(),
        Some(_) => Err(path.wrong("Input should be a valid string or a list of text blocks")),
    }
}

fn system_text(value: &Value, at: &Path<'_>) -> Result<String, Fault> {
    let block = object(value, at)?;
    let path = at.field("type");
    if string(required(block, &path, "type")?, &path)? != "text" {
        return Err(path.wrong("Input should be 'text'"));
    }
    let path = at.field("text");
    let text = string(required(block, &path, "text")?, &path)?;
    if text.is_empty() {
        return Err(invalid("system: text content blocks must be non-empty"));
    }
    Ok(text.to_owned())
}

fn sampling(fields: &Map<String, Value>, version: Version) -> Result<Sampling, Fault> {
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
        max_tokens,
        stop_sequences: stop_sequences(fields)?,
        temperature: share(fields, "temperature")?,
        top_p: share(fields, "top_p")?,
        top_k,
        thinking: thinking(fields, max_tokens)?,
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
        "disabled" => Ok(None),
        "adaptive" => Ok(Some(value.clone())),
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
        other => Err(kind.wrong(field::unexpected_tag(
            other,
            &["adaptive", "disabled", "enabled"],
        ))),
    }
}

/// Fields that are set and that no lane honours. An empty list or object, `null`, and `speed: "standard"` ask for
/// nothing.
fn ignored(fields: &Map<String, Value>) -> Vec<String> {
    let asks = |name: &str, value: &Value| match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !(name == "speed" && text == "standard"),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let unknown = fields
        .iter()
        .filter(|(name, value)| !KNOWN.contains(&name.as_str()) && asks(name, value));
    unknown.map(|(name, _)| name.clone()).collect()
}

/// A field that is there and not `null`.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn required<'a>(
    fields: &'a Map<String, Value>,
    path: &Path<'_>,
    name: &str,
) -> Result<&'a Value, Fault> {
    fields.get(name).ok_or_else(|| path.wrong("Field required"))
}

#[cfg(test)]
mod tests;
