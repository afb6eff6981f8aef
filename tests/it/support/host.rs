//! A web server on loopback, with TLS or without, and a proxy on the way to it.
//!
//! Its key and certificate, `keys/host.*`, and its authority's, `keys/root.pem`, were made for these tests and open
//! nothing.

use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Answers until the test process ends.
pub(crate) struct Host {
    scheme: &'static str,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The whole answer to a request for this path.
type Rule = dyn Fn(&str) -> Vec<u8> + Send + Sync;

impl Host {
    pub(crate) fn plain(rule: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Host {
        Host::new("http", rule, |socket, answer| answer(&mut { socket }))
    }

    pub(crate) fn secure(rule: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Host {
        let config = tls();
        Host::new("https", rule, move |socket, answer| {
            let connection = ServerConnection::new(Arc::clone(&config));
            let connection = connection.expect("TLS must be configured well");
            let mut stream = StreamOwned::new(connection, socket);
            answer(&mut stream)?;
            stream.conn.send_close_notify();
            stream.flush()
        })
    }

    fn new(
        scheme: &'static str,
        rule: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
        dress: impl Fn(TcpStream, Talk<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Host {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (rule, ears): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&asked));
        let address = serve(move |socket| {
            dress(socket, &|stream| {
                let head = head(stream)?;
                let path = head.split(' ').nth(1).unwrap_or_default();
                locked(&ears).push(path.to_owned());
                stream.write_all(&rule(path))?;
                stream.flush()
            })
        });
        Host {
            scheme,
            address,
            asked,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The paths of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        locked(&self.asked).clone()
    }
}

/// Leads to wherever it is told.
pub(crate) struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn new() -> Proxy {
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let ears = Arc::clone(&heads);
        let address = serve(move |mut socket| {
            let head = head(&mut socket)?;
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            locked(&ears).push(head);
            let mut far = TcpStream::connect(target)?;
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            let (mut back, mut near) = (far.try_clone()?, socket.try_clone()?);
            std::thread::spawn(move || io::copy(&mut back, &mut near));
            io::copy(&mut socket, &mut far).map(drop)
        });
        Proxy { address, heads }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of the requests for a tunnel so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        locked(&self.heads).clone()
    }
}

/// The file with the authority that signed the certificate of every [`Host::secure`].
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/keys/root.pem")
}

/// A file, whole.
pub(crate) fn file(bytes: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
    [head.as_bytes(), bytes].concat()
}

pub(crate) fn moved(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

pub(crate) fn missing() -> Vec<u8> {
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec()
}

/// What is said over a connection, once it is there.
type Talk<'a> = &'a dyn Fn(&mut dyn Stream) -> io::Result<()>;

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

fn serve(talk: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let address = listener.local_addr().expect("a listener has an address");
    let talk = Arc::new(talk);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let talk = Arc::clone(&talk);
            std::thread::spawn(move || talk(socket)); // one that asks no more is no failure
        }
    });
    address
}

/// A request up to its empty line.
fn head(stream: &mut dyn Stream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn tls() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from(include_bytes!("keys/host.der").as_slice());
    let key = PrivatePkcs8KeyDer::from(include_bytes!("keys/host.pk8").as_slice());
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into());
    Arc::new(config.expect("the key must fit its certificate"))
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
