//! What becomes of calls and of the state folder where the disk is full or may not be written.

use super::missing::Missing;
use super::missing::trials;
use super::support::client;
use super::support::client::call;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        a_full_disk_fails_no_call_and_tears_no_line,
        a_state_folder_that_cannot_be_written_is_told_with_the_next_step,
        a_state_folder_of_another_owner_is_told_with_whose_it_is
    ]
}

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn recent(relay: &Relay, query: &str) -> Vec<Value> {
    let told = relay.get(&format!("/v1/recent-calls{query}"));
    told["calls"].as_array().expect("calls are a list").clone()
}

/// The lines of the file, each of which must be whole.
fn lines(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.path("state/recent-calls.jsonl")).unwrap_or_default();
    let read = |line: &str| serde_json::from_str(line);
    let lines = text
        .lines()
        .map(|line| read(line).unwrap_or_else(|_| panic!("torn: {line}")));
    lines.collect()
}

/// A small disk in a folder's place, until it is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(folder: &'a Path, options: &str) -> Result<Disk<'a>, Missing> {
        fs::create_dir_all(folder).expect("a folder can be made");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        match mounted {
            true => Ok(Disk(folder)),
            false => Err(Missing::of("the right to mount a disk")),
        }
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output(); // It goes with its folder otherwise.
    }
}

/// The folders of sessions.
fn folders(state: &Path) -> Vec<PathBuf> {
    let run = fs::read_dir(state.join("run"));
    run.into_iter()
        .flatten()
        .flatten()
        .map(|folder| folder.path())
        .collect()
}

fn a_full_disk_fails_no_call_and_tears_no_line() -> Result<(), Missing> {
    let world = World::scripted(ECHO).pool("idle = 1\nmax = 1");
    let state = world.path("state");
    let _disk = Disk::mount(&state, "size=512k,mode=0700")?;
    let relay = world.start();
    relay.idle(1);
    assert_eq!(relay.ask("before").text(), "before");
    wait::until("a line", || (lines(&relay.world).len() == 1).then_some(()));
    // A session leaves files of its own, and makes room when it goes: a call that came late left one more.
    for folder in folders(&state) {
        fs::write(folder.join("late"), [0; 4096]).expect("there is room");
    }
    let ballast = state.join("ballast");
    let mut file = fs::File::create(&ballast).expect("there is room");
    while file.write_all(&[0; 4096]).is_ok() {}
    for number in 0..20 {
        // A line may fit into what is left of a page; twenty do not.
        let prompt = format!("on a full disk {number}");
        assert_eq!(relay.ask(&prompt).text(), prompt);
    }
    assert_eq!(recent(&relay, "").len(), 21);
    let lost = wait::until("a count of what is lost", || {
        let metrics = client::get(relay.address, "/metrics").body;
        let lost = metrics
            .lines()
            .find_map(|line| line.strip_prefix("inference_relay_records_lost_total "));
        lost.and_then(|lost| lost.parse::<usize>().ok())
            .filter(|lost| *lost > 0)
    });
    let mut cold = call("cold");
    // More than the session before it can have left.
    cold["system"] = "Needs a session of its own. ".repeat(10_000).into();
    let refused = relay.post(&cold);
    assert_eq!(
        refused.header("x-relay-error"),
        "internal",
        "{}",
        refused.body
    );
    assert!(
        refused.body.contains("No space left") && refused.body.contains("Free some space"),
        "{}",
        refused.body
    );
    // A launch that failed leaves nothing that takes room from the next one, which may be there already.
    wait::until("no folder but those of live sessions", || {
        (folders(&state).len() <= relay.sessions().len()).then_some(())
    });
    drop(file);
    fs::remove_file(&ballast).expect("it is there");
    let after = relay.ask("after");
    assert_eq!(after.text(), "after");
    let id = after.header("request-id");
    let lines = wait::until("a line of the last call", || {
        let lines = lines(&relay.world);
        lines
            .last()
            .is_some_and(|line| line["id"] == id)
            .then_some(lines)
    });
    assert!(
        lines.len() + lost <= 23,
        "{} lines, {lost} lost",
        lines.len()
    );
    Ok(())
}

fn a_state_folder_that_cannot_be_written_is_told_with_the_next_step() -> Result<(), Missing> {
    let world = World::scripted(ECHO);
    let state = world.path("state");
    let _disk = Disk::mount(&state, "ro,size=64k")?;
    let refusal = world.refusal(&[]);
    assert_eq!(refusal.code, Some(2), "{}", refusal.words);
    for word in [
        &*state.to_string_lossy(),
        "INFERENCE_RELAY_HOME",
        "its file system is read-only; mount a volume there",
        "Read-only file system",
    ] {
        assert!(refusal.words.contains(word), "{word}: {}", refusal.words);
    }
    Ok(())
}

fn a_state_folder_of_another_owner_is_told_with_whose_it_is() -> Result<(), Missing> {
    let world = World::scripted(ECHO);
    let place = tempfile::tempdir().expect("a temporary folder must be made");
    let state = place.path().join("state");
    fs::create_dir(&state).expect("a folder must be made");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path(), open).expect("a folder must be opened");
    let nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(world.program().get_program())
            .args(args)
            .env_clear()
            .env("HOME", place.path())
            .env("INFERENCE_RELAY_HOME", &state);
        command.output()
    };
    if !nobody(&["--version"]).is_ok_and(|output| output.status.success()) {
        return Err(Missing::of("the right to be another user"));
    }
    let refused = nobody(&["serve", "--port", "0"]).expect("it must run");
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{words}");
    for word in [
        &*state.to_string_lossy(),
        "belongs to user 0, and this relay is user 65534",
        "chown -R 65534",
        "INFERENCE_RELAY_HOME",
    ] {
        assert!(words.contains(word), "{word}: {words}");
    }
    Ok(())
}
