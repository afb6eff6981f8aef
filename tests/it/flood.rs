//! Floods: idle connections at every listener, and more calls at once than there are descriptors. A good caller must not
//! notice, and what cannot be served must be told as what it is. The limits are small, so that few connections fill them.

use super::support::client;
use super::support::client::call;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::upstream::last_text;
use super::support::wait;
use std::collections::BTreeSet;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;

/// More than any listener has places for under the limit.
const FLOOD: usize = 120;
/// Of one session, tapped: each listener gets about twenty places.
const FILES: u64 = 160;

/// The ports that the relay listens on.
fn ports(relay: &Relay) -> BTreeSet<u16> {
    let pid = relay.pid();
    let own: BTreeSet<String> = sockets(pid).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system tells of its sockets");
    let listening = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let inode = format!("socket:[{}]", columns.get(9)?);
        let is_own = columns.get(3) == Some(&"0A") && own.contains(&inode);
        let port = columns.get(1)?.rsplit(':').next()?;
        is_own.then(|| u16::from_str_radix(port, 16).ok())?
    };
    table.lines().filter_map(listening).collect()
}

/// What the system calls the sockets that a process has open.
fn sockets(pid: u32) -> impl Iterator<Item = String> {
    files(pid)
        .filter_map(move |file| std::fs::read_link(format!("/proc/{pid}/fd/{file}")).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with("socket:"))
}

/// The numbers of the files that a process has open.
fn files(pid: u32) -> impl Iterator<Item = u64> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the relay runs");
    folder
        .flatten()
        .filter_map(|file| file.file_name().to_str()?.parse().ok())
}

/// The port and the secret of the one session's hooks, as its settings tell them.
fn hooks(relay: &Relay) -> (u16, String) {
    let settings = relay.world.files("state").into_iter();
    let texts = settings.filter_map(|file| std::fs::read_to_string(file).ok());
    let found = texts.into_iter().find_map(|text| {
        let (_, rest) = text.split_once("\"http://127.0.0.1:")?;
        let (port, rest) = rest.split_once('/')?;
        let secret = rest.split(['"', '/']).next()?;
        Some((port.parse().ok()?, secret.to_owned()))
    });
    found.expect("a session's settings name its hooks")
}

/// Asks for what is not there, where only a session may ask.
fn knock(stream: &mut TcpStream, secret: &str) {
    let request = format!("GET /{secret} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is open");
    let answer = until(stream, "\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

/// Connections that send nothing, half a head, or a whole request without the secret.
fn flood(port: u16) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect(address).expect("the system holds it");
        let sent: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST /0123456789abcdef HTTP/1.1\r\nhost: local",
            _ => b"GET /0123456789abcdef HTTP/1.1\r\nhost: localhost\r\n\r\n",
        };
        let _ = stream.write_all(sent); // It may have been closed already.
        stream
    };
    (0..FLOOD).map(connect).collect()
}

#[test]
fn idle_connections_at_any_listener_disturb_nobody() {
    let upstream = Upstream::answering(|body| Answer::Say(last_text(body)));
    let relay = World::upstream(&upstream)
        .claude("tap = true")
        .pool("idle = 1\nmax = 1")
        .files_max(FILES)
        .start();
    relay.idle(1);
    let ports = ports(&relay);
    assert_eq!(ports.len(), 3, "the API, the hooks and the tap: {ports:?}");
    let (port, secret) = hooks(&relay);
    let mut session =
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the hooks have a port");
    knock(&mut session, &secret);
    let mut held = Vec::new();
    for port in ports {
        held.push(flood(port));
        assert_eq!(client::get(relay.address, "/v1/health").status, 200);
        let prompt = format!("beside {} floods", held.len());
        assert_eq!(relay.ask(&prompt).text(), prompt);
        let stream = relay.stream(&call(&prompt));
        assert_eq!(
            stream.rest().last().map(|event| event.name.as_str()),
            Some("message_stop")
        );
    }
    knock(&mut session, &secret);
    let log = relay.log();
    assert!(
        !log.contains("cannot be accepted"),
        "descriptors ran out:\n{log}"
    );
}

