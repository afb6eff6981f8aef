//! The claude that the daemon drives: found, asked what it is, and given a pool of sessions.

use super::DaemonError;
use super::simulated;
use crate::cause::causes;
use crate::codex::CodexConfig;
use crate::config::Config;
use crate::config::Env;
use crate::disk::make_private_folder;
use crate::listen::Budgets;
use crate::pool::Pool;
use crate::record::probe::probe;
use crate::record::probe::recalled;
use crate::record::stage::Subject;
use crate::record::support::remedy;
use crate::session::Assessment;
use crate::session::Habits;
use crate::session::Installation;
use crate::session::Installations;
use crate::session::LaunchContext;
use crate::session::Launcher;
use crate::session::Limits;
use crate::session::ProcessRegistry;
use crate::session::Receiver;
use crate::session::Rehearsals;
use crate::session::SessionConfig;
use crate::session::Support;
use crate::session::Tails;
use crate::session::TranscriptStore;
use crate::session::VersionError;
use crate::session::claude_candidates;
use crate::session::claude_folder;
use crate::session::claude_version;
use crate::session::tap_config;
use crate::tap::Tap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The sessions of the claude that is configured, or else found; or of the script in its place.
///
/// # Errors
/// Where the machine or the state folder gives too little.
pub(super) async fn pool(
    config: &Config,
    simulated: bool,
    registry: ProcessRegistry,
    budgets: Budgets,
) -> Result<Pool, DaemonError> {
    let session = session(config, simulated)?;
    let launch_context = launch_context(config, &session, registry, budgets).await?;
    let inquiry = Inquiry {
        session: session.clone(),
        store: launch_context.transcript_store.clone(),
        rehearsals: launch_context.rehearsals.clone(),
        memory: config.home.join("probe.json"),
    };
    let installations = installations(inquiry);
    let launcher = Launcher::new(installations.clone(), launch_context);
    // Before the first look, which starts a rehearsal: what that writes would be taken for what an earlier daemon left.
    launcher.sweep();
    if installations.current().is_err() {
        tracing::warn!("no claude was found; every call will say so until there is one");
    }
    installations.watch();
    let mode = config.claude.first;
    let pool = config.pool.clone();
    Ok(Pool::start(pool, launcher, &session.model, mode))
}

/// How sessions are launched, with a folder for them to run in.
fn session(config: &Config, simulated: bool) -> Result<SessionConfig, DaemonError> {
    let home = DaemonError::home(&config.home);
    let mut session = config.session.clone();
    make_private_folder(&session.work_dir).map_err(&home)?;
    session.work_dir = session.work_dir.canonicalize().map_err(&home)?;
    if simulated {
        simulate(&mut session, &config.home)?;
    }
    Ok(session)
}

/// What all sessions share.
async fn launch_context(
    config: &Config,
    session: &SessionConfig,
    registry: ProcessRegistry,
    budgets: Budgets,
) -> Result<LaunchContext, DaemonError> {
    let receiver = Receiver::listen(budgets.hooks).await;
    let receiver = receiver.map_err(DaemonError::machine("loopback port"))?;
    let tails = Tails::start().map_err(DaemonError::machine("file notification"))?;
    let folder = claude_folder(session).ok_or_else(|| {
        let why = "HOME is not set, so claude's own folder is unknown";
        DaemonError::machine("home")(io::Error::other(why))
    })?;
    let transcript_store =
        TranscriptStore::new(&folder, &session.work_dir, session.keep_transcripts);
    let tap = match session.tap {
        true => Some(Tap::lay(&tap_config(session), budgets.taps).await?),
        false => None,
    };
    let rehearsals = Rehearsals::new(session.clone(), registry.clone(), transcript_store.clone());
    Ok(LaunchContext {
        config: session.clone(),
        rehearsals,
        tap,
        transcript_store,
        receiver,
        tails,
        registry,
        limits: Limits {
            start: session.start_wait_max,
            turn: config.pool.turn_wait_max,
            proven: false,
        },
    })
}

/// The claudes of this machine, each of which is asked what it is once it is met.
fn installations(inquiry: Inquiry) -> Installations {
    let configured = inquiry.session.clone();
    let locate = move || {
        let command = configured.command.clone();
        command.or_else(|| discovered(&configured))
    };
    let ask = move |installations: Installations, installation: Arc<Installation>| {
        let inquiry = inquiry.clone();
        tokio::spawn(async move { inquiry.ask(&installations, &installation).await });
    };
    Installations::new(Box::new(locate), Box::new(ask), remedy())
}

fn discovered(session: &SessionConfig) -> Option<PathBuf> {
    let env = Env::from_iter(session.inherited.clone()).discover();
    claude_candidates(&env).into_iter().next()
}

/// What is asked of an installation, beside everything else: the first calls need not wait for all of it.
#[derive(Clone)]
struct Inquiry {
    session: SessionConfig,
    store: TranscriptStore,
    rehearsals: Rehearsals,
    memory: PathBuf,
}

