//! From an older version of a file to this one's. `[pure]`
//!
//! A file of ours is a JSON object with its `version`. Step N lifts version N to N + 1, so a file of any age goes
//! through the steps that it lacks, one after the other, and is written back by the next change.

use serde_json::Value;

/// Lifts a file's content by one version.
pub(super) type Step = fn(Value) -> Value;

/// Why a file cannot be lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unliftable {
    /// It does not say which version it has.
    Unversioned,
    /// A newer relay wrote it.
    Newer(u64),
}

/// Lifts a file's content to the version after the last step. The first version is 1.
pub(super) fn lift(mut content: Value, steps: &[Step]) -> Result<Value, Unliftable> {
    let version = content.get("version").and_then(Value::as_u64);
    let version = version.filter(|version| *version > 0);
    let version = version.ok_or(Unliftable::Unversioned)?;
    let passed = usize::try_from(version - 1).unwrap_or(usize::MAX);
    if passed > steps.len() {
        return Err(Unliftable::Newer(version));
    }
    for (place, step) in steps.iter().enumerate().skip(passed) {
        content = step(content);
        content["version"] = (place + 2).into();
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STEPS: &[Step] = &[
        |mut content| {
            content["two"] = true.into();
            content
        },
        |mut content| {
            content["three"] = content["two"].clone();
            content
        },
    ];

    #[test]
    fn a_file_goes_through_the_steps_that_it_lacks() {
        assert_eq!(
            lift(json!({"version": 1}), STEPS),
            Ok(json!({"version": 3, "two": true, "three": true}))
        );
        assert_eq!(
            lift(json!({"version": 2, "two": 5}), STEPS),
            Ok(json!({"version": 3, "two": 5, "three": 5}))
        );
        assert_eq!(
            lift(json!({"version": 3}), STEPS),
            Ok(json!({"version": 3}))
        );
    }

    #[test]
    fn a_newer_file_and_one_without_a_version_are_left_alone() {
        assert_eq!(
            lift(json!({"version": 4}), STEPS),
            Err(Unliftable::Newer(4))
        );
        for content in [
            json!({}),
            json!({"version": 0}),
            json!([]),
            json!({"version": "1"}),
        ] {
            assert_eq!(lift(content, STEPS), Err(Unliftable::Unversioned));
        }
    }
}
