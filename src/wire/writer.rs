//! How an answer is written, whatever its dialect.

use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Reading;
use crate::turn::RequestId;

/// Writes one answer in its caller's dialect: as a stream, event by event, or whole.
pub(crate) trait AnswerWriter: Send {
    /// Writes what does not depend on the answer, while nothing of it has come yet.
    fn prepare(&mut self, _reading: Reading) {}

    /// Writes the frames of the next event behind those before it; after an end, nothing more is written.
    fn frames(&mut self, event: &Event, stream: &mut String);

    /// Says that the stream is alive.
    fn keep_alive(&self) -> String;

    /// The last frames of a stream that fails.
    fn failure(&mut self, fault: &Fault, request_id: &RequestId) -> String;

    /// The buffered answer, as JSON.
    ///
    /// # Errors
    /// Says what cannot be written.
    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str>;

    /// The buffered answer as the end of the stream told it, where the dialect's tells it; it is given once.
    fn told_whole(&mut self) -> Option<String> {
        None
    }

    /// What of the buffered answer is not as the model wrote it, by path.
    fn changed(&self, _whole: &CompleteAnswer) -> Vec<String> {
        Vec::new()
    }

    /// Whether the stream tells the whole answer again at its end, so that all of it is held until then.
    fn holds_answer(&self) -> bool {
        false
    }

    /// How far the counts at a stream's head can be trusted, where the dialect tells any there.
    fn usage_at_head(&self) -> Option<&'static str> {
        None
    }
}
