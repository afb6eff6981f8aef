//! `GET /v1/license` and `POST /v1/license/refresh`: how the licence stands, in the words that clients know.

use super::Api;
use super::status;
use crate::authority::View;
use crate::license::Denial;
use crate::license::Verdict;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use serde_json::json;

pub(super) async fn show(State(api): State<Api>) -> Response {
    status::json(&told(api.keeper.view()))
}

/// Asks the authority, and tells what stands then. An attempt that failed is told as `problem`; whether calls go
/// through is `status`.
pub(super) async fn refresh(State(api): State<Api>) -> Response {
    api.keeper.refresh().await;
    status::json(&told(api.keeper.view()))
}

fn told(view: Option<View>) -> Value {
    let Some(view) = view else {
        return json!({
            "configured": false,
            "license": {
                "valid": true, "tier": "open", "features": [], "usageThisMonth": 0, "usageCap": null,
                "capExceeded": false, "lastCapChange": 0, "topUpGrants": 0,
            },
            "refreshedAt": null,
            "status": "open",
        });
    };
    let until = match view.verdict {
        Verdict::Grace { until } => Some(until * 1000),
        Verdict::Good | Verdict::Denied(_) => None,
    };
    json!({
        "configured": view.is_configured,
        "license": view.terms,
        "refreshedAt": view.refreshed_at,
        "status": word(&view.verdict),
        "expiresAt": view.expires_at,
        "grace": { "seconds": view.grace.as_secs(), "until": until },
        "problem": view.problem,
        "topUpUrl": view.top_up_url,
    })
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "valid",
        Verdict::Grace { .. } => "grace",
        Verdict::Denied(Denial::Invalid(_)) => "invalid",
        Verdict::Denied(Denial::CapExceeded { .. }) => "cap_exceeded",
        Verdict::Denied(Denial::Unverified(_)) => "unverified",
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::Rig;

    #[tokio::test]
    async fn without_an_authority_the_licence_is_open() {
        let rig = Rig::new();
        for (method, path) in [("GET", "/v1/license"), ("POST", "/v1/license/refresh")] {
            let told = rig.bare(method, path).await.json();
            assert_eq!(told["configured"], false);
            assert_eq!(told["license"]["valid"], true);
            assert_eq!(told["status"], "open");
        }
    }
}
