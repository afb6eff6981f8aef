//! One turn as a session gets it: what to type, what must be seen submitted, what the answer begins with. `[pure]`

use super::habits::Habits;
use super::mcp::result::Answered;
use super::mcp::tool_list::ToolList;
#[cfg(test)]
use crate::turn::Labels;
#[cfg(test)]
use crate::turn::LaneId;
#[cfg(test)]
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::Start;
#[cfg(test)]
use crate::turn::Usage;

/// One turn's orders.
#[derive(Debug, Clone)]
pub(crate) struct TurnSpec {
    pub(crate) route: DeliveryMethod,
    /// The head of the answer, told before its first block.
    pub(crate) start: Start,
    /// Whether the CLI was given an API key, so that a refused credential is the key's and not a login's.
    pub(crate) keyed: bool,
    pub(crate) enter: Enter,
    /// The tools that the model must see, and no others.
    pub(crate) tools: ToolList,
    /// Whether the answer is told while it is written, or once the transcript has all of it.
    pub(crate) reading: Reading,
    /// The same for what the tap hears, which has its blocks while they come.
    pub(crate) hearing: Reading,
    /// The one sequence that the model may stop at, where there is one and no other.
    pub(crate) sole_stop: Option<String>,
    /// Whether the session stays in the conversation when the turn is over.
    pub(crate) stays: bool,
    /// Whether the end waits until all of the answer was displayed: in a session that stays, what is displayed later
    /// would be taken for the next turn's.
    pub(crate) awaits_display: bool,
    /// The caller is gone: nothing more may reach the model.
    pub(crate) cancelled: bool,
}

/// How the prompt gets in.
#[derive(Debug, Clone)]
pub(crate) enum DeliveryMethod {
    /// Into the prompt box of a waiting session, after the history was taken up, where there is one.
    Typed {
        resume: Option<String>,
        prompt: String,
        keys: Vec<u8>,
    },
    /// As this line, into a session without a screen.
    Sent(String),
    /// Into the prompt box of a session that stayed in the conversation, and holds all of it.
    Onward { prompt: String, keys: Vec<u8> },
    /// The session was launched with a transcript that ends with the prompt.
    Launched,
    /// The session holds the conversation, and waits for the results of the calls that the model made.
    Answered(Vec<Answered>),
}

/// What becomes of an Enter that the CLI reads together with the text before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enter {
    Taken,
    /// The text stands in the prompt box until Enter is pressed again.
    Lost,
}

impl Enter {
    /// One that is known to be taken saves a look at the screen.
    pub(crate) fn of(habits: Habits) -> Enter {
        match habits.takes_enter {
            true => Enter::Taken,
            false => Enter::Lost,
        }
    }
}

impl TurnSpec {
    /// How many user messages the transcript gets by this turn itself.
    pub(crate) fn asks(&self) -> u32 {
        match &self.route {
            DeliveryMethod::Typed { .. } | DeliveryMethod::Onward { .. } => 1,
            DeliveryMethod::Launched | DeliveryMethod::Sent(_) => 0,
            DeliveryMethod::Answered(results) => u32::try_from(results.len()).unwrap_or(u32::MAX),
        }
    }

    /// What is typed, where something is.
    pub(crate) fn keys(&self) -> Option<Vec<u8>> {
        match &self.route {
            DeliveryMethod::Typed { keys, .. } | DeliveryMethod::Onward { keys, .. } => {
                Some(keys.clone())
            }
            DeliveryMethod::Launched | DeliveryMethod::Sent(_) | DeliveryMethod::Answered(_) => {
                None
            }
        }
    }

    /// The CLI may tell the model of its folder, its system, the model and the day beside the messages.
    pub(crate) fn label_added(&mut self) {
        let emulated = &mut self.start.labels.emulated;
        if !emulated.iter().any(|path| path == ADDED) {
            emulated.push(ADDED.to_owned());
        }
    }

    /// Whether a submitted prompt is this one.
    pub(crate) fn accepts(&self, submitted: &str) -> bool {
        match &self.route {
            DeliveryMethod::Typed { prompt, .. } | DeliveryMethod::Onward { prompt, .. } => {
                !self.cancelled && prompt == submitted
            }
            DeliveryMethod::Launched | DeliveryMethod::Sent(_) | DeliveryMethod::Answered(_) => {
                false
            }
        }
    }
}

/// What is named where the CLI may tell more than the messages.
pub(crate) const ADDED: &str = "messages";

#[cfg(test)]
impl TurnSpec {
    /// A turn with nothing set but its way in.
    pub(crate) fn plain(route: DeliveryMethod) -> TurnSpec {
        let labels = Labels::exact(LaneId::new("test"));
        let start = Start {
            id: MessageId("msg".into()),
            model: "m".into(),
            usage: Usage::default(),
            labels,
        };
        TurnSpec {
            route,
            start,
            keyed: true,
            enter: Enter::Taken,
            tools: ToolList::default(),
            reading: Reading::Along,
            hearing: Reading::Along,
            sole_stop: None,
            stays: false,
            awaits_display: false,
            cancelled: false,
        }
    }
}
