/**
 * An account's standing connection: it is made again whenever it ends, until there is no point.
 *
 * ```text
 *  connecting ──▶ ready ──▶ recovering ──▶ ready …          stop() ──▶ stopped
 *       │           │ migrate: the new connection first, then the old one closes
 *       └───────────┴──▶ blocked: key refused (4401), expired (4402), suspended (4403),
 *                                 every bot taken over (4409) or refused
 * ```
 *
 * A bot that another instance took over is not registered again before OpenClaw starts anew, or the
 * account's settings change: two instances would only take it from each other.
 */

import { Backoff } from "./backoff.js";
import { LinkLost, Refused } from "./frames.js";
import { type Dial, Link, type LinkEnd } from "./link.js";
import type { Delivered, MessageAck, SendPartial } from "./protocol.js";
import { sleep } from "./sleep.js";
import { PART_BYTES_MAX, partBytesOf } from "./text.js";
import type { Account, Bot, Channel, Log, Outbound } from "./types.js";

/** How an account stands. */
export type TunnelState =
  | { readonly phase: "connecting" | "stopped" }
  | { readonly phase: "ready"; readonly bots: readonly string[]; readonly problem?: string }
  | { readonly phase: "recovering"; readonly attempts: number; readonly problem: string }
  | { readonly phase: "blocked"; readonly problem: string };

export interface TunnelEvents {
  /** The account stands differently now. */
  state(state: TunnelState): void;
  /** A message for one of the bots, from this gateway and tenant. */
  message(place: string, bot: Bot, message: Delivered & { messageId: string }): void;
}

export interface TunnelOptions {
  readonly account: Account;
  readonly url: URL;
  readonly bots: readonly Bot[];
  /** Random per process: claims of one instance are not a fight. */
  readonly instance: string;
  readonly dial: Dial;
  readonly log: Log;
  /** Bots that are not to be registered, and why; kept by whoever makes the tunnel. */
  readonly lost?: Map<string, string>;
  readonly random?: () => number;
}

/** Attempts to register one bot before the connection is given up for this time. */
const REGISTER_ATTEMPTS = 3;
/** Longest wait for the answers still owed to a connection that has a successor. */
const RETIRE_MS = 2_000;
/** After 1012 everybody comes back: not all at once. */
const RESTART_SPREAD_MS = 5_000;

/** Closes after which the same credential is refused again. */
const REFUSED_CLOSES: readonly number[] = [4401, 4402, 4403];

/** There is no point in connecting again: a sentence for the owner. */
class Blocked extends Error {}

export class Tunnel implements Channel {
  readonly #options: TunnelOptions;
  readonly #events: TunnelEvents;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #stopping = new AbortController();
  readonly #lost: Map<string, string>;
  /** Connections that lose their bots to one of ours. */
  readonly #succeeded = new WeakSet<Link>();
  /** Those that are open, or on their way to it. */
  readonly #open = new Set<Link>();
  #link: Link | undefined;
  #place: string | undefined;
  #partBytes = PART_BYTES_MAX;
  #running: Promise<void> | undefined;

