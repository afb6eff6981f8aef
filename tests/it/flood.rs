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
use std::time::Duration;

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

/// Connects a few times, and then lets the relay open no further file. Gives what it connected, and how many files the
/// relay might have had.
///
/// A new file has the lowest number that is free. So nothing may be open for a moment only, or what is connected then
/// lies beyond the limit.
fn exhaust(relay: &Relay, connect: fn(&Relay) -> TcpStream) -> (Vec<TcpStream>, u64) {
    wait::until("that claude told its version", || {
        relay.get("/v1/version")["claudeVersion"]
            .is_string()
            .then_some(())
    });
    steady(relay);
    let held = (0..4).map(|_| connect(relay)).collect();
    let open = steady(relay);
    let free = (0..).find(|file| !open.contains(file));
    let usual = process::limit_files(relay.pid(), free.expect("there are numbers"));
    (held, usual)
}

/// The relay's open files, once they stay the same for a while.
fn steady(relay: &Relay) -> BTreeSet<u64> {
    let mut before = BTreeSet::new();
    wait::until("that no files come and go", || {
        wait::pass(Duration::from_millis(100));
        let open: BTreeSet<u64> = files(relay.pid()).collect();
        let is_steady = open == before;
        before.clone_from(&open);
        is_steady.then_some(open)
    })
}

/// A connection that is accepted and sends nothing.
fn stranger(relay: &Relay) -> TcpStream {
    let before = sockets(relay.pid()).count();
    let stream = TcpStream::connect(relay.address).expect("the relay accepts");
    wait::until("that the stranger is in", || {
        (sockets(relay.pid()).count() > before).then_some(())
    });
    stream
}

#[test]
fn strangers_make_room_where_there_are_no_more_descriptors() {
    let relay = World::scripted("").pool("idle = 0\nmax = 1").start();
    let _held = exhaust(&relay, stranger);
    assert_eq!(client::get(relay.address, "/v1/health").status, 200);
    // After a while they would be closed anyway.
    wait::until("a stranger that makes room", || {
        relay
            .log()
            .contains("a connection makes room")
            .then_some(())
    });
}

#[test]
fn a_relay_without_descriptors_says_so_and_goes_on_once_it_has_some() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .pool("idle = 0\nmax = 1")
        .start();
    let mut stream = connected(&relay);
    let (_held, usual) = exhaust(&relay, connected);
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
    wait::pass(Duration::from_secs(1));
    assert_eq!(tells(), 1, "{}", relay.log());
    process::limit_files(relay.pid(), usual);
    assert_eq!(late.join().expect("it is answered"), 200);
    assert_eq!(relay.ask("and now?").text(), "and now?");
}
