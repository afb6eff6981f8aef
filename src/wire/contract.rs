//! The error contract: every failure with its code, its status in each dialect, its culprit and its next step.
//!
//! There is one table, and all else is made of it: the answers of both dialects, the page of [`page`],
//! `inference-relay explain`, and the list of failures that the black-box tests must provoke. A status is the same in
//! both dialects; the names of types are each dialect's own.

use crate::turn::Blame;
use crate::turn::FaultKind;
use serde_json::Value;
use std::fmt::Write;

/// One failure of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Stable: in `x-relay-error`, and on stderr where the program ends with it.
    pub(crate) code: &'static str,
    pub(crate) ending: Ending,
    pub(crate) blame: Blame,
    pub(crate) retry: Retry,
    pub(crate) happened: &'static str,
    /// The one next step.
    pub(crate) next: &'static str,
}

/// How whoever called learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Http(Http),
    /// The upstream's own status goes on, as far as it is one that a caller can be given.
    Upstream,
    /// The program ends with this code; there is no daemon that could answer.
    Exit(u8),
}

/// A status, and what each dialect calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Http {
    pub(crate) status: u16,
    pub(crate) anthropic: &'static str,
    pub(crate) openai: &'static str,
}

/// Whether the same call can do better later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Not before somebody has changed something.
    Never,
    Soon,
    /// After the time that `retry-after` says.
    AfterWait,
    /// After the time that `retry-after` says, which is longer than a client should wait by itself.
    AfterReset,
}

impl Retry {
    /// Clients retry 429 and 5xx by themselves; where that cannot help, `x-should-retry: false` saves them and the
    /// user's plan the try.
    pub(crate) fn helps(self) -> bool {
        matches!(self, Retry::Soon | Retry::AfterWait)
    }

    /// Whether `retry-after` is given.
    pub(crate) fn is_timed(self) -> bool {
        matches!(self, Retry::AfterWait | Retry::AfterReset)
    }

    fn words(self) -> &'static str {
        match self {
            Retry::Never => "no",
            Retry::Soon => "yes",
            Retry::AfterWait => "after `retry-after`",
            Retry::AfterReset => "after `retry-after`, not by itself",
        }
    }
}

impl Row {
    /// `429`, `exit 2`, or whose status it is.
    pub(crate) fn status(&self) -> String {
        match self.ending {
            Ending::Http(http) => http.status.to_string(),
            Ending::Upstream => "the upstream's".to_owned(),
            Ending::Exit(code) => format!("exit {code}"),
        }
    }

    /// The names of its type in the Anthropic and in the OpenAI dialect.
    pub(crate) fn types(&self) -> [&'static str; 2] {
        match self.ending {
            Ending::Http(http) => [http.anthropic, http.openai],
            Ending::Upstream => ["as upstream", "as upstream"],
            Ending::Exit(_) => ["-", "-"],
        }
    }

    pub(crate) fn culprit(&self) -> &'static str {
        match self.blame {
            Blame::Client => "client",
            Blame::Relay => "relay",
            Blame::Cli => "CLI",
            Blame::Upstream => "upstream",
        }
    }

    pub(crate) fn again(&self) -> &'static str {
        self.retry.words()
    }
}

/// The row of a code.
pub(crate) fn find(code: &str) -> Option<&'static Row> {
    CONTRACT.iter().find(|row| row.code == code)
}

/// The row of a kind of fault.
pub(crate) fn row(kind: &FaultKind) -> &'static Row {
    find(kind.code()).unwrap_or(&UNLISTED)
}

/// The status of a kind of fault, and what each dialect calls it.
pub(crate) fn http(kind: &FaultKind) -> Http {
    match (kind, row(kind).ending) {
        (FaultKind::UpstreamRejected { status }, _) => rejected(*status),
        (FaultKind::UpstreamFailed { status }, _) => failed(*status),
        (_, Ending::Http(http)) => http,
        (_, Ending::Upstream | Ending::Exit(_)) => BUG,
    }
}

