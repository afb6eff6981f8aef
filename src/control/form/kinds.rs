//! The fields of each kind's form. `[pure]`

use super::FieldSpec;
use super::GroupSpec;
use super::Input;
use crate::catalog::Kind;

/// What every row of a kind has.
pub(super) fn common(kind: Kind) -> &'static [GroupSpec] {
    match kind {
        Kind::Host => HOST,
        Kind::HostKey => HOST_KEY,
        Kind::Model => MODEL,
        Kind::Binding => BINDING,
        Kind::Policy => POLICY,
        Kind::User => USER,
    }
}

/// What is asked for with a new row only.
pub(super) fn fresh(kind: Kind) -> &'static [GroupSpec] {
    match kind {
        Kind::Host => FIRST_KEY,
        Kind::HostKey => VALUE,
        Kind::User => PASSWORD,
        Kind::Model | Kind::Binding | Kind::Policy => &[],
    }
}

/// What is asked for with a row that is there already only.
pub(super) fn changed(kind: Kind) -> &'static [GroupSpec] {
    match kind {
        Kind::User => NEW_PASSWORD,
        Kind::Host | Kind::HostKey | Kind::Model | Kind::Binding | Kind::Policy => &[],
    }
}

const fn field(
    path: &'static str,
    label: &'static str,
    hint: &'static str,
    input: Input,
) -> FieldSpec {
    FieldSpec {
        path,
        label,
        hint,
        input,
        is_must: false,
    }
}

const fn must(spec: FieldSpec) -> FieldSpec {
    FieldSpec {
        is_must: true,
        ..spec
    }
}

const fn secret(path: &'static str, label: &'static str, hint: &'static str) -> FieldSpec {
    field(path, label, hint, Input::Secret)
}

const fn number(path: &'static str, label: &'static str) -> FieldSpec {
    field(path, label, "", Input::Number)
}

const HOST: &[GroupSpec] = &[GroupSpec {
    legend: "Host",
    fields: &[
        must(field(
            "url",
            "Address",
            "Such as https://api.example.com; without /v1 at its end.",
            Input::Text,
        )),
        field(
            "network",
            "Network",
            "Private: on this machine or in your own network, and http is allowed.",
            Input::Choice(&[("public", "public"), ("private", "private")]),
        ),
        field(
            "auth",
            "How the key is shown",
            "",
            Input::Choice(&[
                ("adapter", "as the binding's adapter does"),
                ("bearer", "Authorization: Bearer"),
                ("x-api-key", "x-api-key"),
                ("none", "no key is needed"),
            ]),
        ),
    ],
}];

const HOST_KEY: &[GroupSpec] = &[
    GroupSpec {
        legend: "Host key",
        fields: &[
            must(field("host", "Host", "", Input::Row(Kind::Host))),
            field(
                "source",
                "Where its value stands",
                "",
                Input::Choice(&[
                    ("secret", "stored here, sealed"),
                    ("env", "in a variable of the relay's environment"),
                    ("file", "in a file"),
                ]),
            ),
            field(
                "place",
                "Name of the variable, or path of the file",
                "Empty where it is stored here.",
                Input::Text,
            ),
        ],
    },
    GroupSpec {
        legend: "Among the keys of its host",
        fields: &[
            number("order", "Order (lower first)"),
            number("weight", "Weight"),
            number("limits.requestsPerMinute", "Requests a minute"),
            number("limits.tokensPerMinute", "Tokens a minute"),
            number("limits.concurrent", "Calls at once"),
        ],
    },
];

const MODEL: &[GroupSpec] = &[
    GroupSpec {
        legend: "Model",
        fields: &[field(
            "aliases",
            "Aliases",
            "Other names that callers may use, with commas between them.",
            Input::List,
        )],
    },
    GroupSpec {
        legend: "Price of a million tokens",
        fields: &[
            field(
                "price.currency",
                "Currency",
                "USD where empty.",
                Input::Text,
            ),
            number("price.input", "Input"),
            number("price.output", "Output"),
            number("price.cacheRead", "Cache read"),
            number("price.cacheWrite", "Cache write"),
        ],
    },
];

