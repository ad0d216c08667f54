//! Checks that each message of a flow arrives once and in order at a receiver.
//!
//! A number is *refused* when the gateway said so, *cut* when a connection of either end was lost
//! after it was sent, and *lost* when nothing of that explains why it never came.

use std::collections::{BTreeMap, BTreeSet};

/// Most numbers that are remembered as missing, or as refused; more are counted as lost.
const REMEMBERED_MAX: usize = 65_536;

/// What must never happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrongDelivery {
    /// It came to a socket that it was not for.
    Recipient,
    /// `from` or `to` is not what was sent.
    Names,
    /// The text is not what was sent.
    Body,
    /// It came twice.
    Duplicate,
    /// It came after a later one.
    Order,
    /// It came although it was refused for good.
    Refused,
    /// It was neither delivered nor refused.
    Lost,
    /// A frame that nobody expects.
    Frame,
}

impl WrongDelivery {
    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            WrongDelivery::Recipient => "wrong_recipient",
            WrongDelivery::Names => "wrong_names",
            WrongDelivery::Body => "wrong_body",
            WrongDelivery::Duplicate => "duplicate",
            WrongDelivery::Order => "out_of_order",
            WrongDelivery::Refused => "delivered_although_refused",
            WrongDelivery::Lost => "lost",
            WrongDelivery::Frame => "unexpected_frame",
        }
    }
}

/// What became of numbers that did not arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AbsentCounts {
    /// Nothing explains it.
    pub lost: u64,
    /// A connection was lost meanwhile.
    pub cut: u64,
}

/// The numbers that one receiver has had of one flow.
#[derive(Debug, Clone, Default)]
pub struct DeliverySequence {
    /// One more than the highest that came.
    next: u64,
    /// Below this, what does not come was cut.
    cut_to: u64,
    cut: u64,
    /// Below `next` and never seen.
    missing: BTreeSet<u64>,
    /// At or above `next`, or not seen yet; true: for good.
    refused: BTreeMap<u64, bool>,
    forgotten: u64,
}

impl DeliverySequence {
    /// Takes the number of a message that came.
    ///
    /// Errors: it came before, or a later one did, or it was refused for good.
    pub fn take(&mut self, number: u64) -> Result<(), WrongDelivery> {
        if number < self.next {
            let late = self.missing.remove(&number);
            return Err(if late {
                WrongDelivery::Order
            } else {
                WrongDelivery::Duplicate
            });
        }
        self.skip_to(number);
        self.next = number + 1;
        match self.refused.remove(&number) {
            Some(true) => Err(WrongDelivery::Refused),
            Some(false) | None => Ok(()),
        }
    }

    /// Takes the number of a best-effort frame: it may follow any earlier one.
    pub(crate) fn take_best_effort(&mut self, number: u64) -> Result<(), WrongDelivery> {
        if number < self.next {
            return Err(WrongDelivery::Order);
        }
        self.next = number + 1;
        Ok(())
    }

    /// The gateway refused a number. `for_good`: it says that nothing was delivered.
    ///
    /// Errors: it was delivered although it was refused for good.
    pub fn refuse(&mut self, number: u64, for_good: bool) -> Result<(), WrongDelivery> {
        if number >= self.next {
            if self.refused.len() < REMEMBERED_MAX {
                self.refused.insert(number, for_good);
            }
            return Ok(());
        }
        if self.missing.remove(&number) || !for_good || number < self.cut_to {
            return Ok(());
        }
        Err(WrongDelivery::Refused)
    }

    /// A connection was lost: what was sent so far, `sent` numbers, need not come any more.
    pub fn cut(&mut self, sent: u64) {
        self.cut += self.missing.len() as u64;
        self.missing.clear();
        self.cut_to = self.cut_to.max(sent);
    }

    /// Whether all of `sent` numbers came, were refused or were cut.
    pub(crate) fn is_settled(&self, sent: u64) -> bool {
        self.absent(sent).lost == 0
    }

