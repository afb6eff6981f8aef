//! What the readers of Chat Completions and of Responses end in: a call in the inner language.

use super::label::Labels;
use super::mark;
use super::talk::Talk;
use crate::turn::Fault;
use crate::turn::Owner;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::Sampling;
use crate::turn::Tool;
use crate::turn::ToolChoice;
use crate::wire::field::Path;
use crate::wire::field::last_at;
use crate::wire::field::present;
use serde_json::Map;
use serde_json::Value;

/// What was read of a call beside its conversation.
pub(super) struct Asked<'a> {
    pub(super) model: &'a str,
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: Option<ToolChoice>,
    pub(super) sampling: Sampling,
    pub(super) is_streamed: bool,
    pub(super) labels: Labels,
}

impl Asked<'_> {
    /// The call; its conversation stands in the list of this name.
    ///
    /// # Errors
    /// `invalid_request` for a conversation that cannot be answered.
    pub(super) fn request(
        self,
        talk: Talk,
        fields: &Map<String, Value>,
        list: &str,
    ) -> Result<Request, Fault> {
        let talk = talk.end(&Path::Root.field(list))?;
        let (said, labels) = (talk.labels, self.labels);
        Ok(Request {
            owner: Owner::anonymous(),
            model: self.model.to_owned(),
            system: talk.system,
            messages: talk.messages,
            tools: self.tools,
            tool_choice: self.tool_choice,
            betas: Vec::new(),
            marks: mark::found(fields),
            sampling: self.sampling,
            reading: match self.is_streamed {
                true => Reading::Along,
                false => Reading::Whole,
            },
            changed_by_claude: talk.changed_by_claude,
            places: talk.places,
            last_at: last_at(list, present(fields, list)),
            emulated: [said.emulated, labels.emulated].concat(),
            ignored: [said.ignored, labels.ignored].concat(),
        })
    }
}
