//! The listener: keeps every request, and answers by a rule.

use crate::asked::Asked;
use crate::said::Said;
use std::io;
use std::io::BufReader;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// A host that answers until the process ends.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Rule = dyn Fn(&Asked) -> Said + Send + Sync;

impl Host {
    /// A host of a test, on any free port of loopback. It keeps all requests.
    ///
    /// # Panics
    /// Where there is no free port.
    #[must_use]
    pub fn answering(rule: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Host {
        Host::listening(0, usize::MAX, rule).expect("a free port must be found")
    }

    /// A host on this port of loopback, which keeps the first so many requests.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn listening(
        port: u16,
        kept_max: usize,
        rule: impl Fn(&Asked) -> Said + Send + Sync + 'static,
    ) -> io::Result<Host> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (rule, kept): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&asked));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (rule, kept) = (Arc::clone(&rule), Arc::clone(&kept));
                std::thread::spawn(move || serve(&socket, &*rule, &kept, kept_max));
            }
        });
        Ok(Host { address, asked })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(socket: &TcpStream, rule: &Rule, kept: &Mutex<Vec<Asked>>, kept_max: usize) {
    let _ = socket.set_nodelay(true); // Without it a test takes longer, and no more.
    let mut reader = BufReader::new(socket);
    while let Some(asked) = Asked::read(&mut reader) {
        let said = rule(&asked);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < kept_max {
            kept.push(asked);
        }
        drop(kept);
        if !said.say(socket) {
            return;
        }
    }
}
