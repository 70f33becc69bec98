//! Lines over two axes, as SVG within a page or as a file of its own: no script, nothing to load. Pure.

use super::escaped;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;
/// About so many lines across a linear axis.
const TICKS: f64 = 5.0;

/// How an axis goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0 on.
    Linear,
    /// By powers of ten; what is not above 0 is left out.
    Logarithmic,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) label: String,
    /// Which of the page's colours, from 0.
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// Its file's name without the ending.
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// An axis with its ends and its place on the page.
#[derive(Debug, Clone, Copy)]
struct Span {
    scale: Scale,
    least: f64,
    most: f64,
    begin: f64,
    end: f64,
}

impl Chart {
    /// The figure with its title; nothing where there are no points.
    pub(super) fn figure(&self) -> String {
        let Some(drawn) = self.drawn() else { return String::new() };
        let title = escaped(&self.title);
        format!(
            "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">{drawn}</svg></figure>\n"
        )
    }

    /// The same as a file, with its own style; nothing where there are no points.
    pub(super) fn file(&self, style: &str) -> Option<String> {
        let (drawn, title) = (self.drawn()?, escaped(&self.title));
        Some(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\"><title>{title}</title><style>{style}</style>\n\
             <path class=\"ground\" d=\"M0 0h{WIDTH}v{HEIGHT}H0z\"/>{drawn}</svg>\n"
        ))
    }

    fn drawn(&self) -> Option<String> {
        let points: Vec<(f64, f64)> =
            self.lines.iter().flat_map(|line| &line.points).copied().filter(|point| self.is_shown(*point)).collect();
        if points.is_empty() {
            return None;
        }
        let x = Span::of(self.x.scale, points.iter().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Span::of(self.y.scale, points.iter().map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = String::new();
        for tick in y.ticks() {
            let at = y.place(tick);
            put(&mut svg, format_args!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT));
            put(
                &mut svg,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{}</text>",
                    LEFT - 8.0,
                    at + 4.0,
                    short(tick)
                ),
            );
        }
        for tick in x.ticks() {
            let at = x.place(tick);
            put(&mut svg, format_args!("<path class=\"grid\" d=\"M{at:.1} {TOP}V{:.1}\"/>", HEIGHT - BOTTOM));
            put(
                &mut svg,
                format_args!(
                    "<text x=\"{at:.1}\" y=\"{:.1}\" class=\"middle\">{}</text>",
                    HEIGHT - BOTTOM + 17.0,
                    short(tick)
                ),
            );
        }
        let (middle, bottom) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 8.0);
        put(
            &mut svg,
            format_args!("<text x=\"{middle:.1}\" y=\"{bottom:.1}\" class=\"middle\">{}</text>", escaped(self.x.label)),
        );
        let centre = f64::midpoint(TOP, HEIGHT - BOTTOM);
        put(
            &mut svg,
            format_args!(
                "<text transform=\"translate(14 {centre:.1}) rotate(-90)\" class=\"middle\">{}</text>",
                escaped(self.y.label)
            ),
        );
        for (at, line) in self.lines.iter().enumerate() {
            self.draw(line, at, x, y, &mut svg);
        }
        Some(svg)
    }

    fn draw(&self, line: &Line, at: usize, x: Span, y: Span, svg: &mut String) {
        let shown = line.points.iter().filter(|point| self.is_shown(**point));
        let places: Vec<String> =
            shown.map(|point| format!("{:.1} {:.1}", x.place(point.0), y.place(point.1))).collect();
        if places.is_empty() {
            return;
        }
        let dashed = if line.stroke == Stroke::Dashed { " dashed" } else { "" };
        let class = format!("line c{}{dashed}", line.colour);
        put(svg, format_args!("<path class=\"{class}\" d=\"M{}\"/>", places.join("L")));
        // A single point is no line.
        if places.len() <= 12 {
            for place in &places {
                put(svg, format_args!("<path class=\"{class} dot\" d=\"M{place}h0\"/>"));
            }
        }
        let (left, top) = (WIDTH - RIGHT + 14.0, TOP + 10.0 + 18.0 * at as f64);
        put(svg, format_args!("<path class=\"{class}\" d=\"M{left:.1} {top:.1}h22\"/>"));
        let label = escaped(&line.label);
        put(svg, format_args!("<text x=\"{:.1}\" y=\"{:.1}\">{label}</text>", left + 28.0, top + 4.0));
    }

    fn is_shown(&self, (x, y): (f64, f64)) -> bool {
        let fits = |value: f64, axis: Axis| value.is_finite() && (axis.scale == Scale::Linear || value > 0.0);
        fits(x, self.x) && fits(y, self.y)
    }
}

