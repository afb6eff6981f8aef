//! A stand-in lane and a client without a socket, for this room's tests.

use super::Api;
use super::ServerConfig;
use super::admission::HERE;
use super::api::Backend;
use super::routes::Routes;
use crate::archive::Archive;
use crate::archive::FilesConfig;
use crate::auth::Admission;
use crate::auth::AuthConfig;
use crate::auth::BlockRule;
use crate::auth::Budget;
use crate::auth::Required;
use crate::authority::LicenseClient;
use crate::calls::CallLog;
use crate::clock;
use crate::conversation::ConversationView;
use crate::lane::Call;
use crate::lane::LaneWant;
use crate::lane::Serving;
use crate::lane::committed;
use crate::pool::ClaudeView;
use crate::pool::Condition;
use crate::pool::SessionView;
use crate::pool::Snapshot;
use crate::turn::ANSWER_BYTES_MAX;
use crate::turn::BlockKind;
use crate::turn::ConversationId;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::MessageId;
use crate::turn::Owner;
use crate::turn::Request;
use crate::turn::SessionOrigin;
use crate::turn::Start;
use crate::turn::StopReason;
use crate::turn::Usage;
use axum::body::Body;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::sleep;

type Word = Result<Event, Fault>;

pub(super) fn config() -> ServerConfig {
    ServerConfig {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        body_max: 10_000,
        bodies_max: 100_000,
        allowed_hosts: vec![],
        allowed_origins: vec!["https://app.example".into()],
        socket: None,
        drain_wait_max: Duration::from_secs(60),
        strict: false,
    }
}

/// An admission that lets everybody in.
fn open_door() -> Admission {
    let budget = Budget {
        per_minute: None,
        burst: NonZeroU32::MIN,
        concurrent_max: 1000,
    };
    let block = BlockRule {
        tries_max: 3,
        window: Duration::from_secs(60),
        span: Duration::from_secs(60),
    };
    let config = AuthConfig {
        required: Required::OnceThereIsAKey,
        address: budget,
        key: budget,
        block,
        proxies: vec![],
        default_policy: None,
    };
    Admission::new(config, None, None)
}

pub(super) fn start() -> Event {
    let labels = Labels {
        session: Some(SessionOrigin::Warm),
        ..Labels::exact(LaneId::new("test"))
    };
    let (id, model) = (MessageId("msg_1".into()), "m".into());
    Event::Start(Box::new(Start {
        id,
        model,
        usage: Usage::default(),
        labels,
    }))
}

pub(super) fn delta(index: usize, text: &str) -> Event {
    Event::Delta {
        index,
        delta: Delta::Text(text.into()),
    }
}

pub(super) fn end() -> Event {
    let usage = Usage {
        input_tokens: Some(1),
        output_tokens: Some(2),
        ..Usage::default()
    };
    Event::End(Box::new(End {
        stop: StopReason::EndTurn,
        details: None,
        usage,
        id: None,
        model: None,
    }))
}

/// A good answer.
pub(super) fn hello() -> Vec<Word> {
    vec![
        Ok(start()),
        Ok(Event::BlockStart {
            index: 0,
            kind: BlockKind::Text,
        }),
        Ok(delta(0, "hel")),
        Ok(delta(0, "lo")),
        Ok(Event::BlockStop { index: 0 }),
        Ok(end()),
    ]
}

/// An answer that is longer than one that is held.
pub(super) fn long() -> Vec<Word> {
    let mut words = hello();
    let piece = delta(0, &"a".repeat(ANSWER_BYTES_MAX / 8));
    words.splice(2..4, (0..9).map(|_| Ok(piece.clone())));
    words
}

/// What the lane does with each call.
#[derive(Clone)]
struct Script {
    wait: Duration,
    words: Vec<Word>,
    /// It goes on listening to [`TestApi::say`], until the answer is dropped.
    is_held: bool,
    condition: Condition,
}

struct StubLane {
    script: Script,
    asked: Mutex<Vec<Call>>,
    calls: watch::Sender<usize>,
    left: watch::Sender<bool>,
    sayer: Mutex<Option<mpsc::Sender<Word>>>,
}

impl Backend for Arc<StubLane> {
    fn serve(&self, call: Call) -> Serving {
        self.asked
            .lock()
            .expect("no test panics while it holds this")
            .push(call);
        let (events_tx, events) = mpsc::channel(8);
        *self
            .sayer
            .lock()
            .expect("no test panics while it holds this") = Some(events_tx.clone());
        self.calls.send_modify(|calls| *calls += 1);
        let stub = Arc::clone(self);
        let script = self.script.clone();
        tokio::spawn(async move {
            sleep(script.wait).await;
            for word in script.words {
                if events_tx.send(word).await.is_err() {
                    break;
                }
            }
            if script.is_held {
                events_tx.closed().await;
            }
            *stub
                .sayer
                .lock()
                .expect("no test panics while it holds this") = None;
            stub.left.send_replace(true);
        });
        Box::pin(committed(events))
    }

    fn conversations(&self, owner: &Owner) -> Vec<ConversationView> {
        assert_eq!(*owner, Owner::anonymous());
        vec![ConversationView {
            name: "mine".into(),
            state: "resumable",
            idle: Duration::from_millis(1500),
            turns: 2,
            model: "m".into(),
            bytes: 99,
            waiting: 0,
        }]
    }

