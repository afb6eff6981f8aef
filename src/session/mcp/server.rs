//! One session's MCP address: answers what the list answers, and hands the rest to the session's driver.

use super::result::Answered;
use super::rpc;
use super::rpc::ClientMessage;
use super::tool_list::ToolList;
use super::tool_sync::Notice;
use super::tool_sync::ToolEvent;
use crate::sync::lock;
use bytes::Bytes;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// What a session shares with its MCP address; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct McpServer {
    state: Arc<Mutex<State>>,
    events: mpsc::Sender<ToolEvent>,
}

#[derive(Debug)]
struct State {
    list: ToolList,
    edition: u64,
    /// Where notices go, while the CLI listens.
    notices: Option<mpsc::Sender<Bytes>>,
    parked: HashMap<String, Parked>,
    /// Results that wait until the one before them is taken, in the caller's order; at most one for each parked call.
    results: VecDeque<Answered>,
    /// The number of the result that the CLI has to take before it is given the next.
    awaited: Option<u64>,
    /// How many results were given out that another one follows.
    given: u64,
    /// Steps of progress told so far; they must rise.
    steps: u64,
    /// How many times a list was given out.
    times: u64,
}

/// A call whose answer is outstanding.
#[derive(Debug)]
struct Parked {
    answer: oneshot::Sender<Given>,
    progress: Option<Value>,
}

/// A result on its way to the CLI.
#[derive(Debug)]
struct Given {
    result: Value,
    /// Its number, where another result may follow.
    number: Option<u64>,
}

/// What an MCP request is answered with.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(String),
    /// The answer as an event, and what comes behind it in the same stream.
    Events(String, String),
    /// Taken note of.
    Accepted,
    Malformed,
}

impl McpServer {
    /// A server with this list; what the CLI does there comes as events.
    pub(crate) fn new(list: ToolList) -> (McpServer, mpsc::Receiver<ToolEvent>) {
        let (events, told) = mpsc::channel(EVENTS_MAX);
        let state = State {
            list,
            edition: 0,
            notices: None,
            parked: HashMap::new(),
            results: VecDeque::new(),
            awaited: None,
            given: 0,
            steps: 0,
            times: 0,
        };
        let state = Arc::new(Mutex::new(state));
        (McpServer { state, events }, told)
    }

    /// Sends a notice to the CLI. One that does not listen is told when it does.
    pub(crate) fn tell(&self, notice: Notice) {
        let text = match notice {
            Notice::Changed(list, edition) => {
                let mut state = self.lock();
                (state.list, state.edition) = (list, edition);
                drop(state);
                rpc::list_changed()
            }
            Notice::Ping(number) => rpc::ping(number),
        };
        self.send(&text);
    }

    /// Tells some progress of every parked call.
    pub(crate) fn nudge(&self) {
        let mut state = self.lock();
        state.steps += 1;
        let step = state.steps;
        let tokens = state
            .parked
            .values()
            .filter_map(|call| call.progress.as_ref());
        let texts: Vec<String> = tokens.map(|token| rpc::progress(token, step)).collect();
        drop(state);
        for text in texts {
            self.send(&text);
        }
    }

    /// Answers a parked call, once the CLI has taken the result before. One that was given up is not there any more.
    pub(crate) fn answer(&self, answered: Answered) {
        let mut state = self.lock();
        state.results.push_back(answered);
        state.give_results();
    }

