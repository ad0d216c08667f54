//! The answer in sentences: where each bot is, and what keeps it from being online.

use serde_json::Value;

use super::fields::text;

/// What a person wants to know first, a sentence a line.
pub(super) fn sentences(answer: &Value) -> Vec<String> {
    let user = text(&answer["tenant"]);
    if answer["known"] == false {
        let from = match answer["directory_read"] == false {
            true => "the store does not answer, and this node remembers nothing of",
            false => "neither this node nor the store knows anything of",
        };
        return vec![format!("{user} is unknown: {from} this user.")];
    }
    let mut sentences = Vec::new();
    if answer["policy"]["suspended"] == true {
        sentences.push(format!(
            "{user} is suspended: every connection is closed with 4403 until `t2b tenant resume {user}`."
        ));
    }
    if answer["directory_read"] == false {
        sentences.push("The store does not answer: this is what this node remembers.".to_owned());
    }
    let bots = answer["bots"].as_array().into_iter().flatten();
    sentences.extend(bots.map(|bot| about_bot(user, bot, answer)));
    match answer["bots_left_out"].as_u64() {
        Some(0) | None if sentences.is_empty() => {
            sentences.push(format!("{user} has no bots."));
        }
        Some(0) | None => {}
        Some(more) => sentences.push(format!("{more} more bots: name one to see it.")),
    }
    sentences.extend(about_limits(user, &answer["limits"]));
    sentences
}

fn about_bot(user: &str, bot: &Value, answer: &Value) -> String {
    let node = &answer["node"];
    let (name, since) = (text(&bot["bot"]), text(&bot["since"]));
    let last = &bot["last_here"];
    match text(&bot["state"]) {
        "online" => {
            let place = place(&bot["node"], node);
            let connection = text(&bot["connection"]);
            let taken = match last["lost"]["cause"] == "taken_over" {
                true => format!(" It was taken over from {}.", text(&last["connection"])),
                false => String::new(),
            };
            format!("{name} of {user} is online since {since}, on {place}: {connection}.{taken}")
        }
        "offline" => {
            let lost = lost_with_node(bot, answer);
            let why = lost.unwrap_or_else(|| why_it_ended(last, node));
            let next = what_helps(user, &last["closed"]);
            format!("{name} of {user} is offline since {since}: {why}.{next}")
        }
        "not_listed" if last["lost"]["cause"] == "unregistered" => {
            let at = text(&last["lost"]["at"]);
            format!("{name} of {user} is not registered: it was unregistered at {at}.")
        }
        "not_listed" => {
            format!("{name} of {user} is not registered, and was not in the last 24 hours.")
        }
        _ => {
            let why = why_it_ended(last, node);
            format!("Whether {name} of {user} is online is not known: {why}.")
        }
    }
}

/// That the node of a bot died, if this is the newest that is known of it.
fn lost_with_node(bot: &Value, answer: &Value) -> Option<String> {
    let (name, lost) = (&bot["bot"], &bot["lost_node"]);
    let mut events = answer["events"].as_array().into_iter().flatten();
    let newest = events.find(|event| event["bot"] == *name);
    let newest = newest.filter(|event| event["what"] == "node_lost");
    let boot = newest.map_or(lost, |event| &event["node"]);
    let place = boot.is_string().then(|| place(boot, &answer["node"]))?;
    Some(format!("it was connected to {place}"))
}

/// What an operator or the owner can do, if the close says it; a sentence.
fn what_helps(user: &str, closed: &Value) -> String {
    match (closed["by"].as_str(), closed["code"].as_u64()) {
        (Some("gateway"), Some(4401)) => format!(
            " Its key or token is not valid any more. For a new key: `t2b keys issue {user}`."
        ),
        (Some("gateway"), Some(4403)) => {
            " A bot does not come back by itself after a resume: start it again.".to_owned()
        }
        _ => String::new(),
    }
}

/// How the last connection of this node lost the bot, in the words of a sentence.
fn why_it_ended(last: &Value, node: &Value) -> String {
    if last.is_null() {
        return "this node remembers no connection of it".to_owned();
    }
    let (closed, lost) = (&last["closed"], &last["lost"]);
    if lost["cause"] == "taken_over" {
        let by = &lost["by"];
        let (connection, place) = (text(&by["connection"]), place(&by["node"], node));
        let at = text(&lost["at"]);
        return format!("{connection} on {place} took it over at {at}, and is gone since");
    }
    if lost["cause"] == "unregistered" {
        return format!("it was unregistered at {}", text(&lost["at"]));
    }
    let Some(by) = closed["by"].as_str() else {
        return match lost.is_null() {
            true => "its last connection to this node is still open".to_owned(),
            false => format!("its connection left at {}", text(&lost["at"])),
        };
    };
    let code = match closed["code"].as_u64() {
        Some(code) => format!("with {code}"),
        None => "without a code".to_owned(),
    };
    let reason = closed["reason"].as_str().map(|reason| format!(" {reason}"));
    let reason = reason.unwrap_or_default();
    let at = text(&closed["at"]);
    match by {
        "gateway" => format!("the gateway closed its socket {code}{reason} at {at}"),
        "peer" => format!("the bot closed its socket {code} at {at}"),
        _ => format!("its socket broke off without a close at {at}"),
    }
}

