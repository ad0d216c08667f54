//! Rows of usage, page by page.

use form_urlencoded::Serializer;
use gateway::config::Config;
use protocol::http::{UsagePage, UsageRow};

use crate::admin;
use crate::args::UsageRange;
use crate::failure::CommandFailure;

/// Asks for rows until there are none left, and hands each page over.
pub(super) async fn each_page(
    config: &Config,
    range: &UsageRange,
    (step, open): (&str, bool),
    mut take: impl FnMut(Vec<UsageRow>) -> Result<(), CommandFailure>,
) -> Result<(), CommandFailure> {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = Serializer::new(String::new());
        query.append_pair("step", step);
        query.append_pair("open", if open { "true" } else { "false" });
        let members = [
            ("from", range.from.as_deref()),
            ("to", range.to.as_deref()),
            ("meter", range.meter.as_deref()),
            ("tenant", range.user.as_ref().map(|user| user.as_str())),
            ("cursor", cursor.as_deref()),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let page = admin::get(config, &format!("usage?{}", query.finish())).await?;
        let page: UsagePage =
            serde_json::from_value(page).map_err(|error| CommandFailure::failed("admin", error))?;
        take(page.rows)?;
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}
