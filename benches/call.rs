//! A whole warm call on fake-claude, buffered and streamed, beside the floor of the same run.
//!
//! `cargo build --release --workspace && cargo bench --bench call`
//!
//! `inference-relay bench floor` tells the same as medians of rounds; here criterion keeps what it measured and says
//! what changed since.

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

/// A daemon of its own, with simulated sessions.
struct Daemon {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Daemon {
    fn start() -> Daemon {
        let relay = Path::new(env!("CARGO_BIN_EXE_inference-relay"));
        let claude = relay.with_file_name("fake-claude");
        assert!(
            claude.is_file(),
            "build it first: cargo build --release --workspace"
        );
        let folder = std::env::temp_dir().join(format!("relay-bench-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("user")).expect("a folder must be made");
        let write = |name: &str, text: String| {
            std::fs::write(folder.join(name), text).expect("a file must be written");
        };
        write("script.toml", SCRIPT.to_owned());
        write("relay.toml", config(&claude, &folder));
        let mut process = Command::new(relay)
            .args(["serve", "--config"])
            .arg(folder.join("relay.toml"))
            .env("INFERENCE_RELAY_HOME", folder.join("state"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the relay must start");
        let port = port(&mut process);
        Daemon {
            process,
            folder,
            port,
        }
    }

    /// One call on a connection that stays open; gives its bytes.
    fn call(&self, stream: &mut TcpStream, streamed: bool) -> usize {
        let body = format!(
            r#"{{"model":"claude-opus-4-8","max_tokens":64,"stream":{streamed},"messages":[{{"role":"user","content":"hello"}}]}}"#
        );
        let request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .expect("the relay must read");
        let end: &[u8] = if streamed { b"0\r\n\r\n" } else { b"}" };
        let mut answer = Vec::new();
        let mut piece = [0; 16 * 1024];
        while !answer.ends_with(end) {
            let count = stream.read(&mut piece).expect("the relay must answer");
            assert!(count > 0, "the relay must answer whole");
            answer.extend_from_slice(&piece[..count]);
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        answer.len()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn config(claude: &Path, folder: &Path) -> String {
    format!(
        "[server]\nport = 0\n[claude]\ncommand = {claude:?}\n[claude.env]\nHOME = {:?}\nFAKE_CLAUDE_SCRIPT = {:?}\n\
         [pool]\nidle = 4\nmax = 4\nsession_turns_max = 1000000\n",
        folder.join("user"),
        folder.join("script.toml")
    )
}

fn port(process: &mut Child) -> u16 {
    use std::io::BufRead;
    let stderr = process.stderr.take().expect("stderr is a pipe");
    let mut lines = std::io::BufReader::new(stderr)
        .lines()
        .map_while(Result::ok);
    let port = lines.find_map(|line| {
        let (_, rest) = line.split_once("listening address=127.0.0.1:")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("the relay must listen")
}

fn calls(criterion: &mut Criterion) {
    let daemon = Daemon::start();
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port)).expect("it listens");
    stream.set_nodelay(true).expect("a socket takes options");
    let mut group = criterion.benchmark_group("call");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(5));
    for (name, streamed) in [("buffered", false), ("streamed", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| daemon.call(&mut stream, streamed))
        });
    }
    group.finish();
}

const SCRIPT: &str = "flush_delay_ms = 0\ntime_scale = 0\n[[rule]]\nany = true\n[[rule.step]]\nsay = \"A short answer.\"\n";

criterion_group!(benches, calls);
criterion_main!(benches);
