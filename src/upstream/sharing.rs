//! Breakers of several relays: what one learns, all know.

use super::hosts::Hosts;
use super::told::Change;
use super::told::Said;
use crate::valkey::Exchange;
use crate::valkey::Script;
use crate::valkey::Valkey;
use crate::valkey::exchange;
use std::time::Duration;
use tokio::sync::mpsc;

/// The channel on which relays tell one another of breakers.
pub(crate) const BREAKER_NEWS: &str = "breakers";

/// Changes that are not told yet.
pub(crate) fn changes() -> (mpsc::Sender<Change>, mpsc::Receiver<Change>) {
    mpsc::channel(CHANGES_BEHIND_MAX)
}

/// Tells and hears for as long as the daemon lives; `relay` is what this one is called.
pub(crate) async fn share(
    hosts: Hosts,
    valkey: Valkey,
    changes: mpsc::Receiver<Change>,
    relay: String,
) {
    let breakers = SharedBreakers {
        hosts,
        relay,
        keep: Script::new(include_str!("share.lua")),
        open: Script::new(include_str!("open.lua")),
    };
    exchange(breakers, valkey, changes).await;
}

struct SharedBreakers {
    hosts: Hosts,
    relay: String,
    keep: Script,
    open: Script,
}

impl SharedBreakers {
    /// Takes up a change; one that was kept has so much left of its rest.
    fn hear_with(&self, text: &str, left: Option<Duration>) {
        let Some(mut change) = Change::read(text, &self.relay) else {
            return;
        };
        if let (Said::Open { rest, .. }, Some(left)) = (&mut change.said, left) {
            *rest = left;
        }
        self.hosts.hear(&change);
    }
}

impl Exchange for SharedBreakers {
    type Change = Change;

    const CHANNEL: &'static str = BREAKER_NEWS;

    async fn tell(&self, valkey: &Valkey, change: &Change) {
        let args = [
            change.name(),
            change.write(&self.relay),
            change.said.word().to_owned(),
            change.said.rest().as_millis().to_string(),
        ];
        if let Err(error) = valkey.run::<String>(&self.keep, &args).await {
            tracing::debug!(%error, "other relays are not told of a breaker; they are when the server is back");
        }
    }

    fn hear(&self, text: &str) {
        self.hear_with(text, None);
    }

    async fn learn(&self, valkey: &Valkey) {
        let found: Result<Vec<String>, _> = valkey.run(&self.open, &[]).await;
        for pair in found.unwrap_or_default().chunks(2) {
            if let [left, text] = pair {
                self.hear_with(text, left.parse().ok().map(Duration::from_millis));
            }
        }
    }

    fn tell_again(&self) {
        self.hosts.tell_breakers_again();
    }
}

/// Changes that wait to be told: a host that fails has one a model and key. What does not fit is told when the breaker
/// changes again.
const CHANGES_BEHIND_MAX: usize = 4096;