  constructor(options: TunnelOptions, events: TunnelEvents) {
    this.#options = options;
    this.#events = events;
    this.#lost = options.lost ?? new Map();
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff(options.account.reconnectInterval, this.#random);
  }

  get place(): string | undefined {
    return this.#place;
  }

  get partBytes(): number {
    return this.#partBytes;
  }

  holds(botId: string): boolean {
    const isOurs = this.#options.bots.some((bot) => bot.botId === botId);
    const isUp = this.#link !== undefined && !this.#link.isOver;
    return isUp && isOurs && !this.#lost.has(botId);
  }

  /** The bots in the order of the configuration, taken ones left out. */
  get bots(): Bot[] {
    return this.#options.bots.filter((bot) => !this.#lost.has(bot.botId));
  }

  async send(message: Outbound): Promise<MessageAck> {
    if (!this.#link) throw new LinkLost("there is no connection to the gateway");
    return this.#link.send(message);
  }

  partial(partial: SendPartial): void {
    this.#link?.partial(partial);
  }

  typing(botId: string, client: string, active: boolean): void {
    this.#link?.typing(botId, client, active);
  }

  /** Begins to connect. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Closes the connection; resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const link of this.#open) link.close("stopping");
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#events.state({ phase: "connecting" });
    try {
      while (!this.#isStopping) await this.#connectAndHold();
    } catch (error) {
      if (!this.#isStopping) {
        const problem = error instanceof Error ? error.message : String(error);
        this.#options.log.error(problem);
        this.#events.state({ phase: "blocked", problem });
        return;
      }
    }
    this.#events.state({ phase: "stopped" });
  }

  async #connectAndHold(): Promise<void> {
    const since = performance.now();
    let end: LinkEnd | undefined;
    const link = this.#dial();
    try {
      await this.#register(link);
      end = await this.#hold(link);
    } catch (error) {
      link.close("");
      if (error instanceof Blocked) throw error;
      end = await link.ended;
      if (error instanceof Refused) end = { ...end, code: 0, why: error.message };
    } finally {
      this.#link = undefined;
    }
    if (this.#isStopping) return;
    this.#backoff.held(performance.now() - since);
    await this.#recover(end);
  }

  /** Keeps a connection, and its successors, until one ends without having been succeeded. */
  async #hold(first: Link): Promise<LinkEnd> {
    let link = first;
    for (;;) {
      this.#adopt(link);
      const withinMs = await Promise.race([link.migrating, link.ended.then(() => undefined)]);
      const successor = withinMs === undefined ? undefined : await this.#succeed(link, withinMs);
      if (!successor) return link.ended;
      void retire(link);
      link = successor;
    }
  }

  #adopt(link: Link): void {
    this.#link = link;
    const problems = [...this.#lost.values()];
    this.#options.log.info(`connected: ${this.bots.map((bot) => bot.botId).join(", ")}`);
    this.#events.state({
      phase: "ready",
      bots: this.bots.map((bot) => bot.botId),
      ...(problems.length > 0 ? { problem: problems.join("; ") } : {}),
    });
  }

  /** A new connection while the old one still lives; none if the old one ends first. */
  async #succeed(old: Link, withinMs: number): Promise<Link | undefined> {
    const backoff = new Backoff(this.#options.account.reconnectInterval, this.#random);
    let wait = this.#random() * withinMs * 0.5;
    while (!old.isOver && !this.#isStopping) {
      await Promise.race([this.#sleep(wait), old.ended]);
      if (old.isOver) return undefined;
      const link = this.#dial();
      try {
        // From here on the old connection may lose its bots to this one, also if this one fails.
        this.#succeeded.add(old);
        await this.#register(link);
        return link;
      } catch {
        link.close("");
        wait = backoff.next();
      }
    }
    return undefined;
  }

  #dial(): Link {
    const { account, url, dial } = this.#options;
    const link = new Link(
      { url, apiKey: account.apiKey, heartbeatMs: account.heartbeatInterval, dial },
      {
        message: (message) => this.#onMessage(message),
        replaced: (botId) => this.#onReplaced(link, botId),
      },
    );
    this.#open.add(link);
    void link.ended.then(() => this.#open.delete(link));
    return link;
  }

  #onMessage(message: Delivered & { messageId: string }): void {
    const bot = this.#options.bots.find((bot) => bot.botId === message.to);
    if (bot && this.#place !== undefined) this.#events.message(this.#place, bot, message);
  }

  #onReplaced(link: Link, botId: string): void {
    if (this.#succeeded.has(link)) return;
    const problem =
      `${botId} was taken over by another instance and is left to it; ` +
      `to take it back, stop the other one and restart OpenClaw`;
    this.#lost.set(botId, problem);
    this.#options.log.warn(problem);
    if (this.#link === link && this.bots.length > 0) this.#adopt(link);
  }

  async #register(link: Link): Promise<void> {
    // Before the bots are: the first message may come with the first of them.
    const { userId, limits } = await link.ready;
    this.#place = `${this.#options.url.href}#${userId}`;
    this.#partBytes = partBytesOf(limits?.frameBytes);
    for (const bot of this.bots) await this.#registerOne(link, bot);
    if (this.bots.length === 0) throw new Blocked([...this.#lost.values()].join("; "));
  }

  async #registerOne(link: Link, bot: Bot): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await link.register({
          botId: bot.botId,
          name: bot.name,
          type: "openclaw",
          capabilities: ["chat"],
          instance: this.#options.instance,
        });
        return;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (!error.retryable) {
          this.#lost.set(bot.botId, `${bot.botId} cannot be registered: ${error.message}`);
          this.#options.log.warn(`${bot.botId} cannot be registered: ${error.message}`);
          return;
        }
        if (attempt === REGISTER_ATTEMPTS) throw error;
        await this.#sleep(Math.max(error.retryAfterMs, this.#random() * 1_000 * attempt));
      }
    }
  }

  /** Waits as the end of the connection asks for. Throws `Blocked` where waiting is no use. */
  async #recover(end: LinkEnd): Promise<void> {
    const problem = problemOf(end, this.#lost);
    const isFinal = REFUSED_CLOSES.includes(end.code) || this.bots.length === 0;
    if (isFinal) throw new Blocked(problem);
    const backoff = this.#backoff.next();
    const spread = end.code === 1012 ? this.#random() * RESTART_SPREAD_MS : 0;
    const asked = end.code === 4429 ? (end.error?.retryAfterMs ?? 0) : 0;
    this.#options.log.warn(`${problem}; connecting again`);
    this.#events.state({ phase: "recovering", attempts: this.#backoff.attempts, problem });
    await this.#sleep(Math.max(backoff, spread, asked));
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Sleeps; a stop ends it early. */
  #sleep(ms: number): Promise<void> {
    return sleep(ms, this.#stopping.signal);
  }
}

/** Closes a connection that has a successor, once what it was asked is answered. */
async function retire(link: Link): Promise<void> {
  await Promise.race([link.answered(), sleep(RETIRE_MS)]);
  link.close("moved");
}

function problemOf(end: LinkEnd, lost: ReadonlyMap<string, string>): string {
  switch (end.code) {
    case 4401:
      return "the gateway refused the API key: it is wrong, or it was revoked; put a valid one into apiKey";
    case 4402:
      return "the gateway refused the token: it has expired; put a new one into apiKey";
    case 4403:
      return "the gateway has suspended this account; ask whoever runs the gateway";
    case 4409:
      return [...lost.values()].join("; ") || "another instance has taken over every bot";
    case 4429:
      return "the gateway has had too many refused requests from here";
    case 0:
      return `no connection to the gateway: ${end.why || "it broke off"}`;
    default:
      return `the gateway closed the connection: ${end.why || `code ${end.code}`}`;
  }
}
