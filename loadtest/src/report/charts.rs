//! Line charts and bars as SVG that stands in a page: no script, colours by class, a tooltip for
//! each point.

use std::fmt::Write;

use super::html::markup::escape;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 36.0;
/// More points are thinned out: a screen has no more columns.
const POINTS_MAX: usize = 600;
/// Up to so many points have a tooltip each.
const TOOLTIPS_MAX: usize = 200;

/// One line of a chart. A point without a value is a gap.
pub(super) struct ChartSeries {
    /// Its name in the legend.
    pub name: String,
    /// x, and y if there is one.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A chart of lines over a common axis.
pub(super) struct LineChart<'a> {
    /// What it shows, with the unit.
    pub title: &'a str,
    /// What the axis below says.
    pub x_label: &'a str,
    /// Marks below: where, and what they say; empty = round numbers.
    pub x_marks: &'a [(f64, &'static str)],
    /// Until where a paler ground shows the warm-up; 0 = nowhere.
    pub warm_up: f64,
    /// How a value is written.
    pub format: fn(f64) -> String,
    /// Whether its units are powers of 1024.
    pub is_binary: bool,
    /// The lines.
    pub series: Vec<ChartSeries>,
}

impl LineChart<'_> {
    /// The chart, or nothing if no line has two points.
    pub fn render(&self) -> String {
        let some = |it: &ChartSeries| it.points.iter().filter(|(_, y)| y.is_some()).count() > 1;
        let series: Vec<_> = self.series.iter().filter(|it| some(it)).collect();
        if series.is_empty() {
            return String::new();
        }
        let points = || series.iter().flat_map(|it| &it.points);
        let x_max = points().map(|(x, _)| *x).fold(0.0, f64::max).max(1e-9);
        let y_top = points().filter_map(|(_, y)| *y).fold(0.0, f64::max);
        let unit = match self.is_binary {
            true => 1024_f64.powf(y_top.max(1.0).log(1024.0).floor()),
            false => 1.0,
        };
        let step = nice_step(y_top / unit / 4.0) * unit;
        let y_max = (y_top / step).ceil().max(1.0) * step;
        let x_of = |x: f64| LEFT + x / x_max * (WIDTH - LEFT - RIGHT);
        let y_of = |y: f64| HEIGHT - BOTTOM - y / y_max * (HEIGHT - TOP - BOTTOM);

        let title = escape(self.title);
        let mut out = format!(
            "<figure><figcaption>{title}</figcaption>\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
        );
        if self.warm_up > 0.0 {
            let width = x_of(self.warm_up.min(x_max)) - LEFT;
            let height = HEIGHT - TOP - BOTTOM;
            let _ = write!(
                out,
                "<rect class=\"warm\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\">\
                 <title>warm-up</title></rect>"
            );
        }
        self.put_axes(&mut out, x_max, y_max, step, &x_of, &y_of);
        for (place, it) in series.iter().enumerate() {
            self.put_line(&mut out, it, place, &x_of, &y_of);
        }
        out.push_str("</svg>");
        put_legend(&mut out, &series);
        out.push_str("</figure>");
        out
    }

    fn put_axes(
        &self,
        out: &mut String,
        x_max: f64,
        y_max: f64,
        step: f64,
        x_of: &dyn Fn(f64) -> f64,
        y_of: &dyn Fn(f64) -> f64,
    ) {
        let lines = (y_max / step).round() as usize;
        for line in 0..=lines {
            let value = line as f64 * step;
            let (y, right) = (y_of(value), WIDTH - RIGHT);
            let text = escape(&(self.format)(value));
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"end\" x=\"{}\" y=\"{:.1}\">{text}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        let below = HEIGHT - BOTTOM + 16.0;
        let mut mark = |x: f64, text: &str| {
            let text = escape(text);
            let _ = write!(
                out,
                "<text class=\"mid\" x=\"{:.1}\" y=\"{below}\">{text}</text>",
                x_of(x)
            );
        };
        if self.x_marks.is_empty() {
            let step = nice_step(x_max / 6.0).max(1.0);
            let marks = (x_max / step).floor() as usize;
            (0..=marks)
                .for_each(|place| mark(place as f64 * step, &format!("{}", place as f64 * step)));
        } else {
            let within = self.x_marks.iter().filter(|(x, _)| *x <= x_max);
            within.for_each(|(x, text)| mark(*x, text));
        }
        let _ = write!(
            out,
            "<text class=\"mid\" x=\"{:.1}\" y=\"{}\">{}</text>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 4.0,
            escape(self.x_label)
        );
    }

    fn put_line(
        &self,
        out: &mut String,
        series: &ChartSeries,
        place: usize,
        x_of: &dyn Fn(f64) -> f64,
        y_of: &dyn Fn(f64) -> f64,
    ) {
        let every = series.points.len().div_ceil(POINTS_MAX).max(1);
        let points = || series.points.iter().step_by(every);
        let mut path = String::new();
        let mut is_down = false;
        for (x, y) in points() {
            let Some(y) = y else {
                is_down = false;
                continue;
            };
            let letter = if is_down { 'L' } else { 'M' };
            let _ = write!(path, "{letter}{:.1} {:.1}", x_of(*x), y_of(*y));
            is_down = true;
        }
        let _ = write!(out, "<path class=\"line c{}\" d=\"{path}\"/>", place % 6);
        if points().count() > TOOLTIPS_MAX {
            return;
        }
        for (x, y) in points() {
            if let Some(y) = y {
                let text = format!("{}: {}", series.name, (self.format)(*y));
                let _ = write!(
                    out,
                    "<circle class=\"dot c{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"6\"><title>{}</title></circle>",
                    place % 6,
                    x_of(*x),
                    y_of(*y),
                    escape(&text)
                );
            }
        }
    }
}

