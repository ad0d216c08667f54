//! The gateway dies and comes back under a conversation.

use std::time::Duration;

use protocol::t2b::frames::Delivered;

use crate::gateway::OwnerGateway;
use crate::model::echo_of;
use crate::phone::{TestPhone, text_of};
use crate::world::{BOTS, TestWorld, until};

const CLIENT: &str = "traveller";
/// How long a client waits for an answer before it says its message again.
const PATIENCE: Duration = Duration::from_secs(5);

/// When the gateway dies.
#[derive(Clone, Copy)]
enum KillPoint {
    /// During a run; the repeat comes before its end and joins it.
    RepeatJoins,
    /// During a run, which ends while the plugin is away.
    RunEndsMeanwhile,
    /// Between two messages, and whoever knew the first of them with it.
    Between,
}

const CUTS: [KillPoint; 5] = [
    KillPoint::RepeatJoins,
    KillPoint::RunEndsMeanwhile,
    KillPoint::Between,
    KillPoint::RepeatJoins,
    KillPoint::RunEndsMeanwhile,
];

/// Nobody but the client and the plugin mend what was lost.
pub async fn every_message_runs_once_over_five_restarts(world: &mut TestWorld) {
    for (round, cut) in CUTS.into_iter().enumerate() {
        let (text, id) = (format!("round {round}"), format!("round-{round}"));
        let hold = world.model.hold(&text);
        let mut phone = TestPhone::connect(&world.gateway, CLIENT).await;
        phone.say("bot_main", &text, &id).await.unwrap();
        world.model.asked(&text).await;
        match cut {
            KillPoint::RepeatJoins => {
                restart(world, phone).await;
                until("the repeat has arrived", async || {
                    let phone = TestPhone::try_connect(&world.gateway, CLIENT).await.ok()?;
                    phone.say("bot_main", &text, &id).await.ok()
                })
                .await;
                hold.release();
            }
            KillPoint::RunEndsMeanwhile => {
                world.gateway.kill();
                drop(phone);
                hold.release();
                world.gateway.restart().await;
            }
            KillPoint::Between => {
                hold.release();
                phone.answer_to(&id).await;
                drop(phone);
                world.gateway.forget().await;
            }
        }
        let answer = persist(&world.gateway, &text, &id).await;
        assert_eq!(text_of(&answer), echo_of(&text));
        let message_id = answer.message_id.as_ref().map(ToString::to_string);
        assert_eq!(message_id, Some(format!("{id}:r1")));
    }
    for round in 0..CUTS.len() {
        let text = format!("round {round}");
        assert_eq!(world.model.runs(&text).len(), 1, "runs of {text:?}");
    }
    world.bots_are_online(&BOTS).await;
}

/// The node says that it goes, and takes nobody in any more; OpenClaw comes back to the next one.
pub async fn a_polite_restart_loses_nothing(world: &mut TestWorld) {
    let (text, id) = ("before the update", "update-1");
    let hold = world.model.hold(text);
    let phone = TestPhone::connect(&world.gateway, CLIENT).await;
    phone.say("bot_main", text, id).await.unwrap();
    world.model.asked(text).await;
    world.gateway.stop().await;
    drop(phone);
    hold.release();
    world.gateway.restart().await;
    let answer = persist(&world.gateway, text, id).await;
    assert_eq!(text_of(&answer), echo_of(text));
    assert_eq!(world.model.runs(text).len(), 1);
    world.bots_are_online(&BOTS).await;
}

async fn restart(world: &mut TestWorld, phone: TestPhone) {
    world.gateway.kill();
    drop(phone);
    world.gateway.restart().await;
}

/// Says it again, over new connections, until it is answered.
async fn persist(gateway: &OwnerGateway, text: &str, id: &str) -> Delivered {
    until(&format!("{id} is answered"), async || {
        let mut phone = TestPhone::try_connect(gateway, CLIENT).await.ok()?;
        // Refused or not: the answer of an earlier try may be there first.
        drop(phone.say("bot_main", text, id).await);
        phone.answer_within(id, PATIENCE).await
    })
    .await
}
