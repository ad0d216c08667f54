//! The owner's own OpenClaw speaks first.

use std::collections::BTreeSet;

use crate::openclaw::EndedCommand;
use crate::phone::{TestPhone, text_of};
use crate::world::{DEADLINE, TestWorld};

/// From the first bot, or from the one that the target names.
pub async fn a_message_from_the_owner_arrives(world: &mut TestWorld) {
    let mut phone = TestPhone::connect(&world.gateway, "Phone-2").await;
    let sent = tokio::join!(
        send(world, "Phone-2", "dinner is ready"),
        send(world, "bot_main/Phone-2", "the door is open"),
    );
    for sent in [sent.0, sent.1] {
        assert_eq!(sent.code, Some(0), "{}", sent.said);
    }
    let mut arrived = BTreeSet::new();
    for _ in 0..2 {
        let message = phone.next_message(DEADLINE, |_| true).await.unwrap();
        arrived.insert((message.from.to_string(), text_of(&message)));
    }
    let expected = [
        ("bot_coder", "dinner is ready"),
        ("bot_main", "the door is open"),
    ];
    let expected = expected.map(|(bot, text)| (bot.to_owned(), text.to_owned()));
    assert_eq!(arrived, BTreeSet::from(expected));
}

/// One that has left, and one that never was.
pub async fn an_absent_client_is_a_clear_error(world: &mut TestWorld) {
    drop(TestPhone::connect(&world.gateway, "left-already").await);
    let sent = tokio::join!(
        send(world, "left-already", "anyone?"),
        send(world, "never-seen", "anyone?"),
    );
    for (sent, problem) in [
        (
            sent.0,
            "left-already is not connected now; nothing was sent",
        ),
        (
            sent.1,
            "never-seen is not known to the gateway; nothing was sent",
        ),
    ] {
        assert_eq!(sent.code, Some(1), "{}", sent.said);
        assert!(sent.said.contains(problem), "{}", sent.said);
    }
}

async fn send(world: &TestWorld, target: &str, text: &str) -> EndedCommand {
    let place = ["--channel", "tunnel", "--target", target];
    let args = [&["message", "send"][..], &place, &["--message", text]].concat();
    world.openclaw.run(&args).await
}
