//! Who is told what: agents and people do not get what is meant for others.

use crate::model::echo_of;
use crate::phone::{TestPhone, text_of};
use crate::world::TestWorld;

pub async fn each_message_reaches_its_own_agent(world: &mut TestWorld) {
    let mut phone = TestPhone::connect(&world.gateway, "phone").await;
    for agent in ["main", "coder"] {
        let (bot, text) = (format!("bot_{agent}"), format!("are you {agent}?"));
        let answer = phone.ask(&bot, &text, &format!("agents-{agent}")).await;
        assert_eq!(text_of(&answer), echo_of(&text));
        assert_eq!(answer.from.as_str(), bot);
        let runs = world.model.runs(&text);
        let models: Vec<&str> = runs.iter().map(|asked| asked.model.as_str()).collect();
        assert_eq!(models, [agent]);
    }
}

/// `Alice` and `alice` are two people, though OpenClaw lowercases what it keys sessions by.
pub async fn clients_do_not_see_each_other(world: &mut TestWorld) {
    let people = ["alice", "Alice", "bob"];
    for id in people {
        let mut phone = TestPhone::connect(&world.gateway, id).await;
        let secret = secret_of(id);
        phone
            .ask("bot_main", &secret, &format!("secret-{id}"))
            .await;
    }
    for id in people {
        let mut phone = TestPhone::connect(&world.gateway, id).await;
        let text = format!("what do you know of {id}?");
        phone.ask("bot_main", &text, &format!("known-{id}")).await;
        let runs = world.model.runs(&text);
        assert_eq!(runs.len(), 1);
        for other in people {
            assert_eq!(
                runs[0].messages.contains(&secret_of(other)),
                other == id,
                "what {id}'s agent was given of {other}"
            );
        }
    }
}

fn secret_of(id: &str) -> String {
    format!("my secret word is w-{id}-w")
}