/// The upstream's own refusals pass as they are.
fn rejected(status: u16) -> Http {
    let (anthropic, openai) = match status {
        401 => ("authentication_error", "authentication_error"),
        402 => ("billing_error", "insufficient_quota"),
        403 => ("permission_error", "permission_error"),
        404 => ("not_found_error", "invalid_request_error"),
        413 => ("request_too_large", "invalid_request_error"),
        429 => ("rate_limit_error", "rate_limit_error"),
        400..=499 => ("invalid_request_error", "invalid_request_error"),
        _ => return BAD_GATEWAY,
    };
    of(status, anthropic, openai)
}

fn failed(status: u16) -> Http {
    match status {
        504 => of(504, "timeout_error", SERVER),
        500..=599 => of(status, "api_error", SERVER),
        _ => BAD_GATEWAY,
    }
}

/// Clients of old look for the code and the address of the shop at the top level.
pub(crate) fn add_top_up(body: &mut Value, kind: &FaultKind) {
    if let FaultKind::CapExceeded { top_up_url } = kind {
        body["code"] = kind.code().into();
        body["topUpUrl"] = top_up_url.clone().into();
    }
}

/// The contract as a page of Markdown.
pub(crate) fn page() -> String {
    let mut page = PAGE_HEAD.to_owned();
    for row in CONTRACT {
        let [anthropic, openai] = row.types();
        // A string takes all that is written into it.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {anthropic} | {openai} | {} | {} | {} |",
            row.code,
            row.status(),
            row.culprit(),
            row.again(),
            row.happened,
            row.next
        );
    }
    page
}

const fn of(status: u16, anthropic: &'static str, openai: &'static str) -> Http {
    Http {
        status,
        anthropic,
        openai,
    }
}

const INVALID: &str = "invalid_request_error";
const AUTHENTICATION: &str = "authentication_error";
const PERMISSION: &str = "permission_error";
const RATE: &str = "rate_limit_error";
const SERVER: &str = "server_error";
const BUG: Http = of(500, "api_error", SERVER);
const BAD_GATEWAY: Http = of(502, "api_error", SERVER);
const UNAVAILABLE: Http = of(503, "api_error", SERVER);
const OVERLOADED: Http = of(529, "overloaded_error", SERVER);

/// A kind that somebody forgot to list; a test holds that there is none.
static UNLISTED: Row = Row {
    code: "internal",
    ending: Ending::Http(BUG),
    blame: Blame::Relay,
    retry: Retry::Soon,
    happened: "",
    next: "",
};

