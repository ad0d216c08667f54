// Generated from the Rust crate `protocol` by `cargo xtask generate`. Do not edit.

/**
 * What became of a message.
 */
export type AckStatus = "delivered" | "queued" | "duplicate";

/**
 * Which `message_ack`s a socket wants.
 */
export type Acks = "all" | "errors";

/**
 * `auth`: the first frame of a socket that gave no credential on the upgrade.
 */
export type Auth = {
/**
 * `t2b_<userId>_<16 hex>`; after a revoke `t2b_<userId>_<g>-<16 hex>`, `g` being the key generation.
 */
apiKey?: string,
/**
 * A client token (compact JWS), instead of `apiKey`.
 */
token?: string,
/**
 * Name of this client; a token's own claim wins. Default: `client_<userId>`.
 */
clientId?: string,
/**
 * `"all"` (default), or `"errors"`: leaves out successful `message_ack`s.
 */
acks?: Acks,
/**
 * Where to go on reading stored messages. Answered `recovered: false` until they are built.
 */
resume?: Resume, };

/**
 * `auth_error`: the credential is refused; `error` and a close follow.
 */
export type AuthError = {
/**
 * A sentence for a person.
 */
message: string, };

/**
 * The limits told in `auth_ok`.
 */
export type AuthLimits = {
/**
 * Largest message, bytes.
 */
frameBytes: number,
/**
 * Messages a second of the whole tenant.
 */
messagesPerSecond: number, };

/**
 * `auth_ok`: the credential is good.
 */
export type AuthOk = {
/**
 * The tenant.
 */
userId: string,
/**
 * The same as `connectionId`, for old clients: it does not outlive the connection.
 */
sessionId: string,
/**
 * This socket's id.
 */
connectionId: string,
/**
 * The client id that others send to.
 */
clientId: string,
/**
 * How many bots this credential may see.
 */
botCount: number,
/**
 * How often the gateway pings, milliseconds.
 */
heartbeatMs: number,
/**
 * What this gateway can do beyond registering, listing and presence: `message`, `partial`. Later
 * versions have more.
 */
features: Array<string>,
/**
 * The limits a client should know.
 */
limits: AuthLimits,
/**
 * The answer to `resume`, if it was asked.
 */
resume?: Resumed, };

/**
 * What a body usually has; [`Delivered::body`] read as this is typed.
 *
 * The gateway checked the types of those that the frame's type knows.
 */
export type BodyMembers = {
/**
 * What is said.
 */
text?: string,
/**
 * The sender's, any JSON value; or else the gateway's, RFC 3339.
 */
timestamp?: unknown,
/**
 * The message this one answers.
 */
replyTo?: string,
/**
 * The stream of a partial, or that a message ends.
 */
streamId?: string,
/**
 * Which part a message is, from 1.
 */
part?: number,
/**
 * How many parts there are.
 */
parts?: number,
/**
 * Rises with each partial of a stream.
 */
seq?: number,
/**
 * Whether a partial's `text` is only the tail.
 */
truncated?: boolean,
/**
 * Whether a stream ends without a message.
 */
end?: boolean,
/**
 * Whether the sender of `typing` types now.
 */
active?: boolean, } & { [member: string]: unknown };

/**
 * A bot as others see it.
 */
export type BotInfo = {
/**
 * The bot.
 */
id: string,
/**
 * What people call it.
 */
name: string,
/**
 * What it is.
 */
type: string,
/**
 * A sentence about it; may be empty.
 */
description: string,
/**
 * What it can do.
 */
capabilities: Array<string>,
/**
 * Whether a socket holds it now.
 */
status: BotState,
/**
 * Since when it has this status, Unix milliseconds.
 */
since: number, };

/**
 * `unregister_bot`, `subscribe`, `unsubscribe`: one bot is meant.
 */
export type BotRef = {
/**
 * The bot.
 */
botId: string, };

