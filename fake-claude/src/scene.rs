//! What there is to see, and the picture of it in each look.

use std::time::Instant;

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::wrap;
use crate::dialog::Dialog;
use crate::id;
use crate::input::Input;
use crate::markdown;
use crate::paint::Picture;
use crate::request;

/// One piece of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Prompt(String),
    Reply(String),
    /// Thinking, by its seconds.
    Thought(u64),
    /// A line of the CLI's own with a dot before it.
    Notice(String),
    /// A line behind `⎿`.
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

/// A turn that runs.
#[derive(Clone, Debug)]
pub(crate) struct Busy {
    pub(crate) since: Instant,
    pub(crate) verb: &'static str,
    pub(crate) beat: usize,
    pub(crate) running: Option<&'static str>,
}

/// Everything the picture depends on.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) is_new: bool,
    pub(crate) version: String,
    pub(crate) model: String,
    pub(crate) cwd: String,
    pub(crate) effort: String,
    pub(crate) mode: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) busy: Option<Busy>,
    /// Whether text is coming, which hides the spinner.
    pub(crate) streaming: bool,
    pub(crate) queued: Vec<String>,
    pub(crate) dialog: Option<Dialog>,
    /// What the empty box says.
    pub(crate) hint: Option<&'static str>,
    /// What stands in the footer instead of the mode.
    pub(crate) footer: Option<&'static str>,
    pub(crate) logged_out: bool,
}

impl Busy {
    pub(crate) fn new(now: Instant) -> Busy {
        Busy {
            since: now,
            verb: VERBS[id::pick(VERBS.len())],
            beat: 0,
            running: None,
        }
    }

    /// The line with the spinner.
    fn line(&self, now: Instant) -> Line {
        let spinner = SPINNER[self.beat % SPINNER.len()];
        let line = Line::of(Style::Orange, spinner)
            .and(Style::Plain, " ")
            .and(Style::Orange, &format!("{}… ", self.verb));
        let seconds = now.duration_since(self.since).as_secs();
        match (self.running, seconds) {
            (Some(what), _) => line.and(Style::Grey, &format!("({what})")),
            (None, 0) => line,
            (None, seconds) => line.and(
                Style::Grey,
                &format!("({seconds}s · ↓ {} tokens)", self.beat),
            ),
        }
    }
}

impl Scene {
    /// The picture for a window; the older look grows, the newer one fills the window.
    pub(crate) fn picture(&self, input: &Input, size: (usize, usize), now: Instant) -> Picture {
        let (columns, rows) = size;
        if let Some(dialog) = self.dialog.as_ref().filter(|dialog| dialog.is_opening) {
            return dialog.picture(columns);
        }
        let mut lines = self.banner(columns);
        for block in &self.blocks {
            lines.extend(self.block(block, columns));
            lines.push(Line::default());
        }
        for queued in &self.queued {
            lines.extend(self.queued(queued));
        }
        if let (false, Some(busy)) = (self.is_new, self.spinner()) {
            lines.push(busy.line(now));
            lines.push(Line::default());
        }
        let (bottom, cursor) = self.bottom(input, columns, now);
        if self.is_new {
            let above = rows.saturating_sub(bottom.len());
            let hidden = lines.len().saturating_sub(above);
            lines.drain(..hidden);
            lines.resize(above, Line::default());
        } else if lines.last().is_some_and(|line| !line.cells.is_empty()) {
            lines.push(Line::default());
        }
        let cursor = (lines.len() + cursor.0, cursor.1);
        lines.extend(bottom);
        if self.is_new {
            lines.truncate(rows);
        }
        Picture {
            cursor: (cursor.0.min(lines.len().saturating_sub(1)), cursor.1),
            lines,
        }
    }

    /// The running turn, unless text is coming.
    fn spinner(&self) -> Option<&Busy> {
        self.busy.as_ref().filter(|_| !self.streaming)
    }

    /// Prompt box or question, with what belongs to it.
    fn bottom(&self, input: &Input, columns: usize, now: Instant) -> (Vec<Line>, (usize, usize)) {
        let mut lines = Vec::new();
        if self.is_new {
            match self.spinner() {
                Some(busy) => lines.push(busy.line(now)),
                None => lines.push(Line::default()),
            }
            lines.push(self.right(columns));
        }
        if let Some(dialog) = &self.dialog {
            let picture = dialog.picture(columns);
            let cursor = (lines.len() + picture.cursor.0, picture.cursor.1);
            lines.extend(picture.lines);
            return (lines, cursor);
        }
        let rule = Line::of(Style::Rule, &"─".repeat(columns));
        lines.push(rule.clone());
        let (typed, cursor) = self.typed(input, columns);
        let cursor = (lines.len() + cursor.0, cursor.1);
        lines.extend(typed);
        lines.push(rule);
        lines.extend(self.foot(input, columns));
        (lines, cursor)
    }