/// The table, by status. A row needs a scenario in `tests/it/matrix`, which says how it is provoked.
pub(crate) static CONTRACT: &[Row] = &[
    Row {
        code: "bind_failed",
        ending: Ending::Exit(2),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The daemon cannot listen: another program holds the port, or the address is not this machine's.",
        next: "Stop the program that is named, or choose another port with `--port`, `SR_DAEMON_PORT` or \
               `server.port`.",
    },
    Row {
        code: "already_running",
        ending: Ending::Exit(2),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "Another daemon holds this state folder; its process and port are named.",
        next: "Use that daemon, stop it, or give this one a folder of its own with `INFERENCE_RELAY_HOME`.",
    },
    Row {
        code: "invalid_request",
        ending: Ending::Http(of(400, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The body is not JSON, or not a call of the API; the message begins with the path of the field.",
        next: "Correct the field that is named.",
    },
    Row {
        code: "thread_unsupported",
        ending: Ending::Http(of(400, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The call asks for a message thread, which the relay would have to keep; it keeps none.",
        next: "Send the whole conversation in `messages`; the SDKs do so by themselves.",
    },
    Row {
        code: "previous_response_not_found",
        ending: Ending::Http(of(400, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The call goes on with a response that this key never had, that was deleted, or that is older than \
                   thirty days.",
        next: "Send the whole conversation in `input`.",
    },
    Row {
        code: "session_id_invalid",
        ending: Ending::Http(of(400, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The `x-ir-session-id` header is no name of a conversation.",
        next: "Name it with 1 to 128 visible ASCII characters.",
    },
    Row {
        code: "key_missing",
        ending: Ending::Http(of(401, AUTHENTICATION, AUTHENTICATION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The relay asks callers for a key, and there is none in the call.",
        next: "Send one in `x-api-key` or `Authorization: Bearer`; `inference-relay key create` makes one.",
    },
    Row {
        code: "key_malformed",
        ending: Ending::Http(of(401, AUTHENTICATION, AUTHENTICATION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "What the call shows as a key does not look like one of the relay.",
        next: "Send the key as `inference-relay key create` printed it, once.",
    },
    Row {
        code: "key_unknown",
        ending: Ending::Http(of(401, AUTHENTICATION, AUTHENTICATION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The key looks like one of the relay, and the relay does not know it.",
        next: "Use a key that `inference-relay key list` has, or make one.",
    },
    Row {
        code: "key_disabled",
        ending: Ending::Http(of(401, AUTHENTICATION, AUTHENTICATION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The key was disabled.",
        next: "Use another key, or enable this one with `inference-relay key`.",
    },
    Row {
        code: "key_expired",
        ending: Ending::Http(of(401, AUTHENTICATION, AUTHENTICATION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The key has expired.",
        next: "Give it more time with `inference-relay key expire NAME --in 30d`, or send the new text where it was rotated.",
    },
    Row {
        code: "license_invalid",
        ending: Ending::Http(of(402, PERMISSION, PERMISSION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The licence authority says that the licence is not valid, or its answer does not verify.",
        next: "Set the right licence key; `GET /v1/license` says what is known.",
    },
    Row {
        code: "cap_exceeded",
        ending: Ending::Http(of(402, PERMISSION, "insufficient_quota")),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The calls that the licence has for this month are used up.",
        next: "Buy more at `topUpUrl`, which is in the body, or wait for the next month.",
    },
    Row {
        code: "license_unverified",
        ending: Ending::Http(of(402, PERMISSION, PERMISSION)),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The licence authority could not be reached, and the grace period is over.",
        next: "Let the relay reach the authority; it tries again by itself.",
    },
    Row {
        code: "host_not_allowed",
        ending: Ending::Http(of(403, PERMISSION, PERMISSION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The Host header names neither loopback nor a listed host, as in an attack by DNS rebinding.",
        next: "Call `127.0.0.1` or `localhost`, or add the name to `server.allowed_hosts`.",
    },
    Row {
        code: "origin_not_allowed",
        ending: Ending::Http(of(403, PERMISSION, PERMISSION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "A web page called, and its origin is not listed.",
        next: "If the page is yours, add its origin to `server.allowed_origins`.",
    },
    Row {
        code: "not_found",
        ending: Ending::Http(of(404, "not_found_error", INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "There is no such route, model or conversation.",
        next: "See `GET /` for the routes, `/v1/models` for the models, `/v1/sessions` for the conversations.",
    },
    Row {
        code: "method_not_allowed",
        ending: Ending::Http(of(405, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The route exists and does not take this method.",
        next: "Use a method of the `allow` header.",
    },
    Row {
        code: "session_busy",
        ending: Ending::Http(of(409, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::AfterWait,
        happened: "More calls wait in one conversation than `sessions.queue_depth_max` allows, or one waited too long.",
        next: "Wait for the answers before the next call, or use another `x-ir-session-id`.",
    },
    Row {
        code: "file_unknown",
        ending: Ending::Http(of(404, "not_found_error", INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The id is of no file of this key: it was deleted, its time is over, or it is another key's.",
        next: "List the files with `GET /v1/files`, and upload the one that is missing.",
    },
    Row {
        code: "file_unsupported",
        ending: Ending::Http(of(422, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The file is of a type that no lane takes, or is too long a text to stand in a call.",
        next: "Send a PDF, a picture (JPEG, PNG, GIF, WebP), or a text of at most 1 MB.",
    },
    Row {
        code: "file_too_large",
        ending: Ending::Http(of(413, "request_too_large", INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The file is larger than `files.bytes_max`.",
        next: "Send a smaller one, or raise `files.bytes_max` in relay.toml.",
    },
    Row {
        code: "storage_full",
        ending: Ending::Http(of(413, "request_too_large", INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "All files together, or those of one key, are as large as `files.total_bytes_max` lets them be.",
        next: "Delete files that are not needed any more, or raise `files.total_bytes_max` in relay.toml.",
    },
    Row {
        code: "request_too_large",
        ending: Ending::Http(of(413, "request_too_large", INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The body is larger than `server.body_max`, or has more than a million fields and items; with 431: the head is larger than 32 KiB or has more than 100 headers.",
        next: "Send less, or raise `server.body_max`.",
    },
    Row {
        code: "unsupported_media_type",
        ending: Ending::Http(of(415, INVALID, INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The body is not declared as plain, uncompressed JSON.",
        next: "Send `content-type: application/json` and no `content-encoding`.",
    },
    Row {
        code: "auth_blocked",
        ending: Ending::Http(of(429, RATE, RATE)),
        blame: Blame::Client,
        retry: Retry::AfterReset,
        happened: "Too many bad keys came from this address.",
        next: "Wait as long as `retry-after` says, or call with a good key, which is let in at once.",
    },
    Row {
        code: "rate_limited",
        ending: Ending::Http(of(429, RATE, RATE)),
        blame: Blame::Client,
        retry: Retry::AfterWait,
        happened: "The key, its policy or the address has made as many requests as its limit allows.",
        next: "Wait as long as `retry-after` says, or raise the limit.",
    },
    Row {
        code: "too_many_concurrent",
        ending: Ending::Http(of(429, RATE, RATE)),
        blame: Blame::Client,
        retry: Retry::AfterWait,
        happened: "The key, its policy or the address has as many calls in flight as its limit allows.",
        next: "Let one end before the next, or raise the limit.",
    },
    Row {
        code: "usage_limit",
        ending: Ending::Http(of(429, RATE, "insufficient_quota")),
        blame: Blame::Upstream,
        retry: Retry::AfterReset,
        happened: "The plan behind a CLI, or the account behind a host's key, has reached its own limit.",
        next: "Wait for the reset that the message names, change the plan, or pay for more.",
    },
    Row {
        code: "upstream_rate_limited",
        ending: Ending::Http(of(429, RATE, RATE)),
        blame: Blame::Upstream,
        retry: Retry::AfterWait,
        happened: "The provider limits the rate of calls.",
        next: "Wait as long as `retry-after` says.",
    },
    Row {
        code: "upstream_rejected",
        ending: Ending::Upstream,
        blame: Blame::Upstream,
        retry: Retry::Never,
        happened: "The provider refused the request with a 4xx, which is passed on with its words.",
        next: "Correct what the message names.",
    },
    Row {
        code: "upstream_failed",
        ending: Ending::Upstream,
        blame: Blame::Upstream,
        retry: Retry::Soon,
        happened: "The provider failed with a 5xx, which is passed on; a failure without a status is a 502.",
        next: "Send the request again.",
    },
    Row {
        code: "internal",
        ending: Ending::Http(BUG),
        blame: Blame::Relay,
        retry: Retry::Soon,
        happened: "The relay lost track of the turn, could not write what Claude Code has to read, or has no file descriptors left for a session.",
        next: "Send the request again; if it fails again, read the log's line with the same request id.",
    },
    Row {
        code: "unsupported_error",
        ending: Ending::Http(of(501, "api_error", SERVER)),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The route belongs to the protocol, and no lane of this relay serves it.",
        next: "Use `POST /v1/messages`.",
    },
    Row {
        code: "empty_turn",
        ending: Ending::Http(BAD_GATEWAY),
        blame: Blame::Upstream,
        retry: Retry::Soon,
        happened: "The model's turn ended without any content, and no reason was given.",
        next: "Send the request again.",
    },
    Row {
        code: "session_lost",
        ending: Ending::Http(BAD_GATEWAY),
        blame: Blame::Cli,
        retry: Retry::Soon,
        happened: "The CLI behind the lane, Claude Code or Codex, ended before its answer was whole; before the first byte Claude Code was tried twice.",
        next: "Send the request again; if it fails again, run `inference-relay doctor`.",
    },
    Row {
        code: "claude_not_found",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Cli,
        retry: Retry::Never,
        happened: "There is no `claude` on this machine.",
        next: "Install Claude Code, and the relay notices by itself; or set `claude.command`, and restart it.",
    },
    Row {
        code: "claude_unsupported",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Cli,
        retry: Retry::Never,
        happened: "Claude Code does not start, shows a screen that is not known, or its version cannot take this \
                   message.",
        next: "Run `inference-relay doctor`, which says what was tried.",
    },
    Row {
        code: "codex_not_found",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Cli,
        retry: Retry::Never,
        happened: "There is no `codex` on this machine, or it does not start as an app-server.",
        next: "Install the Codex CLI, or set `codex.command`, and restart the relay.",
    },
    Row {
        code: "login_required",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Cli,
        retry: Retry::Never,
        happened: "The CLI behind the lane, Claude Code or Codex, is not logged in, or its login has expired.",
        next: "Run `claude` in a terminal and log in with `/login`, or `inference-relay login codex`; the relay notices by itself.",
    },
    Row {
        code: "token_refresh_failed",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Cli,
        retry: Retry::Never,
        happened: "The Codex CLI is logged in, and could not renew the token of its login.",
        next: "Run `inference-relay logout codex` and `inference-relay login codex`; the relay notices by itself.",
    },
    Row {
        code: "dialog_blocked",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Cli,
        retry: Retry::Never,
        happened: "Claude Code asks a question that the relay does not answer; the message has its words.",
        next: "Run `claude` in a terminal and answer it once.",
    },
    Row {
        code: "shutting_down",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Relay,
        retry: Retry::AfterWait,
        happened: "The relay is on its way out: it takes no more calls, and gives up those that take longer than `server.drain_wait_max`.",
        next: "Send the request again once it is back.",
    },
    Row {
        code: "turn_timeout",
        ending: Ending::Http(of(504, "timeout_error", SERVER)),
        blame: Blame::Upstream,
        retry: Retry::Soon,
        happened: "The turn did not end within `pool.turn_wait_max` and was interrupted.",
        next: "Raise `pool.turn_wait_max` if answers may take longer.",
    },
    Row {
        code: "queue_full",
        ending: Ending::Http(OVERLOADED),
        blame: Blame::Relay,
        retry: Retry::AfterWait,
        happened: "As many calls wait for a session as `pool.queue_depth_max` allows, or large bodies fill `server.bodies_max`.",
        next: "Wait as long as `retry-after` says, or raise the one that the message names.",
    },
    Row {
        code: "queue_timeout",
        ending: Ending::Http(OVERLOADED),
        blame: Blame::Relay,
        retry: Retry::AfterWait,
        happened: "No session became free within `pool.queue_wait_max`.",
        next: "Wait as long as `retry-after` says, or raise `pool.max`.",
    },
    Row {
        code: "upstream_overloaded",
        ending: Ending::Http(OVERLOADED),
        blame: Blame::Upstream,
        retry: Retry::AfterWait,
        happened: "The provider is overloaded.",
        next: "Wait as long as `retry-after` says.",
    },
    Row {
        code: "model_unknown",
        ending: Ending::Http(of(404, "not_found_error", INVALID)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The catalog has no model of that name.",
        next: "Ask for one that `GET /v1/models` lists, or declare it with `inference-relay model add`.",
    },
    Row {
        code: "model_unbound",
        ending: Ending::Http(of(404, "not_found_error", INVALID)),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The model is in the catalog, and no binding that is enabled leads to a lane.",
        next: "Bind it with `inference-relay binding add`.",
    },
    Row {
        code: "model_disabled",
        ending: Ending::Http(of(404, "not_found_error", INVALID)),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The model is in the catalog, and disabled.",
        next: "Ask for another one, or enable it.",
    },
    Row {
        code: "model_not_granted",
        ending: Ending::Http(of(403, PERMISSION, PERMISSION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The policy of the caller's key does not grant the model.",
        next: "Ask for a model that `GET /v1/models` lists for this key, or have the policy changed.",
    },
    Row {
        code: "lane_not_granted",
        ending: Ending::Http(of(403, PERMISSION, PERMISSION)),
        blame: Blame::Client,
        retry: Retry::Never,
        happened: "The policy of the caller's key does not grant the lane.",
        next: "Leave `x-relay-lane` away, or have the policy changed.",
    },
    Row {
        code: "policy_disabled",
        ending: Ending::Http(of(403, PERMISSION, PERMISSION)),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The policy of the caller's key is disabled.",
        next: "Enable the policy, or give the key another one.",
    },
    Row {
        code: "no_healthy_keys",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Upstream,
        retry: Retry::AfterWait,
        happened: "Every key of the host rests after a failure; the message tells each key's class.",
        next: "Wait as long as `retry-after` says; `inference-relay breaker list` shows more, and `breaker reset` ends a rest.",
    },
    Row {
        code: "host_key_missing",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The host has no key that is enabled, readable and granted to the caller, and its row does not say `auth: none`.",
        next: "Add a key with `inference-relay host-key add NAME --host HOST --stdin`; or, where the host takes none, say `auth: none` with `inference-relay host add HOST --url URL --auth none --replace`.",
    },
    Row {
        code: "secret_undecryptable",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "A stored credential does not open with this master key; that key alone is out.",
        next: "Give the relay the former `RELAY_MASTER_KEY`, or set the secret anew.",
    },
    Row {
        code: "upstream_auth",
        ending: Ending::Http(BAD_GATEWAY),
        blame: Blame::Upstream,
        retry: Retry::Never,
        happened: "The host refused the relay's credential.",
        next: "Set a new credential for the host key; `inference-relay breaker list` names it.",
    },
    Row {
        code: "adapter_mismatch",
        ending: Ending::Http(BAD_GATEWAY),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The host does not speak the binding's protocol; the message names both.",
        next: "Correct the binding's `adapter`, or the host's `url`.",
    },
    Row {
        code: "loop_detected",
        ending: Ending::Http(of(508, "api_error", SERVER)),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "The call came back to a relay that it had come through: a host leads there in a circle.",
        next: "Correct the `url` of the host that leads back.",
    },
    Row {
        code: "upstream_unreachable",
        ending: Ending::Http(BAD_GATEWAY),
        blame: Blame::Upstream,
        retry: Retry::Soon,
        happened: "The host could not be reached.",
        next: "Try again; `inference-relay doctor` says how the host is configured.",
    },
    Row {
        code: "upstream_incomplete",
        ending: Ending::Http(BAD_GATEWAY),
        blame: Blame::Upstream,
        retry: Retry::Soon,
        happened: "The host's answer broke off before its end.",
        next: "Send the request again.",
    },
    Row {
        code: "upstream_timeout",
        ending: Ending::Http(of(504, "timeout_error", SERVER)),
        blame: Blame::Upstream,
        retry: Retry::Soon,
        happened: "The host gave no answer within its time.",
        next: "Try again, or raise the host's `timeouts`.",
    },
    Row {
        code: "tokens_limited",
        ending: Ending::Http(of(429, RATE, RATE)),
        blame: Blame::Client,
        retry: Retry::AfterWait,
        happened: "The key or its policy has used its tokens of this minute.",
        next: "Wait as long as `retry-after` says.",
    },
    Row {
        code: "budget_exceeded",
        ending: Ending::Http(of(429, RATE, "insufficient_quota")),
        blame: Blame::Client,
        retry: Retry::AfterReset,
        happened: "The key or its policy has spent its budget.",
        next: "Wait until the budget begins anew, or have it raised.",
    },
    Row {
        code: "limits_unavailable",
        ending: Ending::Http(UNAVAILABLE),
        blame: Blame::Relay,
        retry: Retry::Never,
        happened: "What a budget has spent cannot be known, and no call passes uncounted.",
        next: "Mend the folder `limits` in the state folder; the log says what is wrong with it.",
    },
];

const PAGE_HEAD: &str = "\
# The errors of inference-relay

This page is printed by `inference-relay explain --markdown`, out of the table that the answers are made of; a test
holds the two equal.

A failed call has the code in `x-relay-error`, the call's id in `request-id`, and `retry-after` where waiting helps;
`x-should-retry: false` tells an SDK that another try is wasted. The body is in the caller's dialect:

- Anthropic: `{\"type\":\"error\",\"error\":{\"type\",\"message\"},\"request_id\"}`
- OpenAI: `{\"error\":{\"message\",\"type\",\"code\",\"param\"}}`, where `code` is the code of this table

After the first byte of a stream the failure is its last event, with the code in a comment before it.
`exit 2` is no answer: the program ends with that code, and says the rest on stderr.

| code | status | whose fault | Anthropic type | OpenAI type | try again | what happened | the next step |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code that a kind of fault can have, as the source says them.
    fn codes() -> Vec<&'static str> {
        let source = include_str!("../turn/fault.rs");
        let arms = source.lines().filter_map(|line| line.split_once("=> \""));
        arms.filter_map(|(_, code)| code.split('"').next())
            .collect()
    }

    #[test]
    fn every_kind_of_fault_has_a_row_and_every_row_a_kind() {
        let codes = codes();
        assert!(codes.len() > 20, "{codes:?}");
        for code in &codes {
            assert!(find(code).is_some(), "{code} has no row");
        }
        for row in CONTRACT {
            let at_start = matches!(row.ending, Ending::Exit(_));
            assert!(at_start || codes.contains(&row.code), "{}", row.code);
        }
    }

    #[test]
    fn codes_are_told_once_and_sentences_are_sentences() {
        for (place, row) in CONTRACT.iter().enumerate() {
            let again = CONTRACT.iter().rposition(|other| other.code == row.code);
            assert_eq!(again, Some(place), "{}", row.code);
            for sentence in [row.happened, row.next] {
                assert!(
                    sentence.ends_with('.') && !sentence.contains('|'),
                    "{}",
                    row.code
                );
            }
        }
    }

    #[test]
    fn an_upstreams_status_is_passed_on_where_a_caller_can_be_given_it() {
        let rejected = |status| http(&FaultKind::UpstreamRejected { status });
        let failed = |status| http(&FaultKind::UpstreamFailed { status });
        for (told, status, anthropic, openai) in [
            (rejected(400), 400, INVALID, INVALID),
            (
                rejected(401),
                401,
                "authentication_error",
                "authentication_error",
            ),
            (rejected(402), 402, "billing_error", "insufficient_quota"),
            (rejected(404), 404, "not_found_error", INVALID),
            (rejected(422), 422, INVALID, INVALID),
            (rejected(200), 502, "api_error", SERVER),
            (failed(500), 500, "api_error", SERVER),
            (failed(504), 504, "timeout_error", SERVER),
            (failed(503), 503, "api_error", SERVER),
            (failed(302), 502, "api_error", SERVER),
        ] {
            assert_eq!(told, of(status, anthropic, openai));
        }
    }
}
