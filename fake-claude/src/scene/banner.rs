//! The banner at the top.

use crate::cell::Line;
use crate::cell::Style;
use crate::request;
use crate::scene::picture::Scene;

impl Scene {
    pub(super) fn banner(&self, columns: usize) -> Vec<Line> {
        let model = format!("{} · API Usage Billing", request::marketing(&self.model));
        if !self.is_new && columns >= self.box_width() {
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

    fn box_width(&self) -> usize {
        self.dialect.banner_left + RIGHT_WIDTH
    }

    /// The older banner: a box with the mascot on the left and tips on the right.
    fn boxed(&self, model: &str) -> Vec<Line> {
        let title = format!("─── Claude Code v{} ", self.version);
        let fill = self.box_width() - 2 - title.chars().count();
        let mut lines = vec![Line::of(
            Style::Orange,
            &format!("╭{title}{}╮", "─".repeat(fill)),
        )];
        let left_width = self.dialect.banner_left;
        let middle = |text: &str| format!("{:^left_width$}", format!(" {text}"));
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
            &format!("╰{}╯", "─".repeat(self.box_width() - 2)),
        ));
        lines.extend([Line::default(), Line::default()]);
        lines
    }
}

/// The right half of the box and its three lines.
const RIGHT_WIDTH: usize = 57;

const OLD_ART: [&str; 3] = [" ▐▛███▜▌", "▝▜█████▛▘", "  ▘▘ ▝▝"];

const NEW_ART: [&str; 3] = [" ▐▛███▛█", "▝▜██████▀", " ▝▝   ▝▝"];