/**
 * `bot_registered`: the answer to `register_bot`.
 */
export type BotRegistered = {
/**
 * The number of this claim of the bot; a later claim of it, by whomever, has a higher one.
 */
epoch: number,
/**
 * Present if `confirm` was asked: whether messages to this bot are stored.
 */
confirm?: boolean,
/**
 * The bot.
 */
id: string,
/**
 * What people call it.
 */
name: string,
/**
 * What it is.
 */
type: string,
/**
 * A sentence about it; may be empty.
 */
description: string,
/**
 * What it can do.
 */
capabilities: Array<string>,
/**
 * Whether a socket holds it now.
 */
status: BotState,
/**
 * Since when it has this status, Unix milliseconds.
 */
since: number, };

/**
 * Whether a bot can be reached.
 */
export type BotState = "online" | "offline";

/**
 * `bot_status`: a bot came, went or changed.
 */
export type BotStatus = {
/**
 * The bot.
 */
botId: string,
/**
 * What people call it.
 */
name: string,
/**
 * Whether a socket holds it now.
 */
status: BotState,
/**
 * Since when, Unix milliseconds.
 */
since: number, };

/**
 * `bot_unregistered`: this socket no longer holds the bot.
 */
export type BotUnregistered = {
/**
 * The bot.
 */
botId: string,
/**
 * Why it was lost: absent in the answer to `unregister_bot`.
 */
reason?: UnregisterReason,
/**
 * The claim that took it, if one did.
 */
epoch?: number, };

/**
 * The data of `status{bots_list}`.
 */
export type BotsList = {
/**
 * In id order.
 */
bots: Array<BotInfo>,
/**
 * Where the next page begins, if there is one.
 */
nextCursor?: string,
/**
 * The request's `requestId`, if it gave one.
 */
requestId?: string, };

/**
 * A frame from a bot or client, spelled out.
 */
export type ClientFrame = {
/**
 * Text of 1-64 bytes or an integer; comes back in the answer. This program's are texts.
 */
id?: string | number, } & ({ "type": "auth", "data": Auth } | { "type": "register_bot", "data": RegisterBot } | { "type": "unregister_bot", "data": BotRef } | { "type": "message", "data": SendMessage } | { "type": "message_partial", "data": SendPartial } | { "type": "typing", "data": SendTyping } | { "type": "subscribe", "data": BotRef } | { "type": "unsubscribe", "data": BotRef } | { "type": "list_bots", "data": ListBots } | { "type": "status", "data": StatusRequest } | { "type": "ping" });

/**
 * `status{connected}`: the first frame on every socket.
 */
export type Connected = {
/**
 * Always `connected`.
 */
status: ConnectedWord,
/**
 * This socket's id.
 */
connectionId: string,
/**
 * Unix milliseconds of the gateway.
 */
timestamp: number, };

/**
 * The word `connected`.
 */
export type ConnectedWord = "connected";

/**
 * A connection as its owner sees it.
 */
export type ConnectionInfo = {
/**
 * The connection.
 */
id: string,
/**
 * Its client id.
 */
clientId: string,
/**
 * When it was opened, Unix milliseconds.
 */
since: number,
/**
 * The bots that it holds.
 */
bots: Array<string>, };

/**
 * The data of `status{connections}`.
 */
export type ConnectionsList = {
/**
 * How many connections the tenant has on all nodes, HTTP requests under way included.
 */
count: number,
/**
 * In id order, the longest open first; without HTTP requests that wait for no reply.
 */
connections: Array<ConnectionInfo>,
/**
 * Where the next page begins, if there is one.
 */
nextCursor?: string, };

/**
 * `message`, `message_partial` and `typing`, as the recipient gets them.
 */
