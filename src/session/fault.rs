//! How a session's turns fail, as faults with a culprit and a next step. `[pure]`

use super::turn_spec::TurnSpec;
use super::witness::ApiError;
use crate::listen::is_out_of_files;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::as_sentence;
use std::io;
use std::time::Duration;

/// What the CLI told of a failed request, as the fault that it is.
pub(crate) fn of_api_error(error: &ApiError, task: &TurnSpec) -> Fault {
    if is_logged_out(error, task) {
        return login_required("claude said that its login is missing or expired");
    }
    if is_usage_limit(&error.text) {
        return usage_limit(&error.text, error.retry_after);
    }
    let told = error.retry_after;
    let text = upstream_words(&error.text);
    let status = error.status.or_else(|| status_of(&error.error));
    let status = status.or_else(|| status_in_words(&text));
    let text = own_words(error, status).unwrap_or(text);
    match status {
        Some(429) => {
            upstream(FaultKind::UpstreamRateLimited, &text).retry_after_or(told, RATE_LIMIT_WAIT)
        }
        Some(529) => {
            upstream(FaultKind::UpstreamOverloaded, &text).retry_after_or(told, OVERLOAD_WAIT)
        }
        Some(status @ 400..=499) => upstream(FaultKind::UpstreamRejected { status }, &text),
        Some(status) => upstream(FaultKind::UpstreamFailed { status }, &text),
        None => upstream(FaultKind::UpstreamFailed { status: 502 }, &text),
    }
}

fn upstream(kind: FaultKind, text: &str) -> Fault {
    Fault::new(kind, Blame::Upstream, text).because("the upstream refused or failed the request")
}

fn is_logged_out(error: &ApiError, task: &TurnSpec) -> bool {
    let refused = error.error == "authentication_failed" || matches!(error.status, Some(401 | 403));
    error.text.contains("Not logged in") || (refused && !task.keyed)
}

/// The plan's own limit, in the words of the versions seen: `You've hit your session limit · resets 3pm (UTC)`, `You're
/// out of usage credits · resets 3pm (UTC)`.
fn is_usage_limit(text: &str) -> bool {
    let text = text.to_lowercase();
    let says = |mark: &str| text.contains(mark);
    let is_hit = ["hit your", "reached your", "limit reached"]
        .into_iter()
        .any(says);
    let is_out = says("out of usage");
    (is_out || is_hit && says("limit")) && !says("api error")
}

/// The upstream's status where the CLI names only the kind of failure.
fn status_of(error: &str) -> Option<u16> {
    match error {
        "rate_limit" => Some(429),
        "authentication_failed" => Some(401),
        "billing_error" => Some(402),
        "invalid_request" => Some(400),
        "model_not_found" => Some(404),
        "overloaded" => Some(529),
        _ => None,
    }
}

/// The status of a failure that came within a stream, where older versions tell no more of it than the API's own words:
/// those for an overload are always the same, and those for a rate limit name one.
fn status_in_words(text: &str) -> Option<u16> {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    let is_overload = text == "overloaded" || text.contains("overloaded_error");
    let is_rate_limit = ["rate limit", "rate_limit", "too many requests"]
        .iter()
        .any(|words| text.contains(words));
    match (is_overload, is_rate_limit) {
        (true, _) => Some(529),
        (false, true) => Some(429),
        (false, false) => None,
    }
}

/// The upstream's message without what the CLI puts around it for a person at a terminal.
fn upstream_words(text: &str) -> String {
    let text = text.strip_prefix("Please run /login · ").unwrap_or(text);
    let text = match text.split_once("API Error: ") {
        Some(("", rest)) => rest
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start(),
        _ => text,
    };
    let text = text
        .strip_prefix("Request rejected (429) · ")
        .unwrap_or(text);
    let text = text
        .split(" This is a server-side issue, usually temporary")
        .next()
        .unwrap_or(text);
    match without_command(text) {
        Some(told) => format!("{} {MODEL_ADVICE}", told.trim()),
        None => text.trim().to_owned(),
    }
}

/// The upstream's own words, where it refused the request with the status that the failure has: then they are of it.
fn own_words(error: &ApiError, status: Option<u16>) -> Option<String> {
    let refusal = error.refusal.as_ref();
    let refusal = refusal.filter(|refusal| Some(refusal.status) == status)?;
    let words = refusal.words.trim();
    Some(match without_command(&error.text) {
        Some(_) => format!("{} {MODEL_ADVICE}", as_sentence(words)),
        None => words.to_owned(),
    })
}

