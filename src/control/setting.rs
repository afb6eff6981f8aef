//! Settings: what is in force and where it was written, and changes of what may be changed while the relay runs.

use super::Plane;
use super::ask::Ask;
use super::audit::Change;
use super::etag;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::system;
use crate::sync::lock;
use hyper::StatusCode;
use hyper::header;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::io;

/// The configuration in force, and what changes some of it.
pub(crate) trait SettingsBook: Send + Sync {
    /// Every value, in the manual's order.
    fn told(&self) -> Vec<Setting>;

    /// Checks these values as a start would, keeps them and puts them in force; or only checks them. `null` takes a change
    /// back. It blocks. Every value as it is then.
    ///
    /// # Errors
    /// Where nothing was changed.
    fn change(
        &self,
        wanted: &Map<String, Value>,
        is_dry: bool,
    ) -> Result<Vec<Setting>, SettingFault>;
}

/// A value of the configuration. None is a secret: whoever makes it leaves those out.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Where it was written, such as a file with its line.
    pub(crate) source: String,
    pub(crate) note: Option<&'static str>,
    /// A change of it is in force at once; of others it is after the next start.
    pub(crate) is_live: bool,
    /// It stands in a place that wins over a change here.
    pub(crate) is_fixed: bool,
}

/// Why nothing was changed.
#[derive(Debug)]
pub(crate) enum SettingFault {
    Refused(Vec<SettingProblem>),
    Unwritable(io::Error),
}

/// What is wrong with one of the values.
#[derive(Debug)]
pub(crate) struct SettingProblem {
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) is_fixed: bool,
}

impl Setting {
    /// Whether it can be changed here.
    pub(super) fn is_open(&self) -> bool {
        self.is_live && !self.is_fixed
    }

    fn json(&self) -> Value {
        json!({
            "key": self.key,
            "value": self.value,
            "source": self.source,
            "note": self.note,
            "editable": self.is_open(),
            "in_force": if self.is_live { "at once" } else { "after the next start" },
        })
    }
}

/// Everything, with the tag that a change may name.
pub(super) fn show(plane: &Plane) -> Reply {
    tagged(plane, &plane.rooms.settings.told())
}

/// `{"store.retention": "14d", "policy.default": null}`.
pub(super) fn patch(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    let wanted = body
        .as_object()
        .ok_or_else(|| Problem::invalid("This takes an object of keys and their values."))?;
    let told = change(plane, ask, wanted)?;
    Ok(tagged(plane, &told))
}

/// Changes settings, where the tag that was sent allows it, and tells the audit log.
///
/// # Errors
/// What is wrong, key by key; then nothing was changed.
pub(super) fn change(
    plane: &Plane,
    ask: &Ask,
    wanted: &Map<String, Value>,
) -> Result<Vec<Setting>, Problem> {
    let _one = lock(&plane.writing);
    let book = &plane.rooms.settings;
    let before = book.told();
    let field = ask.field("etag").filter(|tag| !tag.is_empty());
    let if_match = ask.tags("if-match");
    let if_match = if_match.as_deref().or(field.as_deref());
    etag::matches(&tag(&before), if_match).map_err(Problem::changed_meanwhile)?;
    is_known(plane, wanted)?;
    let is_dry = ask.switch("dry_run");
    let after = tokio::task::block_in_place(|| book.change(wanted, is_dry)).map_err(problem)?;
    if !is_dry {
        let changes = wanted.keys().map(|key| Change {
            actor: ask.actor.name().to_owned(),
            action: "update",
            kind: "setting".to_owned(),
            name: key.clone(),
            before: value(&before, key),
            after: value(&after, key),
        });
        plane.audit.tell_all(changes);
    }
    Ok(after)
}

/// A policy that there is not would grant nothing: whoever names one has mistyped.
fn is_known(plane: &Plane, wanted: &Map<String, Value>) -> Result<(), Problem> {
    let Some(name) = wanted.get(DEFAULT_POLICY).and_then(Value::as_str) else {
        return Ok(());
    };
    if plane.rooms.catalog.snapshot().policy(name).is_some() {
        return Ok(());
    }
    let problem = SettingProblem {
        key: DEFAULT_POLICY.to_owned(),
        message: format!("there is no policy \"{name}\""),
        is_fixed: false,
    };
    Err(refused(&[problem]))
}

fn problem(fault: SettingFault) -> Problem {
    match fault {
        SettingFault::Refused(problems) => refused(&problems),
        SettingFault::Unwritable(error) => Problem::internal(error),
    }
}

fn refused(problems: &[SettingProblem]) -> Problem {
    let error = |problem: &SettingProblem| {
        json!({
            "field": problem.key,
            "code": if problem.is_fixed { "setting_fixed" } else { "invalid" },
            "message": format!("{}: {}", problem.key, problem.message),
        })
    };
    let is_fixed = problems.iter().all(|problem| problem.is_fixed);
    let (status, code) = match is_fixed {
        true => (StatusCode::CONFLICT, "setting_fixed"),
        false => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
    };
    Problem {
        errors: problems.iter().map(error).collect(),
        ..Problem::new(status, code, "Nothing was changed.")
    }
}

/// A value as the audit log has it; a secret stands there as it is shown.
fn value(settings: &[Setting], key: &str) -> Value {
    let found = settings.iter().find(|setting| setting.key == key);
    found.map_or(Value::Null, |setting| setting.value.clone())
}

/// The tag of everything that can be changed.
pub(super) fn tag(settings: &[Setting]) -> String {
    let live = settings.iter().filter(|setting| setting.is_live);
    let text: Vec<String> = live.map(|setting| setting.json().to_string()).collect();
    etag::of_text(&text.join("\n"))
}

fn tagged(plane: &Plane, settings: &[Setting]) -> Reply {
    let mut told = system::settings(plane);
    told["values"] = settings.iter().map(Setting::json).collect();
    let tag = tag(settings);
    told["etag"] = tag.clone().into();
    let mut reply = reply::data(&told);
    reply::set(&mut reply, header::ETAG, &tag);
    reply
}

pub(super) const DEFAULT_POLICY: &str = "policy.default";
