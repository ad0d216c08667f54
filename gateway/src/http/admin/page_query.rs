//! The query of a request for a page of tenants.

use protocol::TenantId;

use super::refusal::PlainRefusal;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// Which page is asked for: `limit` tenants, 1 to 1,000, 100 if it is absent, after the tenant `after`.
pub(super) struct PageQuery {
    pub after: Option<TenantId>,
    pub limit: usize,
}

impl PageQuery {
    /// Errors: a sentence about the member that is wrong.
    pub fn of(query: &str) -> Result<Self, PlainRefusal> {
        let bad = |text: &'static str| PlainRefusal::bad_request(text);
        let (mut after, mut limit) = (None, LIMIT_DEFAULT);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "after" => match TenantId::parse(&value) {
                    Ok(tenant) => after = Some(tenant),
                    Err(_) => return Err(bad("after: not a valid tenant id")),
                },
                "limit" => match value.parse() {
                    Ok(asked) if (1..=LIMIT_MAX).contains(&asked) => limit = asked,
                    Ok(_) | Err(_) => return Err(bad("limit: not a number from 1 to 1000")),
                },
                _ => return Err(bad("only after and limit may be given")),
            }
        }
        Ok(Self { after, limit })
    }
}
