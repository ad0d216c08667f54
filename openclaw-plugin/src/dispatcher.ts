/**
 * Where messages come in and answers go out: every message runs its agent at most once.
 *
 * ```text
 *  message ─▶ running? it joins ─▶ done? its reply again ─▶ may talk? ─▶ journal: started (synced)
 *                                                                              │ its turn
 *            client ◀─ outbox ◀─ journal: done, with the reply (synced) ◀─ the agent runs
 * ```
 *
 * A dispatcher lives as long as its process. It outlives connections and restarts of the channel. The messages of one client to one agent run one after the other; only a request to stop (`/stop`)
 * goes ahead, since what it waits for is what it shall end.
 *
 * | too much | then |
 * | --- | --- |
 * | 32 messages of one client wait, or 512 of all | it is told so; the message is not taken |
 * | a sender that may not talk | it is told so once a minute |
 * | one of our own bots, or a bot that answers | nothing: two bots would answer each other without end |
 */

import type { Journal, Origin } from "./journal.js";
import { Outbox } from "./outbox.js";
import { finalOf, Reply } from "./reply.js";
import type { Admit, Channel, Inbound, Log, Outbound, Run } from "./types.js";

export const WAITING_PER_CLIENT = 32;
export const WAITING_MAX = 512;
const REFUSAL_EVERY_MS = 60_000;
const REFUSED_SENDERS_MAX = 1_000;

export const TEXTS = {
  interrupted:
    "Your message was interrupted: OpenClaw stopped while its agent was working on it. " +
    "It is not run a second time. OpenClaw may go on by itself where it stopped; " +
    "if it does not, send a new message.",
  failed: "The agent failed before it had an answer. The log of OpenClaw says why.",
  busy: "Too many messages are waiting for this agent. Yours was not taken; send it again later.",
  broken: "Your message was not taken: something went wrong in OpenClaw. Its log says what.",
  empty: "This bot reads text, and your message has none.",
  refused: (client: string) =>
    `You are not on this bot's list. Its owner can let you in: add "${client}" to allowFrom of the tunnel channel.`,
} as const;

export class Dispatcher {
  readonly #journal: Journal;
  readonly #outbox: Outbox;
  readonly #log: Log;
  readonly #channels = new Map<string, Channel>();
  /** Messages that are being decided on, wait or run. */
  readonly #active = new Set<string>();
  /** The last run of each conversation, and how many wait for it. */
  readonly #lanes = new Map<string, { last: Promise<void>; waiting: number }>();
  /** When a sender was last told that it may not talk. */
  readonly #refusedAt = new Map<string, number>();

  private constructor(journal: Journal, log: Log) {
    this.#journal = journal;
    this.#log = log;
    this.#outbox = new Outbox(journal, () => this.#channels.values(), log);
  }

  /** Opens a dispatcher; what an earlier process left unanswered is answered as interrupted. */
  static async open(journal: Journal, log: Log): Promise<Dispatcher> {
    for (const { origin } of journal.all("interrupted")) {
      await journal.finish(origin, interrupted(origin));
    }
    return new Dispatcher(journal, log);
  }

  /** The connection of an account, while it has one. */
  channel(accountId: string): Channel | undefined {
    return this.#channels.get(accountId);
  }

  attach(accountId: string, channel: Channel): void {
    this.#channels.set(accountId, channel);
  }

