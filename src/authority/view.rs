//! How the licence stands, and that in the words that clients know. `[pure]`

use crate::license::Denial;
use crate::license::Terms;
use crate::license::Verdict;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// How the licence stands.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// An authority and a key for it are configured.
    pub(crate) is_configured: bool,
    pub(crate) terms: Option<Terms>,
    pub(crate) verdict: Verdict,
    pub(crate) grace: Duration,
    pub(crate) expires_at: Option<u64>,
    pub(crate) refreshed_at: Option<u64>,
    pub(crate) problem: Option<String>,
    pub(crate) top_up_url: Option<String>,
}

impl View {
    /// What `GET /v1/license` says; `None`: there is no authority.
    pub(crate) fn told(view: Option<&View>) -> Value {
        view.map_or_else(open, View::json)
    }

    /// The verdict in a word: `valid`, `grace`, `invalid`, `cap_exceeded` or `unverified`.
    pub(crate) fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Good => "valid",
            Verdict::Grace { .. } => "grace",
            Verdict::Denied(Denial::Invalid(_)) => "invalid",
            Verdict::Denied(Denial::CapExceeded { .. }) => "cap_exceeded",
            Verdict::Denied(Denial::Unverified(_)) => "unverified",
        }
    }

    fn json(&self) -> Value {
        let until = match self.verdict {
            Verdict::Grace { until } => Some(until * 1000),
            Verdict::Good | Verdict::Denied(_) => None,
        };
        json!({
            "configured": self.is_configured,
            "license": self.terms,
            "refreshedAt": self.refreshed_at,
            "status": self.word(),
            "expiresAt": self.expires_at,
            "grace": { "seconds": self.grace.as_secs(), "until": until },
            "problem": self.problem,
            "topUpUrl": self.top_up_url,
        })
    }
}

fn open() -> Value {
    json!({
        "configured": false,
        "license": {
            "valid": true, "tier": "open", "features": [], "usageThisMonth": 0, "usageCap": null,
            "capExceeded": false, "lastCapChange": 0, "topUpGrants": 0,
        },
        "refreshedAt": null,
        "status": "open",
    })
}
