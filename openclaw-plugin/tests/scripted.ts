/** What tests put in the place of the network: a socket that says what it is told to say. */

import type { Dial } from "../src/link.js";
import type { ClientFrame } from "../src/protocol.js";
import type { Account, Channel, Log, Outbound } from "../src/types.js";
import { Refused } from "../src/frames.js";
import { PART_BYTES_MAX } from "../src/text.js";

/** A `WebSocket` whose peer is the test. */
export class ScriptedSocket extends EventTarget {
  readyState = 0;
  bufferedAmount = 0;
  readonly sent: (ClientFrame & { id?: string })[] = [];
  readonly closedWith: { code: number; reason: string }[] = [];
  /** Answers what it is asked, as the gateway would; tests replace it. */
  answer: (frame: ClientFrame & { id?: string }) => void = (frame) => this.obey(frame);

  readonly url: URL;
  readonly headers: Record<string, string>;

  constructor(url: URL, headers: Record<string, string>) {
    super();
    this.url = url;
    this.headers = headers;
  }

  send(text: string): void {
    const frame = JSON.parse(text) as ClientFrame & { id?: string };
    this.sent.push(frame);
    queueMicrotask(() => this.answer(frame));
  }

  close(code: number, reason: string): void {
    this.readyState = 3;
    this.closedWith.push({ code, reason });
  }

  /** Opens, and lets the credential in. */
  accept(userId = "alice", frameBytes = 262_144): void {
    this.readyState = 1;
    this.frame({ type: "status", data: { status: "connected" } });
    this.frame({ type: "auth_ok", data: { userId, limits: { frameBytes } } });
  }

  /** Registers every bot, acknowledges every message. */
  obey({ type, id, data }: { type: string; id?: string; data?: object }): void {
    if (type === "register_bot") this.frame({ type: "bot_registered", id, data: { ...data } });
    if (type === "message") {
      this.frame({ type: "message_ack", id, data: { ...data, status: "delivered" } });
    }
  }

  frame(frame: object): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  /** The peer closes. */
  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
  }

  ofType(type: string): (ClientFrame & { id?: string })[] {
    return this.sent.filter((frame) => frame.type === type);
  }
}

/** Dials scripted sockets and keeps them. */
export function dialler(): { dial: Dial; sockets: ScriptedSocket[]; last(): ScriptedSocket } {
  const sockets: ScriptedSocket[] = [];
  return {
    sockets,
    dial: (url, headers) => {
      const socket = new ScriptedSocket(url, headers);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    last: () => {
      const socket = sockets.at(-1);
      if (!socket) throw new Error("nothing was dialled");
      return socket;
    },
  };
}

/** A channel that keeps what is said through it. */
export class ScriptedChannel implements Channel {
  place: string | undefined = "ws://gateway/ws#alice";
  readonly bots = [{ botId: "bot_main", agentId: "main", name: "main" }];
  partBytes = PART_BYTES_MAX;
  isUp = true;
  readonly sent: Outbound[] = [];
  readonly partials: { text: string; seq: number; truncated?: boolean }[] = [];
  readonly typings: boolean[] = [];
  /** Reasons with which the next messages are refused. */
  readonly refusals: { reason: string; retryable: boolean }[] = [];

  holds(botId: string): boolean {
    return this.isUp && botId.startsWith("bot_");
  }

  async send(message: Outbound) {
    const refusal = this.refusals.shift();
    if (refusal) throw new Refused({ code: 503, message: "no", ...refusal } as never);
    this.sent.push(message);
    return { messageId: message.messageId ?? "", status: "delivered" as const };
  }

  partial(partial: { text: string; seq: number; truncated?: boolean }): void {
    this.partials.push(partial);
  }

  typing(_botId: string, _client: string, active: boolean): void {
    this.typings.push(active);
  }
}

export const silent: Log = { info: () => {}, warn: () => {}, error: () => {} };

export function account(changes: Partial<Account> = {}): Account {
  return {
    accountId: "default",
    enabled: true,
    serverUrl: "ws://gateway/ws",
    apiKey: "t2b_alice_0123456789abcdef",
    botIds: [],
    dmPolicy: "open",
    allowFrom: [],
    reconnectInterval: 1_000,
    heartbeatInterval: 20_000,
    ...changes,
  };
}
