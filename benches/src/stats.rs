//! Medians, percentiles and spreads of a few numbers.

/// The value at a fraction of the sorted values, the nearest one; 0.0 for none.
pub fn percentile(values: &[f64], fraction: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    let index = (last * fraction).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The median and, in brackets, least and greatest.
pub fn summary(values: &[f64], digits: usize) -> String {
    let [least, median, most] = [0.0, 0.5, 1.0].map(|fraction| percentile(values, fraction));
    format!("{median:.digits$} ({least:.digits$}..{most:.digits$})")
}

/// How far values lie apart, as a share of their median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValueSpread {
    /// From the least to the greatest.
    pub full: f64,
    /// From the first quartile to the third: half of them lie within.
    pub middle: f64,
}

impl ValueSpread {
    /// Of values whose median is not 0.
    pub fn of(values: &[f64]) -> Self {
        let between =
            |low, high| (percentile(values, high) - percentile(values, low)) / median(values);
        Self {
            full: between(0.0, 1.0),
            middle: between(0.25, 0.75),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f64; 5] = [5.0, 1.0, 4.0, 2.0, 3.0];

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        assert_eq!(summary(&VALUES, 0), "3 (1..5)");
        assert_eq!(percentile(&VALUES, 0.99), 5.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_spread_is_a_share_of_the_median() {
        let spread = ValueSpread {
            full: 4.0 / 3.0,
            middle: 2.0 / 3.0,
        };
        assert_eq!(ValueSpread::of(&VALUES), spread);
    }
}
