//! axe-core on every page, in the light and in the dark: the accessibility checker that others use, beside the checks of our own.

use super::browser::Browser;
use super::dashboard::empty;
use super::dashboard::fill;
use super::dashboard::pages;
use super::missing::Missing;
use super::missing::trials;
use super::page::SIZES;
use super::page::browser;
use super::support::fake::inherited;
use libtest_mimic::Trial;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

pub(crate) fn all() -> Vec<Trial> {
    trials![axe_finds_nothing_serious_on_any_page]
}

fn axe_finds_nothing_serious_on_any_page() -> Result<(), Missing> {
    let (browser, axe) = (browser()?, Axe::load()?);
    let (plane, host) = empty();
    let mut wrong = Vec::new();
    let dashboard =
        |paths: &[String]| -> Vec<String> { paths.iter().map(|path| plane.url(path)).collect() };
    axe.judges(&browser, &dashboard(&["/login".to_owned()]), &mut wrong);
    axe.sees_what_is_wrong(&browser);
    plane.log_in(&browser);
    axe.judges(&browser, &dashboard(&pages()), &mut wrong);
    let mut full = dashboard(&fill(&plane, &host));
    full.push(format!("http://{}/", plane.relay.address));
    axe.judges(&browser, &full, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The checker's own text, which is run in the page.
struct Axe(String);

impl Axe {
    fn load() -> Result<Axe, Missing> {
        let missing = || Missing::of("axe-core; `.ci/run` installs it");
        let folder = PathBuf::from(inherited("RELAY_TEST_NODE_SDK").ok_or_else(missing)?);
        let text = fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js"));
        text.map(Axe).map_err(|_| missing())
    }

    /// Looks at these pages on a phone in the dark, and on a desk in the light: what it finds depends on the colours, or on
    /// the layout, and on no pair of both.
    fn judges(&self, browser: &Browser, pages: &[String], wrong: &mut Vec<String>) {
        for ((size, width, height), scheme) in SIZES.into_iter().zip(["dark", "light"]) {
            browser.look(width, height, scheme);
            for page in pages {
                browser.open(page);
                let found = self.finds(browser);
                if found != json!([]) {
                    wrong.push(format!("{page} {size} {scheme}: {found}"));
                }
            }
        }
    }

    /// What is serious or critical on the page, each with where it is.
    fn finds(&self, browser: &Browser) -> serde_json::Value {
        browser.awaits(&format!("{}\n{RUN}", self.0))
    }

    /// A checker that finds nothing anywhere would pass everything.
    fn sees_what_is_wrong(&self, browser: &Browser) {
        browser.asks("document.querySelector('label').remove()");
        let found = self.finds(browser).to_string();
        assert!(found.contains("critical: label"), "{found}");
    }
}

const RUN: &str = "const done = arguments[arguments.length - 1];\
    axe.run(document, {resultTypes: ['violations']}).then(({violations}) => done(violations\
        .filter(v => v.impact === 'serious' || v.impact === 'critical')\
        .map(v => `${v.impact}: ${v.id}: ${v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' ' + n.failureSummary).join('; ')}`)))\
        .catch(error => done([String(error)]));";
