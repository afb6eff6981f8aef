//! How the answer of a chat call is to be drawn, and what of the call changes nothing or cannot be had.

use crate::turn::Fault;
use crate::turn::Sampling;
use crate::turn::ToolChoice;
use crate::turn::ToolRule;
use crate::wire::field::Path;
use crate::wire::field::number;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::field::whole_number;
use crate::wire::openai::effort;
use crate::wire::openai::effort::Wish;
use crate::wire::openai::form as answer_form;
use crate::wire::openai::form::Form;
use crate::wire::openai::label::Labels;
use crate::wire::openai::part::required;
use crate::wire::openai::talk::Talk;
use serde_json::Map;
use serde_json::Value;

/// The name of the model.
pub(in crate::wire::openai) fn model(fields: &Map<String, Value>) -> Result<&str, Fault> {
    let path = Path::Root.field("model");
    let model = string(required(fields, "model", &path)?, &path)?;
    if model.is_empty() {
        return Err(path.wrong("String should have at least 1 character"));
    }
    if model.chars().count() > MODEL_MAX {
        return Err(path.wrong("String should have at most 256 characters"));
    }
    Ok(model)
}

pub(in crate::wire::openai) fn boolean(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<Option<bool>, Fault> {
    match present(fields, name) {
        None => Ok(None),
        Some(Value::Bool(said)) => Ok(Some(*said)),
        Some(_) => Err(Path::Root
            .field(name)
            .wrong("Input should be a valid boolean")),
    }
}

/// What would be another answer than the one that was asked for.
pub(super) fn refused(fields: &Map<String, Value>) -> Result<(), Fault> {
    if let Some(count) = present(fields, "n") {
        let path = Path::Root.field("n");
        if whole_number(count, &path)? != 1 {
            return Err(path.wrong("only a host of this API gives several answers a call: bind the model to one, or ask again for another answer"));
        }
    }
    if boolean(fields, "logprobs")? == Some(true) || present(fields, "top_logprobs").is_some() {
        let path = Path::Root.field("logprobs");
        return Err(
            path.wrong("only a host of this API tells the chances of its tokens: bind the model to one, or leave it away")
        );
    }
    let hears = |value: &Value| {
        value
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "audio"))
    };
    for (name, is_asked) in [
        (
            "modalities",
            present(fields, "modalities").is_some_and(hears),
        ),
        ("audio", present(fields, "audio").is_some()),
    ] {
        if is_asked {
            return Err(Path::Root
                .field(name)
                .wrong("only a host of this API speaks: bind the model to one, or ask for text"));
        }
    }
    Ok(())
}

/// Whether a stream ends with its usage.
pub(in crate::wire::openai) fn has_usage(fields: &Map<String, Value>) -> Result<bool, Fault> {
    let path = Path::Root.field("stream_options");
    let Some(options) = present(fields, "stream_options") else {
        return Ok(false);
    };
    let asked = object(options, &path)?.get("include_usage");
    Ok(asked.is_some_and(|asked| *asked == true))
}

pub(in crate::wire::openai) fn sampling(
    fields: &Map<String, Value>,
    labels: &mut Labels,
) -> Result<Sampling, Fault> {
    let mut max_tokens = None;
    for name in ["max_completion_tokens", "max_tokens"] {
        if let Some(value) = present(fields, name) {
            let path = Path::Root.field(name);
            let tokens = whole_number(value, &path)?;
            if tokens < 1 {
                return Err(path.wrong("Input should be greater than or equal to 1"));
            }
            if *max_tokens.get_or_insert(tokens) != tokens {
                labels.ignore(name);
            }
        }
    }
    for name in ["presence_penalty", "frequency_penalty"] {
        between(fields, name, -2.0, 2.0)?;
    }
    let (temperature, top_p) = chances(fields, labels)?;
    let top_k = match present(fields, "top_k") {
        None => None,
        Some(value) => Some(whole_number(value, &Path::Root.field("top_k"))?),
    };
    Ok(Sampling {
        max_tokens,
        stop_sequences: stop(fields, labels)?,
        temperature,
        top_p,
        top_k,
        thinking: None,
        verbatim: Map::new(),
    })
}

/// Temperature and top_p. Where OpenAI's scale goes on to 2, others end at 1.
pub(in crate::wire::openai) fn chances(
    fields: &Map<String, Value>,
    labels: &mut Labels,
) -> Result<(Option<f64>, Option<f64>), Fault> {
    let mut temperature = between(fields, "temperature", 0.0, 2.0)?;
    let mut top_p = between(fields, "top_p", 0.0, 1.0)?;
    if temperature.is_some_and(|said| said > 1.0) {
        temperature = Some(1.0);
        labels.emulate("temperature");
    }
    // All of the chances, beside a temperature, is what is so anyway; newer models refuse to be told both.
    if temperature.is_some() && top_p == Some(1.0) {
        top_p = None;
        labels.emulate("top_p");
    }
    Ok((temperature, top_p))
}

