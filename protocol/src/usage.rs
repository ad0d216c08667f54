//! What is counted for each tenant: the meters, their units, and how much of each.
//!
//! | file | holds |
//! | --- | --- |
//! | `usage.rs` | [`UsageMeter`], the one table: the documents and the TypeScript types are made from it |
//! | `usage/counts.rs` | [`UsageCounts`]: an amount for each meter |
//! | `usage/hour.rs` | [`UsageHour`]: the hours of the ledger |
//! | `usage/conservation.rs` | the sums that hold for every tenant and hour |

mod conservation;
mod counts;
mod hour;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use conservation::ConservationFault;
pub use counts::UsageCounts;
pub use hour::UsageHour;

use crate::error::RefusalClass;

/// What one of a meter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MeterUnit {
    /// Messages.
    Messages,
    /// Copies of messages.
    Copies,
    /// Partials.
    Partials,
    /// Bytes.
    Bytes,
    /// Seconds. The ledger keeps whole milliseconds, and the API shows seconds with three decimals.
    Seconds,
    /// Requests.
    Requests,
}

impl MeterUnit {
    /// The unit's name in documents and answers.
    const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Copies => "copies",
            Self::Partials => "partials",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Requests => "requests",
        }
    }
}

macro_rules! meters {
    ($( $variant:ident $name:literal $unit:ident, $counts:literal, $omits:literal; )*) => {
        /// Something that is counted for a tenant. Meters are only ever added.
        ///
        /// Wire form: its name, snake case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
        #[serde(rename_all = "snake_case")]
        pub enum UsageMeter {
            $( #[doc = $counts] $variant, )*
        }

        impl UsageMeter {
            /// Every meter, in the order of [`Self::index`].
            pub const ALL: &'static [UsageMeter] = &[ $( UsageMeter::$variant, )* ];

            /// Its name in the ledger, the API and the documents.
            pub const fn name(self) -> &'static str {
                match self { $( UsageMeter::$variant => $name, )* }
            }

            const fn kind(self) -> MeterUnit {
                match self { $( UsageMeter::$variant => MeterUnit::$unit, )* }
            }

            /// What it counts.
            pub const fn counts(self) -> &'static str {
                match self { $( UsageMeter::$variant => $counts, )* }
            }

            /// What it does not count; may be empty.
            pub const fn omits(self) -> &'static str {
                match self { $( UsageMeter::$variant => $omits, )* }
            }
        }
    };
}

meters! {
    MessagesSent "messages_sent" Messages,
        "A `message` that the gateway took and gave an outcome: accepted, duplicate or refused. It is counted together with its outcome",
        "A frame that is not valid in shape; a partial; a message whose node was killed before it was decided";
    MessagesAccepted "messages_accepted" Messages,
        "A `message` that got `delivered` or `queued`. It counts once, however many devices receive it",
        "A repetition of one that was accepted before";
    MessagesDuplicate "messages_duplicate" Messages,
        "A `message` that was answered `duplicate`", "";
    MessagesRefusedClient "messages_refused_client" Messages,
        "A `message` that was refused because of what it asks: an unknown recipient, a missing right, a conflicting id; or whose sender left before it was sent on", "";
    MessagesRefusedLimit "messages_refused_limit" Messages,
        "A `message` that was refused because of a rate, a limit or an allowance of its tenant", "";
    MessagesRefusedRecipient "messages_refused_recipient" Messages,
        "A `message` that was refused because its recipient is offline or does not read fast enough", "";
    MessagesRefusedPlatform "messages_refused_platform" Messages,
        "A `message` that was refused because of the gateway: a node is unreachable or shuts down, the store is away, the outcome is unknown", "";
    MessagesDelivered "messages_delivered" Copies,
        "A copy of a `message` that was put into the queue of a connection. Each device of a client id is a copy of its own",
        "A copy for a queue that was full or closed";
    PartialsDelivered "partials_delivered" Partials,
        "A copy of a `message_partial` or `typing` that was put into the queue of a connection, also if a newer one of its stream replaced it there",
        "A copy for a queue that was full or closed";
    BytesIn "bytes_in" Bytes,
        "The payload of each text frame that the gateway received on a socket after its `auth_ok`, before masking",
        "Frame headers, control frames, the `auth` frame, bodies of HTTP requests";
    BytesOut "bytes_out" Bytes,
        "The payload of each text frame that was put into the queue of a socket, from `auth_ok` on",
        "Frame headers, control frames, answers to HTTP requests";
    ConnectionSecondsBot "connection_seconds_bot" Seconds,
        "The time for which a socket holds at least one bot",
        "The time before `auth_ok`";
    ConnectionSecondsClient "connection_seconds_client" Seconds,
        "The time for which a socket is open and holds no bot",
        "The time before `auth_ok`; HTTP requests";
    HttpRequests "http_requests" Requests,
        "A request to the HTTP API with a valid credential, whatever the answer is",
        "A request that was refused before its credential was checked; the admin API";
}

impl UsageMeter {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What one of it is: `messages`, `copies`, `partials`, `bytes`, `seconds` or `requests`.
    pub const fn unit(self) -> &'static str {
        self.kind().name()
    }

    /// Whether the ledger keeps milliseconds of it.
    pub(crate) const fn is_seconds(self) -> bool {
        matches!(self.kind(), MeterUnit::Seconds)
    }

    /// The meter with a name; `None` if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|meter| meter.name() == name).copied()
    }

    /// The meter that counts refusals of a class.
    pub const fn refused(class: RefusalClass) -> Self {
        match class {
            RefusalClass::Client => Self::MessagesRefusedClient,
            RefusalClass::Limit => Self::MessagesRefusedLimit,
            RefusalClass::Recipient => Self::MessagesRefusedRecipient,
            RefusalClass::Platform => Self::MessagesRefusedPlatform,
        }
    }

    /// An amount in whole units of the meter, rounded down.
    pub const fn whole(self, amount: u64) -> u64 {
        match self.is_seconds() {
            true => amount / 1000,
            false => amount,
        }
    }

    /// An amount as the API shows it: seconds with three decimals, everything else as a whole number.
    pub fn shown(self, amount: u64) -> String {
        match self.is_seconds() {
            true => format!("{}.{:03}", amount / 1000, amount % 1000),
            false => amount.to_string(),
        }
    }
}

impl fmt::Display for UsageMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_serde_and_indices_agree() {
        for (index, meter) in UsageMeter::ALL.iter().enumerate() {
            assert_eq!(meter.index(), index);
            assert_eq!(UsageMeter::parse(meter.name()), Some(*meter));
            assert_eq!(serde_json::to_value(meter).unwrap(), meter.name());
        }
        assert_eq!(UsageMeter::parse("Bytes_in"), None);
    }

    #[test]
    fn seconds_are_shown_exactly() {
        let meter = UsageMeter::ConnectionSecondsBot;
        assert_eq!(meter.shown(0), "0.000");
        assert_eq!(meter.shown(61_007), "61.007");
        assert_eq!(UsageMeter::BytesIn.shown(61_007), "61007");
    }
}
