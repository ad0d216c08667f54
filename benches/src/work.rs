//! The steps of a message through the code, one by one, for repetition and measurement.
//!
//! | step | is |
//! | --- | --- |
//! | `decode` | text to frame |
//! | `encode` | envelope to the recipient's frame |
//! | `local` | a client's message on one node: session, shard, tenant, delivery; decoding and encoding included |
//! | `answer` | the same, from a bot to its client |
//! | `ack` | as `local`, and the sender is told |
//! | `envelope` | an envelope written and read, as on its way to another node |
//! | `packet` | of a packet of 16 envelopes, written, signed, checked and read, one |
//! | `lane` | of 16 envelopes that go through a lane in one batch and are acknowledged, one |
//! | `cross` | a client's message to a bot of another node: both nodes, envelope, lane, ack; packets of 16, not their bytes |
//! | `session` | a ping and its pong: what a session costs that routes nothing |
//!
//! Sockets, locks, tasks and Redis are not in them; see `relay` for those.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::connect::Acks;
use protocol::lane::{BatchItem, LaneBatch, LaneKeys, Packet};
use protocol::request::ClientRequest;
use protocol::t2b::{decode, encode};
use protocol::{BootId, ConnectionId, Envelope, MessageId, Name, Secret, TenantId};

use router_core::Millis;
use router_core::effect::Receipt;
use router_core::lane::{Parcel, Receiver, Sender};

use crate::bare::{BareCluster, HASH_KEYS, Socket};
use crate::load::template::{MessageForm, MessageTemplate};

/// One step of the way.
pub struct MessageStep {
    /// Its name.
    pub name: &'static str,
    /// Messages in one repetition.
    pub messages: u64,
    /// Makes everything ready and returns what is to be repeated.
    pub prepare: fn() -> Result<RepeatWork>,
}

/// Does the work of one repetition.
pub type RepeatWork = Box<dyn FnMut()>;

/// Messages that cross to another node in one packet: a window of 16.
const BATCH: u64 = 16;

/// 2025-11-21, so that times have as many digits as real ones.
const NOW_MS: Millis = 1_763_700_000_000;
/// The largest frame that a packet may carry.
const FRAME_BYTES: usize = 256 * 1024;

/// All of them.
pub const STEPS: &[MessageStep] = &[
    step("decode", 1, prepare_decode),
    step("encode", 1, prepare_encode),
    step("session", 1, prepare_session),
    step("local", 1, || prepare_local(Acks::Errors)),
    step("answer", 1, prepare_answer),
    step("ack", 1, || prepare_local(Acks::All)),
    step("envelope", 1, prepare_envelope),
    step("packet", BATCH, prepare_packet),
    step("lane", BATCH, prepare_lane),
    step("cross", BATCH, prepare_cross),
];

const fn step(
    name: &'static str,
    messages: u64,
    prepare: fn() -> Result<RepeatWork>,
) -> MessageStep {
    MessageStep {
        name,
        messages,
        prepare,
    }
}

/// The step of this name.
pub fn named(name: &str) -> Result<&'static MessageStep> {
    let step = STEPS.iter().find(|step| step.name == name);
    step.with_context(|| format!("no step is named {name}"))
}

/// A message as all servers get it, 200 bytes.
pub fn message(from: &str, to: &str, from_bot: bool) -> Vec<u8> {
    let form = MessageForm {
        names_sender: from_bot,
        has_id: false,
    };
    MessageTemplate::new(from, to, form).numbered(42).to_vec()
}

/// The text of a read: an allocation of its own, as a reader makes it.
fn read(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(text)
}

const CLIENT: &str = "a000000";
const BOT: &str = "b000000";

fn prepare_decode() -> Result<RepeatWork> {
    let text = Bytes::from(message(CLIENT, BOT, false));
    ensure!(decode(&text).is_ok(), "the message is not decoded");
    Ok(Box::new(move || drop(black_box(decode(black_box(&text))))))
}

fn prepare_encode() -> Result<RepeatWork> {
    let envelope = envelope()?;
    let mut now_ms = NOW_MS;
    Ok(Box::new(move || {
        now_ms += 1;
        drop(black_box(encode::delivery(black_box(&envelope), now_ms)));
    }))
}

fn prepare_envelope() -> Result<RepeatWork> {
    let envelope = envelope()?;
    ensure!(
        Envelope::from_bytes(&envelope.to_bytes()).is_ok(),
        "the envelope is not read"
    );
    Ok(Box::new(move || {
        let bytes = black_box(&envelope).to_bytes();
        drop(black_box(Envelope::from_bytes(&bytes)));
    }))
}

