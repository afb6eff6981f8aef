//! How the licence stands, for `doctor` and `status`: from the daemon where one runs, else from the disk.

use crate::authority::LicenseClient;
use crate::authority::View;
use crate::cli::check::Check;
use crate::cli::check::State;
use crate::cli::client::Client;
use crate::cli::key::stamp;
use crate::config::Config;
use serde_json::Value;
use std::time::Duration;

/// The licence as `GET /v1/license` tells it; without a daemon, what the last one left on disk.
///
/// # Errors
/// Says why the authority's answers could not be verified.
pub(super) async fn told(config: &Config, daemon: Option<&Client>) -> Result<Value, String> {
    if let Some(client) = daemon
        && let Ok(reply) = client.get("/v1/license").await
        && reply.status.is_success()
    {
        return Ok(reply.body);
    }
    let license = LicenseClient::open(config.authority.clone(), &config.home)?;
    Ok(View::told(license.view().as_ref()))
}

/// What that means, and the next step. Times are milliseconds since 1970.
pub(super) fn check(told: &Result<Value, String>, is_running: bool, now: u64) -> Check {
    let told = match told {
        Ok(told) => told,
        Err(problem) => {
            return bad(format!("it cannot be verified: {problem}"))
                .next("mend license.keys: it names the authority's public keys");
        }
    };
    let why = told["problem"].as_str().unwrap_or("no reason is known");
    let used = usage(told, now);
    match told["status"].as_str().unwrap_or_default() {
        "open" => good("none is needed: no authority is configured".to_owned()),
        "valid" if told["problem"].is_string() => note(format!("valid{used}; but {why}")),
        "valid" => good(format!("valid{used}")),
        "grace" => {
            let until = told["grace"]["until"].as_u64();
            let until = until.map(stamp).unwrap_or_default();
            note(format!("in its grace period until {until}{used}; {why}")).next(REACH)
        }
        "cap_exceeded" => {
            let place = told["topUpUrl"].as_str().map(|url| format!(" at {url}"));
            let place = place.unwrap_or_default();
            bad(format!("the calls of this month are used up{used}"))
                .next(format!("add some{place}, then {REFRESH}"))
        }
        "unverified" if !is_running && told["license"].is_null() => {
            let text = "it is asked for when the daemon starts".to_owned();
            Check::new(NAME, State::NotChecked, text).next("`inference-relay serve`")
        }
        "unverified" => bad(format!("it could not be verified: {why}")).next(REACH),
        _ if told["configured"] == false => {
            bad("an authority is configured, and no licence key".to_owned()).next(KEY)
        }
        _ => bad(format!("it is not valid{used}: {why}"))
            .next(format!("have it renewed, or check the key, then {REFRESH}")),
    }
}

fn good(text: String) -> Check {
    Check::new(NAME, State::Good, text)
}

fn note(text: String) -> Check {
    Check::new(NAME, State::Note, text)
}

fn bad(text: String) -> Check {
    Check::new(NAME, State::Bad, text)
}

/// When the authority answered last, and how much is used.
fn usage(told: &Value, now: u64) -> String {
    let terms = &told["license"];
    let usage = match (terms["usageThisMonth"].as_u64(), terms["usageCap"].as_u64()) {
        (Some(used), Some(cap)) => format!(", {used} of {cap} calls this month"),
        (Some(used), None) => format!(", {used} calls this month"),
        (None, _) => String::new(),
    };
    let asked = told["refreshedAt"].as_u64();
    let asked = asked.map(|at| {
        let ago = Duration::from_secs(now.saturating_sub(at) / 1000);
        format!(", last answer {} ago", humantime::format_duration(ago))
    });
    format!("{}{usage}", asked.unwrap_or_default())
}

const NAME: &str = "licence";
const KEY: &str =
    "put the key into settings.json as licenseKey, or into IR_LICENSE_KEY, and restart";
const REFRESH: &str = "POST /v1/license/refresh";
const REACH: &str = "let this machine reach the licence authority, then POST /v1/license/refresh";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_790_000_000_000;
    const DAY: u64 = 86_400_000;

    #[test]
    fn each_state_of_a_licence_has_its_words_and_its_next_step() {
        let terms = json!({ "usageThisMonth": 43, "usageCap": 5000 });
        let told = |status: &str, problem: Option<&str>| {
            Ok(json!({
                "configured": true, "status": status, "license": terms, "refreshedAt": NOW - 180_000,
                "grace": { "until": NOW + DAY }, "problem": problem, "topUpUrl": "https://pay.example/",
            }))
        };
        let nothing = Ok(json!({ "configured": true, "status": "unverified", "license": null }));
        let keyless = Ok(json!({ "configured": false, "status": "invalid", "license": null }));
        for (told, state, words, next) in [
            (
                Ok(json!({ "status": "open" })),
                State::Good,
                "none is needed",
                "",
            ),
            (
                told("valid", None),
                State::Good,
                "valid, last answer 3m ago, 43 of 5000 calls this month",
                "",
            ),
            (
                told("valid", Some("it is shut")),
                State::Note,
                "but it is shut",
                "",
            ),
            (
                told("grace", Some("it is shut")),
                State::Note,
                "until 2026-09-22",
                "reach",
            ),
            (told("invalid", None), State::Bad, "not valid", "renewed"),
            (
                told("cap_exceeded", None),
                State::Bad,
                "used up",
                "https://pay.example/",
            ),
            (
                told("unverified", Some("it is shut")),
                State::Bad,
                "it is shut",
                "reach",
            ),
            (
                nothing,
                State::NotChecked,
                "when the daemon starts",
                "serve",
            ),
            (keyless, State::Bad, "no licence key", "IR_LICENSE_KEY"),
            (
                Err("no such file".to_owned()),
                State::Bad,
                "no such file",
                "license.keys",
            ),
        ] {
            let check = check(&told, false, NOW);
            assert_eq!(check.state, state, "{}", check.text);
            assert!(check.text.contains(words), "{words}: {}", check.text);
            let step = check.next.unwrap_or_default();
            assert!(
                step.contains(next) && step.is_empty() == next.is_empty(),
                "{next}: {step}"
            );
        }
    }
}
