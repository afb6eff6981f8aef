//! Somebody in front of the dashboard who meets stumbles, mends them, and keeps a table of them for the report.

use super::browser::Browser;
use super::dashboard::Plane;
use super::dashboard::keep;
use super::dashboard::pictures;
use super::missing::tell;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::wait;
use serde_json::Value;
use serde_json::json;
use std::cell::RefCell;
use std::fs;
use std::path::Path;

const SAVE: &str = "form.fields button";
const SAVED: &str = "Saved, and in force.";

pub(crate) struct Person<'a> {
    pub(crate) browser: &'a Browser,
    pub(crate) plane: &'a Plane,
    pub(crate) table: &'a Table,
    key: RefCell<String>,
}

/// One stumble: provoked, found, mended by hand, then provoked again, found and mended by the API.
pub(crate) struct Stumble<'a> {
    /// The page's heading, and what is wrong.
    pub(crate) at: (&'a str, &'a str),
    pub(crate) breaks: &'a dyn Fn(),
    pub(crate) asks: &'a dyn Fn() -> Response,
    /// The status and the code that the caller sees.
    pub(crate) told: (u16, &'a str),
    pub(crate) by_hand: (&'a str, &'a dyn Fn()),
    pub(crate) by_api: (&'a str, &'a dyn Fn()),
    /// What is served afterwards.
    pub(crate) model: &'a str,
}

impl<'a> Person<'a> {
    pub(crate) fn in_front_of(
        browser: &'a Browser,
        plane: &'a Plane,
        table: &'a Table,
    ) -> Person<'a> {
        Person {
            browser,
            plane,
            table,
            key: RefCell::default(),
        }
    }

    pub(crate) fn stumbles(&self, stumble: &Stumble<'_>) {
        let (status, code) = stumble.told;
        (stumble.breaks)();
        let told = until(status, code, stumble.asks);
        let words = self.finds(&told);
        let picture = self.table.picture(code);
        keep(&picture, &self.browser.picture());
        (stumble.by_hand.1)();
        self.ends(stumble.model, 200, "");
        (stumble.breaks)();
        let told = until(status, code, stumble.asks);
        let story = self.story(told.header("request-id"));
        let next = story["error"]["next"].as_str().unwrap_or_default();
        assert_eq!(next.replace('`', ""), words, "{story}");
        (stumble.by_api.1)();
        self.ends(stumble.model, 200, "");
        self.table.tell(&[
            stumble.at.0,
            stumble.at.1,
            &format!("{status} `{code}`"),
            next,
            stumble.by_hand.0,
            &code_of(stumble.by_api.0),
            &picture,
        ]);
    }

    /// Pastes the id of a refused call into the search, and reads the next step in its story.
    fn finds(&self, told: &Response) -> String {
        let (id, code) = (told.header("request-id"), told.header("x-relay-error"));
        wait::until(&format!("the story of {code}"), || {
            self.browser.open(&self.plane.url("/"));
            self.browser.writes("#find", id);
            self.browser.sends("#find");
            let page = self.browser.reads();
            (page.contains(code) && page.contains("Why it failed")).then_some(())
        });
        let next = "const told = [...document.querySelectorAll('dt')];\
            return told.find(one => one.innerText === 'Next step').nextElementSibling.innerText";
        let next = self.browser.asks(next);
        next.as_str().unwrap_or_default().to_owned()
    }

    /// The same by the API.
    pub(crate) fn story(&self, id: &str) -> Value {
        let line = format!("GET /api/v1/calls/{id}");
        wait::until("the call's story", || {
            let told = self.plane.api(&line, &Value::Null);
            (told.status == 200).then(|| told.json())
        })
    }

    pub(crate) fn goes(&self, path: &str) {
        self.browser.sends(&format!("header a[href='{path}']"));
    }

    /// To a row by its list.
    pub(crate) fn goes_to(&self, list: &str, row: &str) {
        self.goes(list);
        self.browser.sends(&format!("main td a[href='{row}']"));
    }

    pub(crate) fn changes_key(&self, name: &str) {
        self.goes("/keys");
        self.browser.sends("main td a.change");
        self.sees(&format!("Relay key {name}"));
    }

    pub(crate) fn ticks(&self, selector: &str) {
        self.browser.tabs_to(selector);
        self.browser.types(" ");
    }

    pub(crate) fn saves(&self) {
        self.browser.sends(SAVE);
        self.sees(SAVED);
    }

    pub(crate) fn sees(&self, words: &str) {
        wait::until(words, || self.browser.reads().contains(words).then_some(()));
    }

    pub(crate) fn api(&self, line: &str, body: &Value) -> Response {
        self.plane.api(line, body)
    }

    pub(crate) fn puts(&self, row: &str, spec: &Value) {
        self.put(row, &json!({ "spec": spec }));
    }

    pub(crate) fn puts_disabled(&self, row: &str, spec: &Value) {
        self.put(row, &json!({ "spec": spec, "enabled": false }));
    }

    fn put(&self, row: &str, body: &Value) {
        let told = self.api(&format!("PUT /api/v1/{row}"), body);
        assert!(told.status < 300, "{row}: {}", told.body);
    }

    /// A new value of the host key whose value is stored.
    pub(crate) fn stores(&self, value: &str) {
        let told = self.api(
            "POST /api/v1/host-keys/mock-a/value",
            &json!({ "value": value }),
        );
        assert_eq!(told.status, 200, "{}", told.body);
    }

    /// Makes a relay key, which calls come with from then on.
    pub(crate) fn mints(&self, name: &str) {
        let asked = json!({ "name": name, "policy": "team" });
        let told = wait::until("the policy in force", || {
            let told = self.api("POST /api/v1/relay-keys", &asked);
            (told.status == 201).then(|| told.json())
        });
        self.takes(told["key"].as_str().unwrap_or_default());
    }

    /// Has it call with this key from now on.
    pub(crate) fn takes(&self, key: &str) {
        assert!(key.starts_with("irk_"), "a key has this form");
        key.clone_into(&mut self.key.borrow_mut());
    }

    pub(crate) fn key(&self) -> String {
        self.key.borrow().clone()
    }

    pub(crate) fn asks(&self, model: &str) -> Response {
        self.asks_with(&format!("Bearer {}", self.key()), model)
    }

    /// Calls with this in `Authorization`, or with nothing.
    pub(crate) fn asks_with(&self, shown: &str, model: &str) -> Response {
        let mut body = call("hello");
        body["model"] = model.into();
        let (address, body) = (self.plane.relay.address, body.to_string());
        let line = match shown {
            "" => String::new(),
            shown => format!("authorization: {shown}\r\n"),
        };
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {line}content-length: {}\r\n\r\n",
            body.len()
        );
        client::send(address, format!("{head}{body}").as_bytes()).whole()
    }

    pub(crate) fn ends(&self, model: &str, status: u16, code: &str) -> Response {
        until(status, code, &|| self.asks(model))
    }
}

