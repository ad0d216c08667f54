//! The access log: one line for each connection, registration, refusal and failed credential, so many
//! a minute of one source and no more.
//!
//! | line | level | at most of one source |
//! | --- | --- | --- |
//! | `connected`, `disconnected`, `bot registered`, `refused`, `credential refused` | INFO | 20 a minute each |
//! | `credentials throttled`, `admin token refused` | WARN | 1 a minute each |
//!
//! A line says in `left_out` how many of its kind and source were left out before it. Beyond 4,096
//! pairs of kind and source, the others share one allowance for each kind (`source` is their own).
//! Names of tenants, clients and bots are fields; credentials and payloads never are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::{BotId, ClientId, ConnectionId, TenantId};
use router_core::auth::Source;
use tokio::time::Instant;
use tracing::{Level, enabled, info, warn};

use crate::ws::ConnectionEnd;

/// After this long a source may be written of anew.
const PERIOD: Duration = Duration::from_secs(60);
/// Lines of one kind and source in a period: a person reads them all, and a flood stays short.
const LINES_MAX: u32 = 20;
/// Pairs of kind and source that are told apart: about 100 bytes each.
const ENTRIES_MAX: usize = 4096;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LineKind {
    Connected,
    Disconnected,
    Registered,
    Refused,
    Credential,
    Throttled,
    AdminToken,
}

impl LineKind {
    /// Lines of one source in a period, and whether anybody reads them.
    fn lines_max(self) -> (u32, bool) {
        match self {
            LineKind::Connected
            | LineKind::Disconnected
            | LineKind::Registered
            | LineKind::Refused
            | LineKind::Credential => (LINES_MAX, enabled!(Level::INFO)),
            LineKind::Throttled | LineKind::AdminToken => (1, enabled!(Level::WARN)),
        }
    }
}

/// Which socket a line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSubject<'a> {
    pub(crate) source: Source,
    pub(crate) connection: &'a ConnectionId,
    /// Absent before `auth_ok`.
    pub(crate) member: Option<(&'a TenantId, &'a ClientId)>,
}

/// Writes the access log of a node.
#[derive(Debug, Default)]
pub(crate) struct AccessLog(Mutex<Allowances>);

impl AccessLog {
    /// A socket got its `auth_ok`.
    pub(crate) fn connected(&self, subject: LogSubject<'_>) {
        let LogSubject {
            source,
            connection,
            member,
        } = subject;
        let Some(left_out) = self.admit(LineKind::Connected, source) else {
            return;
        };
        let (tenant, client) = texts(member);
        info!(%source, %connection, tenant, client, left_out, "connected");
    }

    /// A socket is gone, with or without having been connected in the sense above.
    pub(crate) fn disconnected(
        &self,
        subject: LogSubject<'_>,
        why: ConnectionEnd,
        lasted: Duration,
    ) {
        let LogSubject {
            source,
            connection,
            member,
        } = subject;
        let Some(left_out) = self.admit(LineKind::Disconnected, source) else {
            return;
        };
        let (tenant, client) = texts(member);
        let (by, code) = match why {
            ConnectionEnd::Us(code) => ("gateway", Some(code.code())),
            ConnectionEnd::Peer(code) => ("peer", code),
            ConnectionEnd::Lost => ("lost", None),
        };
        let reason = match why {
            ConnectionEnd::Us(code) => Some(code.reason()),
            ConnectionEnd::Peer(_) | ConnectionEnd::Lost => None,
        };
        let lasted_ms = lasted.as_millis();
        info!(%source, %connection, tenant, client, by, code, reason, lasted_ms, left_out, "disconnected");
    }

    /// A socket holds a bot that had no home on this node.
    pub(crate) fn registered(&self, subject: LogSubject<'_>, bot: &BotId) {
        let LogSubject {
            source,
            connection,
            member,
        } = subject;
        let Some(left_out) = self.admit(LineKind::Registered, source) else {
            return;
        };
        let (tenant, client) = texts(member);
        info!(%source, %connection, tenant, client, %bot, left_out, "bot registered");
    }

    /// A connection was refused before it was a WebSocket or a call. `status`: as in
    /// `t2b_handshakes_total`.
    pub(crate) fn refused(&self, listener: &str, source: Source, status: &str) {
        if let Some(left_out) = self.admit(LineKind::Refused, source) {
            info!(%source, listener, status, left_out, "refused");
        }
    }

    /// A credential failed. `reason`: as in `t2b_auth_failures_total`.
    pub(crate) fn credential(&self, source: Source, claimed: Option<&TenantId>, reason: &str) {
        let Some(left_out) = self.admit(LineKind::Credential, source) else {
            return;
        };
        // A key that somebody wrapped into another one would stand in the log as a name.
        let claimed = claimed.map(TenantId::as_str);
        let claimed = claimed.filter(|name| !name.starts_with("t2b_"));
        info!(%source, claimed, reason, left_out, "credential refused");
    }

    /// Failed credentials of a source are answered with 429. `failures`: within the minute.
    pub(crate) fn throttled(&self, source: Source, failures: u32) {
        if let Some(left_out) = self.admit(LineKind::Throttled, source) {
            warn!(%source, failures, left_out, "credentials throttled");
        }
    }

