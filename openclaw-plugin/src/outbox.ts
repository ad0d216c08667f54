/**
 * Finished replies on their way to their clients. They lie in the journal, so a lost connection, an
 * absent client or a new process loses none.
 *
 * A reply that is refused for the time being is tried again, with growing pauses, for ten minutes;
 * after that, when its client next speaks. Replies to one client go out in order. One that loses the
 * connection five times is set aside until its message is repeated.
 */

import { Backoff } from "./backoff.js";
import { LinkLost, Refused } from "./frames.js";
import type { Journal, Origin } from "./journal.js";
import type { Channel, Log } from "./types.js";

export const RETRY_FOR_MS = 10 * 60 * 1_000;
const FIRST_RETRY_MS = 1_000;
/** A reply that costs so many connections is set aside, so that the others have one. */
const LOSSES_MAX = 5;

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

export class Outbox {
  readonly #journal: Journal;
  readonly #channels: () => Iterable<Channel>;
  readonly #log: Log;
  readonly #lanes = new Map<string, Lane>();

  /** Begins with what earlier processes left. */
  constructor(journal: Journal, channels: () => Iterable<Channel>, log: Log) {
    this.#journal = journal;
    this.#channels = channels;
    this.#log = log;
    for (const { origin } of journal.all("done")) this.#laneOf(origin).queue.push(origin);
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
    const lane = this.#lanes.get(laneKey(origin));
    if (lane) this.#tryNow(lane);
  }

  /** A connection is up: everything is tried at once. */
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
      if (!(await this.#send(origin, lane))) return;
      lane.queue.shift();
      if (lane.queue.length === 0) this.#lanes.delete(laneKey(origin));
    }
  }

  /** Whether the lane can go on: the reply has arrived, or never will. */
  async #send(origin: Origin, lane: Lane): Promise<boolean> {
    const channel = this.#channelFor(origin);
    // Without one the next connection tries.
    if (!channel) return false;
    try {
      for (const message of (await this.#journal.reply(origin)) ?? []) await channel.send(message);
    } catch (error) {
      if (error instanceof LinkLost && ++lane.losses >= LOSSES_MAX) {
        this.#log.error(`a reply is set aside, the connection is lost each time it is sent`);
        lane.losses = 0;
        return true;
      }
      if (!isHopeless(error)) {
        this.#retry(origin, lane);
        return false;
      }
      this.#log.error(`a reply cannot be delivered: ${String(error)}`);
    }
    lane.losses = 0;
    await this.#journal.sent(origin).catch((error: unknown) => {
      this.#log.error(`a reply may be sent twice, the journal cannot be written: ${String(error)}`);
    });
    return true;
  }

  #retry(origin: Origin, lane: Lane): void {
    const since = this.#journal.seen(origin)?.at ?? 0;
    if (Date.now() - since > RETRY_FOR_MS) return;
    lane.timer = setTimeout(() => void this.#drain(lane), lane.backoff.next());
    // A reply that waits must not keep a process alive that wants to end.
    lane.timer.unref();
  }

  #channelFor(origin: Origin): Channel | undefined {
    for (const channel of this.#channels()) {
      if (channel.place === origin.place && channel.holds(origin.botId)) return channel;
    }
    return undefined;
  }
}

function laneKey({ place, botId, client }: Origin): string {
  return [place, botId, client].join(" ");
}

/** A client that the gateway does not know may still come. */
function isHopeless(error: unknown): boolean {
  return error instanceof Refused && !error.retryable && error.reason !== "bot_not_found";
}
