//! What one try at a host came to, and what follows from it: one function, exhaustive, used by every route. `[pure]`
//!
//! A cooldown is another question than a second try: a refused credential is not tried again in this call, and must
//! rest for the next ones; a caller's own mistake does neither.

use super::observed::StreamError;
use std::time::Duration;

/// What a try came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The answer came to its true end.
    Success,
    /// A status that is no success, with the names that its body gives it.
    Status {
        status: u16,
        /// The body's own words, in lower case: its type, its code, its message.
        words: String,
        hint: Option<Duration>,
    },
    /// A failure inside an answer of status 200, before any of its content.
    InStream(StreamError),
    /// No connection, or one that broke before the first byte.
    Unreachable,
    /// No meaningful byte within the time for it.
    Late,
    /// The answer broke off after its content had begun.
    Broke,
    /// The bytes are not the binding's protocol.
    Mismatch,
    /// The caller went away.
    Left,
}

/// Of what kind a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    Auth,
    Forbidden,
    Quota,
    RateLimit,
    Server,
    Network,
    /// The call itself is at fault.
    Request,
    /// The operator's configuration is.
    Mismatch,
}

impl Class {
    /// The class of a name.
    pub(crate) fn of_name(name: &str) -> Option<Class> {
        let all = [
            Class::Auth,
            Class::Forbidden,
            Class::Quota,
            Class::RateLimit,
            Class::Server,
            Class::Network,
            Class::Request,
            Class::Mismatch,
        ];
        all.into_iter().find(|class| class.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Auth => "auth",
            Class::Forbidden => "forbidden",
            Class::Quota => "quota",
            Class::RateLimit => "rate_limit",
            Class::Server => "server_error",
            Class::Network => "network",
            Class::Request => "request",
            Class::Mismatch => "mismatch",
        }
    }
}

/// Which cell a result moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cools {
    Nothing,
    /// The host key, for the model.
    Key,
    /// The host key and the host: a server's error may be the one's or the other's.
    KeyAndHost,
    Host,
}

/// What the call does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is answered.
    Answered,
    /// The caller is told what the host said, as it said it; nothing else is tried.
    Tell,
    /// Another key of the host, then another binding.
    NextKey,
    /// The same, after a short wait.
    NextKeyAfterWait,
    /// The same host once more, then another binding.
    SameHostOnce,
    /// Another binding; the same host once more where there is none. Who waited for nothing once waits again elsewhere.
    ElsewhereOrSameHostOnce,
    /// Another binding.
    NextBinding,
    Stop,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `None`: nobody failed.
    pub(crate) class: Option<Class>,
    pub(crate) cools: Cools,
    pub(crate) then: Then,
    /// How long the host itself says that it takes.
    pub(crate) hint: Option<Duration>,
}

/// Judges an outcome.
pub(crate) fn judge(outcome: &Outcome) -> Verdict {
    let verdict = |class, cools, then| Verdict {
        class: Some(class),
        cools,
        then,
        hint: None,
    };
    let nobody = |then| Verdict {
        class: None,
        cools: Cools::Nothing,
        then,
        hint: None,
    };
    match outcome {
        Outcome::Success => nobody(Then::Answered),
        Outcome::Left => nobody(Then::Stop),
        Outcome::Status {
            status,
            words,
            hint,
        } => Verdict {
            hint: *hint,
            ..of_class(class(*status, words))
        },
        Outcome::InStream(error) => of_class(class_in_stream(error)),
        Outcome::Unreachable => verdict(Class::Network, Cools::Host, Then::SameHostOnce),
        Outcome::Late => verdict(Class::Network, Cools::Host, Then::ElsewhereOrSameHostOnce),
        // Something of it was told: the call never looks back, but the host is to blame.
        Outcome::Broke => verdict(Class::Network, Cools::Host, Then::Stop),
        Outcome::Mismatch => verdict(Class::Mismatch, Cools::Nothing, Then::NextBinding),
    }
}

fn of_class(class: Class) -> Verdict {
    let (cools, then) = match class {
        Class::Auth | Class::Forbidden | Class::Quota | Class::RateLimit => {
            (Cools::Key, Then::NextKey)
        }
        Class::Server => (Cools::KeyAndHost, Then::NextKeyAfterWait),
        Class::Network => (Cools::Host, Then::SameHostOnce),
        Class::Request => (Cools::Nothing, Then::Tell),
        Class::Mismatch => (Cools::Nothing, Then::NextBinding),
    };
    Verdict {
        class: Some(class),
        cools,
        then,
        hint: None,
    }
}

