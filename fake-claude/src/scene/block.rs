//! What was said, piece by piece, and the lines of each.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::broken;
use crate::cell::wrap;
use crate::markdown;
use crate::scene::picture::Scene;

/// One piece of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Prompt(String),
    Reply(String),
    /// Thinking, by its seconds.
    Thought(u64),
    /// A line of the CLI's own with a dot before it.
    Notice(String),
    /// A failure: by itself, or behind `⎿`.
    Failure(String),
    Result(String),
    /// The same for a slash command, with plain blanks.
    Answer(String),
    Shell {
        command: String,
        output: String,
    },
    /// Calls of tools, by their servers.
    Tools {
        servers: Vec<String>,
        over: bool,
    },
    /// Calls that were interrupted, by server and tool, and how many never began.
    Unfinished {
        calls: Vec<(String, String)>,
        not_begun: usize,
    },
    /// How long a turn took: the verb, the seconds, the time of day.
    Duration(&'static str, u64, String),
}

impl Scene {
    pub(super) fn block(&self, block: &Block, columns: usize) -> Vec<Line> {
        let text_columns = columns.saturating_sub(2);
        match block {
            Block::Prompt(text) => self.prompt(text, columns),
            Block::Reply(text) => lead(
                dot(),
                markdown::render(text, text_columns, self.tab_offset(), self.dialect.prose),
            ),
            Block::Notice(text) => lead(
                dot(),
                wrapped(text, Style::Plain, columns.saturating_sub(NOTICE_MARGIN)),
            ),
            Block::Failure(text) => self.failure(text, columns),
            Block::Thought(_) if !self.dialect.tells_thinking => Vec::new(),
            Block::Thought(seconds) => {
                let tail = if self.is_new {
                    ""
                } else {
                    " (ctrl+o to expand)"
                };
                vec![Line::of(
                    Style::Grey,
                    &format!("  Thought for {}s{tail}", (*seconds).max(1)),
                )]
            }
            Block::Result(text) => self.result(text, columns),
            Block::Answer(text) => {
                vec![Line::of(Style::Grey, &format!("  ⎿  {text}")).cut(columns)]
            }
            Block::Tools { servers, over } => vec![self.tools(servers, *over)],
            Block::Unfinished { calls, not_begun } => unfinished(calls, *not_begun),
            Block::Shell { command, output } => shell(command, output, columns),
            Block::Duration(..) if !self.dialect.tells_duration => Vec::new(),
            Block::Duration(verb, seconds, wall) => {
                let done = if self.is_new {
                    format!(" · done {wall}")
                } else {
                    String::new()
                };
                vec![Line::of(
                    Style::Grey,
                    &format!("✻ {verb} for {seconds}s{done}"),
                )]
            }
        }
    }

    fn failure(&self, text: &str, columns: usize) -> Vec<Line> {
        let margin = match text.starts_with("API Error") {
            true => NOTICE_MARGIN,
            false => self.dialect.failing.margin,
        };
        let columns = columns.saturating_sub(margin);
        lead(dot(), wrapped(text, Style::Plain, columns))
    }

    /// A text behind `⎿`.
    fn result(&self, text: &str, columns: usize) -> Vec<Line> {
        let (columns, keeps) = (columns.saturating_sub(5), self.dialect.keeps_blanks);
        let lines = text
            .split('\n')
            .flat_map(|line| broken(&Line::of(Style::Grey, line), columns, keeps));
        let leads = std::iter::once("  ⎿ \u{a0}").chain(std::iter::repeat("     "));
        let led = |(lead, line): (&str, Line)| {
            let lead = Line::of(Style::Grey, lead).cells.into_iter();
            let cells = lead.chain(line.cells).collect();
            Line { cells }
        };
        leads.zip(lines).map(led).collect()
    }

