//! A row's form: filled with what the row says, or with what was typed, each field with what is wrong with it.

use super::super::Plane;
use super::super::ask::Ask;
use super::super::form;
use super::super::form::FieldSpec;
use super::super::form::Input;
use super::super::reply::Problem;
use super::frame::Link;
use super::frame::link;
use crate::catalog::Kind;
use serde_json::Value;

/// A form as it is shown.
#[derive(Default)]
pub(super) struct FormView {
    /// The name of a new row; a row that is there keeps its own.
    pub(super) name: Option<FieldView>,
    pub(super) groups: Vec<GroupView>,
    pub(super) is_enabled: bool,
}

pub(super) struct GroupView {
    pub(super) legend: &'static str,
    pub(super) fields: Vec<FieldView>,
}

pub(super) struct FieldView {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    pub(super) is_secret: bool,
    pub(super) is_must: bool,
    pub(super) is_number: bool,
    /// What there is to choose from; with `is_open` also something else.
    pub(super) options: Vec<Link>,
    pub(super) is_open: bool,
    pub(super) error: String,
}

impl FieldView {
    /// The hint and the error, as whoever does not see them is told.
    pub(super) fn described(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let error = (!self.error.is_empty()).then(|| format!("{}-error", self.id));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

impl FormView {
    /// Of a new row: what the query says is filled in already.
    pub(super) fn fresh(plane: &Plane, ask: &Ask, kind: Kind) -> FormView {
        let value = |path: &str| match ask.query(path) {
            Some(text) => text.to_owned(),
            None => form::shown(path, &Value::Null),
        };
        view(plane, kind, true, &value, None)
    }

    /// Of a row that is there.
    pub(super) fn of_row(plane: &Plane, kind: Kind, spec: &Value, is_enabled: bool) -> FormView {
        FormView {
            is_enabled,
            ..view(plane, kind, false, &|path| form::shown(path, spec), None)
        }
    }

    /// As it was typed, with what is wrong with it.
    pub(super) fn typed(plane: &Plane, ask: &Ask, kind: Kind, problem: &Problem) -> FormView {
        let value = |path: &str| ask.field(path).unwrap_or_default();
        FormView {
            is_enabled: value("enabled") == "true",
            ..view(plane, kind, ask.name().is_empty(), &value, Some(problem))
        }
    }

    /// Everything that is wrong with a field, with where that is.
    pub(super) fn wrong(&self) -> Vec<Link> {
        let fields = self.groups.iter().flat_map(|group| &group.fields);
        let fields = self.name.iter().chain(fields);
        let wrong = fields.filter(|field| !field.error.is_empty());
        wrong
            .map(|field| {
                let words = format!("{}: {}", field.label, field.error);
                link(&format!("#{}", field.id), &words, false)
            })
            .collect()
    }
}

fn view(
    plane: &Plane,
    kind: Kind,
    is_new: bool,
    value: &dyn Fn(&str) -> String,
    problem: Option<&Problem>,
) -> FormView {
    let show = |spec: &FieldSpec| field(plane, spec, value(spec.path), problem);
    let groups = form::groups(kind, is_new).map(|group| GroupView {
        legend: group.legend,
        fields: group.fields.iter().map(show).collect(),
    });
    let name = NAME;
    FormView {
        name: is_new.then(|| FieldView {
            is_must: kind != Kind::Binding,
            hint: match kind {
                Kind::Model => "As callers ask for it.",
                Kind::Binding => "Made of the model and the lane where empty.",
                _ => name.hint,
            },
            ..show(&name)
        }),
        groups: groups.collect(),
        is_enabled: true,
    }
}

fn field(plane: &Plane, spec: &FieldSpec, value: String, problem: Option<&Problem>) -> FieldView {
    let (options, is_open) = options(plane, spec.input, &value);
    FieldView {
        id: format!("f-{}", spec.path.replace('.', "-")),
        name: spec.path,
        label: spec.label,
        hint: spec.hint,
        is_secret: spec.input == Input::Secret,
        is_must: spec.is_must,
        is_number: spec.input == Input::Number,
        options,
        is_open,
        error: problem.map_or_else(String::new, |problem| error(spec.path, problem)),
        value: if spec.input == Input::Secret {
            String::new()
        } else {
            value
        },
    }
}

/// What there is to choose from, and whether something else may be written.
fn options(plane: &Plane, input: Input, value: &str) -> (Vec<Link>, bool) {
    let snapshot = plane.rooms.catalog.snapshot();
    let named = |names: Vec<String>| {
        names
            .iter()
            .map(|name| link(name, name, name == value))
            .collect()
    };
    let hosts = || snapshot.hosts().map(|host| host.name.to_string());
    let (options, is_open): (Vec<Link>, bool) = match input {
        Input::Text | Input::Number | Input::List | Input::Secret => return (Vec::new(), true),
        Input::Choice(words) => {
            let word = |(word, text): &(&str, &str)| link(word, text, *word == value);
            return (words.iter().map(word).collect(), false);
        }
        Input::Row(Kind::Host) => (named(hosts().take(OPTIONS_MAX).collect()), false),
        Input::Row(_) => {
            let models = snapshot.models().map(|model| model.name.to_string());
            (named(models.take(OPTIONS_MAX).collect()), true)
        }
        Input::Lane => {
            let lanes = hosts().map(|host| format!("http:{host}"));
            let own = ["claude-pty", "claude-print", "codex"].map(str::to_owned);
            (named(lanes.take(OPTIONS_MAX).chain(own).collect()), false)
        }
    };
    // One that is not there (any more) stays as it is, and a list that is too long is none.
    let is_known = value.is_empty() || options.iter().any(|option| option.is_here);
    let is_whole = is_known && !options.is_empty() && options.len() < OPTIONS_MAX;
    (options, is_open || !is_whole)
}

/// What is wrong with one field.
fn error(path: &str, problem: &Problem) -> String {
    let is_it = |field: &str| match path {
        "name" => matches!(field, "metadata" | "metadata.name" | "name"),
        "source" | "place" => field == "spec.value",
        "grant" => field == "spec.all",
        path => field == path || field.strip_prefix("spec.") == Some(path),
    };
    let found = problem
        .errors
        .iter()
        .filter(|error| error["field"].as_str().is_some_and(is_it));
    let words = found.filter_map(|error| {
        let text = error["message"].as_str()?;
        let field = error["field"].as_str()?;
        let rest = text.strip_prefix(field).unwrap_or(text);
        Some(rest.trim_start_matches(':').trim().to_owned())
    });
    words.collect::<Vec<_>>().join("; ")
}

const NAME: FieldSpec = FieldSpec {
    path: "name",
    label: "Name",
    hint: "Letters, digits, dots, dashes.",
    input: Input::Text,
    is_must: true,
};
/// Rows that a list to choose from has; of more the name is written.
const OPTIONS_MAX: usize = 200;
