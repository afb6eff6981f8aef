//! The license_client: what is known of the licence, and the task that has it renewed.

use super::AuthorityConfig;
use super::TrustSource;
use super::client;
use super::fault;
use super::monthly_calls::MonthlyCalls;
use super::view::View;
use crate::cause::causes;
use crate::clock;
use crate::disk;
use crate::license::Grant;
use crate::license::LicenseKey;
use crate::license::Problem;
use crate::license::Standing;
use crate::license::Terms;
use crate::license::Trust;
use crate::license::Verdict;
use crate::license::check_answer;
use crate::license::month;
use crate::license::verify;
use crate::sync::lock;
use crate::turn::Fault;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::time::sleep;
use tokio::time::timeout;

/// How soon a question that got no answer is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How often the count of calls is written, where it changed.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// How long a start waits for a first answer where none is on disk, so that the first call finds one.
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// Keeps the licence. Cheap to clone; one without an authority lets everybody through.
#[derive(Clone)]
pub(crate) struct LicenseClient {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    place: TrustSource,
    key: Option<LicenseKey>,
    grace: Duration,
    refresh_every: Duration,
    /// The answer as it was signed.
    token_path: PathBuf,
    monthly_calls_path: PathBuf,
    state: Mutex<LicenseState>,
    /// Held while the authority is asked.
    asking: tokio::sync::Mutex<()>,
}

struct LicenseState {
    standing: Standing,
    monthly_calls: MonthlyCalls,
    is_written: bool,
    refreshed_at: Option<u64>,
    /// Questions that were begun.
    asked: u64,
}

impl LicenseClient {
    /// Reads what is on disk.
    ///
    /// # Errors
    /// Says why the authority's public keys cannot be used.
    pub(crate) fn open(config: AuthorityConfig, home: &Path) -> Result<LicenseClient, String> {
        let Some(place) = config.place else {
            return Ok(LicenseClient { shared: None });
        };
        let trust = trust(&place)?;
        let (token_path, monthly_calls_path) = (home.join("license.jws"), home.join("usage.json"));
        let now = now();
        let grant = config
            .key
            .as_ref()
            .and_then(|key| kept(&token_path, &trust, key));
        let monthly_calls = MonthlyCalls::read(&monthly_calls_path, now);
        let problem = match (&config.key, &grant) {
            (None, _) => Some(Problem::NoKey),
            (Some(_), None) => Some(Problem::NotAsked),
            (Some(_), Some(_)) => None,
        };
        let state = LicenseState {
            refreshed_at: grant.as_ref().map(|grant| grant.iat * 1000),
            standing: Standing {
                grant,
                problem,
                calls_since: monthly_calls.unreported(),
            },
            monthly_calls,
            is_written: true,
            asked: 0,
        };
        Ok(LicenseClient {
            shared: Some(Arc::new(Shared {
                place,
                key: config.key,
                grace: config.grace,
                refresh_every: config.refresh_every,
                token_path,
                monthly_calls_path,
                state: Mutex::new(state),
                asking: tokio::sync::Mutex::default(),
            })),
        })
    }

    #[cfg(test)]
    pub(crate) fn open_to_all() -> LicenseClient {
        LicenseClient { shared: None }
    }

    /// The gate. It knows what was answered last, and asks nobody.
    pub(crate) fn admit(&self) -> Result<(), Fault> {
        let Some(shared) = &self.shared else {
            return Ok(());
        };
        match shared.judge(now()) {
            Verdict::Good | Verdict::Grace { .. } => Ok(()),
            Verdict::Denied(denial) => Err(fault::of(denial)),
        }
    }

    /// Counts a call that was answered.
    pub(crate) fn count(&self) {
        if let Some(shared) = &self.shared {
            let mut state = shared.state();
            state.turn_month(now());
            state.monthly_calls.calls += 1;
            state.standing.calls_since += 1;
            state.is_written = false;
        }
    }

    /// Asks the authority now. What came of it is in the view.
    pub(crate) async fn refresh(&self) {
        let Some(shared) = &self.shared else { return };
        let before = shared.state().asked;
        let asking = shared.asking.lock().await;
        // An answer is shared only if its question came after this demand: an earlier one may not know of a top-up.
        if shared.state().asked == before {
            shared.renew().await;
        }
        drop(asking);
    }

    /// Waits a little for a first answer, where there is none yet.
    pub(crate) async fn settle(&self) {
        let is_new = |shared: &Arc<Shared>| shared.state().standing.grant.is_none();
        if self.shared.as_ref().is_some_and(is_new) {
            drop(timeout(FIRST_WAIT, self.refresh()).await);
        }
    }

    /// Has it renewed for as long as the task lives.
    pub(crate) async fn run(self) {
        let Some(shared) = self.shared.clone() else {
            return;
        };
        if shared.state().asked == 0 {
            self.refresh().await;
        }
        loop {
            let failed = shared.state().standing.problem.is_some();
            let wait = match failed {
                true => RETRY_AFTER.min(shared.refresh_every),
                false => shared.refresh_every,
            };
            let mut left = jittered(wait);
            while !left.is_zero() {
                let nap = left.min(WRITE_EVERY);
                sleep(nap).await;
                left -= nap;
                let shared = Arc::clone(&shared);
                // A failure is told where it happens, and the task does not panic.
                drop(tokio::task::spawn_blocking(move || shared.write()).await);
            }
            self.refresh().await;
        }
    }