export type Delivered = {
/**
 * The sender: a bot or a client id.
 */
from: string,
/**
 * The recipient, as the sender named it.
 */
to: string,
/**
 * The same as `messageId`, for old clients. Absent from partials and typing.
 */
id?: string,
/**
 * The message. Absent from partials and typing.
 */
messageId?: string,
/**
 * The sender's connection: an answer to it reaches that socket alone.
 */
connectionId: string, } & BodyMembers;

/**
 * A refusal, as the client is told it.
 *
 * Wire form: its `reason`, snake case.
 */
export type ErrorCode = "bad_frame" | "bad_request" | "unknown_type" | "missing_field" | "invalid_id" | "unauthorized" | "forbidden_scope" | "origin_not_allowed" | "bot_not_found" | "not_your_identity" | "tenant_suspended" | "not_found" | "method_not_allowed" | "request_timeout" | "already_registered" | "takeover_flapping" | "lease_lost" | "idempotency_conflict" | "too_large" | "unsupported_media_type" | "misdirected" | "rate_limited" | "quota_exceeded" | "internal" | "not_supported" | "bot_offline" | "recipient_offline" | "recipient_busy" | "unreachable" | "delivery_unknown" | "draining" | "store_unavailable";

/**
 * `error`: the refusal of the frame whose `id` it carries.
 */
export type ErrorData = {
/**
 * The HTTP status with the same meaning.
 */
code: number,
/**
 * The row of the error table.
 */
reason: ErrorCode,
/**
 * A sentence for a person; with `field`, it ends with what that member must be.
 */
message: string,
/**
 * The member that is to blame, if one is.
 */
field?: string,
/**
 * The message that was refused, if it was one that named itself.
 */
messageId?: string,
/**
 * Whether the same request may succeed later.
 */
retryable: boolean,
/**
 * When to try again, milliseconds, if the gateway knows.
 */
retryAfterMs?: number,
/**
 * The meter whose monthly allowance is used up, if one is.
 */
meter?: UsageMeter,
/**
 * When the next month begins and the allowance is whole again, Unix milliseconds. Present with `meter`.
 */
resetsAt?: number, };

/**
 * The data of `status{full}`.
 */
export type FullStatus = {
/**
 * How many bots the tenant has, offline ones included.
 */
botCount: number,
/**
 * The first of them, in id order.
 */
bots: Array<BotInfo>,
/**
 * `cursor` for the next page of bots, if there is one.
 */
nextBots?: string,
/**
 * How many connections the tenant has on all nodes, HTTP requests under way included.
 */
connectionCount: number,
/**
 * The first of them, in id order.
 */
connections: Array<ConnectionInfo>,
/**
 * `cursor` for the next page of connections, if there is one.
 */
nextConnections?: string, };

/**
 * `list_bots`: one page of the bots this credential may see.
 */
export type ListBots = {
/**
 * Most bots in the answer, 1 to 1000. Default: 100.
 */
limit?: number,
/**
 * `nextCursor` of the page before.
 */
cursor?: string,
/**
 * Comes back in the answer's `data`, for old clients; at most 64 bytes.
 */
requestId?: string, };

/**
 * `message_ack`: the message is where `status` says.
 */
export type MessageAck = {
/**
 * The message.
 */
messageId: string,
/**
 * What became of it.
 */
status: AckStatus, };

/**
 * `migrate`: this node goes; the client should connect anew before it is closed.
 */
export type Migrate = {
/**
 * Why: `restart`, `isolated` or `rebalance`.
 */
reason: string,
/**
 * Reconnect at a random time within this many milliseconds.
 */
reconnectWithinMs: number, };

/**
 * `pong`: the answer to `ping`.
 */
export type Pong = {
/**
 * Unix milliseconds of the gateway.
 */
timestamp: number, };

/**
 * The data of `status{quota}`: a tenant has reached a soft allowance of its plan.
 */
