//! `GET /v1/capabilities`: what becomes of each field of a call, in a column for each lane that there is.
//!
//! The table of the Messages API tells of the claude lanes, and is there without a daemon. What stands in a column of this
//! answer is the lane's own word: it is asked of a call with that field what it would do with it, as it is asked of every
//! call before any work.

use super::Api;
use super::status;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Original;
use crate::lane::TreatedBy;
use crate::lane::Treatment;
use crate::sync::lock;
use crate::turn::Fault;
use crate::turn::Timeline;
use crate::wire::anthropic::capability::ROWS;
use crate::wire::anthropic::capability::Row;
use crate::wire::anthropic::capability::Standing;
use crate::wire::anthropic::capability::VERSIONS;
use crate::wire::anthropic::request;
use crate::wire::anthropic::request::Version;
use crate::wire::anthropic::sample;
use crate::wire::capability;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;

/// `GET /v1/capabilities`.
pub(super) async fn capabilities(State(api): State<Api>) -> Response {
    let lanes: Value = api.lanes().iter().map(status::lane).collect();
    let by = api.treated_by();
    let known = api.capabilities.known(&by);
    let worked_out = match known {
        Some(known) => Ok(known),
        // Every field is asked of every lane, which takes a while where there are many hosts.
        None => {
            let api = api.clone();
            let work = move || api.capabilities.or_work_out(by, || document(&api));
            tokio::task::spawn_blocking(work).await
        }
    };
    let mut document = match worked_out {
        Ok(document) => (*document).clone(),
        // It panicked, which is told already.
        Err(_) => capability::document(),
    };
    document["lanes"] = lanes;
    status::json(&document)
}

/// The document as it was worked out last. It is the same until the lanes are others.
#[derive(Clone, Default)]
pub(super) struct KnownCapabilities {
    known: Arc<Mutex<Option<Known>>>,
    /// Held by the one that works it out: of many that ask at once, the others wait for it.
    working: Arc<Mutex<()>>,
}

type Known = (TreatedBy, Arc<Value>);

impl KnownCapabilities {
    fn known(&self, by: &TreatedBy) -> Option<Arc<Value>> {
        let known = lock(&self.known);
        let (of, document) = known.as_ref()?;
        (of == by).then(|| Arc::clone(document))
    }

    /// It blocks for as long as that takes.
    fn or_work_out(&self, by: TreatedBy, work: impl FnOnce() -> Value) -> Arc<Value> {
        let _one = lock(&self.working);
        if let Some(known) = self.known(&by) {
            return known;
        }
        let document = Arc::new(work());
        let mut known = lock(&self.known);
        *known = Some((by, Arc::clone(&document)));
        document
    }
}

fn document(api: &Api) -> Value {
    let mut document = capability::document();
    for (version, name) in VERSIONS.into_iter().enumerate() {
        let plain = sample(PLAIN, version);
        let calls = ROWS.iter().map(|row| sample(row.field, version));
        let calls: Vec<Call> = std::iter::once(plain).chain(calls).collect();
        for (lane, treatments) in api.treatments(&calls) {
            let Some((plain, treatments)) = treatments.split_first() else {
                continue;
            };
            for (at, (row, treatment)) in ROWS.iter().zip(treatments).enumerate() {
                let told = &mut document["fields"][at][lane.name()][name];
                let standing = standing(row, version, treatment, plain);
                // A host with several adapters is told by the one that does the least.
                if !is_worse(told.as_str(), standing) {
                    *told = standing.name().into();
                }
            }
        }
    }
    document
}

/// A call with this field, as its caller wrote it.
fn sample(field: &str, version: usize) -> Call {
    let version = match version {
        0 => Version::V2023_06_01,
        _ => Version::V2026_10_21,
    };
    let original = Original {
        dialect: Dialect::Anthropic,
        query: None,
        headers: HeaderMap::new(),
        body: sample::of(field).to_string().into(),
        model_at: None,
    };
    let read = move |original: &Original| -> Result<_, Fault> {
        request::call(&original.body, version).map(|call| call.request)
    };
    let mut call = Call::written(
        (MODEL, false),
        Arc::new(original),
        Timeline::default(),
        read,
    );
    call.strict = true;
    call
}

