//! A small HTTP server on loopback: each connection has a thread, each request an answer.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

/// What to answer.
pub(crate) enum Response {
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Pieces as they come, until the sender is gone.
    Stream(Receiver<String>),
}

impl Response {
    pub(crate) fn json(body: impl ToString) -> Response {
        Response::Whole {
            status: 200,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    pub(crate) fn empty(status: u16) -> Response {
        Response::Whole {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// Serves until the process ends; the address without a path.
pub(crate) fn serve(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> String {
    serve_until_read(answer, |_| {})
}

/// The same; `read` hears of the last request of a connection whose client has closed it, its answer read.
pub(crate) fn serve_until_read(
    answer: impl Fn(Request) -> Response + Send + Sync + 'static,
    read: impl Fn(&Request) + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback must have a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let (answer, read) = (Arc::new(answer), Arc::new(read));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, read) = (Arc::clone(&answer), Arc::clone(&read));
            std::thread::spawn(move || {
                if let Some(last) = talk(stream, &*answer) {
                    read(&last);
                }
            });
        }
    });
    format!("http://{address}")
}

/// Answers until the client closes; its last request.
fn talk(mut stream: TcpStream, answer: &dyn Fn(Request) -> Response) -> Option<Request> {
    let mut read = BufReader::new(stream.try_clone().ok()?);
    let mut last = None;
    while let Some(request) = request(&mut read) {
        last = Some(request.clone());
        respond(&mut stream, answer(request)).ok()?;
    }
    last
}

fn request(read: &mut BufReader<TcpStream>) -> Option<Request> {
    let first = line(read)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let line = line(read)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: String::new(),
    };
    let length = request.header("content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().ok()?];
    read.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

fn line(read: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    read.read_line(&mut line).ok().filter(|read| *read > 0)?;
    Some(line.trim_end().to_owned())
}

fn respond(stream: &mut TcpStream, response: Response) -> std::io::Result<()> {
    match response {
        Response::Whole {
            status,
            headers,
            body,
        } => {
            let mut head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes())
        }
        Response::Stream(pieces) => {
            stream.write_all(
                b"HTTP/1.1 200 -\r\ncontent-type: text/event-stream\r\nrequest-id: req_test\r\ntransfer-encoding: chunked\r\n\r\n",
            )?;
            for piece in pieces {
                stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes())?;
            }
            stream.write_all(b"0\r\n\r\n")
        }
    }
}
