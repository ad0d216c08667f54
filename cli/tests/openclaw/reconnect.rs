//! The gateway dies and comes back under a conversation.

use std::time::Duration;

use protocol::frame::Delivered;

use crate::gateway::Gateway;
use crate::model::echo_of;
use crate::phone::{Phone, text_of};
use crate::world::{World, until};

const RESTARTS: usize = 5;
const CLIENT: &str = "traveller";
/// How long a client waits for an answer before it says its message again.
const PATIENCE: Duration = Duration::from_secs(5);

/// In each round the gateway is killed while the agent runs, and nobody but the client and the
/// plugin mend what was lost. In odd rounds the repeat comes during the run and joins it, in even
/// rounds the run ends while the plugin is away. Then a message comes when all is quiet.
pub async fn every_message_runs_once_over_five_restarts(world: &mut World) {
    for round in 1..=RESTARTS {
        let (text, id) = (format!("cut in round {round}"), format!("cut-{round}"));
        let hold = world.model.hold(&text);
        let phone = Phone::connect(&world.gateway, CLIENT).await;
        phone.say("bot_main", &text, &id).await.unwrap();
        world.model.asked(&text).await;
        world.gateway.kill().await;
        drop(phone);
        if round % 2 == 0 {
            hold.release();
            world.gateway.restart().await;
        } else {
            world.gateway.restart().await;
            until("the repeat has arrived", async || {
                let phone = Phone::try_connect(&world.gateway, CLIENT).await.ok()?;
                phone.say("bot_main", &text, &id).await.ok()
            })
            .await;
            hold.release();
        }
        check(&persist(&world.gateway, &text, &id).await, &text, &id);

        let (text, id) = (format!("calm in round {round}"), format!("calm-{round}"));
        check(&persist(&world.gateway, &text, &id).await, &text, &id);
    }
    for round in 1..=RESTARTS {
        for kind in ["cut", "calm"] {
            let text = format!("{kind} in round {round}");
            assert_eq!(world.model.runs(&text).len(), 1, "runs of {text:?}");
        }
    }
    world.bots_are_online().await;
}

/// Says it again, over new connections, until it is answered.
async fn persist(gateway: &Gateway, text: &str, id: &str) -> Delivered {
    until(&format!("{id} is answered"), async || {
        let mut phone = Phone::try_connect(gateway, CLIENT).await.ok()?;
        phone.say("bot_main", text, id).await.ok()?;
        phone.answer_within(id, PATIENCE).await
    })
    .await
}

fn check(answer: &Delivered, text: &str, id: &str) {
    assert_eq!(text_of(answer), echo_of(text));
    let message_id = answer.message_id.as_ref().map(ToString::to_string);
    assert_eq!(message_id, Some(format!("{id}:r1")));
}