export type QuotaStatus = {
/**
 * Of which meter.
 */
meter: UsageMeter,
/**
 * What the tenant used of it in this calendar month (UTC), in the unit of the meter.
 */
used: number,
/**
 * The soft allowance, in the unit of the meter.
 */
allowed: number,
/**
 * The hard allowance, in the unit of the meter, if there is one.
 */
hard?: number,
/**
 * When the next month begins, Unix milliseconds.
 */
resetsAt: number, };

/**
 * `register_bot`: this socket is the bot's home from now on.
 */
export type RegisterBot = {
/**
 * The bot.
 */
botId: string,
/**
 * What people call it, at most 128 bytes. Default: `botId`.
 */
name?: string,
/**
 * What it is, at most 32 bytes. Default: `bot`.
 */
type?: string,
/**
 * What it can do: at most 32 of at most 64 bytes.
 */
capabilities?: Array<string>,
/**
 * A sentence about it, at most 1 KiB.
 */
description?: string,
/**
 * Whatever the bot's makers put there, at most 4 KiB of JSON; kept nowhere.
 */
config?: unknown,
/**
 * What happens if another socket holds the bot. Default: `replace`.
 */
takeover?: Takeover,
/**
 * Random per start of the bot's process, at most 64 bytes; a claim by the same instance
 * always wins.
 */
instance?: string,
/**
 * Asks for stored messages. Answered `confirm: false` until they are built.
 */
confirm?: boolean, };

/**
 * A place in a mailbox.
 */
export type Resume = {
/**
 * The mailbox's epoch.
 */
epoch: number,
/**
 * The last offset received.
 */
offset: number, };

/**
 * The answer to `resume`: everything follows, or nothing does and the reason is said.
 */
export type Resumed = {
/**
 * Whether the missed messages follow.
 */
recovered: boolean,
/**
 * Why not.
 */
reason?: string, };

/**
 * `message`, as a sender writes it.
 */
export type SendMessage = {
/**
 * The recipient: a bot, a client id or a connection.
 */
to: string,
/**
 * What is said. Any other members pass too.
 */
text?: string,
/**
 * A bot this socket holds. Default: its own client id.
 */
from?: string,
/**
 * An idempotency key: 1-64 of `[A-Za-z0-9._:-]`.
 */
messageId?: string,
/**
 * The message this one answers.
 */
replyTo?: string,
/**
 * The stream of partials that this message ends.
 */
streamId?: string,
/**
 * Which part this is, from 1 to `parts`.
 */
part?: number,
/**
 * How many parts there are.
 */
parts?: number,
/**
 * When it was said, as the sender likes to write it. Default: the gateway's time, RFC 3339.
 */
timestamp?: unknown, } & { [member: string]: unknown };

/**
 * `message_partial`, as a sender writes it.
 */
export type SendPartial = {
/**
 * The recipient.
 */
to: string,
/**
 * A bot this socket holds. Default: its own client id.
 */
from?: string,
/**
 * The stream; the `message` with the same one ends it.
 */
streamId: string,
/**
 * Rises with each partial of the stream.
 */
seq: number,
/**
 * All so far, at most 64 KiB: beyond, the tail, with `truncated`.
 */
text: string,
/**
 * Whether `text` is only the tail.
 */
truncated?: boolean,
/**
 * Whether the stream ends without a message.
 */
end?: boolean, };

/**
 * `typing`, as a sender writes it.
 */
export type SendTyping = {
/**
 * The recipient.
 */
to: string,
/**
 * A bot this socket holds. Default: its own client id.
 */
from?: string,
/**
 * Whether it types now; lapses after 10 s.
 */
active: boolean, };

/**
 * A frame from the gateway, spelled out.
 */
export type ServerFrame = {
/**
 * The `id` of the request that this answers: texts, as [`ClientFrame`] has.
 */
id?: string | number,
/**
 * Unix milliseconds of the gateway.
 */
timestamp: number, } & ({ "type": "status", "data": Status } | { "type": "auth_ok", "data": AuthOk } | { "type": "auth_error", "data": AuthError } | { "type": "bot_registered", "data": BotRegistered } | { "type": "bot_unregistered", "data": BotUnregistered } | { "type": "bot_status", "data": BotStatus } | { "type": "message", "data": Delivered } | { "type": "message_partial", "data": Delivered } | { "type": "typing", "data": Delivered } | { "type": "message_ack", "data": MessageAck } | { "type": "error", "data": ErrorData } | { "type": "migrate", "data": Migrate } | { "type": "pong", "data": Pong });

