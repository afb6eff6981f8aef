//! Settings: a form of those that can be changed while the relay runs, and all others with where they are written.

use super::super::Plane;
use super::super::Setting;
use super::super::ask::Ask;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::setting;
use super::super::system;
use super::form::FieldView;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::look::facts;
use super::page_of;
use super::table::Table;
use super::table::plain;
use super::table::spoken;
use crate::catalog::UserRole;
use askama::Template;
use hyper::StatusCode;
use serde_json::Map;
use serde_json::Value;

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings {
    frame: Frame,
    tables: Vec<Table>,
    fields: Vec<FieldView>,
    /// What wins over this page, each with where it stands.
    fixed: Vec<String>,
    /// A webhook is set here, and can be forgotten.
    can_forget: bool,
    problem: String,
    etag: String,
    is_admin: bool,
}

/// The page; with what was typed and what is wrong with it, where something is.
pub(super) fn about(plane: &Plane, ask: &Ask, problem: Option<&Problem>) -> Reply {
    let settings = plane.rooms.settings.told();
    let is_admin = ask.actor.role() == Some(UserRole::Admin);
    let open = |field: &&Field| find(&settings, field.key).is_some_and(Setting::is_open);
    let fields = FIELDS.iter().filter(open).filter(|_| is_admin);
    let fixed = settings.iter().filter(|one| one.is_live && one.is_fixed);
    let is_set = |one: &Setting| one.is_open() && !one.value.is_null();
    let page = Settings {
        frame: Frame::of(ask, "Settings"),
        fields: fields
            .map(|field| field.view(plane, ask, &settings, problem))
            .collect(),
        fixed: fixed
            .map(|one| format!("{} stands at {}", one.key, one.source))
            .collect(),
        can_forget: find(&settings, WEBHOOK).is_some_and(is_set),
        problem: problem.map_or_else(String::new, Problem::told),
        etag: setting::tag(&settings),
        tables: vec![
            facts("This relay", &system::settings(plane)),
            values(&settings),
        ],
        is_admin,
    };
    page_of(
        problem.map_or(StatusCode::OK, |problem| problem.status),
        &page,
    )
}

pub(super) fn save(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let settings = plane.rooms.settings.told();
    let wanted = wanted(ask, &settings);
    match setting::change(plane, ask, &wanted) {
        Ok(_) => Ok(reply::see("/about?done=saved")),
        Err(problem) => Ok(about(plane, ask, Some(&problem))),
    }
}

/// What was typed and is not so already.
fn wanted(ask: &Ask, settings: &[Setting]) -> Map<String, Value> {
    let mut wanted = Map::new();
    for field in FIELDS {
        let Some(typed) = ask.field(field.key) else {
            continue;
        };
        let before = find(settings, field.key).map(|setting| shown(&setting.value));
        let typed = typed.trim();
        let value = match (field.input, typed) {
            (Input::Secret, "") => continue,
            (_, typed) if before.as_deref() == Some(typed) => continue,
            (_, "") => Value::Null,
            (Input::Switch, typed) => Value::Bool(typed == "true"),
            (_, typed) => typed.into(),
        };
        wanted.insert(field.key.to_owned(), value);
    }
    if ask.field("forget").is_some() {
        wanted.insert(WEBHOOK.to_owned(), Value::Null);
    }
    wanted
}

/// A setting as the form asks for it.
struct Field {
    key: &'static str,
    label: &'static str,
    hint: &'static str,
    input: Input,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Text,
    Secret,
    Switch,
    Policy,
    Level,
}

