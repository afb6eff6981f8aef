//! What a session starts with, and how the process ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::config::Config;
use crate::dialog::Dialog;
use crate::history::History;
use crate::scene::Scene;
use crate::tty::Tty;
use crate::world::News;
use crate::world::World;

/// How the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: u8,
    /// The last words, for stderr.
    pub(crate) words: Option<String>,
}

/// What a session starts with.
pub(crate) struct Start {
    pub(crate) world: Arc<World>,
    pub(crate) news: Receiver<News>,
    pub(crate) tty: Tty,
    pub(crate) config: Config,
    pub(crate) scene: Scene,
    pub(crate) editor: Option<String>,
    pub(crate) dialogs: VecDeque<Dialog>,
    pub(crate) api_key: Option<String>,
    /// A transcript to show first, and whether its last message is to be answered.
    pub(crate) history: Option<(History, bool)>,
    pub(crate) prompt: Option<String>,
}
