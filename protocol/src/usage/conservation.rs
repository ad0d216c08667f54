//! The sums that hold for every tenant and hour, because a message and its outcome are counted at once.

use std::fmt;

use super::{UsageCounts, UsageMeter};

/// A sum that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConservationFault {
    /// The meter on the left side.
    pub meter: UsageMeter,
    /// Its amount.
    pub amount: u64,
    /// What the meters on the right side say it must be.
    pub expected: u64,
}

impl fmt::Display for ConservationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            meter,
            amount,
            expected,
        } = self;
        write!(
            f,
            "{meter} is {amount}, and its outcomes add up to {expected}"
        )
    }
}

impl UsageCounts {
    /// Whether `messages_sent` is the sum of the outcomes: accepted, duplicate, and each class of refusal.
    ///
    /// # Errors
    ///
    /// The sum that does not hold.
    pub fn conserve(&self) -> Result<(), ConservationFault> {
        use UsageMeter::{
            MessagesAccepted, MessagesDuplicate, MessagesRefusedClient, MessagesRefusedLimit,
            MessagesRefusedPlatform, MessagesRefusedRecipient, MessagesSent,
        };
        let outcomes = [
            MessagesAccepted,
            MessagesDuplicate,
            MessagesRefusedClient,
            MessagesRefusedLimit,
            MessagesRefusedRecipient,
            MessagesRefusedPlatform,
        ];
        let expected = outcomes.map(|meter| self[meter]).iter().sum();
        let amount = self[MessagesSent];
        match amount == expected {
            true => Ok(()),
            false => Err(ConservationFault {
                meter: MessagesSent,
                amount,
                expected,
            }),
        }
    }
}
