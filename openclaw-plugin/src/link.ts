/**
 * One WebSocket connection to the gateway, from dialling to its end. What to do about the end is
 * `tunnel.ts`'s to say.
 *
 * | late, silent, full | then |
 * | --- | --- |
 * | no `auth_ok` within 15 s | it ends |
 * | no frame for two heartbeats | it ends |
 * | no answer to a request within 30 s | the request fails; the connection goes on |
 * | more than 1 MiB waits to be written | partials and typing are dropped |
 */

import { AnswerLate, isAddressed, LinkLost, readFrame, Refused } from "./frames.js";
import type {
  AuthOk,
  BotRegistered,
  ClientFrame,
  Delivered,
  ErrorData,
  MessageAck,
  RegisterBot,
  SendPartial,
  ServerFrame,
} from "./protocol.js";
import type { Outbound } from "./types.js";

export const READY_MS = 15_000;
export const ANSWER_MS = 30_000;
const BUFFERED_BYTES_MAX = 1024 * 1024;

/** Opens a socket; the global `WebSocket` of Node, or a stand-in for it. */
export type Dial = (url: URL, headers: Record<string, string>) => WebSocket;

export interface LinkOptions {
  readonly url: URL;
  readonly apiKey: string;
  readonly heartbeatMs: number;
  readonly dial: Dial;
}

export interface LinkEvents {
  message(message: Delivered & { messageId: string }): void;
  /** Another connection has taken this bot. */
  replaced(botId: string): void;
}

/** How a connection ended. */
export interface LinkEnd {
  /** The close code; 0 if it broke off. */
  readonly code: number;
  /** A few words for a person. */
  readonly why: string;
  /** The last refusal that named no request: why the gateway closes. */
  readonly error?: ErrorData;
}

type Waiting = {
  answered: Promise<unknown>;
  resolve: (data: ServerFrame["data"]) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
};

export class Link {
  /** Resolves once the credential is accepted; rejects if the link ends before. */
  readonly ready: Promise<AuthOk>;
  /** Resolves when the connection is over, however that came. */
  readonly ended: Promise<LinkEnd>;
  /** Resolves when the node goes, with the milliseconds within which to connect anew. */
  readonly migrating: Promise<number>;
  readonly #socket: WebSocket;
  readonly #events: LinkEvents;
  readonly #waiting = new Map<string, Waiting>();
  readonly #heartbeat: NodeJS.Timeout;
  /** Runs out when no frame comes for two heartbeats. */
  readonly #silence: NodeJS.Timeout;
  readonly #ready = Promise.withResolvers<AuthOk>();
  readonly #ended = Promise.withResolvers<LinkEnd>();
  readonly #migrating = Promise.withResolvers<number>();
  #lastId = 0;
  #refusal: ErrorData | undefined;
  #isReady = false;
  #isOver = false;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.ready = this.#ready.promise;
    this.ended = this.#ended.promise;
    this.migrating = this.#migrating.promise;
    // Whoever waits for neither must not be told of an unhandled rejection.
    this.ready.catch(() => {});
    this.#events = events;
    const socket = options.dial(options.url, { authorization: `Bearer ${options.apiKey}` });
    this.#socket = socket;
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("close", (event) =>
      this.#end({ code: event.code === 1006 ? 0 : event.code, why: event.reason }),
    );
    socket.addEventListener("error", (event) => {
      const { message } = event as unknown as { message?: string };
      this.#end({ code: 0, why: this.#isReady ? "it broke off" : message || "it cannot be made" });
    });
    const lateAt = setTimeout(() => this.#give("no answer to the handshake"), READY_MS);
    this.ready.then(
      () => clearTimeout(lateAt),
      () => clearTimeout(lateAt),
    );
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
    this.#silence = setTimeout(() => {
      this.#give("the gateway was silent for two heartbeats");
    }, 2 * options.heartbeatMs);
  }

  /** Makes this connection the bot's home. Rejects with `Refused` or `LinkLost`. */
  async register(claim: RegisterBot): Promise<BotRegistered> {
    return (await this.#ask({ type: "register_bot", data: claim })) as BotRegistered;
  }

  /** Sends a message. Rejects with `Refused` or `LinkLost`. */
  async send(message: Outbound): Promise<MessageAck> {
    return (await this.#ask({ type: "message", data: message })) as MessageAck;
  }

  partial(data: SendPartial): void {
    this.#offer({ type: "message_partial", data });
  }

  typing(from: string, to: string, active: boolean): void {
    this.#offer({ type: "typing", data: { to, from, active } });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when everything asked until now is answered, or has failed. */
  async answered(): Promise<void> {
    await Promise.allSettled([...this.#waiting.values()].map((waiting) => waiting.answered));
  }

  /** Closes it; what was asked and not answered fails. */
  close(why: string): void {
    if (this.#isOver) return;
    this.#end({ code: 1000, why });
    this.#shut(why);
  }

  #onMessage(data: unknown): void {
    if (this.#isOver) return;
    this.#silence.refresh();
    const frame = typeof data === "string" ? readFrame(data) : undefined;
    if (frame) this.#onFrame(frame);
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case "auth_ok":
        this.#isReady = true;
        return this.#ready.resolve(frame.data);
      case "message":
        if (isAddressed(frame.data)) this.#events.message(frame.data);
        return;
      case "bot_unregistered":
        if (frame.data.reason === "replaced") this.#events.replaced(frame.data.botId);
        return;
      case "migrate":
        return this.#migrating.resolve(frame.data.reconnectWithinMs);
      case "bot_registered":
      case "message_ack":
        return this.#settle(frame.id)?.resolve(frame.data);
      case "error":
        if (frame.id === undefined) this.#refusal = frame.data;
        return this.#settle(frame.id)?.reject(new Refused(frame.data));
      case "status":
      case "auth_error":
      case "bot_status":
      case "message_partial":
      case "typing":
      case "pong":
        return;
    }
  }

  #ask(frame: ClientFrame): Promise<ServerFrame["data"]> {
    if (this.#isOver) return Promise.reject(new LinkLost("the connection is over"));
    const id = String(++this.#lastId);
    const { promise, resolve, reject } = Promise.withResolvers<ServerFrame["data"]>();
    const timer = setTimeout(() => {
      this.#settle(id)?.reject(new AnswerLate("the gateway did not answer in time"));
    }, ANSWER_MS);
    this.#waiting.set(id, { answered: promise, resolve, reject, timer });
    this.#socket.send(JSON.stringify({ ...frame, id }));
    return promise;
  }

  /** Best effort: nobody waits for it. */
  #offer(frame: ClientFrame): void {
    if (this.#isOver || this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) return;
    this.#socket.send(JSON.stringify(frame));
  }

  #settle(id: ServerFrame["id"]): Waiting | undefined {
    // The ids of this link are texts.
    if (typeof id !== "string") return undefined;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #beat(): void {
    if (this.#socket.readyState === 1) this.#offer({ type: "ping" });
  }

  /** Gives the connection up: the peer cannot be expected to answer a close. */
  #give(why: string): void {
    this.#end({ code: 0, why });
    this.#shut("");
  }

  #shut(why: string): void {
    try {
      this.#socket.close(1000, why);
    } catch {
      // It was not open yet: letting go of it is all there is to do.
    }
  }

  #end(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#silence);
    const error = this.#refusal;
    const whole = error ? { ...end, error } : end;
    const lost = new LinkLost(end.why || "the connection is over");
    this.#ready.reject(lost);
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(lost);
    this.#ended.resolve(whole);
  }
}
