//! The rule of layers: a crate imports only from lower layers.
//!
//! ```text
//!  3 gateway        annexes: client -> protocol      cli -> gateway, client, protocol
//!  2 backplane               loadtest -> client, protocol
//!  1 router-core             simulation -> router-core, protocol
//!  0 protocol                benches, xtask -> as listed in PLACES
//! ```
//!
//! No layer imports an annex, except `client` in the tests of gateway. The tests of loadtest start a gateway. The tests of
//! any crate may import `fixtures`, nothing else may, and it imports no crate of the workspace. The rule is about direct
//! dependencies; [`purity`](super::purity) looks at what the pure layers pull in through others.

use crate::workspace::Member;

/// Where a crate of the workspace stands and what of the workspace it may import.
struct CratePlace {
    name: &'static str,
    place: PlaceKind,
    /// What its tests may import beside that.
    tests: &'static [&'static str],
}

enum PlaceKind {
    /// Imports every layer below.
    Layer(u8),
    /// Imports what is listed.
    Annex(&'static [&'static str]),
    /// For the tests of all crates, and only for them. Imports nothing of the workspace.
    Tests,
}

use PlaceKind::{Annex, Layer, Tests};

/// Every crate of the workspace. A crate that is missing here is an error.
const PLACES: &[CratePlace] = &[
    CratePlace {
        name: "protocol",
        place: Layer(0),
        tests: &[],
    },
    CratePlace {
        name: "router-core",
        place: Layer(1),
        tests: &[],
    },
    CratePlace {
        name: "backplane",
        place: Layer(2),
        tests: &[],
    },
    CratePlace {
        name: "gateway",
        place: Layer(3),
        tests: &["client"],
    },
    CratePlace {
        name: "client",
        place: Annex(&["protocol"]),
        tests: &[],
    },
    CratePlace {
        name: "cli",
        place: Annex(&["gateway", "client", "protocol"]),
        tests: &["loadtest"],
    },
    CratePlace {
        name: "loadtest",
        place: Annex(&["client", "protocol"]),
        tests: &["gateway"],
    },
    CratePlace {
        name: "simulation",
        place: Annex(&["router-core", "protocol"]),
        tests: &[],
    },
    CratePlace {
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
    CratePlace {
        name: "fixtures",
        place: Tests,
        tests: &[],
    },
    CratePlace {
        name: "xtask",
        place: Annex(&["protocol", "gateway"]),
        tests: &[],
    },
];

/// What the pure layers may use from outside: data, text and arithmetic, nothing that acts.
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

/// Crates that no crate of the workspace names, with what to use instead. Other dependencies may pull them in, so
/// cargo-deny cannot forbid them.
const UNWANTED: &[(&str, &str)] = &[
    ("lazy_static", "std::sync::LazyLock"),
    ("once_cell", "std::sync::OnceLock or LazyLock"),
    ("futures", "futures-util"),
    ("log", "tracing"),
];

/// Libraries that only one crate may name, so that what they do is done in one place.
const KEPT_IN: &[(&str, &str)] = &[
    ("redis", "backplane"),
    ("deadpool-redis", "backplane"),
    ("axum", "gateway"),
    ("tower-http", "gateway"),
    ("utoipa-axum", "gateway"),
];

/// Every dependency that the rule forbids, one sentence each.
pub(super) fn breaches(members: &[Member]) -> Vec<String> {
    members.iter().flat_map(breaches_of).collect()
}

fn breaches_of(member: &Member) -> Vec<String> {
    let name = &member.name;
    let Some(own) = place_of(name) else {
        return vec![format!(
            "{name} has no place: add it to PLACES in xtask/src/layers/arrows.rs"
        )];
    };
    let mut found = Vec::new();
    for dependency in &member.dependencies {
        let other = &dependency.name;
        if let Some(target) = place_of(other) {
            let in_tests = dependency.dev && tests_may_import(own, target);
            if !in_tests && !may_import(own, target) {
                found.push(format!(
                    "{name} -> {other}: not allowed by the rule of layers"
                ));
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

/// Whether `name` is a layer without clock, randomness and I/O.
pub(super) fn is_pure(name: &str) -> bool {
    place_of(name).is_some_and(|own| matches!(own.place, Layer(0 | 1)))
}

fn place_of(name: &str) -> Option<&'static CratePlace> {
    PLACES.iter().find(|place| place.name == name)
}

fn may_import(own: &CratePlace, target: &CratePlace) -> bool {
    match (&own.place, &target.place) {
        (Layer(own), Layer(below)) => below < own,
        (Layer(_), Annex(_)) => false,
        (Annex(listed), Layer(_) | Annex(_)) => listed.contains(&target.name),
        (Tests, Layer(_) | Annex(_) | Tests) | (Layer(_) | Annex(_), Tests) => false,
    }
}

fn tests_may_import(own: &CratePlace, target: &CratePlace) -> bool {
    matches!(target.place, Tests) || own.tests.contains(&target.name)
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
            ["protocol -> router-core: not allowed by the rule of layers"]
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
    fn an_annex_imports_only_what_is_listed() {
        assert_eq!(found("client", "protocol", false), Vec::<String>::new());
        assert_eq!(found("cli", "client", false), Vec::<String>::new());
        assert_eq!(found("client", "gateway", false).len(), 1);
        assert_eq!(found("loadtest", "gateway", false).len(), 1);
    }

    #[test]
    fn a_layer_imports_an_annex_only_in_gateways_tests() {
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
                [format!(
                    "{name} -> fixtures: not allowed by the rule of layers"
                )]
            );
        }
        assert_eq!(found("fixtures", "protocol", false).len(), 1);
        assert_eq!(found("fixtures", "client", true).len(), 1);
        assert_eq!(found("fixtures", "tokio", false), Vec::<String>::new());
    }

    #[test]
    fn a_pure_layer_uses_only_pure_libraries() {
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
        assert_eq!(found("unlisted", "bytes", false).len(), 1);
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
