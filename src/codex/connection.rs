//! The talk with one app-server: its handshake, whose each message is, and what of it is refused. `[pure]`

use super::account::Account;
use super::rpc;
use super::rpc::Incoming;
use super::rpc::RpcError;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::collections::VecDeque;

/// A call, among those of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallKey(pub(super) u64);

/// What a call asked the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    ThreadStart,
    InjectItems,
    TurnStart,
    Interrupt,
    Unsubscribe,
}

impl Ask {
    pub(super) fn method(self) -> &'static str {
        match self {
            Ask::ThreadStart => "thread/start",
            Ask::InjectItems => "thread/inject_items",
            Ask::TurnStart => "turn/start",
            Ask::Interrupt => "turn/interrupt",
            Ask::Unsubscribe => "thread/unsubscribe",
        }
    }
}

/// What a call is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Inbound {
    Reply {
        ask: Ask,
        result: Result<Value, RpcError>,
    },
    Notice {
        method: String,
        params: Value,
    },
    /// The server wants a tool called. Nobody here does: the answer ends with what the model called.
    Asked,
}

/// What the connection says to whoever holds it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ConnectionEvent {
    /// The handshake is done.
    Ready {
        version: String,
        account: Account,
    },
    /// The server does not take the handshake.
    Refused(String),
    Call(CallKey, Inbound),
    /// A window of the plan, as the server tells it.
    Limits(Value),
    /// The login, after it changed.
    Account(Account),
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy)]
enum Waiter {
    Initialize,
    Account,
    /// The login again, which changed.
    AccountAgain,
    Limits,
    Call(CallKey, Ask),
}

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    last_id: u64,
    version: String,
    waiters: HashMap<u64, Waiter>,
    threads: HashMap<String, CallKey>,
    writes: VecDeque<Vec<u8>>,
    told: VecDeque<ConnectionEvent>,
}

impl Connection {
    /// A connection that begins with its handshake; `version` is the relay's.
    pub(super) fn begin(version: &str) -> Connection {
        let mut connection = Connection::default();
        let hello = json!({
            "clientInfo": { "name": CLIENT, "title": CLIENT, "version": version },
            "capabilities": { "experimentalApi": true, "optOutNotificationMethods": UNWANTED },
        });
        connection.ask(Waiter::Initialize, "initialize", &hello);
        connection
    }

    /// Takes a line of the server. One that is no message is passed over: programs on the way may write, too.
    pub(super) fn handle_line(&mut self, line: &[u8]) {
        match rpc::parse(line) {
            Ok(Incoming::Reply { id, result }) => self.reply(id, result),
            Ok(Incoming::Asked { id, method, params }) => self.asked(&id, &method, &params),
            Ok(Incoming::Notice { method, params }) => self.notice(method, params),
            Err(rpc::Unread) => {}
        }
    }

    /// A call asks the server.
    pub(super) fn handle_ask(&mut self, call: CallKey, ask: Ask, params: &Value) {
        self.ask(Waiter::Call(call, ask), ask.method(), params);
    }

    /// A call is over: nothing more of it is told.
    pub(super) fn handle_end(&mut self, call: CallKey) {
        self.threads.retain(|_, key| *key != call);
        self.waiters
            .retain(|_, waiter| !matches!(waiter, Waiter::Call(key, _) if *key == call));
    }

    /// The next line for the server.
    pub(super) fn poll_write(&mut self) -> Option<Vec<u8>> {
        self.writes.pop_front()
    }

    pub(super) fn poll_told(&mut self) -> Option<ConnectionEvent> {
        self.told.pop_front()
    }

    fn ask(&mut self, waiter: Waiter, method: &str, params: &Value) {
        self.last_id += 1;
        self.waiters.insert(self.last_id, waiter);
        self.writes
            .push_back(rpc::request(self.last_id, method, params));
    }

    fn reply(&mut self, id: u64, result: Result<Value, RpcError>) {
        match self.waiters.remove(&id) {
            Some(Waiter::Initialize) => self.initialized(result),
            Some(Waiter::Account) => {
                let account = Account::read(result.as_ref().ok());
                let version = self.version.clone();
                if matches!(account, Account::LoggedIn { .. }) {
                    self.ask(Waiter::Limits, "account/rateLimits/read", &json!({}));
                }
                self.told
                    .push_back(ConnectionEvent::Ready { version, account });
            }
            Some(Waiter::AccountAgain) => {
                let account = Account::read(result.as_ref().ok());
                self.told.push_back(ConnectionEvent::Account(account));
            }
            // One that is logged in with a key has no windows.
            Some(Waiter::Limits) => self.told.extend(result.ok().map(ConnectionEvent::Limits)),
            Some(Waiter::Call(call, ask)) => {
                if let (Ask::ThreadStart, Ok(started)) = (ask, &result)
                    && let Some(thread) = started["thread"]["id"].as_str()
                {
                    self.threads.insert(thread.to_owned(), call);
                }
                let inbound = Inbound::Reply { ask, result };
                self.told.push_back(ConnectionEvent::Call(call, inbound));
            }
            None => {}
        }
    }