fn put_legend(out: &mut String, series: &[&ChartSeries]) {
    if series.len() < 2 {
        return;
    }
    out.push_str("<p class=\"legend\">");
    for (place, it) in series.iter().enumerate() {
        let name = escape(&it.name);
        let _ = write!(out, "<span><i class=\"c{}\"></i>{name}</span>", place % 6);
    }
    out.push_str("</p>");
}

/// Bars of counts by name, the longest first; nothing if there are none.
pub(super) fn bars(title: &str, counts: &[(String, u64)], format: fn(u64) -> String) -> String {
    let longest = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if longest == 0 {
        return String::new();
    }
    let title = escape(title);
    let height = 28.0 * counts.len() as f64;
    let mut out = format!(
        "<figure><figcaption>{title}</figcaption>\
         <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">"
    );
    for (place, (name, count)) in counts.iter().enumerate() {
        let y = 28.0 * place as f64;
        let width = (*count as f64 / longest as f64 * 340.0).max(2.0);
        let _ = write!(
            out,
            "<text class=\"end\" x=\"200\" y=\"{:.1}\">{}</text>\
             <rect class=\"bar\" x=\"208\" y=\"{:.1}\" width=\"{width:.1}\" height=\"18\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            y + 18.0,
            escape(name),
            y + 5.0,
            214.0 + width,
            y + 18.0,
            escape(&format(*count))
        );
    }
    out.push_str("</svg></figure>");
    out
}

/// 1, 2 or 5 times a power of ten: the first that is not less.
fn nice_step(least: f64) -> f64 {
    if least <= 0.0 || !least.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let found = factors.into_iter().find(|it| it * power >= least * 0.999);
    found.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, Option<f64>)>) -> String {
        let series = vec![ChartSeries {
            name: "a<b".to_owned(),
            points,
        }];
        LineChart {
            title: "rate",
            x_label: "seconds",
            x_marks: &[],
            warm_up: 1.0,
            format: |value| format!("{value}"),
            is_binary: false,
            series,
        }
        .render()
    }

    #[test]
    fn a_gap_begins_a_new_line() {
        let svg = chart(vec![
            (0.0, Some(1.0)),
            (1.0, None),
            (2.0, Some(3.0)),
            (3.0, Some(2.0)),
        ]);
        let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(svg.contains("a&lt;b: 3"));
    }

    #[test]
    fn a_chart_without_values_is_left_out() {
        assert_eq!(chart(vec![(0.0, None), (1.0, Some(2.0))]), "");
    }

    #[test]
    fn many_points_are_thinned_out() {
        let svg = chart((0..86_400).map(|x| (x as f64, Some(1.0))).collect());
        assert!(svg.len() < 20_000, "{}", svg.len());
    }

    #[test]
    fn steps_are_round() {
        let steps = [0.3, 1.0, 1.2, 6.0, 230.0, 0.0].map(nice_step);
        assert_eq!(steps, [0.5, 1.0, 2.0, 10.0, 500.0, 1.0]);
    }
}
