//! The rule of floors: a crate imports only from lower floors.
//!
//! ```text
//!  3 gateway        annexes: client -> protocol      cli -> gateway, client, protocol
//!  2 backplane               loadtest -> client, protocol
//!  1 router-core             simulation -> router-core, protocol
//!  0 protocol                benches, xtask -> as drawn in ROOMS
//! ```
//!
//! No floor imports an annex, except `client` in gateway's tests; loadtest's tests start a gateway. `fixtures` stands apart: any
//! crate's tests may import it, nothing else may, and it imports none of ours. Judged are direct dependencies;
//! what the pure floors pull in through others is [`purity`](crate::purity)'s.

use crate::workspace::Member;

/// Where a crate of the workspace stands and what of the workspace it may import.
struct Room {
    name: &'static str,
    place: Place,
    /// What its tests may import beside that.
    tests: &'static [&'static str],
}

enum Place {
    /// Imports every floor below.
    Floor(u8),
    /// Imports what is listed.
    Annex(&'static [&'static str]),
    /// For everybody's tests, and only for them; imports nothing of the workspace.
    Tests,
}

use Place::{Annex, Floor, Tests};

/// Every crate of the house. One that is missing here is an error: it has to be given a place.
const ROOMS: &[Room] = &[
    Room {
        name: "protocol",
        place: Floor(0),
        tests: &[],
    },
    Room {
        name: "router-core",
        place: Floor(1),
        tests: &[],
    },
    Room {
        name: "backplane",
        place: Floor(2),
        tests: &[],
    },
    Room {
        name: "gateway",
        place: Floor(3),
        tests: &["client"],
    },
    Room {
        name: "client",
        place: Annex(&["protocol"]),
        tests: &[],
    },
    Room {
        name: "cli",
        place: Annex(&["gateway", "client", "protocol"]),
        tests: &["loadtest"],
    },
    Room {
        name: "loadtest",
        place: Annex(&["client", "protocol"]),
        tests: &["gateway"],
    },
    Room {
        name: "simulation",
        place: Annex(&["router-core", "protocol"]),
        tests: &[],
    },
    Room {
        name: "benches",
        place: Annex(&[
            "router-core",
            "backplane",
            "gateway",
            "protocol",
            "client",
            "loadtest",
        ]),
        tests: &[],
    },
    Room {
        name: "fixtures",
        place: Tests,
        tests: &[],
    },
    Room {
        name: "xtask",
        place: Annex(&["protocol", "gateway"]),
        tests: &[],
    },
];

/// What the pure floors may use from outside: data, text and arithmetic, nothing that acts.
const PURE: &[&str] = &[
    "arrayvec",
    "base64",
    "bytes",
    "compact_str",
    "foldhash",
    "hashbrown",
    "hmac",
    "itoa",
    "rmp",
    "rmp-serde",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "siphasher",
    "slab",
    "smallvec",
    "smol_str",
    "subtle",
    "thiserror",
    "time",
    "ts-rs",
    "ulid",
];

/// Crates that nobody here names directly, with what to use instead. Others may pull them in,
/// which is why cargo-deny cannot say this.
const UNWANTED: &[(&str, &str)] = &[
    ("lazy_static", "std::sync::LazyLock"),
    ("once_cell", "std::sync::OnceLock or LazyLock"),
    ("futures", "futures-util"),
    ("log", "tracing"),
];

/// Libraries that only one crate may name, so that what they do is done in one place.
const KEPT_IN: &[(&str, &str)] = &[("redis", "backplane"), ("deadpool-redis", "backplane")];

/// Every arrow that should not be there, one sentence each; empty if the house stands.
pub(crate) fn breaches(members: &[Member]) -> Vec<String> {
    members.iter().flat_map(breaches_of).collect()
}

fn breaches_of(member: &Member) -> Vec<String> {
    let name = &member.name;
    let Some(room) = room(name) else {
        return vec![format!(
            "{name} has no place: add it to ROOMS in xtask/src/floors.rs"
        )];
    };
    let mut found = Vec::new();
    for dependency in &member.dependencies {
        let other = &dependency.name;
        if let Some(target) = self::room(other) {
            let in_tests = dependency.dev && tests_may_import(room, target);
            if !in_tests && !may_import(room, target) {
                found.push(format!("{name} -> {other}: an arrow that is not drawn"));
            }
        } else if !dependency.dev && is_pure(name) && !PURE.contains(&other.as_str()) {
            found.push(format!(
                "{name} -> {other}: not on the list of pure libraries"
            ));
        }
        if let Some((_, keeper)) = KEPT_IN.iter().find(|(kept, _)| kept == other)
            && keeper != name
            && !dependency.dev
        {
            found.push(format!("{name} -> {other}: only {keeper} may name it"));
        }
        if let Some((_, instead)) = UNWANTED.iter().find(|(unwanted, _)| unwanted == other) {
            found.push(format!("{name} -> {other}: use {instead} instead"));
        }
    }
    found
}