/// Under callgrind SHA-256 runs without the processor's help: dearer than in truth.
fn prepare_packet() -> Result<RepeatWork> {
    let envelope = envelope()?.to_bytes();
    let item = BatchItem {
        sequenced: true,
        envelope,
    };
    let packet = Packet {
        src: BootId::from_bits(1),
        dst: BootId::from_bits(2),
        data: Some(LaneBatch {
            generation: 1,
            first_seq: 1,
            seen: 0,
            items: vec![item; BATCH as usize],
        }),
        ack: None,
    };
    let keys = LaneKeys::new(&[Secret::new("for-measurements-only-0123456789".to_owned())]);
    let read = move || Packet::from_bytes(&packet.to_bytes(&keys), &keys, FRAME_BYTES);
    ensure!(read().is_ok(), "the packet is not read");
    Ok(Box::new(move || drop(black_box(read()))))
}

fn prepare_lane() -> Result<RepeatWork> {
    let (owner, bytes) = (owner()?, envelope()?.to_bytes());
    let mut sender = Sender::new(BootId::from_bits(1), BootId::from_bits(2), HASH_KEYS);
    let mut receiver = Receiver::default();
    let mut settled = Vec::new();
    Ok(Box::new(move || {
        for number in 0..BATCH {
            let parcel = Parcel {
                receipt: Receipt::new(owner.clone(), number),
                bytes: bytes.clone(),
            };
            sender.push(NOW_MS, parcel).expect("the lane is empty");
        }
        let batch = sender.take(NOW_MS).expect("something waits");
        sender.published(NOW_MS, Ok(()));
        for (number, _) in receiver.arrived(batch) {
            receiver.decided(number.expect("messages are numbered"), None);
        }
        let ack = receiver.ack().expect("messages call for an ack");
        sender.acked(NOW_MS, &ack, &mut settled);
        assert_eq!(settled.drain(..).count() as u64, BATCH, "a message is lost");
    }))
}

fn prepare_session() -> Result<RepeatWork> {
    let (mut cluster, client, _) = pair(Acks::Errors, false)?;
    Ok(Box::new(move || {
        cluster.say(client, read(br#"{"type":"ping"}"#));
    }))
}

fn prepare_local(acks: Acks) -> Result<RepeatWork> {
    let (mut cluster, client, _) = pair(acks, false)?;
    let text = message(CLIENT, BOT, false);
    let frames = match acks {
        Acks::All => 2,
        Acks::Errors => 1,
    };
    check(&mut cluster, client, &text, frames)?;
    Ok(Box::new(move || cluster.say(client, read(&text))))
}

fn prepare_answer() -> Result<RepeatWork> {
    let (mut cluster, _, bot) = pair(Acks::Errors, false)?;
    let text = message(BOT, CLIENT, true);
    check(&mut cluster, bot, &text, 1)?;
    Ok(Box::new(move || cluster.say(bot, read(&text))))
}

fn prepare_cross() -> Result<RepeatWork> {
    let (mut cluster, client, _) = pair(Acks::Errors, true)?;
    let text = message(CLIENT, BOT, false);
    Ok(Box::new(move || {
        for _ in 0..BATCH {
            cluster.say(client, read(&text));
        }
        let crossed = cluster.cross(0).expect("a packet of ours is read");
        assert_eq!(crossed as u64, BATCH, "a message is lost");
    }))
}

/// Errors: one message does not make so many frames.
fn check(cluster: &mut BareCluster, from: Socket, text: &[u8], frames: u64) -> Result<()> {
    let before = cluster.delivered().frames;
    cluster.say(from, read(text));
    let came = cluster.delivered().frames - before;
    ensure!(came == frames, "{came} frames came of one message");
    Ok(())
}

fn pair(acks: Acks, apart: bool) -> Result<(BareCluster, Socket, Socket)> {
    let mut cluster = if apart {
        BareCluster::of_two()
    } else {
        BareCluster::of_one()
    }?;
    let owner = owner()?;
    let bot = cluster.connect(usize::from(apart), &owner, "process", acks)?;
    cluster.register(bot, BOT)?;
    let client = cluster.connect(0, &owner, CLIENT, acks)?;
    Ok((cluster, client, bot))
}

fn owner() -> Result<TenantId> {
    Ok(TenantId::parse("owner-000000")?)
}

fn envelope() -> Result<Envelope> {
    let text = Bytes::from(message(CLIENT, BOT, false));
    let frame = decode(&text).ok().context("the message is not decoded")?;
    let ClientRequest::Send(send) = frame.request else {
        anyhow::bail!("a message is no request to send");
    };
    let mut message = send.message;
    message.message_id = Some(MessageId::parse("01KA9ZYXWVTSRQPNMKJHGFEDCA")?);
    Ok(Envelope {
        tenant: owner()?,
        from: Name::parse(CLIENT)?,
        connection: ConnectionId::from_ulid("01KA9ZYXWVTSRQPNMKJHGFEDCB")?,
        idempotent: false,
        stamped_ms: Some(NOW_MS),
        trace: None,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_can_be_repeated() {
        for step in STEPS {
            let mut repeat = (step.prepare)().unwrap();
            (0..3).for_each(|_| repeat());
            assert_eq!(named(step.name).unwrap().name, step.name);
        }
        assert!(named("nothing").is_err());
    }
}