fn between(
    fields: &Map<String, Value>,
    name: &str,
    min: f64,
    max: f64,
) -> Result<Option<f64>, Fault> {
    let path = Path::Root.field(name);
    let Some(value) = present(fields, name) else {
        return Ok(None);
    };
    let said = number(value, &path)?;
    match (min..=max).contains(&said) {
        true => Ok(Some(said)),
        false => Err(path.wrong(format!("Input should be from {min} to {max}"))),
    }
}

/// A sequence of blanks stops nothing anywhere else, so it is left out and said to be.
pub(in crate::wire::openai) fn stop(
    fields: &Map<String, Value>,
    labels: &mut Labels,
) -> Result<Vec<String>, Fault> {
    let path = Path::Root.field("stop");
    let said = match present(fields, "stop") {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(values)) => {
            let text = |(index, value)| string(value, &path.item(index));
            values
                .iter()
                .enumerate()
                .map(text)
                .collect::<Result<_, _>>()?
        }
        Some(_) => return Err(path.wrong("Input should be a valid string or a list of strings")),
    };
    let (kept, blank): (Vec<&str>, Vec<&str>) =
        said.into_iter().partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        labels.ignore(path);
    }
    Ok(kept.into_iter().map(str::to_owned).collect())
}

/// The form of the answer.
pub(super) fn form(
    fields: &Map<String, Value>,
    sampling: &mut Sampling,
    talk: &mut Talk,
    labels: &mut Labels,
) -> Result<(), Fault> {
    let path = Path::Root.field("response_format");
    let Some(format) = present(fields, "response_format") else {
        return Ok(());
    };
    let format = object(format, &path)?;
    let inner = present(format, "json_schema");
    if inner.is_none() && format.get("type").is_some_and(|kind| kind == "json_schema") {
        return Err(path.field("json_schema").wrong("Field required"));
    }
    let form = answer_form::form(format, inner, &path, labels)?;
    formed(form, &path, sampling, talk, labels);
    Ok(())
}

/// Asks for an answer of this form.
pub(in crate::wire::openai) fn formed(
    form: Form,
    path: &Path<'_>,
    sampling: &mut Sampling,
    talk: &mut Talk,
    labels: &mut Labels,
) {
    match form {
        Form::Text => {}
        Form::Json => {
            labels.emulate(path);
            talk.open_with(answer_form::JSON_WISH);
        }
        Form::Schema(format) => {
            let mut config = Map::new();
            config.insert("format".into(), format);
            effort::merge(sampling, config);
        }
    }
}

/// How much the model is to think: by OpenAI's word, by that of other gateways, or as Anthropic has it.
pub(super) fn thought(
    fields: &Map<String, Value>,
    model: &str,
    choice: Option<&ToolChoice>,
    sampling: &mut Sampling,
    labels: &mut Labels,
) -> Result<(), Fault> {
    if let Some(thinking) = present(fields, "thinking") {
        object(thinking, &Path::Root.field("thinking"))?;
        sampling.thinking = Some(thinking.clone());
        return Ok(());
    }
    let plain = Path::Root.field("reasoning_effort");
    let (path, said) = match (
        present(fields, "reasoning_effort"),
        present(fields, "reasoning"),
    ) {
        (Some(said), _) => (plain, Some(said)),
        (None, Some(Value::Object(inner))) => {
            (Path::Root.field("reasoning"), present(inner, "effort"))
        }
        (None, _) => return Ok(()),
    };
    let wish = Wish {
        effort: said.map(|said| string(said, &path)).transpose()?,
        summary: false,
        is_forced: is_forced(choice),
    };
    effort::apply(
        &wish,
        model,
        sampling,
        &path,
        "max_completion_tokens",
        labels,
    )
}

/// Whether the model must call a tool.
pub(in crate::wire::openai) fn is_forced(choice: Option<&ToolChoice>) -> bool {
    choice.is_some_and(|choice| matches!(choice.rule, ToolRule::Any | ToolRule::Named(_)))
}

/// Names what is set and that nobody hears.
pub(super) fn unheard(fields: &Map<String, Value>, labels: &mut Labels) {
    ignore_unknown(fields, KNOWN, labels);
}

/// Names every field that is set and not among these. What asks for nothing is not set.
pub(in crate::wire::openai) fn ignore_unknown(
    fields: &Map<String, Value>,
    known: &[&str],
    labels: &mut Labels,
) {
    let asks = |name: &str, value: &Value| match value {
        Value::Null => false,
        Value::Bool(said) => *said,
        Value::Array(values) => !values.is_empty(),
        // Without a word more it turns the search on.
        Value::Object(fields) => !fields.is_empty() || name == "web_search_options",
        Value::Number(number) => !(name.ends_with("_penalty") && number.as_f64() == Some(0.0)),
        Value::String(text) => !text.is_empty(),
    };
    for (name, value) in fields {
        if !known.contains(&name.as_str()) && asks(name, value) {
            labels.ignore(name);
        }
    }
}

/// Fields whose meaning is in the request, and fields that do not change the answer.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "n",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "modalities",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "service_tier",
    "cache_control",
];

/// Characters that a model's name may have.
const MODEL_MAX: usize = 256;
