//! The attacks: each tries to use up one resource that tenants share.

mod admission;
mod memory;
mod rates;

use crate::stage::AttackCase;

/// A case with the defaults.
const CASE: AttackCase = AttackCase {
    name: "",
    config: "",
    shares_address: false,
    shares_tenant: false,
    is_whole: false,
    attack: |_| unreachable!("every case has an attack"),
};

/// Every case, by the resource that it is about.
pub const CASES: &[AttackCase] = &[
    AttackCase {
        name: "presence",
        attack: memory::presence,
        is_whole: true,
        ..CASE
    },
    AttackCase {
        name: "send_buffers",
        attack: memory::send_buffers,
        is_whole: true,
        ..CASE
    },
    AttackCase {
        name: "slow_tenants",
        attack: memory::slow_tenants,
        is_whole: true,
        ..CASE
    },
    AttackCase {
        name: "half_messages",
        attack: memory::half_messages,
        is_whole: true,
        ..CASE
    },
    AttackCase {
        name: "pipelined",
        attack: memory::pipelined,
        ..CASE
    },
    AttackCase {
        name: "subscriptions",
        attack: memory::subscriptions,
        ..CASE
    },
    AttackCase {
        name: "weak_token",
        attack: memory::weak_token,
        shares_tenant: true,
        ..CASE
    },
    AttackCase {
        name: "unauthenticated",
        attack: admission::unauthenticated,
        config: "sockets_max = 768\n",
        ..CASE
    },
    AttackCase {
        name: "lockout",
        attack: admission::lockout,
        shares_address: true,
        ..CASE
    },
    AttackCase {
        name: "control_frames",
        attack: admission::control_frames,
        ..CASE
    },
    AttackCase {
        name: "kept_alive",
        attack: admission::kept_alive,
        config: "sockets_max = 2048\n",
        ..CASE
    },
    AttackCase {
        name: "admin_listener",
        attack: admission::admin_listener,
        ..CASE
    },
    AttackCase {
        name: "client_ids",
        attack: rates::client_ids,
        ..CASE
    },
    AttackCase {
        name: "joins",
        attack: rates::joins,
        ..CASE
    },
    AttackCase {
        name: "lists",
        attack: rates::lists,
        ..CASE
    },
    AttackCase {
        name: "http_lists",
        attack: rates::http_lists,
        ..CASE
    },
    AttackCase {
        name: "fan_out",
        attack: rates::fan_out,
        ..CASE
    },
    AttackCase {
        name: "pings",
        attack: rates::pings,
        ..CASE
    },
    AttackCase {
        name: "renamed_bots",
        attack: rates::renamed_bots,
        ..CASE
    },
    AttackCase {
        name: "large_messages",
        attack: rates::large_messages,
        ..CASE
    },
    AttackCase {
        name: "large_bodies",
        attack: rates::large_bodies,
        ..CASE
    },
];
