//! The banner at the top.

use crate::cell::Line;
use crate::cell::Style;
use crate::scene::picture::Scene;

impl Scene {
    pub(super) fn banner(&self, columns: usize) -> Vec<Line> {
        let name = self.dialect.titled(&self.model);
        let model = format!("{name} · API Usage Billing");
        match !self.is_new && columns >= BOXED_MIN {
            true => self.boxed(&model, columns),
            false => self.bare(model, columns),
        }
    }

    fn bare(&self, model: String, columns: usize) -> Vec<Line> {
        let art = if self.is_new { NEW_ART } else { OLD_ART };
        let title = format!("Claude Code v{}", self.version);
        let rows = [title, model, self.cwd.clone()];
        let mut lines = vec![Line::default()];
        for (art, (at, row)) in art.iter().zip(rows.iter().enumerate()) {
            let line = Line::of(Style::Orange, art).to(11, Style::Plain);
            let style = if at == 0 { Style::Bold } else { Style::Grey };
            lines.push(line.and(style, row).cut(columns));
        }
        lines.extend([Line::default(), Line::default()]);
        lines
    }

    /// The older banner: a box with the mascot on the left and news on the right, as wide as the window lets it be.
    fn boxed(&self, model: &str, columns: usize) -> Vec<Line> {
        let banner = &self.dialect.banner;
        let place = model.chars().count().max(self.cwd.chars().count());
        let left_width = (place + LEFT_MARGINS).min(LEFT_MAX);
        let width = columns.min(left_width + RIGHT_WIDTH + BORDERS);
        let right_width = width - left_width - BORDERS;
        let title = format!("─── Claude Code v{} ", self.version);
        let fill = width - 2 - title.chars().count();
        let rule = |text: String| Line::of(Style::Orange, &text);
        let mut lines = vec![Line::default(); banner.above];
        lines.push(rule(format!("╭{title}{}╮", "─".repeat(fill))));
        for (left, right) in self
            .left(model, place, left_width)
            .iter()
            .zip(self.right_half(right_width))
        {
            lines.push(
                rule("│".to_owned())
                    .and(Style::Plain, left)
                    .and(Style::Orange, "│")
                    .and(Style::Plain, &right)
                    .and(Style::Orange, "│"),
            );
        }
        lines.push(rule(format!("╰{}╯", "─".repeat(width - 2))));
        lines.extend(vec![Line::default(); banner.below]);
        if let Some(advice) = banner.advice {
            lines.extend([
                Line::of(Style::Grey, &format!("  {advice}")),
                Line::default(),
            ]);
        }
        lines
    }

    /// The left half: each row in the middle, but model and folder in the middle of a place of their own.
    fn left(&self, model: &str, place: usize, width: usize) -> [String; 9] {
        let [head, body, feet] = self.dialect.banner.art;
        let own = |text: &str| {
            let blanks = place - text.chars().count();
            format!("{}{text}", " ".repeat(blanks / 2)) + &" ".repeat(blanks.div_ceil(2))
        };
        let (model, folder) = (own(model), own(&self.cwd));
        [
            "",
            "Welcome back!",
            "",
            head,
            body,
            feet,
            "",
            model.as_str(),
            folder.as_str(),
        ]
        .map(|text| {
            let text: String = text.chars().take(width).collect();
            let blanks = width - text.chars().count();
            format!("{}{text}", " ".repeat(blanks.div_ceil(2))) + &" ".repeat(blanks / 2)
        })
    }

    fn right_half(&self, width: usize) -> [String; 9] {
        let room = width - 2;
        let rule = "─".repeat(room);
        let [news, more] = self.dialect.banner.news;
        let fitted = |text: &str| match text.chars().count() > room {
            true => text.chars().take(room - 1).chain(['…']).collect(),
            false => text.to_owned(),
        };
        [
            "Tips for getting started",
            "Ask Claude to create a new app or clone a repository",
            rule.as_str(),
            news,
            more,
            "",
            "",
            "",
            "",
        ]
        .map(|text| format!(" {:<room$} ", fitted(text)))
    }
}

/// What the left half leaves free beside model and folder, and how wide it gets.
const LEFT_MARGINS: usize = 6;
const LEFT_MAX: usize = 50;
/// The right half where the window is wide enough for it.
const RIGHT_WIDTH: usize = 54;
/// The lines at both ends and between the halves.
const BORDERS: usize = 3;
/// A narrower window has no box.
const BOXED_MIN: usize = 70;

const OLD_ART: [&str; 3] = [" ▐▛███▜▌", "▝▜█████▛▘", "  ▘▘ ▝▝"];

const NEW_ART: [&str; 3] = [" ▐▛███▛█", "▝▜██████▀", " ▝▝   ▝▝"];
