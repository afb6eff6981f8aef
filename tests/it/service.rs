//! The service: against a stand-in for systemd everywhere, and by systemd itself where a private one can be run.

use super::support::client;
use super::support::manager::Manager;
use super::support::relay::World;
use super::support::relay::free_port;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn user() -> (Manager, SocketAddr) {
    let world = World::scripted(ECHO).pool("idle = 1\nmax = 1");
    let port = free_port();
    world.settle(port);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    (Manager::new(world), address)
}

fn run(user: &Manager, args: &[&str]) -> Output {
    user.relay(args).output().expect("the command must run")
}

fn words(output: &Output) -> String {
    let (told, said) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(told),
        String::from_utf8_lossy(said)
    )
}

fn standing(user: &Manager) -> Value {
    let output = run(user, &["service", "status", "--json"]);
    serde_json::from_slice(&output.stdout).expect("--json prints JSON alone")
}

#[test]
fn a_service_is_installed_stopped_started_and_gone_again() {
    let (user, address) = user();
    assert_eq!(standing(&user)["state"], "not installed");
    let installed = run(&user, &["service", "install"]);
    assert_eq!(installed.status.code(), Some(0), "{}", words(&installed));
    assert_eq!(standing(&user)["state"], "running");
    let answer = client::post(address, &client::call("By service."));
    assert_eq!(answer.text(), "By service.");

    let stopped = run(&user, &["service", "stop"]);
    assert_eq!(stopped.status.code(), Some(0), "{}", words(&stopped));
    assert_eq!(standing(&user)["state"], "stopped");
    assert!(std::net::TcpStream::connect(address).is_err());

    let started = run(&user, &["service", "start"]);
    assert_eq!(started.status.code(), Some(0), "{}", words(&started));
    assert_eq!(client::get(address, "/v1/health").status, 200);

    let gone = run(&user, &["service", "uninstall"]);
    assert_eq!(gone.status.code(), Some(0), "{}", words(&gone));
    assert!(!user.unit().exists());
    assert_eq!(standing(&user)["state"], "not installed");
    assert!(user.world.path("state/relay.toml").is_file());
}

#[test]
fn nothing_is_started_that_was_not_installed() {
    let (user, _) = user();
    for verb in ["start", "stop"] {
        let output = run(&user, &["service", verb]);
        assert_eq!(output.status.code(), Some(1));
        let told = words(&output);
        assert!(told.contains("no service is installed"), "{told}");
        assert!(told.contains("`inference-relay service install`"), "{told}");
    }
}

#[test]
fn a_service_that_cannot_run_says_so_and_where_to_look() {
    let (user, address) = user();
    let port = address.port();
    let _holder = std::net::TcpListener::bind(address).expect("the port must be free");
    let output = run(&user, &["service", "install"]);
    let told = words(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("exit status 2"), "{told}");
    assert!(told.contains("`inference-relay service logs`"), "{told}");
    let log = fs::read_to_string(user.world.path("user/log")).unwrap_or_default();
    assert!(
        log.contains("bind_failed") && log.contains(&port.to_string()),
        "{log}"
    );
}

#[test]
fn a_daemon_that_is_no_service_is_not_pushed_aside() {
    let relay = World::scripted(ECHO).pool("idle = 0").start();
    relay.world.settle(relay.address.port());
    let other = World::scripted(ECHO);
    other.settle(relay.address.port());
    let user = Manager::new(other);
    let output = run(&user, &["service", "install"]);
    let told = words(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("already_running"), "{told}");
    assert!(!user.unit().exists());
    assert_eq!(relay.ask("Still here?").text(), "Still here?");
}

#[test]
fn the_file_can_be_looked_at_before_it_is_written() {
    let (user, _) = user();
    let output = run(&user, &["service", "install", "--print", "--port", "7499"]);
    let unit = words(&output);
    assert!(unit.contains("\"serve\" \"--port\" \"7499\"\n"), "{unit}");
    assert!(!user.unit().exists());
}

#[test]
fn the_service_has_the_settings_of_its_users_environment_and_says_which_it_has_not() {
    let (user, _) = user();
    let printed = user
        .relay(&["service", "install", "--print"])
        .env("SR_DAEMON_PORT", "7499")
        .env("RELAY_CONTROL_PORT", "off")
        .env("RELAY_CONFIG_DIR", "/srv/rows")
        .env(
            "RELAY_MASTER_KEY",
            "c2VhbGVkLXNlYWxlZC1zZWFsZWQtc2VhbGVkLTEyMzQ=",
        )
        .output()
        .expect("the command must run");
    assert_eq!(printed.status.code(), Some(0), "{}", words(&printed));
    let unit = String::from_utf8_lossy(&printed.stdout);
    for line in [
        "Environment=\"SR_DAEMON_PORT=7499\"",
        "Environment=\"RELAY_CONTROL_PORT=off\"",
        "Environment=\"RELAY_CONFIG_DIR=/srv/rows\"",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    assert!(!unit.contains("RELAY_MASTER_KEY"), "{unit}");
    let said = String::from_utf8_lossy(&printed.stderr);
    assert!(
        said.contains("RELAY_MASTER_KEY is not kept for the service"),
        "{said}"
    );
}

#[test]
fn the_service_reaches_and_trusts_what_its_user_does_and_nobody_else_reads_how() {
    let (user, _) = user();
    let installed = user
        .relay(&["service", "install", "--no-start"])
        .env("HTTPS_PROXY", "http://ann:100%@proxy:3128")
        .env("NODE_EXTRA_CA_CERTS", "/etc/our own.pem")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .expect("the command must run");
    assert_eq!(installed.status.code(), Some(0), "{}", words(&installed));
    let unit = fs::read_to_string(user.unit()).expect("the unit must be there");
    for line in [
        "Environment=\"HTTPS_PROXY=http://ann:100%%@proxy:3128\"",
        "Environment=\"NODE_EXTRA_CA_CERTS=/etc/our own.pem\"",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    assert!(!unit.contains("secret"), "{unit}");
    let mode = fs::metadata(user.unit()).expect("the unit is there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_log_file_is_written_and_a_failure_stands_in_it() {
    let world = World::scripted(ECHO);
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let port = holder.local_addr().expect("a listener has one").port();
    let log = world.path("deep/daemon.log");
    let path = log.to_string_lossy().into_owned();
    let refusal = world.refusal(&["--port", &port.to_string(), "--log-file", &path]);
    assert_eq!(refusal.code, Some(2), "{}", refusal.words);
    let told = fs::read_to_string(log).expect("a log must be there");
    assert!(told.contains("bind_failed"), "{told}");
    assert!(refusal.words.contains("bind_failed"));
}
