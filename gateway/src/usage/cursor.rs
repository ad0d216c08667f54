//! Where a page of usage ends.

use protocol::{TenantId, UsageHour};
use router_core::store::UsageIndexQuery;

/// The last row of a page: the next page begins behind it.
///
/// Text: `<query>.<from>.<to>.<day>.<part>.<hour>.<meter>.<tenant>`. Callers are to treat it as opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsageCursor {
    /// The first hour of the day.
    pub day: UsageHour,
    /// The part of the day's index: below [`UsageIndexQuery::PARTS`].
    pub part: u8,
    /// The tenant, period and meter of the last row; absent: the part has none left.
    pub row: Option<(TenantId, UsageHour, usize)>,
}

/// The query that a cursor is of. Every page has the range with which the walk began, also if the query names
/// none and the default has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CursorQuery {
    /// Tells one query from another.
    pub number: u32,
    /// The first hour of the range.
    pub from: UsageHour,
    /// The hour after the last.
    pub to: UsageHour,
}

impl CursorQuery {
    /// The query that a cursor's text names. `None`: it is no cursor.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split('.');
        Some(Self {
            number: u32::from_str_radix(words.next()?, 16).ok()?,
            from: UsageHour::parse(words.next()?)?,
            to: UsageHour::parse(words.next()?)?,
        })
    }
}

impl UsageCursor {
    /// The text of it, for a query.
    pub fn text(&self, query: CursorQuery) -> String {
        let CursorQuery { number, from, to } = query;
        let Self { day, part, row } = self;
        match row {
            Some((tenant, hour, meter)) => {
                format!("{number:08x}.{from}.{to}.{day}.{part}.{hour}.{meter}.{tenant}")
            }
            None => format!("{number:08x}.{from}.{to}.{day}.{part}"),
        }
    }

    /// Reads a text. `None`: it is none, or of another query.
    pub fn parse(text: &str, query: CursorQuery) -> Option<Self> {
        // A tenant's id may have dots.
        let mut words = text.splitn(8, '.').skip(3);
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
        let is_own =
            CursorQuery::parse(text) == Some(query) && (query.from.day()..query.to).contains(&day);
        (is_own && day == day.day()).then_some(Self { day, part, row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_query_only() {
        let day = UsageHour::parse("2026112800").unwrap();
        let tenant = TenantId::parse("a.b.c").unwrap();
        let query = |number| CursorQuery {
            number,
            from: day.plus(3),
            to: day.plus(9),
        };
        for row in [None, Some((tenant, day.plus(3), 7))] {
            let cursor = UsageCursor { day, part: 5, row };
            let text = cursor.text(query(77));
            assert_eq!(CursorQuery::parse(&text), Some(query(77)));
            assert_eq!(UsageCursor::parse(&text, query(77)), Some(cursor));
            assert_eq!(UsageCursor::parse(&text, query(78)), None);
            for (from, to) in [(3, 10), (4, 9)] {
                let other = CursorQuery {
                    from: day.plus(from),
                    to: day.plus(to),
                    ..query(77)
                };
                assert_eq!(UsageCursor::parse(&text, other), None);
            }
        }
        for text in [
            "",
            "x",
            "0000004d.2026112803.2026112809",
            "0000004d.2026112803.2026112809.2026112801.5",
            "0000004d.2026112803.2026112809.2026112700.5",
            "0000004d.2026112803.2026112809.2026112900.5",
            "0000004d.2026112803.2026112809.2026112800.64",
            "0000004d.2026112803.2026112809.2026112800.255",
            "0000004d.2026112803.2026112809.2026112800.999",
            "0000004d.2026112803.2026112809.2026112800.5.2026112803.7",
            "0000004d.2026112803.x.2026112800.5",
            "x.2026112803.2026112809.2026112800.5",
        ] {
            assert_eq!(UsageCursor::parse(text, query(77)), None, "{text}");
        }
        let text = "0000004d.2026112803.2026112809.2026112800.63";
        assert!(UsageCursor::parse(text, query(77)).is_some());
    }
}
