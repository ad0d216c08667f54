//! A server that speaks as a gateway does and delivers wrongly, to see whether it is noticed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// What it does wrong, once in ten messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFault {
    Nothing,
    Twice,
    Never,
    /// Holds one back until the next is delivered.
    Late,
    ToAnother,
    OtherBody,
    OtherSender,
    /// Delivers it and refuses it.
    RefusedToo,
}

type SocketMap = Arc<Mutex<HashMap<String, UnboundedSender<String>>>>;

struct FaultyHub {
    fault: DeliveryFault,
    sockets: SocketMap,
    count: Mutex<u64>,
    held: Mutex<Option<(String, String)>>,
}

/// Serves until the test ends.
pub fn start(fault: DeliveryFault) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let hub = Arc::new(FaultyHub {
                fault,
                sockets: SocketMap::default(),
                count: Mutex::default(),
                held: Mutex::default(),
            });
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, hub.clone()));
            }
        });
    });
    receiver.recv().unwrap()
}

#[expect(
    clippy::result_large_err,
    reason = "the library's callback has this type"
)]
async fn serve(stream: TcpStream, hub: Arc<FaultyHub>) {
    let mut name = String::new();
    let accepted = accept_hdr_async(stream, |request: &Request, response: Response| {
        let query = request.uri().query().unwrap_or_default();
        let pairs = query.split('&').filter_map(|it| it.split_once('='));
        let client = pairs.filter(|(key, _)| *key == "clientId").map(|it| it.1);
        name = client.reduce(|_, last| last).unwrap_or_default().to_owned();
        Ok(response)
    });
    // The one who looks whether somebody listens says nothing.
    let Ok(socket) = accepted.await else {
        return;
    };
    let (mut sink, mut stream) = socket.split();
    let (sender, mut receiver) = unbounded_channel::<String>();
    hub.sockets
        .lock()
        .unwrap()
        .insert(name.clone(), sender.clone());
    // With its members turned round, as a reader must take them too.
    sender
        .send(json!({"type": "auth_ok", "data": {}}).to_string())
        .unwrap();
    let mut writing = tokio::spawn(async move {
        while let Some(text) = receiver.recv().await {
            if sink.send(Message::text(text)).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(Message::Text(text))) = stream.next().await {
        let frame: Value = serde_json::from_str(&text).unwrap();
        match frame["type"].as_str().unwrap() {
            "register_bot" => {
                name = frame["data"]["botId"].as_str().unwrap().to_owned();
                hub.sockets
                    .lock()
                    .unwrap()
                    .insert(name.clone(), sender.clone());
                let answer = json!({"type": "bot_registered", "data": {}});
                sender.send(text_of(&answer)).unwrap();
            }
            "message" => hub.route(&name, &frame, &sender),
            _ => {}
        }
    }
    writing.abort();
    let _ = (&mut writing).await;
}

impl FaultyHub {
    fn route(&self, from: &str, frame: &Value, sender: &UnboundedSender<String>) {
        let to = frame["data"]["to"].as_str().unwrap().to_owned();
        let mut text = frame["data"]["text"].as_str().unwrap().to_owned();
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let fault = if *count % 10 == 5 {
            self.fault
        } else {
            DeliveryFault::Nothing
        };
        let mut sender_name = from.to_owned();
        let mut target = to.clone();
        match fault {
            DeliveryFault::OtherBody => {
                text.pop();
                text.push('!');
            }
            DeliveryFault::OtherSender => sender_name = "somebody".to_owned(),
            DeliveryFault::ToAnother => target = self.another_than(&to),
            DeliveryFault::Nothing
            | DeliveryFault::Twice
            | DeliveryFault::Never
            | DeliveryFault::Late
            | DeliveryFault::RefusedToo => {}
        }
        let data = json!({"from": sender_name, "to": to, "text": text});
        let delivery = text_of(&json!({"type": "message", "data": data}));
        match fault {
            DeliveryFault::Never => {}
            DeliveryFault::Late => *self.held.lock().unwrap() = Some((target, delivery)),
            DeliveryFault::Twice => {
                self.deliver(&target, delivery.clone());
                self.deliver(&target, delivery);
            }
            DeliveryFault::RefusedToo => {
                self.deliver(&target, delivery);
                let data = json!({"code": 503, "reason": "recipient_busy", "message": "", "retryable": true});
                let refusal =
                    json!({"type": "error", "data": data, "id": frame["id"], "timestamp": 1});
                let _ = sender.send(text_of(&refusal));
            }
            DeliveryFault::Nothing
            | DeliveryFault::OtherBody
            | DeliveryFault::OtherSender
            | DeliveryFault::ToAnother => {
                self.deliver(&target, delivery);
                let mut held = self.held.lock().unwrap();
                if let Some((target, late)) = held.take_if(|it| it.0 == target) {
                    self.deliver(&target, late);
                }
            }
        }
    }

    fn deliver(&self, to: &str, text: String) {
        if let Some(socket) = self.sockets.lock().unwrap().get(to) {
            let _ = socket.send(text);
        }
    }

    fn another_than(&self, name: &str) -> String {
        let sockets = self.sockets.lock().unwrap();
        sockets
            .keys()
            .filter(|it| *it != name)
            .max()
            .unwrap()
            .clone()
    }
}

/// With `type` first and `from`, `to`, `text` in this order, as a gateway writes.
fn text_of(frame: &Value) -> String {
    let rest = match frame["id"].as_str() {
        Some(id) => format!(r#","id":"{id}","timestamp":1"#),
        None => r#","timestamp":1"#.to_owned(),
    };
    format!(
        r#"{{"type":{},"data":{}{rest}}}"#,
        frame["type"], frame["data"]
    )
}
