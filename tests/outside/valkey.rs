//! A real Valkey, or a Redis: its own folder, a private port, ended with the test.

use super::missing::Missing;
use super::support::process;
use super::support::relay::free_port;
use super::support::wait;
use rustix::process::Signal;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

/// A server until it is dropped. It keeps nothing, so whatever is known of it after a restart was told to it anew.
pub(crate) struct Valkey {
    folder: TempDir,
    program: &'static str,
    port: u16,
    /// With TLS, the certificate and the key that it shows, and the port on which it does.
    private: Option<(PathBuf, PathBuf, u16)>,
    child: Option<Child>,
}

impl Valkey {
    pub(crate) fn start() -> Result<Valkey, Missing> {
        Valkey::start_with(None)
    }

    /// With a certificate and its key, on a port of its own as well.
    pub(crate) fn start_private(chain: &Path, key: &Path) -> Result<Valkey, Missing> {
        Valkey::start_with(Some((chain.to_owned(), key.to_owned(), free_port())))
    }

    fn start_with(private: Option<(PathBuf, PathBuf, u16)>) -> Result<Valkey, Missing> {
        let known = |program: &&str| {
            let asked = Command::new(program).arg("--version").output();
            asked.is_ok_and(|output| output.status.success())
        };
        let program = ["valkey-server", "redis-server"].into_iter().find(known);
        let mut valkey = Valkey {
            folder: tempfile::tempdir().expect("a temporary folder must be made"),
            program: program.ok_or_else(|| Missing::of("a Valkey or a Redis"))?,
            port: free_port(),
            private,
            child: None,
        };
        valkey.begin();
        Ok(valkey)
    }

    pub(crate) fn begin(&mut self) {
        let mut command = Command::new(self.program);
        command
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "-127.0.0.2",
            ])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((chain, key, port)) = &self.private {
            let port = port.to_string();
            command.args(["--tls-port", &port, "--tls-auth-clients", "no"]);
            command.arg("--tls-cert-file").arg(chain);
            command.arg("--tls-key-file").arg(key);
            command.arg("--tls-ca-cert-file").arg(chain);
        }
        self.child = Some(command.spawn().expect("the server must start"));
        wait::until("the Valkey", || {
            (self.ask("PING")? == "+PONG\r\n").then_some(())
        });
    }

    /// Ends it at once, as a machine that fails does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::signal(child.id(), Signal::KILL);
            let _ = child.wait(); // It has ended one way or another.
        }
    }

    /// Has it stand still: connections stay, and no answer comes.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it must run");
        process::signal(child.id(), signal);
    }

    /// Where it speaks TLS.
    pub(crate) fn private_port(&self) -> u16 {
        self.private.as_ref().map_or(0, |(_, _, port)| *port)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Asks one thing in one line, as a person does.
    pub(crate) fn ask(&self, line: &str) -> Option<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        socket
            .write_all(format!("{line}\r\nQUIT\r\n").as_bytes())
            .ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer.trim_end_matches("+OK\r\n").to_owned())
    }

    /// What all purses together have spent, in nano-units.
    pub(crate) fn spent(&self) -> u64 {
        let keys = self.ask("KEYS *:m:*").unwrap_or_default();
        let keys = keys.lines().filter(|line| line.contains(":m:"));
        let spent = |key: &str| {
            let answer = self.ask(&format!("GET {key}"))?;
            answer.lines().nth(1)?.parse::<u64>().ok()
        };
        keys.filter_map(spent).sum()
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        self.kill();
    }
}