    /// Gives all parked calls up; they are never answered.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.parked.clear();
        state.results.clear();
        state.awaited = None;
    }

    /// The stream of notices, for the CLI's request to listen.
    pub(crate) fn listen(&self) -> mpsc::Receiver<Bytes> {
        let (notices, stream) = mpsc::channel(NOTICES_MAX);
        self.lock().notices = Some(notices);
        self.report(ToolEvent::Opened);
        stream
    }

    /// Answers a message of the CLI; a tool call is answered when its caller has.
    pub(crate) async fn handle(&self, body: &[u8]) -> Reply {
        Reply::Json(match rpc::parse(body) {
            None => return Reply::Malformed,
            Some(ClientMessage::Notice) => return Reply::Accepted,
            Some(ClientMessage::Pong(number)) => {
                self.report(ToolEvent::Ponged(number));
                return Reply::Accepted;
            }
            Some(ClientMessage::Read(time)) => {
                self.report(ToolEvent::Read(time));
                return Reply::Accepted;
            }
            Some(ClientMessage::Taken(number)) => {
                self.lock().take_note(number);
                return Reply::Accepted;
            }
            Some(ClientMessage::List { id }) => return self.list(&id),
            Some(ClientMessage::Initialize {
                id,
                protocol,
                version,
            }) => {
                self.report(ToolEvent::Joined { version });
                rpc::greeting(&id, &protocol)
            }
            Some(ClientMessage::Ping { id }) => {
                rpc::answer(&id, &Value::Object(serde_json::Map::new()))
            }
            Some(ClientMessage::Unknown { id }) => rpc::no_such_method(&id),
            Some(ClientMessage::Call { id, call }) => return self.park(&id, call).await,
            Some(ClientMessage::Broken { id }) => self.refuse(&id).await,
        })
    }

    /// The list, and behind it a ping, which shows that it was read.
    fn list(&self, id: &Value) -> Reply {
        let mut state = self.lock();
        state.times += 1;
        let (edition, time) = (state.edition, state.times);
        let text = rpc::listing(id, &state.list);
        drop(state);
        self.report(ToolEvent::Listed { edition, time });
        Reply::Events(text, rpc::reading(time))
    }

    /// Behind a result that others may follow comes a ping, which shows that it was taken.
    async fn park(&self, id: &Value, call: rpc::Call) -> Reply {
        let Some(told) = self.keep(call) else {
            return Reply::Json(self.refuse(id).await);
        };
        if let Ok(Given { result, number }) = told.await {
            let text = rpc::answer(id, &result);
            return match number {
                Some(number) => Reply::Events(text, rpc::taking(number)),
                None => Reply::Json(text),
            };
        }
        // Whatever it were told, the CLI would go on to ask the model: it waits until it is interrupted or ended.
        std::future::pending().await
    }

    /// A call that cannot be parked. Its session is ended at once; where it is not, it must not wait for ever.
    async fn refuse(&self, id: &Value) -> String {
        self.report(ToolEvent::Broken);
        tokio::time::sleep(REFUSAL_PAUSE).await;
        rpc::broken(id)
    }

    /// Keeps a call until it is answered; not where as many are kept as may be.
    fn keep(&self, call: rpc::Call) -> Option<oneshot::Receiver<Given>> {
        let (answer, told) = oneshot::channel();
        let mut state = self.lock();
        if state.parked.len() >= PARKED_MAX {
            return None;
        }
        if state.parked.is_empty() {
            state.awaited = None; // Another message of the model begins.
        }
        let parked = Parked {
            answer,
            progress: call.progress,
        };
        state.parked.insert(call.tool_use.clone(), parked);
        drop(state);
        self.report(ToolEvent::Called(call.tool_use));
        Some(told)
    }

    /// A full queue means that the session does not read; its turn ends by its deadline.
    fn report(&self, event: ToolEvent) {
        drop(self.events.try_send(event));
    }

    fn send(&self, text: &str) {
        if let Some(notices) = &self.lock().notices {
            drop(notices.try_send(rpc::event(text).into())); // A stream that is gone is opened again.
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Gives results out until one has to be taken first: the CLI tells the model results in the order in which it took
    /// them, and those that are on their way at once can overtake each other.
    fn give_results(&mut self) {
        while self.awaited.is_none()
            && let Some(Answered { id, result }) = self.results.pop_front()
        {
            let Some(parked) = self.parked.remove(&id) else {
                continue;
            };
            let number = (!self.parked.is_empty()).then_some(self.given);
            self.given += 1;
            if parked.answer.send(Given { result, number }).is_ok() {
                self.awaited = number;
            }
        }
    }

    fn take_note(&mut self, number: u64) {
        if self.awaited == Some(number) {
            self.awaited = None;
            self.give_results();
        }
    }
}

/// After an answer the CLI asks the model on, so its session gets the time to end first, which takes milliseconds.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);
/// Events that may wait for a session; one that is this far behind is stuck.
const EVENTS_MAX: usize = 1024;
/// Notices that may wait for the CLI, which reads them at once.
const NOTICES_MAX: usize = 1024;
/// Calls of one message that may wait for their results; the CLI makes as many at once as it is told it may.
pub(crate) const PARKED_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(id: u64) -> Vec<u8> {
        let params = json!({"name": "f", "arguments": {}, "_meta": {"claudecode/toolUseId": id.to_string()}});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        call.to_string().into_bytes()
    }

    fn result(id: u64) -> Answered {
        Answered {
            id: id.to_string(),
            result: json!({ "content": [] }),
        }
    }

    /// The number that the ping behind a result has; none where nothing follows.
    fn number(reply: &Reply) -> Option<String> {
        match reply {
            Reply::Events(_, ping) => serde_json::from_str::<Value>(ping).ok()?["id"]
                .as_str()
                .map(str::to_owned),
            Reply::Json(_) | Reply::Accepted | Reply::Malformed => None,
        }
    }

    #[tokio::test]
    async fn a_result_waits_until_the_one_before_it_is_taken() {
        let (mcp, mut events) = McpServer::new(ToolList::default());
        let [first, second, third] = [1, 2, 3].map(|id| {
            let mcp = mcp.clone();
            tokio::spawn(async move { mcp.handle(&call(id)).await })
        });
        for _ in 0..3 {
            assert!(matches!(events.recv().await, Some(ToolEvent::Called(_))));
        }
        for id in [3, 1, 2] {
            mcp.answer(result(id));
        }
        for given in [third, first] {
            let ping = number(&given.await.expect("the call is answered")).expect("one follows");
            assert!(!second.is_finished());
            let pong = json!({"jsonrpc": "2.0", "id": ping, "result": {}}).to_string();
            assert!(matches!(mcp.handle(pong.as_bytes()).await, Reply::Accepted));
        }
        assert_eq!(number(&second.await.expect("the call is answered")), None);
    }
}
