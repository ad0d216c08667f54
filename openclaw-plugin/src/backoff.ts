/** How long to wait before the next attempt: full jitter over a ceiling that doubles. */

/** Highest ceiling, milliseconds. */
export const CEILING_MS = 30_000;
/** A connection that held this long was a success: the next wait is short again. */
export const STABLE_MS = 60_000;

export class Backoff {
  readonly #firstMs: number;
  readonly #random: () => number;
  #attempts = 0;

  constructor(firstMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#random = random;
  }

  /** Attempts since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The next wait, milliseconds: from 0 to a ceiling that doubles with each call. */
  next(): number {
    const ceiling = Math.min(CEILING_MS, this.#firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return this.#random() * ceiling;
  }

  /** Tells how long the connection held that has just ended. */
  held(ms: number): void {
    if (ms >= STABLE_MS) this.#attempts = 0;
  }
}