    /// Somebody gave a wrong admin token.
    pub(crate) fn admin_token(&self, source: Source, failures: u32) {
        if let Some(left_out) = self.admit(LineKind::AdminToken, source) {
            warn!(%source, failures, left_out, "admin token refused");
        }
    }

    /// How many lines were left out before this one; `None`: this one is left out too.
    fn admit(&self, kind: LineKind, source: Source) -> Option<u64> {
        let (lines_max, is_read) = kind.lines_max();
        if !is_read {
            return None;
        }
        let mut allowances = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        allowances.admit((kind, lines_max), source, Instant::now())
    }
}

fn texts<'a>(member: Option<(&'a TenantId, &'a ClientId)>) -> (Option<&'a str>, Option<&'a str>) {
    member
        .map(|(tenant, client)| (tenant.as_str(), client.as_str()))
        .unzip()
}

/// What was written in the present period of each kind and source.
#[derive(Debug, Default)]
struct Allowances {
    /// No source: what all those share that found no entry of their own.
    entries: HashMap<(LineKind, Option<Source>), Allowance>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Allowance {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl Allowances {
    fn admit(
        &mut self,
        (kind, lines_max): (LineKind, u32),
        source: Source,
        now: Instant,
    ) -> Option<u64> {
        let mut key = (kind, Some(source));
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&key) {
            self.sweep(now);
            if self.entries.len() >= ENTRIES_MAX {
                key.1 = None;
            }
        }
        let allowance = self.entries.entry(key).or_insert(Allowance {
            since: now,
            lines: 0,
            left_out: 0,
        });
        if now.duration_since(allowance.since) >= PERIOD {
            allowance.since = now;
            allowance.lines = 0;
        }
        if allowance.lines >= lines_max {
            allowance.left_out += 1;
            return None;
        }
        allowance.lines += 1;
        Some(std::mem::take(&mut allowance.left_out))
    }

    /// Forgets entries whose period is over, at most once a second: it looks at all of them.
    fn sweep(&mut self, now: Instant) {
        let is_recent = |then: Instant| now.duration_since(then) < Duration::from_secs(1);
        if self.swept.is_some_and(is_recent) {
            return;
        }
        self.swept = Some(now);
        self.entries
            .retain(|_, entry| now.duration_since(entry.since) < PERIOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: [u8; 4]) -> Source {
        Source::of(address.into())
    }

    #[test]
    fn a_source_is_written_of_so_often_and_then_counted() {
        let (mut allowances, now) = (Allowances::default(), Instant::now());
        let (one, other) = (source([10, 0, 0, 1]), source([10, 0, 0, 2]));
        for _ in 0..LINES_MAX {
            assert_eq!(
                allowances.admit((LineKind::Connected, LINES_MAX), one, now),
                Some(0)
            );
        }
        for _ in 0..5 {
            assert_eq!(
                allowances.admit((LineKind::Connected, LINES_MAX), one, now),
                None
            );
        }
        assert_eq!(
            allowances.admit((LineKind::Refused, LINES_MAX), one, now),
            Some(0)
        );
        assert_eq!(
            allowances.admit((LineKind::Connected, LINES_MAX), other, now),
            Some(0)
        );
        let almost = now + PERIOD - Duration::from_millis(1);
        assert_eq!(
            allowances.admit((LineKind::Connected, LINES_MAX), one, almost),
            None
        );
        let later = now + PERIOD;
        assert_eq!(
            allowances.admit((LineKind::Connected, LINES_MAX), one, later),
            Some(6)
        );
        assert_eq!(
            allowances.admit((LineKind::Connected, LINES_MAX), one, later),
            Some(0)
        );
    }

    #[test]
    fn throttling_is_written_of_once_a_period() {
        let (mut allowances, now) = (Allowances::default(), Instant::now());
        let source = source([10, 0, 0, 1]);
        for (kind, left_out) in [(LineKind::Throttled, 1), (LineKind::AdminToken, 1)] {
            assert_eq!(allowances.admit((kind, 1), source, now), Some(0));
            assert_eq!(allowances.admit((kind, 1), source, now), None);
            let next = allowances.admit((kind, 1), source, now + PERIOD);
            assert_eq!(next, Some(left_out));
        }
    }

    #[test]
    fn many_sources_share_one_allowance_and_are_forgotten() {
        let (mut allowances, now) = (Allowances::default(), Instant::now());
        let source = |i: usize| source([10, 0, (i >> 8) as u8, i as u8]);
        let lines = |allowances: &mut Allowances, now, sources: std::ops::Range<usize>| {
            sources
                .filter(|i| {
                    allowances
                        .admit((LineKind::Refused, LINES_MAX), source(*i), now)
                        .is_some()
                })
                .count()
        };
        assert_eq!(lines(&mut allowances, now, 0..ENTRIES_MAX), ENTRIES_MAX);
        let beyond = ENTRIES_MAX..ENTRIES_MAX + 100;
        assert_eq!(lines(&mut allowances, now, beyond), LINES_MAX as usize);
        assert_eq!(allowances.entries.len(), ENTRIES_MAX + 1);
        assert_eq!(lines(&mut allowances, now + PERIOD, 9000..9100), 100);
        assert!(allowances.entries.len() <= 101, "what is over is forgotten");
    }
}
