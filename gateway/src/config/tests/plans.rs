//! Plans, and the tenants that have them.

use protocol::{Allowance, UsageMeter};

use super::*;

const FILE: &str = r#"
default_plan = "free"

[limits]
bots_per_socket = 3

[plans.free.limits]
messages_per_second = 10

[plans.free.month]
messages_accepted = { soft = 8000, hard = 10000 }
bytes_out = { hard = "1GiB" }
connection_seconds_bot = { soft = "100h" }
http_requests = { hard = 0 }

[plans.pro]

[tenants.alice]
plan = "pro"

[tenants.bob.limits]
bots_per_tenant = 7
"#;

#[test]
fn a_plan_has_limits_and_monthly_allowances() {
    let config = Home::new().load(&[], &[], Some(FILE)).unwrap();
    let settings = config.settings(0);
    let terms = |tenant| settings.terms_of(&TenantId::parse(tenant).unwrap(), None);

    let bob = terms("bob");
    assert_eq!(bob.limits.messages_per_second, 10);
    assert_eq!(bob.limits.bots_per_socket, 3);
    assert_eq!(bob.limits.bots_per_tenant, 7);
    let all: Vec<_> = bob.allowances.iter().collect();
    let allowance = |soft, hard| Allowance { soft, hard };
    let expected = [
        (
            UsageMeter::MessagesAccepted,
            allowance(Some(8000), Some(10_000)),
        ),
        (UsageMeter::BytesOut, allowance(None, Some(1 << 30))),
        // In milliseconds, as in the ledger.
        (
            UsageMeter::ConnectionSecondsBot,
            allowance(Some(360_000_000), None),
        ),
        (UsageMeter::HttpRequests, allowance(None, Some(0))),
    ];
    assert_eq!(all, expected);

    let alice = terms("alice");
    assert_eq!(*alice.limits, config.limits);
    assert!(alice.allowances.is_empty());
    assert_eq!(terms("carol").limits.messages_per_second, 10);
}

#[test]
fn plans_read_back_as_they_are_printed() {
    let home = Home::new();
    let config = home.load(&[], &[], Some(FILE)).unwrap();
    let printed = config.effective_toml();
    let visible: String = printed
        .lines()
        .filter(|line| !line.contains("***"))
        .map(|line| format!("{line}\n"))
        .collect();
    let again = home.load(&[], &[], Some(&visible)).unwrap();
    assert_eq!(again.plans, config.plans, "{printed}");
    assert_eq!(again.tenants, config.tenants);
    assert_eq!(again.default_plan, config.default_plan);
}

#[test]
fn what_is_wrong_with_a_plan_is_named() {
    for (file, key, line, problem) in [
        ("[plans.\"a b\"]", "plans.a b", 1, "not a valid plan name"),
        (
            "[plans.a]\nmonth = 5",
            "plans.a.month",
            2,
            "expected a table",
        ),
        (
            "[plans.a.month]\nmails = { hard = 5 }",
            "plans.a.month.mails",
            2,
            "no such meter",
        ),
        (
            "[plans.a.month]\nbytes_in = { hard = \"1 KB\" }",
            "plans.a.month.bytes_in.hard",
            2,
            "expected a size",
        ),
        (
            "[plans.a.month]\nbytes_in = {}",
            "plans.a.month.bytes_in",
            2,
            "expected `soft`, `hard` or both",
        ),
        (
            "[plans.a.month]\nbytes_in = { most = 5 }",
            "plans.a.month.bytes_in.most",
            2,
            "no such key",
        ),
        (
            "[plans.a.month]\nmessages_sent = { soft = 2, hard = 1 }",
            "plans.a.month.messages_sent",
            2,
            "`soft` must not be above `hard`",
        ),
        (
            "[plans.a.month]\nconnection_seconds_bot = { hard = \"1500ms\" }",
            "plans.a.month.connection_seconds_bot.hard",
            2,
            "expected whole seconds",
        ),
        (
            "[plans.a.limits]\nmails = 5",
            "plans.a.limits.mails",
            2,
            "no such limit",
        ),
        ("[plans.a]\nprice = 5", "plans.a.price", 2, "no such key"),
        (
            "[tenants.alice]\nplan = \"pro\"",
            "tenants.alice.plan",
            2,
            "there is no such plan",
        ),
        (
            "default_plan = \"pro\"",
            "default_plan",
            1,
            "there is no such plan",
        ),
    ] {
        let refused = Home::new().refused_file(file);
        assert_eq!((&*refused.0, refused.1), (key, line), "{file}");
        assert!(refused.2.contains(problem), "{file}: {}", refused.2);
    }
}

#[test]
fn a_frame_of_a_tenant_fits_into_the_queue_that_its_plan_allows() {
    let file = "[plans.small.limits]\nframe_bytes = 1024\noutbound_bytes = 1024\n\
                [tenants.alice]\nplan = \"small\"\n[tenants.alice.limits]\nframe_bytes = 2048\n";
    let (key, line, problem) = Home::new().refused_file(file);
    assert_eq!((&*key, line), ("tenants.alice.limits.frame_bytes", 7));
    assert!(problem.contains("would not fit into outbound_bytes"));
}
