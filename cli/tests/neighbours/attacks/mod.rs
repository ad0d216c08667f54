//! The attacks: each tries to use up one resource that tenants share.

mod admission;
mod memory;
mod rates;

use crate::stage::Case;

/// A case with the defaults.
const CASE: Case = Case {
    name: "",
    config: "",
    shares_address: false,
    shares_tenant: false,
    is_whole: false,
    attack: |_| unreachable!("every case has an attack"),
};

/// Every case, by the resource that it is about.
pub const CASES: &[Case] = &[
    Case {
        name: "presence",
        attack: memory::presence,
        is_whole: true,
        ..CASE
    },
    Case {
        name: "send_buffers",
        attack: memory::send_buffers,
        is_whole: true,
        ..CASE
    },
    Case {
        name: "slow_tenants",
        attack: memory::slow_tenants,
        is_whole: true,
        ..CASE
    },
    Case {
        name: "half_messages",
        attack: memory::half_messages,
        is_whole: true,
        ..CASE
    },
    Case {
        name: "pipelined",
        attack: memory::pipelined,
        ..CASE
    },
    Case {
        name: "subscriptions",
        attack: memory::subscriptions,
        ..CASE
    },
    Case {
        name: "weak_token",
        attack: memory::weak_token,
        shares_tenant: true,
        ..CASE
    },
    Case {
        name: "unauthenticated",
        attack: admission::unauthenticated,
        config: "sockets_max = 768\n",
        ..CASE
    },
    Case {
        name: "lockout",
        attack: admission::lockout,
        shares_address: true,
        ..CASE
    },
    Case {
        name: "control_frames",
        attack: admission::control_frames,
        ..CASE
    },
    Case {
        name: "kept_alive",
        attack: admission::kept_alive,
        config: "sockets_max = 2048\n",
        ..CASE
    },
    Case {
        name: "admin_listener",
        attack: admission::admin_listener,
        ..CASE
    },
    Case {
        name: "client_ids",
        attack: rates::client_ids,
        ..CASE
    },
    Case {
        name: "joins",
        attack: rates::joins,
        ..CASE
    },
    Case {
        name: "lists",
        attack: rates::lists,
        ..CASE
    },
    Case {
        name: "http_lists",
        attack: rates::http_lists,
        ..CASE
    },
    Case {
        name: "fan_out",
        attack: rates::fan_out,
        ..CASE
    },
    Case {
        name: "pings",
        attack: rates::pings,
        ..CASE
    },
    Case {
        name: "renamed_bots",
        attack: rates::renamed_bots,
        ..CASE
    },
    Case {
        name: "large_messages",
        attack: rates::large_messages,
        ..CASE
    },
    Case {
        name: "large_bodies",
        attack: rates::large_bodies,
        ..CASE
    },
];
