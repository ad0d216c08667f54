//! The range of a query.

use protocol::UsageHour;
use protocol::http::UsageStep;
use protocol::limits::USAGE_RANGE_HOURS;

use super::cursor::CursorQuery;

/// This month until the end of the present hour or day.
pub(super) fn default_range(step: UsageStep, now: UsageHour) -> (UsageHour, UsageHour) {
    let to = match step {
        UsageStep::Hour => now.plus(1),
        UsageStep::Day => now.day().plus(UsageHour::PER_DAY),
    };
    (now.month(), to)
}

/// The range with which the walk of a cursor began. `None`: it is no range, or not the given one.
pub(super) fn range_of(
    cursor: &str,
    (from, to): (Option<UsageHour>, Option<UsageHour>),
    step: UsageStep,
) -> Option<(UsageHour, UsageHour)> {
    let began = CursorQuery::parse(cursor)?;
    let is_given = from.is_none_or(|from| from == began.from) && to.is_none_or(|to| to == began.to);
    let is_whole = |hour: UsageHour| step == UsageStep::Hour || hour == hour.day();
    let is_range = is_range(began.from, began.to) && is_whole(began.from) && is_whole(began.to);
    (is_given && is_range).then_some((began.from, began.to))
}

/// Whether a request may ask for so much.
pub(super) fn is_range(from: UsageHour, to: UsageHour) -> bool {
    from < to && to <= from.plus(USAGE_RANGE_HOURS)
}
