//! Why a turn runs, and its beginning on a thread of its own.

use std::sync::Arc;

use serde_json::Value;

use crate::http::Cancel;
use crate::turn::course::Turn;
use crate::world::News;
use crate::world::World;

/// Why a turn runs.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// A prompt; `source` is `typed` or `queued`, and a queued one may have passed its hook already.
    Prompt {
        text: String,
        prompt_id: String,
        source: &'static str,
        asked: bool,
    },
    /// A message of print mode: a text or blocks.
    Sdk { content: Value, prompt_id: String },
    /// The last message of a transcript that was taken up.
    Resumed,
    /// The output of a shell command, which is already in the conversation.
    Shell { prompt_id: Option<String> },
}

/// Runs a turn in the background; the end comes as news.
pub(crate) fn start(world: &Arc<World>, cause: Cause) -> Cancel {
    let cancel = Cancel::default();
    let (world, cancelled) = (Arc::clone(world), cancel.clone());
    std::thread::spawn(move || {
        let mut turn = Turn::new(world, cause, cancelled);
        let outcome = turn.run();
        turn.world.tell(News::Over(outcome));
    });
    cancel
}
