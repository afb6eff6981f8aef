//! How the answer of a call of Responses is to be drawn, and what of the call changes nothing or cannot be had.

use crate::turn::Fault;
use crate::turn::Sampling;
use crate::turn::ToolChoice;
use crate::wire::field::Path;
use crate::wire::field::field;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::field::whole_number;
use crate::wire::openai::chat::request::parameter as shared;
use crate::wire::openai::effort;
use crate::wire::openai::effort::Wish;
use crate::wire::openai::form as answer_form;
use crate::wire::openai::label::Labels;
use crate::wire::openai::talk::Talk;
use serde_json::Map;
use serde_json::Value;

/// What would be another answer than the one that was asked for.
pub(super) fn refused(fields: &Map<String, Value>) -> Result<(), Fault> {
    let path = Path::Root.field("top_logprobs");
    let chances = present(fields, "top_logprobs").map(|count| whole_number(count, &path));
    if chances.transpose()?.is_some_and(|count| count > 0) {
        return Err(
            path.wrong("only a host of this API tells the chances of its tokens: bind the model to one, or leave it away")
        );
    }
    if present(fields, "prompt").is_some() {
        let path = Path::Root.field("prompt");
        return Err(
            path.wrong("this relay keeps no prompts; send its texts in `instructions` and `input`")
        );
    }
    Ok(())
}

pub(super) fn sampling(
    fields: &Map<String, Value>,
    labels: &mut Labels,
) -> Result<Sampling, Fault> {
    let path = Path::Root.field("max_output_tokens");
    let max_tokens = match present(fields, "max_output_tokens") {
        None => None,
        Some(value) => match whole_number(value, &path)? {
            0 => return Err(path.wrong("Input should be greater than or equal to 1")),
            tokens => Some(tokens),
        },
    };
    let (temperature, top_p) = shared::chances(fields, labels)?;
    Ok(Sampling {
        max_tokens,
        stop_sequences: shared::stop(fields, labels)?,
        temperature,
        top_p,
        ..Sampling::default()
    })
}

/// The form of the answer.
pub(super) fn form(
    fields: &Map<String, Value>,
    sampling: &mut Sampling,
    talk: &mut Talk,
    labels: &mut Labels,
) -> Result<(), Fault> {
    let path = Path::Root.field("text");
    let Some(text) = present(fields, "text") else {
        return Ok(());
    };
    let text = object(text, &path)?;
    if present(text, "verbosity").is_some() {
        labels.ignore(path.field("verbosity"));
    }
    let path = path.field("format");
    let Some(format) = present(text, "format") else {
        return Ok(());
    };
    let form = answer_form::form(object(format, &path)?, None, &path, labels)?;
    shared::formed(form, &path, sampling, talk, labels);
    Ok(())
}

/// How much the model is to think.
pub(super) fn thought(
    fields: &Map<String, Value>,
    model: &str,
    choice: Option<&ToolChoice>,
    sampling: &mut Sampling,
    labels: &mut Labels,
) -> Result<(), Fault> {
    let path = Path::Root.field("reasoning");
    let Some(reasoning) = present(fields, "reasoning") else {
        return Ok(());
    };
    let reasoning = object(reasoning, &path)?;
    let path = path.field("effort");
    let effort = present(reasoning, "effort").map(|said| string(said, &path));
    let reads = |name: &str| present(reasoning, name).is_some();
    let wish = Wish {
        effort: effort.transpose()?,
        summary: reads("summary") || reads("generate_summary"),
        is_forced: shared::is_forced(choice),
    };
    effort::apply(&wish, model, sampling, &path, "max_output_tokens", labels)
}

/// Names what is set and that nobody hears.
pub(super) fn unheard(fields: &Map<String, Value>, labels: &mut Labels) {
    if field(fields, "truncation").is_some_and(|said| said == "auto") {
        labels.ignore("truncation");
    }
    if field(fields, "background").is_some_and(|said| *said == true) {
        labels.emulate("background"); // It is over when its caller hears of it.
    }
    let is_given = |wish: &Value| wish.as_str().is_some_and(|wish| GIVEN.contains(&wish));
    let wishes = field(fields, "include").and_then(Value::as_array);
    if wishes.is_some_and(|wishes| !wishes.iter().all(is_given)) {
        labels.ignore("include"); // What hosted tools found, chances, and whatever comes to be.
    }
    shared::ignore_unknown(fields, KNOWN, labels);
}

/// What `include` can name and is there in any case.
const GIVEN: &[&str] = &[
    "reasoning.encrypted_content",
    "message.input_image.image_url",
];

/// Fields whose meaning is in the request, and fields that do not change the answer.
const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "store",
    "background",
    "previous_response_id",
    "conversation",
    "include",
    "max_output_tokens",
    "temperature",
    "top_p",
    "stop",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "truncation",
    "metadata",
    "client_metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "service_tier",
];
