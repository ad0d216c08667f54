//! Every limit of the product, by name and unit, with the reason for its value.
//!
//! Limits that an operator may change, per node and per tenant, are fields of [`Limits`] (table
//! `[limits]` of the configuration); the rest are constants of the wire.

use serde::{Deserialize, Serialize};

macro_rules! constants {
    ($( $(#[doc = $doc:literal])+ $name:ident : $kind:ty = $value:expr; )*) => {
        $( $(#[doc = $doc])+ pub const $name: $kind = $value; )*

        /// Name, value and meaning of every constant above, for the documents.
        pub fn constants() -> Vec<(&'static str, u64, &'static str)> {
            vec![ $( (stringify!($name), $value, concat!($($doc),+).trim()), )* ]
        }
    };
}

constants! {
    /// Maximum number of labels of a tenant: enough for a plan, a region and a customer number.
    LABELS_MAX: usize = 16;
    /// Longest label of a tenant, bytes: its name and its value together.
    LABEL_BYTES_MAX: usize = 64;
    /// Deepest nesting of objects and arrays in a frame; the frame itself is level 1.
    ///
    /// A recursive scanner needs a bound. No chat body is this deep.
    NESTING_MAX: usize = 64;
    /// Longest frame `id` and `requestId`, bytes: room for any UUID or counter.
    FRAME_ID_BYTES_MAX: usize = 64;
    /// Largest frame before `auth_ok`, bytes: enough for a token of 2 KiB and an id.
    FRAME_BYTES_UNAUTHENTICATED: usize = 8 * 1024;
    /// Largest client token, bytes.
    TOKEN_BYTES_MAX: usize = 2 * 1024;
    /// Longest bot `name`, bytes.
    BOT_NAME_BYTES_MAX: usize = 128;
    /// Longest bot `type`, bytes.
    BOT_TYPE_BYTES_MAX: usize = 32;
    /// Maximum number of `capabilities` of a bot.
    CAPABILITIES_MAX: usize = 32;
    /// Longest capability, bytes.
    CAPABILITY_BYTES_MAX: usize = 64;
    /// Longest bot `description`, bytes.
    DESCRIPTION_BYTES_MAX: usize = 1024;
    /// Largest bot `config`, bytes of JSON. The gateway neither reads nor stores it.
    CONFIG_BYTES_MAX: usize = 4 * 1024;
    /// Longest `instance`, bytes.
    INSTANCE_BYTES_MAX: usize = 64;
    /// Longest `text` of a partial, bytes of JSON. A sender with a longer text sends the end of it.
    PARTIAL_BYTES_MAX: usize = 64 * 1024;
    /// Largest `bots_list` answer, bytes. `nextCursor` asks for the rest.
    LIST_BYTES_MAX: usize = 128 * 1024;
    /// Maximum number of bots in one `list_bots` answer if the request gives no `limit`.
    LIST_DEFAULT: u32 = 100;
    /// Largest `limit` of `list_bots`.
    LIST_MAX: u32 = 1000;
    /// Bytes that count as one more frame or message: 8 KiB more cost about as much as a small message.
    BYTES_PER_UNIT: u32 = 8 * 1024;
    /// Maximum number of bytes per second that a node reads of the unpaid frames of a tenant. Unpaid frames
    /// count towards no rate of the tenant. The tenant's sockets take turns.
    UNPAID_BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;
    /// Longest time that a socket waits for its turn, milliseconds. A socket that would wait longer is closed
    /// with 4429.
    UNPAID_WAIT_MS_MAX: u64 = 1000;
    /// Divisor of the tenant's rates: all connections with tokens of one client id share a quarter of them.
    TOKEN_SHARE: u32 = 4;
    /// Frames in a row that get an error of code 400, after which the socket is closed with 1008.
    BAD_FRAMES_MAX: u32 = 20;
    /// Refusals and pongs within [`UNPAID_ANSWERS_WINDOW_MS`] after which the socket is closed with 4429,
    /// or with 1008 before `auth_ok`. They count towards no rate.
    UNPAID_ANSWERS_MAX: u32 = 1000;
    /// Refusals and pongs that all sockets of a tenant on one node may cause within a second. Beyond it, a
    /// socket that causes another one is closed with 4429 if it has caused more than
    /// [`UNPAID_ANSWERS_FEW`].
    UNPAID_ANSWERS_PER_TENANT: u32 = 2000;
    /// A socket that caused at most this many refusals and pongs within [`UNPAID_ANSWERS_WINDOW_MS`] is never
    /// closed because of [`UNPAID_ANSWERS_PER_TENANT`].
    UNPAID_ANSWERS_FEW: u32 = 10;
    /// The window of [`UNPAID_ANSWERS_MAX`] and [`UNPAID_ANSWERS_FEW`], milliseconds.
    UNPAID_ANSWERS_WINDOW_MS: u64 = 10_000;
    /// How long an outbound queue may be full, or a peer may leave sent bytes unacknowledged, before the
    /// socket is closed with 4408, milliseconds.
    SLOW_CONSUMER_MS: u64 = 10_000;
    /// How long presence changes are gathered before they are sent, milliseconds.
    PRESENCE_FLUSH_MS: u64 = 100;
    /// Maximum number of presence frames that a node sends before it handles other work of the tenant.
    PRESENCE_FANOUT_MAX: usize = 256;
    /// How long an offline bot stays listed and a client id stays known, milliseconds.
    REMEMBER_MS: u64 = 24 * 60 * 60 * 1000;
    /// Maximum number of operations on one bot that wait for the store.
    CLAIMS_WAITING_MAX: usize = 64;
    /// Maximum number of messages of one connection to one bot that wait while the bot's route changes.
    HELD_MAX: usize = 256;
    /// Maximum number of bytes of the messages that [`HELD_MAX`] counts.
    HELD_BYTES_MAX: usize = 1024 * 1024;
    /// Maximum number of bytes of all those messages of a tenant.
    HELD_TENANT_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// The window over which takeovers of a bot are counted, milliseconds.
    FLAP_WINDOW_MS: u64 = 60_000;
    /// How long a new instance of a bot is refused after too many takeovers, milliseconds.
    FLAP_REFUSAL_MS: u64 = 30_000;
    /// Longest lifetime of a client token, seconds.
    TOKEN_TTL_MAX_S: u64 = 30 * 24 * 60 * 60;
    /// Lifetime of a client token if the request gives no `ttlSeconds`, seconds.
    TOKEN_TTL_DEFAULT_S: u64 = 60 * 60;
    /// How much the clocks of a token's issuer and its verifier may differ, seconds.
    TOKEN_LEEWAY_S: u64 = 30;
    /// How long a tenant without connections stays in a node's memory, milliseconds.
    TENANT_LINGER_MS: u64 = 60_000;
    /// How long after its end an hour of the usage ledger takes records, milliseconds: time for a node to
    /// come back that could not reach Redis, or was killed and is started again.
    USAGE_CLOSE_MS: u64 = 10 * 60 * 1000;
    /// Hours of usage that the ledger keeps unless `usage_keep` says otherwise: 62 days, so that the whole month
    /// before can be billed to the end of the month.
    USAGE_KEEP_HOURS: u32 = 62 * 24;
    /// Maximum number of hours of one request for usage.
    USAGE_RANGE_HOURS: u32 = 62 * 24;
    /// How long the ledger remembers which records of a boot it has after the last of them, hours. A journal
    /// that is older is not booked.
    USAGE_SEEN_HOURS: u32 = 7 * 24;
    /// Maximum number of open sockets of a tenant that a node tells, once a day, of a soft allowance that is
    /// reached. Sockets that open later are told then.
    QUOTA_TOLD_MAX: usize = 256;
    /// How much the clock of a node may differ from that of Redis, milliseconds. A node that differs more at
    /// its start does not start.
    CLOCK_SKEW_MAX_MS: u64 = 30_000;
    /// How long a `data.messageId` is remembered for duplicates, milliseconds.
    DEDUPE_MS: u64 = 10 * 60 * 1000;
    /// Maximum number of `data.messageId`s remembered of a tenant. The oldest are forgotten first.
    DEDUPE_MAX: usize = 100_000;
    /// Largest WebSocket control payload, bytes. Source: RFC 6455 §5.5.
    CONTROL_BYTES_MAX: usize = 125;
    /// Overhead charged for each fragment of a message, bytes, so that empty fragments are not free.
    FRAGMENT_OVERHEAD_BYTES: usize = 64;
    /// Largest HTTP request head, bytes.
    HEAD_BYTES_MAX: usize = 16 * 1024;
    /// Failed credentials per minute from one address (IPv6: one /64) for one claimed user before 429.
    AUTH_FAILURES_PER_MINUTE: u32 = 10;
    /// Failed credentials per minute from one address before 429.
    AUTH_FAILURES_PER_SOURCE: u32 = 600;
    /// Longest `waitMs` of `POST /v1/messages`, milliseconds. Many proxies stop waiting for an answer after
    /// a minute.
    WAIT_MS_MAX: u64 = 50_000;
    /// Maximum number of entries of each table of failed credentials. The oldest are forgotten first.
    AUTH_FAILURE_ENTRIES_MAX: usize = 65_536;
    /// Maximum number of unauthenticated sockets from one address, or half of the node's limit if that is less.
    /// Further ones get 429.
    ///
    /// A mobile network puts thousands of people behind one address. A socket authenticates in less than a
    /// second, so 256 at once allow more than 256 new sockets a second.
    UNAUTHENTICATED_PER_SOURCE: usize = 256;
    /// Maximum number of unauthenticated sockets of a node, or a quarter of `sockets_max` if that is less. Beyond
    /// it, the oldest socket of the address that has the most is closed.
    ///
    /// Each may hold 16 KiB of a request head: 128 MiB in total.
    UNAUTHENTICATED_MAX: usize = 8192;
}

// Between nodes: clients do not see these, so no table of the documents lists them.

/// Maximum number of bytes of an envelope beside its body: names of full length, ids, a trace context.
pub const ENVELOPE_OVERHEAD_BYTES: usize = 1024;
/// Maximum number of bytes of envelopes in one batch of a lane; one larger envelope is a batch of its own.
///
/// A PUBLISH alone costs Redis 28 µs, a message in a batch a hundredth of that.
pub const LANE_BATCH_BYTES: usize = 64 * 1024;
/// What a tenant may put into a batch before the next tenant's turn, bytes. Its last envelope may exceed
/// it.
pub const LANE_TURN_BYTES: usize = LANE_BATCH_BYTES / 8;
/// Charged for each envelope in a lane in addition to its bytes, so that small ones are not free.
pub const LANE_ITEM_OVERHEAD_BYTES: usize = 64;
/// Maximum number of envelopes in one batch: empty envelopes whose overhead alone fills it.
pub(crate) const LANE_BATCH_ITEMS_MAX: usize = LANE_BATCH_BYTES / LANE_ITEM_OVERHEAD_BYTES;
/// Maximum number of verdicts in one ack; one that would need more acknowledges fewer messages.
pub const LANE_VERDICTS_MAX: usize = 1024;
/// Largest ack, bytes: its verdicts at 64 bytes each.
pub(crate) const LANE_ACK_BYTES_MAX: usize = LANE_VERDICTS_MAX * 64;
/// Maximum number of bytes of a packet beside its envelopes and verdicts: two boot ids, names, numbers, MAC.
pub(crate) const LANE_PACKET_OVERHEAD_BYTES: usize = 512;
/// Largest window of a lane, bytes that wait or are not acknowledged.
pub const LANE_WINDOW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Least window of a lane, bytes: one frame of the default size with its overheads.
pub const LANE_WINDOW_BYTES_MIN: usize = 258 * 1024;
/// What all lanes to one node may have in flight together, bytes.
///
/// Redis disconnects a subscriber for which 8 MiB have waited for 60 s.
pub const LANE_WINDOWS_BYTES: usize = 6 * 1024 * 1024;
/// The part of a lane's window that one tenant may hold: a quarter.
pub const LANE_TENANT_SHARE: usize = 4;
/// Maximum number of messages of a lane that are numbered and not acknowledged: the largest window, filled with
/// overhead alone. A receiver keeps no more verdicts than this.
pub const LANE_UNACKED_MAX: u64 = (LANE_WINDOW_BYTES_MAX / LANE_ITEM_OVERHEAD_BYTES) as u64;
/// How long an unacknowledged batch waits for its first repetition, milliseconds; then twice
/// as long each time.
pub const LANE_RESEND_MS: u64 = 500;
/// Maximum number of doublings of [`LANE_RESEND_MS`]: 4 s.
pub const LANE_RESEND_DOUBLINGS: u32 = 3;
/// How long a message may be in a lane before the lane gives up, milliseconds: the fourth
/// repetition would be due then.
pub const LANE_DEADLINE_MS: u64 = 7500;

/// Maximum number of client ids of tokens whose rates a tenant keeps on a node. The least used are dropped first.
pub const TOKEN_RATES_MAX: usize = 1024;
/// The part of a memory store's free bytes that one tenant may hold: an eighth.
///
/// So some of the store stays free for any number of greedy tenants: one alone fills a ninth of it,
/// thirteen fill less than two thirds.
pub const STORE_SHARE: u64 = 8;
/// Maximum number of nodes to which a message follows a bot that moves.
pub const MOVES_MAX: u64 = 4;
/// Maximum number of directory changes of a tenant that wait while its directory is read. Beyond it, the directory is
/// read again.
pub const EVENTS_WAITING_MAX: usize = 1024;
/// Maximum number of bots and connections in one step of a reassertion or a release.
pub const DIRECTORY_STEP_MAX: usize = 256;
/// How often a tenant compares its counter with the store's, milliseconds.
pub const COMPARE_MS: u64 = 5000;
/// The time within which all tenants compare once the store is back, if they are few, milliseconds.
pub const RESYNC_MS: u64 = 300;
/// How far ahead of the store's clock a time from outside may be, milliseconds: a day. A later time is
/// reduced to that or left out. A tenant's counter is repaired when it is twice as far ahead.
pub const TIME_AHEAD_MS: u64 = 24 * 60 * 60 * 1000;
/// How long the third read of a tenant's directory in a row waits, milliseconds. Each further read waits
/// twice as long.
pub const REREAD_MIN_MS: u64 = 100;
/// Longest wait between two reads of a tenant's directory, milliseconds.
pub const REREAD_MAX_MS: u64 = 5000;
/// How long a tenant whose store lost data waits for the other nodes to reassert their entries,
/// milliseconds.
pub const HEAL_MS: u64 = 6000;
/// After what time a client may repeat a message whose node was unreachable, milliseconds.
pub const UNREACHABLE_RETRY_MS: u64 = 1000;

macro_rules! limits {
    ($( $(#[doc = $doc:literal])+ $field:ident : $kind:ty = $default:expr; )*) => {
        /// The limits that an operator may change, per node and per tenant.
        ///
        /// Wire form: the table `[limits]` and `[tenants.<id>.limits]` of the configuration file.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits {
            $( $(#[doc = $doc])+ pub $field: $kind, )*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl Limits {
            /// Name, default and meaning of every field, for the documents and their test.
            pub fn table() -> Vec<(&'static str, u64, &'static str)> {
                vec![ $( (stringify!($field), u64::from($default), concat!($($doc),+).trim()), )* ]
            }
        }
    };
}

limits! {
    /// Largest message from a socket, bytes: the sum of its fragments.
    frame_bytes: u32 = 256 * 1024u32;
    /// Maximum number of bots registered by one socket.
    bots_per_socket: u32 = 64u32;
    /// Maximum number of bots of a tenant, offline ones included.
    bots_per_tenant: u32 = 1000u32;
    /// Maximum number of sockets of a tenant.
    sockets_per_tenant: u32 = 10_000u32;
    /// Maximum number of sockets with one client id: a quarter of the default of `sockets_per_tenant`.
    ///
    /// Bots that give no `clientId` share one client id. There may be 1,000 of them, each with a socket of its
    /// own.
    sockets_per_client: u32 = 2500u32;
    /// Maximum number of sockets that tokens of one client id open: enough for a person's devices and tabs.
    sockets_per_token: u32 = 32u32;
    /// Maximum number of client ids remembered of a tenant. The least recently seen is forgotten first.
    clients_per_tenant: u32 = 10_000u32;
    /// Maximum number of HTTP requests of a tenant that wait for a reply.
    waits_per_tenant: u32 = 1000u32;
    /// Messages and HTTP calls of a tenant per second.
    messages_per_second: u32 = 5000u32;
    /// Messages and HTTP calls of a tenant in one burst.
    messages_burst: u32 = 10_000u32;
    /// Bytes of a tenant's messages per second, counted for each connection or node that they go to.
    bytes_per_second: u32 = 8 * 1024 * 1024u32;
    /// Bytes of a tenant's messages in one burst, counted for each connection or node that they go to.
    bytes_burst: u32 = 16 * 1024 * 1024u32;
    /// Joins of a tenant per second: each new socket, each `register_bot` and `unregister_bot`, and in a
    /// cluster each HTTP request that waits. Each costs the store a step or two.
    joins_per_second: u32 = 200u32;
    /// Joins of a tenant in one burst. After a restart, all its sockets and bots may return together.
    joins_burst: u32 = 12_000u32;
    /// Frames of any kind from one socket per second.
    frames_per_second: u32 = 500u32;
    /// Frames of any kind from one socket in one burst.
    frames_burst: u32 = 1000u32;
    /// `register_bot` and `unregister_bot` from one socket per second.
    registers_per_second: u32 = 5u32;
    /// `register_bot` and `unregister_bot` from one socket in one burst.
    registers_burst: u32 = 128u32;
    /// WebSocket control frames from one socket, per second and in one burst. A socket that sends ten times as
    /// many in a second is closed with 1008.
    control_per_second: u32 = 20u32;
    /// Maximum number of bytes that wait until one socket reads them.
    outbound_bytes: u32 = 1024 * 1024u32;
    /// Maximum number of frames that wait until one socket reads them.
    outbound_frames: u32 = 4096u32;
    /// Maximum number of bytes that wait for all sockets of one client id, the kernel's buffers included.
    outbound_bytes_per_client: u64 = 16 * 1024 * 1024u64;
    /// Maximum number of bytes that wait for all sockets of a tenant, the kernel's buffers included.
    outbound_bytes_per_tenant: u64 = 64 * 1024 * 1024u64;
    /// Maximum number of bytes of all subscriptions of a tenant's sockets. Each subscribed bot counts as 64 bytes
    /// plus the length of its id.
    subscription_bytes_per_tenant: u64 = 4 * 1024 * 1024u64;
    /// Maximum number of bytes of a tenant's partially received messages.
    assembly_bytes_per_tenant: u64 = 16 * 1024 * 1024u64;
    /// Maximum number of takeovers of one bot between two instances within 60 s; 0 = no limit.
    takeovers_per_minute: u32 = 3u32;
}
