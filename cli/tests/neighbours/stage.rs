//! How a case goes: the victim alone, then beside the attack, and what is judged.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fixtures::blocking_until;

use crate::memory::{MemoryUse, MemoryWatch};
use crate::node::{MEMORY_MAX, TestNode, key};
use crate::peer::VICTIM;
use crate::victim::{VictimFigures, VictimIdentity, VictimTenant};

/// How long an attack may take until it is in place.
const BUILD_UP: Duration = Duration::from_secs(60);
/// How long the node may go on being busy after an attack, and how busy it may be then.
const CALM: Duration = Duration::from_secs(5);
const CALM_LOAD: f64 = 0.10;
const LOAD_WINDOW: Duration = Duration::from_millis(500);
/// The promise of FAIR-1 on time: twice the quiet p99 and this much.
const SLACK: Duration = Duration::from_millis(5);

/// One attack.
pub struct AttackCase {
    pub name: &'static str,
    /// Lines of the node's configuration.
    pub config: &'static str,
    /// Whether the victim comes from the attacker's address.
    pub shares_address: bool,
    /// Whether the victim is of the attacker's tenant, `evil0`.
    pub shares_tenant: bool,
    /// Whether the short form has the full size too: what memory is bounded for.
    pub is_whole: bool,
    /// Attacks until [`AttackScene::is_over`]; what it says goes into the table.
    pub attack: fn(&AttackScene) -> anyhow::Result<String>,
}

/// What an attack knows.
pub struct AttackScene {
    pub public: std::net::SocketAddr,
    pub admin: std::net::SocketAddr,
    /// Part of the full size.
    pub scale: f64,
    flags: Arc<SceneFlags>,
}

#[derive(Default)]
struct SceneFlags {
    in_place: AtomicBool,
    over: AtomicBool,
    judged: AtomicBool,
}

impl AttackScene {
    /// The attack is in place: the victim is measured from now on.
    pub fn in_place(&self) {
        self.flags.in_place.store(true, Ordering::Relaxed);
    }

    /// Whether the attack has to end.
    pub fn is_over(&self) -> bool {
        self.flags.over.load(Ordering::Relaxed)
    }

    /// Whether the node was looked at after the attack: what was held until then may go.
    pub fn is_judged(&self) -> bool {
        self.flags.judged.load(Ordering::Relaxed)
    }

    /// So many in the full form, fewer in the short one.
    pub fn count(&self, full: usize) -> usize {
        ((full as f64 * self.scale) as usize).max(1)
    }
}

/// How long things take, and how large they are.
#[derive(Debug, Clone, Copy)]
pub struct CaseForm {
    pub quiet: Duration,
    pub attack: Duration,
    pub scale: f64,
    /// Whether times are judged: only where nothing else runs on the machine.
    pub judges_times: bool,
}

/// One row of the table.
pub struct CaseRow {
    pub name: &'static str,
    quiet: VictimFigures,
    beside: VictimFigures,
    memory: MemoryUse,
    /// Part of a core used once the attack is over.
    load_after: f64,
    remark: String,
    form: CaseForm,
}

impl CaseRow {
    /// What is broken; empty = the promise holds.
    pub fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let bound = 2 * self.quiet.p99() + SLACK;
        if self.form.judges_times && self.beside.p99() > bound {
            breaches.push(format!("p99 {:?} > {bound:?}", self.beside.p99()));
        }
        if let Some(refused) = self.beside.refused.first() {
            let count = self.beside.refused.len();
            breaches.push(format!("refused {count} times: {refused}"));
        }
        if self.beside.connected == 0 {
            breaches.push("no new connection of the victim".to_owned());
        }
        if self.memory.both > MEMORY_MAX {
            breaches.push(format!("{} MiB of memory", mib(self.memory.both)));
        }
        if self.load_after > CALM_LOAD {
            breaches.push(format!("busy afterwards: {:.0} %", 100.0 * self.load_after));
        }
        breaches
    }
}

impl fmt::Display for CaseRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |figures: &VictimFigures| figures.p99().as_secs_f64() * 1000.0;
        write!(
            f,
            "| {} | {:.1} | {:.1} | {} | {} | {} | {} | {:.0} % | {} |",
            self.name,
            ms(&self.quiet),
            ms(&self.beside),
            self.beside.times.len(),
            self.beside.refused.len(),
            mib(self.memory.resident),
            mib(self.memory.kernel),
            100.0 * self.load_after,
            self.remark,
        )
    }
}

/// The head of the table.
pub const HEAD: &str = "| case | quiet p99 ms | p99 ms | messages | refused | RSS MiB | kernel MiB | CPU after | attack |\n\
     | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

/// How busy the node is once it is calm, or when it had time enough to be.
fn settled_load(node: &TestNode) -> f64 {
    let began = Instant::now();
    loop {
        let load = node.load_over(LOAD_WINDOW);
        if load <= CALM_LOAD || began.elapsed() > CALM {
            return load;
        }
    }
}

/// Runs one case on a node of its own.
pub fn play(case: &AttackCase, form: CaseForm, redis_url: Option<&str>) -> CaseRow {
    let node = TestNode::start(case.config, redis_url);
    let who = VictimIdentity {
        from: if case.shares_address {
            crate::peer::ATTACKER
        } else {
            VICTIM
        },
        key: key(if case.shares_tenant { "evil" } else { "victim" }, 0),
    };
    let quiet = VictimTenant::measure(&who, node.public, form.quiet);
    assert_eq!(
        quiet.refused,
        Vec::<String>::new(),
        "{}",
        node.last_lines(20)
    );
    let watch = MemoryWatch::begin(node.pid(), node.public);
    let flags = Arc::new(SceneFlags::default());
    let scene = AttackScene {
        public: node.public,
        admin: node.admin,
        scale: if case.is_whole { 1.0 } else { form.scale },
        flags: Arc::clone(&flags),
    };
    let attack = case.attack;
    let attacker = std::thread::spawn(move || {
        // Attackers have machines of their own: here they get what the gateway and its victim leave.
        let _ = rustix::process::nice(19);
        let remark = attack(&scene);
        scene.in_place();
        remark.unwrap_or_else(|error| format!("ended: {error:#}"))
    });
    blocking_until(BUILD_UP, "the attack is in place", || {
        flags.in_place.load(Ordering::Relaxed).then_some(())
    });
    let beside = VictimTenant::measure(&who, node.public, form.attack);
    flags.over.store(true, Ordering::Relaxed);
    let load_after = settled_load(&node);
    flags.judged.store(true, Ordering::Relaxed);
    let remark = attacker.join().unwrap();
    let memory = watch.end();
    CaseRow {
        name: case.name,
        quiet,
        beside,
        memory,
        load_after,
        remark,
        form,
    }
}
