//! The gateway's side: `GET /admin/v1/usage` over rows that a test puts there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use protocol::http::{UsagePage, UsageRow, UsageStep};
use protocol::{TenantId, UsageHour, UsageMeter};

use super::billing::BilledTotals;
use super::server::{MockReply, MockRequest, serve};

pub const TOKEN: &str = "the-admin-token-of-the-ledger";
/// Small, so that most exports read several pages.
const PAGE_ROWS: usize = 7;

/// A ledger with a clock of its own: the first hour that is open.
#[derive(Clone)]
pub struct MockLedger {
    pub address: String,
    content: Arc<Mutex<LedgerContent>>,
}

struct LedgerContent {
    cluster: String,
    /// In the order of the API: day, user, period and meter.
    rows: BTreeMap<(UsageHour, String, UsageHour, UsageMeter), u64>,
    open_from: UsageHour,
    /// After how many more requests the first open hour is another one.
    closing: Option<(u32, UsageHour)>,
}

impl MockLedger {
    /// An empty ledger whose first open hour is this one.
    pub fn start(open_from: UsageHour) -> Self {
        let content = Arc::new(Mutex::new(LedgerContent {
            cluster: "t2b".to_owned(),
            rows: BTreeMap::new(),
            open_from,
            closing: None,
        }));
        let served = Arc::clone(&content);
        let address = serve(move |request| served.lock().unwrap().answer(&request));
        Self { address, content }
    }

    /// Adds usage, in the unit of the ledger: milliseconds where the meter's unit is seconds.
    pub fn add(&self, user: &str, meter: UsageMeter, hour: UsageHour, amount: u64) {
        let mut content = self.content.lock().unwrap();
        let key = (hour.day(), user.to_owned(), hour, meter);
        *content.rows.entry(key).or_default() += amount;
    }

    /// Closes every hour before this one.
    pub fn close(&self, open_from: UsageHour) {
        self.content.lock().unwrap().open_from = open_from;
    }

    /// After so many requests, closes every hour before this one, and shows the others as open.
    pub fn close_after(&self, requests: u32, open_from: UsageHour) {
        self.content.lock().unwrap().closing = Some((requests, open_from));
    }

    pub fn rename(&self, cluster: &str) {
        cluster.clone_into(&mut self.content.lock().unwrap().cluster);
    }

    /// What the closed rows add up to.
    pub fn totals(&self) -> BilledTotals {
        let content = self.content.lock().unwrap();
        let mut totals = BilledTotals::new();
        for ((_, user, hour, meter), amount) in &content.rows {
            if *hour < content.open_from {
                let thousandths = match meter.unit() {
                    "seconds" => *amount,
                    _ => amount * 1000,
                };
                let name = (user.clone(), format!("t2b_{meter}"));
                *totals.entry(name).or_default() += thousandths;
            }
        }
        totals
    }
}

impl LedgerContent {
    fn answer(&mut self, request: &MockRequest) -> MockReply {
        if let Some((requests, open_from)) = &mut self.closing {
            match requests.checked_sub(1) {
                Some(left) => *requests = left,
                None => self.open_from = *open_from,
            }
        }
        let is_allowed = request.header("authorization") == Some(&format!("Bearer {TOKEN}"));
        assert!(is_allowed && request.method == "GET");
        let (path, query) = request.target.split_once('?').unwrap();
        assert_eq!(path, "/admin/v1/usage");
        let query = query.replace("%3A", ":");
        let query: BTreeMap<&str, &str> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let hour = |name| UsageHour::parse_time(query[name]).unwrap();
        let (from, to) = (hour("from"), hour("to"));
        let step = match query["step"] {
            "day" => UsageStep::Day,
            _ => UsageStep::Hour,
        };
        let start: usize = query.get("cursor").map_or(0, |text| text.parse().unwrap());
        let is_asked =
            |name: &str, value: &str| query.get(name).is_none_or(|asked| *asked == value);
        let mut rows: BTreeMap<_, u64> = BTreeMap::new();
        for ((day, user, hour, meter), amount) in &self.rows {
            let is_in = (from..to).contains(hour);
            if is_in && is_asked("tenant", user) && is_asked("meter", meter.name()) {
                let period = if step == UsageStep::Day { *day } else { *hour };
                *rows.entry((*day, user, period, *meter)).or_default() += amount;
            }
        }
        let rows = rows
            .into_iter()
            .filter_map(|((_, user, period, meter), amount)| {
                let tenant = TenantId::parse(user).unwrap();
                let closed = period.plus(step.hours()) <= self.open_from;
                let names = (self.cluster.as_str(), &tenant);
                let row = UsageRow::new(names, (step, period), (meter, amount, 0), closed);
                (closed || query["open"] == "true").then_some(row)
            });
        let rows: Vec<_> = rows.collect();
        let end = rows.len().min(start + PAGE_ROWS);
        let page = UsagePage {
            as_of: self.open_from.rfc3339(),
            closed_until: self.open_from.rfc3339(),
            next_cursor: (end < rows.len()).then(|| end.to_string()),
            rows: rows[start.min(end)..end].to_vec(),
        };
        MockReply::Answer(200, String::new(), serde_json::to_string(&page).unwrap())
    }
}
