//! Asks the kernel what it holds of our sockets' bytes, many sockets at a time.
//!
//! `SIOCOUTQ` would tell the bytes but not the memory, one call a socket; this tells both, and needs the
//! addresses only. Source: sock_diag(7), `INET_DIAG_SKMEMINFO`.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::ws::{KernelHeld, SocketEnds};

/// Questions in one system call: their answers fit the socket's buffer many times.
const BATCH: usize = 64;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP: u8 = 6;
/// `1 << (INET_DIAG_SKMEMINFO - 1)`.
const WANT_MEMORY: u8 = 1 << 6;
/// `INET_DIAG_SKMEMINFO`.
const MEMORY: u16 = 7;
/// Bytes of `nlmsghdr`.
const HEAD: usize = 16;
/// Bytes of `nlmsghdr` and `inet_diag_req_v2`.
const QUESTION: usize = HEAD + 56;
/// Bytes of `inet_diag_msg`.
const ANSWER: usize = 72;
/// Where `idiag_wqueue` is in it.
const WQUEUE: usize = 60;
/// Which number of `SK_MEMINFO` is the memory of what was written.
const WMEM_QUEUED: usize = 5;

/// A way to ask.
#[derive(Debug)]
pub(crate) struct SockDiag {
    socket: OwnedFd,
}

impl SockDiag {
    /// Errors: there is no such thing here (not Linux, or a sandbox without netlink).
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            flags,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self { socket })
    }

    /// Asks about sockets; the answers in their order, none for a socket that is gone.
    ///
    /// Never waits: the kernel answers before the question's call returns.
    pub(crate) fn ask(&self, about: &[SocketEnds]) -> io::Result<Vec<Option<KernelHeld>>> {
        let mut answers = Vec::with_capacity(about.len());
        for batch in about.chunks(BATCH) {
            let first = answers.len();
            answers.resize(first + batch.len(), None);
            self.ask_batch(batch, &mut answers[first..])?;
        }
        Ok(answers)
    }

    fn ask_batch(
        &self,
        about: &[SocketEnds],
        answers: &mut [Option<KernelHeld>],
    ) -> io::Result<()> {
        let mut questions = Vec::with_capacity(about.len() * QUESTION);
        for (number, ends) in (0..).zip(about) {
            put_question(&mut questions, number, ends);
        }
        rustix::net::send(&self.socket, &questions, SendFlags::empty())?;
        let mut room = [0; 4096];
        let mut awaited = about.len();
        while awaited > 0 {
            let (bytes, _) = rustix::net::recv(&self.socket, &mut room[..], RecvFlags::DONTWAIT)?;
            let mut rest = room.get(..bytes).unwrap_or_default();
            while let Some((number, held, next)) = take_answer(rest) {
                if let Some(answer) = answers.get_mut(number) {
                    *answer = held;
                }
                awaited = awaited.saturating_sub(1);
                rest = next;
            }
        }
        Ok(())
    }
}

fn put_question(out: &mut Vec<u8>, number: u32, ends: &SocketEnds) {
    out.extend((QUESTION as u32).to_ne_bytes());
    out.extend(BY_FAMILY.to_ne_bytes());
    out.extend(REQUEST.to_ne_bytes());
    out.extend(number.to_ne_bytes());
    out.extend([0; 4]);
    out.extend([
        if ends.is_v6 { AF_INET6 } else { AF_INET },
        TCP,
        WANT_MEMORY,
        0,
    ]);
    // Every state.
    out.extend(u32::MAX.to_ne_bytes());
    let ((our_ip, our_port), (their_ip, their_port)) = (ends.ours, ends.theirs);
    out.extend(our_port.to_be_bytes());
    out.extend(their_port.to_be_bytes());
    out.extend(our_ip);
    out.extend(their_ip);
    // Any interface, and no cookie.
    out.extend([0; 4]);
    out.extend([0xff; 8]);
}

/// The number of the question, the answer if there is one, and what comes after it.
fn take_answer(input: &[u8]) -> Option<(usize, Option<KernelHeld>, &[u8])> {
    let length = word(input, 0)? as usize;
    let kind = half(input, 4)?;
    let number = word(input, 8)? as usize;
    let message = input.get(HEAD..length)?;
    let rest = input.get(length.next_multiple_of(4)..).unwrap_or_default();
    let held = (kind == BY_FAMILY).then(|| held_of(message)).flatten();
    Some((number, held, rest))
}

fn held_of(message: &[u8]) -> Option<KernelHeld> {
    let unacked = word(message, WQUEUE)?;
    let mut attributes = message.get(ANSWER..)?;
    while let (Some(length), Some(kind)) = (half(attributes, 0), half(attributes, 2)) {
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        if kind == MEMORY {
            let memory = word(value, 4 * WMEM_QUEUED)?;
            return Some(KernelHeld { unacked, memory });
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    Some(KernelHeld {
        unacked,
        memory: unacked,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair(address: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).await.unwrap();
        let to = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(listener.accept(), TcpStream::connect(to));
        (ours.unwrap().0, theirs.unwrap())
    }

    fn ends(stream: &TcpStream) -> SocketEnds {
        SocketEnds::new(stream.local_addr().unwrap(), stream.peer_addr().unwrap())
    }

    #[tokio::test]
    async fn the_kernel_tells_what_a_peer_has_not_taken() {
        let diag = SockDiag::open().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (ours, mut theirs) = pair(address).await;
            let (idle, _other) = pair(address).await;
            let mut sent = 0;
            while let Ok(bytes) = ours.try_write(&[0; 65_536]) {
                sent += bytes;
            }
            let (one, two) = ("127.0.0.1:1".parse(), "127.0.0.1:2".parse());
            let gone = SocketEnds::new(one.unwrap(), two.unwrap());
            let answers = diag.ask(&[ends(&idle), gone, ends(&ours)]).unwrap();
            assert_eq!(answers[..2], [Some(KernelHeld::default()), None]);
            let held = answers[2].unwrap();
            assert!(held.unacked > 0 && held.memory >= held.unacked && sent as u32 > held.unacked);
            let mut read = vec![0; sent];
            theirs.read_exact(&mut read).await.unwrap();
            let all_acked = async {
                while diag.ask(&[ends(&ours)]).unwrap()[0].unwrap().unacked > 0 {
                    tokio::task::yield_now().await;
                }
            };
            let soon = std::time::Duration::from_secs(5);
            tokio::time::timeout(soon, all_acked).await.unwrap();
        }
    }

    #[tokio::test]
    async fn many_are_asked_at_once() {
        let diag = SockDiag::open().unwrap();
        let (ours, _theirs) = pair("127.0.0.1:0").await;
        let about: Vec<SocketEnds> = (0..10 * BATCH + 1).map(|_| ends(&ours)).collect();
        let answers = diag.ask(&about).unwrap();
        assert!(answers.len() == about.len() && answers.iter().all(Option::is_some));
    }
}