  detach(accountId: string, channel: Channel): void {
    if (this.#channels.get(accountId) === channel) this.#channels.delete(accountId);
  }

  /** An account is connected, perhaps again. */
  connected(): void {
    this.#outbox.connected();
  }

  /** Takes a message. Resolves when it is answered, or was answered before; never rejects. */
  async receive(inbound: Inbound, admit: Admit): Promise<void> {
    const origin = originOf(inbound);
    const key = JSON.stringify(origin);
    this.#outbox.heard(origin);
    if (this.#active.has(key)) {
      this.#channelOf(inbound)?.typing(inbound.bot.botId, inbound.client, true);
      return;
    }
    const seen = this.#journal.seen(origin);
    if (seen?.stage === "done" || seen?.stage === "sent") return this.#outbox.deliver(origin);
    if (this.#isAnswer(inbound)) return;
    this.#active.add(key);
    try {
      // Begun, and yet not running: its reply could not be kept.
      if (seen) await this.#keep(origin, inbound, interrupted(origin));
      else await this.#take(inbound, origin, admit);
    } catch (error) {
      this.#log.error(`a message was not taken: ${String(error)}`);
      await this.#say(inbound, TEXTS.broken);
    } finally {
      this.#active.delete(key);
    }
  }

  /** Bots must not answer each other's answers without end. */
  #isAnswer({ place, bot, client, isReply }: Inbound): boolean {
    const channels = [...this.#channels.values()].filter((channel) => channel.place === place);
    const isOurs = channels.some(({ bots }) => bots.some(({ botId }) => botId === client));
    const isAnswer = isOurs || (isReply && client.startsWith("bot_"));
    if (isAnswer) this.#log.info(`${client} wrote to ${bot.botId}: bots are not answered`);
    return isAnswer;
  }

  async #take(inbound: Inbound, origin: Origin, admit: Admit): Promise<void> {
    if (inbound.text.trim() === "") return this.#say(inbound, TEXTS.empty);
    const run = await admit(inbound);
    if (!run) return this.#refuse(inbound);
    if (!run.isUrgent && this.#isFull(inbound)) return this.#say(inbound, TEXTS.busy);
    // Before its turn has come: should the process end now, the message is not forgotten.
    await this.#journal.start(origin);
    const work = async () => this.#keep(origin, inbound, await this.#answer(inbound, run));
    await (run.isUrgent ? work() : this.#inLane(laneOf(inbound), work));
  }

  async #keep(origin: Origin, inbound: Inbound, reply: Outbound[]): Promise<void> {
    try {
      await this.#journal.finish(origin, reply);
      this.#outbox.deliver(origin);
    } catch (error) {
      this.#log.error(`a reply cannot be kept, and is sent only once: ${String(error)}`);
      for (const message of reply)
        await this.#channelOf(inbound)
          ?.send(message)
          .catch(() => {});
    }
  }

  async #answer(inbound: Inbound, run: Run): Promise<Outbound[]> {
    const reply = new Reply(inbound, () => this.#channelOf(inbound));
    try {
      await run.answer(reply);
      return reply.end();
    } catch (error) {
      this.#log.error(`the agent ${inbound.bot.agentId} failed: ${String(error)}`);
      return reply.end(TEXTS.failed);
    }
  }

  async #inLane(key: string, work: () => Promise<void>): Promise<void> {
    const lane = this.#lanes.get(key) ?? { last: Promise.resolve(), waiting: 0 };
    this.#lanes.set(key, lane);
    lane.waiting += 1;
    const mine = lane.last.then(work);
    lane.last = mine.catch(() => {});
    try {
      await mine;
    } finally {
      lane.waiting -= 1;
      if (lane.waiting === 0) this.#lanes.delete(key);
    }
  }

  #isFull(inbound: Inbound): boolean {
    const ofClient = this.#lanes.get(laneOf(inbound))?.waiting ?? 0;
    return ofClient >= WAITING_PER_CLIENT || this.#active.size > WAITING_MAX;
  }

  async #refuse(inbound: Inbound): Promise<void> {
    const key = laneOf(inbound);
    const now = Date.now();
    if (now - (this.#refusedAt.get(key) ?? -Infinity) < REFUSAL_EVERY_MS) return;
    this.#refusedAt.delete(key);
    this.#refusedAt.set(key, now);
    const [oldest] = this.#refusedAt.keys();
    if (oldest && this.#refusedAt.size > REFUSED_SENDERS_MAX) this.#refusedAt.delete(oldest);
    await this.#say(inbound, TEXTS.refused(inbound.client));
  }

  /** Says something that is not kept: the message it answers was not taken. */
  async #say(inbound: Inbound, text: string): Promise<void> {
    const { bot, client, messageId } = inbound;
    const said = this.#channelOf(inbound)?.send({
      to: client,
      from: bot.botId,
      text,
      replyTo: messageId,
    });
    await said?.catch(() => {});
  }

  #channelOf({ place, bot }: Inbound): Channel | undefined {
    const channels = [...this.#channels.values()];
    return channels.find((channel) => channel.place === place && channel.holds(bot.botId));
  }
}

function originOf({ place, bot, client, messageId }: Inbound): Origin {
  return { place, botId: bot.botId, client, messageId };
}

/** Two bots of one agent share its session with a client. */
function laneOf({ place, accountId, bot, client }: Inbound): string {
  return JSON.stringify([place, accountId, bot.agentId, client]);
}

function interrupted({ botId, client, messageId }: Origin): Outbound[] {
  return finalOf({ bot: { botId }, client, messageId }, TEXTS.interrupted);
}
