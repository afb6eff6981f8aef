//! What a client of Responses sends.
//!
//! A call may lean on what was said before: on a response, on a conversation, on single items. [`Draft`] says on which;
//! whoever remembers them gives them, and only then the call is whole.

mod alone;
mod conversation;
mod echo;
mod parameter;

use crate::turn::Fault;
use crate::turn::Request;
use crate::wire::body::parse;
use crate::wire::field::Path;
use crate::wire::field::field;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::openai::asked::Asked;
use crate::wire::openai::chat::request::parameter as shared;
use crate::wire::openai::label::Labels;
use crate::wire::openai::part::text_field;
use crate::wire::openai::talk::Talk;
use crate::wire::openai::tool;
use crate::wire::openai::tool::ToldTools;
use echo::Echo;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// A call that was read as far as it stands alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    fields: Arc<Map<String, Value>>,
    /// What is new with this call.
    input: Vec<Value>,
    /// Whether items stand in it in the place of references.
    is_resolved: bool,
}

/// A call of Responses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) stream: bool,
    pub(crate) wish: AnswerWish,
}

/// What the call says of the way its answer is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AnswerWish {
    pub(crate) tools: ToldTools,
    /// The fields of a response that say what was asked for.
    pub(crate) echo: Echo,
}

/// What a call leans on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Response(String),
    Conversation(String),
}

impl Before {
    pub(crate) fn into_conversation(self) -> Option<String> {
        match self {
            Before::Conversation(id) => Some(id),
            Before::Nothing | Before::Response(_) => None,
        }
    }
}

