//! Which rows a request asks for.

use protocol::http::UsageStep;
use protocol::limits::LIST_MAX;
use protocol::{ErrorCode, Refusal, Rule, TenantId, UsageHour, UsageMeter};
use router_core::store::UsageIndexQuery;

use super::cursor::{CursorQuery, UsageCursor};
use super::range::{default_range, is_range, range_of};
use crate::http::QueryMembers;

/// The members of a query.
const OWNER_MEMBERS: &[&str] = &["from", "to", "step", "meter", "open", "limit", "cursor"];
const CHECK_MEMBERS: &[&str] = &["from", "to", "tenant", "cursor"];

/// A range of the ledger, and which of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsageWindow {
    /// The first hour.
    pub(super) from: UsageHour,
    /// The hour after the last.
    pub(super) to: UsageHour,
    /// Whether the query has `from`, and `to`.
    has_range: [bool; 2],
    pub(super) step: UsageStep,
    /// Absent: all tenants.
    pub(super) tenant: Option<TenantId>,
    /// Absent: all meters.
    pub(super) meter: Option<UsageMeter>,
    /// Whether rows that may still change are wanted too.
    pub(super) open: bool,
    /// Most rows.
    pub(super) limit: usize,
    pub(super) after: Option<UsageCursor>,
}

