//! Pictures and documents: what a caller attaches reaches the model byte by byte, in its place.

use super::support::client::conversation;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Upstream;
use serde_json::Value;
use serde_json::json;

/// A PNG of one pixel, then bytes that are this picture's own.
fn picture(own: u8) -> Value {
    let data = format!("{PNG}{}", String::from_utf8_lossy(&[own; 8]));
    json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
}

fn document() -> Value {
    json!({"type": "document", "title": "A paper", "source": {"type": "base64", "media_type": "application/pdf",
        "data": "JVBERi0xLjQKJcOkw7zDtsOfCjEgMCBvYmoKPDwgPj4KZW5kb2JqCnRyYWlsZXIKPDwgPj4KJSVFT0YK"}})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[test]
fn a_paper_and_pictures_in_two_turns_and_a_result_reach_the_model_as_they_were_sent() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "it"}});
    let result = json!([text("seen"), picture(b'E')]);
    let sent = json!([
        {"role": "user", "content": [picture(b'A'), text("and"), picture(b'B'), document()]},
        {"role": "assistant", "content": [text("I look."), call]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": result},
            picture(b'C'), picture(b'D'), text("What do they show?"),
        ]},
    ]);
    let answer = relay.post(&conversation(&sent));
    assert_eq!(answer.text(), "What do they show?", "{}", answer.body);
    assert_eq!(answer.header("x-relay-ignored"), "none");
    let got = upstream::messages(&upstream.bodies()[0]);
    for ((role, blocks), message) in got
        .iter()
        .zip(sent.as_array().expect("messages are a list"))
    {
        assert_eq!(*role, message["role"]);
        assert_eq!(json!(blocks), message["content"]);
    }
    assert_eq!(got.len(), 3);
}

/// A session that was launched with a turn goes on with interrupted ones, and a picture alone looks like one.
#[test]
fn a_picture_beside_tools_is_not_talked_about_in_a_session_that_was_launched_with_a_turn() {
    let upstream = Upstream::echo();
    let world = World::upstream(&upstream).pool("idle = 1\nmax = 1");
    let relay = world.start();
    assert_eq!(relay.ask("ends in a blank ").text(), "ends in a blank ");
    let blocks = json!([picture(b'A'), text("What is it?")]);
    let mut asked = conversation(&json!([{"role": "user", "content": blocks}]));
    asked["tools"] =
        json!([{"name": "look", "description": "", "input_schema": {"type": "object"}}]);
    let answer = relay.post(&asked);
    assert_eq!(answer.text(), "What is it?", "{}", answer.body);
    assert_eq!(answer.header("x-relay-session"), "resumed");
    let bodies = upstream.bodies();
    let got = upstream::messages(bodies.last().expect("the model was asked"));
    assert_eq!((got.len(), json!(got[0].1)), (1, blocks));
}

/// What the provider itself would fetch is its own business.
#[test]
fn addresses_of_pictures_and_documents_go_on_as_they_are() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    let at = |kind: &str, url: &str| json!({"type": kind, "source": {"type": "url", "url": url}});
    let blocks = json!([
        at("image", "https://example.com/a.png"),
        at("document", "https://example.com/a.pdf"),
        text("Both?")
    ]);
    let answer = relay.post(&conversation(&json!([{"role": "user", "content": blocks}])));
    assert_eq!(answer.text(), "Both?", "{}", answer.body);
    let got = upstream::messages(&upstream.bodies()[0]);
    assert_eq!(json!(got[0].1), blocks);
}

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg";
