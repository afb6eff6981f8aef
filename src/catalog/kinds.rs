//! What can be written about each kind of row, for whoever writes one. `[pure]`

use super::kind::Kind;

/// The page of all kinds, in Markdown.
pub(crate) const PAGE: &str = include_str!("kinds.md");

/// What the page says of one kind, from its heading on.
pub(crate) fn section(kind: Kind) -> &'static str {
    let heading = format!("## {}\n", kind.name());
    let begin = PAGE.find(&heading).unwrap_or_default();
    let section = PAGE.get(begin..).unwrap_or_default();
    let end = section.get(2..).and_then(|rest| rest.find("\n## "));
    section
        .get(..end.map_or(section.len(), |end| end + 3))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::document::read_text;
    use super::super::problem::Location;
    use super::*;
    use std::collections::BTreeSet;

    fn example(kind: Kind) -> &'static str {
        let section = section(kind);
        let begin = section.find("```yaml\n").expect("there is an example") + 8;
        let end = section[begin..].find("```").expect("it ends");
        &section[begin..begin + end]
    }

    /// The fields that a map takes, as the reader says where it is given one that is none.
    fn known(text: &str) -> Vec<String> {
        let problems = read_text(text, &Location::default()).problems;
        let told = problems
            .iter()
            .find_map(|problem| problem.message.split_once("; there are "));
        let (field, names) = told.expect("it is no field");
        let path = field
            .trim_start_matches("unknown field \"spec.")
            .split("zzzzzzzz")
            .next();
        let path = path.unwrap_or_default();
        names
            .split(", ")
            .map(|name| format!("{path}{name}"))
            .collect()
    }

    /// All fields of a kind, those of the maps within written with dots.
    fn fields(kind: Kind) -> BTreeSet<String> {
        let text = example(kind);
        let outer = known(&text.replacen("spec:\n", "spec:\n  zzzzzzzz: 1\n", 1));
        let inner = text.match_indices(": { ").filter(|(at, _)| {
            let line = text[..*at].rsplit('\n').next().unwrap_or_default();
            !line.starts_with("metadata") && !line.contains("headers") && !line.contains("value")
        });
        let inner: Vec<String> = inner
            .flat_map(|(at, _)| {
                known(&format!(
                    "{}: {{ zzzzzzzz: 1, {}",
                    &text[..at],
                    &text[at + 4..]
                ))
            })
            .collect();
        let has_inner = |name: &String| {
            inner
                .iter()
                .any(|field| field.starts_with(&format!("{name}.")))
        };
        let plain = outer
            .into_iter()
            .filter(|name| !has_inner(name) && name != "enabled");
        let once: BTreeSet<String> = plain.collect();
        once.into_iter().chain(inner).collect()
    }

    #[test]
    fn every_example_is_a_row_without_a_fault() {
        for kind in Kind::ALL {
            let read = read_text(example(kind), &Location::default());
            assert_eq!(read.problems, [], "{}", kind.name());
            assert_eq!(read.documents[0].kind(), kind);
        }
    }

    #[test]
    fn the_page_has_every_field_of_every_kind_and_no_other() {
        for kind in Kind::ALL {
            let rows = section(kind)
                .lines()
                .filter_map(|line| line.strip_prefix("| `"));
            let cells = rows.filter_map(|row| row.split(" | ").next());
            let told: BTreeSet<String> = cells
                .flat_map(|cell| cell.split("`, `"))
                .map(|name| name.trim_end_matches('`').to_owned())
                .collect();
            let known = fields(kind);
            let of_share = |name: &&String| {
                !name.starts_with("perKey.limits.") && !name.starts_with("perKey.budget.")
            };
            let known: BTreeSet<String> = known.iter().filter(of_share).cloned().collect();
            assert_eq!(told, known, "{}", kind.name());
        }
    }

    #[test]
    fn a_section_is_of_one_kind() {
        let section = section(Kind::HostKey);
        assert!(section.starts_with("## HostKey\n") && section.contains("`weight`"));
        assert!(!section.contains("## Model"));
    }
}
