//! The store in a real PostgreSQL: its own folder, a private port, ended with the test.

use super::missing::Missing;
use super::missing::trials;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::relay::free_port;
use super::support::wait;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        relays_share_a_store_in_postgresql_and_go_on_while_it_is_away,
        a_catalog_of_too_many_files_stays_as_it_is_and_keys_are_shared_all_the_same
    ]
}

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A server until it is dropped.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    /// With TLS, the certificate and the key that it shows.
    private: Option<(PathBuf, PathBuf)>,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Result<Server, Missing> {
        Server::start_with(|_| None)
    }

    /// With a certificate and its key, which are put into its folder.
    pub(crate) fn start_private(chain: &str, key: &str) -> Result<Server, Missing> {
        let put = |folder: &Path| {
            let paths = (folder.join("host.pem"), folder.join("host.key"));
            fs::write(&paths.0, chain).expect("a certificate must be written");
            fs::write(&paths.1, key).expect("a key must be written");
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&paths.1, private).expect("a key must be private");
            Some(paths)
        };
        Server::start_with(put)
    }

    fn start_with(
        private: impl FnOnce(&Path) -> Option<(PathBuf, PathBuf)>,
    ) -> Result<Server, Missing> {
        let programs = programs().ok_or_else(|| Missing::of("PostgreSQL's programs"))?;
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let mut server = Server {
            private: private(folder.path()),
            folder,
            programs,
            port: free_port(),
            child: None,
        };
        server.own()?;
        let data = server.data();
        let mut init = server.program("initdb");
        init.args(["-A", "trust", "-U", "relay", "--no-sync", "-D"])
            .arg(&data);
        let made = init.output().is_ok_and(|output| output.status.success());
        if !made {
            return Err(Missing::of("a user that PostgreSQL runs as"));
        }
        server.begin();
        Ok(server)
    }

    /// The server runs as its own user, as it will not as root.
    fn own(&self) -> Result<(), Missing> {
        let chown = Command::new("chown")
            .args(["-R", "postgres"])
            .arg(self.folder.path())
            .output();
        match chown.is_ok_and(|output| output.status.success()) {
            true => Ok(()),
            false => Err(Missing::of("the user postgres, or the right to be it")),
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("runuser");
        command
            .args(["-u", "postgres", "--"])
            .arg(self.programs.join(name));
        command.current_dir(self.folder.path());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn begin(&mut self) {
        let mut command = self.program("postgres");
        let (data, port) = (self.data(), self.port.to_string());
        command
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port,
                "-c",
                "listen_addresses=127.0.0.1,127.0.0.2",
                "-c",
                "fsync=off",
                "-k",
            ])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((chain, key)) = &self.private {
            let setting = |name: &str, path: &Path| format!("{name}={}", path.display());
            command.args(["-c", "ssl=on", "-c", &setting("ssl_cert_file", chain)]);
            command.args(["-c", &setting("ssl_key_file", key)]);
        }
        self.child = Some(command.spawn().expect("the server must start"));
        wait::until("the server", || {
            let told = fs::read_to_string(data.join("postmaster.pid")).ok()?;
            told.lines()
                .nth(7)
                .filter(|line| line.trim() == "ready")
                .map(drop)
        });
    }

    fn end(&mut self) {
        self.stop(Signal::INT);
    }

    fn stop(&mut self, signal: Signal) {
        let told = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let pid = told.lines().next().and_then(|pid| pid.parse().ok());
        if let (Some(pid), Some(mut child)) = (pid, self.child.take()) {
            process::signal(pid, signal);
            let _ = child.wait(); // It has ended one way or another.
        }
    }

    /// Ends it at once, as a machine that fails does.
    pub(crate) fn kill(&mut self) {
        self.stop(Signal::QUIT);
    }

    pub(crate) fn url(&self) -> String {
        self.url_at("127.0.0.1", "")
    }

    /// Its address by another name, with what stands behind it.
    pub(crate) fn url_at(&self, host: &str, query: &str) -> String {
        format!("postgres://relay@{host}:{}/postgres{query}", self.port)
    }

    /// Asks it one thing, as an operator does.
    pub(crate) fn asks(&self, sql: &str) -> String {
        let mut psql = self.program("psql");
        let address = self.url();
        let output = psql.args(["-X", "-A", "-t", "-c", sql, &address]).output();
        let told = output.expect("psql must run").stdout;
        String::from_utf8_lossy(&told).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the programs are: Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop()
}