/// A node, in words.
fn place(boot: &Value, node: &Value) -> String {
    if *boot == node["boot"] {
        return "this node".to_owned();
    }
    let mut others = node["others"].as_array().into_iter().flatten();
    match others.find(|other| other["boot"] == *boot) {
        Some(other) => {
            let (name, address) = (text(&other["name"]), text(&other["address"]));
            format!("node {} ({name}, {address})", text(boot))
        }
        None => format!("node {}, which is gone", text(boot)),
    }
}

/// The limits that are reached now.
fn about_limits(user: &str, limits: &Value) -> Option<String> {
    let limits = limits.as_array()?.iter();
    let reached = limits.filter(|limit| limit["reached"] == true);
    let reached = reached.map(|limit| match limit["used"].as_u64() {
        Some(used) => format!("{} ({used} of {})", text(&limit["limit"]), limit["most"]),
        None => text(&limit["limit"]).to_owned(),
    });
    let reached: Vec<String> = reached.collect();
    let listed = reached.join(", ");
    (!reached.is_empty()).then(|| format!("{user} has reached these limits: {listed}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(bot: Value, expected: &str) {
        let others =
            json!([{"boot": "B", "name": "pod-2", "address": "10.0.0.2:9464", "state": "live"}]);
        let answer = json!({
            "tenant": "alice", "known": true, "directory_read": true, "bots": [bot], "bots_left_out": 0,
            "node": {"boot": "A", "others": others}, "policy": {"suspended": false}, "limits": [],
        });
        assert_eq!(sentences(&answer), [expected]);
    }

    fn offline(last: Value) -> Value {
        json!({"bot": "main", "state": "offline", "since": "T", "last_here": last})
    }

    #[test]
    fn a_bot_that_is_online_has_its_place() {
        let online = |node| json!({"bot": "main", "state": "online", "since": "T", "node": node, "connection": "c"});
        check(
            online("A"),
            "main of alice is online since T, on this node: c.",
        );
        let there = "main of alice is online since T, on node B (pod-2, 10.0.0.2:9464): c.";
        check(online("B"), there);
        let gone = "main of alice is online since T, on node C, which is gone: c.";
        check(online("C"), gone);
    }

    #[test]
    fn a_bot_that_is_offline_has_the_end_of_its_last_connection() {
        let left = json!({"cause": "connection_left", "at": "T"});
        for (closed, expected) in [
            (
                json!({"by": "gateway", "code": 4403, "reason": "tenant_suspended", "at": "U"}),
                "the gateway closed its socket with 4403 tenant_suspended at U. A bot does not come back by itself after a resume: start it again",
            ),
            (
                json!({"by": "peer", "code": 1000, "reason": null, "at": "U"}),
                "the bot closed its socket with 1000 at U",
            ),
            (
                json!({"by": "peer", "code": null, "reason": null, "at": "U"}),
                "the bot closed its socket without a code at U",
            ),
            (
                json!({"by": "lost", "code": null, "reason": null, "at": "U"}),
                "its socket broke off without a close at U",
            ),
            (Value::Null, "its connection left at T"),
        ] {
            let last = json!({"lost": left, "closed": closed});
            let expected = format!("main of alice is offline since T: {expected}.");
            check(offline(last), &expected);
        }
        let taken =
            json!({"cause": "taken_over", "at": "U", "by": {"node": "B", "connection": "c2"}});
        check(
            offline(json!({"lost": taken, "closed": null})),
            "main of alice is offline since T: c2 on node B (pod-2, 10.0.0.2:9464) took it over at U, and is gone since.",
        );
        check(
            offline(Value::Null),
            "main of alice is offline since T: this node remembers no connection of it.",
        );
    }

    #[test]
    fn a_bot_that_is_not_registered_says_since_when_if_that_is_known() {
        let bot = |last| json!({"bot": "main", "state": "not_listed", "last_here": last});
        let never = "main of alice is not registered, and was not in the last 24 hours.";
        check(bot(Value::Null), never);
        let lost = json!({"lost": {"cause": "unregistered", "at": "U"}});
        let then = "main of alice is not registered: it was unregistered at U.";
        check(bot(lost), then);
    }

    #[test]
    fn what_keeps_all_bots_away_is_said_too() {
        let answer = json!({
            "tenant": "alice", "known": true, "directory_read": true, "bots": [], "bots_left_out": 3,
            "policy": {"suspended": true}, "limits": [
                {"limit": "sockets_per_tenant", "used": 2, "most": 2, "reached": true},
                {"limit": "joins_per_second", "used": null, "most": 9, "reached": true},
                {"limit": "bots_per_tenant", "used": 1, "most": 9, "reached": false},
            ],
        });
        let expected = [
            "alice is suspended: every connection is closed with 4403 until `t2b tenant resume alice`.",
            "3 more bots: name one to see it.",
            "alice has reached these limits: sockets_per_tenant (2 of 2), joins_per_second.",
        ];
        assert_eq!(sentences(&answer), expected);
        let unknown = json!({"tenant": "alice", "known": false, "directory_read": true});
        let expected =
            ["alice is unknown: neither this node nor the store knows anything of this user."];
        assert_eq!(sentences(&unknown), expected);
    }
}
