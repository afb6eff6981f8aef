//! Looks at the budgets when one was charged or changed, and tells what is new.

use super::level::BudgetAlert;
use super::level::ToldAlerts;
use super::webhook::Webhook;
use super::webhook::WebhookConfig;
use crate::catalog::Catalog;
use crate::catalog::Snapshot;
use crate::clock;
use crate::routing::PolicyLimits;
use crate::store::KeyFile;
use crate::store::Keys;
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// The policy of keys that name none, as it is now.
pub(crate) type DefaultPolicy = Arc<dyn Fn() -> Option<Arc<str>> + Send + Sync>;

/// Watches for as long as the daemon lives.
pub(crate) async fn watch(
    limits: PolicyLimits,
    catalog: Catalog,
    keys: KeyFile,
    default_policy: DefaultPolicy,
    store: Store,
    webhook: watch::Receiver<Option<WebhookConfig>>,
) {
    let (alerts, waiting) = mpsc::channel(ALERTS_BEHIND_MAX);
    let looking = look(limits, catalog, keys, default_policy, store, alerts);
    tokio::join!(looking, tell(webhook, waiting));
}

async fn look(
    limits: PolicyLimits,
    catalog: Catalog,
    keys: KeyFile,
    default_policy: DefaultPolicy,
    store: Store,
    alerts: mpsc::Sender<BudgetAlert>,
) {
    let before = store.setting(TOLD).await.ok().flatten().unwrap_or_default();
    let mut told = ToldAlerts::read(&before);
    let mut written = before;
    let mut changes = catalog.subscribe();
    loop {
        let snapshot = catalog.snapshot();
        let keys = keys_with_budgets(&snapshot, &keys).await;
        let default = default_policy();
        let budgets = limits.budgets(&snapshot, keys.all(), default.as_deref());
        for alert in told.news(budgets) {
            tracing::warn!(
                policy = alert.budget.policy,
                percent = alert.level.percent(),
                "{}",
                alert.sentence()
            );
            if alerts.try_send(alert).is_err() {
                tracing::warn!("the webhook is behind; it is not told of this");
            }
        }
        let text = told.write();
        if text != written {
            store.tell_setting(TOLD, &text);
            written = text;
        }
        // Many calls in a moment are one look.
        tokio::time::sleep_until((clock::now() + TICK).into()).await;
        tokio::select! {
            () = limits.charged() => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// The keys, where a policy gives each of its keys a budget; none is read where none has one.
async fn keys_with_budgets(snapshot: &Snapshot, keys: &KeyFile) -> Keys {
    let mut policies = snapshot.policies();
    if !policies.any(|policy| policy.enabled && policy.per_key.budget.is_some()) {
        return Keys::default();
    }
    let file = keys.clone();
    let read = tokio::task::spawn_blocking(move || file.read()).await;
    read.ok().and_then(Result::ok).flatten().unwrap_or_default()
}

/// Sends one message after the other, each to the webhook that is configured then.
async fn tell(
    mut config: watch::Receiver<Option<WebhookConfig>>,
    mut waiting: mpsc::Receiver<BudgetAlert>,
) {
    let mut webhook = reached(config.borrow_and_update().as_ref());
    while let Some(alert) = waiting.recv().await {
        if config.has_changed().unwrap_or(false) {
            webhook = reached(config.borrow_and_update().as_ref());
        }
        let Some(webhook) = &webhook else { continue };
        if let Err(why) = webhook.tell(&alert.json(clock::unix_ms())).await {
            tracing::warn!(why, "the webhook was not told; the log has it");
        }
    }
}

fn reached(config: Option<&WebhookConfig>) -> Option<Webhook> {
    let webhook = config.map(Webhook::to).transpose();
    webhook.unwrap_or_else(|why| {
        tracing::warn!(
            why,
            "the webhook of alerts cannot be used; the log has them"
        );
        None
    })
}

/// The name of what was told in the store.
const TOLD: &str = "alerts.told";
/// Between two looks at the budgets: soon enough for a person.
const TICK: Duration = Duration::from_secs(2);
/// Messages that may wait for a webhook which does not answer.
const ALERTS_BEHIND_MAX: usize = 64;
