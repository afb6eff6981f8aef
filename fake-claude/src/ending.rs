//! How a failed turn is told: to the `StopFailure` hook, the transcript and the screen, in the real one's words.

use crate::clock;
use crate::look::Failing;
use crate::look::Words;
use crate::reply::Failure;
use crate::request::marketing;

/// The end of a turn that has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) error: &'static str,
    pub(crate) text: String,
    pub(crate) details: Option<String>,
    pub(crate) status: Option<u16>,
    /// The API's name for it.
    pub(crate) kind: Option<String>,
    /// What the newer family then shows in the empty prompt box.
    pub(crate) hint: Option<&'static str>,
    pub(crate) stop_reason: &'static str,
    /// Whether the subscription's limit is hit.
    pub(crate) is_limit: bool,
}

impl Ending {
    /// Whether it is told right below the prompt, because it is the user who can help.
    pub(crate) fn is_about_key(&self) -> bool {
        self.text == INVALID_KEY || self.text.ends_with("· Please run /login")
    }
}

/// What the words depend on.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    pub(crate) is_new: bool,
    pub(crate) failing: Failing,
    pub(crate) model: String,
    pub(crate) gateway: Option<String>,
    pub(crate) max_tokens: u64,
    /// How often a failing request is made again.
    pub(crate) retries: u64,
    /// In print mode nobody can run a command.
    pub(crate) is_print: bool,
}

impl Circumstances {
    /// The end that a failure makes; an interruption is not one.
    pub(crate) fn ending(&self, failure: &Failure) -> Ending {
        match failure {
            Failure::Api {
                message,
                is_event: true,
                ..
            } if self.failing.hides_events => {
                plain("unknown", format!("API Error: {message}"), None, None)
            }
            Failure::Api {
                status,
                kind,
                message,
                body,
                is_event: _,
            } => Ending {
                kind: kind.clone(),
                ..self.api(*status, message, body)
            },
            Failure::Network(cause) => plain(
                "unknown",
                format!("API Error: Unable to connect to API ({cause})"),
                None,
                RESEND,
            ),
            Failure::Limit(text) => Ending {
                is_limit: true,
                ..plain("rate_limit", text.clone(), Some(429), RESEND)
            },
            Failure::Login => plain(
                "authentication_failed",
                self.failing.no_login.to_owned(),
                None,
                FIXED,
            ),
            Failure::Interrupted(_) => plain("unknown", String::new(), None, None),
        }
    }

    /// The answer was cut off for the fourth time.
    pub(crate) fn cut_off(&self) -> Ending {
        let text = format!(
            "API Error: Claude's response exceeded the {} output token maximum. To configure this behavior, set the CLAUDE_CODE_MAX_OUTPUT_TOKENS environment variable.",
            self.failing.max_tokens.unwrap_or(self.max_tokens)
        );
        plain("max_output_tokens", text, None, RESEND)
    }

    /// The model refused.
    pub(crate) fn refused(&self, request_id: &str, message_id: &str) -> Ending {
        let mut text = match self.is_new {
            true => format!(
                "API Error: {} can't help with this. Start a new session to continue.\n\nLearn more: https://www.anthropic.com/legal/aup",
                marketing(&self.model)
            ),
            false => "API Error: Claude Code is unable to respond to this request, which appears to violate our Usage Policy (https://www.anthropic.com/legal/aup). Please double press esc to edit your last message or start a new session for Claude Code to assist with a different task.".to_owned(),
        };
        text.push_str(self.failing.refusal_advice);
        if !request_id.is_empty() {
            text.push_str(&format!("\n\nRequest ID: {request_id}"));
        }
        if self.is_new {
            text.push_str(&format!("\n\nMessage ID: {message_id}"));
        }
        Ending {
            stop_reason: self.failing.refusal_stops,
            ..plain("invalid_request", text, None, None)
        }
    }

    fn api(&self, status: u16, message: &str, body: &str) -> Ending {
        let code = Some(status);
        let words = self.failing.words;
        let told = if words == Words::Meaning {
            message
        } else {
            body
        };
        match status {
            401 if message.contains("x-api-key") && !self.is_print => {
                plain("authentication_failed", INVALID_KEY.to_owned(), code, FIXED)
            }
            401 | 403 => plain(
                "authentication_failed",
                match (self.is_print, words) {
                    (true, _) => format!("Failed to authenticate. API Error: {status} {message}"),
                    (false, Words::Body) => {
                        format!("API Error: {status} {body} · Please run /login")
                    }
                    (false, _) => format!("Please run /login · API Error: {status} {told}"),
                },
                code,
                FIXED,
            ),
            _ if words == Words::Body => {
                plain("unknown", format!("API Error: {status} {body}"), None, None)
            }
            404 => plain(self.failing.unknown_model, self.no_model(), code, FIXED),
            413 => Ending {
                details: Some(format!("request_too_large: 413 {body}")),
                ..plain(
                    "invalid_request",
                    self.too_large(),
                    code,
                    Some("Run /rewind to go back"),
                )
            },
            429 => plain(
                "rate_limit",
                format!("API Error: Request rejected (429) · {message}"),
                code,
                RESEND,
            ),
            529 if self.retries > 0 => plain("server_error", self.overloaded(), code, RESEND),
            500.. => plain("server_error", self.server(status, message), code, RESEND),
            _ => plain("unknown", format!("API Error: {status} {told}"), code, None),
        }
    }

