//! Another tenant's pair that talks all the while: whatever is done to the gateway, they notice
//! nothing, and nothing of it stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::harness::{Server, Socket, eventually, message};

/// Slowest exchange that still counts as not noticing, on a machine that does other things too.
const NOTICED: Duration = Duration::from_secs(1);

/// A pair that talks until it is told to stop.
pub struct Bystanders {
    stop: Arc<AtomicBool>,
    talk: JoinHandle<usize>,
}

impl Bystanders {
    pub async fn of(server: &Server) -> Self {
        let bot = server.bot("bystander", "bot_a").await;
        let phone = server.client("bystander", "phone").await;
        let stop = Arc::new(AtomicBool::new(false));
        let talk = tokio::spawn(talk(phone, bot, Arc::clone(&stop)));
        Self { stop, talk }
    }

    /// Ends the talk, and waits until nothing waits in the gateway any more.
    pub async fn noticed_nothing(self, server: &Server) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.talk.await.unwrap() > 0, "they talked");
        for gauge in ["t2b_outbound_bytes", "t2b_assembly_bytes"] {
            eventually(gauge, || async { server.metric(gauge).await == 0.0 }).await;
        }
    }
}

async fn talk(mut phone: Socket, mut bot: Socket, stop: Arc<AtomicBool>) -> usize {
    let mut said = 0;
    // Fifty exchanges a second, far below every rate.
    let mut pace = interval(Duration::from_millis(20));
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let begun = Instant::now();
        phone.tell("bot_a", &format!("{said}")).await;
        assert_eq!(
            bot.expect("message").await["data"]["text"],
            said.to_string()
        );
        bot.send(answer()).await;
        assert_eq!(phone.expect("message").await["data"]["from"], "bot_a");
        assert_eq!(
            bot.expect("message_ack").await["data"]["status"],
            "delivered"
        );
        assert!(begun.elapsed() < NOTICED, "{said}: {:?}", begun.elapsed());
        said += 1;
    }
    phone
        .refused(message("bot_nobody", "hi"), "bot_not_found")
        .await;
    said
}

fn answer() -> String {
    json!({"type": "message", "data": {"to": "phone", "from": "bot_a", "text": "yes"}}).to_string()
}
