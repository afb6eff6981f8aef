//! A host that misbehaves, in sixteen ways, and another one behind it: what the caller sees, and how often each was asked.

use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::chat_fails;
use super::support::api_host::chat_stream;
use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

const WORDS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

/// Two hosts of one model, the second for when the first cannot.
struct Pair {
    first: Host,
    second: Host,
    relay: Relay,
}

/// What a stream came to.
struct Told {
    response: Response,
    text: String,
    is_done: bool,
    /// The last event is a failure.
    has_failed: bool,
    model: String,
    completion_tokens: Value,
}

impl Pair {
    /// The rule of the first host gets the number of the try, from 1 on.
    fn new(first: impl Fn(usize, &Asked) -> Said + Send + Sync + 'static) -> Pair {
        let second = Host::answering(|_| Said::Stream(chat_stream("second-model", &WORDS)));
        Pair::of(first, second)
    }

    fn of(first: impl Fn(usize, &Asked) -> Said + Send + Sync + 'static, second: Host) -> Pair {
        let tries = AtomicUsize::new(0);
        let first =
            Host::answering(move |asked| first(tries.fetch_add(1, Ordering::Relaxed) + 1, asked));
        let world = World::scripted("").pool("idle = 0");
        world.credential("key", "sk-a");
        let mut text = "kind: Model\nmetadata: { name: m }\n".to_owned();
        for (order, (name, host)) in (1..).zip([("first", &first), ("second", &second)]) {
            text.push_str(&format!(
                "---\nkind: Host\nmetadata: {{ name: {name} }}\nspec: {{ url: \"{}\", network: private, \
                 timeouts: {{ firstEvent: 1s, idle: 1s, total: 10s }} }}\n\
                 ---\nkind: HostKey\nmetadata: {{ name: {name}-key }}\nspec: {{ host: {name}, value: {{ file: key }} }}\n\
                 ---\nkind: Binding\nmetadata: {{ name: to-{name} }}\nspec: {{ model: m, lane: \"http:{name}\", \
                 adapter: openai, upstreamName: {name}-model, order: {order} }}\n",
                host.url()
            ));
        }
        world.declare(&text);
        Pair {
            first,
            second,
            relay: world.start(),
        }
    }