impl UsageWindow {
    /// Reads the members of a query but its cursor. It may have these names and no others. Without `from` and
    /// `to` the range is that of the cursor, and without a cursor the time from the beginning of the month.
    /// `now`: the present hour.
    ///
    /// # Errors
    ///
    /// `bad_request` with the member and its rule.
    fn of(query: &QueryMembers<'_>, names: &[&str], now: UsageHour) -> Result<Self, Refusal> {
        query.only(names)?;
        let wrong = |rule| Refusal::over(ErrorCode::BadRequest, rule);
        let step = match query.text("step").as_deref() {
            None | Some("hour") => UsageStep::Hour,
            Some("day") => UsageStep::Day,
            Some(_) => return Err(wrong(Rule::UsageStep)),
        };
        let time = |name: &str, rule| match query.text(name) {
            None => Ok(None),
            Some(text) => UsageHour::parse_time(&text)
                .filter(|hour| step == UsageStep::Hour || *hour == hour.day())
                .map(Some)
                .ok_or_else(|| wrong(rule)),
        };
        let given = (time("from", Rule::UsageFrom)?, time("to", Rule::UsageTo)?);
        let (from, to) = match query.text("cursor") {
            Some(text) => range_of(&text, given, step).ok_or_else(|| wrong(Rule::UsageCursor))?,
            None => {
                let (from, to) = default_range(step, now);
                (given.0.unwrap_or(from), given.1.unwrap_or(to))
            }
        };
        if !is_range(from, to) {
            return Err(wrong(Rule::UsageTo));
        }
        let tenant = query.text("tenant");
        let tenant = tenant.map(|tenant| TenantId::parse(&tenant)).transpose();
        let meter = query.text("meter");
        let meter =
            meter.map(|meter| UsageMeter::parse(&meter).ok_or_else(|| wrong(Rule::UsageMeter)));
        let open = match query.text("open").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(wrong(Rule::UsageOpen)),
        };
        let limit: Option<u32> = query.number(Rule::Limit)?;
        if limit.is_some_and(|limit| !(1..=LIST_MAX).contains(&limit)) {
            return Err(wrong(Rule::Limit));
        }
        Ok(Self {
            from,
            to,
            has_range: [given.0.is_some(), given.1.is_some()],
            step,
            tenant: tenant.map_err(|_| wrong(Rule::UsageTenant))?,
            meter: meter.transpose()?,
            open,
            limit: limit.unwrap_or(LIST_MAX) as usize,
            after: None,
        })
    }

    /// The rows behind a cursor. Errors: `bad_request`, it is none of this query.
    fn behind(self, cursor: Option<String>) -> Result<Self, Refusal> {
        let Some(text) = cursor else {
            return Ok(self);
        };
        match UsageCursor::parse(&text, self.cursor_query()) {
            Some(cursor) => Ok(Self {
                after: Some(cursor),
                ..self
            }),
            None => Err(Refusal::over(ErrorCode::BadRequest, Rule::UsageCursor)),
        }
    }

    /// What an operator asks for. Errors: `bad_request` with the member and its rule.
    pub(crate) fn of_operator(query: &QueryMembers<'_>, now: UsageHour) -> Result<Self, Refusal> {
        let window = Self::of(query, &[OWNER_MEMBERS, &["tenant"]].concat(), now)?;
        window.behind(query.text("cursor"))
    }

    /// What an operator has checked: whole hours, with all their meters. Errors: `bad_request` with the member and
    /// its rule.
    pub(crate) fn of_check(query: &QueryMembers<'_>, now: UsageHour) -> Result<Self, Refusal> {
        let window = Self::of(query, CHECK_MEMBERS, now)?;
        window.behind(query.text("cursor"))
    }

    /// What the owner of a tenant's account asks for: it may not name a tenant. Errors: `bad_request` with the member
    /// and its rule.
    pub(crate) fn of_owner(
        query: &QueryMembers<'_>,
        now: UsageHour,
        tenant: TenantId,
    ) -> Result<Self, Refusal> {
        let window = Self {
            tenant: Some(tenant),
            ..Self::of(query, OWNER_MEMBERS, now)?
        };
        window.behind(query.text("cursor"))
    }

    /// The day and part of the index that the page begins with.
    pub(super) fn first_part(&self) -> (UsageHour, u8) {
        let after = self.after.as_ref();
        after.map_or((self.from.day(), 0), |after| (after.day, after.part))
    }

    /// The day and part that come after these; `None`: none.
    pub(super) fn part_after(&self, day: UsageHour, part: u8) -> Option<(UsageHour, u8)> {
        let parts = match self.tenant {
            Some(_) => 1,
            None => UsageIndexQuery::PARTS,
        };
        if part + 1 < parts {
            return Some((day, part + 1));
        }
        let day = day.plus(UsageHour::PER_DAY);
        (day < self.to).then_some((day, 0))
    }

    /// Whether all rows of a tenant were on pages before.
    pub(super) fn is_over(&self, day: UsageHour, part: u8, tenant: &TenantId) -> bool {
        let last = self.last_row(day, part);
        last.is_some_and(|(last, ..)| tenant < last)
    }

    /// Whether a row of the first part was on a page before.
    pub(super) fn has_passed(
        &self,
        tenant: &TenantId,
        period: UsageHour,
        meter: UsageMeter,
    ) -> bool {
        let after = self.after.as_ref().and_then(|after| after.row.as_ref());
        after.is_some_and(|(last, hour, index)| {
            tenant == last && (period, meter.index()) <= (*hour, *index)
        })
    }

    fn last_row(&self, day: UsageHour, part: u8) -> Option<&(TenantId, UsageHour, usize)> {
        let after = self.after.as_ref()?;
        let row = after.row.as_ref()?;
        ((after.day, after.part) == (day, part)).then_some(row)
    }

    /// What tells this query from others, whatever the page: FNV-1a of what is asked, and the range.
    pub(super) fn cursor_query(&self) -> CursorQuery {
        let Self {
            from,
            to,
            has_range,
            step,
            tenant,
            meter,
            open,
            ..
        } = self;
        let text = format!("{from} {to} {has_range:?} {step:?} {tenant:?} {meter:?} {open}");
        let number = text.bytes().fold(0x811c_9dc5, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        CursorQuery {
            number,
            from: *from,
            to: *to,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::limits::USAGE_RANGE_HOURS;

    use super::*;

    fn read(query: &str) -> Result<UsageWindow, &'static str> {
        let now = UsageHour::parse("2026112809").unwrap();
        let window = UsageWindow::of_operator(&QueryMembers::new(query), now);
        window.map_err(|refusal| refusal.fault.map_or("", |fault| fault.field()))
    }

    #[test]
    fn a_query_without_members_is_this_month() {
        let window = read("").unwrap();
        assert_eq!(window.from.to_string(), "2026110100");
        assert_eq!(window.to.to_string(), "2026112810");
        assert_eq!((window.limit, window.open), (1000, false));
        assert_eq!(read("step=day").unwrap().to.to_string(), "2026112900");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, field) in [
            ("from=yesterday", "from"),
            ("step=day&from=2026-11-28T09:00:00Z", "from"),
            ("from=2026-11-28&to=2026-11-28", "to"),
            ("from=2026-11-28&to=2026-11-27", "to"),
            ("from=2026-09-01&to=2026-11-28", "to"),
            ("step=month", "step"),
            ("meter=messages", "meter"),
            ("tenant=a%20b", "tenant"),
            ("open=1", "open"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("cursor=x", "cursor"),
        ] {
            assert_eq!(read(query), Err(field), "{query}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_query() {
        let window = read("from=2026-11-27&to=2026-11-28").unwrap();
        let cursor = UsageCursor {
            day: window.from,
            part: 3,
            row: None,
        };
        let text = cursor.text(window.cursor_query());
        let next = |query: &str| read(&format!("{query}&cursor={text}"));
        let again = next("from=2026-11-27&to=2026-11-28&limit=7").unwrap();
        assert_eq!(again.after, Some(cursor));
        for other in [
            "from=2026-11-26&to=2026-11-28",
            "from=2026-11-27&to=2026-11-28&open=true",
            "from=2026-11-27&to=2026-11-28&step=day",
            "from=2026-11-27&to=2026-11-28&tenant=a",
            "from=2026-11-27",
            "to=2026-11-28",
            "",
        ] {
            assert_eq!(next(other), Err("cursor"), "{other}");
        }
    }

    #[test]
    fn a_cursor_has_a_range_that_a_query_may_have() {
        let window = read("step=day").unwrap();
        let (day, next, wrong) = (window.from, window.to, Err("cursor"));
        for (from, to, expected) in [
            (day, next, Ok(Some(3))),
            (day.plus(1), next, wrong),
            (day, next.minus(1), wrong),
            (day, day, wrong),
            (day, day.plus(USAGE_RANGE_HOURS + 24), wrong),
        ] {
            let window = UsageWindow {
                from,
                to,
                ..window.clone()
            };
            let (day, part, row) = (day, 3, None);
            let text = UsageCursor { day, part, row }.text(window.cursor_query());
            let next = read(&format!("step=day&cursor={text}"));
            let part = next.map(|next| next.after.map(|after| after.part));
            assert_eq!(part, expected, "{from} {to}");
        }
    }

    #[test]
    fn a_walk_over_pages_sees_one_range() {
        let read = |query: &str, now: &str| {
            let now = UsageHour::parse(now).unwrap();
            UsageWindow::of_operator(&QueryMembers::new(query), now)
        };
        for (query, began, later) in [
            ("", "2026112809", "2026112810"),
            ("step=day", "2026112823", "2026112900"),
            ("from=2026-11-28", "2026113023", "2026120100"),
            ("", "2026113023", "2026120100"),
        ] {
            let window = read(query, began).unwrap();
            let cursor = UsageCursor {
                day: window.from.day(),
                part: 3,
                row: None,
            };
            let text = cursor.text(window.cursor_query());
            let next = read(&format!("{query}&cursor={text}"), later).unwrap();
            assert_eq!((next.from, next.to), (window.from, window.to), "{query}");
        }
    }
}
