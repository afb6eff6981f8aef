//! How a call fails: a kind with a stable code, a culprit, a sentence for the client and one for the log.

use std::time::Duration;

/// A failed call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) blame: Blame,
    /// For the client: what happened, whose fault, the one next step.
    pub(crate) public: String,
    /// For the log; never a caller's text, never a secret.
    pub(crate) private: String,
    /// How long to wait before another try, where waiting helps.
    pub(crate) retry_after: Option<Duration>,
    /// The wait is the relay's own estimate of what only the upstream knows.
    pub(crate) is_wait_estimated: bool,
    /// What helps.
    pub(crate) remedy: Remedy,
}

/// What helps where a call failed before anything of its answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The call is at fault, or the relay as a whole: every lane would refuse it.
    Never,
    /// Any other lane.
    OtherLane,
    /// A lane of another provider: those of this one share what failed, a login or a queue.
    OtherProvider,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    Client,
    Relay,
    Cli,
    Upstream,
}

/// What failed. Dialects turn a kind into their own status and type; the code is the same in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultKind {
    ClaudeNotFound,
    ClaudeUnsupported,
    /// It ends before it has come up.
    ClaudeEndsAtStart,
    CodexNotFound,
    LoginRequired,
    /// A login is there, and the CLI could not renew its token.
    TokenRefreshFailed,
    EmptyTurn,
    TurnTimeout,
    SessionLost,
    UsageLimit,
    UpstreamRateLimited,
    UpstreamOverloaded,
    /// The upstream's own 4xx.
    UpstreamRejected {
        status: u16,
    },
    /// The upstream's own 5xx other than overload.
    UpstreamFailed {
        status: u16,
    },
    UpstreamAuth,
    UpstreamUnreachable,
    UpstreamTimeout,
    UpstreamIncomplete,
    AdapterMismatch,
    /// The call came back to a relay that it had come through.
    LoopDetected,
    NoHealthyKeys,
    /// The host has no key that may be used at all, and waiting gives it none.
    HostKeyMissing,
    SecretUndecryptable,
    ModelUnknown,
    ModelUnbound,
    ModelDisabled,
    ModelNotGranted,
    LaneNotGranted,
    PolicyDisabled,
    TokensLimited,
    BudgetExceeded,
    LimitsUnavailable,
    QueueFull,
    QueueTimeout,
    /// The name of a conversation is none.
    SessionIdInvalid,
    SessionBusy,
    DialogBlocked,
    InvalidRequest,
    /// The caller wants us to remember the conversation between its calls, in the API's own way.
    ThreadUnsupported,
    /// A file of a type that no lane takes.
    FileUnsupported,
    FileTooLarge,
    /// All files together take as much as they may.
    StorageFull,
    FileUnknown,
    /// What the call goes on with is not known, or not any more.
    PreviousUnknown,
    RequestTooLarge,
    UnsupportedMediaType,
    NotFound,
    MethodNotAllowed,
    UnsupportedError,
    HostNotAllowed,
    OriginNotAllowed,
    KeyMissing,
    KeyMalformed,
    KeyUnknown,
    KeyDisabled,
    KeyExpired,
    /// Too many bad keys came from the caller's address.
    AuthBlocked,
    RateLimited,
    TooManyConcurrent,
    /// The authority says no, or what it says does not verify.
    LicenseInvalid,
    /// The licence's calls of this month are used up.
    CapExceeded {
        top_up_url: Option<String>,
    },
    LicenseUnverified,
    ShuttingDown,
    /// A bug of ours: a witness or a machine did what must not happen.
    Internal,
}

/// Words of others with an end, so that a sentence may follow them.
pub(crate) fn as_sentence(words: &str) -> String {
    match words.ends_with(['.', '!', '?']) {
        true => words.to_owned(),
        false => format!("{words}."),
    }
}

