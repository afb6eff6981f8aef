//! systemd: the unit, and what `systemctl --user` is told and says. `[pure]`

use super::manager::ServiceSpec;
use super::manager::Standing;
use super::step::Invocation;
use super::step::Step;
use std::path::PathBuf;

pub(super) const UNIT: &str = "inference-relay.service";

/// The unit's text.
///
/// It is closed as far as a claude that works for the user allows. The user's home stays writable (its login is
/// refreshed there), writable memory may run (it compiles its own code), namespaces stay (its sandbox makes them),
/// and the network is open. What is closed needs no right that a user's manager lacks.
pub(super) fn unit(spec: &ServiceSpec) -> String {
    let words = spec.args.iter().map(|arg| argument(arg));
    let program = quoted(&spec.program.to_string_lossy());
    let command: Vec<String> = std::iter::once(program).chain(words).collect();
    let env: String = spec
        .env
        .iter()
        .map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))))
        .collect();
    format!(
        "\
# Written by `inference-relay service install`, which writes it anew each time.
# Your own settings go beside it: `systemctl --user edit {UNIT}`.

[Unit]
Description=inference-relay: the APIs of Anthropic and OpenAI by lanes of your own
# Five failures in five minutes are not mended by a sixth start.
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={command}
{env}
Restart=on-failure
RestartSec=5
# Exit status 2: the user has to change something first (configuration, port, a second daemon).
RestartPreventExitStatus=2

# A stop signal is for the daemon alone: it lets turns end, and ends its sessions itself.
KillMode=mixed
TimeoutStopSec={stop}

NoNewPrivileges=yes
UMask=0077
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
LimitCORE=0

[Install]
WantedBy=default.target
",
        command = command.join(" "),
        stop = spec.stop_wait_max.as_secs(),
    )
}

/// A word in quotes that means itself: systemd knows C's escapes, and its own specifiers after a percent sign.
fn quoted(word: &str) -> String {
    let mut text = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// An argument means itself if no variable is put in for what follows a dollar sign.
fn argument(word: &str) -> String {
    quoted(&word.replace('$', "$$"))
}

pub(super) fn greeting() -> Invocation {
    systemctl(&["show-environment"])
}

pub(super) fn install() -> [Step; 2] {
    [
        Step::Run(systemctl(&["daemon-reload"])),
        Step::Run(systemctl(&["enable", "--quiet", UNIT])),
    ]
}

pub(super) fn uninstall(file: PathBuf) -> Vec<Step> {
    vec![
        Step::Try(systemctl(&["disable", "--quiet", "--now", UNIT])),
        Step::Remove(file),
        Step::Run(systemctl(&["daemon-reload"])),
        Step::Try(systemctl(&["reset-failed", UNIT])),
    ]
}

/// A unit that failed too often does not start before its count is forgotten; whoever asks for a start means it.
pub(super) fn start() -> Vec<Step> {
    vec![
        Step::Try(systemctl(&["reset-failed", UNIT])),
        Step::Run(systemctl(&["start", UNIT])),
    ]
}

pub(super) fn stop() -> Invocation {
    systemctl(&["stop", UNIT])
}

pub(super) fn question() -> Invocation {
    systemctl(&[
        "show",
        "--property=LoadState,ActiveState,SubState,MainPID,Result,ExecMainStatus",
        UNIT,
    ])
}

pub(super) fn standing(answer: &str) -> Standing {
    let field = |name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once('='));
        lines.find_map(|(key, value)| (key == name).then_some(value))
    };
    let pid = field("MainPID")
        .and_then(|pid| pid.parse().ok())
        .filter(|pid| *pid != 0);
    match (field("LoadState"), field("ActiveState"), field("SubState")) {
        (Some("loaded"), Some("active" | "reloading" | "deactivating"), _) => {
            Standing::Running { pid }
        }
        (Some("loaded"), Some("activating"), Some("auto-restart")) | (_, Some("failed"), _) => {
            let result = field("Result").unwrap_or("unknown");
            let status = field("ExecMainStatus").unwrap_or("unknown");
            Standing::Failed(format!("{result}, exit status {status}"))
        }
        (Some("loaded"), Some("activating"), _) => Standing::Running { pid },
        (Some("loaded"), ..) => Standing::Stopped,
        _ => Standing::NotInstalled,
    }
}

pub(super) fn logs(lines: u32, follow: bool) -> Invocation {
    let command = Invocation::new("journalctl", &["--user", "--no-pager", "--output=cat"]);
    let command = command
        .arg(format!("--user-unit={UNIT}"))
        .arg(format!("--lines={lines}"));
    if follow {
        command.arg("--follow")
    } else {
        command
    }
}

fn systemctl(args: &[&str]) -> Invocation {
    let mut command = Invocation::new("systemctl", &["--user"]);
    command
        .args
        .extend(args.iter().map(|arg| (*arg).to_owned()));
    command
}

#[cfg(test)]
mod tests {
    use super::super::manager::awkward;
    use super::*;

    #[test]
    fn a_path_with_blanks_percent_dollar_and_quotes_means_itself() {
        let unit = unit(&awkward());
        assert!(
            unit.contains(
                r#"ExecStart="/opt/my tools/100%%/relay \"x\" $HOME" "serve" "--config" "/home/user/a b/50%%$$5 <&>.toml"
Environment="PATH=/usr/bin:/home/user/my bin/100%%"
"#
            ),
            "{unit}"
        );
    }

    #[test]
    fn the_unit_is_closed_and_does_not_start_for_ever() {
        let unit = unit(&awkward());
        for line in [
            "NoNewPrivileges=yes",
            "UMask=0077",
            "Restart=on-failure",
            "RestartPreventExitStatus=2",
            "StartLimitBurst=5",
            "KillMode=mixed",
            "TimeoutStopSec=45",
            "WantedBy=default.target",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
        }
    }

    #[test]
    fn the_standing_is_read_from_what_systemctl_shows() {
        let show = |load, active, sub, result| {
            standing(&format!(
                "LoadState={load}\nActiveState={active}\nSubState={sub}\nMainPID=12\nResult={result}\nExecMainStatus=2\n"
            ))
        };
        assert_eq!(
            show("loaded", "active", "running", "success"),
            Standing::Running { pid: Some(12) }
        );
        assert_eq!(
            show("loaded", "inactive", "dead", "success"),
            Standing::Stopped
        );
        assert_eq!(
            show("not-found", "inactive", "dead", "success"),
            Standing::NotInstalled
        );
        let failed = Standing::Failed("exit-code, exit status 2".to_owned());
        assert_eq!(show("loaded", "failed", "failed", "exit-code"), failed);
        assert_eq!(
            show("loaded", "activating", "auto-restart", "exit-code"),
            failed
        );
    }
}
