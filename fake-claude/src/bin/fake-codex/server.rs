//! The talk on stdin and stdout: newline-delimited JSON-RPC without its version.

use crate::Exit;
use crate::account;
use crate::args::Settings;
use crate::clock;
use crate::env::Env;
use crate::history;
use crate::id;
use crate::out::Out;
use crate::script::Script;
use crate::thread::Thread;
use crate::thread::Turn;
use crate::turn;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;

/// What all turns share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) env: Env,
    pub(crate) settings: Settings,
    pub(crate) out: Out,
    pub(crate) script: Mutex<Script>,
    pub(crate) threads: Mutex<HashMap<String, Thread>>,
    /// Requests of the server so far; its ids begin at 0.
    pub(crate) asked: AtomicU64,
    /// Answers of the simulated model so far.
    pub(crate) answers: AtomicU64,
}

/// Takes a lock; what a turn that failed left behind is as good as anything else.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until stdin ends.
pub(crate) fn run(env: &Env, settings: &Settings) -> Exit {
    let text = env.script.as_ref().map(fs::read_to_string).transpose();
    let script = match text.map(|text| Script::parse(&text.unwrap_or_default())) {
        Ok(Ok(script)) => script,
        Ok(Err(words)) => return failed(format!("fake-codex: the script: {words}\n")),
        Err(error) => return failed(format!("fake-codex: the script: {error}\n")),
    };
    let shared = Arc::new(Shared {
        env: env.clone(),
        settings: settings.clone(),
        script: Mutex::new(script),
        ..Shared::default()
    });
    let mut is_initialized = false;
    for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
        if let Ok(message) = serde_json::from_slice::<Value>(&line) {
            handle(&shared, &message, &mut is_initialized);
        }
    }
    Exit::default()
}

fn failed(words: String) -> Exit {
    Exit {
        code: 1,
        words,
        ..Exit::default()
    }
}

fn handle(shared: &Arc<Shared>, message: &Value, is_initialized: &mut bool) {
    let (id, params) = (&message["id"], &message["params"]);
    let method = message["method"].as_str();
    let (Some(method), false) = (method, id.is_null()) else {
        return; // A notice, or an answer to a request of the server: none is waited for.
    };
    if method == "initialize" {
        *is_initialized = true;
        return initialize(shared, id, params);
    }
    let answer = match (*is_initialized, method) {
        (false, _) => Err("Not initialized".to_owned()),
        (true, "account/read") => Ok(account::read(&shared.env)),
        (true, "account/rateLimits/read") => {
            Err("codex account authentication required to read rate limits".to_owned())
        }
        (true, "thread/start") => return start(shared, id, params),
        (true, "thread/inject_items") => inject(shared, params),
        (true, "turn/start") => return begin(shared, id, params),
        (true, "turn/interrupt") => match interrupt(shared, id, params) {
            Ok(()) => return,
            Err(why) => Err(why),
        },
        (true, "thread/unsubscribe") => return unsubscribe(shared, id, params),
        (true, method) => Err(format!(
            "Invalid request: unknown variant `{method}`, expected one of `initialize`, `thread/start`"
        )),
    };
    match answer {
        Ok(result) => shared.out.reply(id, &result),
        Err(message) => shared.out.refuse(id, INVALID_REQUEST, &message),
    }
}

fn initialize(shared: &Shared, id: &Value, params: &Value) {
    let out = &shared.out;
    out.opt_out(&params["capabilities"]["optOutNotificationMethods"]);
    let client = &params["clientInfo"];
    let text = |name: &str| client[name].as_str().unwrap_or_default();
    let agent = format!(
        "{name}/{} (Simulated 1.0.0; x86_64) unknown ({name}; {})",
        shared.env.version,
        text("version"),
        name = text("name"),
    );
    out.reply(
        id,
        &json!({
            "userAgent": agent, "codexHome": shared.env.home, "platformFamily": std::env::consts::FAMILY,
            "platformOs": std::env::consts::OS,
        }),
    );
    let status = json!({"status": "disabled", "serverName": "simulated", "installationId": id::uuid(), "environmentId": null});
    out.notice("remoteControl/status/changed", &status);
}

fn start(shared: &Shared, id: &Value, params: &Value) {
    let tools = params["dynamicTools"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(why) = history::tool_refusal(&tools) {
        return shared.out.refuse(id, INVALID_REQUEST, &why);
    }
    let thread = Thread::begin(params, tools);
    let told = thread.told(&shared.env.version, clock::unix_ms() / 1000);
    let started = json!({"thread": told["thread"]});
    lock(&shared.threads).insert(thread.id.clone(), thread);
    shared.out.reply(id, &told);
    shared.out.notice("thread/started", &started);
}

fn inject(shared: &Shared, params: &Value) -> Result<Value, String> {
    let items = params["items"].as_array().cloned().unwrap_or_default();
    let refusal = |(place, item)| history::refusal(place, item);
    if let Some(why) = items.iter().enumerate().find_map(refusal) {
        return Err(why);
    }
    let mut threads = lock(&shared.threads);
    let thread = named(&mut threads, params)?;
    thread.items.extend(items);
    Ok(json!({}))
}

fn begin(shared: &Arc<Shared>, id: &Value, params: &Value) {
    let begun = {
        let mut threads = lock(&shared.threads);
        named(&mut threads, params).map(|thread| {
            let (stop, stopped) = mpsc::channel();
            let turn = id::uuid();
            thread.turn = Some(Turn {
                id: turn.clone(),
                stop,
            });
            (thread.clone_for_turn(), turn, stopped)
        })
    };
    match begun {
        Err(why) => shared.out.refuse(id, INVALID_REQUEST, &why),
        Ok((thread, turn, stopped)) => {
            let (shared, id, params) = (Arc::clone(shared), id.clone(), params.clone());
            std::thread::spawn(move || turn::play(&shared, thread, &turn, &id, &params, &stopped));
        }
    }
}

/// Tells a turn to stop; it answers itself, once it has.
fn interrupt(shared: &Shared, id: &Value, params: &Value) -> Result<(), String> {
    let mut threads = lock(&shared.threads);
    let thread = named(&mut threads, params)?;
    let turn = thread
        .turn
        .take_if(|turn| params["turnId"] == turn.id.as_str());
    let told = turn.map(|turn| turn.stop.send(id.clone()));
    match told {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err("no active turn to interrupt".to_owned()),
    }
}

fn unsubscribe(shared: &Shared, id: &Value, params: &Value) {
    let known = lock(&shared.threads).remove(params["threadId"].as_str().unwrap_or_default());
    let status = match &known {
        Some(_) => "unsubscribed",
        None => "notLoaded",
    };
    shared.out.reply(id, &json!({"status": status}));
    if let Some(thread) = known {
        let params = json!({"threadId": thread.id, "status": {"type": "notLoaded"}});
        shared.out.notice("thread/status/changed", &params);
        shared
            .out
            .notice("thread/closed", &json!({"threadId": thread.id}));
    }
}

fn named<'a>(
    threads: &'a mut HashMap<String, Thread>,
    params: &Value,
) -> Result<&'a mut Thread, String> {
    let id = params["threadId"].as_str().unwrap_or_default();
    threads
        .get_mut(id)
        .ok_or_else(|| format!("thread not found: {id}"))
}

const INVALID_REQUEST: i64 = -32600;