/**
 * The data of a `status` frame.
 */
export type Status = Connected | TypedStatus;

/**
 * What a `status` can be about.
 */
export type StatusOf = "bots" | "connections" | "full";

/**
 * `status`: what is asked about.
 */
export type StatusRequest = {
/**
 * What the answer tells.
 */
request: StatusOf,
/**
 * Most bots and most connections in the answer, 1 to 1000. Default: 100.
 */
limit?: number,
/**
 * `nextCursor` of the page before, for `bots` and `connections`.
 */
cursor?: string, };

/**
 * The data of `status{subscribed}` and `status{unsubscribed}`.
 */
export type Subscription = {
/**
 * The bot.
 */
botId: string, };

/**
 * What a registration does to the bot's present holder.
 */
export type Takeover = "replace" | "reject";

/**
 * The data of the `status` frames that have a `type` of their own.
 */
export type TypedStatus = { "type": "bots_list" } & BotsList | { "type": "connections" } & ConnectionsList | { "type": "full" } & FullStatus | { "type": "quota" } & QuotaStatus | { "type": "subscribed" } & Subscription | { "type": "unsubscribed" } & Subscription;

/**
 * Why a socket lost a bot.
 */
export type UnregisterReason = "replaced";

/**
 * Something that is counted for a tenant. Meters are only ever added.
 *
 * Wire form: its name, snake case.
 */
export type UsageMeter = "messages_sent" | "messages_accepted" | "messages_duplicate" | "messages_refused_client" | "messages_refused_limit" | "messages_refused_recipient" | "messages_refused_platform" | "messages_delivered" | "partials_delivered" | "bytes_in" | "bytes_out" | "connection_seconds_bot" | "connection_seconds_client" | "http_requests";

/** Every `data.reason` of an `error`. */
export const ERRORS = {
  bad_frame: {"code":400,"message":"Frame is not a valid JSON object of this protocol","retryable":false,"since":"now"},
  bad_request: {"code":400,"message":"Query, header or body is not valid for the HTTP API","retryable":false,"since":"now"},
  unknown_type: {"code":400,"message":"Frame type is not known","retryable":false,"since":"now"},
  missing_field: {"code":400,"message":"A required member is missing","retryable":false,"since":"now"},
  invalid_id: {"code":400,"message":"An id is not valid","retryable":false,"since":"now"},
  unauthorized: {"code":401,"message":"Invalid API key or token","retryable":false,"since":"now"},
  forbidden_scope: {"code":403,"message":"This credential does not allow that","retryable":false,"since":"now"},
  origin_not_allowed: {"code":403,"message":"Pages of that origin may not use this gateway","retryable":false,"since":"now"},
  bot_not_found: {"code":403,"message":"Bot not found or access denied","retryable":false,"since":"now"},
  not_your_identity: {"code":403,"message":"This connection may not send as that sender","retryable":false,"since":"now"},
  tenant_suspended: {"code":403,"message":"This account is suspended","retryable":false,"since":"now"},
  not_found: {"code":404,"message":"No such path","retryable":false,"since":"now"},
  method_not_allowed: {"code":405,"message":"That path does not support this method","retryable":false,"since":"now"},
  request_timeout: {"code":408,"message":"The request did not arrive in time","retryable":false,"since":"now"},
  already_registered: {"code":409,"message":"That id is in use","retryable":false,"since":"now"},
  takeover_flapping: {"code":409,"message":"Two instances keep taking this bot from each other","retryable":false,"since":"now"},
  lease_lost: {"code":409,"message":"The lease on this task was lost","retryable":false,"since":"later: tasks"},
  idempotency_conflict: {"code":409,"message":"That id was used for another request","retryable":false,"since":"now"},
  too_large: {"code":413,"message":"A member, or the whole request, exceeds its size limit","retryable":false,"since":"now"},
  unsupported_media_type: {"code":415,"message":"The body must be application/json","retryable":false,"since":"now"},
  misdirected: {"code":421,"message":"This gateway does not accept that Host","retryable":false,"since":"now"},
  rate_limited: {"code":429,"message":"Too many requests","retryable":true,"since":"now"},
  quota_exceeded: {"code":429,"message":"A count or size limit is reached","retryable":true,"since":"now"},
  internal: {"code":500,"message":"Internal error","retryable":false,"since":"now"},
  not_supported: {"code":501,"message":"This gateway does not support that","retryable":false,"since":"now"},
  bot_offline: {"code":503,"message":"Bot is offline","retryable":true,"since":"now"},
  recipient_offline: {"code":503,"message":"Recipient is offline","retryable":true,"since":"now"},
  recipient_busy: {"code":503,"message":"Recipient is not reading fast enough","retryable":true,"since":"now"},
  unreachable: {"code":503,"message":"Recipient's node cannot be reached","retryable":true,"since":"now"},
  delivery_unknown: {"code":503,"message":"Delivery was not confirmed; repeat with the same messageId","retryable":true,"since":"now"},
  draining: {"code":503,"message":"This node is shutting down","retryable":true,"since":"now"},
  store_unavailable: {"code":503,"message":"The store is not available","retryable":true,"since":"now"},
} as const;

