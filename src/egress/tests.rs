//! What the client does and what it blames, against hosts on loopback that say what they are told to.
//!
//! The keys are those of the black-box tests. They were made for tests and open nothing.

use super::client::PoolLimits;
use super::direct::READY_MAX;
use super::tls::machine_roots;
use super::*;
use crate::cause::causes;
use crate::cause::root_cause;
use crate::clock;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Body;
use hyper::body::Frame;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use std::collections::HashSet;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::mpsc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc as unbounded;

/// Short enough to wait for in a test, where nothing is to come.
const SOON: Duration = Duration::from_millis(50);
/// Longer than any machine takes for what is to come.
const LATE: Duration = Duration::from_secs(60);

/// Serves each connection on a thread of its own.
fn host(talk: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let address = listener.local_addr().expect("a listener has an address");
    let talk = Arc::new(talk);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let talk = Arc::clone(&talk);
            std::thread::spawn(move || talk(socket));
        }
    });
    address
}

/// Says this to each request, and keeps the connection; the heads of all requests are told.
fn saying(said: &'static str) -> (SocketAddr, mpsc::Receiver<(SocketAddr, String)>) {
    let (heads_tx, heads) = mpsc::channel();
    let address = host(move |mut socket| {
        let peer = socket.peer_addr()?;
        loop {
            let head = head(&mut socket)?;
            drop(heads_tx.send((peer, head)));
            socket.write_all(said.as_bytes())?;
        }
    });
    (address, heads)
}

/// A request up to its empty line.
fn head(stream: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Waits until the other end has gone.
fn until_gone(mut socket: TcpStream) -> io::Result<()> {
    while socket.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

fn private(timeouts: Timeouts) -> ClientConfig {
    ClientConfig {
        network: Network::Private,
        timeouts,
        pool: ONE,
        ..ClientConfig::default()
    }
}

fn patient() -> Timeouts {
    Timeouts {
        connect: LATE,
        head: LATE,
        idle: LATE,
    }
}

/// Keeps one connection.
const ONE: PoolLimits = PoolLimits {
    idle_max: 1,
    idle_wait: LATE,
};

fn client<B>(address: SocketAddr, timeouts: Timeouts) -> Client<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let base = BaseUrl::parse(&format!("http://{address}")).expect("that is an address");
    Client::to(base, &private(timeouts)).expect("the configuration is right")
}

fn get(uri: &str) -> Request<Full<Bytes>> {
    let request = Request::get(uri).body(Full::default());
    request.expect("that is a request")
}

/// A body that says what it is told to.
struct Saying(Poll<Option<Result<Frame<Bytes>, io::Error>>>);

impl Body for Saying {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        std::mem::replace(&mut self.0, Poll::Pending)
    }
}

#[tokio::test]
async fn requests_go_to_the_clients_own_host_and_share_its_connection() {
    let (address, heads) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    let client = client(address, patient());
    for uri in ["/a?b=%2F", "http://elsewhere.example:81/c"] {
        let answer = client.send(get(uri)).await.expect("it is answered");
        let body = answer.into_body().whole(2).await.expect("it is whole");
        assert_eq!(body, "hi");
    }
    let (first, second) = (heads.recv(), heads.recv());
    let (first, second) = first
        .and_then(|first| second.map(|second| (first, second)))
        .expect("both came");
    assert_eq!(first.0, second.0, "the connection is another one");
    assert!(
        first.1.starts_with("GET /a?b=%2F HTTP/1.1\r\n"),
        "{}",
        first.1
    );
    assert!(second.1.starts_with("GET /c HTTP/1.1\r\n"), "{}", second.1);
    assert!(
        second.1.contains(&format!("host: {address}\r\n")),
        "{}",
        second.1
    );
}

/// Answers one request a connection, and then goes, or stays until the client does; the end of each is told.
fn answering_once(stays: bool) -> (SocketAddr, unbounded::UnboundedReceiver<()>) {
    let (ended_tx, ended) = unbounded::unbounded_channel();
    let address = host(move |mut socket| {
        head(&mut socket)?;
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")?;
        match stays {
            true => until_gone(socket)?,
            false => drop(socket),
        }
        ended_tx.send(()).map_err(io::Error::other)
    });
    (address, ended)
}

