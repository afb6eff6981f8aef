//! Charts as columns: their geometry, with a name for everything that is drawn. `[pure]`
//!
//! A chart has no text inside its picture: that would shrink with it on a phone. Scales stand beside it, colours have a
//! legend, and the numbers are in a table on the same page.

/// A chart of columns over time.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// What it shows, for whoever does not see it.
    pub(super) label: String,
    /// The highest column.
    pub(super) top: String,
    pub(super) width: usize,
    pub(super) columns: Vec<Column>,
    pub(super) legend: Vec<Legend>,
    pub(super) first: String,
    pub(super) last: String,
}

/// All bars of one step of time, and what they say in words.
pub(super) struct Column {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Bar {
    /// Names its colour.
    pub(super) class: &'static str,
    pub(super) x: usize,
    pub(super) y: String,
    pub(super) height: String,
}

pub(super) struct Legend {
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) total: String,
}

/// One kind of what is stacked, a value for each step of time.
pub(super) struct Series {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) values: Vec<u64>,
    /// In the legend; a mean has no sum.
    pub(super) total: Option<u64>,
}

impl Series {
    /// One whose sum is told.
    pub(super) fn summed(class: &'static str, name: &'static str, values: Vec<u64>) -> Series {
        let total = Some(values.iter().sum());
        Series {
            class,
            name,
            values,
            total,
        }
    }
}

impl Chart {
    /// Stacks series over steps of time, of which each has a name.
    pub(super) fn stacked(
        title: &'static str,
        steps: &[String],
        series: &[Series],
        told: impl Fn(u64) -> String,
    ) -> Chart {
        let sum = |at: usize| series.iter().map(|one| one.values[at]).sum::<u64>();
        let top = (0..steps.len()).map(sum).max().unwrap_or(0);
        let column = |(at, step): (usize, &String)| column(at, step, series, top, &told);
        let legend = series.iter().map(|one| Legend {
            class: one.class,
            name: one.name.to_owned(),
            total: one.total.map(&told).unwrap_or_default(),
        });
        let ends = |step: Option<&String>| step.cloned().unwrap_or_default();
        let (first, last) = (ends(steps.first()), ends(steps.last()));
        Chart {
            title,
            label: format!("{title} from {first} to {last}; the most is {}", told(top)),
            top: told(top),
            width: (steps.len() * STEP).max(1),
            columns: steps.iter().enumerate().map(column).collect(),
            legend: legend.collect(),
            first,
            last,
        }
    }
}

fn column(
    at: usize,
    step: &str,
    series: &[Series],
    top: u64,
    told: &impl Fn(u64) -> String,
) -> Column {
    let (mut bars, mut words) = (Vec::new(), Vec::new());
    let mut below = 0_u64;
    for one in series.iter().filter(|one| one.values[at] > 0) {
        let value = one.values[at];
        let (low, high) = (share(below, top), share(below + value, top));
        bars.push(Bar {
            class: one.class,
            x: at * STEP + 1,
            y: format!("{:.2}", HEIGHT - high),
            // What is there is seen, however little it is.
            height: format!("{:.2}", (high - low).max(0.5)),
        });
        words.push(format!("{} {}", one.name, told(value)));
        below += value;
    }
    Column {
        title: format!("{step}: {}", words.join(", ")),
        bars,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a height on a screen")]
fn share(value: u64, top: u64) -> f64 {
    match top {
        0 => 0.0,
        top => value as f64 / top as f64 * HEIGHT,
    }
}

/// A count as people read it on an axis.
pub(super) fn short(count: u64) -> String {
    let with = |unit: u64, name: &str| {
        let tenths = count / (unit / 10);
        match tenths >= 1000 || tenths.is_multiple_of(10) {
            true => format!("{} {name}", tenths / 10),
            false => format!("{}.{} {name}", tenths / 10, tenths % 10),
        }
    };
    match count {
        0..=9_999 => count.to_string(),
        10_000..=999_999 => with(1_000, "k"),
        1_000_000..=999_999_999 => with(1_000_000, "M"),
        _ => with(1_000_000_000, "G"),
    }
}

/// Widths and heights in the picture's own units; a bar is two thirds of its step, and the rest is air.
const STEP: usize = 12;
const HEIGHT: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_column_fills_the_chart_and_what_is_little_is_seen() {
        let steps = ["a".to_owned(), "b".to_owned()];
        let series = |name, values: [u64; 2]| Series {
            class: "c",
            name,
            values: values.into(),
            total: Some(values.iter().sum()),
        };
        let series = [series("ok", [900, 1]), series("bad", [100, 0])];
        let chart = Chart::stacked("Calls", &steps, &series, |value| value.to_string());
        assert_eq!((chart.top.as_str(), chart.width), ("1000", 2 * STEP));
        let bars = &chart.columns[0].bars;
        assert_eq!(
            (bars[0].y.as_str(), bars[0].height.as_str()),
            ("10.00", "90.00")
        );
        assert_eq!(
            (bars[1].y.as_str(), bars[1].height.as_str()),
            ("0.00", "10.00")
        );
        assert_eq!(chart.columns[1].bars[0].height, "0.50");
        assert_eq!(chart.columns[0].title, "a: ok 900, bad 100");
    }

    #[test]
    fn nothing_at_all_is_a_chart_as_well() {
        let chart = Chart::stacked("Calls", &[], &[], |value| value.to_string());
        assert_eq!((chart.width, chart.columns.len()), (1, 0));
    }

    #[test]
    fn counts_are_short() {
        for (count, told) in [
            (0, "0"),
            (9_999, "9999"),
            (12_345, "12.3 k"),
            (20_000, "20 k"),
            (1_500_000, "1.5 M"),
            (3_000_000_000, "3 G"),
        ] {
            assert_eq!(short(count), told);
        }
    }
}
