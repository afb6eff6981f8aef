//! `GET /v1/route`: where a plain call would go, and why nowhere else. The operator's alone.

use super::Api;
use super::breaker::operator;
use super::frame::Refusal;
use super::status::json;
use crate::auth::Caller;
use crate::calls::decoded;
use crate::lane::Dialect;
use crate::lane::LaneWant;
use crate::routing::CandidateView;
use crate::routing::KeyView;
use crate::routing::LimitView;
use crate::routing::Reason;
use crate::routing::RouteExplanation;
use crate::routing::RouteQuestion;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::KeyId;
use crate::turn::LaneId;
use crate::wire::contract;
use axum::Extension;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

pub(super) async fn explain(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    operator(&caller)?;
    let told = api.explained(query.as_deref().unwrap_or_default());
    Ok(json(&told.ok_or_else(wrong)?))
}

impl Api {
    /// Tells where a plain call would go, to a question that is written as a query; `None` where that is wrong.
    pub(crate) fn explained(&self, query: &str) -> Option<Value> {
        let question = question(query)?;
        let told = self.explain(&question);
        Some(told.map_or(Value::Null, |told| told_json(&question, &told)))
    }
}

/// The question as it stands in the address.
fn question(query: &str) -> Option<RouteQuestion> {
    let mut question = RouteQuestion {
        model: String::new(),
        policy: None,
        want: LaneWant::Any,
        dialect: Dialect::Anthropic,
        key: None,
        body_bytes: PLAIN_BODY_BYTES,
    };
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=')?;
        match (name, decoded(value).as_str()) {
            ("model", model) => model.clone_into(&mut question.model),
            ("policy", policy) => question.policy = Some(policy.into()),
            ("lane", lane) => question.want = LaneWant::Only(LaneId::new(lane)),
            ("key_id", id) => question.key = Some(KeyId(id.to_owned())),
            ("bytes", bytes) => question.body_bytes = bytes.parse().ok()?,
            ("dialect", "messages") => question.dialect = Dialect::Anthropic,
            ("dialect", "chat") => question.dialect = Dialect::Chat,
            ("dialect", "responses") => question.dialect = Dialect::Responses,
            _ => return None,
        }
    }
    (!question.model.is_empty()).then_some(question)
}

fn wrong() -> Fault {
    let public = "query: give model, and where wanted policy, key_id, lane, dialect (messages, chat or responses), and bytes of the call.";
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

fn told_json(question: &RouteQuestion, told: &RouteExplanation) -> Value {
    let refusal = told.refusal.as_ref().map(|fault| {
        let row = contract::row(&fault.kind);
        serde_json::json!({
            "code": row.code,
            "status": contract::http(&fault.kind).status,
            "message": fault.public,
            "next": row.next,
            "retry_after_s": fault.retry_after.map(|wait| wait.as_secs_f64().ceil()),
        })
    });
    serde_json::json!({
        "asked": question.model,
        "model": told.model,
        "policy": question.policy.as_deref(),
        "served": told.refusal.is_none(),
        "refusal": refusal,
        "candidates": told.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "limits": told.limits.iter().map(LimitView::json).collect::<Vec<_>>(),
    })
}

fn candidate(view: &CandidateView) -> Value {
    serde_json::json!({
        "lane": view.lane,
        "binding": view.binding,
        "order": view.order,
        "upstream_name": view.upstream_name,
        "adapter": view.adapter,
        "passes": view.passes,
        "step": view.step,
        "reason": view.reason.as_ref().map(reason),
        "keys": view.keys.iter().map(key).collect::<Vec<_>>(),
    })
}

fn key(view: &KeyView) -> Value {
    serde_json::json!({ "name": view.name, "usable": view.is_usable(), "reason": view.reason.as_ref().map(reason) })
}

fn reason(reason: &Reason) -> Value {
    serde_json::json!({
        "code": reason.code,
        "why": reason.why,
        "next": reason.next,
        "wait_s": reason.wait.map(|wait| wait.as_secs_f64().ceil()),
    })
}

/// Bytes of a call that says one word: what is reserved for it goes by them.
const PLAIN_BODY_BYTES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_and_a_wrong_one_is_not() {
        let read =
            question("model=a%20b&policy=team&lane=http:one&dialect=chat").expect("it is one");
        assert_eq!((read.model.as_str(), read.dialect), ("a b", Dialect::Chat));
        assert_eq!(read.want, LaneWant::Only(LaneId::new("http:one")));
        for wrong in [
            "",
            "policy=team",
            "model=m&dialect=latin",
            "model=m&colour=red",
            "model=m&bytes=many",
            "model",
        ] {
            assert!(question(wrong).is_none(), "{wrong}");
        }
    }
}