impl FaultKind {
    /// The stable code of the error contract, in `x-relay-error`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            FaultKind::ClaudeNotFound => "claude_not_found",
            FaultKind::ClaudeUnsupported => "claude_unsupported",
            FaultKind::ClaudeEndsAtStart => "claude_unsupported",
            FaultKind::CodexNotFound => "codex_not_found",
            FaultKind::LoginRequired => "login_required",
            FaultKind::TokenRefreshFailed => "token_refresh_failed",
            FaultKind::EmptyTurn => "empty_turn",
            FaultKind::TurnTimeout => "turn_timeout",
            FaultKind::SessionLost => "session_lost",
            FaultKind::UsageLimit => "usage_limit",
            FaultKind::UpstreamRateLimited => "upstream_rate_limited",
            FaultKind::UpstreamOverloaded => "upstream_overloaded",
            FaultKind::UpstreamRejected { .. } => "upstream_rejected",
            FaultKind::UpstreamFailed { .. } => "upstream_failed",
            FaultKind::UpstreamAuth => "upstream_auth",
            FaultKind::UpstreamUnreachable => "upstream_unreachable",
            FaultKind::UpstreamTimeout => "upstream_timeout",
            FaultKind::UpstreamIncomplete => "upstream_incomplete",
            FaultKind::AdapterMismatch => "adapter_mismatch",
            FaultKind::LoopDetected => "loop_detected",
            FaultKind::NoHealthyKeys => "no_healthy_keys",
            FaultKind::HostKeyMissing => "host_key_missing",
            FaultKind::SecretUndecryptable => "secret_undecryptable",
            FaultKind::ModelUnknown => "model_unknown",
            FaultKind::ModelUnbound => "model_unbound",
            FaultKind::ModelDisabled => "model_disabled",
            FaultKind::ModelNotGranted => "model_not_granted",
            FaultKind::LaneNotGranted => "lane_not_granted",
            FaultKind::PolicyDisabled => "policy_disabled",
            FaultKind::TokensLimited => "tokens_limited",
            FaultKind::BudgetExceeded => "budget_exceeded",
            FaultKind::LimitsUnavailable => "limits_unavailable",
            FaultKind::QueueFull => "queue_full",
            FaultKind::QueueTimeout => "queue_timeout",
            FaultKind::SessionIdInvalid => "session_id_invalid",
            FaultKind::SessionBusy => "session_busy",
            FaultKind::DialogBlocked => "dialog_blocked",
            FaultKind::InvalidRequest => "invalid_request",
            FaultKind::ThreadUnsupported => "thread_unsupported",
            FaultKind::FileUnsupported => "file_unsupported",
            FaultKind::FileTooLarge => "file_too_large",
            FaultKind::StorageFull => "storage_full",
            FaultKind::FileUnknown => "file_unknown",
            FaultKind::PreviousUnknown => "previous_response_not_found",
            FaultKind::RequestTooLarge => "request_too_large",
            FaultKind::UnsupportedMediaType => "unsupported_media_type",
            FaultKind::NotFound => "not_found",
            FaultKind::MethodNotAllowed => "method_not_allowed",
            FaultKind::UnsupportedError => "unsupported_error",
            FaultKind::HostNotAllowed => "host_not_allowed",
            FaultKind::OriginNotAllowed => "origin_not_allowed",
            FaultKind::KeyMissing => "key_missing",
            FaultKind::KeyMalformed => "key_malformed",
            FaultKind::KeyUnknown => "key_unknown",
            FaultKind::KeyDisabled => "key_disabled",
            FaultKind::KeyExpired => "key_expired",
            FaultKind::AuthBlocked => "auth_blocked",
            FaultKind::RateLimited => "rate_limited",
            FaultKind::TooManyConcurrent => "too_many_concurrent",
            FaultKind::LicenseInvalid => "license_invalid",
            FaultKind::CapExceeded { .. } => "cap_exceeded",
            FaultKind::LicenseUnverified => "license_unverified",
            FaultKind::ShuttingDown => "shutting_down",
            FaultKind::Internal => "internal",
        }
    }
}

