//! Who the CLI is logged in as, as it tells. `[pure]`

use serde_json::Value;

/// The login of a CLI. No token is in it: the relay never sees one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Account {
    /// The CLI did not say.
    #[default]
    Unknown,
    /// Its provider asks for none.
    NotNeeded,
    /// Its provider asks for one, and there is none.
    LoggedOut,
    LoggedIn {
        /// `chatgpt`, `apiKey`, …
        kind: String,
        email: Option<String>,
        plan: Option<String>,
    },
}

impl Account {
    /// Out of the answer to `account/read`; `None` where that was refused.
    pub(super) fn read(answer: Option<&Value>) -> Account {
        let Some(answer) = answer else {
            return Account::Unknown;
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let account = &answer["account"];
        match (account.is_object(), answer["requiresOpenaiAuth"].as_bool()) {
            (true, _) => Account::LoggedIn {
                kind: text(&account["type"]).unwrap_or_default(),
                email: text(&account["email"]),
                plan: text(&account["planType"]),
            },
            (false, Some(true)) => Account::LoggedOut,
            (false, Some(false)) => Account::NotNeeded,
            (false, None) => Account::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_login_is_there_or_is_missing_or_is_not_asked_for() {
        let read = |answer: Value| Account::read(Some(&answer));
        assert_eq!(
            read(json!({"account": null, "requiresOpenaiAuth": true})),
            Account::LoggedOut
        );
        assert_eq!(
            read(json!({"account": null, "requiresOpenaiAuth": false})),
            Account::NotNeeded
        );
        let account = json!({"type": "chatgpt", "email": "a@example.com", "planType": "plus"});
        assert_eq!(
            read(json!({"account": account, "requiresOpenaiAuth": true})),
            Account::LoggedIn {
                kind: "chatgpt".into(),
                email: Some("a@example.com".into()),
                plan: Some("plus".into())
            }
        );
        assert_eq!(Account::read(None), Account::Unknown);
    }
}
