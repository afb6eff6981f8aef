//! Markdown as the screen shows it: the marks are gone, the lines are wrapped.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::wrap;

/// The lines of a text, no wider than `columns`; tab stops are counted from `offset` columns to the left.
pub(crate) fn render(text: &str, columns: usize, offset: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for source in text.trim_end_matches('\n').split('\n') {
        let source = expand(source.trim_end_matches('\r'), offset);
        if source.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = match fenced {
            true => Line::of(Style::Plain, &source),
            false => block(&source),
        };
        lines.extend(wrap(&line, columns));
    }
    lines
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

fn block(source: &str) -> Line {
    let bare = source.trim_start_matches('#');
    let level = source.len() - bare.len();
    if (1..=6).contains(&level) && bare.starts_with(' ') {
        return Line::of(Style::Bold, bare.trim_start());
    }
    let trimmed = source.trim_start();
    if let Some(item) = trimmed
        .strip_prefix("* ")
        .or_else(|| trimmed.strip_prefix("+ "))
    {
        let indent = &source[..source.len() - trimmed.len()];
        return inline(&format!("{indent}- {item}"));
    }
    inline(source)
}

/// `**bold**`, `*italic*` and `` `code` `` lose their marks.
fn inline(source: &str) -> Line {
    let mut line = Line::default();
    let mut rest = source;
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

    fn texts(text: &str) -> Vec<String> {
        let lines = render(text, 40, 0);
        lines
            .iter()
            .map(|line| {
                line.trimmed()
                    .iter()
                    .map(|cell| cell.text.as_str())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn marks_are_gone() {
        assert_eq!(
            texts("Hi **there**.\n\n# Head\n* item `x`\n```sh\na*b*\n```\n"),
            ["Hi there.", "", "Head", "- item x", "a*b*"]
        );
        assert_eq!(texts("a\tb"), ["a       b"]);
        assert_eq!(texts("2 * 3 * 4"), ["2 * 3 * 4"]);
    }
}
