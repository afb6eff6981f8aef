//! The status page in a real browser: on a phone and on a desk, by day and by night, by keyboard and by ear.

use super::browser::Browser;
use super::missing::Missing;
use super::missing::trials;
use super::support::client;
use super::support::client::call;
use super::support::relay::Relay;
use super::support::relay::World;
use libtest_mimic::Trial;
use serde_json::json;
use std::fs;
use std::path::Path;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        the_page_can_be_read_in_every_light_and_width,
        the_page_says_what_is_wrong_and_the_next_step
    ]
}

const SCRIPT: &str = "[[rule]]\nmatch = \"fail\"\n[[rule.step]]\nfail = { status = 529, type = \"overloaded_error\", \
                      message = \"in words\" }\n[[rule]]\nmatch = \"stay\"\n[[rule.step]]\nhang = \"live\"\n\
                      [[rule]]\nany = true\n[[rule.step]]\necho = true\n";

pub(crate) const SIZES: [(&str, u32, u32); 2] = [("phone", 390, 844), ("desk", 1280, 800)];

fn the_page_can_be_read_in_every_light_and_width() -> Result<(), Missing> {
    let browser = browser()?;
    let relay = World::scripted(SCRIPT).pool("idle = 2\nmax = 3").start();
    relay.idle(2);
    assert_eq!(relay.ask("hello").text(), "hello");
    assert_eq!(relay.ask("fail").status, 529);
    let mut other = call("hello");
    other["model"] = "claude-haiku-4-5-20251001-with-a-name-that-is-longer-than-others".into();
    assert_eq!(relay.post(&other).text(), "hello");
    let held = client::begin(relay.address, &call("stay"));
    relay.busy();
    judge(&browser, &relay, "ready", "Ready");
    drop(held);
    Ok(())
}

fn the_page_says_what_is_wrong_and_the_next_step() -> Result<(), Missing> {
    let browser = browser()?;
    let relay = World::scripted(SCRIPT).without_claude().start();
    judge(&browser, &relay, "trouble", "Needs attention");
    let text = browser.asks("return document.body.innerText");
    let text = text.as_str().unwrap_or_default();
    assert!(text.contains("inference-relay doctor"), "{text}");
    Ok(())
}

fn judge(browser: &Browser, relay: &Relay, name: &str, headline: &str) {
    for (size, width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.look(width, height, scheme);
            browser.open(&format!("http://{}/", relay.address));
            let place = format!("{name} {size} {scheme}");
            keep(&place.replace(' ', "-"), &browser.picture());
            let found = browser.asks("return document.querySelector('h1').innerText");
            assert_eq!(found, headline, "{place}");
            assert_eq!(browser.asks(FAULTS), json!([]), "{place}");
            assert_eq!(browser.asks(&night()), scheme == "dark", "{place}");
            let complaints = browser.complaints();
            assert_eq!(complaints, json!([]), "{place}");
        }
    }
    by_keyboard(browser);
}

/// Each thing that can be reached shows that it is.
fn by_keyboard(browser: &Browser) {
    let mut reached = Vec::new();
    for _ in 0..3 {
        browser.presses_tab();
        let seen = browser.asks(
            "const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();\
             return [e.innerText, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && b.top >= 0];",
        );
        assert_eq!(seen[1], true, "the focus cannot be seen: {seen}");
        reached.push(seen[0].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(
        reached,
        ["Skip to the content", "Refresh", "Update every 5 s"]
    );
}

/// Whether the background is dark.
pub(crate) fn night() -> String {
    "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(c => c < 64)".to_owned()
}

/// Kept for whoever wants to look.
fn keep(name: &str, png: &[u8]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&folder).expect("a folder for pictures must be made");
    fs::write(folder.join(format!("{name}.png")), png).expect("a picture must be kept");
}

pub(crate) fn browser() -> Result<Browser, Missing> {
    Browser::start().ok_or_else(|| Missing::of("a chromedriver; `.ci/run` sees to it"))
}

/// What is wrong with the page for somebody who cannot see it well, or at all.
pub(crate) const FAULTS: &str = r#"
const faults = [], all = [...document.querySelectorAll('body *')];
const style = e => getComputedStyle(e);
const need = (ok, what) => { if (!ok) faults.push(what); };
need(document.documentElement.lang === 'en', 'no language');
need(document.title, 'no title');
for (const name of ['header', 'main', 'footer', 'nav', 'h1'])
    need(document.querySelectorAll(name).length === 1, `not one ${name}`);
let level = 0;
for (const h of document.querySelectorAll('h1,h2,h3,h4')) {
    need(h.tagName[1] - level <= 1, `a level is left out before ${h.innerText}`);
    level = +h.tagName[1];
}
for (const t of document.querySelectorAll('table'))
    need(t.caption && [...t.querySelectorAll('th')].every(th => th.scope), 'a table without caption or scopes');
for (const s of document.querySelectorAll('section,nav,[role=region]'))
    need(s.ariaLabel || document.getElementById(s.getAttribute('aria-labelledby')), 'a region without a name');
// A phone shrinks a page that is too wide, and `innerWidth` grows with it.
const width = document.documentElement.clientWidth;
need(document.documentElement.scrollWidth <= width, `wider than the window: ${document.documentElement.scrollWidth}`);
for (const e of all) if (!e.closest('.wide, pre, .skip, svg'))
    need(e.getBoundingClientRect().right <= width + 1, `out of the window: ${e.tagName} ${e.className}`);
for (const a of document.querySelectorAll('nav a'))
    need(a.getBoundingClientRect().height >= 24, `too small to be touched: ${a.innerText}`);
const rgb = c => c.match(/[\d.]+/g).map(Number);
const light = c => { const [r, g, b] = rgb(c).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
const ground = e => { for (; e; e = e.parentElement) { const c = style(e).backgroundColor; if (rgb(c)[3] !== 0) return c; }
    return 'rgb(255, 255, 255)'; };
for (const e of all) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(style(e).color), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), size = parseFloat(style(e).fontSize);
    need(ratio >= (size >= 24 ? 3 : 4.5), `contrast ${ratio.toFixed(2)}: ${e.innerText}`);
}
return faults;
"#;
