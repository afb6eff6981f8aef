//! How much a model is to think, which each family of models takes in its own way.

use super::label::Labels;
use crate::turn::Fault;
use crate::turn::Sampling;
use crate::wire::field::Path;
use crate::wire::field::unexpected_tag;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What a caller says of thinking.
#[derive(Debug, Default)]
pub(super) struct Wish<'a> {
    pub(super) effort: Option<&'a str>,
    /// It wants to read along, whatever the effort.
    pub(super) summary: bool,
    /// The model must call a tool, before which it cannot think.
    pub(super) is_forced: bool,
}

/// How a model is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// By a word, and it thinks as much as it finds right.
    Adaptive,
    /// By a word; it thinks within a budget.
    Worded,
    /// By a budget alone.
    Budgeted,
    /// It does not think.
    Plain,
}

/// Puts the wish into the parameters; `at` is the path of the effort, `max` that of the answer's length.
pub(super) fn apply(
    wish: &Wish<'_>,
    model: &str,
    sampling: &mut Sampling,
    at: &Path<'_>,
    max: &str,
    labels: &mut Labels,
) -> Result<(), Fault> {
    let Some(budget) = budget(wish.effort, at)? else {
        if wish.effort.is_some() {
            labels.emulate(at); // "none": to think is what must be asked for.
        } else if wish.summary {
            think(family(model), 8192, wish, sampling, at, max, labels);
        }
        return Ok(());
    };
    let family = family(model);
    if let (Family::Adaptive | Family::Worded, Some(said)) = (family, wish.effort) {
        let word = word(said, model);
        if word != said {
            labels.emulate(at);
        }
        let mut config = Map::new();
        config.insert("effort".into(), word.into());
        merge(sampling, config);
    }
    think(family, budget, wish, sampling, at, max, labels);
    Ok(())
}

/// Has the model think, and takes away what cannot stand beside that.
fn think(
    family: Family,
    budget: u64,
    wish: &Wish<'_>,
    sampling: &mut Sampling,
    at: &Path<'_>,
    max: &str,
    labels: &mut Labels,
) {
    if family == Family::Plain || (wish.is_forced && family == Family::Budgeted) {
        return labels.ignore(at);
    }
    if wish.is_forced {
        return;
    }
    sampling.thinking = Some(match family {
        // Newer models tell nothing of their thoughts unless they are asked to.
        Family::Adaptive if wish.summary => {
            json!({"type": "adaptive", "display": "summarized"})
        }
        Family::Adaptive => json!({"type": "adaptive"}),
        Family::Worded | Family::Budgeted | Family::Plain => {
            if let Some(tokens) = &mut sampling.max_tokens {
                *tokens = tokens.saturating_add(budget);
                labels.emulate(max);
            }
            json!({"type": "enabled", "budget_tokens": budget})
        }
    });
    if family == Family::Budgeted {
        labels.emulate(at);
    }
    if sampling.temperature.take().is_some() {
        labels.ignore("temperature");
    }
    if sampling.top_p.is_some_and(|share| share < TOP_P_MIN) {
        sampling.top_p = None;
        labels.ignore("top_p");
    }
}

/// Puts more into `output_config`.
pub(super) fn merge(sampling: &mut Sampling, more: Map<String, Value>) {
    let config = sampling.verbatim.entry("output_config");
    match config.or_insert_with(|| json!({})) {
        Value::Object(fields) => fields.extend(more),
        other => *other = more.into(),
    }
}

/// Tokens of thought for an effort; `None` where there is to be none.
fn budget(effort: Option<&str>, at: &Path<'_>) -> Result<Option<u64>, Fault> {
    Ok(Some(match effort {
        None | Some("none") => return Ok(None),
        Some("minimal") => 1024,
        Some("low") => 2048,
        Some("medium") => 8192,
        Some("high") => 16_384,
        Some("xhigh" | "max") => 24_576,
        Some(other) => {
            let known = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
            return Err(at.wrong(unexpected_tag(other, &known).replace(" using 'type'", "")));
        }
    }))
}

/// The word for an effort that a model knows.
fn word<'a>(said: &'a str, model: &str) -> &'a str {
    let is_older = ["-4-5", "-4-6"].iter().any(|mark| model.contains(mark));
    match said {
        "minimal" => "low",
        "xhigh" if is_older => "high",
        other => other,
    }
}