    fn initialized(&mut self, result: Result<Value, RpcError>) {
        match result {
            Ok(hello) => {
                self.version = version_in(hello["userAgent"].as_str().unwrap_or_default());
                self.writes.push_back(rpc::notice("initialized"));
                self.ask(Waiter::Account, "account/read", &json!({}));
            }
            Err(error) => self.told.push_back(ConnectionEvent::Refused(error.message)),
        }
    }

    fn asked(&mut self, id: &Value, method: &str, params: &Value) {
        match (method, self.call_of(params)) {
            ("item/tool/call", Some(call)) => {
                self.told
                    .push_back(ConnectionEvent::Call(call, Inbound::Asked));
            }
            _ => self.writes.push_back(rpc::refusal(id)),
        }
    }

    fn notice(&mut self, method: String, params: Value) {
        match (method.as_str(), self.call_of(&params)) {
            ("account/rateLimits/updated", _) => {
                self.told.push_back(ConnectionEvent::Limits(params));
            }
            ("account/updated" | "account/login/completed", _) => {
                self.ask(Waiter::AccountAgain, "account/read", &json!({}));
            }
            (_, Some(call)) => {
                let inbound = Inbound::Notice { method, params };
                self.told.push_back(ConnectionEvent::Call(call, inbound));
            }
            (_, None) => {}
        }
    }

    fn call_of(&self, params: &Value) -> Option<CallKey> {
        self.threads.get(params["threadId"].as_str()?).copied()
    }
}

/// `inference_relay/0.171.0 (…)` as `0.171.0`.
fn version_in(agent: &str) -> String {
    let number = agent.split(['/', ' ']).nth(1).unwrap_or_default();
    number.to_owned()
}

/// The relay's own name: it is what the upstream is told, too.
const CLIENT: &str = "inference_relay";
/// Notices that say nothing that a call needs.
const UNWANTED: &[&str] = &[
    "thread/started",
    "thread/closed",
    "remoteControl/status/changed",
    "configWarning",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(connection: &mut Connection) -> Vec<Value> {
        std::iter::from_fn(|| connection.poll_write())
            .map(|line| serde_json::from_slice(&line).expect("each line is JSON"))
            .collect()
    }

    fn told(connection: &mut Connection) -> Vec<ConnectionEvent> {
        std::iter::from_fn(|| connection.poll_told()).collect()
    }

    fn ready() -> Connection {
        let mut connection = Connection::begin("1");
        connection.handle_line(br#"{"id":1,"result":{"userAgent":"inference_relay/0.171.0 (X)"}}"#);
        connection.handle_line(br#"{"id":2,"result":{"account":null,"requiresOpenaiAuth":false}}"#);
        connection
    }

    #[test]
    fn the_handshake_tells_the_version_and_the_login() {
        let mut connection = ready();
        let methods: Vec<Value> = writes(&mut connection)
            .iter()
            .map(|line| line["method"].clone())
            .collect();
        assert_eq!(methods, ["initialize", "initialized", "account/read"]);
        let version = "0.171.0".to_owned();
        let account = Account::NotNeeded;
        assert_eq!(
            told(&mut connection),
            [ConnectionEvent::Ready { version, account }]
        );
    }

    #[test]
    fn a_message_goes_to_the_call_of_its_thread_and_to_no_other() {
        let mut connection = ready();
        told(&mut connection);
        for (key, thread) in [(1, "a"), (2, "b")] {
            connection.handle_ask(CallKey(key), Ask::ThreadStart, &json!({}));
            let line = json!({"id": key + 2, "result": {"thread": {"id": thread}}});
            connection.handle_line(line.to_string().as_bytes());
        }
        told(&mut connection);
        connection.handle_line(br#"{"method":"turn/started","params":{"threadId":"b"}}"#);
        connection.handle_line(br#"{"method":"turn/started","params":{"threadId":"c"}}"#);
        let heard = told(&mut connection);
        assert!(
            matches!(
                heard.as_slice(),
                [ConnectionEvent::Call(CallKey(2), Inbound::Notice { .. })]
            ),
            "{heard:?}"
        );
        connection.handle_end(CallKey(2));
        connection.handle_line(br#"{"method":"turn/started","params":{"threadId":"b"}}"#);
        assert_eq!(told(&mut connection), []);
    }

    #[test]
    fn whatever_the_server_asks_but_a_tool_of_a_call_is_refused() {
        let mut connection = ready();
        writes(&mut connection);
        for method in [
            "item/tool/call",
            "item/commandExecution/requestApproval",
            "account/chatgptAuthTokens/refresh",
        ] {
            let line = json!({"id": 0, "method": method, "params": {"threadId": "x"}});
            connection.handle_line(line.to_string().as_bytes());
            let lines = writes(&mut connection);
            assert_eq!(lines[0]["error"]["code"], -32601, "{method}");
            assert_eq!(lines[0]["id"], 0);
        }
    }
}
