//! One home with a ledger, a receiver and a state file.

use std::fs;
use std::path::PathBuf;

use protocol::{UsageHour, UsageMeter};

use super::billing::{BilledTotals, MockKind};
use super::ledger::{MockLedger, TOKEN};
use super::receiver::MockReceiver;
use crate::harness::{EndedProcess, PipedProcess, TestHome};

/// Users, one of them with ids that are longer than an idempotency field may be.
pub const USERS: [&str; 3] = [
    "alice",
    "b.ob-2",
    "a-user-whose-id-is-as-long-as-the-id-of-a-user-can-be-0123456789",
];
/// Meters with whole numbers and with decimals.
const METERS: [UsageMeter; 2] = [
    UsageMeter::MessagesAccepted,
    UsageMeter::ConnectionSecondsClient,
];

pub struct ExportStage {
    pub home: TestHome,
    pub ledger: MockLedger,
    pub receiver: MockReceiver,
    /// The first hour with usage: within the month or before it, and old enough to be closed.
    pub first: UsageHour,
}

impl ExportStage {
    /// An empty ledger and a receiver.
    pub fn new(kind: MockKind) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = UsageHour::of(u64::try_from(now.unwrap().as_millis()).unwrap());
        let first = now.minus(100);
        let home = TestHome::new();
        let customers = USERS.map(|user| format!("{user},cus_{user}\n")).concat();
        fs::write(
            home.path().join("customers"),
            format!("user,customer\n{customers}"),
        )
        .unwrap();
        Self {
            home,
            ledger: MockLedger::start(first),
            receiver: MockReceiver::start(kind),
            first,
        }
    }

    /// The same with so many hours of usage, all closed.
    pub fn with_hours(kind: MockKind, hours: u32) -> Self {
        let stage = Self::new(kind);
        for hour in 0..hours {
            stage.use_hour(stage.first.plus(hour));
        }
        stage
    }

    /// Adds usage of every user in an hour, and closes the hour.
    pub fn use_hour(&self, hour: UsageHour) {
        for (index, user) in USERS.iter().enumerate() {
            for meter in METERS {
                let amount = u64::from(hour.number() % 97) * 1009 + index as u64 + 1;
                self.ledger.add(user, meter, hour, amount);
            }
        }
        self.ledger.close(hour.plus(1));
    }

    pub fn state(&self) -> PathBuf {
        self.home.path().join("billing.state")
    }

    /// The arguments of an export to the receiver, and what else is given.
    pub fn args(&self, more: &[&str]) -> Vec<String> {
        let state = self.state();
        let customers = self.home.path().join("customers");
        let mut args: Vec<String> = [
            "usage",
            "export",
            "--admin-listen",
            &self.ledger.address,
            "--as",
            self.receiver.kind.name(),
            "--state",
            state.to_str().unwrap(),
        ]
        .map(str::to_owned)
        .to_vec();
        let is_decision = more.contains(&"--acknowledge") || more.contains(&"--resend");
        if !is_decision {
            args.extend(["--post".to_owned(), self.receiver.url.clone()]);
            args.extend(["--retry-wait", "10ms"].map(str::to_owned));
            if !more.contains(&"--batch") {
                args.extend(["--batch", "4"].map(str::to_owned));
            }
        }
        if self.receiver.kind.needs_customers() && !is_decision {
            args.extend(["--customers", customers.to_str().unwrap()].map(str::to_owned));
        }
        // Later exports go on where the first one stopped.
        if !state.exists() && !more.contains(&"--from") && !is_decision {
            args.extend(["--from".to_owned(), self.first.rfc3339()]);
        }
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// Runs an export to its end.
    pub fn export(&self, more: &[&str]) -> EndedProcess {
        self.start(more).wait()
    }

    pub fn start(&self, more: &[&str]) -> PipedProcess {
        let args = self.args(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.home.start(&args, &[("T2B_ADMIN_TOKEN", TOKEN)])
    }

    /// What the receiver has to bill.
    pub fn expected(&self) -> BilledTotals {
        let totals = self.ledger.totals().into_iter();
        let customer = |user: String| match self.receiver.kind.needs_customers() {
            true => format!("cus_{user}"),
            false => user,
        };
        totals
            .map(|((user, name), sum)| ((customer(user), name), sum))
            .collect()
    }

    /// Checks that the receiver bills exactly what the ledger has.
    #[track_caller]
    pub fn check(&self, what: &str) {
        assert_eq!(self.receiver.totals(), self.expected(), "{what}");
    }
}
