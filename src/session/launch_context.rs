//! What every session is given.

use super::SessionConfig;
use super::machine::Limits;
use super::pty::reap::ProcessRegistry;
use super::rehearsal::Rehearsals;
use super::transcript_store::TranscriptStore;
use super::witness::receiver::Receiver;
use super::witness::tail::Tails;
use crate::tap::Tap;

/// What all sessions share.
pub(crate) struct LaunchContext {
    pub(crate) config: SessionConfig,
    pub(crate) transcript_store: TranscriptStore,
    pub(crate) rehearsals: Rehearsals,
    pub(crate) receiver: Receiver,
    pub(crate) tails: Tails,
    pub(crate) registry: ProcessRegistry,
    pub(crate) limits: Limits,
    /// Where sessions find the API, where the user wants that to be with us.
    pub(crate) tap: Option<Tap>,
}
