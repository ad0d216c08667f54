//! `tenant list`, `show`, `set` and `delete` against a gateway with plans.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{RunningGateway, TestHome};

const PLANS: &str = r#"
secrets = ["0123456789abcdef0123456789abcdef"]
[plans.free]
limits = { bots_per_tenant = 3 }
[plans.free.month]
messages_accepted = { soft = 8, hard = 10 }
[plans.pro]
limits = { bots_per_tenant = 50 }
"#;

struct TenantCommands<'a> {
    home: &'a TestHome,
    gateway: &'a RunningGateway,
    config: String,
}

impl TenantCommands<'_> {
    fn text(&self, args: &[&str], code: i32) -> String {
        let place = [
            "--config",
            &self.config,
            "--admin-listen",
            &self.gateway.admin,
        ];
        let ended = self.home.run(&[&["tenant"][..], args, &place].concat());
        let stdout = ended.stdout.clone();
        let all = ended.with(code);
        if code == 0 { stdout } else { all }
    }

    fn json(&self, args: &[&str]) -> Vec<Value> {
        let text = self.text(&[args, &["--json"]].concat(), 0);
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}

#[test]
fn an_operator_assigns_a_plan_and_sees_what_holds() {
    let home = TestHome::new();
    let file = home.path().join("t2b.toml");
    fs::write(&file, PLANS).unwrap();
    let config = file.to_str().unwrap().to_owned();
    let gateway = home.gateway(&[("T2B_CONFIG", &config)]);
    let tenant = TenantCommands {
        home: &home,
        gateway: &gateway,
        config,
    };
    assert_eq!(tenant.text(&["list"], 0), "");

    tenant.text(
        &["set", "alice", "--plan", "free", "--label", "region=eu-1"],
        0,
    );
    let said = tenant.text(
        &[
            "set",
            "alice",
            "--limit",
            "frame_bytes=64KiB",
            "--limit",
            "bots_per_tenant=7",
        ],
        0,
    );
    for line in [
        "plan        free, assigned",
        "label       region=eu-1",
        "allowance   messages_accepted: 0 used, soft 8, hard 10",
        "limit       bots_per_tenant 7, assigned",
        "limit       frame_bytes 65536, assigned",
    ] {
        assert!(
            said.lines().any(|said| said == line),
            "no {line:?} in {said}"
        );
    }
    assert_eq!(tenant.text(&["show", "alice"], 0), said);

    // What is not named stays; an empty value removes.
    let changed = tenant.json(&[
        "set",
        "alice",
        "--limit",
        "frame_bytes=",
        "--label",
        "region=",
    ]);
    let assigned = json!({"plan": "free", "limits": {"bots_per_tenant": 7}});
    assert_eq!(changed[0]["assigned"], assigned);
    assert_eq!(
        (&changed[0]["user"], &changed[0]["labels"]),
        (&json!("alice"), &json!({}))
    );
    let listed = json!({"user": "alice", "plan": "free", "last_used": null, "suspended": false, "generation": 0});
    assert_eq!(tenant.json(&["list"]), [listed]);
    assert_eq!(tenant.text(&["list"], 0), "alice  never used  plan free\n");

    let unplanned = tenant.json(&["set", "alice", "--no-plan"]);
    assert_eq!(unplanned[0]["plan"], Value::Null);
    assert_eq!(unplanned[0]["limits"]["bots_per_tenant"], 7);
    let said = tenant.text(&["delete", "alice"], 0);
    assert_eq!(said, "deleted: alice. Its usage stays in the ledger\n");
    let deleted = tenant.json(&["show", "alice"]);
    assert_eq!(
        (&deleted[0]["generation"], &deleted[0]["assigned"]["limits"]),
        (&json!(1), &json!({}))
    );
}

#[test]
fn a_plan_that_left_the_configuration_stays_assigned() {
    let home = TestHome::new();
    let config = home.path().join("t2b.toml").to_str().unwrap().to_owned();
    fs::write(&config, PLANS).unwrap();
    let settings = [("T2B_CONFIG", &*config)];
    let gateway = home.gateway(&settings);
    let of = |gateway: &RunningGateway, args: &[&str]| {
        let config = config.clone();
        let home = &home;
        TenantCommands {
            home,
            gateway,
            config,
        }
        .text(args, 0)
    };
    of(&gateway, &["set", "alice", "--plan", "pro"]);
    gateway.process.signal("-TERM");
    gateway.process.wait().with(0);
    fs::write(&config, PLANS.replace("plans.pro", "plans.max")).unwrap();
    let gateway = home.gateway(&settings);
    let said = of(&gateway, &["set", "alice", "--label", "region=eu-1"]);
    for line in [
        "plan        none; pro is assigned, and the configuration does not have it",
        "label       region=eu-1",
    ] {
        assert!(
            said.lines().any(|said| said == line),
            "no {line:?} in {said}"
        );
    }
}

#[test]
fn a_change_that_breaks_a_rule_is_refused_and_named() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let config = home.path().join("t2b.toml").to_str().unwrap().to_owned();
    fs::write(&config, "").unwrap();
    let tenant = TenantCommands {
        home: &home,
        gateway: &gateway,
        config,
    };
    for (args, code, expected) in [
        (&["set", "alice"][..], 64, "--plan <NAME>"),
        (
            &["set", "alice", "--plan", "gold"],
            1,
            "plan: there is no plan gold: the configuration has no plans",
        ),
        (
            &["set", "alice", "--plan", "a", "--no-plan"],
            64,
            "cannot be used with",
        ),
        (
            &["set", "alice", "--limit", "mails=1"],
            64,
            "limit: mails: no such limit",
        ),
        (
            &["set", "alice", "--limit", "frame_bytes=much"],
            64,
            "limit: frame_bytes: expected a number, or a size like 64KiB",
        ),
        (
            &["set", "alice", "--limit", "frame_bytes"],
            64,
            "expected NAME=VALUE",
        ),
        (
            &["set", "alice", "--label", "a b=c"],
            64,
            "label: labels: a name must be",
        ),
    ] {
        let said = tenant.text(args, code);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    assert_eq!(tenant.text(&["list"], 0), "");
}
