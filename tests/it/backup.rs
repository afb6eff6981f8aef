//! A backup of a relay that runs, a relay that is made of it, and another master key.

use super::hosts;
use super::support::api_host::Host;
use super::support::api_host::says;
use super::support::client;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use super::usage;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";
const SECRET: &str = "sk-kept-by-the-relay";

/// Keeps a credential in the relay's own file.
fn keep(world: &World) {
    let mut command = world.program();
    let mut child = command
        .args(["secret", "set", "host-a"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the command must run");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(SECRET.as_bytes()).expect("it is read");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

/// A relay whose host answers to the kept credential alone.
fn declared(host: &Host) -> World {
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-b", "sk-b");
    let catalog =
        hosts::catalog(host, &["http:one"]).replace("{ file: key-a }", "{ secret: host-a }");
    world.declare(&catalog);
    world
}

fn asked_with(host: &Host) -> String {
    host.asked()
        .last()
        .expect("the host was asked")
        .key()
        .to_owned()
}

fn told(world: &World, args: &[&str]) -> (bool, Value, String) {
    let output = world.run(args);
    let told = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), told, errors)
}

#[test]
fn a_relay_is_made_anew_of_a_backup_that_was_taken_while_it_ran() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = declared(&host);
    keep(&world);
    let key = usage::key(&world, &["laptop"]);
    let relay = world.start();
    let ask = |relay: &Relay| client::post_as(relay.address, &key, &hosts::asking("x")).status;
    assert_eq!(ask(&relay), 200);
    let calls = |world: &World| {
        told(world, &["usage", "--json", "--by", "key"]).1["data"][0]["calls"].clone()
    };
    wait::until("the call in the store", || calls(&relay.world).as_u64());
    let file = relay.world.path("relay.tar");
    let path = file.to_string_lossy().into_owned();
    let (is_made, made, errors) = told(&relay.world, &["backup", &path, "--json"]);
    assert!(is_made, "{errors}");
    assert_eq!((&made["keys"], &made["secrets"]), (&1.into(), &1.into()));
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = fs::read(&file).expect("it is there");
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(!has(SECRET) && !has("sk-b") && !has(&key) && has("kind: Host"));
    assert!(told(&relay.world, &["backup", &path, "--check"]).0);
    let (is_made, _, errors) = told(&relay.world, &["backup", &path]);
    assert!(!is_made && errors.contains("is there already"), "{errors}");

    let next = World::scripted(ECHO).pool("idle = 0");
    next.declare("kind: Host\nmetadata: { name: older }\nspec: { url: \"http://127.0.0.1:1\", network: private }\n");
    let (is_put, put, errors) = told(&next, &["restore", &path, "--json"]);
    assert!(is_put && put["keys"] == 1, "{errors}");
    let kept = Path::new(put["kept"].as_str().expect("something stood there")).to_owned();
    let rows = fs::read_dir(kept.join("catalog")).expect("the rows before are kept");
    assert_eq!(rows.count(), 1);
    let master = relay.world.path("state/master.key");
    fs::copy(master, next.path("state/master.key")).expect("it is kept apart");
    drop(relay);
    let again = next.start();
    assert_eq!(calls(&again.world), 1);
    assert_eq!(client::post(again.address, &hosts::asking("x")).status, 401);
    assert_eq!(ask(&again), 200);
    assert_eq!(asked_with(&host), SECRET);
    let (is_put, _, errors) = told(&again.world, &["restore", &path]);
    assert!(!is_put && errors.contains("already_running"), "{errors}");
}

#[test]
fn a_backup_that_was_changed_or_cut_off_is_no_good_one() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = declared(&host);
    let file = world.path("relay.tar");
    let path = file.to_string_lossy().into_owned();
    assert!(told(&world, &["backup", &path]).0, "without a store, too");
    let bytes = fs::read(&file).expect("it is there");
    let at = bytes
        .windows(10)
        .position(|window| window == b"kind: Host")
        .expect("a row");
    let mut changed = bytes.clone();
    changed[at] = b'K';
    for (bad, words) in [
        (&changed[..], "is not what was put in"),
        (&bytes[..at], "cut off"),
    ] {
        fs::write(&file, bad).expect("it is written");
        let (is_good, _, errors) = told(&world, &["backup", &path, "--check"]);
        assert!(!is_good && errors.contains(words), "{errors}");
        let rows = || world.files("state/catalog").len() + world.files("catalog").len();
        let before = rows();
        let (is_put, _, errors) = told(&world, &["restore", &path]);
        assert!(!is_put && errors.contains(words), "{errors}");
        assert_eq!(rows(), before, "nothing was touched");
    }
}

#[test]
fn another_master_key_seals_what_a_running_relay_goes_on_to_use() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = declared(&host);
    keep(&world);
    let relay = world.start();
    assert_eq!(relay.post(&hosts::asking("x")).status, 200);
    let read = |name: &str| fs::read_to_string(relay.world.path(name)).expect("it is there");
    let before = (read("state/master.key"), read("state/secrets.json"));
    let (is_done, told, errors) = told(&relay.world, &["secret", "rekey", "--json"]);
    assert!(is_done, "{errors}");
    assert_eq!(told["secrets"], 1);
    let after = (read("state/master.key"), read("state/secrets.json"));
    assert!(before.0 != after.0 && before.1 != after.1);
    assert!(!relay.world.path("state/master.key.next").exists());
    assert_eq!(relay.post(&hosts::asking("x")).status, 200);
    let world = std::sync::Arc::clone(&relay.world);
    drop(relay);
    let again = Relay::start(world);
    assert_eq!(again.post(&hosts::asking("x")).status, 200);
    assert_eq!(asked_with(&host), SECRET);
}
