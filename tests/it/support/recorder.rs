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
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// A provider for one asker at a time. One that asks again before its answer has ended has lost it, and gets it from
/// the beginning: a busy machine may lose a session, and the relay then asks once more.
pub(crate) struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    answers: Arc<Answers>,
}

/// What it says, answer by answer.
#[derive(Default)]
struct Answers {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    answers: Vec<Answer>,
    /// The answer that the next request gets.
    next: usize,
}

#[derive(Default)]
struct Answer {
    bytes: Vec<u8>,
    ended: bool,
}

impl Recorder {
    pub(crate) fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
        let address = listener.local_addr().expect("a listener has an address");
        let (requests, answers) = (Arc::default(), Arc::<Answers>::default());
        let (kept, told) = (Arc::clone(&requests), Arc::clone(&answers));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (kept, told) = (Arc::clone(&kept), Arc::clone(&told));
                std::thread::spawn(move || answer(socket, &kept, &told));
            }
        });
        Recorder {
            address,
            requests,
            answers,
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
        let bytes: Vec<u8> = bytes.into();
        self.answers.change(|answer| answer.bytes.extend(bytes));
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
        self.answers.change(|answer| answer.ended = true);
    }
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the answer that is being said: the last one, or a new one where that has ended.
    fn change(&self, change: impl FnOnce(&mut Answer)) {
        let mut said = self.lock();
        if said.answers.last().is_none_or(|answer| answer.ended) {
            said.answers.push(Answer::default());
        }
        if let Some(answer) = said.answers.last_mut() {
            change(answer);
        }
        self.more.notify_all();
    }

    /// Which answer a request gets.
    fn take(&self) -> usize {
        let mut said = self.lock();
        let is_lost = said.next > 0
            && !said
                .answers
                .get(said.next - 1)
                .is_some_and(|answer| answer.ended);
        if !is_lost {
            said.next += 1;
        }
        said.next - 1
    }

    /// What this answer has beyond so many bytes, once there is more; `None` at its end.
    fn beyond(&self, number: usize, count: usize) -> Option<Vec<u8>> {
        let mut said = self.lock();
        loop {
            if let Some(answer) = said.answers.get(number) {
                if answer.bytes.len() > count {
                    return Some(answer.bytes[count..].to_vec());
                }
                if answer.ended {
                    return None;
                }
            }
            said = self.more.wait(said).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn answer(socket: TcpStream, requests: &Mutex<Vec<Vec<u8>>>, answers: &Answers) {
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
    let (number, mut count) = (answers.take(), 0);
    while let Some(bytes) = answers.beyond(number, count) {
        count += bytes.len();
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
