//! Medians and percentiles of a few numbers.

/// The value at a fraction of the sorted values, the nearest one; 0.0 for none.
pub fn percentile(values: &[f64], fraction: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    let index = (last * fraction).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// The median and, in brackets, least and greatest.
pub fn summary(values: &[f64], digits: usize) -> String {
    let [least, median, most] = [0.0, 0.5, 1.0].map(|fraction| percentile(values, fraction));
    format!("{median:.digits$} ({least:.digits$}..{most:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(summary(&values, 0), "3 (1..5)");
        assert_eq!(percentile(&values, 0.99), 5.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
