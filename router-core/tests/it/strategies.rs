//! Which operations are drawn, and how often.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use router_core::Capabilities;

use crate::hostile::HOSTILE;
use crate::script::{Act, Cred, Op, SLOTS, Say, To};

/// As many cases as a property wants, unless `PROPTEST_CASES` says how many.
pub fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if asked { default.cases } else { cases },
        ..default
    }
}

/// Operations of the first `sides` sides.
pub fn ops(sides: u8, most: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = (0..sides, 0..SLOTS, act()).prop_map(|(side, slot, act)| Op { side, slot, act });
    vec(op, 1..most)
}

fn act() -> impl Strategy<Value = Act> {
    let pass = select(vec![1, 50, 100, 100, 1000, 1000, 5000, 15_000, 31_000]);
    prop_oneof![
        60 => say().prop_map(Act::Say),
        4 => (cred(), proptest::option::of(name())).prop_map(|(cred, name)| Act::Open(cred, name)),
        8 => call(),
        16 => proptest::bool::weighted(0.1).prop_map(|refuse| Act::Answer { refuse }),
        6 => pass.prop_map(Act::Pass),
        4 => Just(Act::Read),
        2 => Just(Act::Drop),
        1 => prop_oneof![Just(Act::Revoke), proptest::bool::weighted(0.3).prop_map(Act::Suspend)],
    ]
}

fn call() -> impl Strategy<Value = Act> {
    let capabilities = select(vec![
        Capabilities::call(),
        Capabilities::waiting_call(),
        Capabilities::waiting_call(),
    ]);
    let key = proptest::option::of(0u8..2);
    let say = prop_oneof![
        6 => (to(), key).prop_map(|(to, key)| Say::Message { from: None, to, key, answers: None }),
        1 => proptest::option::of(0u32..4).prop_map(Say::List),
        2 => to().prop_map(Say::Subscribe),
    ];
    (capabilities, cred(), proptest::option::of(name()), say)
        .prop_map(|(capabilities, cred, client, say)| Act::Call(capabilities, cred, client, say))
}

fn cred() -> impl Strategy<Value = Cred> {
    use Cred::*;
    select(vec![
        Key, Key, Key, Key, Absent, OldKey, WrongKey, OthersKey, Chat, Chat, ChatOfOne, Bot, Bot,
        Short, Expired,
    ])
}

/// The names that both sides use are drawn most.
fn name() -> impl Strategy<Value = u8> {
    select(vec![0, 0, 0, 1, 2, 3, 3, 4, 5, 6])
}

fn to() -> impl Strategy<Value = To> {
    prop_oneof![
        8 => name().prop_map(To::Name),
        1 => name().prop_map(To::OthersName),
        2 => (0..SLOTS).prop_map(To::Conn),
        2 => (0..SLOTS).prop_map(To::OthersConn),
        1 => Just(To::NoConn),
    ]
}

fn say() -> impl Strategy<Value = Say> {
    use proptest::option::{of, weighted};
    let from = || weighted(0.3, name());
    let message = (from(), to(), of(0u8..2), weighted(0.3, 0u8..2));
    prop_oneof![
        16 => message
            .prop_map(|(from, to, key, answers)| Say::Message { from, to, key, answers }),
        8 => (name(), of(any::<bool>()), of(0u8..2)).prop_map(|(b, t, i)| Say::Register(b, t, i)),
        2 => to().prop_map(Say::Unregister),
        2 => (from(), to()).prop_map(|(from, to)| Say::Partial(from, to)),
        1 => to().prop_map(Say::Typing),
        1 => to().prop_map(Say::Subscribe),
        1 => to().prop_map(Say::Unsubscribe),
        2 => of(0u32..4).prop_map(Say::List),
        1 => Just(Say::Ping),
        5 => Just(Say::Again),
        1 => cred().prop_map(Say::Auth),
        1 => (0..HOSTILE.len()).prop_map(Say::Hostile),
    ]
}