impl Inquiry {
    /// Asks for the version, and finds out whether it can be driven, and how. Only a version that nobody recorded is
    /// tried out.
    async fn ask(&self, installations: &Installations, installation: &Installation) {
        let told = installation.version().map(str::to_owned);
        let version = match told {
            None => self.version(installations, installation).await,
            Some(version) => Ok(version),
        };
        let version = match version {
            Ok(version) => version,
            Err(verdict) => {
                // In this order: no session is warmed of one that is known not to run.
                installations.tell(installation, verdict.map(unsupported));
                installations.tell_rehearsed(installation);
                return self.watch_for_mending(installations, installation).await;
            }
        };
        self.store.label(&version);
        installations.tell_version(installation, version.clone());
        let rehearse = async {
            self.rehearsals
                .play(installation, &self.session.model)
                .await;
            installations.tell_rehearsed(installation);
        };
        let assess = async {
            let found = self.assess(installations, installation, &version).await;
            installations.tell(installation, found);
        };
        tokio::join!(rehearse, assess);
    }

    async fn assess(
        &self,
        installations: &Installations,
        installation: &Installation,
        version: &str,
    ) -> Option<Assessment> {
        if let Some(known) = recalled(version, &self.memory) {
            return Some(known);
        }
        installations.tell_asked(installation);
        let subject = Subject::of_sessions(&installation.path, version, &self.session);
        match probe(&subject, &self.memory).await {
            Ok(found) => {
                let (support, habits) = (&found.support, &found.habits);
                tracing::info!(version, %support, %habits, "claude was tried out");
                Some(found)
            }
            Err(error) => {
                tracing::warn!(%error, "claude could not be tried out");
                None
            }
        }
    }

    /// Its own word. A file that is still being written may not have one yet.
    ///
    /// # Errors
    /// It tells none; with why it cannot be driven, where that is known by this alone.
    async fn version(
        &self,
        installations: &Installations,
        installation: &Installation,
    ) -> Result<String, Option<String>> {
        let (mut verdict, mut told) = (None, String::new());
        for _ in 0..VERSION_TRIES {
            let error = match Self::asked(installation, VERSION_WAIT).await {
                Some(Ok(version)) => return Ok(version),
                Some(Err(error)) => error,
                None => return Err(None),
            };
            let words = causes(&error);
            if words != told {
                tracing::warn!(path = %installation.path.display(), error = %words, "claude did not tell its version");
                told = words;
            }
            verdict = error.verdict();
            if matches!(error, VersionError::TimedOut { .. }) {
                break;
            }
            tokio::time::sleep(VERSION_PAUSE).await;
            if !installations.is_current(installation) {
                return Err(None);
            }
        }
        Err(verdict)
    }

    /// What it says to `--version`; `None` where asking it failed.
    async fn asked(
        installation: &Installation,
        limit: Duration,
    ) -> Option<Result<String, VersionError>> {
        let program = installation.path.clone();
        let asked = tokio::task::spawn_blocking(move || claude_version(&program, limit));
        asked.await.ok()
    }

    /// What is wrong beside its file may be mended without a change to it: asks now and then, for as long as it is there.
    async fn watch_for_mending(&self, installations: &Installations, installation: &Installation) {
        loop {
            tokio::time::sleep(MENDED_LOOK).await;
            if !installations.is_current(installation) {
                return;
            }
            if let Some(Ok(_)) = Self::asked(installation, MENDED_WAIT).await {
                return installations.forget(installation);
            }
        }
    }
}

/// The verdict on a claude that does not even tell its version.
fn unsupported(why: String) -> Assessment {
    Assessment {
        support: Support::Unsupported(why),
        habits: Habits::default(),
    }
}

/// Puts the script in claude's place, with a home of its own: nothing of the user's is touched.
fn simulate(session: &mut SessionConfig, home: &Path) -> Result<(), DaemonError> {
    let program = simulated::program("fake-claude")?;
    if !program.is_file() {
        return Err(DaemonError::NoSimulation(program));
    }
    let folder = home.join("simulated");
    make_private_folder(&folder).map_err(DaemonError::home(&folder))?;
    session
        .env
        .insert("HOME".to_owned(), folder.to_string_lossy().into_owned());
    session.command = Some(program);
    Ok(())
}

/// How the Codex CLI is run, or its stand-in. Where that is not built, the lane says that there is no CLI.
///
/// # Errors
/// Where this program does not know where it lies.
pub(super) fn codex(config: &Config, is_simulated: bool) -> Result<CodexConfig, DaemonError> {
    let mut codex = config.codex.clone();
    if is_simulated {
        let home = config.home.join("simulated/codex");
        codex.command = Some(simulated::program("fake-codex")?);
        let home = home.to_string_lossy().into_owned();
        codex.env.insert("CODEX_HOME".to_owned(), home);
    }
    Ok(codex)
}

/// How often one is asked that does not answer well, and how long it is left alone in between.
const VERSION_TRIES: u32 = 5;
const VERSION_PAUSE: Duration = Duration::from_secs(1);
/// How often one that did not work is asked whether it does.
const MENDED_LOOK: Duration = Duration::from_secs(30);
/// How long it may take then: one that still hangs must not hold up the relay's end.
const MENDED_WAIT: Duration = Duration::from_secs(2);
/// A healthy claude answers in under a second.
const VERSION_WAIT: Duration = Duration::from_secs(20);
