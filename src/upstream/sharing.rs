//! Breakers of several relays: what one learns, all know.
//!
//! Each relay decides by what it knows, and no call waits for another one: changes are told afterwards, and what others
//! tell is taken up as soon as it is heard, some milliseconds later.

use super::hosts::Hosts;
use super::told::Change;
use super::told::Said;
use crate::valkey::Script;
use crate::valkey::Valkey;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
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
    mut changes: mpsc::Receiver<Change>,
    relay: String,
) {
    let (keep, open) = (
        Script::new(include_str!("share.lua")),
        Script::new(include_str!("open.lua")),
    );
    let (mut news, mut connections) = (valkey.listen(), valkey.connections());
    // The first connection may be there already.
    connections.mark_changed();
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => tell(&valkey, &keep, &change, &relay).await,
                None => return,
            },
            heard = news.recv() => match heard {
                Ok(news) if &*news.channel == BREAKER_NEWS => hear(&hosts, &news.text, None, &relay),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => learn(&hosts, &valkey, &open, &relay).await,
                Err(RecvError::Closed) => return,
            },
            changed = connections.changed() => {
                if changed.is_err() {
                    return;
                }
                learn(&hosts, &valkey, &open, &relay).await;
                hosts.tell_breakers_again();
            }
        }
    }
}

async fn tell(valkey: &Valkey, keep: &Script, change: &Change, relay: &str) {
    let (state, rest) = match change.said {
        Said::Closed => ("closed", Duration::ZERO),
        Said::Probing => ("probing", Duration::ZERO),
        Said::Open { rest, .. } => ("open", rest),
    };
    let args = [
        change.name(),
        change.write(relay),
        state.to_owned(),
        rest.as_millis().to_string(),
    ];
    if let Err(error) = valkey.run::<String>(keep, &args).await {
        tracing::debug!(%error, "other relays are not told of a breaker; they are when the server is back");
    }
}

/// Takes up what is open anywhere.
async fn learn(hosts: &Hosts, valkey: &Valkey, open: &Script, relay: &str) {
    let found: Result<Vec<String>, _> = valkey.run(open, &[]).await;
    for pair in found.unwrap_or_default().chunks(2) {
        if let [left, text] = pair {
            let left = left.parse().ok().map(Duration::from_millis);
            hear(hosts, text, left, relay);
        }
    }
}

/// Takes up a change; one that was kept has so much left of its rest.
fn hear(hosts: &Hosts, text: &str, left: Option<Duration>, relay: &str) {
    let Some(mut change) = Change::read(text, relay) else {
        return;
    };
    if let (Said::Open { rest, .. }, Some(left)) = (&mut change.said, left) {
        *rest = left;
    }
    hosts.hear(&change);
}

/// Changes that wait to be told: a host that fails has one a model and key. What does not fit is told when the breaker
/// changes again.
const CHANGES_BEHIND_MAX: usize = 4096;
