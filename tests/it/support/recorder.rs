//! A model provider on loopback that keeps requests to the last byte, and says what a test hands it, when it does.

use super::wait;
use serde_json::Value;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;

/// A provider for one asker at a time.
pub(crate) struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    words: mpsc::Sender<Word>,
}

/// What it says next.
enum Word {
    Bytes(Vec<u8>),
    /// The answer is over, and the connection with it.
    End,
}

type Words = Arc<Mutex<mpsc::Receiver<Word>>>;

impl Recorder {
    pub(crate) fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
        let address = listener.local_addr().expect("a listener has an address");
        let (words, told) = mpsc::channel();
        let told: Words = Arc::new(Mutex::new(told));
        let requests = Arc::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (kept, told) = (Arc::clone(&kept), Arc::clone(&told));
                std::thread::spawn(move || answer(socket, &kept, &told));
            }
        });
        Recorder {
            address,
            requests,
            words,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests for answers so far, to the last byte.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clone()
    }

    /// Waits for the request of this number, counted from 1.
    pub(crate) fn request(&self, number: usize) -> Vec<u8> {
        wait::until("a request at the provider", || {
            self.requests().get(number - 1).cloned()
        })
    }

    /// Says these bytes in the answer that is under way, or to the next request.
    pub(crate) fn say(&self, bytes: impl Into<Vec<u8>>) {
        let _ = self.words.send(Word::Bytes(bytes.into())); // Its end is with the threads, which live as long.
    }

    /// Begins a stream of events.
    pub(crate) fn begin(&self) {
        self.say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    }

    /// Says an event.
    pub(crate) fn event(&self, event: &Value) {
        let name = event["type"].as_str().unwrap_or_default();
        self.say(format!("event: {name}\ndata: {event}\n\n"));
    }

    pub(crate) fn end(&self) {
        let _ = self.words.send(Word::End);
    }
}

fn answer(socket: TcpStream, requests: &Mutex<Vec<Vec<u8>>>, words: &Words) {
    let mut reader = BufReader::new(socket);
    let Some(request) = read(&mut reader) else {
        return;
    };
    let mut socket = reader.into_inner();
    let first = request.split(|byte| *byte == b'\r').next();
    let first = String::from_utf8_lossy(first.unwrap_or_default()).into_owned();
    if !first.contains("/v1/messages") {
        // Some look whether anyone is there.
        let _ =
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
    }
    let mut kept = requests.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(request);
    drop(kept);
    let words = words.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(Word::Bytes(bytes)) = words.recv() {
        let _ = socket.write_all(&bytes); // The asker may have gone away.
    }
}

/// One request, to the last byte.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let start = request.len();
        reader
            .read_until(b'\n', &mut request)
            .ok()
            .filter(|read| *read > 0)?;
        let line = String::from_utf8_lossy(&request[start..]).to_ascii_lowercase();
        if let Some(told) = line.strip_prefix("content-length:") {
            length = told.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let start = request.len();
    request.resize(start + length, 0);
    reader.read_exact(&mut request[start..]).ok()?;
    Some(request)
}
