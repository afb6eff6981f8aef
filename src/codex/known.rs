//! What the CLI has told of itself and of its plan so far. `[pure]`

use super::account::Account;
use super::limits::Limits;
use super::limits::Window;
use serde_json::Value;
use serde_json::json;

/// What is known; nothing is before the first process was started.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    pub(super) version: Option<String>,
    pub(super) account: Account,
    pub(super) limits: Limits,
}

impl Known {
    /// As the relay tells it. Whose login it is, is not told.
    pub(super) fn told(&self) -> Value {
        let (login, plan) = match &self.account {
            Account::Unknown => ("unknown", None),
            Account::NotNeeded => ("not needed", None),
            Account::LoggedOut => ("logged out", None),
            Account::LoggedIn { plan, .. } => ("logged in", plan.as_deref()),
        };
        let window = |window: &Window| json!({"used_percent": window.used_percent, "resets_at": window.resets_at});
        json!({
            "version": self.version, "login": login, "plan": plan,
            "windows": {
                "primary": self.limits.primary.as_ref().map(window),
                "secondary": self.limits.secondary.as_ref().map(window),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_without_whose_it_is() {
        let account = json!({"type": "chatgpt", "email": "user@example.com", "planType": "plus"});
        let told = json!({"account": account, "requiresOpenaiAuth": true});
        let mut known = Known {
            account: Account::read(Some(&told)),
            ..Known::default()
        };
        known
            .limits
            .take(&json!({"rateLimits": {"primary": {"usedPercent": 40, "resetsAt": 90}}}));
        let told = known.told();
        assert_eq!(
            (&told["login"], &told["plan"]),
            (&json!("logged in"), &json!("plus"))
        );
        assert_eq!(
            told["windows"]["primary"],
            json!({"used_percent": 40.0, "resets_at": 90})
        );
        assert!(!told.to_string().contains("example.com"));
    }
}
