//! A person's device: a connection of the crate `client`, under a client id of its own.

use std::time::Duration;

use client::{Client, ClientError, ClientEvent, ConnectOptions, EventStream, members_of};
use protocol::presence::BotState;
use protocol::t2b::frames::{Delivered, SendMessage};
use protocol::{ClientId, Secret};
use tokio::time::timeout;

use crate::gateway::OwnerGateway;
use crate::world::DEADLINE;

pub struct TestPhone {
    client: Client,
    events: EventStream,
}

impl TestPhone {
    pub async fn connect(gateway: &OwnerGateway, id: &str) -> Self {
        Self::try_connect(gateway, id).await.unwrap()
    }

    pub async fn try_connect(gateway: &OwnerGateway, id: &str) -> Result<Self, ClientError> {
        let mut options =
            ConnectOptions::new(gateway.client_url(), Secret::new(gateway.key.clone()));
        options.client_id = Some(ClientId::parse(id).unwrap());
        let (client, events) = Client::connect(options).await?;
        Ok(Self { client, events })
    }

    /// The ids of the bots that are online, in order; none if the gateway does not answer.
    pub async fn bots_online(&self) -> Option<Vec<String>> {
        let bots = self.client.bots().await.ok()?;
        let online = bots.iter().filter(|bot| bot.status == BotState::Online);
        Some(online.map(|bot| bot.id.to_string()).collect())
    }

    /// Sends a message with an id of ours.
    pub async fn say(&self, bot: &str, text: &str, message_id: &str) -> Result<(), ClientError> {
        let message = SendMessage {
            to: bot.to_owned(),
            text: Some(text.to_owned()),
            message_id: Some(message_id.to_owned()),
            ..SendMessage::default()
        };
        self.client.send(message).await.map(drop)
    }

    /// Says something and waits for the answer.
    pub async fn ask(&mut self, bot: &str, text: &str, message_id: &str) -> Delivered {
        self.say(bot, text, message_id).await.unwrap();
        self.answer_to(message_id).await
    }

    /// The next message that answers this one.
    pub async fn answer_to(&mut self, message_id: &str) -> Delivered {
        let found = self.answer_within(message_id, DEADLINE).await;
        found.unwrap_or_else(|| panic!("no answer to {message_id}"))
    }

    /// The same; none if the connection is lost or the time is up.
    pub async fn answer_within(&mut self, message_id: &str, time: Duration) -> Option<Delivered> {
        self.next_message(time, |message| {
            members_of(message).reply_to.as_deref() == Some(message_id)
        })
        .await
    }

    /// The next message that answers something.
    pub async fn next_answer(&mut self) -> Delivered {
        let found = self.next_message(DEADLINE, |message| members_of(message).reply_to.is_some());
        found.await.expect("an answer")
    }

    /// The next message that passes; none if the connection is lost or the time is up.
    pub async fn next_message(
        &mut self,
        time: Duration,
        passes: impl Fn(&Delivered) -> bool,
    ) -> Option<Delivered> {
        let found = async {
            loop {
                let event = self.events.next().await?;
                if let ClientEvent::Message(message) = event {
                    if passes(&message) {
                        return Some(*message);
                    }
                } else if let ClientEvent::Disconnected { .. } = event {
                    return None;
                }
            }
        };
        timeout(time, found).await.ok().flatten()
    }
}

/// The text of a message.
pub fn text_of(message: &Delivered) -> String {
    members_of(message).text.unwrap_or_default()
}