/// What the CLI says of a model before it names a command that picks another: on its screen, or in print mode.
fn without_command(text: &str) -> Option<&str> {
    let mut commands = [" Run /model ", " Run --model "].into_iter();
    commands.find_map(|command| Some(text.split_once(command)?.0))
}

pub(crate) fn login_required(private: &str) -> Fault {
    let public = "Claude Code is not logged in, or its login has expired. Run `claude` in a terminal on this \
                  machine and log in with /login; the relay notices by itself.";
    Fault::new(FaultKind::LoginRequired, Blame::Cli, public).because(private)
}

fn usage_limit(text: &str, wait: Option<Duration>) -> Fault {
    let public = format!(
        "The plan behind Claude Code has reached its usage limit: {}",
        text.trim()
    );
    Fault::new(FaultKind::UsageLimit, Blame::Upstream, public)
        .because("the plan's usage limit")
        .retry_after_or(wait, USAGE_LIMIT_WAIT)
}

pub(crate) fn dialog_blocked(title: &str) -> Fault {
    let public = format!(
        "Claude Code asks a question that the relay does not answer: \"{title}\". Run `claude` in a terminal on this \
         machine and answer it once."
    );
    Fault::new(FaultKind::DialogBlocked, Blame::Cli, public).because("a dialog")
}

pub(crate) fn unsupported_screen() -> Fault {
    let public = "Claude Code started, but its screen is not one that the relay can drive. Run `inference-relay \
                  doctor` to see its version and what was tried.";
    Fault::new(FaultKind::ClaudeUnsupported, Blame::Cli, public)
        .because("no prompt box within the start's limit")
}

pub(crate) fn unsupported_print() -> Fault {
    let public = "Claude Code did not come up in print mode. Run `inference-relay doctor` to see its version, or use \
                  the interactive driver.";
    Fault::new(FaultKind::ClaudeUnsupported, Blame::Cli, public)
        .because("no sign of print mode within the start's limit")
}

pub(crate) fn session_lost(how: &str) -> Fault {
    let public = "Claude Code ended before its answer was whole. Send the request again; if it fails again, run \
                  `inference-relay doctor`.";
    Fault::new(FaultKind::SessionLost, Blame::Cli, public)
        .because(format!("the process ended: {how}"))
}

/// It never came to its prompt box, so another one would not either: a network that it does not reach, an update that
/// is half done.
pub(crate) fn ended_at_start(how: &str) -> Fault {
    let public = format!(
        "Claude Code ended while it was starting ({how}). Run `claude` in a terminal on this machine: what it says \
         there is what has to be mended, such as a network or a proxy that it does not get through."
    );
    Fault::new(FaultKind::ClaudeEndsAtStart, Blame::Cli, public)
        .because(format!("the process ended before it had come up: {how}"))
}

/// It was updated between two looks at it.
pub(crate) fn renewed() -> Fault {
    let public =
        "Claude Code was updated at this moment. Nothing is wrong with the request; send it again.";
    Fault::new(FaultKind::SessionLost, Blame::Cli, public)
        .because("the process told another version than its file did")
}

/// A version that can be driven did not come up in time: the machine had other things to do.
pub(crate) fn slow_start() -> Fault {
    let public = "Claude Code did not come up in time, though this version does: the machine is busy, or short of \
                  memory. Send the request again; raise `claude.start_wait_max` in relay.toml if starts take longer \
                  here.";
    Fault::new(FaultKind::SessionLost, Blame::Cli, public)
        .because("no sign of readiness within the start's limit")
        .retry_after(SLOW_START_WAIT)
}

/// The model's own mistake; what it wrote is no input that a caller could take.
pub(crate) fn broken_call() -> Fault {
    let public = "The model called a tool with an input that is not JSON. Send the request again.";
    Fault::new(
        FaultKind::UpstreamFailed { status: 502 },
        Blame::Upstream,
        public,
    )
    .because("a call's input is no JSON")
}

/// What the CLI told may be anything, so nothing of it is told.
pub(crate) fn unreadable() -> Fault {
    let public = "Claude Code told something of the answer that the relay cannot read, so the turn was stopped. Send \
                  the request again; if it fails again, run `inference-relay doctor`.";
    told_nothing(public).because("a line that cannot be read")
}

pub(crate) fn asks_on() -> Fault {
    let public = "Claude Code asked the model again and again for this one call, and was stopped. Send the request \
                  again; if it fails again, run `inference-relay doctor`.";
    told_nothing(public).because("more questions to the API than a turn has")
}