    fn end(&self, id: &ConversationId) -> bool {
        id.name() == "mine/a/b"
    }
}

/// What is alive behind the stand-in.
fn snapshot(condition: Condition) -> Snapshot {
    let session = |pid, state| SessionView {
        id: format!("s{pid}"),
        pid,
        state,
        model: "m".into(),
        turns: 1,
        owner: None,
        born: clock::now(),
        conversation: None,
        awaits: vec![],
    };
    Snapshot {
        condition,
        sessions: vec![session(11, "idle"), session(12, "busy")],
        waiting: 3,
        claude: Some(ClaudeView {
            path: "/bin/claude".into(),
            version: Some("2.1.329".to_owned()),
            support: Some("supported".to_owned()),
        }),
    }
}

/// The API over a stand-in lane.
pub(super) struct TestApi {
    stub: Arc<StubLane>,
    pub(super) admission: Admission,
    journal: CallLog,
    archive: Archive,
    _folder: TempDir,
}

impl TestApi {
    pub(super) fn new() -> TestApi {
        TestApi::of(Script {
            wait: Duration::ZERO,
            words: vec![],
            is_held: false,
            condition: Condition::Ready,
        })
    }

    pub(super) fn answering(self, words: Vec<Word>) -> TestApi {
        TestApi::of(Script {
            words,
            ..self.stub.script.clone()
        })
    }

    pub(super) fn answering_after(self, wait: Duration, words: Vec<Word>) -> TestApi {
        TestApi::of(Script {
            wait,
            words,
            ..self.stub.script.clone()
        })
    }

    /// It says these words and then waits for [`TestApi::say`], until the answer is dropped.
    pub(super) fn holding(self, words: Vec<Word>) -> TestApi {
        TestApi::of(Script {
            words,
            is_held: true,
            ..self.stub.script.clone()
        })
    }

    pub(super) fn in_condition(self, condition: Condition) -> TestApi {
        TestApi::of(Script {
            condition,
            ..self.stub.script.clone()
        })
    }

    fn of(script: Script) -> TestApi {
        let (calls, left) = (watch::Sender::new(0), watch::Sender::new(false));
        let folder = tempfile::tempdir().expect("a folder");
        let files = FilesConfig {
            bytes_max: 1000,
            total_bytes_max: 2000,
        };
        let archive = Archive::open(folder.path(), files).expect("the folder is ours");
        TestApi {
            admission: open_door(),
            journal: CallLog::in_memory(),
            archive,
            _folder: folder,
            stub: Arc::new(StubLane {
                script,
                asked: Mutex::default(),
                calls,
                left,
                sayer: Mutex::default(),
            }),
        }
    }

    pub(super) fn api(&self, config: ServerConfig, port: u16) -> Api {
        let admission = self.admission.clone();
        Api::new(
            Arc::clone(&self.stub),
            watch::channel(snapshot(self.stub.script.condition.clone())).1,
            admission,
            LicenseClient::open_to_all(),
            config,
            port,
            false,
            self.journal.clone(),
        )
        .keeping_in(self.archive.clone())
    }

    /// The calls that reached the lanes.
    fn calls(&self) -> Vec<Call> {
        let asked = self.stub.asked.lock();
        asked.expect("no test panics while it holds this").clone()
    }

    /// Their requests.
    pub(super) fn asked(&self) -> Vec<Request> {
        let calls = self.calls().into_iter();
        calls
            .filter_map(|call| call.request().ok().map(|request| (**request).clone()))
            .collect()
    }

    /// The lanes that they ask for.
    pub(super) fn wanted(&self) -> Vec<LaneWant> {
        self.calls().into_iter().map(|call| call.want).collect()
    }

    /// Whether they refuse to be served with a part of them ignored.
    pub(super) fn strict(&self) -> Vec<bool> {
        self.calls().into_iter().map(|call| call.strict).collect()
    }

    /// The conversations that they belong to.
    pub(super) fn named(&self) -> Vec<Option<String>> {
        let name = |call: Call| call.conversation.map(|id| id.name().to_owned());
        self.calls().into_iter().map(name).collect()
    }

    pub(super) async fn is_asked(&self) {
        let mut calls = self.stub.calls.subscribe();
        calls
            .wait_for(|calls| *calls > 0)
            .await
            .expect("the stub lives");
    }

    /// The answer was dropped, or is over.
    pub(super) async fn is_left(&self) {
        let mut left = self.stub.left.subscribe();
        left.wait_for(|left| *left).await.expect("the stub lives");
    }

    pub(super) async fn say(&self, word: Word) {
        let sayer = self
            .stub
            .sayer
            .lock()
            .expect("no test panics while it holds this")
            .clone();
        sayer
            .expect("a call is held")
            .send(word)
            .await
            .expect("the answer is held");
    }

    pub(super) async fn bare(&self, method: &str, path: &str) -> Reply {
        self.with(method, path, &[("host", "127.0.0.1:7421")], "")
            .await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Reply {
        let headers = [
            ("host", "127.0.0.1:7421"),
            ("content-type", "application/json"),
        ];
        self.with("POST", path, &headers, body).await
    }

    pub(super) async fn with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("the request is good");
        let (head, body) = Routes::new(self.api(config(), 7421))
            .answer(request, HERE)
            .await
            .expect("it cannot fail")
            .into_parts();
        let body = body.collect().await.expect("the body must come").to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}

/// A response, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    /// The header's text; empty where there is none.
    pub(super) fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}
