//! The service under systemd itself.

use super::missing::Missing;
use super::missing::trials;
use super::support::manager::Manager;
use super::support::relay::World;
use super::support::relay::free_port;
use libtest_mimic::Trial;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::process::Output;

pub(crate) fn all() -> Vec<Trial> {
    trials![systemd_itself_runs_restarts_and_stops_the_service]
}

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn words(output: &Output) -> String {
    let (told, said) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(told),
        String::from_utf8_lossy(said)
    )
}

/// systemd as a user's own manager, in a private `/run`, where this machine lets us.
fn systemd_itself_runs_restarts_and_stops_the_service() -> Result<(), Missing> {
    let world = World::scripted(ECHO).pool("idle = 1\nmax = 1");
    let port = free_port();
    world.settle(port);
    let (user, address) = (
        Manager::new(world),
        SocketAddr::from(([127, 0, 0, 1], port)),
    );
    let script = user.world.path("with-systemd.sh");
    fs::write(&script, WITH_SYSTEMD).expect("a script must be written");
    let relay = user.relay(&[]);
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh"])
        .arg(&script)
        .arg(relay.get_program());
    command.env_clear();
    for (name, value) in relay.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let path = super::support::fake::inherited("PATH").unwrap_or_default();
    let output = command
        .env("PATH", path)
        .env("URL", format!("http://{address}"))
        .output();
    let told = match &output {
        Ok(output) => words(output),
        Err(error) => error.to_string(),
    };
    if let Some(what) = told.lines().find_map(|line| line.strip_prefix("MISSING: ")) {
        return Err(Missing::of(what));
    }
    if !Path::new("/usr/lib/systemd/systemd").exists() || told.contains("unshare failed") {
        return Err(Missing::of("a systemd that can be run"));
    }
    for words in [
        "state:   running",
        "health: 200",
        "after a kill: 200",
        "restarts: 1",
        "stopped: 000",
        "gone: not-found",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    Ok(())
}

const WITH_SYSTEMD: &str = r#"
relay=$1
[ -x /usr/lib/systemd/systemd ] || { echo "MISSING: systemd"; exit 0; }
mount -t tmpfs tmpfs /run || { echo "MISSING: the right to mount a private /run"; exit 0; }
mkdir -p /run/systemd/system /run/user/own && chmod 700 /run/user/own
export XDG_RUNTIME_DIR=/run/user/own
/usr/lib/systemd/systemd --user --log-target=null </dev/null >/dev/null 2>&1 &
manager=$!
tries=0
until [ "$(systemctl --user is-system-running 2>/dev/null)" = running ]; do
    tries=$((tries+1)); [ $tries -lt 100 ] || { echo "MISSING: a systemd that comes up"; kill $manager; exit 0; }
    sleep 0.1
done
code() { curl -s -o /dev/null -w '%{http_code}' "$URL/v1/health"; }
unit() { systemctl --user show --property="$1" --value inference-relay.service; }
mkdir -p "$HOME/.config/systemd/user/inference-relay.service.d"
printf '[Service]\nRestartSec=0\n' >"$HOME/.config/systemd/user/inference-relay.service.d/fast.conf"
"$relay" service install
echo "health: $(code)"
kill -9 "$(unit MainPID)"
tries=0
until [ "$(code)" = 200 ] || [ $tries -gt 200 ]; do tries=$((tries+1)); sleep 0.1; done
echo "after a kill: $(code)"
echo "restarts: $(unit NRestarts)"
systemctl --user show --property=NoNewPrivileges,UMask,KillMode inference-relay.service
"$relay" service stop
echo "stopped: $(code)"
"$relay" service uninstall
echo "gone: $(unit LoadState)"
kill $manager
wait
"#;
