//! Latency against rate as a picture: p50 and p99, the latency on a scale of powers of ten.

#![expect(clippy::float_arithmetic, reason = "coordinates of a picture, no money")]
#![expect(clippy::cast_precision_loss, reason = "a picture has a few hundred points")]

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// How many steps the axis of rates has at most.
const STEPS: u64 = 8;

/// What was seen at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Requests a second.
    pub rate: u64,
    /// In microseconds.
    pub p50: u64,
    /// In microseconds.
    pub p99: u64,
}

/// The picture. `points` in order of their rates; none gives empty axes.
pub fn draw(title: &str, points: &[Point]) -> String {
    let scale = Scale::of(points);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
        escaped(title)
    );
    axes(&mut svg, &scale);
    line(&mut svg, &scale, points, ("p50", "#2166ac", WIDTH - RIGHT - 40.0), |point| point.p50);
    line(&mut svg, &scale, points, ("p99", "#b2182b", WIDTH - RIGHT), |point| point.p99);
    svg + "</svg>\n"
}

/// From rates and latencies to places.
struct Scale {
    /// The largest rate that has a place.
    rate: u64,
    /// Between two marks of the axis of rates.
    step: u64,
    /// The powers of ten at both ends of the axis of latencies.
    powers: (u32, u32),
}

impl Scale {
    fn of(points: &[Point]) -> Self {
        let rate = points.iter().map(|point| point.rate).max().unwrap_or(1).max(1);
        let step = nice(rate.div_ceil(STEPS));
        let all = || points.iter().flat_map(|point| [point.p50, point.p99]);
        let low = all().min().unwrap_or(1).max(1).ilog10();
        let high = all().max().unwrap_or(1).max(1);
        let high = high.ilog10() + u32::from(10_u64.pow(high.ilog10()) < high);
        Self { rate: rate.div_ceil(step) * step, step, powers: (low, high.max(low + 1)) }
    }

    fn x(&self, rate: u64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * rate as f64 / self.rate as f64
    }

    fn y(&self, micros: u64) -> f64 {
        let (low, high) = (f64::from(self.powers.0), f64::from(self.powers.1));
        let part = ((micros.max(1) as f64).log10() - low) / (high - low);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
    }
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn nice(number: u64) -> u64 {
    let power = 10_u64.pow(number.max(1).ilog10());
    [power, 2 * power, 5 * power].into_iter().find(|nice| *nice >= number).unwrap_or(10 * power)
}

fn axes(svg: &mut String, scale: &Scale) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for power in scale.powers.0..=scale.powers.1 {
        let micros = 10_u64.pow(power);
        let y = scale.y(micros);
        rule(svg, (LEFT, y), (right, y));
        text(svg, (LEFT - 8.0, y + 4.0), "end", &duration(micros));
    }
    let mut rate = 0;
    while rate <= scale.rate {
        let x = scale.x(rate);
        rule(svg, (x, TOP), (x, bottom));
        text(svg, (x, bottom + 18.0), "middle", &rate.to_string());
        rate += scale.step;
    }
    text(svg, ((LEFT + right) / 2.0, HEIGHT - 12.0), "middle", "requests a second");
}

fn line(
    svg: &mut String,
    scale: &Scale,
    points: &[Point],
    (name, colour, legend): (&str, &str, f64),
    micros: impl Fn(&Point) -> u64,
) {
    let places: Vec<_> = points.iter().map(|point| (scale.x(point.rate), scale.y(micros(point)))).collect();
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let path = path.join(" ");
    writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>")
        .expect("a text takes text");
    for (x, y) in &places {
        writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>")
            .expect("a text takes text");
    }
    // Beside the title: at their ends the lines often meet.
    writeln!(svg, "<text x=\"{legend:.1}\" y=\"24.0\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>")
        .expect("a text takes text");
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>")
        .expect("a text takes text");
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        at.0,
        at.1,
        escaped(text)
    )
    .expect("a text takes text");
}

/// A power of ten of microseconds, as one says it.
fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_axes_that_hold_all_points() {
        let points = [
            Point { rate: 1_000, p50: 900, p99: 2_100 },
            Point { rate: 20_000, p50: 1_500, p99: 9_000 },
            Point { rate: 43_000, p50: 30_000, p99: 210_000 },
        ];
        insta::assert_snapshot!(draw("debits over NATS, one a request & <100,000> accounts", &points));
    }

    #[test]
    fn places_are_inside_the_axes_and_marks_are_round() {
        let points = [Point { rate: 7, p50: 1, p99: 100 }, Point { rate: 99_999, p50: 5, p99: 60_000_000 }];
        let scale = Scale::of(&points);
        assert_eq!((scale.rate, scale.step, scale.powers), (100_000, 20_000, (0, 8)));
        for point in points {
            assert!((LEFT..=WIDTH - RIGHT).contains(&scale.x(point.rate)));
            assert!((TOP..=HEIGHT - BOTTOM).contains(&scale.y(point.p99)));
        }
        let empty = draw("nothing", &[]);
        assert!(empty.contains("requests a second") && !empty.contains("NaN"));
    }
}
