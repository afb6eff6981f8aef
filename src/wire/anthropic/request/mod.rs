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
//! **What we do in another way.** A `system` message among the messages becomes a text of the user's turn that it
//! stands in, between the tags that Claude Code itself uses for it; `Request.emulated` names it.
//!
//! As the API does, neighbouring messages of one role become one message with the blocks of both.

mod beta;
mod block;
mod caller_run;
mod field;
mod media;
mod sampling;
mod talk;
mod tool;

pub(crate) use beta::betas;
pub(crate) use field::Version;

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Owner;
use crate::turn::Places;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::Sampling;
use crate::wire::body::parse;
use crate::wire::field::last_at;
use crate::wire::field::present;
use block::Pairing;
use field::Path;
use field::invalid;
use field::object;
use field::string;
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

/// Characters that a model's name may have: the API's own bound.
const MODEL_MAX: usize = 256;

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
    "output_config",
    "output_format",
    "context_management",
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
    if present(&fields, "thread").is_some() {
        return Err(Fault::new(
            FaultKind::ThreadUnsupported,
            Blame::Client,
            "thread: this relay keeps no message threads; send the whole conversation in `messages`.",
        ));
    }
    let mut request = common(&fields, version, pairing)?;
    request.sampling = sampling::sampling(&fields, version)?;
    request.emulated.extend(sampling::emulated(&fields));
    let offered = tool::tools(&fields)?;
    request.tool_choice = tool::choice(&fields, &offered.tools)?;
    request.tools = offered.tools;
    request.ignored.extend(ignored(&fields));
    request.ignored.extend(offered.ignored);
    request.emulated.extend(offered.emulated);
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

/// What both calls have.
fn common(
    fields: &Map<String, Value>,
    version: Version,
    pairing: Pairing,
) -> Result<Request, Fault> {
    let model = model(fields)?;
    let talk = talk::messages(fields, version, pairing)?;
    let system = system(fields)?;
    tool::values(fields)?;
    Ok(Request {
        owner: Owner::anonymous(),
        model,
        system,
        messages: talk.messages,
        tools: Vec::new(),
        tool_choice: None,
        reading: Reading::Whole,
        sampling: Sampling::default(),
        betas: Vec::new(),
        marks: Vec::new(),
        emulated: talk.emulated,
        changed_by_claude: talk.changed_by_claude,
        places: Places::default(),
        last_at: last_at("messages", present(fields, "messages")),
        ignored: talk.ignored,
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
    Ok(model.to_owned())
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

fn required<'a>(
    fields: &'a Map<String, Value>,
    path: &Path<'_>,
    name: &str,
) -> Result<&'a Value, Fault> {
    fields.get(name).ok_or_else(|| path.wrong("Field required"))
}

#[cfg(test)]
mod tests;
