//! Attacks on admission: sockets, credentials, control frames, the admin listener.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use fixtures::blocking_pass;
use loadtest::wire::{self, BlockingSocket, PING};

use crate::node::{ADMIN_TOKEN, key};
use crate::peer::{ATTACKER, connect, discard, request, upgrade};
use crate::stage::AttackScene;

const IDLE: Duration = Duration::from_millis(20);

/// One address opens sockets as long as there are places, and gives no credential.
pub fn unauthenticated(scene: &AttackScene) -> Result<String> {
    let mut sockets: Vec<BlockingSocket> = Vec::new();
    let (mut opened, mut refused) = (0, 0);
    while !scene.is_over() {
        sockets.retain_mut(|socket| {
            // Blocking reads would wait: what arrived is looked at only.
            socket.stream.set_nonblocking(true).is_ok() && discard(socket).is_ok()
        });
        match upgrade(ATTACKER, scene.public, "/ws", None) {
            Ok(socket) => {
                sockets.push(socket);
                opened += 1;
            }
            Err(_) => {
                refused += 1;
                blocking_pass(IDLE);
            }
        }
        if opened >= 1000 || refused > 0 {
            scene.in_place();
        }
    }
    Ok(format!(
        "{opened} opened, {} held, {refused} refused",
        sockets.len()
    ))
}

/// Bad keys in the victim's name, and of 600 invented users, from the victim's address.
pub fn lockout(scene: &AttackScene) -> Result<String> {
    let victim = key("victim", 0);
    let (name, _) = victim.rsplit_once('_').unwrap_or_default();
    let mut tries = 0;
    let mut try_one = |key: &str| {
        let _ = upgrade(ATTACKER, scene.public, "/ws", Some(key))
            .and_then(|mut socket| socket.expect("auth_ok"));
        tries += 1;
    };
    for _ in 0..20 {
        try_one(&format!("{name}_0123456789abcdef"));
    }
    for user in 0..600 {
        try_one(&format!("t2b_invented{user}_0123456789abcdef"));
    }
    scene.in_place();
    while !scene.is_over() {
        try_one(&format!("{name}_0123456789abcdef"));
    }
    Ok(format!("{tries} bad keys"))
}

/// Pings without end on sockets that gave no credential.
pub fn control_frames(scene: &AttackScene) -> Result<String> {
    let mut pings = Vec::new();
    for _ in 0..400 {
        wire::push(&mut pings, PING, &[0; 125]);
    }
    let mut sockets: Vec<BlockingSocket> = Vec::new();
    let (mut bytes, mut closed) = (0, 0);
    scene.in_place();
    while !scene.is_over() {
        while sockets.len() < 8 {
            match upgrade(ATTACKER, scene.public, "/ws", None) {
                Ok(socket) => {
                    socket.stream.set_nonblocking(true)?;
                    sockets.push(socket);
                }
                Err(_) => {
                    blocking_pass(IDLE);
                    break;
                }
            }
        }
        let mut idle = true;
        sockets.retain_mut(|socket| {
            // A partial write ends the socket with a bad frame; a new one takes its place.
            let written = discard(socket).map(|()| socket.stream.write(&pings));
            match written {
                Ok(Ok(count)) => {
                    bytes += count;
                    idle = false;
                    let whole = count == pings.len();
                    closed += usize::from(!whole);
                    whole
                }
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => true,
                Ok(Err(_)) | Err(_) => {
                    closed += 1;
                    false
                }
            }
        });
        if idle {
            blocking_pass(Duration::from_millis(1));
        }
    }
    Ok(format!(
        "{} MB of pings, {closed} sockets closed",
        bytes / 1_000_000
    ))
}

/// Connections over HTTP that did one good request and stay open.
pub fn kept_alive(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let mut open: Vec<TcpStream> = Vec::new();
    let (mut opened, mut refused) = (0, 0);
    while !scene.is_over() {
        let answer = connect(ATTACKER, scene.public).and_then(|mut stream| {
            let (status, _) = request(&mut stream, "GET", "/v1/bots?limit=1", &key, "")?;
            anyhow::ensure!(status == 200, "{status}");
            Ok(stream)
        });
        match answer {
            Ok(stream) => {
                open.push(stream);
                opened += 1;
            }
            Err(_) => {
                refused += 1;
                blocking_pass(IDLE);
            }
        }
        if opened >= scene.count(2000) || refused > 0 {
            scene.in_place();
        }
    }
    Ok(format!("{opened} opened, {refused} refused"))
}

/// Connections to the admin listener, and bad admin tokens.
pub fn admin_listener(scene: &AttackScene) -> Result<String> {
    let mut open: Vec<TcpStream> = Vec::new();
    let mut tries = 0;
    for _ in 0..scene.count(2000) {
        // Beyond the cap they are refused: that is what is tried.
        open.extend(connect(ATTACKER, scene.admin));
    }
    scene.in_place();
    while !scene.is_over() {
        let answer = connect(ATTACKER, scene.admin)
            .and_then(|mut stream| request(&mut stream, "GET", "/admin/v1/nodes", "wrong", ""));
        tries += usize::from(answer.is_ok());
        blocking_pass(Duration::from_millis(1));
    }
    drop(open);
    let mut stream = connect(ATTACKER, scene.admin)?;
    let (status, _) = request(&mut stream, "GET", "/admin/v1/nodes", ADMIN_TOKEN, "")?;
    anyhow::ensure!(status == 200, "the good token gets {status}");
    Ok(format!("{tries} bad tokens answered"))
}