const BINDING: &[GroupSpec] = &[
    GroupSpec {
        legend: "Binding",
        fields: &[
            must(field("model", "Model", "", Input::Row(Kind::Model))),
            must(field("lane", "Lane", "", Input::Lane)),
            field(
                "adapter",
                "Adapter",
                "What the host speaks; lanes of this machine have none.",
                Input::Choice(&[
                    ("", "none"),
                    ("anthropic", "anthropic (Messages)"),
                    ("openai", "openai (Chat Completions)"),
                    ("responses", "responses (OpenAI Responses)"),
                ]),
            ),
            field(
                "upstreamName",
                "Name of the model there",
                "The model's own where empty.",
                Input::Text,
            ),
        ],
    },
    GroupSpec {
        legend: "Among the bindings of its model",
        fields: &[
            number("order", "Order (lower first)"),
            number("weight", "Weight"),
        ],
    },
];

const PER: Input = Input::Choice(&[("month", "a month"), ("day", "a day")]);

const POLICY: &[GroupSpec] = &[
    GroupSpec {
        legend: "What it grants",
        fields: &[
            field(
                "grant",
                "Models",
                "",
                Input::Choice(&[("listed", "those listed here"), ("all", "all models")]),
            ),
            field(
                "models",
                "Listed models",
                "With commas between them; none grants none.",
                Input::List,
            ),
            field(
                "lanes",
                "Lanes",
                "Such as http:HOST, codex; every one that a model is bound to where empty.",
                Input::List,
            ),
        ],
    },
    GroupSpec {
        legend: "For all of its keys together",
        fields: &[
            number("limits.requestsPerMinute", "Requests a minute"),
            number("limits.tokensPerMinute", "Tokens a minute"),
            number("limits.concurrent", "Calls at once"),
            number("budget.amount", "Budget"),
            field("budget.per", "Budget for", "", PER),
            field(
                "budget.currency",
                "Currency",
                "USD where empty.",
                Input::Text,
            ),
        ],
    },
    GroupSpec {
        legend: "For each of its keys",
        fields: &[
            number("perKey.limits.requestsPerMinute", "Requests a minute"),
            number("perKey.limits.tokensPerMinute", "Tokens a minute"),
            number("perKey.limits.concurrent", "Calls at once"),
            number("perKey.budget.amount", "Budget"),
            field("perKey.budget.per", "Budget for", "", PER),
            field(
                "perKey.budget.currency",
                "Its currency",
                "USD where empty.",
                Input::Text,
            ),
        ],
    },
];

const USER: &[GroupSpec] = &[GroupSpec {
    legend: "User",
    fields: &[field(
        "role",
        "Role",
        "",
        Input::Choice(&[
            ("viewer", "viewer: looks at everything"),
            ("operator", "operator: changes everything but users"),
            ("admin", "admin: changes everything"),
        ]),
    )],
}];

const FIRST_KEY: &[GroupSpec] = &[GroupSpec {
    legend: "Its first key",
    fields: &[secret(
        "key",
        "Key of the host",
        "Stored sealed and never shown again, as a host key of the host's name. Leave it empty to add keys later.",
    )],
}];

const VALUE: &[GroupSpec] = &[GroupSpec {
    legend: "Value",
    fields: &[secret(
        "key",
        "Value",
        "Only where it is stored here: sealed, and never shown again.",
    )],
}];

const PASSWORD: &[GroupSpec] = &[GroupSpec {
    legend: "Password",
    fields: &[secret(
        "password",
        "Password",
        "10 characters or more. Only a hash of it is kept; tell it to the user yourself.",
    )],
}];

const NEW_PASSWORD: &[GroupSpec] = &[GroupSpec {
    legend: "New password",
    fields: &[secret(
        "password",
        "New password",
        "10 characters or more; empty: it stays. A new one ends the user's sessions.",
    )],
}];
