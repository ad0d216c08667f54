//! The series of tenants at `/metrics/tenants`.
//!
//! The first tenants that the process meets have series of their own until it ends, and all others share the
//! series `_other`: so no counter ever goes back, no amount is in two series, and the sum of all is what the
//! node counted.

use std::fmt::Write;

use foldhash::{HashMap, HashMapExt};
use protocol::{TenantId, UsageCounts, UsageMeter};
use router_core::shard::{SocketCounts, UsageReport};

/// The label of those that have no series of their own. No tenant id begins with an underscore.
const OTHERS: &str = "_other";

/// What each tenant used since the process started.
pub(crate) struct TenantSeries {
    most: usize,
    own: HashMap<TenantId, Box<TenantTotals>>,
    /// All others together; nothing is kept of each.
    others: TenantTotals,
}

/// What a tenant used, and how many sockets it has.
#[derive(Default)]
struct TenantTotals {
    counts: UsageCounts,
    sockets: SocketCounts,
}

impl TenantSeries {
    /// No tenants yet, and at most so many with series of their own; 0: the page is off.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            own: HashMap::new(),
            others: TenantTotals::default(),
        }
    }

    /// Whether the page is off.
    pub(crate) fn is_off(&self) -> bool {
        self.most == 0
    }

    /// Adds what a tenant reports.
    pub(crate) fn add(&mut self, report: &UsageReport) {
        if self.is_off() {
            return;
        }
        let (before, now) = (report.sockets_before, report.unbooked.sockets);
        let has_place = self.own.len() < self.most;
        let own = match self.own.get_mut(&report.tenant) {
            None if has_place => Some(self.own.entry(report.tenant.clone()).or_default()),
            own => own,
        };
        if let Some(own) = own {
            own.counts.add(&report.added);
            own.sockets = now;
            return;
        }
        self.others.counts.add(&report.added);
        let sockets = &mut self.others.sockets;
        sockets.bots = sockets.bots + now.bots - before.bots;
        sockets.clients = sockets.clients + now.clients - before.clients;
    }

    /// The page, in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        let own = self.own.iter();
        let mut all: Vec<(&str, &TenantTotals)> = own
            .map(|(tenant, totals)| (tenant.as_str(), &**totals))
            .collect();
        all.sort_unstable_by_key(|(tenant, _)| *tenant);
        all.push((OTHERS, &self.others));
        let mut page = String::with_capacity(all.len() * 1024);
        for family in FAMILIES {
            family.render(&all, &mut page);
        }
        page
    }
}

/// Every metric of the page, for the documents.
pub fn tenant_families() -> impl Iterator<Item = &'static TenantFamily> {
    FAMILIES.iter()
}

/// A metric of the page.
pub struct TenantFamily {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The label besides `tenant`; empty: none.
    pub label: &'static str,
    /// Each value of the label, and what is counted for it.
    series: &'static [(&'static str, SeriesValue)],
}

/// Where the value of a series is from.
#[derive(Clone, Copy)]
enum SeriesValue {
    /// A meter.
    Meter(UsageMeter),
    /// The sockets that hold a bot, now.
    BotSockets,
    /// The other sockets, now.
    ClientSockets,
}

use SeriesValue::{BotSockets, ClientSockets, Meter};

/// Every metric of the page.
const FAMILIES: &[TenantFamily] = &[
    TenantFamily {
        name: "t2b_tenant_messages_total",
        help: "Messages of the tenant, by outcome",
        label: "outcome",
        series: &[
            ("accepted", Meter(UsageMeter::MessagesAccepted)),
            ("duplicate", Meter(UsageMeter::MessagesDuplicate)),
            ("refused_client", Meter(UsageMeter::MessagesRefusedClient)),
            ("refused_limit", Meter(UsageMeter::MessagesRefusedLimit)),
            (
                "refused_recipient",
                Meter(UsageMeter::MessagesRefusedRecipient),
            ),
            (
                "refused_platform",
                Meter(UsageMeter::MessagesRefusedPlatform),
            ),
        ],
    },
    TenantFamily {
        name: "t2b_tenant_refusals_total",
        help: "Messages of the tenant that were refused, by who can do something about it",
        label: "class",
        series: &[
            ("client", Meter(UsageMeter::MessagesRefusedClient)),
            ("limit", Meter(UsageMeter::MessagesRefusedLimit)),
            ("recipient", Meter(UsageMeter::MessagesRefusedRecipient)),
            ("platform", Meter(UsageMeter::MessagesRefusedPlatform)),
        ],
    },
    TenantFamily {
        name: "t2b_tenant_deliveries_total",
        help: "Copies that were put into queues of connections, by kind",
        label: "kind",
        series: &[
            ("message", Meter(UsageMeter::MessagesDelivered)),
            ("partial", Meter(UsageMeter::PartialsDelivered)),
        ],
    },
    TenantFamily {
        name: "t2b_tenant_bytes_total",
        help: "Bytes of text frames on sockets",
        label: "direction",
        series: &[
            ("in", Meter(UsageMeter::BytesIn)),
            ("out", Meter(UsageMeter::BytesOut)),
        ],
    },
    TenantFamily {
        name: "t2b_tenant_connection_seconds_total",
        help: "Time for which sockets are open, seconds",
        label: "kind",
        series: &[
            ("bot", Meter(UsageMeter::ConnectionSecondsBot)),
            ("client", Meter(UsageMeter::ConnectionSecondsClient)),
        ],
    },
    TenantFamily {
        name: "t2b_tenant_http_requests_total",
        help: "Requests to the HTTP API",
        label: "",
        series: &[("", Meter(UsageMeter::HttpRequests))],
    },
    TenantFamily {
        name: "t2b_tenant_connections",
        help: "Open sockets",
        label: "kind",
        series: &[("bot", BotSockets), ("client", ClientSockets)],
    },
];