impl FaultKind {
    /// What usually helps where a call failed so.
    fn remedy(&self) -> Remedy {
        match self {
            FaultKind::ClaudeUnsupported => Remedy::OtherLane,
            FaultKind::ClaudeNotFound
            | FaultKind::ClaudeEndsAtStart
            | FaultKind::CodexNotFound
            | FaultKind::LoginRequired
            | FaultKind::TokenRefreshFailed
            | FaultKind::DialogBlocked
            | FaultKind::UsageLimit
            | FaultKind::QueueFull
            | FaultKind::QueueTimeout
            | FaultKind::SessionLost
            | FaultKind::UpstreamRateLimited
            | FaultKind::UpstreamOverloaded
            | FaultKind::UpstreamAuth
            | FaultKind::UpstreamUnreachable
            | FaultKind::UpstreamTimeout
            | FaultKind::UpstreamIncomplete
            | FaultKind::AdapterMismatch
            | FaultKind::LoopDetected
            | FaultKind::NoHealthyKeys
            | FaultKind::HostKeyMissing
            | FaultKind::SecretUndecryptable
            | FaultKind::UpstreamFailed { .. } => Remedy::OtherProvider,
            FaultKind::EmptyTurn
            | FaultKind::TurnTimeout
            | FaultKind::UpstreamRejected { .. }
            | FaultKind::SessionIdInvalid
            | FaultKind::SessionBusy
            | FaultKind::InvalidRequest
            | FaultKind::ThreadUnsupported
            | FaultKind::FileUnsupported
            | FaultKind::FileTooLarge
            | FaultKind::StorageFull
            | FaultKind::FileUnknown
            | FaultKind::PreviousUnknown
            | FaultKind::RequestTooLarge
            | FaultKind::UnsupportedMediaType
            | FaultKind::NotFound
            | FaultKind::MethodNotAllowed
            | FaultKind::UnsupportedError
            | FaultKind::HostNotAllowed
            | FaultKind::OriginNotAllowed
            | FaultKind::KeyMissing
            | FaultKind::KeyMalformed
            | FaultKind::KeyUnknown
            | FaultKind::KeyDisabled
            | FaultKind::KeyExpired
            | FaultKind::AuthBlocked
            | FaultKind::RateLimited
            | FaultKind::TooManyConcurrent
            | FaultKind::LicenseInvalid
            | FaultKind::CapExceeded { .. }
            | FaultKind::LicenseUnverified
            | FaultKind::ShuttingDown
            | FaultKind::ModelUnknown
            | FaultKind::ModelUnbound
            | FaultKind::ModelDisabled
            | FaultKind::ModelNotGranted
            | FaultKind::LaneNotGranted
            | FaultKind::PolicyDisabled
            | FaultKind::TokensLimited
            | FaultKind::BudgetExceeded
            | FaultKind::LimitsUnavailable
            | FaultKind::Internal => Remedy::Never,
        }
    }
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, blame: Blame, public: impl Into<String>) -> Fault {
        let remedy = kind.remedy();
        Fault {
            kind,
            blame,
            public: public.into(),
            private: String::new(),
            retry_after: None,
            is_wait_estimated: false,
            remedy,
        }
    }

    /// Says that no other lane helps, or that one does, where the kind alone does not tell.
    pub(crate) fn helped_by(mut self, remedy: Remedy) -> Fault {
        self.remedy = remedy;
        self
    }

    /// Adds the sentence for the log.
    pub(crate) fn because(mut self, private: impl Into<String>) -> Fault {
        self.private = private.into();
        self
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Fault {
        self.retry_after = Some(wait);
        self
    }

    /// Gives the upstream's own wait, or where nobody knows one a usual one, which is marked as that.
    pub(crate) fn retry_after_or(self, told: Option<Duration>, usual: Duration) -> Fault {
        Fault {
            is_wait_estimated: told.is_none(),
            ..self.retry_after(told.unwrap_or(usual))
        }
    }
}
