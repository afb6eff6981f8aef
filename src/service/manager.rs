//! The three service managers, and what each has to be told. `[pure]`

use super::launchd;
use super::scheduler;
use super::step::Invocation;
use super::step::Step;
use super::systemd;
use std::path::PathBuf;
use std::time::Duration;

/// Who starts the daemon, and where its word about us lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Linux: the user's own manager. `folder` is where its units lie.
    Systemd { folder: PathBuf },
    /// macOS: the agents of the user's session.
    Launchd { folder: PathBuf, user: u32 },
    /// Windows: a task that starts when the user logs on. `folder` is where its description is kept.
    Scheduler { folder: PathBuf, user: String },
}

/// What is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceSpec {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// What the daemon needs of the environment in which it was installed, and which a manager does not pass on.
    pub(crate) env: Vec<(String, String)>,
    /// Where the log goes if the manager keeps none.
    pub(crate) log: PathBuf,
    /// How long the daemon may take to stop before it is killed.
    pub(crate) stop_wait_max: Duration,
}

/// What a manager says of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    NotInstalled,
    Stopped,
    Running { pid: Option<u32> },
    Failed(String),
}

impl Manager {
    /// Its name, for people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Systemd { .. } => "systemd user service",
            Self::Launchd { .. } => "launchd agent",
            Self::Scheduler { .. } => "Task Scheduler task",
        }
    }

    /// The file that describes the service.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Systemd { folder } => folder.join(systemd::UNIT),
            Self::Launchd { folder, .. } => folder.join(launchd::FILE),
            Self::Scheduler { folder, .. } => folder.join(scheduler::FILE),
        }
    }

    /// What stands in that file.
    pub(crate) fn text(&self, spec: &ServiceSpec) -> String {
        match self {
            Self::Systemd { .. } => systemd::unit(spec),
            Self::Launchd { .. } => launchd::plist(spec),
            Self::Scheduler { user, .. } => scheduler::task(spec, user),
        }
    }

    /// Fails where the manager does not serve this user.
    pub(crate) fn greeting(&self) -> Invocation {
        match self {
            Self::Systemd { .. } => systemd::greeting(),
            Self::Launchd { user, .. } => launchd::greeting(*user),
            Self::Scheduler { .. } => scheduler::greeting(),
        }
    }

    /// Writes the description, and has the service start when the user logs in.
    pub(crate) fn install(&self, spec: &ServiceSpec) -> Vec<Step> {
        let bytes = match self {
            Self::Systemd { .. } | Self::Launchd { .. } => self.text(spec).into_bytes(),
            Self::Scheduler { .. } => scheduler::encoded(&self.text(spec)),
        };
        let path = self.file();
        let mut steps = vec![Step::Write { path, bytes }];
        match self {
            Self::Systemd { .. } => steps.extend(systemd::install()),
            Self::Launchd { user, .. } => steps.extend(launchd::install(*user)),
            Self::Scheduler { .. } => steps.push(Step::Run(scheduler::create(&self.file()))),
        }
        steps
    }

    /// Stops the service, and leaves nothing of it behind.
    pub(crate) fn uninstall(&self) -> Vec<Step> {
        match self {
            Self::Systemd { .. } => systemd::uninstall(self.file()),
            Self::Launchd { user, .. } => launchd::uninstall(*user, self.file()),
            Self::Scheduler { .. } => scheduler::uninstall(self.file()),
        }
    }

    pub(crate) fn start(&self) -> Vec<Step> {
        match self {
            Self::Systemd { .. } => systemd::start(),
            Self::Launchd { user, .. } => launchd::start(*user, &self.file()),
            Self::Scheduler { .. } => vec![Step::Run(scheduler::start())],
        }
    }

    /// Stops the service until the next login or the next `start`.
    pub(crate) fn stop(&self) -> Vec<Step> {
        match self {
            Self::Systemd { .. } => vec![Step::Run(systemd::stop())],
            Self::Launchd { user, .. } => vec![Step::Run(launchd::stop(*user))],
            Self::Scheduler { .. } => vec![Step::Run(scheduler::stop())],
        }
    }

    /// Asks for the service's standing, which [`standing`](Self::standing) reads out of the answer.
    pub(crate) fn question(&self) -> Invocation {
        match self {
            Self::Systemd { .. } => systemd::question(),
            Self::Launchd { user, .. } => launchd::question(*user),
            Self::Scheduler { .. } => scheduler::question(),
        }
    }

    /// `answer` is `None` where the command failed: there is no such service then.
    pub(crate) fn standing(&self, answer: Option<&str>) -> Standing {
        match (self, answer) {
            (_, None) => Standing::NotInstalled,
            (Self::Systemd { .. }, Some(answer)) => systemd::standing(answer),
            (Self::Launchd { .. }, Some(answer)) => launchd::standing(answer),
            (Self::Scheduler { .. }, Some(answer)) => scheduler::standing(answer),
        }
    }

    /// Shows the end of the log, and with `follow` what is added to it.
    pub(crate) fn logs(&self, log: &std::path::Path, lines: u32, follow: bool) -> Invocation {
        match self {
            Self::Systemd { .. } => systemd::logs(lines, follow),
            Self::Launchd { .. } => launchd::logs(log, lines, follow),
            Self::Scheduler { .. } => scheduler::logs(log, lines, follow),
        }
    }

    /// Whether the manager keeps what the daemon logs.
    pub(crate) fn keeps_logs(&self) -> bool {
        matches!(self, Self::Systemd { .. })
    }
}

#[cfg(test)]
pub(super) fn awkward() -> ServiceSpec {
    ServiceSpec {
        program: "/opt/my tools/100%/relay \"x\" $HOME".into(),
        args: vec![
            "serve".to_owned(),
            "--config".to_owned(),
            "/home/user/a b/50%$5 <&>.toml".to_owned(),
        ],
        env: vec![(
            "PATH".to_owned(),
            "/usr/bin:/home/user/my bin/100%".to_owned(),
        )],
        log: "/home/user/.inference-relay/daemon.log".into(),
        stop_wait_max: Duration::from_secs(45),
    }
}

/// Paths as users have them who write in other scripts, or like signs.
#[cfg(test)]
pub(super) fn foreign(program: &str, folder: &str) -> ServiceSpec {
    ServiceSpec {
        program: program.into(),
        args: [
            "serve", "--config", "", "a\"b", "]]>", "&amp;", "--port", "7421",
        ]
        .map(|word| word.replace("--config", folder))
        .into(),
        env: vec![("PATH".to_owned(), format!("/usr/bin:{folder}"))],
        log: format!("{folder}/daemon.log").into(),
        stop_wait_max: Duration::from_secs(45),
    }
}
