//! Rows of usage, page by page.

use form_urlencoded::Serializer;
use gateway::config::Config;
use protocol::http::{UsagePage, UsageRow};

use crate::admin;
use crate::args::{UsageRange, UsageRows};
use crate::failure::CommandFailure;

/// Asks for rows until there are none left, and hands each page over.
pub(super) async fn each_page(
    config: &Config,
    rows: &UsageRows,
    (step, open): (&str, bool),
    mut take: impl FnMut(Vec<UsageRow>) -> Result<(), CommandFailure>,
) -> Result<(), CommandFailure> {
    let mut cursor = None;
    loop {
        let page = one_page(config, rows, (step, open), cursor.as_deref()).await?;
        take(page.rows)?;
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Asks for one page: the first, or the one that a cursor names.
pub(super) async fn one_page(
    config: &Config,
    rows: &UsageRows,
    (step, open): (&str, bool),
    cursor: Option<&str>,
) -> Result<UsagePage, CommandFailure> {
    let mut query = range_query(&rows.range, cursor);
    query.append_pair("step", step);
    query.append_pair("open", if open { "true" } else { "false" });
    if let Some(meter) = &rows.meter {
        query.append_pair("meter", meter);
    }
    let query = query.finish();
    let page = admin::get(config, &format!("usage?{query}")).await?;
    serde_json::from_value(page).map_err(|error| CommandFailure::failed("admin", error))
}

/// The query of a page: its range, and where it begins.
pub(super) fn range_query(range: &UsageRange, cursor: Option<&str>) -> Serializer<'static, String> {
    let mut query = Serializer::new(String::new());
    let members = [
        ("from", range.from.as_deref()),
        ("to", range.to.as_deref()),
        ("tenant", range.user.as_ref().map(|user| user.as_str())),
        ("cursor", cursor),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query
}