    /// What became of those of `sent` numbers that did not come.
    pub fn absent(&self, sent: u64) -> AbsentCounts {
        let refused = |from: u64, to: u64| match from < to {
            true => self.refused.range(from..to).count() as u64,
            false => 0,
        };
        let cut_to = self.cut_to.min(sent);
        let cut_tail = cut_to.saturating_sub(self.next) - refused(self.next, cut_to);
        let from = self.next.max(cut_to);
        let lost_tail = sent.saturating_sub(from) - refused(from, sent);
        AbsentCounts {
            lost: self.missing.len() as u64 + self.forgotten + lost_tail,
            cut: self.cut + cut_tail,
        }
    }

    fn skip_to(&mut self, number: u64) {
        for skipped in self.next..number {
            if self.refused.remove(&skipped).is_some() {
                continue;
            }
            if skipped < self.cut_to {
                self.cut += 1;
            } else if self.missing.len() < REMEMBERED_MAX {
                self.missing.insert(skipped);
            } else {
                self.forgotten += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u64]) -> DeliverySequence {
        let mut sequence = DeliverySequence::default();
        for number in numbers {
            sequence.take(*number).unwrap();
        }
        sequence
    }

    #[test]
    fn all_in_order_is_right() {
        let sequence = after(&[0, 1, 2]);
        assert!(sequence.is_settled(3));
        assert_eq!(sequence.absent(3), AbsentCounts::default());
    }

    #[test]
    fn a_duplicate_is_found() {
        assert_eq!(after(&[0, 1]).take(1), Err(WrongDelivery::Duplicate));
        assert_eq!(after(&[0, 1]).take(0), Err(WrongDelivery::Duplicate));
    }

    #[test]
    fn a_late_one_is_found_and_not_lost() {
        let mut sequence = after(&[0, 2]);
        assert_eq!(sequence.absent(3).lost, 1);
        assert_eq!(sequence.take(1), Err(WrongDelivery::Order));
        assert_eq!(sequence.absent(3).lost, 0);
        assert_eq!(sequence.take(1), Err(WrongDelivery::Duplicate));
    }

    #[test]
    fn a_lost_one_is_found_in_the_middle_and_at_the_end() {
        assert_eq!(after(&[0, 2]).absent(3).lost, 1);
        assert_eq!(after(&[0, 1]).absent(3).lost, 1);
        assert_eq!(after(&[]).absent(3).lost, 3);
    }

    #[test]
    fn a_refused_one_is_not_lost_whichever_is_known_first() {
        let mut early = after(&[0]);
        early.refuse(1, true).unwrap();
        assert!(early.is_settled(2));
        early.take(2).unwrap();
        assert!(early.is_settled(3));

        let mut late = after(&[0, 2]);
        late.refuse(1, true).unwrap();
        assert!(late.is_settled(3));
    }

    #[test]
    fn delivered_although_refused_is_found() {
        let mut early = after(&[]);
        early.refuse(0, true).unwrap();
        assert_eq!(early.take(0), Err(WrongDelivery::Refused));
        assert_eq!(after(&[0]).refuse(0, true), Err(WrongDelivery::Refused));
        assert_eq!(after(&[0]).refuse(0, false), Ok(()));
    }

    #[test]
    fn what_was_under_way_when_a_connection_broke_is_cut() {
        let mut sequence = after(&[0, 2]);
        sequence.cut(5);
        assert_eq!(sequence.absent(5), AbsentCounts { lost: 0, cut: 3 });
        sequence.take(4).unwrap();
        assert_eq!(sequence.absent(5), AbsentCounts { lost: 0, cut: 2 });
        sequence.take(6).unwrap();
        assert_eq!(sequence.absent(7), AbsentCounts { lost: 1, cut: 2 });
    }

    #[test]
    fn best_effort_frames_may_be_left_out_but_not_turned_round() {
        let mut sequence = DeliverySequence::default();
        sequence.take_best_effort(3).unwrap();
        assert_eq!(sequence.take_best_effort(2), Err(WrongDelivery::Order));
        sequence.take_best_effort(9).unwrap();
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut sequence = DeliverySequence::default();
        sequence.take(100_000).unwrap();
        assert_eq!(sequence.missing.len(), REMEMBERED_MAX);
        assert_eq!(sequence.absent(100_001).lost, 100_000);
    }
}
