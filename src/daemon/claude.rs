//! The claude that the daemon drives: found, asked what it is, and given a pool of sessions.

use super::DaemonError;
use crate::config::Config;
use crate::config::Env;
use crate::listen::Budgets;
use crate::pool::ClaudeView;
use crate::pool::Pool;
use crate::record::probe::probe;
use crate::record::stage::Subject;
use crate::record::support::Support;
use crate::session::LaunchContext;
use crate::session::Launcher;
use crate::session::Limits;
use crate::session::ProcessRegistry;
use crate::session::Receiver;
use crate::session::SessionConfig;
use crate::session::Tails;
use crate::session::TranscriptStore;
use crate::session::claude_candidates;
use crate::session::claude_folder;
use crate::session::claude_version;
use crate::session::create_private;
use crate::session::tap_config;
use crate::tap::Tap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SetOnce;

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
    let Some(program) = session.command.clone().or_else(|| discovered(&session)) else {
        tracing::warn!("no claude was found; every call will say so");
        return Ok(Pool::without_claude());
    };
    let claude = ClaudeView {
        path: program.clone(),
        version: Word::default(),
        support: Word::default(),
    };
    let launch_context =
        launch_context(config, &session, &claude.version, registry, budgets).await?;
    ask_about(&claude, &session, config.home.join("probe.json"));
    let launcher = Launcher::new(program, launch_context);
    launcher.sweep();
    let mode = config.claude.first;
    let pool = config.pool.clone();
    Ok(Pool::start(pool, launcher, &session.model, mode, claude))
}

/// How sessions are launched, with a folder for them to run in.
fn session(config: &Config, simulated: bool) -> Result<SessionConfig, DaemonError> {
    let home = DaemonError::home(&config.home);
    let mut session = config.session.clone();
    create_private(&session.work_dir).map_err(&home)?;
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
    version: &Word,
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
    let transcript_store = TranscriptStore::new(
        &folder,
        &session.work_dir,
        Arc::clone(version),
        session.keep_transcripts,
    );
    let tap = match session.tap {
        true => Some(Tap::lay(&tap_config(session), budgets.taps).await?),
        false => None,
    };
    Ok(LaunchContext {
        config: session.clone(),
        tap,
        transcript_store,
        receiver,
        tails,
        registry,
        limits: Limits {
            start: session.start_wait_max,
            turn: config.pool.turn_wait_max,
        },
    })
}

fn discovered(session: &SessionConfig) -> Option<PathBuf> {
    let env = Env::from_iter(session.inherited.clone()).discover();
    claude_candidates(&env).into_iter().next()
}

/// A word that is told once.
type Word = Arc<SetOnce<String>>;

/// Asks the program for its version, and finds out whether it can be driven, beside everything else: the first calls
/// need not wait for it. Only a version that nobody recorded is tried out.
fn ask_about(claude: &ClaudeView, session: &SessionConfig, memory: PathBuf) {
    let (claude, session) = (claude.clone(), session.clone());
    tokio::spawn(async move {
        let asked = claude.path.clone();
        let number =
            tokio::task::spawn_blocking(move || claude_version(&asked, VERSION_WAIT)).await;
        let number = match number {
            Ok(Ok(number)) => number,
            Ok(Err(error)) => return tracing::warn!(%error, "claude did not tell its version"),
            Err(_) => return,
        };
        drop(claude.version.set(number.clone()));
        let subject = Subject::of_sessions(&claude.path, &number, &session);
        match probe(&subject, &memory).await {
            Ok(Support::Supported) => drop(claude.support.set(Support::Supported.to_string())),
            Ok(support) => {
                tracing::warn!(version = number, %support, "claude");
                drop(claude.support.set(support.to_string()));
            }
            Err(error) => tracing::warn!(%error, "claude could not be tried out"),
        }
    });
}

/// Puts the script in claude's place, with a home of its own: nothing of the user's is touched.
fn simulate(session: &mut SessionConfig, home: &Path) -> Result<(), DaemonError> {
    let program = simulated_claude()?;
    let simulated = home.join("simulated");
    create_private(&simulated).map_err(DaemonError::home(&simulated))?;
    session
        .env
        .insert("HOME".to_owned(), simulated.to_string_lossy().into_owned());
    session.command = Some(program);
    Ok(())
}

/// The script that stands in for claude: it is built into the folder that this program lies in.
///
/// # Errors
/// Where it is not built.
fn simulated_claude() -> Result<PathBuf, DaemonError> {
    let own = std::env::current_exe().map_err(DaemonError::machine("own path"))?;
    let program = own.with_file_name(format!("fake-claude{}", std::env::consts::EXE_SUFFIX));
    match program.is_file() {
        true => Ok(program),
        false => Err(DaemonError::NoSimulation(program)),
    }
}

/// A healthy claude answers in under a second.
const VERSION_WAIT: Duration = Duration::from_secs(20);
