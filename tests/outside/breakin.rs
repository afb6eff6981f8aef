//! What somebody tries who wants to break into the dashboard by way of a browser that is logged in.

use super::dashboard::Plane;
use super::dashboard::empty;
use super::dashboard::fill;
use super::missing::Missing;
use super::missing::trials;
use super::page::browser;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::page;
use super::support::client;
use super::support::client::call;
use super::support::relay::World;
use super::support::wait;
use libtest_mimic::Trial;
use serde_json::Value;
use serde_json::json;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        a_page_of_another_origin_in_the_same_browser_changes_nothing,
        no_name_that_is_shown_is_more_than_text
    ]
}

/// To a browser another port of this address is the same site, so the cookie goes along: what holds is the origin, and the
/// token of the session.
fn a_page_of_another_origin_in_the_same_browser_changes_nothing() -> Result<(), Missing> {
    let browser = browser()?;
    let plane = Plane::start(World::scripted(""));
    plane.log_in(&browser);
    let form = format!(
        "<form id=f method=post action=\"{}\"><input name=name value=stolen></form><script>f.submit()</script>",
        plane.url("/keys")
    );
    let evil = Host::answering(move |_: &Asked| page(&form));
    browser.open(&evil.url());
    wait::until("the refusal", || {
        browser.reads().contains("another origin").then_some(())
    });
    let keys = plane.api("GET /api/v1/relay-keys", &Value::Null);
    assert_eq!(keys.json()["items"], json!([]), "{}", keys.body);
    // The person who is logged in still is, and can.
    browser.open(&plane.url("/keys"));
    browser.writes("#name", "mine");
    browser.sends("form[action='/keys'] button");
    let keys = plane.api("GET /api/v1/relay-keys", &Value::Null);
    assert_eq!(keys.json()["items"][0]["name"], "mine", "{}", keys.body);
    Ok(())
}

/// Names that callers and operators choose, on every page: none of them becomes an element.
fn no_name_that_is_shown_is_more_than_text() -> Result<(), Missing> {
    let browser = browser()?;
    let (plane, host) = empty();
    plane.log_in(&browser);
    let mut pages = fill(&plane, &host);
    let minted = plane.api("POST /api/v1/relay-keys", &json!({"name": "caller"}));
    let key = minted.json()["key"].as_str().unwrap_or_default().to_owned();
    let made = plane.api("PUT /api/v1/models/named", &json!({"spec": {}}));
    let spec = json!({"spec": {"model": "named", "lane": "http:mock", "adapter": "anthropic", "upstreamName": EVIL}});
    let bound = plane.api("PUT /api/v1/bindings/named", &spec);
    assert!(
        made.status < 300 && bound.status < 300,
        "{} {}",
        made.body,
        bound.body
    );
    let mut body = call("x");
    body["model"] = format!("{EVIL}unknown").into();
    let id = wait::until("a refused call", || {
        let answer = client::post_as(plane.relay.address, &key, &body);
        (answer.status == 404).then(|| answer.header("request-id").to_owned())
    });
    wait::until("the call in the store", || {
        let told = plane.api(&format!("GET /api/v1/calls/{id}"), &Value::Null);
        (told.status == 200).then_some(())
    });
    pages.push(format!("/calls/{id}"));
    pages.push("/models/named".to_owned());
    pages.push("/bindings/named".to_owned());
    let mut shown = 0;
    for path in pages {
        browser.open(&plane.url(&path));
        let found = browser.asks(
            "return [window.pwned || false, document.querySelectorAll('body img, body script, body iframe').length,\
             document.documentElement.innerHTML.includes('&lt;img src')]",
        );
        assert_eq!((&found[0], &found[1]), (&json!(false), &json!(0)), "{path}");
        shown += usize::from(found[2] == true);
        assert_eq!(browser.complaints(), json!([]), "{path}");
    }
    assert!(shown >= 3, "the name stands on {shown} pages");
    Ok(())
}

const EVIL: &str = "<img src=x onerror=window.pwned=1>";
