//! A tenant that does nothing wrong, and measures what it gets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use fixtures::{MeasuredTimes, blocking_pass};
use loadtest::wire::BlockingSocket;

use crate::peer::{join, unread};

/// Time between two messages.
const PACE: Duration = Duration::from_millis(5);
/// Messages between two new connections.
const CONNECT_EVERY: u32 = 50;

/// One who talks with a bot of its own until it is ended.
pub struct VictimTenant {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<VictimFigures>>,
}

/// What the victim got.
#[derive(Debug, Clone, Default)]
pub struct VictimFigures {
    /// There and back, of every message.
    pub times: MeasuredTimes,
    /// New connections that got their greeting.
    pub connected: u32,
    /// What it was refused: messages, connections, sockets that were closed.
    pub refused: Vec<String>,
}

impl VictimFigures {
    pub fn p99(&self) -> Duration {
        self.times.percentile(0.99)
    }
}

/// Who the victim is.
#[derive(Debug, Clone)]
pub struct VictimIdentity {
    pub from: Ipv4Addr,
    pub key: String,
}

impl VictimTenant {
    /// Begins to talk.
    pub fn begin(who: &VictimIdentity, to: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (seen, who) = (Arc::clone(&over), who.clone());
        let thread = std::thread::spawn(move || {
            let mut figures = VictimFigures::default();
            while !seen.load(Ordering::Relaxed) {
                if let Err(error) = talk(&who, to, &seen, &mut figures) {
                    figures.refused.push(format!("{error:#}"));
                    blocking_pass(PACE);
                }
            }
            figures
        });
        Self {
            over,
            thread: Some(thread),
        }
    }

    /// Ends it; what it got.
    pub fn end(mut self) -> VictimFigures {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is ended once");
        thread.join().unwrap()
    }

    /// What it gets in `time`, with nobody else asked to stop.
    pub fn measure(who: &VictimIdentity, to: SocketAddr, time: Duration) -> VictimFigures {
        let victim = Self::begin(who, to);
        blocking_pass(time);
        victim.end()
    }
}

impl Drop for VictimTenant {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Registers a bot and sends it messages, which it answers. Errors: anything was refused.
fn talk(
    who: &VictimIdentity,
    to: SocketAddr,
    over: &AtomicBool,
    figures: &mut VictimFigures,
) -> Result<()> {
    let mut bot = join(who.from, to, &who.key, "victim-host")?;
    bot.send(r#"{"type":"register_bot","data":{"botId":"victim-bot"}}"#)?;
    bot.expect("bot_registered")?;
    let mut phone = join(who.from, to, &who.key, "victim-phone")?;
    let mut due = Instant::now();
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        if count % CONNECT_EVERY == 0 {
            drop(join(who.from, to, &who.key, "victim-visitor")?);
            figures.connected += 1;
        }
        let began = Instant::now();
        there_and_back(&mut phone, &mut bot)?;
        figures.times.push(began.elapsed());
        count += 1;
        due = (due + PACE).max(Instant::now());
        blocking_pass(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn there_and_back(phone: &mut BlockingSocket, bot: &mut BlockingSocket) -> Result<()> {
    phone.send(r#"{"type":"message","data":{"to":"victim-bot","text":"ping"}}"#)?;
    if let Err(error) = bot.expect(r#""text":"ping""#) {
        bail!("no ping: {error:#}; the phone has {}", unread(phone));
    }
    bot.send(
        r#"{"type":"message","data":{"to":"victim-phone","from":"victim-bot","text":"pong"}}"#,
    )?;
    if let Err(error) = phone.expect(r#""text":"pong""#) {
        bail!("no pong: {error:#}; the bot has {}", unread(bot));
    }
    Ok(())
}