pub(crate) fn stalled() -> Fault {
    let public =
        "Claude Code came to rest without telling how the answer ended. Send the request again.";
    told_nothing(public).because("the prompt box is at rest, and nobody told an end")
}

/// The model was asked, and may have answered: to ask again by ourselves would cost the user another answer.
fn told_nothing(public: &str) -> Fault {
    let kind = FaultKind::UpstreamFailed { status: 502 };
    Fault::new(kind, Blame::Cli, public)
}

pub(crate) fn turn_timeout() -> Fault {
    let public = "The turn did not end within its time limit and was interrupted. Raise `pool.turn_wait_max` in \
                  relay.toml if answers may take longer.";
    Fault::new(FaultKind::TurnTimeout, Blame::Upstream, public).because("the turn's limit passed")
}

pub(crate) fn empty_turn() -> Fault {
    let public = "The model's turn ended without any content, and no reason was given. Send the request again.";
    Fault::new(FaultKind::EmptyTurn, Blame::Upstream, public).because("an end without text")
}

pub(crate) fn disagreed() -> Fault {
    let public = "What Claude Code displayed and what it recorded of the answer differ; the relay does not guess \
                  which is right. Send the request again.";
    Fault::new(FaultKind::Internal, Blame::Relay, public)
        .because("display and transcript differ after the first byte")
}

pub(crate) fn misdelivered() -> Fault {
    let public = "The prompt could not be delivered to Claude Code as it was written, and was not sent. Send the \
                  request again; if it fails again, run `inference-relay doctor`.";
    Fault::new(FaultKind::SessionLost, Blame::Relay, public)
        .because("every channel changed or lost the prompt")
}

pub(crate) fn undeliverable() -> Fault {
    let public = "This version of Claude Code cannot take up this message together with tools. Update Claude Code, or \
                  let the last message end in a plain text, or send the tool results while the session that asked \
                  for them is still waiting.";
    Fault::new(FaultKind::ClaudeUnsupported, Blame::Cli, public)
        .because("no channel carries this message and its tools")
}

/// What fails because the relay may open no more files: nothing is wrong with claude, and other calls give descriptors
/// back when they end.
pub(crate) fn out_of_files(error: &io::Error) -> Option<Fault> {
    let public = "The relay has no file descriptors left for another session. Wait as long as `retry-after` says; if it \
                  happens again, raise the limit of open files (`ulimit -n`, or LimitNOFILE of its service), or lower \
                  `pool.max` in relay.toml.";
    is_out_of_files(error).then(|| {
        Fault::new(FaultKind::Internal, Blame::Relay, public)
            .because(format!("the limit of open files is reached: {error}"))
            .retry_after(FILES_WAIT)
    })
}

pub(crate) fn cannot_write(error: &io::Error) -> Fault {
    if let Some(fault) = out_of_files(error) {
        return fault;
    }
    let public = "The conversation could not be written where Claude Code reads it. Check the free space and the \
                  rights of its folder.";
    Fault::new(FaultKind::Internal, Blame::Relay, public)
        .because(format!("a transcript could not be written: {error}"))
}

