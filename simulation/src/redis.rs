//! Redis: the store's models, who listens to what, and a replica that lags.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{BootId, TenantId, UsageHour};
use router_core::Millis;
use router_core::store::nodes::NodesModel;
use router_core::store::{
    DirectoryEvent, DirectoryQuery, DirectoryReply, DirectorySnapshot, HourUsage, Model,
    StoreQuery, StoreReply, StoreRequest, StoreResult, UsageQuery, UsageRecord, UsageReply,
};

use crate::agenda::MachineProcess;

/// The store and its channels.
pub struct Redis {
    model: Model,
    pub nodes: NodesModel,
    replica: (Model, NodesModel),
    tenants: BTreeMap<TenantId, BTreeSet<usize>>,
    inboxes: BTreeMap<BootId, MachineProcess>,
    /// Each machine's process, if one runs.
    processes: Vec<Option<MachineProcess>>,
    /// Whether each machine's subscription is connected.
    pub links: Vec<bool>,
}

impl Redis {
    pub fn new(machines: usize) -> Self {
        Self {
            model: Model::new(1 << 30),
            nodes: NodesModel::default(),
            replica: (Model::new(1 << 30), NodesModel::default()),
            tenants: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            processes: vec![None; machines],
            links: vec![true; machines],
        }
    }

    /// A process starts.
    pub fn start(&mut self, process: MachineProcess) {
        self.processes[process.machine] = Some(process);
        self.links[process.machine] = true;
    }

    /// A process is gone, and all it listened to.
    pub fn end(&mut self, machine: usize) {
        self.processes[machine] = None;
        self.tenants.values_mut().for_each(|all| {
            all.remove(&machine);
        });
        self.inboxes.retain(|_, process| process.machine != machine);
    }

    /// A process listens to an inbox instead of the one before.
    pub fn subscribe(&mut self, process: MachineProcess, boot: BootId) {
        if self.processes[process.machine] == Some(process) {
            self.inboxes.retain(|_, other| *other != process);
            self.inboxes.insert(boot, process);
        }
    }

    /// A process is no more told of a tenant.
    pub fn unsubscribe(&mut self, machine: usize, tenant: &TenantId) {
        if let Some(machines) = self.tenants.get_mut(tenant) {
            machines.remove(&machine);
        }
    }

    /// Who listens to an inbox, and is connected.
    pub fn inbox(&self, boot: BootId) -> Option<MachineProcess> {
        let process = self.inboxes.get(&boot)?;
        self.links[process.machine].then_some(*process)
    }

    /// Who is told of a tenant, and is connected.
    pub(crate) fn listeners(&self, tenant: &TenantId) -> Vec<MachineProcess> {
        let machines = self.tenants.get(tenant).into_iter().flatten();
        let linked = machines.filter(|machine| self.links[**machine]);
        linked
            .filter_map(|machine| self.processes[*machine])
            .collect()
    }

    /// One step of a tenant. A process that loads a tenant is told of its later steps.
    pub fn execute(
        &mut self,
        from: MachineProcess,
        mut request: StoreRequest,
        now_ms: Millis,
    ) -> (StoreResult, Option<DirectoryEvent>) {
        let runs = self.processes[from.machine] == Some(from);
        let loads = matches!(
            &request.query,
            StoreQuery::Directory(asked) if matches!(asked.query, DirectoryQuery::Load { .. })
        );
        if loads && runs {
            let machines = self.tenants.entry(request.tenant.clone()).or_default();
            machines.insert(from.machine);
        }
        request.now_ms = now_ms;
        self.model.execute(request)
    }

    /// What the store holds of a tenant.
    pub fn snapshot(&self, tenant: &TenantId, now_ms: Millis) -> DirectorySnapshot {
        let load = DirectoryQuery::Load {
            dead: Default::default(),
        };
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms,
            query: load.into(),
        };
        let (reply, _) = self.model.clone().execute(request);
        let Ok(StoreReply::Directory(DirectoryReply::Loaded(snapshot))) = reply else {
            unreachable!("a load is answered with a snapshot");
        };
        *snapshot
    }

    /// Books a record. Says whether it is in the ledger.
    pub(crate) fn book(&mut self, tenant: &TenantId, record: UsageRecord, now_ms: Millis) -> bool {
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms,
            query: UsageQuery::Book {
                record: Box::new(record),
                is_first_of_day: true,
            }
            .into(),
        };
        self.model.execute(request).0.is_ok()
    }

    /// What the ledger has of a tenant, in the hours around a time.
    pub(crate) fn usage(
        &mut self,
        tenant: &TenantId,
        now_ms: Millis,
    ) -> Vec<(UsageHour, HourUsage)> {
        let hour = UsageHour::of(now_ms);
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms,
            query: UsageQuery::Read {
                from: hour.minus(48),
                to: hour.plus(2),
            }
            .into(),
        };
        let (reply, _) = self.model.execute(request);
        match reply.and_then(StoreReply::into_usage) {
            Ok(UsageReply::Hours { hours, .. }) => hours,
            Ok(UsageReply::Booked { .. } | UsageReply::Seen(_)) | Err(_) => Vec::new(),
        }
    }

    pub(crate) fn replicate(&mut self) {
        self.replica = (self.model.clone(), self.nodes.clone());
    }

    pub(crate) fn fail_over(&mut self) {
        (self.model, self.nodes) = self.replica.clone();
    }

    pub fn lose_all(&mut self) {
        self.model.lose_all();
        self.nodes = NodesModel::default();
    }
}