/// The class of a status.
pub(crate) fn class(status: u16, words: &str) -> Class {
    match status {
        401 => Class::Auth,
        402 => Class::Quota,
        403 if is_quota(words) => Class::Quota,
        403 => Class::Forbidden,
        429 if is_quota(words) => Class::Quota,
        429 => Class::RateLimit,
        // Anthropic tells of an empty account by a 400.
        400 if is_empty_account(words) => Class::Quota,
        // A relay behind the host says that the call was there before.
        LOOPED => Class::Mismatch,
        500..=599 => Class::Server,
        400..=499 => Class::Request,
        _ => Class::Mismatch,
    }
}

fn class_in_stream(error: &StreamError) -> Class {
    let words = format!("{} {}", error.code, error.message).to_lowercase();
    let says = |word: &str| words.contains(word);
    match () {
        () if is_quota(&words) || is_empty_account(&words) => Class::Quota,
        () if says("rate_limit") => Class::RateLimit,
        () if says("authentication") || says("invalid_api_key") => Class::Auth,
        () if says("permission") => Class::Forbidden,
        () if says("invalid_request") || says("context_length") || says("invalid_prompt") => {
            Class::Request
        }
        () => Class::Server,
    }
}

fn is_quota(words: &str) -> bool {
    let quota = [
        "insufficient_quota",
        "billing",
        "quota_exceeded",
        "exceeded your current quota",
    ];
    quota.iter().any(|word| words.contains(word)) || is_empty_account(words)
}

fn is_empty_account(words: &str) -> bool {
    words.contains("credit balance")
}

/// The status by which a relay refuses a call that came back to it.
pub(super) const LOOPED: u16 = 508;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_is_somebodys_and_has_one_next_step() {
        for (status, words, class, then) in [
            (401, "", Class::Auth, Then::NextKey),
            (402, "", Class::Quota, Then::NextKey),
            (403, "", Class::Forbidden, Then::NextKey),
            (429, "rate_limit_error", Class::RateLimit, Then::NextKey),
            (429, "insufficient_quota", Class::Quota, Then::NextKey),
            (
                400,
                "your credit balance is too low",
                Class::Quota,
                Then::NextKey,
            ),
            (400, "context_length_exceeded", Class::Request, Then::Tell),
            (404, "", Class::Request, Then::Tell),
            (422, "", Class::Request, Then::Tell),
            (500, "", Class::Server, Then::NextKeyAfterWait),
            (529, "", Class::Server, Then::NextKeyAfterWait),
            (302, "", Class::Mismatch, Then::NextBinding),
            (508, "", Class::Mismatch, Then::NextBinding),
        ] {
            let words = words.to_owned();
            let verdict = judge(&Outcome::Status {
                status,
                words,
                hint: None,
            });
            assert_eq!(
                (verdict.class, verdict.then),
                (Some(class), then),
                "{status}"
            );
        }
        let left = judge(&Outcome::Left);
        assert_eq!(
            (left.class, left.cools, left.then),
            (None, Cools::Nothing, Then::Stop)
        );
        assert_eq!(judge(&Outcome::Broke).then, Then::Stop);
        assert_eq!(judge(&Outcome::Unreachable).then, Then::SameHostOnce);
        let late = judge(&Outcome::Late);
        assert_eq!(
            (late.cools, late.then),
            (Cools::Host, Then::ElsewhereOrSameHostOnce)
        );
    }

    #[test]
    fn a_failure_inside_a_stream_is_of_the_class_that_it_says() {
        for (code, message, class) in [
            ("overloaded_error", "", Class::Server),
            ("insufficient_quota", "", Class::Quota),
            ("rate_limit_error", "", Class::RateLimit),
            (
                "invalid_request_error",
                "Your credit balance is too low",
                Class::Quota,
            ),
            (
                "invalid_request_error",
                "prompt is too long",
                Class::Request,
            ),
            ("server_error", "", Class::Server),
        ] {
            let error = StreamError {
                code: code.into(),
                message: message.into(),
                json: String::new(),
            };
            assert_eq!(
                judge(&Outcome::InStream(error)).class,
                Some(class),
                "{code} {message}"
            );
        }
    }
}
