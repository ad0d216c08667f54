//! The owner lets only some clients speak with the agents.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::echo_of;
use crate::phone::{TestPhone, text_of};
use crate::world::{TestWorld, until};

/// A refusal is told once a minute: a message may stay without any answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn a_client_that_is_not_listed_is_refused(world: &mut TestWorld) {
    set_policy(
        world,
        json!({"dmPolicy": "allowlist", "allowFrom": ["friend"]}),
    );
    let mut friend = TestPhone::connect(&world.gateway, "friend").await;
    let mut stranger = TestPhone::connect(&world.gateway, "stranger").await;
    // OpenClaw notices the new configuration by itself, some time after it is written.
    let mut tries = 0;
    let refusal = until("a stranger is refused", async || {
        tries += 1;
        let (text, id) = (format!("may I? {tries}"), format!("stranger-{tries}"));
        stranger.say("bot_main", &text, &id).await.ok()?;
        let answer = stranger.answer_within(&id, PATIENCE).await?;
        (text_of(&answer) != echo_of(&text)).then_some((text, text_of(&answer)))
    })
    .await;
    let (text, said) = refusal;
    assert_eq!(world.model.runs(&text).len(), 0, "{said}");
    let answer = friend.ask("bot_main", "and I?", "friend-1").await;
    assert_eq!(text_of(&answer), echo_of("and I?"));

    set_policy(world, json!({"dmPolicy": "open", "allowFrom": []}));
    until("a stranger is let in", async || {
        tries += 1;
        let (text, id) = (format!("may I? {tries}"), format!("stranger-{tries}"));
        stranger.say("bot_main", &text, &id).await.ok()?;
        stranger.answer_within(&id, PATIENCE).await
    })
    .await;
}

fn set_policy(world: &TestWorld, policy: Value) {
    world.openclaw.configure(|config| {
        for (name, value) in policy.as_object().unwrap() {
            config["channels"]["tunnel"][name] = value.clone();
        }
    });
}
