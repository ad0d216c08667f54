/**
 * The words that the plugin's files share. What goes over the wire is in `protocol.ts`, which is
 * generated.
 */

import type { MessageAck, SendMessage, SendPartial } from "./protocol.js";

/** One account of the channel: a gateway, a key, and what is offered there. Checked and complete. */
export interface Account {
  readonly accountId: string;
  readonly name?: string;
  readonly enabled: boolean;
  /** `ws://…` or `wss://…`; empty: not configured. */
  readonly serverUrl: string;
  /** Empty: not configured. */
  readonly apiKey: string;
  /** As written: `botId` or `botId=agentId`. Empty: every agent. */
  readonly botIds: readonly string[];
  readonly dmPolicy: "open" | "allowlist";
  /** Client ids as people write them. */
  readonly allowFrom: readonly string[];
  /** Longest first wait before reconnecting, milliseconds. */
  readonly reconnectInterval: number;
  /** Between two signs of life, milliseconds. */
  readonly heartbeatInterval: number;
}

/** A bot at the gateway, and the agent that answers there. */
export interface Bot {
  readonly botId: string;
  readonly agentId: string;
  readonly name: string;
}

/** A `message` for one of our bots. */
export interface Inbound {
  /** The gateway and tenant that it came from. */
  readonly place: string;
  readonly accountId: string;
  readonly bot: Bot;
  /** The sender's client id, as the gateway wrote it. */
  readonly client: string;
  /** The sender's idempotency key, or the gateway's. */
  readonly messageId: string;
  readonly text: string;
  /** Whether it names a message that it answers. */
  readonly isReply: boolean;
}

/** A message that a bot sends, as the wire has it. */
export type Outbound = SendMessage;

/** What can be said through an account's connection while it is up. */
export interface Channel {
  /** The gateway and tenant behind it; absent until it has been connected once. */
  readonly place: string | undefined;
  /** Largest text of one message, bytes of JSON. */
  readonly partBytes: number;
  /** The bots of the account that were not taken over, whether there is a connection or not. */
  readonly bots: readonly Bot[];
  /** Whether this bot's messages can be sent now. */
  holds(botId: string): boolean;
  /** Sends a message; rejects with `Refused` or `LinkLost`. */
  send(message: Outbound): Promise<MessageAck>;
  /** Best effort: dropped when there is no connection, or a slow one. */
  partial(partial: SendPartial): void;
  /** Best effort too. */
  typing(botId: string, client: string, active: boolean): void;
}

/** What the agent is given to answer with. */
export interface ReplySink {
  /** All the text so far; may shrink. */
  partial(text: string): void;
  /** One finished piece of the answer. */
  piece(text: string): void;
}

/** An agent that is about to answer a message. */
export interface Run {
  /** It must not wait for the run before it: it is there to end that one. */
  readonly isUrgent: boolean;
  /** Has the agent answer; resolves when its run is over. */
  answer(sink: ReplySink): Promise<void>;
}

/** Decides on a message: the run that answers it, or nothing if its sender may not have one. */
export type Admit = (inbound: Inbound) => Promise<Run | undefined>;

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