/** Every close code. */
export const CLOSES = {
  1000: {"clientShould":"nothing","means":"the gateway answers the client's own close","reason":"done","since":"now"},
  1001: {"clientShould":"nothing","means":"the gateway shuts down","reason":"going_away","since":"later: drain"},
  1002: {"clientShould":"not repeat it","means":"a frame without a mask, reserved bits, a message that starts within another, a control frame that is too long","reason":"protocol_error","since":"now"},
  1003: {"clientShould":"not repeat it","means":"a binary message","reason":"unsupported","since":"now"},
  1007: {"clientShould":"not repeat it","means":"text that is not UTF-8","reason":"invalid_utf8","since":"now"},
  1008: {"clientShould":"fix its frames","means":"20 frames in a row that get an error of code 400; ten times `control_per_second` control frames in a second; before `auth_ok`: more than `control_per_second` control frames in a second, or 1,000 refusals and pongs in 10 s (see [What requests cost](#what-requests-cost))","reason":"bad_frames","since":"now"},
  1009: {"clientShould":"not repeat it","means":"a frame or message that is too large","reason":"too_big","since":"now"},
  1011: {"clientShould":"reconnect with backoff","means":"an internal error of the gateway","reason":"internal","since":"now"},
  1012: {"clientShould":"reconnect after 0-5 s at random","means":"this node restarts","reason":"restart","since":"now"},
  1013: {"clientShould":"reconnect with backoff","means":"the node is overloaded, the store is not available, the tenant's connections exceed `joins_per_second`, or its monthly allowance of connection time is used up","reason":"try_later","since":"now"},
  4401: {"clientShould":"stop","means":"the credential is not valid, or it was revoked","reason":"unauthorized","since":"now"},
  4402: {"clientShould":"renew the token, then reconnect","means":"the token expired","reason":"token_expired","since":"now"},
  4403: {"clientShould":"stop","means":"the tenant is suspended","reason":"tenant_suspended","since":"now"},
  4408: {"clientShould":"reconnect","means":"the peer read nothing for 10 s; its outbound queue was full for 10 s, or had no room for an answer; or memory ran short","reason":"slow_consumer","since":"now"},
  4409: {"clientShould":"not register that bot again automatically","means":"another connection took over the last bot of this one","reason":"replaced","since":"now"},
  4410: {"clientShould":"reconnect","means":"no heartbeat in time, or no credential in time","reason":"timeout","since":"now"},
  4429: {"clientShould":"reconnect after the `retryAfterMs` of the last error","means":"too many credentials failed; or the socket caused 1,000 refusals and pongs in 10 s; or all sockets of the tenant caused 2,000 of them in a second, and this one more than 10 in 10 s; or an unpaid frame would wait more than a second, or there is no memory to hold it (see [What requests cost](#what-requests-cost))","reason":"too_many_refusals","since":"now"},
} as const;