#[test]
fn more_calls_at_once_than_descriptors_wait_and_are_all_served() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .pool("idle = 1\nmax = 1")
        .files_max(128)
        .start();
    relay.idle(1);
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..FLOOD)
            .map(|number| {
                let relay = &relay;
                scope.spawn(move || {
                    let prompt = format!("call {number}");
                    (relay.ask(&prompt), prompt)
                })
            })
            .collect();
        for call in calls {
            let (answer, prompt) = call.join().expect("it is answered");
            assert_eq!(answer.text(), prompt, "{}", answer.body);
        }
    });
    let counted = client::get(relay.address, "/v1/recent-calls?status=5xx").json();
    assert_eq!(
        counted["calls"].as_array().map(Vec::len),
        Some(0),
        "{counted}"
    );
}

/// A connection that is open before descriptors run out.
fn connected(relay: &Relay) -> TcpStream {
    let mut stream = TcpStream::connect(relay.address).expect("the relay accepts");
    let timeout = stream.set_read_timeout(Some(wait::DEADLINE));
    timeout.expect("a socket takes a timeout");
    let health = format!("GET /v1/health HTTP/1.1\r\nhost: {}\r\n\r\n", relay.address);
    stream.write_all(health.as_bytes()).expect("it is open");
    until(&mut stream, "uptime");
    stream
}

/// What comes up to this text, and with it.
fn until(stream: &mut TcpStream, text: &str) -> String {
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        stream
            .read_exact(&mut byte)
            .expect("the text must come before the end");
        seen.extend(byte);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// Lets the relay open no further file; gives how many it might have had.
fn exhaust(relay: &Relay) -> u64 {
    let used: BTreeSet<u64> = files(relay.pid()).collect();
    let free = (0..).find(|file| !used.contains(file));
    process::limit_files(relay.pid(), free.expect("there are numbers"))
}

#[test]
fn strangers_make_room_where_there_are_no_more_descriptors() {
    let relay = World::scripted("").pool("idle = 0\nmax = 1").start();
    let before = sockets(relay.pid()).count();
    let strangers: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(relay.address).expect("the relay accepts"))
        .collect();
    wait::until("that the strangers are in", || {
        (sockets(relay.pid()).count() >= before + strangers.len()).then_some(())
    });
    exhaust(&relay);
    assert_eq!(client::get(relay.address, "/v1/health").status, 200);
    // After a while they would be closed anyway.
    assert!(relay.log().contains("a connection makes room"));
}

#[test]
fn a_relay_without_descriptors_says_so_and_goes_on_once_it_has_some() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .pool("idle = 0\nmax = 1")
        .start();
    let mut stream = connected(&relay);
    let usual = exhaust(&relay);
    let body = call("hello").to_string();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        relay.address,
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it is open");
    let told = until(&mut stream, "\"request_id\"");
    assert!(told.contains("HTTP/1.1 500"), "{told}");
    assert!(told.contains("x-relay-error: internal\r\n"), "{told}");
    assert!(
        told.contains("retry-after: ") && told.contains("ulimit -n"),
        "{told}"
    );
    let late = std::thread::spawn({
        let address = relay.address;
        move || client::get(address, "/v1/health").status
    });
    let tells = || {
        relay
            .log()
            .matches("connections cannot be accepted")
            .count()
    };
    wait::until("a line about it", || (tells() > 0).then_some(()));
    // A dozen further tries.
    wait::pass(std::time::Duration::from_secs(1));
    assert_eq!(tells(), 1, "{}", relay.log());
    process::limit_files(relay.pid(), usual);
    assert_eq!(late.join().expect("it is answered"), 200);
    assert_eq!(relay.ask("and now?").text(), "and now?");
}
