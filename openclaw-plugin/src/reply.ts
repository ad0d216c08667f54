/**
 * The answer to one message while it is being made: partials and typing on the way, the finished
 * messages at the end.
 */

import { replyId, stemOf } from "./ids.js";
import { partsOf, tailOf } from "./text.js";
import type { Channel, Inbound, Outbound, ReplySink } from "./types.js";

/** Between two partials of a stream, milliseconds: at most four a second. */
export const PARTIAL_MS = 250;
/** Typing lapses after ten seconds; it is said again in half that time. */
const TYPING_MS = 5_000;
/** What is said when the agent has nothing to say: whoever asked is waiting. */
const NOTHING = "(no answer)";

export class Reply implements ReplySink {
  readonly #inbound: Inbound;
  /** Connections come and go during a run. */
  readonly #channel: () => Channel | undefined;
  readonly #typing: NodeJS.Timeout;
  readonly #pieces: string[] = [];
  #shownAt = -PARTIAL_MS;
  #seq = 0;
  #latest: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(inbound: Inbound, channel: () => Channel | undefined) {
    this.#inbound = inbound;
    this.#channel = channel;
    this.#type(true);
    this.#typing = setInterval(() => this.#type(true), TYPING_MS);
  }

  partial(text: string): void {
    this.#latest = text;
    if (this.#timer || this.#isOver) return;
    const wait = this.#shownAt + PARTIAL_MS - performance.now();
    if (wait <= 0) this.#show();
    else this.#timer = setTimeout(() => this.#show(), wait);
  }

  piece(text: string): void {
    if (text.trim() !== "") this.#pieces.push(text);
  }

  /** Ends it: nothing but the finished messages is to be said. `text`: instead of the agent's. */
  end(text: string = this.#pieces.join("\n\n") || NOTHING): Outbound[] {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearInterval(this.#typing);
    this.#type(false);
    return finalOf(this.#inbound, text, this.#channel()?.partBytes);
  }

  #show(): void {
    this.#timer = undefined;
    if (this.#latest === undefined) return;
    const { bot, client, messageId } = this.#inbound;
    const channel = this.#channel();
    channel?.partial({
      to: client,
      from: bot.botId,
      streamId: stemOf(messageId),
      seq: ++this.#seq,
      ...tailOf(this.#latest, channel.partBytes),
    });
    this.#latest = undefined;
    this.#shownAt = performance.now();
  }

  #type(active: boolean): void {
    this.#channel()?.typing(this.#inbound.bot.botId, this.#inbound.client, active);
  }
}

/** The finished messages that say a text: one, or its parts. */
export function finalOf(
  { bot, client, messageId }: Pick<Inbound, "client" | "messageId"> & { bot: { botId: string } },
  text: string,
  partBytes?: number,
): Outbound[] {
  const parts = partsOf(text, partBytes);
  return parts.map((part, at) => ({
    to: client,
    from: bot.botId,
    text: part,
    replyTo: messageId,
    streamId: stemOf(messageId),
    messageId: replyId(messageId, at + 1),
    ...(parts.length > 1 ? { part: at + 1, parts: parts.length } : {}),
  }));
}