    /// The text in the box.
    fn typed(&self, input: &Input, columns: usize) -> (Vec<Line>, (usize, usize)) {
        let (text, cursor) = input.shown();
        let mark = if input.is_shell() {
            "!\u{a0}"
        } else {
            "❯\u{a0}"
        };
        let mark_style = if input.is_shell() {
            Style::Red
        } else {
            Style::Grey
        };
        let first = Line::of(mark_style, mark);
        if text.is_empty() {
            let queued = (!self.queued.is_empty()).then_some("Press up to edit queued messages");
            let line = match queued.or(self.hint) {
                // The cursor stands on the hint's first letter, and the rest is dim.
                Some(hint) => {
                    let (letter, rest) = hint.split_at(1);
                    first.and(Style::Cursor, letter).and(Style::Dim, rest)
                }
                None => first.and(Style::Cursor, " "),
            };
            return (vec![line], (0, 2));
        }
        let mut lines = Vec::new();
        let mut rest = (0, 2);
        let mut at = 0;
        for part in text.split('\n') {
            let shown = markdown::expand(part, self.tab_offset());
            let begin = lines.len();
            if (at..=at + part.len()).contains(&cursor) {
                let column = Line::of(
                    Style::Plain,
                    &markdown::expand(&part[..cursor - at], self.tab_offset()),
                )
                .width();
                let width = columns.saturating_sub(3).max(1);
                rest = (begin + column / width, 2 + column % width);
            }
            for line in wrap(&Line::of(Style::Plain, &shown), columns.saturating_sub(3)) {
                let lead = if lines.is_empty() {
                    first.clone()
                } else {
                    Line::of(Style::Plain, "  ")
                };
                lines.push(Line {
                    cells: lead.cells.into_iter().chain(line.cells).collect(),
                });
            }
            at += part.len() + 1;
        }
        if let Some(line) = lines.get_mut(rest.0).filter(|line| line.width() == rest.1) {
            *line = std::mem::take(line).and(Style::Cursor, " ");
        }
        (lines, rest)
    }

    fn foot(&self, input: &Input, columns: usize) -> Vec<Line> {
        let mut line = Line::of(Style::Plain, "  ");
        line = match self.footer {
            Some(footer) => line.and(Style::Grey, footer),
            None if input.is_shell() => line.and(Style::Red, "! for shell mode"),
            None => self.mode(line, input),
        };
        if self.is_new {
            return vec![line.cut(columns)];
        }
        match self.logged_out {
            true => {
                let told = "Not logged in · Run /login";
                let line = line
                    .to(columns.saturating_sub(28), Style::Plain)
                    .and(Style::Red, told);
                vec![line.cut(columns), self.right(columns)]
            }
            false => {
                let right = self.right(columns);
                let begin = columns.saturating_sub(18);
                let line = line.cut(begin).to(begin, Style::Plain);
                let tail: Vec<_> = right.cells.into_iter().skip(begin).collect();
                vec![
                    Line {
                        cells: line.cells.into_iter().chain(tail).collect(),
                    }
                    .cut(columns),
                ]
            }
        }
    }

    fn mode(&self, line: Line, input: &Input) -> Line {
        let name = match self.mode.as_str() {
            "acceptEdits" => "⏵⏵ accept edits on",
            "plan" => "⏸ plan mode on",
            "bypassPermissions" => "⏵⏵ bypass permissions on",
            "dontAsk" => "⏵⏵ don't ask on",
            "auto" => "⏵⏵ auto mode on",
            _ => return line.and(Style::Grey, "? for shortcuts"),
        };
        let mut line = line
            .and(Style::Red, name)
            .and(Style::Grey, " (shift+tab to cycle)");
        if self.busy.is_some() {
            line = line.and(Style::Grey, " · esc to interrupt");
        }
        if input.is_empty() {
            line = line.and(Style::Grey, " · ← for agents");
        }
        line
    }

    fn right(&self, columns: usize) -> Line {
        Line::default()
            .to(columns.saturating_sub(18), Style::Plain)
            .and(Style::Grey, &format!("● {} · /effort", self.effort))
    }

    fn queued(&self, text: &str) -> Vec<Line> {
        match self.is_new {
            true => vec![
                Line::of(Style::Grey, &format!("❯ {text}")),
                Line::of(Style::Grey, "  ⎿  Queued · ctrl+x ctrl+s to send now"),
                Line::default(),
            ],
            false => vec![
                Line::of(Style::Grey, &format!("  ❯ {text}")),
                Line::default(),
            ],
        }
    }

