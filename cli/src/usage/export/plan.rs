//! What is asked for: the range, the meters, the receiver.

use std::time::Duration;

use protocol::http::UsageStep;
use protocol::limits::USAGE_RANGE_HOURS;
use protocol::{TenantId, UsageHour, UsageMeter};

use super::row_key::step_name;
use super::rules::{self, ReceiverRules};
use super::state::{ExportWay, StateFile, StateHead};
use crate::args::{UsageRange, UsageRows};
use crate::export_args::ExportUsageArgs;
use crate::failure::CommandFailure;
use crate::out;

/// An export, checked.
#[derive(Debug, Clone)]
pub(super) struct ExportPlan {
    pub(super) rules: ReceiverRules,
    pub(super) way: ExportWay,
    pub(super) step: UsageStep,
    /// The first hour.
    pub(super) from: UsageHour,
    /// The hour after the last.
    pub(super) to: UsageHour,
    pub(super) meters: Vec<UsageMeter>,
    pub(super) user: Option<TenantId>,
    /// How long a request to the receiver may take.
    pub(super) timeout: Duration,
}

impl ExportPlan {
    /// Checks the arguments. `now_ms`: Unix milliseconds.
    ///
    /// # Errors
    ///
    /// Exit 64: an argument is wrong, or the state file belongs to another kind of export. The argument is named.
    pub(super) fn of(
        args: &ExportUsageArgs,
        state: Option<&mut StateFile>,
        now_ms: u64,
    ) -> Result<Self, CommandFailure> {
        let mut rules = ReceiverRules::of(args.kind, args.post.as_deref());
        if args.post.is_some() && !rules.takes_requests() {
            return Err(wrong("--post", "csv and ndjson are only printed"));
        }
        if let Some(window) = args.sending.window {
            rules.window = Some(window);
        }
        rules.rows_max = rules.rows_max.min(usize::from(args.sending.batch));
        let step = match args.step.as_str() {
            "day" => UsageStep::Day,
            _ => UsageStep::Hour,
        };
        let mut plan = Self {
            rules,
            way: match args.post {
                Some(_) => ExportWay::Post,
                None => ExportWay::Print,
            },
            step,
            from: UsageHour::default(),
            to: UsageHour::default(),
            meters: meters(&args.meter)?,
            user: args.user.clone(),
            timeout: args.sending.timeout,
        };
        let mut hole = None;
        if let Some(state) = state {
            // Before its rows are used: they may be those of another step.
            if let Some(cluster) = state.head().map(|head| head.cluster.clone()) {
                state.claim(&plan.head(&cluster))?;
            }
            hole = state.first_hole(&plan.meters);
        }
        (plan.from, plan.to) = range(args, step, hole, now_ms)?;
        Ok(plan)
    }

    /// What a state file of this export begins with.
    pub(super) fn head(&self, cluster: &str) -> StateHead {
        let receiver = rules::name(self.rules.kind);
        StateHead::new(receiver, self.way, (cluster, self.step))
    }

    /// Whether there is no hour in the range.
    pub(super) fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// The part of the range that is asked of the gateway.
    pub(super) fn query(&self, from: UsageHour, to: UsageHour) -> UsageRows {
        UsageRows {
            range: UsageRange {
                user: self.user.clone(),
                from: Some(from.rfc3339()),
                to: Some(to.rfc3339()),
            },
            // The API takes one meter or all.
            meter: match self.meters[..] {
                [meter] => Some(meter.name().to_owned()),
                _ => None,
            },
        }
    }

    /// The step as the API names it.
    pub(super) fn step_name(&self) -> &'static str {
        step_name(self.step)
    }
}

fn meters(names: &[String]) -> Result<Vec<UsageMeter>, CommandFailure> {
    if names.is_empty() {
        return Ok(UsageMeter::ALL.to_vec());
    }
    let meter = |name: &String| {
        UsageMeter::parse(name).ok_or_else(|| wrong("--meter", &format!("{name} is not a meter")))
    };
    let mut meters: Vec<_> = names.iter().map(meter).collect::<Result<_, _>>()?;
    meters.sort_unstable();
    meters.dedup();
    Ok(meters)
}

/// The range. `hole`: where the last export with this state stopped.
fn range(
    args: &ExportUsageArgs,
    step: UsageStep,
    hole: Option<UsageHour>,
    now_ms: u64,
) -> Result<(UsageHour, UsageHour), CommandFailure> {
    let time = |name: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let hour = UsageHour::parse_time(text);
        let hour = hour.filter(|hour| step == UsageStep::Hour || *hour == hour.day());
        hour.map(Some).ok_or_else(|| match step {
            UsageStep::Hour => wrong(name, "expected a day or an hour, like 2026-11-28T09:00:00Z"),
            UsageStep::Day => wrong(name, "expected a day, like 2026-11-28"),
        })
    };
    let now = UsageHour::of(now_ms);
    let next = match step {
        UsageStep::Hour => now.plus(1),
        UsageStep::Day => now.day().plus(UsageHour::PER_DAY),
    };
    let to = time("--to", &args.to)?.unwrap_or(next);
    if let Some(from) = time("--from", &args.from)? {
        return match from < to {
            true => Ok((from, to)),
            false => Err(wrong("--to", "must be after --from")),
        };
    }
    let from = hole.unwrap_or(now.month());
    let first = to.minus(USAGE_RANGE_HOURS);
    if from < first {
        let (from, first) = (from.rfc3339(), first.rfc3339());
        out::tell_warning(&format!(
            "the last export stopped at {from}, and an export has at most 62 days: this one begins at {first}"
        ));
    }
    Ok((from.max(first), to))
}

fn wrong(name: &str, rule: &str) -> CommandFailure {
    CommandFailure::usage("export", format!("{name}: {rule}"))
}
