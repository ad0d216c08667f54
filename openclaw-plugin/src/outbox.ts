/**
 * Finished replies on their way to their clients. They lie in the journal, so a lost connection, an
 * absent client or a new process loses none.
 *
 * | a reply | then |
 * | --- | --- |
 * | is refused for the time being, or its client is away | it is tried again, with growing pauses, for ten minutes |
 * | is older than that | it rests until its client is heard of |
 * | is refused for what it is | it is given up |
 * | loses the connection five times | it is set aside until its message is repeated |
 *
 * Replies to one client go out in order. Eight are on their way at once, and a refusal holds its
 * place for a while: a crowd of absent clients must not look like a flood to the gateway.
 */

import { Backoff } from "./backoff.js";
import { isLinkLost, isRefused } from "./frames.js";
import type { Journal, Origin } from "./journal.js";
import { sleep } from "./sleep.js";
import type { Channel, Log } from "./types.js";

export const RETRY_FOR_MS = 10 * 60 * 1_000;
const FIRST_RETRY_MS = 1_000;
/** A reply that costs so many connections is set aside, so that the others have one. */
const LOSSES_MAX = 5;
export const AT_ONCE = 8;
/** With eight places at most 800 refusals in the ten seconds in which the gateway bears 1,000. */
const REFUSAL_HOLDS_MS = 100;
/** Refusals for what the reply itself is. */
const HOPELESS = ["bad_frame", "missing_field", "invalid_id", "too_large", "not_supported"];

/** What goes from one bot to one client. */
interface Lane {
  readonly queue: Origin[];
  backoff: Backoff;
  timer: NodeJS.Timeout | undefined;
  isBusy: boolean;
  /** Connections that were lost while its first reply was on its way. */
  losses: number;
  /** Something has changed since it began. */
  isStale: boolean;
}

/** What became of a reply that was to be sent. */
type Outcome = "done" | "later" | "rests";

export class Outbox {
  readonly #journal: Journal;
  readonly #channels: () => Iterable<Channel>;
  readonly #log: Log;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes whose replies lie in the journal alone until their clients are heard of. */
  readonly #resting = new Set<string>();
  readonly #places = new Places(AT_ONCE);

  /** Begins with what earlier processes left. */
  constructor(journal: Journal, channels: () => Iterable<Channel>, log: Log) {
    this.#journal = journal;
    this.#channels = channels;
    this.#log = log;
    for (const { origin, at } of journal.all("done")) {
      if (isOld(at)) this.#resting.add(laneKey(origin));
      else this.#laneOf(origin).queue.push(origin);
    }
  }

  /** Sends a reply that the journal has; also one that was sent before. */
  deliver(origin: Origin): void {
    const lane = this.#laneOf(origin);
    if (!lane.queue.some((waiting) => waiting.messageId === origin.messageId)) {
      lane.queue.push(origin);
    }
    this.#tryNow(lane);
  }

  /** A client has been heard of: what waits for it is tried at once. */
  heard(origin: Origin): void {
    const key = laneKey(origin);
    if (this.#resting.delete(key)) {
      for (const { origin: waiting } of this.#journal.all("done")) {
        if (laneKey(waiting) === key) this.deliver(waiting);
      }
    }
    const lane = this.#lanes.get(key);
    if (lane) this.#tryNow(lane);
  }

  /** A connection is up: what does not rest is tried at once. */
  connected(): void {
    for (const lane of this.#lanes.values()) this.#tryNow(lane);
  }

  #laneOf(origin: Origin): Lane {
    const key = laneKey(origin);
    let lane = this.#lanes.get(key);
    if (!lane) {
      const backoff = new Backoff(FIRST_RETRY_MS);
      lane = { queue: [], backoff, timer: undefined, losses: 0, isBusy: false, isStale: false };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #tryNow(lane: Lane): void {
    lane.backoff = new Backoff(FIRST_RETRY_MS);
    void this.#drain(lane);
  }

  async #drain(lane: Lane): Promise<void> {
    lane.isStale = true;
    if (lane.isBusy) return;
    clearTimeout(lane.timer);
    lane.isBusy = true;
    while (lane.isStale) {
      lane.isStale = false;
      await this.#sendAll(lane);
    }
    lane.isBusy = false;
  }

  /** Sends what waits, up to the first that must wait on. */
  async #sendAll(lane: Lane): Promise<void> {
    for (let origin = lane.queue[0]; origin; origin = lane.queue[0]) {
      // Without a channel the next connection tries.
      const channel = this.#channelFor(origin);
      if (!channel) return;
      const outcome = await this.#send(origin, lane, channel);
      if (outcome === "later") return;
      if (outcome === "rests") {
        this.#resting.add(laneKey(origin));
        lane.queue.length = 0;
      } else {
        lane.queue.shift();
      }
      if (lane.queue.length === 0) this.#lanes.delete(laneKey(origin));
    }
  }

  async #send(origin: Origin, lane: Lane, channel: Channel): Promise<Outcome> {
    const leave = await this.#places.take();
    try {
      const reply = await this.#journal.reply(origin);
      for (const message of reply ?? []) await channel.send(message);
      if (reply) await this.#note(origin);
      lane.losses = 0;
      return "done";
    } catch (error) {
      if (isRefused(error)) await sleep(REFUSAL_HOLDS_MS);
      return this.#failed(origin, lane, error);
    } finally {
      leave();
    }
  }

  async #note(origin: Origin): Promise<void> {
    await this.#journal.sent(origin).catch((error: unknown) => {
      this.#log.error(`a reply may be sent twice, the journal cannot be written: ${String(error)}`);
    });
  }

  async #failed(origin: Origin, lane: Lane, error: unknown): Promise<Outcome> {
    lane.losses += Number(isLinkLost(error));
    if (lane.losses >= LOSSES_MAX) {
      this.#log.error("a reply is set aside: the connection is lost each time it is sent");
      lane.losses = 0;
      return "done";
    }
    if (isRefused(error) && HOPELESS.includes(error.reason)) {
      this.#log.error(`a reply is given up: ${error.message}`);
      await this.#note(origin);
      return "done";
    }
    if (isOld(this.#journal.seen(origin)?.at ?? 0)) return "rests";
    const asked = isRefused(error) ? error.retryAfterMs : 0;
    clearTimeout(lane.timer);
    lane.timer = setTimeout(() => void this.#drain(lane), Math.max(lane.backoff.next(), asked));
    // A reply that waits must not keep a process alive that wants to end.
    lane.timer.unref();
    return "later";
  }

  #channelFor(origin: Origin): Channel | undefined {
    for (const channel of this.#channels()) {
      if (channel.place === origin.place && channel.holds(origin.botId)) return channel;
    }
    return undefined;
  }
}

/** So many may do something at once; the others wait in line. */
class Places {
  #free: number;
  readonly #line: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Resolves when there is a place, with what gives it back. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    return () => {
      const next = this.#line.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}

function laneKey({ place, botId, client }: Origin): string {
  return [place, botId, client].join(" ");
}

function isOld(at: number): boolean {
  return Date.now() - at > RETRY_FOR_MS;
}
