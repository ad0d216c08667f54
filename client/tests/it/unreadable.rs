//! The gateway passes bodies verbatim: what this client cannot read reaches the program all the same.

use client::{ClientEvent, members_of};

use crate::server::{ScriptedServer, next};

const HEADS: &str = r#""from":"phone","to":"bot","id":"m-1","messageId":"m-1","connectionId":"conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC""#;

fn frame(kind: &str, body: &str) -> String {
    format!(r#"{{"type":"{kind}","data":{{{HEADS},{body}}},"timestamp":1}}"#)
}

const BODIES: [&str; 6] = [
    r#""text":"cut \ud83d""#,
    r#""text":"x","load":1e999"#,
    r#""text":"x","mood":1,"mood":2"#,
    r#""text":"x","mood":{"a":{"b":1,"b":2}}"#,
    r#""cut \ud83d":1"#,
    r#""text":"x","list":["\udc00"]"#,
];

#[tokio::test]
async fn a_body_that_cannot_be_read_arrives_as_it_came_with_an_error() {
    let (_client, mut events, mut peer) = ScriptedServer::start().await.connected().await;
    for kind in ["message", "message_partial", "typing"] {
        for body in BODIES {
            let sent = frame(kind, body);
            peer.say_text(&sent).await;
            peer.say_text(&frame("message", r#""text":"behind it""#))
                .await;
            let came = format!("{:?}", next(&mut events).await);
            assert!(came.starts_with("Unreadable"), "{sent}: {came}");
            assert!(came.contains(&format!("{sent:?}")), "{sent}: {came}");
            for part in ["phone", "m-1", "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC"] {
                assert!(came.contains(part), "{sent}: {came}");
            }
            let ClientEvent::Message(behind) = next(&mut events).await else {
                panic!("{sent}: the next one is lost");
            };
            assert_eq!(members_of(&behind).text.as_deref(), Some("behind it"));
        }
    }
}

/// Only the members that a frame's own type knows have a type for sure.
#[tokio::test]
async fn a_member_of_an_odd_type_does_not_cost_the_others() {
    let (_client, mut events, mut peer) = ScriptedServer::start().await.connected().await;
    for odd in [
        r#""timestamp":1763695000000"#,
        r#""timestamp":{"at":[1]}"#,
        r#""seq":"seven""#,
        r#""active":null,"end":3"#,
    ] {
        let body = format!(r#""text":"hello","replyTo":"m-0",{odd}"#);
        peer.say_text(&frame("message", &body)).await;
        let ClientEvent::Message(message) = next(&mut events).await else {
            panic!("{odd}: not a message");
        };
        let members = members_of(&message);
        assert_eq!(members.text.as_deref(), Some("hello"), "{odd}");
        assert_eq!(members.reply_to.as_deref(), Some("m-0"), "{odd}");
    }
}

/// An answer is found by its id, whatever else stands in it.
#[tokio::test]
async fn an_answer_that_cannot_be_read_fails_its_request() {
    let (client, _events, mut peer) = ScriptedServer::start().await.connected().await;
    let serving = async {
        let asked = peer.hear().await;
        let id = asked["id"].as_str().unwrap();
        let answer = r#"{"type":"pong","data":{"timestamp":1e999},"id":"ID","timestamp":1}"#;
        peer.say_text(&answer.replace("ID", id)).await;
    };
    let (pinged, ()) = tokio::join!(client.ping(), serving);
    assert!(
        matches!(pinged, Err(client::ClientError::Protocol(_))),
        "{pinged:?}"
    );
}