/** The limits that are the same everywhere. */
export const LIMITS = {
  labelsMax: 16,
  labelBytesMax: 64,
  nestingMax: 64,
  frameIdBytesMax: 64,
  frameBytesUnauthenticated: 8192,
  tokenBytesMax: 2048,
  botNameBytesMax: 128,
  botTypeBytesMax: 32,
  capabilitiesMax: 32,
  capabilityBytesMax: 64,
  descriptionBytesMax: 1024,
  configBytesMax: 4096,
  instanceBytesMax: 64,
  partialBytesMax: 65536,
  listBytesMax: 131072,
  listDefault: 100,
  listMax: 1000,
  bytesPerUnit: 8192,
  unpaidBytesPerSecond: 8388608,
  unpaidWaitMsMax: 1000,
  tokenShare: 4,
  badFramesMax: 20,
  unpaidAnswersMax: 1000,
  unpaidAnswersPerTenant: 2000,
  unpaidAnswersFew: 10,
  unpaidAnswersWindowMs: 10000,
  slowConsumerMs: 10000,
  presenceFlushMs: 100,
  presenceFanoutMax: 256,
  rememberMs: 86400000,
  claimsWaitingMax: 64,
  heldMax: 256,
  heldBytesMax: 1048576,
  heldTenantBytesMax: 16777216,
  flapWindowMs: 60000,
  flapRefusalMs: 30000,
  tokenTtlMaxS: 2592000,
  tokenTtlDefaultS: 3600,
  tokenLeewayS: 30,
  tenantLingerMs: 60000,
  usageCloseMs: 600000,
  usageKeepHours: 1488,
  usageRangeHours: 1488,
  usageSeenHours: 168,
  quotaToldMax: 256,
  clockSkewMaxMs: 30000,
  dedupeMs: 600000,
  dedupeMax: 100000,
  controlBytesMax: 125,
  fragmentOverheadBytes: 64,
  headBytesMax: 16384,
  authFailuresPerMinute: 10,
  authFailuresPerSource: 600,
  waitMsMax: 50000,
  authFailureEntriesMax: 65536,
  unauthenticatedPerSource: 256,
  unauthenticatedMax: 8192,
} as const;

/** The limits that an operator may change. */
export const LIMIT_DEFAULTS = {
  frameBytes: 262144,
  botsPerSocket: 64,
  botsPerTenant: 1000,
  socketsPerTenant: 10000,
  socketsPerClient: 2500,
  socketsPerToken: 32,
  clientsPerTenant: 10000,
  waitsPerTenant: 1000,
  messagesPerSecond: 5000,
  messagesBurst: 10000,
  bytesPerSecond: 8388608,
  bytesBurst: 16777216,
  joinsPerSecond: 200,
  joinsBurst: 12000,
  framesPerSecond: 500,
  framesBurst: 1000,
  registersPerSecond: 5,
  registersBurst: 128,
  controlPerSecond: 20,
  outboundBytes: 1048576,
  outboundFrames: 4096,
  outboundBytesPerClient: 16777216,
  outboundBytesPerTenant: 67108864,
  subscriptionBytesPerTenant: 4194304,
  assemblyBytesPerTenant: 16777216,
  takeoversPerMinute: 3,
} as const;