/// Puts a part behind the others.
fn put(svg: &mut String, part: std::fmt::Arguments<'_>) {
    svg.push_str(&part.to_string());
}

impl Span {
    fn of(scale: Scale, values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Self {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        let (least, most) = match scale {
            Scale::Linear => (least.min(0.0), if most > 0.0 { most * 1.05 } else { 1.0 }),
            Scale::Logarithmic => (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil())),
        };
        // Of one power of ten alone.
        let most = if most > least { most } else { least * 10.0 };
        Self { scale, least, most, begin, end }
    }

    fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.least) / (self.most - self.least),
            Scale::Logarithmic => (value / self.least).log10() / (self.most / self.least).log10(),
        };
        self.begin + share * (self.end - self.begin)
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        match self.scale {
            Scale::Linear => {
                let rough = (self.most - self.least) / TICKS;
                let power = 10_f64.powf(rough.log10().floor());
                let step =
                    [1.0, 2.0, 5.0, 10.0].map(|by| by * power).into_iter().find(|step| *step >= rough).unwrap_or(power);
                let mut tick = (self.least / step).ceil() * step;
                while tick <= self.most {
                    ticks.push(tick);
                    tick += step;
                }
            }
            Scale::Logarithmic => {
                let mut tick = self.least;
                while tick <= self.most * 1.001 {
                    ticks.push(tick);
                    tick *= 10.0;
                }
            }
        }
        ticks
    }
}

/// `1.5M`, `20k`, `0.25`
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Three digits that mean something, without zeros behind.
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, scale: Scale) -> Chart {
        let axis = Axis { label: "a < b", scale };
        let line = Line { label: "one & all".to_owned(), colour: 0, stroke: Stroke::Solid, points };
        Chart { name: "n", title: "t".to_owned(), x: axis, y: axis, lines: vec![line] }
    }

    #[test]
    fn points_lie_within_the_axes_and_text_is_escaped() {
        let svg = chart(vec![(0.0, 0.0), (10.0, 200.0)], Scale::Linear).figure();
        assert!(svg.contains("a &lt; b") && svg.contains("one &amp; all"), "{svg}");
        assert!(svg.contains(&format!("d=\"M{LEFT:.1} {:.1}L", HEIGHT - BOTTOM)), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        assert_eq!(chart(vec![(0.0, 1.0), (1.0, f64::NAN)], Scale::Logarithmic).figure(), "");
        let svg = chart(vec![(1.0, 5.0)], Scale::Logarithmic).figure();
        assert!(svg.contains("dot") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let svg = chart(vec![(1.0, 0.0), (2.0, 0.0)], Scale::Linear).figure();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_file_stands_for_itself() {
        let file = chart(vec![(0.0, 1.0), (1.0, 2.0)], Scale::Linear).file(".line{fill:none}").unwrap();
        assert!(file.starts_with("<svg xmlns=") && file.contains("<style>.line{fill:none}</style>"), "{file}");
        assert_eq!(chart(Vec::new(), Scale::Linear).file(""), None);
    }

    #[test]
    fn numbers_are_short() {
        let expected = ["1.5M", "20k", "0.25", "0", "100", "1.23k", "2.5G"];
        assert_eq!([1.5e6, 2e4, 0.25, 0.0, 100.0, 1_234.0, 2.5e9].map(short), expected);
    }
}
