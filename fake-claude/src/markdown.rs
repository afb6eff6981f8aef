//! Markdown as the screen shows it: the marks are gone, the lines are wrapped.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::wrap;
use crate::look::Prose;
use crate::table::laid_out;

/// The lines of a text, no wider than `columns`; tab stops are counted from `offset` columns to the left.
pub(crate) fn render(text: &str, columns: usize, offset: usize, prose: Prose) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut fenced = false;
    let mut ruled = false;
    let mut table: Vec<Vec<String>> = Vec::new();
    for source in text.trim_end_matches('\n').split('\n') {
        let source = expand(source.trim_end_matches('\r'), offset);
        if source.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if let Some(row) = row(&source).filter(|_| !fenced) {
            table.push(row);
            continue;
        }
        lines.extend(laid_out(&std::mem::take(&mut table), columns, prose));
        if std::mem::take(&mut ruled) && source.is_empty() {
            continue;
        }
        ruled = !fenced && source == "---" && !prose.rule_stands_apart;
        let line = match fenced {
            true => Line::of(Style::Plain, &source),
            false => block(&source, prose),
        };
        lines.extend(wrap(&line, columns));
    }
    lines.extend(laid_out(&table, columns, prose));
    lines
}

/// The cells of a line of a table; `None` where it is none.
fn row(source: &str) -> Option<Vec<String>> {
    let inner = source.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect(),
    )
}

/// Tabs as blanks, for a text that begins `offset` columns behind a tab stop.
pub(crate) fn expand(text: &str, offset: usize) -> String {
    let mut out = String::new();
    let mut column = offset;
    for letter in text.chars() {
        match letter {
            '\t' => {
                let blanks = TAB - column % TAB;
                out.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            _ => {
                out.push(letter);
                column += 1;
            }
        }
    }
    out
}

fn block(source: &str, prose: Prose) -> Line {
    let bare = source.trim_start_matches('#');
    let level = source.len() - bare.len();
    if (1..=6).contains(&level) && bare.starts_with(' ') {
        return Line::of(Style::Bold, bare.trim_start());
    }
    let trimmed = source.trim_start();
    if let Some(quoted) = trimmed.strip_prefix('>') {
        let mut line = Line::of(Style::Grey, prose.quote);
        line.cells.extend(inline(quoted.trim_start(), prose).cells);
        return line;
    }
    if let Some(item) = trimmed
        .strip_prefix("* ")
        .or_else(|| trimmed.strip_prefix("+ "))
    {
        let indent = &source[..source.len() - trimmed.len()];
        return inline(&format!("{indent}- {item}"), prose);
    }
    inline(source, prose)
}

/// `**bold**`, `*italic*` and `` `code` `` lose their marks.
pub(crate) fn inline(source: &str, prose: Prose) -> Line {
    let source = linked(source, prose);
    let mut line = Line::default();
    let mut rest = source.as_str();
    while let Some((before, mark, inner, after)) = next_span(rest) {
        let style = if mark == "`" {
            Style::Blue
        } else {
            Style::Bold
        };
        line = line.and(Style::Plain, before).and(style, inner);
        rest = after;
    }
    line.and(Style::Plain, rest)
}

/// `[text](address)` as `text (address)`, or as the address.
fn linked(source: &str, prose: Prose) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some((before, text, address, after)) = next_link(rest) {
        out.push_str(&match prose.named_links {
            true => format!("{before}{text} ({address})"),
            false => format!("{before}{address}"),
        });
        rest = after;
    }
    out + rest
}

fn next_link(source: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, rest) = source.split_once('[')?;
    let (text, rest) = rest.split_once("](")?;
    let (address, after) = rest.split_once(')')?;
    Some((before, text, address, after))
}

fn next_span(text: &str) -> Option<(&str, &'static str, &str, &str)> {
    let spans = MARKS.iter().filter_map(|mark| {
        let begin = text.find(mark)?;
        let inside = &text[begin + mark.len()..];
        let length = inside.find(mark).filter(|length| *length > 0)?;
        let inner = &inside[..length];
        let tight = !inner.starts_with(' ') && !inner.ends_with(' ');
        tight.then(|| {
            (
                begin,
                (&text[..begin], *mark, inner, &inside[length + mark.len()..]),
            )
        })
    });
    spans.min_by_key(|(begin, _)| *begin).map(|(_, span)| span)
}

/// Columns between two tab stops.
const TAB: usize = 8;
const MARKS: [&str; 3] = ["**", "`", "*"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Dialect;

    fn texts(text: &str) -> Vec<String> {
        let lines = render(text, 40, 0, Dialect::of("2.1.329").prose);
        lines.iter().map(Line::text).collect()
    }

    #[test]
    fn marks_are_gone() {
        assert_eq!(
            texts("Hi **there**.\n\n# Head\n* item `x`\n```sh\na*b*\n```\n"),
            ["Hi there.", "", "Head", "- item x", "a*b*"]
        );
        assert_eq!(texts("a\tb"), ["a       b"]);
        assert_eq!(texts("2 * 3 * 4"), ["2 * 3 * 4"]);
        assert_eq!(texts("> q\n[l](http://x)"), ["▎ q", "l (http://x)"]);
    }

    #[test]
    fn a_table_is_laid_out_anew() {
        assert_eq!(
            texts("| a | **b** |\n|---|:-:|\n| 1 | 漢字 |\nend"),
            [
                "┌─────┬──────┐",
                "│ a   │  b   │",
                "├─────┼──────┤",
                "│ 1   │ 漢字 │",
                "└─────┴──────┘",
                "end"
            ]
        );
    }
}
