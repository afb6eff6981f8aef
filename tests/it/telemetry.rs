//! Traces: what a collector is told of calls, and that nobody is hurt by one that is not there.

use super::support::client;
use super::support::client::call;
use super::support::hex::to_hex;
use super::support::played::Played;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::process::Signal;
use std::net::TcpListener;
use wiremock::Mock;
use wiremock::ResponseTemplate;
use wiremock::matchers::header;
use wiremock::matchers::method;
use wiremock::matchers::path;

const ECHO: &str = "[[rule]]\nmatch = \"fail\"\n[[rule.step]]\nfail = { status = 529, type = \"overloaded_error\", \
                    message = \"in words\" }\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A relay that tells a collector of its calls.
fn telling(url: &str) -> Relay {
    let telemetry = format!("[telemetry]\notlp = {url:?}\n");
    let world = World::scripted(ECHO).pool("idle = 1\nmax = 1");
    let relay = world.sections(&telemetry).start();
    relay.idle(1);
    relay
}

/// Ends the relay, which tells the rest on its way out.
fn end(relay: &mut Relay) {
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
}

/// What the collector was told, in order, and each request's bytes.
fn told(collector: &Played) -> (Vec<ExportTraceServiceRequest>, Vec<Vec<u8>>) {
    let bodies = collector.requests().into_iter().map(|request| request.body);
    let bodies: Vec<Vec<u8>> = bodies.collect();
    let read = |body: &Vec<u8>| {
        ExportTraceServiceRequest::decode(body.as_slice()).expect("it speaks the protocol")
    };
    (bodies.iter().map(read).collect(), bodies)
}

fn spans(told: &[ExportTraceServiceRequest]) -> Vec<Span> {
    let resources = told.iter().flat_map(|request| &request.resource_spans);
    let scopes = resources.flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

fn find(attributes: &[KeyValue], name: &str) -> Option<Value> {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    found.and_then(|attribute| attribute.value.clone()?.value)
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    match find(attributes, name)? {
        Value::StringValue(text) => Some(text),
        other => panic!("{name} is no text: {other:?}"),
    }
}

fn number(attributes: &[KeyValue], name: &str) -> Option<i64> {
    match find(attributes, name)? {
        Value::IntValue(number) => Some(number),
        other => panic!("{name} is no number: {other:?}"),
    }
}

#[test]
fn a_collector_is_told_of_each_call_by_its_phases_and_of_no_text() {
    let collector = Played::start();
    let traces = Mock::given(method("POST"))
        .and(path("/v1/traces"))
        .and(header("content-type", "application/x-protobuf"));
    collector.mount(traces.respond_with(ResponseTemplate::new(200)));
    let mut relay = telling(&collector.url(""));
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = client::post_with(relay.address, &call("a canary"), parent);
    assert_eq!(answer.text(), "a canary");
    let streamed = relay.stream(&call("another canary"));
    assert!(!streamed.rest().is_empty());
    assert_eq!(relay.ask("fail, canary").status, 529);
    end(&mut relay);

    let (told, bodies) = told(&collector);
    for body in &bodies {
        let seen = String::from_utf8_lossy(body);
        assert!(
            !seen.contains("canary") && !seen.contains("in words"),
            "{seen}"
        );
    }
    let resource = told[0].resource_spans[0].resource.clone();
    let resource = resource.unwrap_or_default().attributes;
    assert_eq!(
        text(&resource, "service.name").as_deref(),
        Some("inference-relay")
    );
    let spans = spans(&told);
    let calls: Vec<&Span> = spans
        .iter()
        .filter(|span| span.name == "chat claude-opus-4-8")
        .collect();
    assert_eq!(calls.len(), 3, "{spans:?}");
    let by_id = |id: &str| {
        let mut calls = calls.iter();
        calls.find(|span| {
            text(&span.attributes, "inference_relay.request.id").as_deref() == Some(id)
        })
    };
    let first = by_id(answer.header("request-id")).expect("the first call is told");
    assert_eq!(
        (to_hex(&first.trace_id), to_hex(&first.parent_span_id)),
        (
            "0af7651916cd43dd8448eb211c80319c".to_owned(),
            "b7ad6b7169203331".to_owned()
        )
    );
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.request.model", "claude-opus-4-8"),
        ("inference_relay.lane", "claude-pty"),
        ("inference_relay.session", "warm"),
    ] {
        assert_eq!(text(&first.attributes, name).as_deref(), Some(value));
    }
    assert_eq!(
        text(&first.attributes, "gen_ai.response.id"),
        answer.json()["id"].as_str().map(str::to_owned)
    );
    let usage = &answer.json()["usage"];
    assert_eq!(
        number(&first.attributes, "gen_ai.usage.output_tokens"),
        usage["output_tokens"].as_i64()
    );
    phases(first, &spans);
    let failed = calls
        .iter()
        .find(|span| number(&span.attributes, "http.response.status_code") == Some(529));
    let failed = failed.expect("the failure is told");
    assert_eq!(
        text(&failed.attributes, "error.type").as_deref(),
        Some("upstream_overloaded")
    );
}

/// The phases of a call are below it, within it, and one after the other.
fn phases(call: &Span, spans: &[Span]) {
    let mut below: Vec<&Span> = spans
        .iter()
        .filter(|span| span.parent_span_id == call.span_id)
        .collect();
    below.sort_by_key(|span| span.start_time_unix_nano);
    let names: Vec<&str> = below.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["queue", "delivery", "first_byte", "end"]);
    let mut at = call.start_time_unix_nano;
    for phase in below {
        assert!(phase.start_time_unix_nano >= at, "{phase:?}");
        assert_eq!(phase.trace_id, call.trace_id);
        at = phase.end_time_unix_nano;
    }
    assert!(at <= call.end_time_unix_nano, "{call:?}");
}

/// Over two seconds: that is how long spans wait for one another.
#[test]
fn a_dead_collector_hurts_nobody_and_is_told_once() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let address = gone.local_addr().expect("a listener has an address");
    drop(gone);
    let mut relay = telling(&format!("http://{address}"));
    assert_eq!(relay.ask("one").text(), "one");
    let complaint = "the collector of traces takes none";
    wait::until("a line in the log", || {
        relay.log().contains(complaint).then_some(())
    });
    assert_eq!(relay.ask("two").text(), "two");
    end(&mut relay);
    let log = relay.log();
    assert_eq!(log.matches(complaint).count(), 1, "{log}");
}

/// Two seconds: that is how long the end waits for it.
#[test]
fn a_collector_that_never_answers_does_not_hold_the_end_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let address = silent.local_addr().expect("a listener has an address");
    let mut relay = telling(&format!("http://{address}"));
    assert_eq!(relay.ask("one").text(), "one");
    end(&mut relay);
    drop(silent);
}

#[test]
fn without_a_collector_nobody_is_told_and_a_variable_names_one() {
    let world = World::scripted(ECHO);
    let shown = |variable: Option<&str>| {
        let mut command = world.program();
        command.args(["config", "show", "--json"]);
        command.envs(variable.map(|url| ("OTEL_EXPORTER_OTLP_ENDPOINT", url)));
        let shown = command.output().expect("the command must run");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };
    assert!(shown(None).contains("no collector is told of calls"));
    let named = shown(Some("http://127.0.0.1:4318"));
    assert!(
        named.contains("http://127.0.0.1:4318") && named.contains("OTEL_EXPORTER_OTLP_ENDPOINT")
    );
}
