//! How much of a lane may be held, and by whom.

use protocol::limits::{LANE_TENANT_SHARE, LANE_WINDOW_BYTES_MAX, LANE_WINDOW_BYTES_MIN};

/// The bytes of a lane: those that wait and those that are not acknowledged.
#[derive(Debug)]
pub(super) struct LaneWindow {
    size: usize,
    bytes: usize,
}

impl LaneWindow {
    pub fn new() -> Self {
        Self {
            size: LANE_WINDOW_BYTES_MAX,
            bytes: 0,
        }
    }

    /// What is inside stays, even if it is more than `size` now.
    pub fn resize(&mut self, size: usize) {
        self.size = size.clamp(LANE_WINDOW_BYTES_MIN, LANE_WINDOW_BYTES_MAX);
    }

    pub fn share(&self) -> usize {
        self.size / LANE_TENANT_SHARE
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes room for `charge`, for a tenant that holds `held`; false, and nothing taken, if there is
    /// none.
    ///
    /// An empty lane takes one of any size, and a tenant that holds nothing takes one beyond its
    /// share: else what is larger than a share would never pass.
    pub fn enter(&mut self, held: &mut usize, charge: usize) -> bool {
        self.exchange(held, 0, charge)
    }

    /// Takes room for `newer` instead of `older`; false, and nothing changed, if there is none.
    pub fn exchange(&mut self, held: &mut usize, older: usize, newer: usize) -> bool {
        let (others, rest) = (self.bytes - older, *held - older);
        let fits = others == 0 || others + newer <= self.size;
        if !fits || (rest > 0 && rest + newer > self.share()) {
            return false;
        }
        self.bytes = others + newer;
        *held = rest + newer;
        true
    }

    pub fn leave(&mut self, held: &mut usize, charge: usize) {
        self.bytes -= charge;
        *held -= charge;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: usize = LANE_WINDOW_BYTES_MIN / LANE_TENANT_SHARE;

    fn least() -> LaneWindow {
        let mut window = LaneWindow::new();
        window.resize(0);
        window
    }

    #[test]
    fn a_tenant_holds_a_quarter() {
        let (mut window, mut a) = (least(), 0);
        assert!(window.enter(&mut a, 100) && window.enter(&mut a, SHARE - 101));
        assert!(window.enter(&mut a, 1), "at");
        assert!(!window.enter(&mut a, 1), "above");
        assert!(window.enter(&mut 0, SHARE), "others have theirs");
        window.leave(&mut a, 100);
        assert!(window.enter(&mut a, 100));
    }

    #[test]
    fn four_tenants_fill_it() {
        let mut window = least();
        for mut held in [0; 4] {
            assert!(window.enter(&mut held, SHARE));
        }
        assert_eq!(window.bytes(), LANE_WINDOW_BYTES_MIN);
        assert!(!window.enter(&mut 0, 1));
    }

    #[test]
    fn an_empty_lane_takes_one_of_any_size_and_a_tenant_one_beyond_its_share() {
        let (mut window, mut a, mut b) = (least(), 0, 0);
        assert!(window.enter(&mut a, 3 * LANE_WINDOW_BYTES_MIN));
        assert!(!window.enter(&mut b, 1));
        window.leave(&mut a, 3 * LANE_WINDOW_BYTES_MIN);
        assert!(window.enter(&mut a, 1));
        assert!(window.enter(&mut b, 3 * SHARE));
        assert!(!window.enter(&mut b, 1));
        assert_eq!((a, b), (1, 3 * SHARE));
    }

    #[test]
    fn an_exchange_counts_the_difference() {
        let (mut window, mut a) = (least(), 0);
        assert!(window.enter(&mut a, 10) && window.enter(&mut a, SHARE - 10));
        assert!(window.exchange(&mut a, 10, 9), "less");
        assert!(window.exchange(&mut a, 9, 10), "at");
        assert!(!window.exchange(&mut a, 10, 11), "above");
        assert_eq!((window.bytes(), a), (SHARE, SHARE));
    }
}