/// A name that is not known is taken for a newer one.
fn family(model: &str) -> Family {
    let has = |marks: &[&str]| marks.iter().any(|mark| model.contains(mark));
    if has(&[
        "claude-2",
        "claude-3-5",
        "claude-3-opus",
        "claude-3-sonnet",
        "claude-3-haiku",
        "claude-instant",
    ]) {
        Family::Plain
    } else if has(&["opus-4-5"]) {
        Family::Worded
    } else if has(&[
        "claude-3-7",
        "sonnet-4-5",
        "haiku-4-5",
        "-4-1",
        "-4-0",
        "opus-4-2025",
        "sonnet-4-2025",
    ]) {
        Family::Budgeted
    } else {
        Family::Adaptive
    }
}

/// What the API takes beside thinking.
const TOP_P_MIN: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(effort: Option<&str>, model: &str, is_forced: bool) -> (Sampling, Labels) {
        wished(effort, model, is_forced, false)
    }

    fn wished(
        effort: Option<&str>,
        model: &str,
        is_forced: bool,
        summary: bool,
    ) -> (Sampling, Labels) {
        let mut sampling = Sampling {
            max_tokens: Some(100),
            temperature: Some(0.5),
            ..Sampling::default()
        };
        let mut labels = Labels::default();
        let wish = Wish {
            effort,
            summary,
            is_forced,
        };
        let at = Path::Root.field("reasoning_effort");
        apply(&wish, model, &mut sampling, &at, "max_tokens", &mut labels)
            .expect("the effort is known");
        (sampling, labels)
    }

    #[test]
    fn a_newer_model_is_told_by_a_word_and_an_older_one_by_a_budget_on_top() {
        let (sampling, labels) = applied(Some("low"), "claude-opus-4-8", false);
        assert_eq!(sampling.verbatim["output_config"]["effort"], "low");
        assert_eq!(sampling.thinking, Some(json!({"type": "adaptive"})));
        assert_eq!(sampling.max_tokens, Some(100));
        assert_eq!(
            (labels.emulated.len(), labels.ignored),
            (0, vec!["temperature".into()])
        );
        let (sampling, labels) = applied(Some("medium"), "claude-sonnet-4-5-20250929", false);
        assert_eq!(sampling.max_tokens, Some(8292));
        assert_eq!(
            sampling.thinking,
            Some(json!({"type": "enabled", "budget_tokens": 8192}))
        );
        assert_eq!(labels.emulated, ["max_tokens", "reasoning_effort"]);
    }

    #[test]
    fn a_newer_model_that_is_to_be_read_along_is_asked_for_its_thoughts() {
        let told = |effort, model, summary| wished(effort, model, false, summary).0.thinking;
        let shown = json!({"type": "adaptive", "display": "summarized"});
        for effort in [None, Some("low")] {
            assert_eq!(told(effort, "claude-opus-4-8", true), Some(shown.clone()));
        }
        let plain = told(Some("low"), "claude-opus-4-8", false);
        assert_eq!(plain, Some(json!({"type": "adaptive"})));
        let older = told(Some("medium"), "claude-sonnet-4-5-20250929", true);
        assert_eq!(
            older,
            Some(json!({"type": "enabled", "budget_tokens": 8192}))
        );
        assert_eq!(told(Some("none"), "claude-opus-4-8", true), None);
    }

    #[test]
    fn none_asks_for_no_thought_and_a_forced_call_leaves_no_room_for_any() {
        let (sampling, labels) = applied(Some("none"), "m", false);
        assert_eq!((sampling.thinking, sampling.temperature), (None, Some(0.5)));
        assert_eq!(labels.emulated, ["reasoning_effort"]);
        let (sampling, labels) = applied(Some("high"), "claude-opus-4-8", true);
        assert_eq!(sampling.thinking, None);
        assert_eq!(sampling.verbatim["output_config"]["effort"], "high");
        assert!(labels.ignored.is_empty());
        let (_, labels) = applied(Some("high"), "claude-3-5-haiku", false);
        assert_eq!(labels.ignored, ["reasoning_effort"]);
    }

    #[test]
    fn a_word_that_a_model_does_not_know_is_replaced_and_told() {
        let (sampling, labels) = applied(Some("minimal"), "m", false);
        assert_eq!(sampling.verbatim["output_config"]["effort"], "low");
        assert_eq!(labels.emulated, ["reasoning_effort"]);
        assert_eq!(word("xhigh", "claude-opus-4-6"), "high");
        assert_eq!(word("xhigh", "claude-opus-4-8"), "xhigh");
    }
}
