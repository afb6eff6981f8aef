//! Curves as an SVG. `[pure]`

use plotters::prelude::*;

/// A line of a picture.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a picture shows.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) across: String,
    pub(crate) up: String,
    /// Whether a step across is a factor and not a sum.
    pub(crate) log: bool,
    pub(crate) curves: Vec<Curve>,
}

/// The axes and the curves; the chart's type depends on its axes.
macro_rules! draw {
    ($picture:ident, $chart:ident) => {
        $chart
            .configure_mesh()
            .x_desc(&$picture.across)
            .y_desc(&$picture.up)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()
            .ok()?;
        for (index, curve) in $picture.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            $chart
                .draw_series(LineSeries::new(
                    curve.points.iter().copied(),
                    colour.stroke_width(2),
                ))
                .ok()?
                .label(&curve.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
        }
        $chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .draw()
            .ok()?;
    };
}

impl Picture {
    /// The picture as text; `None` where there is nothing to draw.
    pub(crate) fn svg(&self) -> Option<String> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let right = points().map(|(x, _)| *x).fold(f64::NAN, f64::max);
        let left = points().map(|(x, _)| *x).fold(f64::NAN, f64::min);
        let top = points().map(|(_, y)| *y).fold(f64::NAN, f64::max);
        if !(right > left && top > 0.0) {
            return None;
        }
        let mut text = String::new();
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE).ok()?;
        let mut chart = ChartBuilder::on(&root);
        chart
            .caption(&self.title, ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64);
        let up = 0.0..top * HEADROOM;
        if self.log {
            let mut chart = chart
                .build_cartesian_2d((left.max(LOG_MIN)..right).log_scale(), up)
                .ok()?;
            draw!(self, chart);
        } else {
            let mut chart = chart.build_cartesian_2d(left..right, up).ok()?;
            draw!(self, chart);
        }
        root.present().ok()?;
        drop(root);
        Some(text)
    }
}

/// Wide enough for a page.
const SIZE: (u32, u32) = (840, 460);
/// Air above the highest point.
const HEADROOM: f64 = 1.1;
/// A factor has no zero.
const LOG_MIN: f64 = 1e-3;
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

    #[test]
    fn curves_are_drawn_and_nothing_is_no_picture() {
        let mut picture = Picture {
            title: "Total".into(),
            across: "share".into(),
            up: "ms".into(),
            log: false,
            curves: vec![Curve {
                name: "total".into(),
                points: vec![(0.0, 1.0), (1.0, 3.0)],
            }],
        };
        let svg = picture.svg().expect("there is a curve");
        assert!(svg.starts_with("<svg") && svg.contains("polyline") && svg.contains("Total"));
        picture.log = true;
        assert!(picture.svg().is_some());
        picture.curves.clear();
        assert!(picture.svg().is_none());
    }
}
