//! An amount for each meter.

use std::ops::{Index, IndexMut};

use super::UsageMeter;

/// An amount for each meter, in the unit of the ledger: milliseconds where the meter's unit is seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageCounts([u64; UsageMeter::COUNT]);

impl UsageCounts {
    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; UsageMeter::COUNT]
    }

    /// The meters that have an amount other than 0, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (UsageMeter, u64)> {
        let meters = UsageMeter::ALL.iter().copied().zip(self.0);
        meters.filter(|(_, amount)| *amount > 0)
    }

    /// Adds the amounts of others. An amount stops at the largest number rather than beginning anew.
    pub fn add(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own = own.saturating_add(more);
        }
    }

    /// Raises each amount to that of `other`, where that is larger.
    pub fn raise(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own = more.max(*own);
        }
    }

    /// The amounts that came since `earlier`; 0 where there are fewer now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (own, less) in since.0.iter_mut().zip(earlier.0) {
            *own = own.saturating_sub(less);
        }
        since
    }

    /// A number that changes when an amount is lost, or added to another meter: the sum of the amounts,
    /// each times an odd number of its own. It is additive: the check number of a sum is the sum of the
    /// check numbers. Modulo 2^53, so that every reader of JSON and Lua has it exactly.
    pub fn check_number(&self) -> u64 {
        let terms = self.0.iter().zip(1u64..);
        let sum = terms.fold(0u64, |sum, (amount, place)| {
            sum.wrapping_add(amount.wrapping_mul(2 * place + 1))
        });
        sum % CHECK_MODULUS
    }

    /// The check number of the sum of two amounts.
    pub fn add_check_numbers(one: u64, other: u64) -> u64 {
        one.wrapping_add(other) % CHECK_MODULUS
    }
}

/// The modulus of check numbers.
const CHECK_MODULUS: u64 = 1 << 53;

impl Index<UsageMeter> for UsageCounts {
    type Output = u64;
    #[inline]
    fn index(&self, meter: UsageMeter) -> &u64 {
        &self.0[meter.index()]
    }
}

impl IndexMut<UsageMeter> for UsageCounts {
    #[inline]
    fn index_mut(&mut self, meter: UsageMeter) -> &mut u64 {
        &mut self.0[meter.index()]
    }
}

impl FromIterator<(UsageMeter, u64)> for UsageCounts {
    fn from_iter<I: IntoIterator<Item = (UsageMeter, u64)>>(amounts: I) -> Self {
        let mut counts = Self::default();
        for (meter, amount) in amounts {
            counts[meter] = counts[meter].saturating_add(amount);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_number_notices_every_meter_and_adds_up() {
        let all: UsageCounts = UsageMeter::ALL.iter().map(|meter| (*meter, 1000)).collect();
        for meter in UsageMeter::ALL {
            let mut less = all;
            less[*meter] -= 1;
            assert_ne!(less.check_number(), all.check_number(), "{meter}");
            assert_eq!(all.since(&less).iter().collect::<Vec<_>>(), [(*meter, 1)]);
        }
        let mut sum = all;
        sum.add(&all);
        let check = all.check_number();
        assert_eq!(
            sum.check_number(),
            UsageCounts::add_check_numbers(check, check)
        );
    }
}
