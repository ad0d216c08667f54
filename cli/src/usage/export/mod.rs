//! `usage export`: closed rows of the ledger as billing events, each once at every receiver.
//!
//! ```text
//!  ledger ──pages──▶ survey: who is the customer of each row? which hours are closed for certain?
//!         ──pages──▶ delivery: day by day ──batch──▶ outlet: sent, request or print, acknowledged
//!                       │                              │
//!                       └── report ◀── rows in doubt ──┴──▶ state
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `rules.rs` | what each receiver takes and remembers: the one table |
//! | `row_key.rs`, `shapes.rs`, `customers.rs` | a row, its event, its customer |
//! | `plan.rs` | what is asked for: range, meters, receiver |
//! | `reading.rs` | rows of the plan, page by page |
//! | `survey.rs`, `delivery.rs` | the two passes over the ledger |
//! | `outlet.rs` | a batch, until it is acknowledged or given up |
//! | `post/` | requests, and what answers mean |
//! | `state/` | the durable state of every row |
//! | `report.rs`, `decisions.rs` | rows that need a person, and what the person decided |

mod clock;
mod customers;
mod decisions;
mod delivery;
#[cfg(test)]
mod golden;
mod outlet;
mod plan;
mod post;
mod reading;
mod report;
mod row_key;
mod rules;
mod shapes;
mod state;
mod survey;

use gateway::config::ConfigPurpose;

use crate::export_args::ExportUsageArgs;
use crate::failure::CommandFailure;
use crate::out::{self, tell};
use customers::CustomerMap;
use delivery::ExportDelivery;
use outlet::EventOutlet;
use plan::ExportPlan;
use report::RowReport;
use state::StateFile;
use survey::LedgerSurvey;

/// Exports rows, or writes down what a person decided about rows that were reported.
///
/// # Errors
///
/// Exit 64: wrong usage; nothing was sent. Exit 75: the receiver does not take the rows now, or another export runs. Exit 1:
/// the receiver refuses rows, or rows need a decision.
pub async fn export(args: ExportUsageArgs) -> Result<(), CommandFailure> {
    let mut state = args.state.as_deref().map(StateFile::open).transpose()?;
    if let Some(state) = &mut state
        && !args.decisions.is_empty()
    {
        return decisions::write(&args, state);
    }
    let plan = ExportPlan::of(&args, state.as_mut(), clock::unix_ms())?;
    let customers = CustomerMap::load(args.customers.as_deref(), &plan.rules)?;
    let mut outlet = EventOutlet::new(&args, &plan)?;
    let config = args.config.load(ConfigPurpose::Admin)?;
    if plan.is_empty() {
        tell!("nothing is new since the last export");
        return report::finish(&plan, state.as_ref(), &RowReport::default());
    }
    let survey = LedgerSurvey::make(
        &config,
        &plan,
        (&customers, args.skip_unknown),
        state.as_ref(),
    );
    let survey = survey.await?;
    if let (Some(state), Some(space)) = (&mut state, &survey.space) {
        state.claim(&plan.head(&space.cluster))?;
        state.begin(plan.from)?;
    }
    let mut delivery = ExportDelivery::new(&plan, &customers, args.skip_unknown);
    let done = delivery
        .run(&config, &survey, &mut outlet, state.as_mut())
        .await;
    let (sent, skipped) = (delivery.delivered, delivery.skipped);
    let until = survey.closed_to.min(plan.to).rfc3339();
    tell!(
        "{} exported; hours until {until} are closed",
        out::count(sent, "row")
    );
    if skipped > 0 {
        let text = format!(
            "{} left out: their users are not in --customers",
            out::count(skipped, "row")
        );
        out::tell_warning(&text);
    }
    let reported = report::finish(&plan, state.as_ref(), &delivery.report);
    done.and(reported)
}