    /// Writes the count of calls, where it changed. It blocks.
    pub(crate) fn write(&self) {
        if let Some(shared) = &self.shared {
            shared.write();
        }
    }

    /// `None`: there is no authority.
    pub(crate) fn view(&self) -> Option<View> {
        let shared = self.shared.as_ref()?;
        let now = now();
        let verdict = shared.judge(now);
        let state = shared.state();
        let standing = &state.standing;
        let terms = standing.grant.as_ref().map(|grant| Terms {
            usage_this_month: standing.usage(now),
            cap_exceeded: standing.is_over_cap(grant, now),
            ..grant.license.clone()
        });
        Some(View {
            is_configured: shared.key.is_some(),
            terms,
            verdict,
            grace: shared.grace,
            expires_at: standing.grant.as_ref().map(|grant| grant.exp * 1000),
            refreshed_at: state.refreshed_at,
            problem: standing.problem.as_ref().map(Problem::words),
            top_up_url: standing
                .grant
                .as_ref()
                .and_then(|grant| grant.top_up_url.clone()),
        })
    }
}

impl Shared {
    fn judge(&self, now: u64) -> Verdict {
        let mut state = self.state();
        state.turn_month(now);
        state.standing.judge(self.grace.as_secs(), now)
    }

    async fn renew(&self) {
        self.state().asked += 1;
        let asked = match &self.key {
            Some(key) => self.ask(key).await,
            None => Err(Problem::NoKey),
        };
        let mut state = self.state();
        match asked {
            Ok((grant, reported)) => {
                state.turn_month(now());
                state.monthly_calls.reported = reported.min(state.monthly_calls.calls);
                state.is_written = false;
                state.refreshed_at = Some(clock::unix_ms());
                state.standing = Standing {
                    grant: Some(grant),
                    problem: None,
                    calls_since: state.monthly_calls.unreported(),
                };
            }
            Err(problem) => {
                tracing::warn!(problem = problem.words(), "the licence was not renewed");
                state.standing.problem = Some(problem);
            }
        }
    }

    /// One question; with the answer comes how many calls it knows of.
    async fn ask(&self, key: &LicenseKey) -> Result<(Grant, u64), Problem> {
        let unreachable = Problem::Unreachable;
        let trust = trust(&self.place).map_err(unreachable)?;
        let nonce = nonce().map_err(|error| unreachable(error.to_string()))?;
        let (month, calls) = {
            let mut state = self.state();
            state.turn_month(now());
            (state.monthly_calls.month.clone(), state.monthly_calls.calls)
        };
        let question = json!({
            "licenseKey": key.0,
            "nonce": nonce,
            "product": "inference-relay",
            "version": env!("CARGO_PKG_VERSION"),
            "usage": { "month": month, "calls": calls },
        });
        let answer = client::post(&self.place.endpoint, question.to_string().into_bytes());
        let token = answer.await.map_err(unreachable)?;
        let grant = verify(&token, &trust, &key.subject()).map_err(Problem::Refused)?;
        match check_answer(&grant, &nonce, now()).map_err(Problem::Refused)? {
            Ok(()) => {}
            Err(ahead) => return Err(Problem::Clock { ahead }),
        }
        if let Err(error) = disk::replace(&self.token_path, token.trim().as_bytes()) {
            tracing::warn!(error = %causes(&error), "the licence could not be kept; a restart will have to ask again");
        }
        Ok((grant, calls))
    }

    /// Writes the count of calls, where it changed since it was written last.
    fn write(&self) {
        let monthly_calls = {
            let state = self.state();
            if state.is_written {
                return;
            }
            state.monthly_calls.clone()
        };
        match monthly_calls.write(&self.monthly_calls_path) {
            Ok(()) => self.state().note_written(&monthly_calls),
            Err(error) => {
                tracing::warn!(error = %causes(&error), "the count of calls could not be written; it is tried again");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, LicenseState> {
        lock(&self.state)
    }
}

impl LicenseState {
    /// A call that was counted meanwhile is still to be written.
    fn note_written(&mut self, monthly_calls: &MonthlyCalls) {
        self.is_written = self.monthly_calls == *monthly_calls;
    }

    /// A new month begins at nothing.
    fn turn_month(&mut self, now: u64) {
        if self.monthly_calls.month != month(now) {
            self.monthly_calls = MonthlyCalls::new(now);
            self.standing.calls_since = 0;
        }
    }
}

/// The public keys are read again for each question, so that a new one needs no restart.
fn trust(place: &TrustSource) -> Result<Trust, String> {
    let path = place.keys.display();
    let text = fs::read_to_string(&place.keys)
        .map_err(|error| format!("the public keys in {path} do not open: {error}"))?;
    Trust::read(&text).map_err(|problem| format!("{path} is no set of public keys: {problem}"))
}

/// The answer on disk, if it still verifies.
fn kept(path: &Path, trust: &Trust, key: &LicenseKey) -> Option<Grant> {
    let token = fs::read_to_string(path).ok()?;
    verify(&token, trust, &key.subject())
        .inspect_err(|error| tracing::warn!(%error, "the licence on disk does not count"))
        .ok()
}

fn nonce() -> Result<String, getrandom::Error> {
    Ok(format!(
        "{:016x}{:016x}",
        getrandom::u64()?,
        getrandom::u64()?
    ))
}

/// Nine to eleven tenths, so that many relays do not ask at once.
fn jittered(wait: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(0) % 201;
    wait * (900 + chance) / 1000
}

fn now() -> u64 {
    clock::unix_ms() / 1000
}