#[tokio::test]
async fn a_connection_that_closed_while_nothing_was_asked_is_replaced() {
    let (address, mut ended) = answering_once(false);
    let client = client(address, patient());
    for _ in 0..3 {
        let answer = client.send(get("/")).await.expect("it is answered");
        let body = answer.into_body().whole(2).await.expect("it is whole");
        assert_eq!(body, "hi");
        ended.recv().await.expect("it went");
        // The runtime looks at its sockets meanwhile.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_host_says_unasked_is_no_answer_to_the_next_call() {
    let address = host(|mut socket| {
        head(&mut socket)?;
        let (asked, unasked) = ("hi", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
        let said = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{asked}{unasked}");
        socket.write_all(said.as_bytes())?;
        until_gone(socket)
    });
    let head = SOON;
    let client = client(address, Timeouts { head, ..patient() });
    for _ in 0..2 {
        let answer = client.send(get("/")).await.expect("it is answered");
        let body = answer.into_body().whole(2).await.expect("it is whole");
        assert_eq!(body, "hi");
    }
}

/// Hosts of one address: they answer when so many have a request, each on a connection of its own, and go after so many
/// rounds. Whom they answer and the end of each is told.
fn answering_together(
    count: usize,
    rounds: usize,
) -> (
    SocketAddr,
    mpsc::Receiver<SocketAddr>,
    unbounded::UnboundedReceiver<()>,
) {
    let (peers_tx, peers) = mpsc::channel();
    let (ended_tx, ended) = unbounded::unbounded_channel();
    let all = Barrier::new(count);
    let address = host(move |mut socket| {
        for _ in 0..rounds {
            head(&mut socket)?;
            peers_tx
                .send(socket.peer_addr()?)
                .map_err(io::Error::other)?;
            all.wait();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")?;
        }
        drop(socket);
        ended_tx.send(()).map_err(io::Error::other)
    });
    (address, peers, ended)
}

/// Has so many calls answered at once.
async fn ask_together(client: &Arc<Client<Full<Bytes>>>, count: usize) {
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..count {
        let client = Arc::clone(client);
        calls.spawn(async move {
            let answer = client.send(get("/")).await.expect("it is answered");
            answer.into_body().whole(2).await.expect("it is whole")
        });
    }
    assert_eq!(calls.join_all().await, vec!["hi"; count]);
}

#[tokio::test]
async fn many_connections_are_kept_and_those_that_closed_are_replaced() {
    const COUNT: usize = 3 * READY_MAX;
    for (rounds, connections) in [(2, COUNT), (1, 2 * COUNT)] {
        let (address, peers, mut ended) = answering_together(COUNT, rounds);
        let base = BaseUrl::parse(&format!("http://{address}")).expect("that is an address");
        let config = ClientConfig {
            pool: PoolLimits::default(),
            ..private(patient())
        };
        let client = Arc::new(Client::to(base, &config).expect("the configuration is right"));
        ask_together(&client, COUNT).await;
        if rounds == 1 {
            for _ in 0..COUNT {
                ended.recv().await.expect("it went");
            }
            // The runtime looks at its sockets meanwhile.
            tokio::task::yield_now().await;
        }
        ask_together(&client, COUNT).await;
        let peers: HashSet<SocketAddr> = peers.try_iter().collect();
        assert_eq!(peers.len(), connections);
    }
}

#[tokio::test]
async fn a_connection_is_not_kept_for_longer_than_it_may_be_nor_after_an_answer_that_nobody_read() {
    let (address, mut ended) = answering_once(true);
    let base = BaseUrl::parse(&format!("http://{address}")).expect("that is an address");
    let pool = PoolLimits {
        idle_max: 1,
        idle_wait: SOON,
    };
    let config = ClientConfig {
        pool,
        ..private(patient())
    };
    let client = Client::to(base, &config).expect("the configuration is right");
    let answer = client.send(get("/")).await.expect("it is answered");
    let body = answer.into_body().whole(2).await.expect("it is whole");
    assert_eq!(body, "hi");
    ended.recv().await.expect("it was closed");
    drop(client.send(get("/")).await.expect("it is answered"));
    ended.recv().await.expect("it was closed, too");
}

#[tokio::test]
async fn where_a_host_points_is_told_and_not_followed() {
    let said = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let (address, heads) = saying(said);
    let client = client(address, patient());
    let answer = client.send(get("/")).await.expect("it is answered");
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (
            302.try_into().expect("a status"),
            &"/elsewhere".parse().expect("a value")
        )
    );
    drop(client);
    assert_eq!(heads.try_iter().count(), 1);
}

#[tokio::test]
async fn a_host_that_says_nothing_is_given_up() {
    let address = host(until_gone);
    let head = SOON;
    let client = client(address, Timeouts { head, ..patient() });
    let failed = client.send(get("/")).await.err();
    assert!(
        matches!(failed, Some(SendError::HeadTimeout(SOON))),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_request_is_over_at_its_moment_whatever_the_host_would_still_say() {
    let client = client(host(until_gone), patient());
    let until = clock::now() + SOON;
    let failed = client.send_until(get("/"), Some(until)).await.err();
    assert!(matches!(failed, Some(SendError::Overdue)), "{failed:?}");
    assert!(clock::now() >= until);
}

#[tokio::test]
async fn a_host_that_waits_for_a_body_is_not_to_blame() {
    let address = host(until_gone);
    let head = SOON;
    let client = client(address, Timeouts { head, ..patient() });
    let piece = || Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{")))));
    let broken = || Poll::Ready(Some(Err(io::Error::other("the caller left"))));
    let mut failed = Vec::new();
    for body in [piece(), Poll::Pending, broken()] {
        let request = Request::post("/")
            .body(Saying(body))
            .expect("that is a request");
        failed.extend(client.send(request).await.err());
    }
    assert!(
        matches!(
            failed[..],
            [
                SendError::RequestStalled(_),
                SendError::RequestStalled(_),
                SendError::RequestBroke(_)
            ]
        ),
        "{failed:?}"
    );
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_given_up_and_one_that_breaks_off_is_told() {
    let address = host(|mut socket| {
        let head = head(&mut socket)?;
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")?;
        match head.starts_with("GET /stay") {
            true => until_gone(socket),
            false => Ok(()),
        }
    });
    let timeouts = Timeouts {
        idle: SOON,
        ..patient()
    };
    let client = client(address, timeouts);
    let ended = async |uri| {
        let mut body = client
            .send(get(uri))
            .await
            .expect("it is answered")
            .into_body();
        let first = body.frame().await.and_then(Result::ok);
        let first = first.and_then(|frame| frame.into_data().ok());
        assert_eq!(first.as_deref(), Some(b"abc".as_slice()));
        body.frame().await.and_then(Result::err)
    };
    let (silent, broken) = (ended("/stay").await, ended("/go").await);
    assert!(matches!(silent, Some(BodyError::Idle(SOON))), "{silent:?}");
    assert!(matches!(broken, Some(BodyError::Broke(_))), "{broken:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_before_an_answer_is_the_hosts_fault() {
    let address = host(|mut socket| head(&mut socket).map(drop));
    let client = client(address, patient());
    assert_eq!(client.base().host(), "127.0.0.1");
    let failed = client.send(get("/")).await.err();
    assert!(matches!(failed, Some(SendError::Broke(_))), "{failed:?}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_by_its_cause() {
    let failed = client(([127, 0, 0, 1], 1).into(), patient())
        .send(get("/"))
        .await;
    let failed = failed.err().expect("nobody is there");
    assert!(matches!(failed, SendError::Connect(_)), "{failed:?}");
    assert!(root_cause(&failed).contains("refused"), "{failed:?}");
    assert!(causes(&failed).starts_with("no connection could be made: "));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_taken_whole() {
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n",
    ] {
        let (address, _heads) = saying(said);
        let answer = client(address, patient()).send(get("/")).await;
        let body = answer.expect("it is answered").into_body();
        let whole = body.whole(4).await;
        assert!(
            matches!(whole, Err(BodyError::TooLarge { bytes_max: 4 })),
            "{whole:?}"
        );
    }
}

#[tokio::test]
async fn a_host_may_not_have_an_address_of_another_network() {
    for (url, network, is_let) in [
        ("http://127.0.0.1:1", Network::Public, false),
        ("http://127.0.0.1:1", Network::Private, true),
        ("https://127.1", Network::Private, false),
        ("http://169.254.169.254", Network::Private, false),
    ] {
        let config = ClientConfig {
            network,
            ..ClientConfig::default()
        };
        let base = BaseUrl::parse(url).expect("that is an address");
        let client = Client::<Full<Bytes>>::to(base.clone(), &config);
        let refused = client.err().and_then(|error| match error {
            SetupError::Address(refused) => Some(refused),
            SetupError::Proxy(_) | SetupError::Tls(_) => None,
        });
        let written = network.check_written(base.host()).err();
        assert_eq!((refused.is_none(), refused), (is_let, written), "{url}");
    }
}

/// How a host with TLS is set up.
#[derive(Clone, Copy)]
struct Demands {
    protocols: &'static [&'static [u8]],
    certificate: bool,
}

fn key(name: &str) -> PathBuf {
    let keys = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/keys");
    keys.join(name)
}

fn server(demands: Demands) -> Arc<ServerConfig> {
    let read = |name| std::fs::read(key(name)).expect("the tests' keys are there");
    let mut clients = RootCertStore::empty();
    let known = CertificateDer::from_pem_file(key("client.pem"));
    let known = clients.add(known.expect("the tests' keys are there"));
    known.expect("the certificate is one");
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(clients.into(), provider.clone());
    let verifier = verifier.build().expect("one is known");
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.expect("ring knows the versions of TLS");
    let builder = match demands.certificate {
        true => builder.with_client_cert_verifier(verifier),
        false => builder.with_no_client_auth(),
    };
    let certificate = CertificateDer::from(read("host.der"));
    let config = builder.with_single_cert(
        vec![certificate],
        PrivatePkcs8KeyDer::from(read("host.pk8")).into(),
    );
    let mut config = config.expect("the key must fit its certificate");
    config.alpn_protocols = demands.protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// Answers the first request of each connection with the protocol that was agreed on; one in HTTP/2 is just cut.
fn secure(demands: Demands) -> (BaseUrl, mpsc::Receiver<Option<Vec<u8>>>) {
    let (agreed_tx, agreed) = mpsc::channel();
    let config = server(demands);
    let address = host(move |socket| {
        let connection = ServerConnection::new(Arc::clone(&config));
        let connection = connection.map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.read_exact(&mut [0; 1])?;
        let protocol = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        drop(agreed_tx.send(protocol));
        head(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        stream.flush()
    });
    let base = BaseUrl::parse(&format!("https://{address}"));
    (base.expect("that is an address"), agreed)
}

fn trusting(trust: Trust) -> ClientConfig {
    ClientConfig {
        trust,
        ..private(patient())
    }
}

#[tokio::test]
async fn a_host_is_trusted_by_the_authority_that_is_named_and_by_no_other() {
    let plain = Demands {
        protocols: &[],
        certificate: false,
    };
    let (base, _agreed) = secure(plain);
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(key("root.pem")).expect("it is there");
    roots.add(root).expect("it is a certificate");
    let others = machine_roots().expect("this machine trusts somebody");
    roots.extend(others.roots.iter().cloned());
    for trust in [Trust::File(key("root.pem")), Trust::Roots(Arc::new(roots))] {
        let client = Client::to(base.clone(), &trusting(trust)).expect("the file is there");
        let answer = client.send(get("/")).await.expect("the host is trusted");
        assert_eq!(answer.status(), 200);
    }
    let other = trusting(Trust::File(key("client.pem")));
    let client = Client::to(base.clone(), &other).expect("the file is there");
    let failed = client
        .send(get("/"))
        .await
        .err()
        .expect("the host is not trusted");
    assert!(causes(&failed).contains("UnknownIssuer"), "{failed:?}");
    for name in ["missing.pem", "host.pk8"] {
        let unread = Client::<Full<Bytes>>::to(base.clone(), &trusting(Trust::File(key(name))));
        let told = unread
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(told.contains(name) && told.contains("PEM"), "{told}");
    }
}

#[tokio::test]
async fn a_host_that_asks_for_a_certificate_is_shown_it() {
    let asking = Demands {
        protocols: &[],
        certificate: true,
    };
    let (base, _agreed) = secure(asking);
    let identity = Identity {
        chain: key("client.pem"),
        key: key("client.pem"),
    };
    let mut config = trusting(Trust::File(key("root.pem")));
    let bare = Client::to(base.clone(), &config).expect("the files are there");
    assert!(bare.send(get("/")).await.is_err());
    config.identity = Some(identity);
    let client = Client::to(base, &config).expect("the files are there");
    let answer = client.send(get("/")).await.expect("the host is content");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_host_chooses_the_version_of_http() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    for (protocols, versions, expected) in [
        (both, Versions::Both, Some(b"h2".to_vec())),
        (&both[1..], Versions::Both, Some(b"http/1.1".to_vec())),
        (both, Versions::Http1, None),
    ] {
        let (base, agreed) = secure(Demands {
            protocols,
            certificate: false,
        });
        let config = ClientConfig {
            versions,
            ..trusting(Trust::File(key("root.pem")))
        };
        let client = Client::to(base, &config).expect("the file is there");
        drop(client.send(get("/")).await);
        assert_eq!(agreed.recv(), Ok(expected));
    }
}

#[tokio::test]
async fn a_host_that_takes_no_connection_in_time_is_given_up() {
    // It accepts, and says nothing of TLS.
    let address = host(until_gone);
    let base = BaseUrl::parse(&format!("https://{address}")).expect("that is an address");
    let mut config = trusting(Trust::File(key("root.pem")));
    config.timeouts.connect = SOON;
    let client = Client::to(base, &config).expect("the file is there");
    let failed = client.send(get("/")).await.err();
    assert!(
        matches!(failed, Some(SendError::ConnectTimeout(SOON))),
        "{failed:?}"
    );
}
