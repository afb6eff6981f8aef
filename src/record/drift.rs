//! How two observations of one case differ, and which capability of the relay each difference touches. `[pure]`

use super::observe::Aspect;
use super::observe::Item;
use super::observe::Observation;
use std::collections::BTreeMap;

/// One difference between what was and what is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) aspect: Aspect,
    /// What kind of thing changed: a checkpoint's name, a hook's, a record's.
    pub(crate) head: String,
    pub(crate) kind: Kind,
    /// The field, without the place in a list; empty where the whole thing came or went.
    pub(crate) field: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Gone,
    Come,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.kind {
            Kind::Gone => '-',
            Kind::Come => '+',
        };
        let (aspect, head, field) = (self.aspect.word(), &self.head, &self.field);
        if field.is_empty() {
            write!(f, "{aspect}: {sign} {head}")
        } else {
            write!(f, "{aspect}: {head}: {sign} {field}")
        }
    }
}

/// What changed from `was` to `is`, in the order in which it is seen.
pub(crate) fn changes(was: &Observation, is: &Observation) -> Vec<Change> {
    let aspects = Aspect::ALL.into_iter();
    let found = aspects.flat_map(|aspect| items(&was.of_aspect(aspect), &is.of_aspect(aspect)));
    found.collect()
}

fn items(was: &[&Item], is: &[&Item]) -> Vec<Change> {
    let whole = |item: &Item, kind| Change {
        aspect: item.aspect,
        head: item.head.clone(),
        kind,
        field: String::new(),
    };
    let steps = align(was, is, |a, b| a.head == b.head);
    let found = steps.into_iter().flat_map(|step| match step {
        Step::Gone(item) => vec![whole(item, Kind::Gone)],
        Step::Come(item) => vec![whole(item, Kind::Come)],
        Step::Same(a, b) => fields(a, b),
    });
    found.collect()
}

fn fields(was: &Item, is: &Item) -> Vec<Change> {
    let change = |field: &str, kind| Change {
        aspect: is.aspect,
        head: is.head.clone(),
        kind,
        field: field.to_owned(),
    };
    // Rows are drawn in an order; fields of a record have none that means anything.
    if matches!(is.aspect, Aspect::Frames | Aspect::Timeline) {
        let (was, is): (Vec<&String>, Vec<&String>) =
            (was.fields.iter().collect(), is.fields.iter().collect());
        let steps = align(&was, &is, |a, b| a == b);
        let found = steps.into_iter().filter_map(|step| match step {
            Step::Gone(row) => Some(change(row, Kind::Gone)),
            Step::Come(row) => Some(change(row, Kind::Come)),
            Step::Same(..) => None,
        });
        return found.collect();
    }
    let gone = was.fields.iter().filter(|field| !is.fields.contains(field));
    let come = is.fields.iter().filter(|field| !was.fields.contains(field));
    let gone = gone.map(|field| change(field, Kind::Gone));
    gone.chain(come.map(|field| change(field, Kind::Come)))
        .collect()
}

