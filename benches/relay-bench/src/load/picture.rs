//! Curves as an SVG, alone or several on a board. `[pure]`

use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;

/// A line of a picture.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What grows from left to right, with its unit.
#[derive(Debug, Clone)]
pub(crate) enum Across {
    /// The same way is the same sum.
    Sum(String),
    /// The same way is the same factor; these are marked.
    Factor(String, Vec<f64>),
}

/// What a picture shows.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) across: Across,
    pub(crate) up: String,
    pub(crate) curves: Vec<Curve>,
}

/// Pictures beside and below each other.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    pub(crate) title: String,
    pub(crate) pictures: Vec<Picture>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The axes and the curves; the chart's type depends on its axes.
macro_rules! draw {
    ($picture:ident, $chart:ident, $unit:ident) => {{
        let small = || ("sans-serif", 12).into_font().color(&INK);
        $chart
            .configure_mesh()
            .x_desc($unit)
            .y_desc(&$picture.up)
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| number(*y))
            .y_labels(6)
            .label_style(small())
            .axis_style(INK.mix(0.5))
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.1))
            .draw()
            .ok()?;
        for (index, curve) in $picture.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            let drawn = $chart.draw_series(line).ok()?;
            drawn.label(&curve.name).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
            });
            let dots = curve
                .points
                .iter()
                .filter(|_| curve.points.len() <= DOTS_MAX);
            let dots = dots.map(|point| Circle::new(*point, 3, colour.filled()));
            $chart.draw_series(dots).ok()?;
        }
        if $picture.curves.len() > 1 {
            $chart
                .configure_series_labels()
                .position($picture.names_at())
                .label_font(small())
                .background_style(WHITE.mix(0.8))
                .border_style(INK.mix(0.2))
                .draw()
                .ok()?;
        }
    }};
}
impl Board {
    /// The board as text; `None` where there is nothing to draw.
    pub(crate) fn svg(&self) -> Option<String> {
        let rows = self.pictures.len().div_ceil(COLUMNS);
        let height = TITLE_HEIGHT + PANEL.1 * u32::try_from(rows).ok()?;
        let width = PANEL.0 * u32::try_from(COLUMNS).ok()?;
        svg((width, height), |root| {
            let style = ("sans-serif", 22).into_font().color(&INK);
            let below = root.titled(&self.title, style).ok()?;
            let areas = below.split_evenly((rows, COLUMNS));
            let drawn = self.pictures.iter().zip(&areas);
            drawn.map(|(picture, area)| picture.draw(area)).collect()
        })
    }
}

impl Picture {
    /// The picture as text; `None` where there is nothing to draw.
    pub(crate) fn svg(&self) -> Option<String> {
        svg(ALONE, |root| self.draw(root))
    }

    fn draw(&self, area: &Area<'_>) -> Option<()> {
        let (left, right) = self.width()?;
        let up = 0.0..self.top() * HEADROOM;
        let mut chart = ChartBuilder::on(area);
        chart
            .caption(&self.title, ("sans-serif", 16).into_font().color(&INK))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(62);
        match &self.across {
            Across::Sum(unit) => {
                let mut chart = chart.build_cartesian_2d(left..right, up).ok()?;
                draw!(self, chart, unit)
            }
            Across::Factor(unit, marks) => {
                let across = (left.max(LOG_MIN)..right).log_scale();
                let across = across.with_key_points(marks.clone());
                if let Some(up) = self.magnitudes() {
                    let mut chart = chart.build_cartesian_2d(across, up.log_scale()).ok()?;
                    draw!(self, chart, unit)
                } else {
                    let mut chart = chart.build_cartesian_2d(across, up).ok()?;
                    draw!(self, chart, unit)
                }
            }
        }
        Some(())
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.curves.iter().flat_map(|curve| &curve.points).copied()
    }

    /// From where to where it goes; `None` where that is no way.
    fn width(&self) -> Option<(f64, f64)> {
        let left = self.points().map(|(x, _)| x).fold(f64::NAN, f64::min);
        let right = self.points().map(|(x, _)| x).fold(f64::NAN, f64::max);
        (right > left).then_some((left, right))
    }

    /// From the lowest to the highest, where that is so many times as much that the low ones would lie on the ground.
    fn magnitudes(&self) -> Option<Range<f64>> {
        let low = self.points().map(|(_, y)| y).fold(f64::MAX, f64::min);
        let far = low > 0.0 && self.top() / low >= MAGNITUDES_FROM;
        far.then(|| low / HEADROOM..self.top() * HEADROOM)
    }

    /// What is nothing everywhere is drawn all the same, on the ground.
    fn top(&self) -> f64 {
        let top = self.points().map(|(_, y)| y).fold(0.0, f64::max);
        if top > 0.0 { top } else { 1.0 }
    }