impl Field {
    fn view(
        &self,
        plane: &Plane,
        ask: &Ask,
        settings: &[Setting],
        problem: Option<&Problem>,
    ) -> FieldView {
        let now = find(settings, self.key).map_or(&Value::Null, |setting| &setting.value);
        let typed = problem.and_then(|_| ask.field(self.key));
        let value = typed.unwrap_or_else(|| shown(now));
        let options = self.options(plane, &value);
        FieldView {
            id: format!("f-{}", self.key.replace('.', "-")),
            name: self.key,
            label: self.label,
            hint: self.hint,
            is_secret: self.input == Input::Secret,
            is_must: false,
            is_number: false,
            is_open: options.is_empty(),
            options,
            error: problem.map_or_else(String::new, |problem| wrong(self.key, problem)),
            value: match self.input {
                Input::Secret => String::new(),
                _ => value,
            },
        }
    }

    /// What there is to choose from; a value that is none of it stays one.
    fn options(&self, plane: &Plane, value: &str) -> Vec<Link> {
        let word = |word: &&str| link(word, word, *word == value);
        match self.input {
            Input::Text | Input::Secret => Vec::new(),
            Input::Switch => vec![
                link("false", "no", value != "true"),
                link("true", "yes", value == "true"),
            ],
            Input::Level => ["error", "warn", "info", "debug", "trace"]
                .iter()
                .map(word)
                .collect(),
            Input::Policy => {
                let snapshot = plane.rooms.catalog.snapshot();
                let names = snapshot.policies().map(|policy| policy.name.to_string());
                let mut names: Vec<String> = names.collect();
                if !value.is_empty() && !names.iter().any(|name| name == value) {
                    names.push(value.to_owned());
                }
                let none = link("", "none: whatever there is", value.is_empty());
                let named = names.iter().map(|name| link(name, name, name == value));
                std::iter::once(none).chain(named).collect()
            }
        }
    }
}

fn wrong(key: &str, problem: &Problem) -> String {
    let found = problem.errors.iter().filter(|error| error["field"] == key);
    let words = found.filter_map(|error| {
        let text = error["message"].as_str()?;
        Some(
            text.strip_prefix(key)?
                .trim_start_matches(':')
                .trim()
                .to_owned(),
        )
    });
    words.collect::<Vec<_>>().join("; ")
}

fn find<'a>(settings: &'a [Setting], key: &str) -> Option<&'a Setting> {
    settings.iter().find(|setting| setting.key == key)
}

/// A value as a field has it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn values(settings: &[Setting]) -> Table {
    let row = |setting: &Setting| {
        let value = match (&setting.value, setting.note) {
            (Value::Null, Some(note)) => note.to_owned(),
            (value, _) => spoken(value),
        };
        let when = match (setting.is_live, setting.is_fixed) {
            (true, false) => "at once, above",
            (true, true) | (false, _) => "after the next start",
        };
        vec![
            plain(setting.key.clone()),
            plain(value),
            plain(setting.source.clone()),
            plain(when.to_owned()),
        ]
    };
    Table {
        caption: "The configuration in force",
        heads: vec!["Key", "Value", "Written at", "A change is in force"],
        rows: settings.iter().map(row).collect(),
        empty: "None.",
        ..Table::default()
    }
}

const WEBHOOK: &str = "alerts.webhook";

const FIELDS: &[Field] = &[
    Field {
        key: "store.retention",
        label: "How long records of calls are kept",
        hint: "Such as 30d or 12h; what is older goes with the next write. Sums outlive it.",
        input: Input::Text,
    },
    Field {
        key: setting::DEFAULT_POLICY,
        label: "Policy of keys that name none",
        hint: "In force with the next call of such a key.",
        input: Input::Policy,
    },
    Field {
        key: WEBHOOK,
        label: "Webhook of budgets",
        hint: "An https address, never shown again; empty leaves it as it is.",
        input: Input::Secret,
    },
    Field {
        key: "alerts.private",
        label: "The webhook may be in a private network",
        hint: "And speak plain http.",
        input: Input::Switch,
    },
    Field {
        key: "log.level",
        label: "Level of the log",
        hint: "Texts of prompts and answers are logged at none of them.",
        input: Input::Level,
    },
];
