//! The yardstick of two nodes: two raw relays, between them batches over Redis.
//!
//! What is for nobody here goes to a publisher: as many as wait, up to [`BATCH_MESSAGES`], become one
//! `PUBLISH` of length-prefixed messages. At most [`UNANSWERED_MAX`] are on their way to Redis; what
//! gathers meanwhile is the next batch, so batches grow with the load and nothing waits for a timer.
//! Redis is spoken to by hand, in the two forms that are needed. Nothing is sent again, checked or kept.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::raw::{RawRoutes, accept, runtime};
use crate::process::{SERVER_CORE, ServerProcess, pinned_self};

/// Most messages in one `PUBLISH`.
const BATCH_MESSAGES: usize = 256;
/// Most `PUBLISH` that Redis has not answered.
const UNANSWERED_MAX: usize = 2;
/// Of a message in a batch, before it.
const LENGTH_BYTES: usize = 2;
const READ_BYTES: usize = 64 * 1024;

/// Starts one on the servers' core: `own` and `other` are the letters by which channels are told apart.
pub fn start(redis: SocketAddr, own: char, other: char) -> Result<(ServerProcess, SocketAddr)> {
    let mut command = pinned_self(SERVER_CORE)?;
    command
        .arg("serve-raw-redis")
        .args([redis.to_string(), own.to_string(), other.to_string()]);
    ServerProcess::announced(command)
}

/// Serves until it is killed; the first line of stdout is its address. It is subscribed by then.
pub fn serve(redis: SocketAddr, own: char, other: char) -> Result<()> {
    runtime()?.block_on(async {
        let (elsewhere, waiting) = unbounded_channel();
        let routes = RawRoutes::with_other(elsewhere);
        let inbound = subscribe(redis, own).await?;
        tokio::spawn(receive(inbound, routes.clone()));
        let link = TcpStream::connect(redis).await?;
        link.set_nodelay(true)?;
        let (answers, requests) = link.into_split();
        let free = Arc::new(Semaphore::new(UNANSWERED_MAX));
        tokio::spawn(count_answers(answers, Arc::clone(&free)));
        tokio::spawn(publish(requests, waiting, free, format!("n:{other}")));
        accept(routes).await
    })
}

async fn publish(
    mut redis: OwnedWriteHalf,
    mut waiting: UnboundedReceiver<Bytes>,
    free: Arc<Semaphore>,
    channel: String,
) -> Result<()> {
    let mut messages = Vec::with_capacity(BATCH_MESSAGES);
    let mut request = Vec::new();
    loop {
        free.acquire().await?.forget();
        if waiting.recv_many(&mut messages, BATCH_MESSAGES).await == 0 {
            return Ok(());
        }
        let bytes: usize = messages.iter().map(|it| LENGTH_BYTES + it.len()).sum();
        let head = format!(
            "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${bytes}\r\n",
            channel.len()
        );
        request.clear();
        request.extend_from_slice(head.as_bytes());
        for message in messages.drain(..) {
            let length = u16::try_from(message.len())?;
            request.extend_from_slice(&length.to_be_bytes());
            request.extend_from_slice(&message);
        }
        request.extend_from_slice(b"\r\n");
        redis.write_all(&request).await?;
    }
}

/// Each answer is one line: how many were subscribed.
async fn count_answers(mut redis: OwnedReadHalf, free: Arc<Semaphore>) -> Result<()> {
    let mut chunk = [0; 1024];
    loop {
        let count = redis.read(&mut chunk).await?;
        ensure!(count > 0, "Redis hung up");
        let answers = chunk[..count].iter().filter(|byte| **byte == b'\n');
        free.add_permits(answers.count());
    }
}

async fn subscribe(redis: SocketAddr, own: char) -> Result<TcpStream> {
    let mut link = TcpStream::connect(redis).await?;
    link.set_nodelay(true)?;
    let request = format!("*2\r\n$9\r\nSUBSCRIBE\r\n$3\r\nn:{own}\r\n");
    link.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; format!("*3\r\n$9\r\nsubscribe\r\n$3\r\nn:{own}\r\n:1\r\n").len()];
    link.read_exact(&mut answer).await?;
    ensure!(answer.ends_with(b":1\r\n"), "Redis refused to subscribe");
    Ok(link)
}

async fn receive(mut redis: TcpStream, routes: RawRoutes) -> Result<()> {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    loop {
        while let Some(batch) = take_batch(&mut buffer)? {
            routes.deliver(split(batch));
        }
        buffer.reserve(READ_BYTES);
        if redis.read_buf(&mut buffer).await? == 0 {
            bail!("Redis hung up");
        }
    }
}

/// Takes the payload of one `message` push, when it is there to the end.
fn take_batch(buffer: &mut BytesMut) -> Result<Option<Bytes>> {
    // *3, $7, message, $3, the channel, $ and the payload's length.
    let Some(head_bytes) = line_end(buffer, 6) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&buffer[..head_bytes])?;
    let (_, length) = head.rsplit_once('$').context("Redis sent no message")?;
    let length: usize = length.trim_end().parse()?;
    let whole = head_bytes + length + b"\r\n".len();
    if buffer.len() < whole {
        return Ok(None);
    }
    let push = buffer.split_to(whole).freeze();
    Ok(Some(push.slice(head_bytes..head_bytes + length)))
}

/// Where the line of this number ends, the first being 1.
fn line_end(buffer: &[u8], number: usize) -> Option<usize> {
    let ends = buffer
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(number - 1)
}

fn split(mut batch: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let length = usize::from(batch.try_get_u16().ok()?);
        (batch.len() >= length).then(|| batch.split_to(length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUSH: &[u8] = b"*3\r\n$7\r\nmessage\r\n$3\r\nn:a\r\n$11\r\n\0\x03on\n\0\x04four\r\n";

    #[test]
    fn a_batch_is_taken_when_it_is_whole() {
        for cut in 0..PUSH.len() {
            let mut buffer = BytesMut::from(&PUSH[..cut]);
            assert_eq!(take_batch(&mut buffer).unwrap(), None, "{cut}");
            assert_eq!(buffer.len(), cut);
        }
        let mut buffer = BytesMut::from([PUSH, PUSH].concat().as_slice());
        for _ in 0..2 {
            let batch = take_batch(&mut buffer).unwrap().unwrap();
            let messages: Vec<Bytes> = split(batch).collect();
            assert_eq!(messages, ["on\n", "four"]);
        }
        assert!(buffer.is_empty());
    }
}
