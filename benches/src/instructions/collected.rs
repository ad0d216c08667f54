//! The count that callgrind prints.

/// `==123== Collected : 4567`
pub(super) fn parse_collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 4567\n==7== \n";
        assert_eq!(parse_collected(said), Some(4567));
        assert_eq!(parse_collected("==7== Command: true"), None);
    }
}
