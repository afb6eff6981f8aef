//! A real browser, where the machine has chromium and its driver: spoken to as the WebDriver standard says.

use super::support::client;
use super::support::process;
use super::support::wait;
use super::support::wait::DEADLINE;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use tempfile::TempDir;

/// Dropping it ends the browser and its driver.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// `None` where there is no browser on this machine.
    pub(crate) fn start() -> Option<Browser> {
        let (driver, port) = driver()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let profile = tempfile::tempdir().expect("a temporary folder must be made");
        let folder = format!("--user-data-dir={}", profile.path().display());
        let flags: Vec<&str> = FLAGS.iter().copied().chain([folder.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut browser = Browser {
            driver,
            address,
            session: String::new(),
            _profile: profile,
        };
        let begun = browser.tell("", &wanted);
        let session = begun["sessionId"].as_str().expect("a browser must start");
        session.clone_into(&mut browser.session);
        Some(browser)
    }

    pub(crate) fn open(&self, url: &str) {
        self.tell("/url", &json!({"url": url}));
    }

    /// Has the window this size, and the page told of this colour scheme.
    pub(crate) fn look(&self, width: u32, height: u32, scheme: &str) {
        let is_phone = width < 500;
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.debug("Emulation.setDeviceMetricsOverride", &size);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.debug("Emulation.setEmulatedMedia", &media);
    }

    /// What a script of ours returns in the page.
    pub(crate) fn asks(&self, script: &str) -> Value {
        self.tell("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script of ours gives to its last argument, which it calls when it is done.
    pub(crate) fn awaits(&self, script: &str) -> Value {
        self.tell("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Presses the key that goes on to the next thing.
    pub(crate) fn presses_tab(&self) {
        self.types("\u{e004}");
    }

    /// Presses the key that sends a form off.
    pub(crate) fn presses_enter(&self) {
        self.types("\u{e007}");
    }

    /// Presses one key after the other.
    pub(crate) fn types(&self, text: &str) {
        let press = |kind: &str, key: char| json!({"type": kind, "value": key.to_string()});
        let actions = text
            .chars()
            .flat_map(|key| [press("keyDown", key), press("keyUp", key)]);
        let actions: Vec<Value> = actions.collect();
        let keys = json!([{"type": "key", "id": "keys", "actions": actions}]);
        self.tell("/actions", &json!({"actions": keys}));
    }

    /// Goes on by the keyboard alone until the thing that is meant has the focus.
    pub(crate) fn tabs_to(&self, selector: &str) {
        let script = format!(
            "return document.activeElement.matches({})",
            Value::from(selector)
        );
        for _ in 0..TABS_MAX {
            if self.asks(&script) == true {
                return;
            }
            self.presses_tab();
        }
        let page = self.asks("return document.body.innerText");
        assert_eq!(page, selector, "the keyboard does not lead there");
    }

    /// Fills a field in, as a person does who came to it by the keyboard: what stood there is gone.
    pub(crate) fn fills(&self, selector: &str, text: &str) {
        self.tabs_to(selector);
        self.asks("if (document.activeElement.select) document.activeElement.select()");
        self.types(text);
    }

    /// Fills a field in with keys alone: what stood there is marked and typed over.
    pub(crate) fn writes(&self, selector: &str, text: &str) {
        self.tabs_to(selector);
        self.marks_all();
        self.types(text);
        assert_eq!(self.copies(selector), text, "{selector}");
    }

    /// Chooses of a list, or of what a field offers, by typing how it begins.
    pub(crate) fn chooses(&self, selector: &str, word: &str) {
        self.tabs_to(selector);
        self.types(word);
        assert_eq!(self.copies(selector), word, "{selector}");
    }

    /// Presses the keys that mark whatever stands in a field.
    pub(crate) fn marks_all(&self) {
        let press = |kind: &str, key: &str| json!({"type": kind, "value": key});
        let actions = [
            press("keyDown", CONTROL),
            press("keyDown", "a"),
            press("keyUp", "a"),
            press("keyUp", CONTROL),
        ];
        let keys = json!([{"type": "key", "id": "keys", "actions": actions}]);
        self.tell("/actions", &json!({"actions": keys}));
    }

    /// What stands in a field.
    pub(crate) fn copies(&self, selector: &str) -> String {
        let script = format!(
            "return document.querySelector({}).value",
            Value::from(selector)
        );
        let text = self.asks(&script);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Sends the form off that this button is of, by the keyboard, and waits until the next page is there.
    pub(crate) fn sends(&self, button: &str) {
        self.tabs_to(button);
        self.asks("window.isOld = true");
        self.presses_enter();
        wait::until("the next page", || {
            let is_there = "return !window.isOld && document.readyState === 'complete'";
            (self.asks(is_there) == true).then_some(())
        });
    }

    /// Whatever can be read on the page.
    pub(crate) fn reads(&self) -> String {
        let text = self.asks("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Leaves every login behind.
    pub(crate) fn forgets(&self) {
        self.debug("Network.clearBrowserCookies", &json!({}));
    }

    /// What the browser complained of since it was asked last.
    pub(crate) fn complaints(&self) -> Value {
        self.tell("/se/log", &json!({"type": "browser"}))
    }

    /// The whole page as a PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.debug("Page.captureScreenshot", &whole);
        decoded(shot["data"].as_str().expect("a picture is text in base 64"))
    }

    fn debug(&self, command: &str, params: &Value) -> Value {
        self.tell(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": params}),
        )
    }

    fn tell(&self, path: &str, body: &Value) -> Value {
        let session = match self.session.as_str() {
            "" => String::new(),
            session => format!("/{session}"),
        };
        let body = body.to_string();
        let head = format!(
            "POST /session{session}{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let bytes = [head.as_bytes(), body.as_bytes()].concat();
        let answer = client::send(self.address, &bytes).whole();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        process::end_group(self.driver.id());
        let _ = self.driver.wait();
    }
}

/// A driver, and the port that it took; `None` where there is none on this machine.
fn driver() -> Option<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    command
        .arg("--port=0")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut started = None;
    for _ in 0..STARTS_MAX {
        let mut driver = command.spawn().ok()?;
        started = port(&mut driver).map(|port| (driver, port));
        if started.is_some() {
            break;
        }
    }
    assert!(started.is_some(), "the driver must say where it listens");
    started
}

/// The port that the driver says it took; `None` where it ended before.
fn port(driver: &mut Child) -> Option<u16> {
    let stdout = driver.stdout.take().expect("stdout is a pipe");
    let (port_tx, port) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let told = line
                .rsplit_once("successfully on port ")
                .map(|(_, rest)| rest);
            if let Some(Ok(port)) = told.map(|rest| rest.trim_end_matches('.').parse()) {
                let _ = port_tx.send(port); // Only the first one is waited for.
            }
        }
    });
    match port.recv_timeout(DEADLINE) {
        Ok(port) => Some(port),
        Err(_) => {
            process::end_group(driver.id());
            let _ = driver.wait();
            None
        }
    }
}

/// Starts of the driver. It takes a free port of IPv4 and then the same one of IPv6, and may end where that is taken; the next takes
/// another.
const STARTS_MAX: usize = 3;

/// The key that others are held with, as the WebDriver standard writes it.
const CONTROL: &str = "\u{e009}";

/// Things on a page that the keyboard leads to, at the most.
const TABS_MAX: usize = 120;

/// Base 64, as the standard alphabet has it.
fn decoded(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0, 0);
    for six in text.bytes().filter_map(value) {
        bits = (bits << 6 | six) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("eight bits are a byte"));
        }
    }
    bytes
}

/// A browser that shows pages of this machine and asks nobody for anything.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
