//! Who holds how much of a lane.

use std::collections::BTreeMap;

use protocol::TenantId;
use protocol::limits::{LANE_TENANT_SHARE, LANE_WINDOW_BYTES_MAX, LANE_WINDOW_BYTES_MIN};

/// The bytes of a lane: those that wait and those that are not acknowledged.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    bytes: usize,
    tenants: BTreeMap<TenantId, usize>,
}

impl Window {
    pub fn new() -> Self {
        Self {
            size: LANE_WINDOW_BYTES_MAX,
            bytes: 0,
            tenants: BTreeMap::new(),
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

    /// Takes room for `charge`; false, and nothing taken, if there is none.
    ///
    /// An empty lane takes one of any size, and a tenant that holds nothing takes one beyond its
    /// share: else what is larger than a share would never pass.
    pub fn enter(&mut self, tenant: &TenantId, charge: usize) -> bool {
        self.exchange(tenant, 0, charge)
    }

    /// Takes room for `newer` instead of `older`; false, and nothing changed, if there is none.
    pub fn exchange(&mut self, tenant: &TenantId, older: usize, newer: usize) -> bool {
        let others = self.bytes - older;
        let held = self.tenants.get(tenant).map_or(0, |held| held - older);
        let fits = others == 0 || others + newer <= self.size;
        if !fits || (held > 0 && held + newer > self.share()) {
            return false;
        }
        self.bytes = others + newer;
        self.tenants.insert(tenant.clone(), held + newer);
        true
    }

    pub fn leave(&mut self, tenant: &TenantId, charge: usize) {
        self.bytes -= charge;
        let held = self.tenants.get_mut(tenant).expect("it has entered");
        *held -= charge;
        if *held == 0 {
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: usize = LANE_WINDOW_BYTES_MIN / LANE_TENANT_SHARE;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn least() -> Window {
        let mut window = Window::new();
        window.resize(0);
        window
    }

    #[test]
    fn a_tenant_holds_a_quarter() {
        let (mut window, a) = (least(), tenant("a"));
        assert!(window.enter(&a, 100) && window.enter(&a, SHARE - 101));
        assert!(window.enter(&a, 1), "at");
        assert!(!window.enter(&a, 1), "above");
        assert!(window.enter(&tenant("b"), SHARE), "others have theirs");
        window.leave(&a, 100);
        assert!(window.enter(&a, 100));
    }

    #[test]
    fn four_tenants_fill_it() {
        let mut window = least();
        for name in ["a", "b", "c", "d"] {
            assert!(window.enter(&tenant(name), SHARE));
        }
        assert_eq!(window.bytes(), LANE_WINDOW_BYTES_MIN);
        assert!(!window.enter(&tenant("e"), 1));
    }

    #[test]
    fn an_empty_lane_takes_one_of_any_size_and_a_tenant_one_beyond_its_share() {
        let mut window = least();
        assert!(window.enter(&tenant("a"), 3 * LANE_WINDOW_BYTES_MIN));
        assert!(!window.enter(&tenant("b"), 1));
        window.leave(&tenant("a"), 3 * LANE_WINDOW_BYTES_MIN);
        assert!(window.enter(&tenant("a"), 1));
        assert!(window.enter(&tenant("b"), 3 * SHARE));
        assert!(!window.enter(&tenant("b"), 1));
    }

    #[test]
    fn an_exchange_counts_the_difference() {
        let (mut window, a) = (least(), tenant("a"));
        assert!(window.enter(&a, 10) && window.enter(&a, SHARE - 10));
        assert!(window.exchange(&a, 10, 9), "less");
        assert!(window.exchange(&a, 9, 10), "at");
        assert!(!window.exchange(&a, 10, 11), "above");
        assert_eq!(window.bytes(), SHARE);
    }

    #[test]
    fn who_holds_nothing_is_forgotten() {
        let (mut window, a) = (least(), tenant("a"));
        assert!(window.enter(&a, 7));
        window.leave(&a, 7);
        assert!(window.tenants.is_empty());
    }
}
