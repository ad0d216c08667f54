//! The owner's own OpenClaw speaks first.

use crate::phone::{Phone, text_of};
use crate::world::{DEADLINE, World};

pub async fn a_message_from_the_owner_arrives(world: &mut World) {
    let mut phone = Phone::connect(&world.gateway, "Phone-2").await;
    let sent = world
        .openclaw
        .run(&send("Phone-2", "dinner is ready"))
        .await;
    assert_eq!(sent.code, Some(0), "{}", sent.said);
    let arrived = phone.next_message(DEADLINE, |_| true).await.unwrap();
    assert_eq!(text_of(&arrived), "dinner is ready");
}

pub async fn an_absent_client_is_a_clear_error(world: &mut World) {
    let sent = world.openclaw.run(&send("nobody-there", "anyone?")).await;
    assert_ne!(sent.code, Some(0), "{}", sent.said);
    assert!(sent.said.contains("nobody-there"), "{}", sent.said);
}

fn send<'a>(target: &'a str, text: &'a str) -> [&'a str; 8] {
    [
        "message",
        "send",
        "--channel",
        "tunnel",
        "--target",
        target,
        "--message",
        text,
    ]
}