    fn block(&self, block: &Block, columns: usize) -> Vec<Line> {
        let text_columns = columns.saturating_sub(2);
        match block {
            Block::Prompt(text) => self.prompt(text, columns),
            Block::Reply(text) => lead(
                Line::of(Style::White, "●").and(Style::Plain, " "),
                markdown::render(text, text_columns, self.tab_offset()),
            ),
            Block::Notice(text) => {
                let lines = text.split('\n').flat_map(|line| {
                    wrap(
                        &Line::of(Style::Plain, line),
                        text_columns.saturating_sub(8),
                    )
                });
                lead(
                    Line::of(Style::White, "●").and(Style::Plain, " "),
                    lines.collect(),
                )
            }
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
            Block::Result(text) => {
                vec![Line::of(Style::Grey, &format!("  ⎿ \u{a0}{text}")).cut(columns)]
            }
            Block::Answer(text) => {
                vec![Line::of(Style::Grey, &format!("  ⎿  {text}")).cut(columns)]
            }
            Block::Tools { servers, over } => vec![self.tools(servers, *over)],
            Block::Unfinished { calls, not_begun } => unfinished(calls, *not_begun),
            Block::Shell { command, output } => shell(command, output, columns),
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
        let lines =
            parts.flat_map(|part| wrap(&Line::of(Style::Prompt, &part), columns.saturating_sub(3)));
        let lines = lead(Line::of(Style::PromptMark, "❯ "), lines.collect());
        lines
            .into_iter()
            .map(|line| line.to(columns, Style::Prompt))
            .collect()
    }

    fn banner(&self, columns: usize) -> Vec<Line> {
        let model = format!("{} · API Usage Billing", request::marketing(&self.model));
        if !self.is_new && columns >= BOX_WIDTH {
            return self.boxed(&model);
        }
        let art = if self.is_new { NEW_ART } else { OLD_ART };
        let rows = [
            format!("Claude Code v{}", self.version),
            model,
            self.cwd.clone(),
        ];
        let mut lines = vec![Line::default()];
        for (art, (at, row)) in art.iter().zip(rows.iter().enumerate()) {
            let line = Line::of(Style::Orange, art).to(11, Style::Plain);
            let style = if at == 0 { Style::Bold } else { Style::Grey };
            lines.push(line.and(style, row).cut(columns));
        }
        lines.extend([Line::default(), Line::default()]);
        lines
    }

    /// The older banner: a box with the mascot on the left and tips on the right.
    fn boxed(&self, model: &str) -> Vec<Line> {
        let title = format!("─── Claude Code v{} ", self.version);
        let fill = BOX_WIDTH - 2 - title.chars().count();
        let mut lines = vec![Line::of(
            Style::Orange,
            &format!("╭{title}{}╮", "─".repeat(fill)),
        )];
        let middle = |text: &str| format!("{:^34}", format!(" {text}"));
        let left = [
            "",
            "Welcome back!",
            "",
            "▐▛███▜▌",
            "▝▜█████▛▘",
            "▘▘ ▝▝",
            "",
            model,
            self.cwd.as_str(),
        ]
        .map(middle);
        let tip = "Ask Claude to create a new app or clone a repository";
        let rule = "─".repeat(52);
        let right = [
            "Tips for getting started",
            tip,
            rule.as_str(),
            "What's new",
            "Check the Claude Code changelog for updates",
            "",
            "",
            "",
            "",
        ];
        for (left, right) in left.iter().zip(right) {
            let line = Line::of(Style::Orange, "│")
                .and(Style::Plain, left)
                .and(Style::Orange, "│");
            lines.push(
                line.and(Style::Plain, &format!(" {right:<53}"))
                    .and(Style::Orange, "│"),
            );
        }
        lines.push(Line::of(
            Style::Orange,
            &format!("╰{}╯", "─".repeat(BOX_WIDTH - 2)),
        ));
        lines.extend([Line::default(), Line::default()]);
        lines
    }

    /// Where tab stops are counted from: the older family lets the terminal do it, behind a mark of two columns.
    fn tab_offset(&self) -> usize {
        if self.is_new { 0 } else { 2 }
    }
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

/// A word for the end of a turn.
pub(crate) fn past_verb() -> &'static str {
    PAST[id::pick(PAST.len())]
}

const BOX_WIDTH: usize = 91;
const OLD_ART: [&str; 3] = [" ▐▛███▜▌", "▝▜█████▛▘", "  ▘▘ ▝▝"];
const NEW_ART: [&str; 3] = [" ▐▛███▛█", "▝▜██████▀", " ▝▝   ▝▝"];
const SPINNER: [&str; 6] = ["·", "✢", "✳", "✶", "✻", "✽"];
const VERBS: [&str; 8] = [
    "Effecting",
    "Nesting",
    "Orbiting",
    "Twisting",
    "Hatching",
    "Ruminating",
    "Booping",
    "Churning",
];
const PAST: [&str; 8] = [
    "Baked",
    "Brewed",
    "Churned",
    "Cogitated",
    "Cooked",
    "Crunched",
    "Sautéed",
    "Worked",
];
