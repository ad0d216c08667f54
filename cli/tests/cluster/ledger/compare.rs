//! The ledger beside what clients saw.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use protocol::UsageMeter;
use protocol::http::{UsagePage, UsageRow};

use super::seen::{SeenEvent, SeenUsage, name};
use crate::gateway::GatewayNode;

/// How much later than it should a node may write on a busy machine.
const LATE: Duration = Duration::from_millis(400);

/// Every row of the ledger, by tenant.
pub async fn read_ledger(node: &GatewayNode) -> BTreeMap<String, BTreeMap<UsageMeter, u64>> {
    let mut ledger: BTreeMap<String, BTreeMap<UsageMeter, u64>> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/admin/v1/usage?open=true&step=day{cursor}");
        let (status, body) = node.get(&path).await.expect("an answer");
        assert_eq!(status, 200, "{body}");
        let page: UsagePage = serde_json::from_str(&body).unwrap();
        for row in page.rows {
            let amount = UsageRow::amount(&row).unwrap();
            *ledger
                .entry(row.tenant)
                .or_default()
                .entry(row.meter)
                .or_default() += amount;
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ledger,
        }
    }
}

/// Compares what clients saw with the ledger; the messages that were answered and are not in it. Panics: the ledger
/// lacks more than killed nodes may have lost, or has more than anybody did.
pub fn compare(
    seen: &SeenUsage,
    ledger: &BTreeMap<String, BTreeMap<UsageMeter, u64>>,
    kills: &[(usize, Instant)],
    unwritten: Duration,
) -> u64 {
    let mut lost = 0;
    let is_lost = |event: &SeenEvent| {
        let mut kills = kills.iter().filter(|(node, _)| *node == event.node);
        kills.any(|(_, at)| event.at + unwritten + LATE >= *at && event.at <= *at + LATE)
    };
    for (number, tenant) in seen.tenants.iter().enumerate() {
        let tenant = tenant.lock().unwrap();
        let name = name(number);
        let booked = &ledger[&name];
        for (meter, events) in &tenant.events {
            let sum = |events: &mut dyn Iterator<Item = &SeenEvent>| -> u64 {
                events.map(|event| event.amount).sum()
            };
            let mut all = sum(&mut events.iter());
            if *meter == UsageMeter::MessagesDelivered {
                // One that is accepted is in the bot's queue, also if the bot never reads it.
                let accepted = tenant.events.get(&UsageMeter::MessagesAccepted);
                all = all.max(sum(&mut accepted.into_iter().flatten()));
            }
            let least = sum(&mut events.iter().filter(|event| !is_lost(event)));
            let unsure = tenant.unsure.get(meter).copied().unwrap_or(0);
            let amount = booked.get(meter).copied().unwrap_or(0);
            assert!(
                amount >= least && amount <= all + unsure,
                "{name}: {meter} is {amount}, and {least} to {all} + {unsure} were seen"
            );
            if *meter == UsageMeter::MessagesSent {
                lost += all.saturating_sub(amount);
            }
        }
    }
    lost
}
