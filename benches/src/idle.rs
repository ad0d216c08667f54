//! The cost of a silent socket: memory and CPU of the server while it only pings.
//!
//! Each socket brings its key in a header and has a client id of its own. Measured twice: all of one
//! owner, and each of an owner of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::process::{LOAD_CORE, run_here_on};
use crate::servers::gateway::key_of;
use crate::servers::{RunningServers, ServerKind};
use loadtest::process::{cpu_of, memory_of};
use loadtest::wire::{self, BlockingSocket, PING, PONG};

/// How to measure.
#[derive(Debug, Args)]
pub struct IdleOptions {
    #[arg(long, default_value_t = 10_000)]
    sockets: usize,
    /// How long they are silent; a heartbeat is 25 s
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Two gateways over Redis, with all sockets on one of them
    #[arg(long)]
    redis: bool,
}

/// Handshakes under way at once; a source may have 256.
const AT_ONCE: usize = 64;
/// Before the first look at the server's memory.
const SETTLE: Duration = Duration::from_millis(500);

/// What one socket of one owner may take: bytes, µs of CPU in a second; and accepts a second.
const BYTES_MAX: u64 = 6 * 1024;
const CPU_US_MAX: f64 = 3.0;
const ACCEPTS_MIN: f64 = 10_000.0;

/// Runs both and prints a table in Markdown.
pub fn run(options: &IdleOptions) -> Result<()> {
    run_here_on(LOAD_CORE)?;
    println!(
        "| owners | sockets | bytes a socket | accepts/s | CPU µs an accept \
         | CPU µs a socket and second | pings answered |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let one = measure(options, 1)?;
    measure(options, options.sockets)?;
    let verdict = |holds| if holds { "reached" } else { "MISSED" };
    let IdleFigures {
        bytes,
        accepts_per_s,
        cpu_us,
    } = one;
    println!(
        "\nOf one owner: at most {BYTES_MAX} bytes a socket: {}; at most {CPU_US_MAX} µs of CPU a \
         socket and second: {}; at least {ACCEPTS_MIN} accepts/s: {}.",
        verdict(bytes <= BYTES_MAX),
        verdict(cpu_us <= CPU_US_MAX),
        verdict(accepts_per_s >= ACCEPTS_MIN)
    );
    Ok(())
}

/// What came of one run.
struct IdleFigures {
    /// A socket.
    bytes: u64,
    accepts_per_s: f64,
    /// A socket and second.
    cpu_us: f64,
}

fn measure(options: &IdleOptions, owners: usize) -> Result<IdleFigures> {
    let sockets = options.sockets;
    let kind = match options.redis {
        true => ServerKind::GatewayRedis,
        false => ServerKind::Gateway,
    };
    let servers = RunningServers::start(kind)?;
    let address = servers.clients;
    let server = servers.ids()[0];
    thread::sleep(SETTLE);
    let (memory_before, cpu_before) = (memory_of(server)?, cpu_of(server)?);

    let keys: Vec<String> = (0..owners)
        .map(|owner| key_of(&format!("owner-{owner}")))
        .collect::<Result<_>>()?;
    let start = Instant::now();
    let open = open_sockets(address, sockets, &keys)?;
    let accepts_per_s = sockets as f64 / start.elapsed().as_secs_f64();
    let cpu_open = cpu_of(server)?;

    let pings = be_silent(open, Duration::from_secs(options.seconds), || {
        Ok((memory_of(server)?, cpu_of(server)?))
    })?;
    let (answered, (memory_after, cpu_after)) = pings;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / sockets as f64;
    let bytes = memory_after.saturating_sub(memory_before) / sockets as u64;
    let cpu_us = each(cpu_after - cpu_open) / options.seconds as f64;
    println!(
        "| {owners} | {sockets} | {bytes} | {accepts_per_s:.0} | {:.0} | {cpu_us:.2} | {answered} |",
        each(cpu_open - cpu_before),
    );
    Ok(IdleFigures {
        bytes,
        accepts_per_s,
        cpu_us,
    })
}

/// Opens so many sockets, with the keys in turns. Each has heard which bots there are.
pub(crate) fn open_sockets(
    address: SocketAddr,
    count: usize,
    keys: &[String],
) -> Result<Vec<BlockingSocket>> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let from = open.len();
        let to = count.min(from + AT_ONCE);
        let asked = (from..to).map(|index| {
            let path = format!("/ws?clientId=client-{index}");
            BlockingSocket::connect(address, &path, Some(&keys[index % keys.len()]))
        });
        let mut asked: Vec<BlockingSocket> = asked.collect::<Result<_>>()?;
        for socket in &mut asked {
            socket.upgraded()?;
            socket.expect(r#""bots_list""#)?;
        }
        open.append(&mut asked);
    }
    Ok(open)
}

/// Answers pings for a while, then looks, with all sockets still open.
///
/// Errors: the server hung up on one, or a socket got no ping although a heartbeat has passed.
pub(crate) fn be_silent<T>(
    sockets: Vec<BlockingSocket>,
    time: Duration,
    look: impl FnOnce() -> Result<T>,
) -> Result<(usize, T)> {
    let mut poll = Poll::new()?;
    let mut streams = Vec::with_capacity(sockets.len());
    for (index, socket) in sockets.into_iter().enumerate() {
        socket.stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket.stream);
        poll.registry()
            .register(&mut stream, Token(index), Interest::READABLE)?;
        streams.push(stream);
    }
    let mut pinged = vec![false; streams.len()];
    let deadline = Instant::now() + time;
    let mut events = Events::with_capacity(1024);
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            let index = event.token().0;
            pinged[index] |= answer(&mut streams[index])?;
        }
    }
    let answered = pinged.iter().filter(|it| **it).count();
    let heartbeat = Duration::from_secs(25);
    ensure!(
        time <= heartbeat || answered == streams.len(),
        "{answered} of {} sockets were pinged",
        streams.len()
    );
    Ok((answered, look()?))
}

/// Answers the pings that have arrived; says whether there was one.
fn answer(stream: &mut TcpStream) -> Result<bool> {
    let mut buffer = [0; 4096];
    let count = match stream.read(&mut buffer) {
        Ok(0) => bail!("the server hung up"),
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error).context("read"),
    };
    let (mut at, mut pongs) = (0, Vec::new());
    while let Some(frame) = wire::parse(&buffer[at..count]) {
        if frame.opcode == PING {
            let payload = &buffer[at..count][frame.payload.clone()];
            wire::push(&mut pongs, PONG, payload);
        }
        at += frame.payload.end;
    }
    ensure!(at == count, "a frame came in pieces");
    stream.write_all(&pongs)?;
    Ok(!pongs.is_empty())
}