    /// The names stand where no curve does: what neither rises nor falls much is high all along.
    fn names_at(&self) -> SeriesLabelPosition {
        let sum = |at: fn(&Curve) -> Option<&(f64, f64)>| -> f64 {
            self.curves.iter().filter_map(at).map(|(_, y)| y).sum()
        };
        let first = sum(|curve| curve.points.first());
        let last = sum(|curve| curve.points.last());
        if last > first * MUCH {
            SeriesLabelPosition::UpperLeft
        } else if first > last * MUCH {
            SeriesLabelPosition::UpperRight
        } else {
            SeriesLabelPosition::LowerRight
        }
    }
}

fn svg(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Option<()>) -> Option<String> {
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
    root.fill(&WHITE).ok()?;
    draw(&root)?;
    root.present().ok()?;
    drop(root);
    Some(text)
}

/// As short as it can be told: `0.5`, `20`, `1500`, `100k`.
fn number(value: f64) -> String {
    if value.abs() >= THOUSANDS_FROM {
        return format!("{}k", value / 1000.0);
    }
    format!("{}", (value * 1000.0).round() / 1000.0)
}

/// Wide enough for a page.
const ALONE: (u32, u32) = (840, 460);
/// One of a board.
const PANEL: (u32, u32) = (430, 300);
const TITLE_HEIGHT: u32 = 40;
const COLUMNS: usize = 3;
/// Air above the highest point.
const HEADROOM: f64 = 1.15;
/// Beyond this the axis upwards counts in factors, too: there a growth in proportion is a straight line.
const MAGNITUDES_FROM: f64 = 20.0;
/// Of a rise or a fall that clears a corner.
const MUCH: f64 = 1.5;
/// A factor has no zero.
const LOG_MIN: f64 = 1e-3;
/// More points than this are a line.
const DOTS_MAX: usize = 24;
const THOUSANDS_FROM: f64 = 10_000.0;
const INK: RGBColor = RGBColor(34, 34, 34);
/// Told apart also without colour sight (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture {
            title: "Total".into(),
            across: Across::Sum("share".into()),
            up: "ms".into(),
            curves: vec![Curve {
                name: "total".into(),
                points: vec![(1.0, 1.0), (64.0, 3.0)],
            }],
        }
    }

    #[test]
    fn curves_are_drawn_and_nothing_is_no_picture() {
        let mut picture = picture();
        let svg = picture.svg().expect("there is a curve");
        assert!(svg.starts_with("<svg") && svg.contains("polyline") && svg.contains("Total"));
        picture.across = Across::Factor("sessions".into(), vec![1.0, 8.0, 64.0]);
        let svg = picture.svg().expect("there is a curve");
        assert!(svg.contains("sessions") && svg.contains("\n8\n"), "{svg}");
        picture.curves.clear();
        assert!(picture.svg().is_none());
    }

    #[test]
    fn what_grows_by_magnitudes_is_drawn_by_factors_both_ways() {
        let mut picture = picture();
        picture.across = Across::Factor("turns".into(), vec![1.0, 64.0]);
        assert_eq!(picture.magnitudes(), None);
        picture.curves[0].points = vec![(1.0, 2.0), (64.0, 128.0)];
        let up = picture.magnitudes().expect("it is 64 times as much");
        assert!(up.start < 2.0 && up.end > 128.0);
        assert!(
            picture
                .svg()
                .expect("there is a curve")
                .contains("polyline")
        );
    }

    #[test]
    fn names_stand_where_no_curve_does() {
        let at = |first: f64, last: f64| {
            let mut picture = picture();
            picture.curves[0].points = vec![(1.0, first), (64.0, last)];
            picture.names_at()
        };
        assert!(matches!(at(1.0, 3.0), SeriesLabelPosition::UpperLeft));
        assert!(matches!(at(3.0, 1.0), SeriesLabelPosition::UpperRight));
        assert!(matches!(at(20.0, 21.0), SeriesLabelPosition::LowerRight));
    }

    #[test]
    fn a_board_has_a_title_and_all_its_pictures() {
        let mut flat = picture();
        flat.title = "Nothing".into();
        flat.curves[0].points = vec![(1.0, 0.0), (2.0, 0.0)];
        let board = Board {
            title: "Cost".into(),
            pictures: vec![picture(), flat],
        };
        let svg = board.svg().expect("there are pictures");
        for text in ["Cost", "Total", "Nothing"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let told = [0.5, 20.0, 1500.0, 100_000.0].map(number);
        assert_eq!(told, ["0.5", "20", "1500", "100k"]);
    }
}