/// One step of an alignment.
enum Step<'a, T> {
    Same(&'a T, &'a T),
    Gone(&'a T),
    Come(&'a T),
}

/// Aligns two lists along their longest common part.
fn align<'a, T: Copy>(was: &'a [T], is: &'a [T], same: impl Fn(T, T) -> bool) -> Vec<Step<'a, T>> {
    // common[a][b]: how much is common from a and b on.
    let mut common = vec![vec![0_usize; is.len() + 1]; was.len() + 1];
    for (a, old) in was.iter().enumerate().rev() {
        for (b, new) in is.iter().enumerate().rev() {
            common[a][b] = if same(*old, *new) {
                common[a + 1][b + 1] + 1
            } else {
                common[a + 1][b].max(common[a][b + 1])
            };
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut steps = Vec::new();
    while let (Some(old), Some(new)) = (was.get(a), is.get(b)) {
        if same(*old, *new) {
            steps.push(Step::Same(old, new));
            (a, b) = (a + 1, b + 1);
        } else if common[a + 1][b] >= common[a][b + 1] {
            steps.push(Step::Gone(old));
            a += 1;
        } else {
            steps.push(Step::Come(new));
            b += 1;
        }
    }
    steps.extend(was[a..].iter().map(Step::Gone));
    steps.extend(is[b..].iter().map(Step::Come));
    steps
}

/// The changes of many cases, each once, with the cases that show it.
pub(crate) fn gather(found: &[(String, Vec<Change>)]) -> BTreeMap<Change, Vec<String>> {
    let mut gathered: BTreeMap<Change, Vec<String>> = BTreeMap::new();
    for (case, changes) in found {
        for change in changes {
            let cases = gathered.entry(change.clone()).or_default();
            if !cases.contains(case) {
                cases.push(case.clone());
            }
        }
    }
    gathered
}

/// What of the relay a change touches, so that its reader knows where to look.
pub(crate) fn capability(change: &Change, case: &str) -> &'static str {
    let said = |word: &str| change.head.contains(word) || change.field.contains(word);
    match change.aspect {
        Aspect::Timeline if said("exit") => "launch",
        Aspect::Timeline => "the case itself",
        Aspect::Frames => "looks",
        Aspect::Scenes if case.starts_with("dialog") || case.starts_with("login") => "dialogs",
        Aspect::Scenes if case.starts_with("interrupted") => "interruption",
        Aspect::Scenes => "state of the prompt box",
        Aspect::Hooks => match change.head.as_str() {
            "MessageDisplay" => "exact text, streaming",
            "UserPromptSubmit" => "verified delivery",
            "Stop" => "end of a turn",
            "StopFailure" => "errors",
            "SessionEnd" => "resume and isolation",
            _ => "tools",
        },
        Aspect::Transcript if said("usage") => "usage",
        Aspect::Transcript if said("apiError") || said("isApiErrorMessage") => "errors",
        Aspect::Transcript if said("turn_duration") => "end of a turn",
        Aspect::Transcript if said("tool") => "tools",
        Aspect::Transcript if change.head.starts_with("assistant") => "exact text, usage",
        Aspect::Transcript if change.head.starts_with("user") => "resume and isolation",
        Aspect::Transcript => "records that nothing reads",
        Aspect::Requests if said("/mcp") || said("tools") => "tools",
        Aspect::Requests if said("messages") && case.starts_with("resume") => {
            "resume and isolation"
        }
        Aspect::Requests if said("messages[") => "exact delivery",
        Aspect::Requests => "shape of requests",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An item's head and its fields.
    type Plain<'a> = (&'a str, &'a [&'a str]);

    fn seen(aspect: Aspect, items: &[Plain<'_>]) -> Observation {
        let item = |(head, fields): &Plain<'_>| Item {
            aspect,
            head: (*head).to_owned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        Observation {
            items: items.iter().map(item).collect(),
        }
    }

    fn told(aspect: Aspect, was: &[Plain<'_>], is: &[Plain<'_>]) -> Vec<String> {
        let changes = changes(&seen(aspect, was), &seen(aspect, is));
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_came_and_went_is_told_in_its_place() {
        let was: &[Plain<'_>] = &[("A", &["x: 1"]), ("B", &[]), ("C", &[])];
        let is: &[Plain<'_>] = &[("A", &["x: 2"]), ("C", &[]), ("D", &[])];
        assert_eq!(
            told(Aspect::Hooks, was, is),
            [
                "hooks: A: - x: 1",
                "hooks: A: + x: 2",
                "hooks: - B",
                "hooks: + D"
            ]
        );
        assert_eq!(told(Aspect::Hooks, was, was), Vec::<String>::new());
    }

    #[test]
    fn the_order_of_rows_matters_and_that_of_fields_does_not() {
        let (was, is): (&[Plain<'_>], &[Plain<'_>]) =
            (&[("a", &["1", "2"])], &[("a", &["2", "1"])]);
        assert_eq!(told(Aspect::Transcript, was, is), Vec::<String>::new());
        assert_eq!(told(Aspect::Frames, was, is).len(), 2);
    }

    #[test]
    fn a_change_names_what_it_touches() {
        let change = |aspect, head: &str, field: &str| Change {
            aspect,
            head: head.to_owned(),
            kind: Kind::Gone,
            field: field.to_owned(),
        };
        let touched = |aspect, head, field| capability(&change(aspect, head, field), "short");
        assert_eq!(
            touched(Aspect::Hooks, "MessageDisplay", ""),
            "exact text, streaming"
        );
        assert_eq!(
            touched(
                Aspect::Transcript,
                "assistant text",
                "message.usage.input_tokens: 1"
            ),
            "usage"
        );
        assert_eq!(touched(Aspect::Frames, "done", "✻"), "looks");
    }
}
