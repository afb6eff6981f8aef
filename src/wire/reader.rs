//! How an answer of a host is read, whatever its dialect.

use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use serde_json::Value;

/// Reads the stream of one answer while it comes. After [`Unread`] it is of no further use.
pub(crate) trait AnswerReader: Send {
    /// Takes the next bytes; gives what they say.
    ///
    /// # Errors
    /// Where they are not what an answer's stream holds at this place.
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Word>, Unread>;

    /// The bytes are at their end; gives what was not said before.
    ///
    /// # Errors
    /// Where the answer is not.
    fn finish(&mut self) -> Result<Vec<Word>, Unread>;
}

/// What the stream said. Nearly all of it are events; what is large beside them is boxed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Word {
    Begun(Box<Begun>),
    /// A block's start, a delta, or a block's stop; indexes rise from 0.
    Event(Event),
    Ended(Box<Ended>),
    /// The upstream failed in the middle of its answer.
    Failed {
        status: Option<u16>,
        message: String,
    },
}

impl Word {
    pub(crate) fn begun(id: MessageId, model: String, usage: Usage) -> Word {
        Word::Begun(Box::new(Begun { id, model, usage }))
    }

    /// `replaced`: something in the answer is not as the model wrote it.
    pub(crate) fn ended(
        stop: StopReason,
        details: Option<Value>,
        usage: Usage,
        replaced: bool,
    ) -> Word {
        Word::Ended(Box::new(Ended {
            stop,
            details,
            usage,
            replaced,
        }))
    }
}

/// How an answer begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Begun {
    pub(crate) id: MessageId,
    pub(crate) model: String,
    pub(crate) usage: Usage,
}

/// How it ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) stop: StopReason,
    pub(crate) details: Option<Value>,
    pub(crate) usage: Usage,
    /// Something in the answer is not as the model wrote it.
    pub(crate) replaced: bool,
}

/// The bytes are not an answer's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unread;

/// The answer that words tell, as whoever reads it whole gets it.
#[cfg(test)]
pub(crate) fn answer_of(words: Vec<Word>) -> crate::turn::CompleteAnswer {
    use crate::turn::AnswerBuilder;
    use crate::turn::End;
    use crate::turn::Labels;
    use crate::turn::LaneId;
    use crate::turn::Start;

    let mut builder = AnswerBuilder::default();
    for word in words {
        let event = match word {
            Word::Begun(begun) => Event::Start(Box::new(Start {
                id: begun.id,
                model: begun.model,
                usage: begun.usage,
                labels: Labels::exact(LaneId::new("test")),
            })),
            Word::Event(event) => event,
            Word::Ended(ended) => Event::End(Box::new(End {
                stop: ended.stop,
                details: ended.details,
                usage: ended.usage,
                id: None,
                model: None,
            })),
            Word::Failed { message, .. } => panic!("{message}"),
        };
        builder.push(&event).expect("the events must fit together");
    }
    builder.finish().expect("it must be whole")
}
