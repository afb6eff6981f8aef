//! What a client of Chat Completions sends.
//!
//! Such a call counts as one of Anthropic's older version, in which a caller may set the chances of its answer.

mod message;
pub(in crate::wire::openai) mod parameter;

use crate::turn::Fault;
use crate::turn::Request;
use crate::wire::body::parse;
use crate::wire::field::Path;
use crate::wire::field::present;
use crate::wire::openai::asked::Asked;
use crate::wire::openai::label::Labels;
use crate::wire::openai::part::text_field;
use crate::wire::openai::tool;
use crate::wire::openai::tool::Offer;
use crate::wire::openai::tool::ToldTools;
use serde_json::Map;
use serde_json::Value;
use std::sync::Arc;

/// A chat call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) stream: bool,
    pub(crate) wish: AnswerWish,
}

/// What the call says of the way its answer is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AnswerWish {
    /// The model's name as the caller wrote it.
    pub(crate) model: String,
    /// Whether a stream ends with the usage.
    pub(crate) has_usage: bool,
    /// The call offers `functions`, which came before tools.
    pub(crate) is_legacy: bool,
    pub(crate) tools: ToldTools,
}

/// Gives the blocks of an answer by the id of its first call, where they are remembered.
pub(crate) type Recall<'a> = dyn Fn(&str) -> Option<Arc<Vec<Value>>> + 'a;

/// Reads a chat call. One that goes on in a conversation which is known elsewhere may begin with results of calls that
/// are not in it.
///
/// # Errors
/// `invalid_request`, with the path of the first field that is wrong.
pub(crate) fn call(body: &[u8], goes_on: bool, recall: &Recall<'_>) -> Result<Call, Fault> {
    let fields = parse(body)?;
    let model = parameter::model(&fields)?;
    parameter::refused(&fields)?;
    let mut labels = Labels::default();
    let stream = parameter::boolean(&fields, "stream")?.unwrap_or(false);
    let mut offer = offer(&fields, &mut labels)?;
    let is_legacy = present(&fields, "functions").is_some();
    let choice = choice(&fields, &mut offer, is_legacy, &mut labels)?;
    let mut talk = message::messages(&fields, goes_on, recall)?;
    let mut sampling = parameter::sampling(&fields, &mut labels)?;
    parameter::form(&fields, &mut sampling, &mut talk, &mut labels)?;
    parameter::thought(&fields, model, choice.as_ref(), &mut sampling, &mut labels)?;
    parameter::unheard(&fields, &mut labels);
    let wish = AnswerWish {
        model: model.to_owned(),
        has_usage: parameter::has_usage(&fields)?,
        is_legacy,
        tools: offer.told,
    };
    let asked = Asked {
        model,
        tools: offer.tools,
        tool_choice: choice,
        sampling,
        is_streamed: stream,
        labels,
    };
    let request = asked.request(talk, &fields, "messages")?;
    Ok(Call {
        request,
        stream,
        wish,
    })
}

/// Tools, and functions, which came before them.
fn offer(fields: &Map<String, Value>, labels: &mut Labels) -> Result<Offer, Fault> {
    let at = Path::Root.field("tools");
    let mut offer = tool::offer(present(fields, "tools"), &at, labels)?;
    let at = Path::Root.field("functions");
    match present(fields, "functions") {
        None => {}
        Some(Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                let at = at.item(index);
                let function = crate::wire::field::object(value, &at)?;
                offer.function(function, None, &at, labels)?;
            }
        }
        Some(_) => return Err(at.wrong("Input should be a valid list")),
    }
    Ok(offer)
}

/// The choice among them. A message could tell no more than one call of a function.
fn choice(
    fields: &Map<String, Value>,
    offer: &mut Offer,
    is_legacy: bool,
    labels: &mut Labels,
) -> Result<Option<crate::turn::ToolChoice>, Fault> {
    let several = parameter::boolean(fields, "parallel_tool_calls")?;
    let one = (is_legacy || several == Some(false)).then_some(true);
    if let Some(said) = present(fields, "function_call").filter(|_| is_legacy) {
        let at = Path::Root.field("function_call");
        return match said {
            Value::Object(named) => {
                let name = text_field(named, "name", &at)?;
                let said = serde_json::json!({"type": "function", "name": name});
                offer.choice(Some(&said), one, &at, labels)
            }
            word => offer.choice(Some(word), one, &at, labels),
        };
    }
    let at = Path::Root.field("tool_choice");
    offer.choice(present(fields, "tool_choice"), one, &at, labels)
}

#[cfg(test)]
mod tests;
