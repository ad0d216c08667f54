//! Where a page of usage ends.

use protocol::{TenantId, UsageHour};
use router_core::store::UsageIndexQuery;

/// The last row of a page: the next page begins behind it.
///
/// Text: `<query>.<day>.<part>.<hour>.<meter>.<tenant>`, where `query` is a number that tells one query from
/// another. Callers are to treat it as opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsageCursor {
    /// The first hour of the day.
    pub day: UsageHour,
    /// The part of the day's index: below [`UsageIndexQuery::PARTS`].
    pub part: u8,
    /// The tenant, period and meter of the last row; absent: the part has none left.
    pub row: Option<(TenantId, UsageHour, usize)>,
}

impl UsageCursor {
    /// The text of it, for a query.
    pub fn text(&self, query: u32) -> String {
        let Self { day, part, row } = self;
        match row {
            Some((tenant, hour, meter)) => {
                format!("{query:08x}.{day}.{part}.{hour}.{meter}.{tenant}")
            }
            None => format!("{query:08x}.{day}.{part}"),
        }
    }

    /// Reads a text. `None`: it is none, or of another query.
    pub fn parse(text: &str, query: u32) -> Option<Self> {
        let mut words = text.splitn(6, '.');
        let own = u32::from_str_radix(words.next()?, 16).ok()?;
        let day = UsageHour::parse(words.next()?)?;
        let part = words.next()?.parse::<u8>().ok();
        let part = part.filter(|part| *part < UsageIndexQuery::PARTS)?;
        let row = match words.next() {
            None => None,
            Some(hour) => {
                let meter = words.next()?.parse().ok()?;
                let tenant = TenantId::parse(words.next()?).ok()?;
                Some((tenant, UsageHour::parse(hour)?, meter))
            }
        };
        (own == query && day == day.day()).then_some(Self { day, part, row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_query_only() {
        let day = UsageHour::parse("2026112800").unwrap();
        let tenant = TenantId::parse("a.b.c").unwrap();
        for row in [None, Some((tenant, day.plus(3), 7))] {
            let cursor = UsageCursor { day, part: 5, row };
            let text = cursor.text(77);
            assert_eq!(UsageCursor::parse(&text, 77), Some(cursor));
            assert_eq!(UsageCursor::parse(&text, 78), None);
        }
        for text in [
            "",
            "x",
            "0000004d.2026112801.5",
            "0000004d.2026112800.64",
            "0000004d.2026112800.255",
            "0000004d.2026112800.999",
            "0000004d.2026112800.5.2026112803.7",
        ] {
            assert_eq!(UsageCursor::parse(text, 77), None, "{text}");
        }
    }
}
