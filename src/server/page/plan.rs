//! The plan behind a CLI, in one line. `[pure]`

use super::html::span;
use serde_json::Value;

/// The version and the login of what a lane tells of itself, and how its plan's windows stand; `None` where it tells of
/// no login. `now` is in milliseconds since 1970.
pub(super) fn line(about: &Value, now: u64) -> Option<String> {
    let login = about["login"].as_str()?;
    let version = about["version"].as_str().unwrap_or("not started yet");
    let plan = about["plan"].as_str().map(|plan| format!(" ({plan})"));
    let windows = ["primary", "secondary"].map(|name| window(&about["windows"][name], now));
    let login = format!("{login}{}", plan.unwrap_or_default());
    let parts = [Some(version.to_owned()), Some(login)].into_iter();
    Some(
        parts
            .chain(windows)
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
    )
}

fn window(window: &Value, now: u64) -> Option<String> {
    let used = window["used_percent"].as_f64()?;
    let reset =
        window["resets_at"]
            .as_u64()
            .map(|at| match at.saturating_mul(1000).saturating_sub(now) {
                0 => ", over by now".to_owned(),
                wait => format!(", begins anew in {}", span(wait)),
            });
    Some(format!("{used:.0} % used{}", reset.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_tells_its_windows_and_when_they_begin_anew() {
        let window = |used, at: Option<u64>| json!({"used_percent": used, "resets_at": at});
        let about = json!({"version": "0.171.0", "login": "logged in", "plan": "plus",
            "windows": {"primary": window(99.6, Some(3700)), "secondary": window(5.0, None)}});
        assert_eq!(
            line(&about, 100_000).as_deref(),
            Some("0.171.0; logged in (plus); 100 % used, begins anew in 1 h 0 min; 5 % used")
        );
        let new = json!({"version": null, "login": "unknown", "plan": null, "windows": {"primary": null}});
        assert_eq!(line(&new, 0).as_deref(), Some("not started yet; unknown"));
        assert_eq!(line(&Value::Null, 0), None);
    }
}