/// Whether `name` is a floor without clock, randomness and I/O.
pub(crate) fn is_pure(name: &str) -> bool {
    room(name).is_some_and(|room| matches!(room.place, Floor(0 | 1)))
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

fn may_import(room: &Room, target: &Room) -> bool {
    match (&room.place, &target.place) {
        (Floor(own), Floor(below)) => below < own,
        (Floor(_), Annex(_)) => false,
        (Annex(drawn), Floor(_) | Annex(_)) => drawn.contains(&target.name),
        (Tests, Floor(_) | Annex(_) | Tests) | (Floor(_) | Annex(_), Tests) => false,
    }
}

fn tests_may_import(room: &Room, target: &Room) -> bool {
    matches!(target.place, Tests) || room.tests.contains(&target.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{self, Dependency};

    fn found(name: &str, other: &str, dev: bool) -> Vec<String> {
        let dependencies = vec![Dependency {
            name: other.to_owned(),
            dev,
        }];
        breaches(&[Member {
            name: name.to_owned(),
            dependencies,
        }])
    }

    #[test]
    fn the_workspace_has_no_upward_arrow() {
        let members = workspace::members(&workspace::root()).unwrap();
        assert!(members.iter().any(|member| member.name == "protocol"));
        assert_eq!(breaches(&members), Vec::<String>::new());
    }

    #[test]
    fn an_upward_arrow_is_found() {
        assert_eq!(
            found("protocol", "router-core", false),
            ["protocol -> router-core: an arrow that is not drawn"]
        );
        assert_eq!(found("router-core", "backplane", false).len(), 1);
        assert_eq!(found("backplane", "gateway", false).len(), 1);
        assert_eq!(
            found("protocol", "router-core", true).len(),
            1,
            "in tests too"
        );
    }

    #[test]
    fn a_downward_arrow_passes() {
        for (upper, lower) in [
            ("router-core", "protocol"),
            ("gateway", "backplane"),
            ("gateway", "protocol"),
        ] {
            assert_eq!(
                found(upper, lower, false),
                Vec::<String>::new(),
                "{upper} -> {lower}"
            );
        }
    }

    #[test]
    fn an_annex_imports_only_as_drawn() {
        assert_eq!(found("client", "protocol", false), Vec::<String>::new());
        assert_eq!(found("cli", "client", false), Vec::<String>::new());
        assert_eq!(found("client", "gateway", false).len(), 1);
        assert_eq!(found("loadtest", "gateway", false).len(), 1);
    }

    #[test]
    fn a_floor_imports_an_annex_only_in_gateways_tests() {
        assert_eq!(found("gateway", "client", true), Vec::<String>::new());
        assert_eq!(found("gateway", "client", false).len(), 1);
        assert_eq!(found("backplane", "client", true).len(), 1);
    }

    #[test]
    fn fixtures_are_for_tests_only() {
        for name in ["protocol", "backplane", "gateway", "cli", "benches"] {
            assert_eq!(found(name, "fixtures", true), Vec::<String>::new());
            assert_eq!(
                found(name, "fixtures", false),
                [format!("{name} -> fixtures: an arrow that is not drawn")]
            );
        }
        assert_eq!(found("fixtures", "protocol", false).len(), 1);
        assert_eq!(found("fixtures", "client", true).len(), 1);
        assert_eq!(found("fixtures", "tokio", false), Vec::<String>::new());
    }

    #[test]
    fn a_pure_floor_uses_only_pure_libraries() {
        assert_eq!(found("router-core", "bytes", false), Vec::<String>::new());
        assert_eq!(found("router-core", "proptest", true), Vec::<String>::new());
        assert_eq!(
            found("router-core", "tokio", false),
            ["router-core -> tokio: not on the list of pure libraries"]
        );
        assert_eq!(found("gateway", "tokio", false), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(found("cellar", "bytes", false).len(), 1);
    }

    #[test]
    fn only_backplane_names_redis() {
        assert_eq!(
            found("gateway", "redis", false),
            ["gateway -> redis: only backplane may name it"]
        );
        assert_eq!(found("backplane", "redis", false), Vec::<String>::new());
        assert_eq!(
            found("gateway", "redis", true),
            Vec::<String>::new(),
            "tests start their own"
        );
    }

    #[test]
    fn an_unwanted_crate_is_found() {
        assert_eq!(
            found("gateway", "once_cell", false),
            ["gateway -> once_cell: use std::sync::OnceLock or LazyLock instead"]
        );
    }
}
