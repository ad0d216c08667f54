//! A proxy between one gateway and Redis which makes every record of usage come to Redis twice.
//!
//! | manner | what Redis executes | what the gateway hears |
//! | --- | --- | --- |
//! | `ExecuteTwice` | each booking twice, one directly after the other | the first answer |
//! | `LoseAnswer` | each booking as the gateway sends it | an error instead of the answer that says that a record is booked, so the gateway sends the record again |
//!
//! The proxy knows the framing of RESP, and which command books a record. Redis answers the commands of a
//! connection in their order, so the proxy knows which command an answer belongs to.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use fixtures::resp::RespScanner;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What ends the key of a tenant's last records. A booking has this key and that of an hour.
const SEEN_KEY: &str = ":usage:seen";
/// What Redis answers when it booked a record, into an hour that had something or nothing.
const BOOKED: [&[u8]; 2] = [b":1\r\n", b":2\r\n"];
/// What it answers when it has the record.
const SEEN: &[u8] = b":0\r\n";
/// What a gateway hears instead of an answer. It does not say whether the command was executed.
const LOST: &[u8] = b"-LOST the answer is lost\r\n";

/// How every record comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyManner {
    ExecuteTwice,
    LoseAnswer,
}

/// A record: the key of the tenant's last records, the boot id and the number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName([String; 3]);

/// What became of a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordStory {
    /// How often the gateway sent it.
    pub sent: u32,
    /// How often Redis answered that it booked the record.
    pub booked: u32,
    /// How often Redis answered that it has the record.
    pub seen: u32,
}

/// The proxy. It serves until the runtime ends.
pub struct BookingProxy {
    port: u16,
    shared: Arc<ProxyShared>,
}

struct ProxyShared {
    upstream: u16,
    manner: ProxyManner,
    records: Mutex<BTreeMap<RecordName, RecordStory>>,
}

/// What happens to the next answer.
enum AnswerFate {
    /// It answers something else than a booking.
    Pass,
    /// It answers a booking of the gateway.
    Booking(RecordName),
    /// It answers the copy of a booking: nobody waits for it.
    Copy(RecordName),
}

impl BookingProxy {
    /// Listens on a free port, before the Redis server at the port `upstream`.
    pub async fn start(upstream: u16, manner: ProxyManner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(ProxyShared {
            upstream,
            manner,
            records: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // Its error is that of a socket: the connection is over.
                tokio::spawn(async move { drop(shared.connection(client).await) });
            }
        });
        Self { port, shared }
    }

    /// Where to connect: `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Every record that came.
    pub fn records(&self) -> BTreeMap<RecordName, RecordStory> {
        self.shared.records.lock().unwrap().clone()
    }
}

impl ProxyShared {
    /// One connection; it ends when either side closes.
    async fn connection(&self, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let due = Mutex::new(VecDeque::new());
        tokio::select! {
            ended = self.up(ValueReader::new(from_client), to_server, &due) => ended,
            ended = self.down(ValueReader::new(from_server), to_client, &due) => ended,
        }
    }

    /// Commands, from the gateway to Redis.
    async fn up(
        &self,
        mut from: ValueReader<ReadHalf<'_>>,
        mut to: WriteHalf<'_>,
        due: &Mutex<VecDeque<AnswerFate>>,
    ) -> io::Result<()> {
        while let Some(command) = from.next().await? {
            let Some(record) = booked_by(&command) else {
                due.lock().unwrap().push_back(AnswerFate::Pass);
                to.write_all(&command).await?;
                continue;
            };
            self.note(&record, |story| story.sent += 1);
            let is_copied = self.manner == ProxyManner::ExecuteTwice;
            let copy = is_copied.then(|| AnswerFate::Copy(record.clone()));
            let fates = [AnswerFate::Booking(record)].into_iter().chain(copy);
            due.lock().unwrap().extend(fates);
            to.write_all(&command).await?;
            if is_copied {
                to.write_all(&command).await?;
            }
        }
        Ok(())
    }

    /// Answers, from Redis to the gateway.
    async fn down(
        &self,
        mut from: ValueReader<ReadHalf<'_>>,
        mut to: WriteHalf<'_>,
        due: &Mutex<VecDeque<AnswerFate>>,
    ) -> io::Result<()> {
        while let Some(answer) = from.next().await? {
            // A push answers no command.
            let fate = match answer.starts_with(b">") {
                true => None,
                false => due.lock().unwrap().pop_front(),
            };
            let (record, is_copy) = match fate {
                None | Some(AnswerFate::Pass) => {
                    to.write_all(&answer).await?;
                    continue;
                }
                Some(AnswerFate::Booking(record)) => (record, false),
                Some(AnswerFate::Copy(record)) => (record, true),
            };
            let (is_booked, is_seen) = (BOOKED.contains(&&*answer), answer == SEEN);
            self.note(&record, |story| {
                story.booked += u32::from(is_booked);
                story.seen += u32::from(is_seen);
            });
            let is_lost = is_booked && self.manner == ProxyManner::LoseAnswer;
            match (is_copy, is_lost) {
                (true, _) => {}
                (false, true) => to.write_all(LOST).await?,
                (false, false) => to.write_all(&answer).await?,
            }
        }
        Ok(())
    }

    fn note(&self, record: &RecordName, change: impl FnOnce(&mut RecordStory)) {
        let mut records = self.records.lock().unwrap();
        change(records.entry(record.clone()).or_default());
    }
}

/// The record that a command books: `EVALSHA sha 2 {tenant}:usage:seen {tenant}:usage:HOUR boot seq …`.
fn booked_by(command: &[u8]) -> Option<RecordName> {
    let text = String::from_utf8_lossy(command);
    // Every other line is the length of the next one. A script's text has lines of its own, and is not sent
    // while Redis has the script.
    let words: Vec<&str> = text.split("\r\n").skip(2).step_by(2).take(7).collect();
    let [verb, _, keys, seen, _, boot, seq] = words[..] else {
        return None;
    };
    let is_booking = verb == "EVALSHA" && keys == "2" && seen.ends_with(SEEN_KEY);
    is_booking.then(|| RecordName([seen, boot, seq].map(str::to_owned)))
}

/// Reads whole values of RESP.
struct ValueReader<R> {
    from: R,
    buffer: Vec<u8>,
    scanner: RespScanner,
    /// How much of `buffer` the scanner has seen.
    scanned: usize,
}

impl<R: AsyncRead + Unpin> ValueReader<R> {
    fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            scanner: RespScanner::default(),
            scanned: 0,
        }
    }

    /// The next value; `None`: the stream is over.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let end = self.scanner.advance(&self.buffer[self.scanned..]);
            match end.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                Some(length) => {
                    let rest = self.buffer.split_off(self.scanned + length);
                    self.scanned = 0;
                    return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
                }
                None => self.scanned = self.buffer.len(),
            }
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