    fn ask(&self) -> Told {
        let body = json!({"model": "m", "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "count"}]});
        let stream = client::stream_to(self.relay.address, "/v1/chat/completions", &body);
        Told::of(stream.whole())
    }

    /// How often each was asked.
    fn asked(&self) -> (usize, usize) {
        (self.first.asked().len(), self.second.asked().len())
    }
}

impl Told {
    fn of(response: Response) -> Told {
        let lines = response.body.lines();
        let data: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        let json = |data: &&str| serde_json::from_str(data).ok();
        let chunks: Vec<Value> = data.iter().filter_map(json).collect();
        let unread = data.iter().filter(|data| json(data).is_none());
        let is_done = data.last() == Some(&"[DONE]");
        assert_eq!(unread.count(), usize::from(is_done), "{}", response.body);
        let said = |chunk: &Value| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        };
        let last = chunks.last().cloned().unwrap_or_default();
        Told {
            text: chunks.iter().filter_map(said).collect(),
            is_done,
            has_failed: last.get("error").is_some(),
            model: last["model"].as_str().unwrap_or_default().to_owned(),
            completion_tokens: last["usage"]["completion_tokens"].clone(),
            response,
        }
    }

    /// All of the answer, from the host of this model.
    fn is_whole(&self, model: &str) {
        assert_eq!(self.response.status, 200, "{}", self.response.body);
        assert_eq!(self.text.trim_end(), WORDS.join(" "));
        assert_eq!((self.model.as_str(), self.has_failed), (model, false));
        assert_eq!(self.completion_tokens, WORDS.len());
    }

    /// A part of the answer, and a failure that cannot be taken for its end.
    fn is_cut(&self) {
        assert_eq!(self.response.status, 200);
        assert!(
            WORDS.join(" ").starts_with(self.text.trim_end()),
            "{}",
            self.text
        );
        assert!(self.has_failed && !self.is_done, "{}", self.response.body);
    }
}

fn well() -> Said {
    Said::Stream(chat_stream("first-model", &WORDS))
}

fn overloaded() -> Said {
    chat_fails(503, "", "overloaded", "The engine is overloaded.")
}

#[test]
fn s01_a_429_with_a_short_retry_after_is_waited_for_and_tried_again() {
    let pair = Pair::new(|number, _| match number {
        1 => chat_fails(
            429,
            "retry-after: 1\r\n",
            "rate_limit_exceeded",
            "slow down",
        ),
        _ => well(),
    });
    pair.ask().is_whole("first-model");
    assert_eq!(pair.asked(), (2, 0));
}

#[test]
fn s01_a_429_with_a_long_retry_after_is_not_waited_for() {
    let pair = Pair::new(|_, _| {
        chat_fails(
            429,
            "retry-after: 9\r\n",
            "rate_limit_exceeded",
            "slow down",
        )
    });
    for _ in 0..2 {
        pair.ask().is_whole("second-model");
    }
    assert_eq!(pair.asked(), (1, 2));
}

#[test]
fn s02_a_429_that_stays_is_not_hammered() {
    let pair = Pair::new(|_, _| chat_fails(429, "", "rate_limit_exceeded", "slow down"));
    for _ in 0..3 {
        pair.ask().is_whole("second-model");
    }
    assert_eq!(pair.asked(), (1, 3), "it rests after the first");
}

#[test]
fn s03_a_500_that_is_over_at_once_is_tried_again_at_the_same_host() {
    let pair = Pair::new(|number, _| match number {
        1 => chat_fails(500, "", "server_error", "an error"),
        _ => well(),
    });
    pair.ask().is_whole("first-model");
    assert_eq!(pair.asked(), (2, 0));
}

#[test]
fn s04_a_503_that_stays_goes_to_the_next_host_after_few_tries() {
    let pair = Pair::new(|_, _| overloaded());
    let told = pair.ask();
    told.is_whole("second-model");
    assert_eq!(pair.asked(), (2, 1));
    assert_eq!(told.response.header("x-relay-lane"), "http:second");
    assert!(
        told.response
            .header("x-relay-attempts")
            .starts_with("http:first=")
    );
}

#[test]
fn s05_a_connection_that_breaks_before_its_first_byte_is_tried_again() {
    let pair = Pair::new(|number, _| match number {
        1 => Said::Nothing,
        _ => well(),
    });
    pair.ask().is_whole("first-model");
    assert_eq!(pair.asked(), (2, 0));
}

#[test]
fn s06_a_host_that_says_nothing_is_left_after_one_wait() {
    let pair = Pair::new(|_, _| Said::Silence);
    pair.ask().is_whole("second-model");
    assert_eq!(pair.asked(), (1, 1));
}

#[test]
fn s07_a_head_without_a_first_word_is_no_answer() {
    let role = chat_stream("first-model", &[]).swap_remove(0);
    for begin in [vec![], vec![role]] {
        let pair = Pair::new(move |_, _| Said::Stall(begin.clone()));
        pair.ask().is_whole("second-model");
        assert_eq!(pair.asked(), (1, 1));
    }
}

fn first_pieces(count: usize) -> Vec<String> {
    let mut pieces = chat_stream("first-model", &WORDS);
    pieces.truncate(count);
    pieces
}

#[test]
fn s08_a_stream_that_is_cut_ends_in_an_error_and_never_as_an_answer() {
    let pair = Pair::new(|_, _| Said::Cut(first_pieces(8)));
    pair.ask().is_cut();
    assert_eq!(pair.asked(), (1, 0), "what was told is not told again");
}

#[test]
fn s08_an_answer_that_is_not_streamed_and_is_cut_comes_whole_from_the_next_try() {
    let whole = |model: &str| {
        json!({"id": "c1", "object": "chat.completion", "created": 1, "model": model, "choices": [{"index": 0,
            "message": {"role": "assistant", "content": "all"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}})
        .to_string()
    };
    let pair = Pair::new(move |number, _| match number {
        1 => Said::Short(whole("first-model")),
        _ => Said::Whole(200, "".into(), "application/json", whole("first-model")),
    });
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "count"}]});
    let answer = client::post_to(pair.relay.address, "/v1/chat/completions", &body);
    assert_eq!(
        (answer.status, pair.asked()),
        (200, (2, 0)),
        "{}",
        answer.body
    );
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "all");
}

#[test]
fn s09_a_stream_that_stalls_ends_in_an_error_within_the_idle_wait_and_the_relay_goes_on() {
    let pair = Pair::new(|number, _| match number {
        1 => Said::Stall(first_pieces(6)),
        _ => well(),
    });
    pair.ask().is_cut();
    pair.ask().is_whole("first-model");
}

#[test]
fn s10_a_spoiled_event_does_not_reach_the_caller_and_the_answer_goes_on() {
    let pair = Pair::new(|_, _| {
        let mut pieces = chat_stream("first-model", &WORDS);
        let spoiled = "data: {\"id\": \"c1\", \"choices\": [{\"delta\": {\"content\": \n\n";
        pieces.insert(6, spoiled.to_owned());
        Said::Stream(pieces)
    });
    pair.ask().is_whole("first-model");
    pair.ask().is_whole("first-model");
    assert_eq!(pair.asked(), (2, 0));
}

