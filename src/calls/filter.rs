//! Which of the recorded calls are asked for. `[pure]`

use serde_json::Value;

/// A question to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// `429`, or `4xx`.
    status: Option<String>,
    code: Option<String>,
    model: Option<String>,
    /// RFC 3339, in UTC; such stamps are in the order of their times.
    since: Option<String>,
    /// Only what came with this key.
    key: Option<String>,
    /// Calls that are told.
    pub(crate) limit: usize,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            status: None,
            code: None,
            model: None,
            since: None,
            key: None,
            limit: LIMIT_DEFAULT,
        }
    }
}

impl Filter {
    /// Reads the query of a URL as it stands there. `since` makes a stamp of a time or of a span before now.
    ///
    /// # Errors
    /// Says what is wrong, beginning with the parameter's name.
    pub(crate) fn read(
        query: &str,
        since: impl Fn(&str) -> Option<String>,
    ) -> Result<Filter, String> {
        let mut filter = Filter::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value);
            match name {
                "status" if is_status(&value) => filter.status = Some(value),
                "status" => {
                    return Err("status: give one, such as 429, or a class, such as 4xx".into());
                }
                "code" => filter.code = Some(value),
                "model" => filter.model = Some(value),
                "since" => {
                    let told =
                        "since: give a time, such as 2026-01-31T12:00:00Z, or a span, such as 10m";
                    filter.since = Some(since(&value).ok_or(told)?);
                }
                "limit" => {
                    let limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    filter.limit =
                        limit.ok_or(format!("limit: give a number from 1 to {LIMIT_MAX}"))?;
                }
                _ => {
                    return Err(
                        "query: the parameters are status, code, model, since and limit".into(),
                    );
                }
            }
        }
        Ok(filter)
    }

    /// The same question, about what came with one key.
    pub(crate) fn of_key(self, key: Option<&str>) -> Filter {
        Filter {
            key: key.map(str::to_owned),
            ..self
        }
    }

    pub(super) fn lets(&self, entry: &Value) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| entry[name].as_str() == Some(wanted))
        };
        let status = entry["status"].as_u64().unwrap_or(0).to_string();
        let has_status =
            self.status
                .as_deref()
                .is_none_or(|wanted| match wanted.strip_suffix("xx") {
                    Some(class) => status.starts_with(class),
                    None => status == wanted,
                });
        let since = self.since.as_deref().unwrap_or_default();
        let at = entry["at"].as_str().unwrap_or_default();
        has_status
            && is("code", &self.code)
            && is("model", &self.model)
            && is("key", &self.key)
            && at >= since
    }
}

fn is_status(value: &str) -> bool {
    let class = value.strip_suffix("xx").filter(|class| class.len() == 1);
    let digits = class.unwrap_or(value);
    let is_whole = class.is_some() || value.len() == 3;
    is_whole && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Percent signs taken apart, and a plus for a blank; what is no text becomes a sign that stands for none.
pub(crate) fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

const LIMIT_DEFAULT: usize = 100;
/// As many as there are.
const LIMIT_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(query: &str) -> Result<Filter, String> {
        Filter::read(query, |text| (text != "x").then(|| text.to_owned()))
    }

    #[test]
    fn a_filter_lets_through_what_it_names() {
        let entry = json!({"status": 429, "code": "usage_limit", "model": "m 1", "at": "2026-02-01T00:00:00.000Z"});
        for (query, lets) in [
            ("", true),
            ("status=429&code=usage_limit", true),
            ("status=4xx&model=m%201", true),
            ("model=m+1&limit=5", true),
            ("status=5xx", false),
            ("status=42", false),
            ("code=queue_full", false),
            ("since=2026-01-31", true),
            ("since=2026-02-02", false),
        ] {
            let told = read(query).map(|filter| filter.lets(&entry));
            assert_eq!(told.unwrap_or(false), lets, "{query}");
        }
    }

    #[test]
    fn a_wrong_question_is_told_by_its_parameter() {
        for query in [
            "status=9000",
            "status=big",
            "limit=0",
            "limit=1001",
            "since=x",
            "colour=red",
        ] {
            let told = read(query).expect_err("it is wrong");
            let name = query.split('=').next().unwrap_or_default();
            assert!(
                told.starts_with(name) || told.starts_with("query"),
                "{told}"
            );
        }
    }
}