/// What a caller can do instead of the command that the CLI names.
const MODEL_ADVICE: &str = "Ask for a model that this login may use.";
/// About as long as a start takes on a machine that is not busy any more.
const SLOW_START_WAIT: Duration = Duration::from_secs(5);
/// Where the upstream names no time: long enough for a burst to pass.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(10);
const OVERLOAD_WAIT: Duration = Duration::from_secs(5);
/// Where the limit's text names no moment.
const USAGE_LIMIT_WAIT: Duration = Duration::from_secs(900);
/// About as long as a turn takes, which gives descriptors back.
const FILES_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::witness::request_sign::Refusal;

    #[test]
    fn the_upstreams_words_are_left_alone() {
        for (told, words) in [
            ("API Error: 400 bad input", "bad input"),
            (
                "Please run /login · API Error: 401 mock says no",
                "mock says no",
            ),
            ("API Error: Request rejected (429) · slow down", "slow down"),
            (
                "API Error: 529 busy. This is a server-side issue, usually temporary — try again",
                "busy.",
            ),
            ("Something else", "Something else"),
            (
                "There's an issue with the selected model (x). It may not exist. Run /model to pick a different model.",
                "There's an issue with the selected model (x). It may not exist. Ask for a model that this login may use.",
            ),
        ] {
            assert_eq!(upstream_words(told), words);
        }
    }

    fn told(text: &str, status: Option<u16>, refusal: Option<(u16, &str)>) -> Fault {
        let refusal = refusal.map(|(status, words)| Refusal {
            status,
            words: words.into(),
        });
        let error = ApiError {
            status,
            text: text.into(),
            refusal,
            ..ApiError::default()
        };
        let task = TurnSpec::plain(crate::session::turn_spec::DeliveryMethod::Launched);
        of_api_error(&error, &task)
    }

    #[test]
    fn the_upstreams_own_words_are_told_where_they_are_of_this_failure() {
        let text = "Image was too large. Double press esc to go back.";
        let words = "messages.0: image exceeds 5 MB maximum";
        for (status, refusal, public) in [
            (Some(400), Some((400, words)), words),
            (Some(400), Some((400, " in words\n")), "in words"),
            (Some(400), Some((529, words)), text),
            (None, Some((400, words)), text),
            (Some(400), None, text),
        ] {
            assert_eq!(told(text, status, refusal).public, public, "{status:?}");
        }
    }

    #[test]
    fn the_upstreams_own_words_decide_no_status_and_no_limit() {
        let words = "Overloaded: too many requests";
        let fault = told("It failed.", None, Some((529, words)));
        assert_eq!(fault.kind, FaultKind::UpstreamFailed { status: 502 });
        let fault = told("API Error: 500 odd", Some(500), Some((500, words)));
        assert_eq!(fault.kind, FaultKind::UpstreamFailed { status: 500 });
        let limit = "You've hit your session limit · resets 3pm (UTC)";
        let fault = told(limit, Some(429), Some((429, words)));
        assert_eq!(fault.kind, FaultKind::UsageLimit);
        assert!(fault.public.contains(limit), "{}", fault.public);
    }

    #[test]
    fn the_advice_about_a_model_stays_beside_the_upstreams_own_words() {
        let advice = "Ask for a model that this login may use.";
        for command in ["Run /model", "Run --model"] {
            let text = format!("There's an issue with the model. {command} to pick another.");
            for (words, public) in [
                (Some("model: nope"), format!("model: nope. {advice}")),
                (Some("No such model."), format!("No such model. {advice}")),
                (None, format!("There's an issue with the model. {advice}")),
            ] {
                let refusal = words.map(|words| (404, words));
                assert_eq!(told(&text, Some(404), refusal).public, public);
            }
        }
    }

    #[test]
    fn an_overload_or_a_rate_limit_is_one_however_little_the_cli_tells_of_it() {
        let told = |status, text: &str| {
            let error = ApiError {
                error: "unknown".into(),
                status,
                text: text.into(),
                ..ApiError::default()
            };
            let task = TurnSpec::plain(crate::session::turn_spec::DeliveryMethod::Launched);
            of_api_error(&error, &task).kind
        };
        let failed = |status| FaultKind::UpstreamFailed { status };
        assert_eq!(
            told(None, "API Error: Overloaded"),
            FaultKind::UpstreamOverloaded
        );
        assert_eq!(
            told(Some(529), "API Error: 529 busy"),
            FaultKind::UpstreamOverloaded
        );
        assert_eq!(told(Some(500), "API Error: Overloaded"), failed(500));
        assert_eq!(
            told(None, "API Error: the table is overloaded"),
            failed(502)
        );
        for words in [
            "API Error: This request would exceed your organization's rate limit of 50 requests per minute.",
            "API Error: rate_limit_error",
            "API Error: Too many requests",
        ] {
            assert_eq!(told(None, words), FaultKind::UpstreamRateLimited);
        }
        assert_eq!(
            told(Some(500), "API Error: no rate limit can be read"),
            failed(500)
        );
    }

    #[test]
    fn a_relay_without_files_does_not_blame_claude() {
        let full = io::Error::other("failed to openpty: Os { code: 24, kind: Uncategorized }");
        let fault = cannot_write(&full);
        assert_eq!(
            (&fault.kind, fault.blame),
            (&FaultKind::Internal, Blame::Relay)
        );
        assert!(fault.public.contains("ulimit -n") && fault.retry_after.is_some());
        assert_eq!(out_of_files(&io::ErrorKind::NotFound.into()), None);
    }

    #[test]
    fn a_plans_limit_is_not_a_rate_limit() {
        assert!(is_usage_limit("You've hit your session limit · resets 3pm"));
        assert!(is_usage_limit(
            "You're out of usage credits · resets 7pm (UTC)"
        ));
        assert!(!is_usage_limit(
            "API Error: Request rejected (429) · limit reached"
        ));
    }
}