    /// `Called relay 2 times`.
    fn tools(&self, servers: &[String], over: bool) -> Line {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for server in servers {
            match counts.iter_mut().find(|(name, _)| name == server) {
                Some((_, count)) => *count += 1,
                None => counts.push((server, 1)),
            }
        }
        let verb = |first: bool| match (over, first) {
            (true, true) => "Called",
            (true, false) => "called",
            (false, true) => "Calling",
            (false, false) => "calling",
        };
        let parts: Vec<String> = counts
            .iter()
            .enumerate()
            .map(|(at, (server, count))| match count {
                1 => format!("{} {server}", verb(at == 0)),
                _ => format!("{} {server} {count} times", verb(at == 0)),
            })
            .collect();
        let dots = if over { "" } else { "…" };
        let tail = if self.is_new {
            ""
        } else {
            " (ctrl+o to expand)"
        };
        Line::of(Style::Grey, &format!("  {}{dots}{tail}", parts.join(", ")))
    }

    fn prompt(&self, text: &str, columns: usize) -> Vec<Line> {
        let parts = text
            .split('\n')
            .map(|part| markdown::expand(part, self.tab_offset()));
        let lines: Vec<Line> = parts
            .flat_map(|part| wrap(&Line::of(Style::Prompt, &part), columns.saturating_sub(3)))
            .collect();
        let mark = Line::of(Style::PromptMark, &format!("{} ", self.dialect.mark));
        let lines = match self.dialect.indents_prompts {
            true => lead(mark, lines),
            false => first(mark, lines),
        };
        lines
            .into_iter()
            .map(|line| line.to(columns, Style::Prompt))
            .collect()
    }
}

impl Block {
    /// Whether it stands right below what is before it.
    pub(super) fn hangs_on(&self) -> bool {
        matches!(self, Block::Result(_) | Block::Answer(_))
    }
}

fn dot() -> Line {
    Line::of(Style::White, "●").and(Style::Plain, " ")
}

/// A text of several lines, none wider than `columns`.
fn wrapped(text: &str, style: Style, columns: usize) -> Vec<Line> {
    let lines = text.split('\n');
    lines
        .flat_map(|line| wrap(&Line::of(style, line), columns))
        .collect()
}

/// `mark` before the first line alone.
fn first(mark: Line, mut lines: Vec<Line>) -> Vec<Line> {
    if let Some(first) = lines.first_mut() {
        first.cells.splice(0..0, mark.cells).for_each(drop);
    }
    lines
}

/// What the newer family says about calls that an interruption stopped.
fn unfinished(calls: &[(String, String)], not_begun: usize) -> Vec<Line> {
    let calls_of = |count: usize| if count == 1 { "call" } else { "calls" };
    let mut told = format!(
        "  No result recorded for {} {}",
        calls.len(),
        calls_of(calls.len())
    );
    if not_begun > 0 {
        told.push_str(&format!(
            ", did not run {not_begun} other {}",
            calls_of(not_begun)
        ));
    }
    let mut lines = vec![Line::of(Style::Grey, &told)];
    if let Some((server, tool)) = calls.first() {
        lines.push(Line::of(
            Style::Grey,
            &format!("  ⎿  {server} - {tool} (MCP)"),
        ));
    }
    lines
}

fn shell(command: &str, output: &str, columns: usize) -> Vec<Line> {
    let mut lines = vec![
        Line::of(Style::Red, "! ")
            .and(Style::White, command)
            .to(columns, Style::Prompt),
    ];
    for (at, line) in output.trim_end_matches('\n').split('\n').enumerate() {
        let mark = if at == 0 { "  ⎿ \u{a0}" } else { "     " };
        lines.push(
            Line::of(Style::Grey, mark)
                .and(Style::Plain, &markdown::expand(line, 5))
                .cut(columns),
        );
    }
    lines
}

/// `mark` before the first line, blanks before the others.
fn lead(mark: Line, lines: Vec<Line>) -> Vec<Line> {
    let style = mark.cells.first().map_or(Style::Plain, |cell| cell.style);
    let others = if style == Style::PromptMark {
        Style::Prompt
    } else {
        Style::Plain
    };
    let join = |(at, line): (usize, Line)| {
        if at > 0 && line.cells.is_empty() && others == Style::Plain {
            return line;
        }
        let lead = if at == 0 {
            mark.clone()
        } else {
            Line::of(others, "  ")
        };
        Line {
            cells: lead.cells.into_iter().chain(line.cells).collect(),
        }
    };
    lines.into_iter().enumerate().map(join).collect()
}

/// How much narrower than the window a notice is.
const NOTICE_MARGIN: usize = 10;