fn relay(server: &Server) -> Relay {
    let store = format!("[store]\nurl = \"{}\"\n", server.url());
    let world = World::scripted(ECHO)
        .pool("idle = 1\nmax = 1")
        .sections(&store);
    world.settle(0);
    world.start()
}

/// Calls of all relays by the store, by how they ended.
fn calls(world: &World) -> u64 {
    let output = world.run(&["usage", "--json", "--by", "outcome"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let rows = told["data"].as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["calls"].as_u64()).sum()
}

fn listed(world: &World, args: &[&str]) -> usize {
    let output = world.run(&[&["usage", "--calls", "--json"], args].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    told["data"].as_array().map_or(0, Vec::len)
}

fn has_no_file(state: &Path) -> bool {
    !state.join("store.db").exists()
}

fn relays_share_a_store_in_postgresql_and_go_on_while_it_is_away() -> Result<(), Missing> {
    let mut server = Server::start()?;
    let (one, two) = (relay(&server), relay(&server));
    for relay in [&one, &two] {
        assert_eq!(relay.ask("hello").status, 200);
    }
    let sums = |count: u64| {
        wait::until(&format!("{count} calls in the store"), || {
            (calls(&one.world) == count).then_some(())
        });
    };
    sums(2);
    assert!(has_no_file(&one.world.path("state")));
    assert_eq!(listed(&two.world, &[]), 2);
    assert_eq!(
        listed(&two.world, &["--status", "200", "--model", "no such model"]),
        0
    );
    assert_eq!(listed(&two.world, &["--status", "2xx", "--limit", "1"]), 1);
    server.end();
    assert_eq!(one.ask("while it is away").status, 200);
    server.begin();
    sums(3);
    let world = Arc::clone(&two.world);
    drop(two);
    // The schema is found as it was left.
    let again = Relay::start(world);
    assert_eq!(again.ask("once more").status, 200);
    sums(4);
    server.end();
    let refusal = again.world.refusal(&[]);
    assert_eq!(refusal.code, Some(2), "{}", refusal.words);
    Ok(())
}

fn a_catalog_of_too_many_files_stays_as_it_is_and_keys_are_shared_all_the_same()
-> Result<(), Missing> {
    let server = Server::start()?;
    let store = format!("[store]\nurl = \"{}\"\n", server.url());
    let world = || {
        let world = World::scripted(ECHO).pool("idle = 0").sections(&store);
        world.settle(0);
        world
    };
    let (full, other) = (world(), world().start());
    full.declare("kind: Model\nmetadata: { name: m }\nspec: {}\n");
    for number in 0..4096 {
        let path = full.path(&format!("state/catalog/{number}.yaml"));
        fs::write(path, "# nothing yet\n").expect("a file must be written");
    }
    let full = full.start();
    let words = "the catalog has more than 4096 files";
    assert!(full.log().contains(words), "{}", full.log());
    let made = full.world.run(&["key", "create", "laptop"]);
    assert!(made.status.success());
    let keys = other.world.path("state/keys.json");
    wait::until("the key at the other relay", || {
        let told = fs::read_to_string(&keys).unwrap_or_default();
        told.contains("laptop").then_some(())
    });
    assert_eq!(full.world.files("state/catalog").len(), 4097);
    assert_eq!(other.world.files("state/catalog").len(), 0);
    assert_eq!(
        server.asks("SELECT count(*) FROM shared_files WHERE name LIKE 'catalog/%'"),
        "0"
    );
    Ok(())
}
