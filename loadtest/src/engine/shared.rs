//! What the threads of a run share, and the rates that each has.

use std::net::IpAddr;

use super::control::RunControl;
use crate::credentials::KeySource;
use crate::message::PaddingTable;
use crate::plan::LoadKind;
use crate::scenario::LoadScenario;
use crate::target::TargetNode;

/// What the threads of a run share.
#[derive(Debug)]
pub struct SharedRun {
    /// The clock and the phases.
    pub control: RunControl,
    /// The scenario.
    pub scenario: LoadScenario,
    /// The gateways.
    pub nodes: Vec<TargetNode>,
    /// Addresses to connect from; empty = the system's choice.
    pub sources: Vec<IpAddr>,
    /// Where keys come from.
    pub credentials: KeySource,
    /// How tenants are called that are made up, before their number.
    pub tenant_prefix: String,
    /// What texts are padded with.
    pub padding: PaddingTable,
}

/// The rate of a load, in each thread the part of it that its groups have.
#[derive(Debug, Clone, Copy)]
pub struct RateShare {
    /// Which load.
    pub load: LoadKind,
    /// Messages, or visits, a second of this thread.
    pub rate: f64,
    /// Which part of the first interval passes before the first one.
    pub offset: f64,
}