impl Draft {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_request`, with the path of the first field that is wrong.
    pub(crate) fn read(body: &[u8]) -> Result<Draft, Fault> {
        let fields = parse(body)?;
        let path = Path::Root.field("input");
        let input = match present(&fields, "input") {
            None => Vec::new(),
            Some(Value::String(text)) => {
                vec![message(text)]
            }
            Some(Value::Array(items)) => items.clone(),
            Some(_) => return Err(path.wrong("Input should be a valid string or a list of items")),
        };
        if input.len() > ITEMS_MAX {
            return Err(path.wrong("List should have at most 100000 items"));
        }
        Ok(Draft {
            fields: Arc::new(fields),
            input,
            is_resolved: false,
        })
    }

    /// What it leans on.
    ///
    /// # Errors
    /// `invalid_request` where it leans on two things at once.
    pub(crate) fn before(&self) -> Result<Before, Fault> {
        let text = |name: &str| match present(&self.fields, name) {
            None => Ok(None),
            Some(said) => string(said, &Path::Root.field(name)).map(Some),
        };
        let response = text("previous_response_id")?;
        let path = Path::Root.field("conversation");
        let conversation = match present(&self.fields, "conversation") {
            Some(Value::Object(fields)) => Some(text_field(fields, "id", &path)?),
            Some(said) => Some(string(said, &path)?),
            None => None,
        };
        match (response, conversation) {
            (Some(_), Some(_)) => {
                Err(path.wrong("only one of this and `previous_response_id` can be given"))
            }
            (Some(id), None) => Ok(Before::Response(id.to_owned())),
            (None, Some(id)) => Ok(Before::Conversation(id.to_owned())),
            (None, None) => Ok(Before::Nothing),
        }
    }

    /// The ids of items that it does not say but refer to.
    pub(crate) fn references(&self) -> Vec<String> {
        let ids = self.input.iter().filter_map(reference);
        ids.map(str::to_owned).collect()
    }

    /// Puts items in the place of the references to them, as far as they are known.
    ///
    /// # Errors
    /// `invalid_request` for the first that nobody knows.
    pub(crate) fn resolve(&mut self, find: impl Fn(&str) -> Option<Value>) -> Result<(), Fault> {
        let mut unknown = None;
        for (index, item) in self.input.iter_mut().enumerate() {
            let Some(id) = reference(item) else {
                continue;
            };
            match find(id) {
                Some(found) => (*item, self.is_resolved) = (found, true),
                None => unknown = unknown.or(Some(index)),
            }
        }
        let path = Path::Root.field("input");
        let wrong = |index| {
            let told = "no item of yours has this id any more; send the item itself";
            Err(path.item(index).wrong(told))
        };
        unknown.map_or(Ok(()), wrong)
    }

    /// Whether the answer is to be remembered; it is, unless somebody says otherwise.
    ///
    /// # Errors
    /// `invalid_request`.
    pub(crate) fn is_stored(&self) -> Result<bool, Fault> {
        Ok(shared::boolean(&self.fields, "store")?.unwrap_or(true))
    }

    /// The fields that name what it leans on, as a response tells them.
    pub(crate) fn leans_on(&self) -> Vec<(&'static str, Value)> {
        let conversation = |said: &Value| match said {
            Value::String(id) => json!({ "id": id }),
            said => said.clone(),
        };
        let response = present(&self.fields, "previous_response_id").cloned();
        let conversation = present(&self.fields, "conversation").map(conversation);
        let named = [
            ("previous_response_id", response),
            ("conversation", conversation),
        ];
        let named = named.into_iter();
        named
            .filter_map(|(name, said)| Some((name, said?)))
            .collect()
    }

    /// The model's name as the caller wrote it; empty where it named none.
    pub(crate) fn model(&self) -> &str {
        let model = field(&self.fields, "model").and_then(Value::as_str);
        model.unwrap_or_default()
    }

    /// Whether the call says all by itself, as far as is known here: a reference that nobody knows here may be a host's.
    pub(crate) fn is_alone(&self) -> bool {
        let leans = |name: &str| present(&self.fields, name).is_some();
        !leans("previous_response_id") && !leans("conversation") && !self.is_resolved
    }

    /// Whether the call is to go on without its caller.
    ///
    /// # Errors
    /// `invalid_request`.
    pub(crate) fn is_background(&self) -> Result<bool, Fault> {
        Ok(shared::boolean(&self.fields, "background")?.unwrap_or(false))
    }

    /// The call as it says all by itself, behind what was said before: for a host that knows nothing of that. A response
    /// that is kept here is whole when the caller hears of it, so that no host is asked to go on without its caller.
    pub(crate) fn alone(&self, before: &[Value]) -> String {
        let mut fields = Map::clone(&self.fields);
        fields.remove("previous_response_id");
        fields.remove("conversation");
        if fields.get("store") != Some(&Value::Bool(false)) {
            fields.remove("background");
        }
        let before = before.iter().filter_map(alone::item);
        let new = self.input.iter().filter(|item| !alone::is_ours(item));
        fields.insert("input".into(), before.chain(new.cloned()).collect());
        Value::from(fields).to_string()
    }

    /// What is new with this call.
    pub(crate) fn into_input(self) -> Vec<Value> {
        self.input
    }

    /// Reads the call behind what was said before. One that goes on in a conversation which is known elsewhere may begin
    /// with results of calls that are not in it.
    ///
    /// # Errors
    /// `invalid_request`, with the path of the first field that is wrong.
    pub(crate) fn call(&self, before: &[Value], goes_on: bool) -> Result<Call, Fault> {
        let fields = &self.fields;
        let model = shared::model(fields)?;
        parameter::refused(fields)?;
        let mut labels = Labels::default();
        let stream = shared::boolean(fields, "stream")?.unwrap_or(false);
        let tools = Path::Root.field("tools");
        let mut offer = tool::offer(present(fields, "tools"), &tools, &mut labels)?;
        let several = shared::boolean(fields, "parallel_tool_calls")?;
        let one = (several == Some(false)).then_some(true);
        let at = Path::Root.field("tool_choice");
        let choice = offer.choice(present(fields, "tool_choice"), one, &at, &mut labels)?;
        let mut talk = Talk::new(goes_on);
        self.instruct(&mut talk)?;
        conversation::read(before, &self.input, &mut talk)?;
        let mut sampling = parameter::sampling(fields, &mut labels)?;
        parameter::form(fields, &mut sampling, &mut talk, &mut labels)?;
        parameter::thought(fields, model, choice.as_ref(), &mut sampling, &mut labels)?;
        parameter::unheard(fields, &mut labels);
        let wish = AnswerWish {
            tools: offer.told,
            echo: Echo::of(fields),
        };
        let asked = Asked {
            model,
            tools: offer.tools,
            tool_choice: choice,
            sampling,
            is_streamed: stream,
            labels,
        };
        let request = asked.request(talk, fields, "input")?;
        Ok(Call {
            request,
            stream,
            wish,
        })
    }

    /// The instructions stand before all that was said.
    fn instruct(&self, talk: &mut Talk) -> Result<(), Fault> {
        let Some(said) = present(&self.fields, "instructions") else {
            return Ok(());
        };
        let at = Path::Root.field("instructions");
        let said = string(said, &at)?;
        if !said.trim().is_empty() {
            talk.instruct(vec![said.to_owned()], &at);
        }
        Ok(())
    }
}

/// A text as the item that it stands for.
fn message(text: &str) -> Value {
    let fields = [("type", "message"), ("role", "user"), ("content", text)];
    let fields = fields.map(|(name, said)| (name.to_owned(), Value::from(said)));
    Value::Object(Map::from_iter(fields))
}

/// The id that a reference names; some clients say nothing but the id.
fn reference(item: &Value) -> Option<&str> {
    let fields = item.as_object()?;
    let is_bare = fields.len() == 1 && fields.contains_key("id");
    let is_reference = field(fields, "type").is_some_and(|kind| kind == "item_reference");
    (is_reference || is_bare).then(|| fields.get("id")?.as_str())?
}

/// Items that a call may have: as many as one of the Messages API.
const ITEMS_MAX: usize = 100_000;

#[cfg(test)]
mod tests;
