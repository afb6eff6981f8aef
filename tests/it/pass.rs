//! What passes unchanged: bodies but for the model's name, answers wherever they are cut.

use super::hosts::relay;
use super::support::api_host;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::says;
use super::support::client;
use super::support::relay::Relay;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

const HOST: &[&str] = &["http:one"];
/// Bodies that are made up.
const BODIES: u64 = 500;

/// Chance that comes again.
struct Chance(u64);

impl Chance {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let bound = u64::try_from(of.len()).expect("it is short");
        of[usize::try_from(self.below(bound)).expect("it is short")]
    }

    fn space(&mut self) -> &'static str {
        self.one(&["", "", " ", "\n", "\t", "\r\n  "])
    }

    fn text(&mut self) -> String {
        let parts = [
            "a",
            "model",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\/",
            "\\\"",
            "\\\\",
            "é",
            "{",
            "]",
            ":",
            "\\n",
        ];
        let count = self.below(5);
        let text: String = (0..count).map(|_| self.one(&parts)).collect();
        format!("\"{text}\"")
    }

    fn value(&mut self, depth: u64) -> String {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => self.text(),
            1 => self
                .one(&["0", "-0.0", "1e+2", "1.50", "12345678901234567890123"])
                .to_owned(),
            2 | 3 => self.one(&["true", "false", "null"]).to_owned(),
            4 => {
                let count = self.below(3);
                let items: Vec<String> = (0..count).map(|_| self.value(depth - 1)).collect();
                format!("[{}{}]", self.space(), items.join(" ,"))
            }
            _ => {
                let inner = self.below(3);
                let mut fields: Vec<String> = (0..inner).map(|_| self.field(depth - 1)).collect();
                // A model inside of something is nobody's.
                if self.below(2) == 0 {
                    fields.push("\"model\" : \"inner\"".to_owned());
                }
                format!("{{{}{}}}", fields.join(","), self.space())
            }
        }
    }

    fn field(&mut self, depth: u64) -> String {
        let name = self.one(&[
            "\"x\"",
            "\"x\"",
            "\"\\u0061b\"",
            "\"models\"",
            "\"\"",
            "\"mod\\u0065l2\"",
        ]);
        let (before, after) = (self.space(), self.space());
        format!("{name}{before}:{after}{}", self.value(depth))
    }

    /// A body, and the same with the model's name as the host is asked for it.
    fn body(&mut self) -> (String, String) {
        let count = self.below(6);
        let mut fields: Vec<String> = (0..count).map(|_| self.field(3)).collect();
        fields.push("\"max_tokens\": 9".to_owned());
        fields.push("\"messages\":[]".to_owned());
        let len = u64::try_from(fields.len()).expect("it is short");
        let place = usize::try_from(self.below(len + 1)).expect("it is short");
        let name = self.one(&["\"m\"", "\"alias\"", "\"\\u006d\"", "\"al\\u0069as\""]);
        let (before, after) = (self.space(), self.space());
        let with = |name: &str, fields: &[String]| {
            let mut fields = fields.to_vec();
            fields.insert(place, format!("\"model\"{before}:{after}{name}"));
            format!("{{{}}}", fields.join(","))
        };
        (with(name, &fields), with("\"up\"", &fields))
    }
}

fn post(relay: &Relay, body: &str) -> client::Response {
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        relay.address,
        body.len()
    );
    client::send(relay.address, request.as_bytes()).whole()
}

#[test]
fn any_body_passes_byte_for_byte_but_for_its_models_name() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let relay = relay(&host, HOST);
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let expected: Vec<String> = (0..BODIES)
        .map(|_| {
            let (body, expected) = chance.body();
            let answer = post(&relay, &body);
            assert_eq!(answer.status, 200, "{body}\n{}", answer.body);
            expected
        })
        .collect();
    let asked = host.asked();
    let asked = asked
        .iter()
        .map(|asked| String::from_utf8_lossy(&asked.body));
    assert!(
        asked.eq(expected.iter().map(String::as_str)),
        "a body was changed"
    );
}

#[test]
fn an_answer_passes_byte_for_byte_wherever_it_is_cut() {
    let whole = api_host::stream("some \\u00e9 text").concat();
    let (cut, text) = (Arc::new(AtomicUsize::new(0)), whole.clone());
    let at = Arc::clone(&cut);
    let host = Host::answering(move |_| {
        let (first, rest) = text.split_at(at.load(Ordering::Relaxed));
        let pieces = [first, rest].into_iter().filter(|piece| !piece.is_empty());
        Said::Stream(pieces.map(str::to_owned).collect())
    });
    let relay = relay(&host, HOST);
    for place in 0..whole.len() {
        cut.store(place, Ordering::Relaxed);
        let answer = post(
            &relay,
            "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[],\"stream\":true}",
        );
        assert_eq!(
            (answer.status, &answer.body),
            (200, &whole),
            "cut at {place}"
        );
    }
}