/// Calls until it ends so; a change is in force within a moment.
fn until(status: u16, code: &str, asks: &dyn Fn() -> Response) -> Response {
    let mut last = (0, String::new());
    wait::until(&format!("{status} {code}"), || {
        let answer = asks();
        let seen = (answer.status, answer.header("x-relay-error").to_owned());
        if seen != last {
            tell(&format!("{} {}", seen.0, seen.1));
            last = seen;
        }
        (answer.status == status && last.1 == code).then_some(answer)
    })
}

fn code_of(request: &str) -> String {
    match request.contains(' ') {
        true => format!("`{request}`"),
        false => request.to_owned(),
    }
}

/// What was met, as Markdown.
#[derive(Default)]
pub(crate) struct Table(RefCell<Vec<String>>);

impl Table {
    /// The name of the next row's picture.
    pub(crate) fn picture(&self, code: &str) -> String {
        let number = self.0.borrow().len() + 1;
        format!("stumble-{number:02}-{}", code.replace('_', "-"))
    }

    /// Adds a row; its last cell is the picture.
    pub(crate) fn tell(&self, cells: &[&str; 7]) {
        let number = self.0.borrow().len() + 1;
        let [at, what, seen, told, by_hand, by_api, picture] = cells;
        self.0.borrow_mut().push(format!(
            "| {number} | {at} | {what} | {seen} | {told} | {by_hand} | {by_api} | 200 | [picture]({picture}.png) |"
        ));
    }

    /// Written beside the pictures, and the same as the one that is checked in.
    pub(crate) fn is_the_one_of_the_report(&self) {
        let made = format!("{HEAD}{}\n", self.0.borrow().join("\n"));
        fs::write(pictures().join(FILE), &made).expect("a table must be written");
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/report/dashboard");
        let kept = fs::read_to_string(kept.join(FILE)).unwrap_or_default();
        assert_eq!(kept, made, "the report's {FILE} is old");
    }
}

const FILE: &str = "stumbles.md";
const HEAD: &str = "# A troubleshooting page, stumble by stumble\n\n\
Lines 1 to 18 were each provoked by a call, found in the dashboard by the id of that call, mended there by the keyboard alone, and the\n\
same call was served. Then each was provoked again, and found (`GET /api/v1/calls/ID`) and mended by the admin API. Lines 19 to 23\n\
are not of a call: each was provoked once and mended as the first column of mends says; the other names the way by API. The table is\n\
made by `tests/outside/stumbles.rs` in a real browser, and held by it.\n\n\
| | the page's line | what is wrong | the caller saw | the dashboard told as the next step | mended by hand | mended by API | then | |\n\
| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