    fn no_model(&self) -> String {
        format!(
            "There's an issue with the selected model ({}). It may not exist or you may not have access to it. Run /model to pick a different model.",
            self.model
        )
    }

    fn too_large(&self) -> String {
        match self.is_new {
            true => "Request too large (max 32MB). Accumulated images and attachments in the conversation pushed the request over the limit. Run /compact, or double press esc to go back and remove attachments.".to_owned(),
            false => "Request too large (max 32MB). Double press esc to go back and try with a smaller file.".to_owned(),
        }
    }

    fn overloaded(&self) -> String {
        format!(
            "API Error: Repeated 529 Overloaded errors. The API is at capacity — this is usually temporary. Try again in a moment. If it persists, {}.",
            self.place()
        )
    }

    fn place(&self) -> String {
        match self.gateway.as_ref().filter(|_| self.failing.names_gateway) {
            Some(host) => format!("check your inference gateway ({host})"),
            None => "check status.claude.com".to_owned(),
        }
    }

    fn server(&self, status: u16, message: &str) -> String {
        let look = self.place();
        format!(
            "API Error: {status} {message}. This is a server-side issue, usually temporary — try again in a moment. If it persists, {look}."
        )
    }
}

/// Whether asking again may help.
pub(crate) fn is_transient(failure: &Failure) -> bool {
    match failure {
        Failure::Api { status, .. } => matches!(status, 408 | 409 | 429 | 500..),
        Failure::Network(_) => true,
        Failure::Interrupted(_) | Failure::Login | Failure::Limit(_) => false,
    }
}

/// A failure in a few words, as the line of the spinner has it while the request is made again.
pub(crate) fn in_short(failure: &Failure, tries: u64) -> String {
    match failure {
        Failure::Api {
            status, message, ..
        } if tries > 1 => format!("{status} {message}"),
        _ => "API error".to_owned(),
    }
}

/// The words about a limit: which, and when it ends.
pub(crate) fn limit(claim: &str, resets: u64, is_new: bool) -> String {
    let which = match (claim, is_new) {
        ("seven_day", _) => "weekly",
        (_, true) => "5-hour",
        (_, false) => "session",
    };
    format!(
        "You've hit your {which} limit · resets {} (UTC)",
        clock::limit_end(resets)
    )
}

/// What the newer family does about a limit by itself.
pub(crate) fn goes_on(limit: &str) -> String {
    format!(
        "Usage limit reached · continuing automatically at {} · esc to cancel",
        resets(limit)
    )
}

/// When the limit ends, out of its text.
pub(crate) fn resets(limit: &str) -> &str {
    let behind = limit.split_once("resets ").map_or("", |(_, behind)| behind);
    behind.split(" (").next().unwrap_or_default()
}

fn plain(
    error: &'static str,
    text: String,
    status: Option<u16>,
    hint: Option<&'static str>,
) -> Ending {
    Ending {
        error,
        text,
        details: None,
        status,
        kind: None,
        hint,
        stop_reason: "stop_sequence",
        is_limit: false,
    }
}

const INVALID_KEY: &str = "Invalid API key · Fix external API key";
const FIXED: Option<&str> = Some("Once fixed, resend your message");
const RESEND: Option<&str> = Some("Resend your message to try again");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Dialect;

    #[test]
    fn each_status_has_its_error_and_words() {
        let here = Circumstances {
            is_new: true,
            failing: Dialect::of("2.1.329").failing,
            model: "m".to_owned(),
            gateway: None,
            max_tokens: 64_000,
            retries: 0,
            is_print: false,
        };
        let said = |status| {
            let ending = here.api(status, "no", "{}");
            (ending.error, ending.text)
        };
        assert_eq!(said(400), ("unknown", "API Error: 400 no".to_owned()));
        assert_eq!(
            said(401),
            (
                "authentication_failed",
                "Please run /login · API Error: 401 no".to_owned()
            )
        );
        assert_eq!(
            said(429),
            (
                "rate_limit",
                "API Error: Request rejected (429) · no".to_owned()
            )
        );
        assert_eq!(said(529).0, "server_error");
        assert_eq!(said(404).0, "model_not_found");
        assert_eq!(said(413).0, "invalid_request");
    }
}
