//! A stand-in for systemd: it keeps no promise but to start what a unit says, to end it, and to say how it is.

use super::relay::World;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// A user for whom a service manager works. Dropping it ends the service.
pub(crate) struct Manager {
    pub(crate) world: Arc<World>,
}

impl Manager {
    pub(crate) fn new(world: World) -> Manager {
        let folder = world.path("bin");
        fs::create_dir(&folder).expect("a folder for programs must be made");
        let program = folder.join("systemctl");
        fs::write(&program, SYSTEMCTL).expect("a program must be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .expect("a program must be made one");
        Manager {
            world: Arc::new(world),
        }
    }

    /// The relay as this user types it.
    pub(crate) fn relay(&self, args: &[&str]) -> Command {
        let mut command = self.world.program();
        self.reach(&mut command);
        command.args(args);
        command
    }

    pub(crate) fn unit(&self) -> PathBuf {
        self.world
            .path("user/.config/systemd/user/inference-relay.service")
    }

    /// What the manager was told, one command a line.
    pub(crate) fn told(&self) -> String {
        fs::read_to_string(self.world.path("user/told")).unwrap_or_default()
    }

    fn reach(&self, command: &mut Command) {
        let path = super::fake::inherited("PATH").unwrap_or_default();
        let path = path.to_string_lossy();
        let bin = self.world.path("bin");
        command.env("PATH", format!("{}:{path}", bin.display()));
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let mut stop = Command::new(self.world.path("bin/systemctl"));
        stop.args(["--user", "stop", "inference-relay.service"])
            .env("HOME", self.world.path("user"));
        let _ = stop.status(); // It may have been stopped already.
    }
}

/// It reads of a unit what systemd reads, in the shell's way: the words of `ExecStart` and `Environment` are in
/// double quotes, and a doubled sign stands for one.
const SYSTEMCTL: &str = r#"#!/bin/sh
shift # --user
printf '%s\n' "$*" >>"$HOME/told"
unit=$HOME/.config/systemd/user/inference-relay.service
pidfile=$HOME/pid
pid() { cat "$pidfile" 2>/dev/null; }
alive() { [ -n "$(pid)" ] && kill -0 "$(pid)" 2>/dev/null; }
words() { sed -n "s/^$1=//p" "$unit" | sed 's/%%/%/g'; }
case $1 in
show)
    [ -f "$unit" ] || { echo LoadState=not-found; exit 0; }
    echo LoadState=loaded
    if alive; then echo "ActiveState=active"; echo "MainPID=$(pid)"
    elif [ -f "$pidfile" ]; then printf 'ActiveState=failed\nResult=exit-code\nExecMainStatus=2\n'
    else echo ActiveState=inactive; fi ;;
start)
    alive && exit 0
    for pair in $(words Environment | tr ' ' '\001'); do
        eval "export $(printf %s "$pair" | tr '\001' ' ')"
    done
    eval "set -- $(words ExecStart)"
    setsid "$@" </dev/null >/dev/null 2>>"$HOME/log" &
    echo $! >"$pidfile" ;;
stop)
    alive && kill "$(pid)"
    while alive; do sleep 0.05; done
    rm -f "$pidfile" ;;
disable) "$0" --user stop ;;
esac
exit 0
"#;
