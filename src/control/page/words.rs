//! What pages say of each kind of rows. `[pure]`

use crate::catalog::Kind;

/// A kind as a heading has it.
pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::HostKey => "Host key",
        Kind::Host | Kind::Model | Kind::Binding | Kind::Policy | Kind::User => kind.name(),
    }
}

pub(super) fn lead(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "HTTP endpoints that serve models: an address, and how it is reached.",
        Kind::HostKey => {
            "Credentials of hosts. Several of one host form a pool; each has its own circuit breaker."
        }
        Kind::Model => "Names that callers use, with aliases and prices.",
        Kind::Binding => "Which lane or host serves a model, by which adapter, in which order.",
        Kind::Policy => "What a relay key may have: models, lanes, limits, a budget.",
        Kind::User => "Who may log in here, and as what: viewer, operator, admin.",
    }
}

/// What comes after a row of this kind on the way to a first call: where, and in words.
pub(super) fn next(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Host => ("/host-keys/-/new", "add its key"),
        Kind::HostKey => ("/models/-/new", "once its value is stored, add a model"),
        Kind::Model => ("/bindings/-/new", "bind it to a host"),
        Kind::Policy => ("/keys", "make a relay key with it"),
        Kind::Binding => ("/route", "see where a call of it would go"),
        Kind::User => ("", ""),
    }
}

/// What there is to choose from, beside the editor.
pub(super) fn choices(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "network: public or private · auth: adapter, bearer, x-api-key or none",
        Kind::HostKey => {
            "value: { secret: NAME }, { env: VARIABLE } or { file: PATH }. Save it, then store the value on its page."
        }
        Kind::Model => "price: per million tokens; without one, its calls count as unpriced",
        Kind::Binding => {
            "lane: http:HOST, claude-pty, claude-print or codex · adapter: anthropic, openai or responses (for hosts)"
        }
        Kind::Policy => "models: [a, b], or all: true · budget: { amount: 50, per: month }",
        Kind::User => {
            "passwordHash: an argon2id hash, as the form makes it of a password; passwordEnv names a variable instead"
        }
    }
}

pub(super) fn skeleton(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => {
            "kind: Host\nmetadata: { name: NAME }\nspec:\n  url: \"https://api.example.com\"\n  network: public\n"
        }
        Kind::HostKey => {
            "kind: HostKey\nmetadata: { name: NAME }\nspec:\n  host: HOST\n  value: { secret: NAME }\n"
        }
        Kind::Model => {
            "kind: Model\nmetadata: { name: NAME }\nspec:\n  aliases: []\n  price: { currency: USD, input: 2.5, output: 10 }\n"
        }
        Kind::Binding => {
            "kind: Binding\nmetadata: { name: NAME }\nspec:\n  model: MODEL\n  lane: \"http:HOST\"\n  adapter: openai\n  upstreamName: NAME\n  order: 1\n"
        }
        Kind::Policy => {
            "kind: Policy\nmetadata: { name: NAME }\nspec:\n  models: []\n  limits: { requestsPerMinute: 600, concurrent: 16 }\n"
        }
        Kind::User => {
            "kind: User\nmetadata: { name: NAME }\nspec:\n  role: viewer\n  passwordEnv: VARIABLE\n"
        }
    }
}