/// What the treatment of a call with a field says of the field; `plain` is that of a call without it.
fn standing(row: &Row, version: usize, treatment: &Treatment, plain: &Treatment) -> Standing {
    let told = if version == 0 { row.old } else { row.new };
    match treatment {
        Treatment::Passed => Standing::Honoured,
        Treatment::Refused(_) => Standing::Rejected,
        Treatment::Taken { emulated, ignored } => {
            let (before, without) = match plain {
                Treatment::Taken { emulated, ignored } => (&emulated[..], &ignored[..]),
                Treatment::Passed | Treatment::Refused(_) => (&[][..], &[][..]),
            };
            if names(row.field, ignored, without) {
                Standing::Ignored
            } else if names(row.field, emulated, before) {
                Standing::Emulated
            } else if told == Standing::Moot {
                Standing::Moot
            } else {
                Standing::Honoured
            }
        }
    }
}

/// Whether a path is there for the sake of this field: by its name, or because it is not there without the field.
fn names(field: &str, paths: &[String], without: &[String]) -> bool {
    paths
        .iter()
        .any(|path| path == field || !without.contains(path))
}

/// Whether what is told already is worse.
fn is_worse(told: Option<&str>, standing: Standing) -> bool {
    let place = |name: &str| ORDER.iter().position(|standing| standing.name() == name);
    told.and_then(place) > place(standing.name())
}

/// From the best to the worst.
const ORDER: [Standing; 5] = [
    Standing::Honoured,
    Standing::Moot,
    Standing::Emulated,
    Standing::Ignored,
    Standing::Rejected,
];
/// The field of a call that asks for nothing more than an answer.
const PLAIN: &str = "messages.*.content.*.text";
/// The model of the samples; no lane looks at its name before it works.
const MODEL: &str = "m";

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(emulated: &[&str], ignored: &[&str]) -> Treatment {
        let owned = |paths: &[&str]| paths.iter().map(ToString::to_string).collect();
        Treatment::Taken {
            emulated: owned(emulated),
            ignored: owned(ignored),
        }
    }

    fn row(field: &str) -> &'static Row {
        let row = ROWS.iter().find(|row| row.field == field);
        row.expect("the table has the field")
    }

    #[test]
    fn a_field_has_the_standing_that_it_alone_makes() {
        let plain = taken(&[], &["max_tokens"]);
        let of = |field: &str, treatment: &Treatment| standing(row(field), 0, treatment, &plain);
        assert_eq!(
            of("temperature", &taken(&[], &["max_tokens"])),
            Standing::Honoured
        );
        assert_eq!(
            of("max_tokens", &taken(&[], &["max_tokens"])),
            Standing::Ignored
        );
        assert_eq!(
            of("system", &taken(&["system"], &["max_tokens"])),
            Standing::Emulated
        );
        assert_eq!(of("metadata", &taken(&[], &["max_tokens"])), Standing::Moot);
        assert_eq!(of("metadata", &Treatment::Passed), Standing::Honoured);
    }

    #[test]
    fn the_document_is_worked_out_once_for_many_questions_and_anew_for_other_lanes() {
        let (known, mut count) = (KnownCapabilities::default(), 0);
        let by = |generation| TreatedBy {
            generation,
            lanes: Vec::new(),
        };
        let mut ask = |generation| {
            let work = || {
                count += 1;
                Value::from(count)
            };
            known.or_work_out(by(generation), work).as_u64()
        };
        let told = [ask(1), ask(1), ask(2), ask(2), ask(1)];
        assert_eq!(told, [Some(1), Some(1), Some(2), Some(2), Some(3)]);
        assert_eq!(known.known(&by(2)), None);
    }

    #[test]
    fn the_worst_of_a_hosts_adapters_is_told() {
        assert!(!is_worse(None, Standing::Honoured));
        assert!(is_worse(Some("ignored"), Standing::Honoured));
        assert!(!is_worse(Some("honoured"), Standing::Ignored));
    }
}
