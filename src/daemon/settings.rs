//! Settings that an admin changes while the daemon runs: checked as a start would check them, kept, and put in force.

use super::log::LevelSwitch;
use crate::alert::WebhookConfig;
use crate::auth::Admission;
use crate::config::Config;
use crate::config::Layers;
use crate::config::Shown;
use crate::config::Unchanged;
use crate::control;
use crate::control::Setting;
use crate::control::SettingFault;
use crate::control::SettingProblem;
use crate::disk;
use crate::store::Store;
use crate::sync::lock;
use arc_swap::ArcSwap;
use serde_json::Map;
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::sync::watch;

/// What there is to put in force.
pub(super) struct LiveSettings {
    now: ArcSwap<Now>,
    /// One change at a time, so that no two undo one another.
    writing: Mutex<()>,
    admission: Admission,
    store: Store,
    webhook: watch::Sender<Option<WebhookConfig>>,
    log: LevelSwitch,
}

/// The configuration in force.
struct Now {
    layers: Arc<Layers>,
    shown: Vec<Setting>,
}

impl Now {
    fn of(config: &Config) -> Now {
        let setting = |shown: &Shown| setting(&config.layers, shown);
        Now {
            layers: Arc::clone(&config.layers),
            shown: config.shown.iter().map(setting).collect(),
        }
    }
}

impl LiveSettings {
    pub(super) fn of(
        config: &Config,
        admission: Admission,
        store: Store,
        log: LevelSwitch,
    ) -> LiveSettings {
        LiveSettings {
            now: ArcSwap::from_pointee(Now::of(config)),
            writing: Mutex::default(),
            admission,
            store,
            webhook: watch::Sender::new(config.webhook.clone()),
            log,
        }
    }

    /// Who is told of budgets, as it is changed.
    pub(super) fn webhook(&self) -> watch::Receiver<Option<WebhookConfig>> {
        self.webhook.subscribe()
    }

    fn put_in_force(&self, config: &Config) {
        let policy = config.auth.default_policy.clone();
        self.admission.set_default_policy(policy);
        self.store.retain(config.store.retention);
        self.webhook.send_replace(config.webhook.clone());
        self.log.set(config.log.level);
        self.now.store(Arc::new(Now::of(config)));
    }
}

impl control::SettingsBook for LiveSettings {
    fn told(&self) -> Vec<Setting> {
        self.now.load().shown.clone()
    }

    fn change(
        &self,
        wanted: &Map<String, Value>,
        is_dry: bool,
    ) -> Result<Vec<Setting>, SettingFault> {
        let _one = lock(&self.writing);
        let config = self.now.load().layers.with(wanted);
        let config = config
            .map_err(|refused| SettingFault::Refused(refused.into_iter().map(problem).collect()))?;
        if !is_dry {
            let text = config.layers.text();
            disk::replace(config.layers.path(), text.as_bytes())
                .map_err(SettingFault::Unwritable)?;
            self.put_in_force(&config);
        }
        Ok(Now::of(&config).shown)
    }
}

fn problem(unchanged: Unchanged) -> SettingProblem {
    SettingProblem {
        key: unchanged.key,
        message: unchanged.why,
        is_fixed: unchanged.is_fixed,
    }
}

/// A value of the configuration as the control plane shows it.
fn setting(layers: &Layers, shown: &Shown) -> Setting {
    let is_live = Layers::is_live(&shown.key);
    Setting {
        key: shown.key.clone(),
        value: shown.value.clone(),
        source: shown.source.to_string(),
        note: shown.note,
        is_live,
        is_fixed: layers.fixed(&shown.key).is_some(),
    }
}