#[test]
fn s11_an_answer_without_its_last_mark_is_whole() {
    let pair = Pair::new(|_, _| {
        let mut pieces = chat_stream("first-model", &WORDS);
        pieces.pop();
        Said::Stream(pieces)
    });
    let told = pair.ask();
    told.is_whole("first-model");
    assert_eq!(pair.asked(), (1, 0));
}

#[test]
fn s12_a_prompt_that_is_too_long_is_told_as_the_host_said_it_and_not_tried_again() {
    let pair = Pair::new(|_, _| {
        chat_fails(
            400,
            "",
            "context_length_exceeded",
            "maximum context length is 8192 tokens",
        )
    });
    let told = pair.ask().response;
    assert_eq!((told.status, pair.asked()), (400, (1, 0)));
    assert_eq!(told.json()["error"]["code"], "context_length_exceeded");
    assert_eq!(told.header("x-relay-origin"), "upstream");
    assert_eq!(told.header("x-relay-lane"), "http:first");
}

#[test]
fn a_failure_names_the_lanes_that_were_tried() {
    let pair = Pair::of(|_, _| overloaded(), Host::answering(|_| overloaded()));
    let told = pair.ask().response;
    assert_eq!(told.header("x-relay-lane"), "http:second", "{}", told.body);
    assert!(told.header("x-relay-attempts").starts_with("http:first="));
}

#[test]
fn s13_a_refusal_of_a_content_filter_is_told_with_its_reason() {
    let pair =
        Pair::new(|_, _| chat_fails(400, "", "content_policy_violation", "our safety system"));
    for number in 1..3 {
        let told = pair.ask().response;
        assert_eq!((told.status, pair.asked()), (400, (number, 0)));
        assert_eq!(told.json()["error"]["message"], "our safety system");
    }
}

#[test]
fn s14_a_cut_stream_is_not_hidden_by_what_another_host_says_of_a_beginning() {
    let pair = Pair::new(|_, _| Said::Cut(first_pieces(8)));
    let told = pair.ask();
    told.is_cut();
    assert!(!told.response.body.contains("prefill"));
    let roles = pair.first.asked()[0].json()["messages"].clone();
    assert_eq!(
        roles[0]["role"], "user",
        "no beginning of an answer is put into its mouth"
    );
    assert_eq!(pair.asked(), (1, 0));
}

#[test]
fn s15_a_host_that_is_down_for_a_while_is_left_alone_probed_and_taken_back() {
    let is_down = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_down);
    let pair = Pair::new(move |_, _| match seen.load(Ordering::Relaxed) {
        true => overloaded(),
        false => well(),
    });
    for _ in 0..3 {
        pair.ask().is_whole("second-model");
    }
    let (before, _) = pair.asked();
    pair.ask().is_whole("second-model");
    assert_eq!(pair.asked().0, before, "its breaker is open");
    is_down.store(false, Ordering::Relaxed);
    wait::until("the first host's return", || {
        (pair.ask().model == "first-model").then_some(())
    });
    assert_eq!(pair.asked().0, before + 1, "one probe");
    pair.ask().is_whole("first-model");
}

#[test]
fn s16_the_call_is_counted_for_the_host_that_answered() {
    let pair = Pair::new(|_, _| overloaded());
    let told = pair.ask();
    told.is_whole("second-model");
    let recent = client::get(pair.relay.address, "/v1/recent-calls").json();
    let call = &recent["calls"][0];
    assert_eq!(
        (&call["lane"], recent["count"].as_u64()),
        (&json!("http:second"), Some(1))
    );
    assert_eq!(call["usage"]["output_tokens"], WORDS.len());
}

#[test]
fn a_failure_inside_a_good_status_before_content_goes_to_the_next_host() {
    let pair = Pair::new(|_, _| {
        let role = chat_stream("first-model", &[]).swap_remove(0);
        let quota = json!({"error": {"message": "no more", "type": "insufficient_quota", "code": "insufficient_quota"}});
        Said::Stream(vec![role, format!("data: {quota}\n\n")])
    });
    for _ in 0..2 {
        pair.ask().is_whole("second-model");
    }
    assert_eq!(pair.asked(), (1, 2));
}

#[test]
fn another_protocols_answer_is_named_and_the_next_host_serves() {
    let pages = [
        Said::Stream(api_host::stream("x")),
        api_host::page("<html>hello</html>"),
    ];
    for said in pages {
        let pair = Pair::new(move |_, _| said.clone());
        pair.ask().is_whole("second-model");
        assert_eq!(pair.asked(), (1, 1));
    }
}
