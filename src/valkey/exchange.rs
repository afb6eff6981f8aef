//! What relays tell one another on one channel: each decides by what it knows, and no call waits for another relay.
//!
//! Changes of this relay are told afterwards; what others tell is taken up as soon as it is heard, some milliseconds
//! later. After a connection was made, and where news were lost, all that the server knows is taken up.

use super::Valkey;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// One thing that relays know together.
pub(crate) trait Exchange: Send + Sync {
    type Change: Send + Sync;

    /// The channel, without what all of ours begin with.
    const CHANNEL: &'static str;

    /// Has the server keep a change of this relay, and tell it to all.
    fn tell(&self, valkey: &Valkey, change: &Self::Change) -> impl Future<Output = ()> + Send;

    /// Takes up what a relay told, this one or another.
    fn hear(&self, text: &str);

    /// Takes up all that the server knows.
    fn learn(&self, valkey: &Valkey) -> impl Future<Output = ()> + Send;

    /// Puts what this relay knows among the changes once more, since the server may have lost it.
    fn tell_again(&self);
}

/// Tells and hears, for as long as anybody is left who could tell a change.
pub(crate) async fn exchange<E: Exchange>(
    of: E,
    valkey: Valkey,
    mut changes: mpsc::Receiver<E::Change>,
) {
    let (mut news, mut connections) = (valkey.listen(), valkey.connections());
    // The first connection may be there already.
    connections.mark_changed();
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => of.tell(&valkey, &change).await,
                None => return,
            },
            heard = news.recv() => match heard {
                Ok(news) if &*news.channel == E::CHANNEL => of.hear(&news.text),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => of.learn(&valkey).await,
                Err(RecvError::Closed) => return,
            },
            changed = connections.changed() => {
                if changed.is_err() {
                    return;
                }
                of.learn(&valkey).await;
                of.tell_again();
            }
        }
    }
}