impl TenantFamily {
    /// The values of its label; none if it has no label.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        let values = self.series.iter().map(|(value, _)| *value);
        values.filter(|value| !value.is_empty())
    }

    /// Whether its values only rise.
    pub fn is_counter(&self) -> bool {
        self.name.ends_with("_total")
    }

    /// A string takes all that is written to it.
    fn render(&self, all: &[(&str, &TenantTotals)], page: &mut String) {
        let Self {
            name, help, label, ..
        } = self;
        let kind = if self.is_counter() {
            "counter"
        } else {
            "gauge"
        };
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (tenant, totals) in all {
            for (value, of) in self.series {
                let _ = write!(page, "{name}{{tenant=\"{tenant}\"");
                if !label.is_empty() {
                    let _ = write!(page, ",{label}=\"{value}\"");
                }
                let amount = match of {
                    Meter(meter) => meter.shown(totals.counts[*meter]),
                    BotSockets => totals.sockets.bots.to_string(),
                    ClientSockets => totals.sockets.clients.to_string(),
                };
                let _ = writeln!(page, "}} {amount}");
            }
        }
        page.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use router_core::shard::UnbookedUsage;

    use super::*;

    /// A tenant used as much, and has so many sockets that hold a bot, before and now.
    fn report(tenant: usize, amount: u64, [before, now]: [u32; 2]) -> UsageReport {
        let sockets = |bots| SocketCounts { bots, clients: 1 };
        let mut added = UsageCounts::default();
        added[UsageMeter::BytesIn] = amount;
        added[UsageMeter::ConnectionSecondsBot] = 10 * amount;
        UsageReport {
            tenant: TenantId::parse(&format!("owner-{tenant}")).unwrap(),
            added,
            sockets_before: sockets(before),
            unbooked: UnbookedUsage {
                records: Default::default(),
                time_seq: 1,
                sockets: sockets(now),
                timed_unix_ms: 0,
            },
        }
    }

    fn values(series: &TenantSeries) -> BTreeMap<String, f64> {
        let page = series.render();
        let lines = page.lines().filter(|line| line.starts_with("t2b_"));
        let values = lines.map(|line| line.rsplit_once(' ').unwrap());
        values
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    fn sum(values: &BTreeMap<String, f64>, name: &str, label: &str) -> f64 {
        let own = values
            .iter()
            .filter(|(series, _)| series.starts_with(name) && series.contains(label));
        own.map(|(_, value)| value).sum()
    }

    #[test]
    fn no_counter_goes_back_and_all_series_add_up_to_what_was_counted() {
        let mut series = TenantSeries::new(3);
        let (mut bytes, mut bots, mut before) = (0, [0; 10], BTreeMap::<String, f64>::new());
        for step in 0..300 {
            let tenant = (step * 7 + step / 10) % 10;
            let amount = step as u64 % 13;
            let bots_before = std::mem::replace(&mut bots[tenant], step as u32 % 4);
            bytes += amount;
            series.add(&report(tenant, amount, [bots_before, bots[tenant]]));
            let now = values(&series);
            for (name, old) in &before {
                let is_counter = name.contains("_total{");
                assert!(
                    !is_counter || now[name] >= *old,
                    "{name}: {} < {old}",
                    now[name]
                );
            }
            let received = sum(&now, "t2b_tenant_bytes_total", "direction=\"in\"");
            assert_eq!(received, bytes as f64);
            let open = sum(&now, "t2b_tenant_connections", "kind=\"bot\"");
            assert_eq!(open, f64::from(bots.iter().sum::<u32>()));
            before = now;
        }
        let named = before.keys().filter(|name| name.contains("http"));
        assert_eq!(named.count(), 3 + 1);
        let seconds = sum(&before, "t2b_tenant_connection_seconds_total", "bot");
        assert!((seconds * 100.0 - bytes as f64).abs() < 1e-6);
    }
}
