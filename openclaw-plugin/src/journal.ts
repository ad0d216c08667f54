/**
 * Which messages have run the agent, on disk, so that none runs twice: also not after OpenClaw was
 * killed and started again.
 *
 * ```text
 *  start() ──▶ started ──finish()──▶ done, with the reply ──sent()──▶ sent
 *                 │ the process ends
 *                 └──▶ interrupted (as the next process reads it)
 * ```
 *
 * One JSON object a line, appended; the last line of a key counts. `started` and `done` are synced
 * before anything follows from them. Replies are read back from the file when they are needed. It
 * keeps 24 hours, at most 10,000 messages and 256 MiB, whichever is least; the oldest go first.
 */

import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

import type { Outbound } from "./types.js";

export const KEEP_MS = 24 * 60 * 60 * 1_000;
export const KEEP_IDS = 10_000;
export const KEEP_BYTES = 256 * 1024 * 1024;
/** The file is written anew when it holds this many lines for each that counts. */
const LINES_PER_ID = 4;

/** Where a message came from and which it is: what makes it the same message. */
export interface Origin {
  readonly place: string;
  readonly botId: string;
  readonly client: string;
  readonly messageId: string;
}

export type Stage = "started" | "interrupted" | "done" | "sent";

/** A message that was seen. */
export interface Seen {
  readonly origin: Origin;
  readonly stage: Stage;
  /** When it got there, Unix milliseconds. */
  readonly at: number;
}

interface Line {
  stage: "started" | "done" | "sent";
  at: number;
  origin: Origin;
  reply?: Outbound[];
}

/** `offset`, `bytes`: where the line with the reply lies, once there is one. */
type Entry = { origin: Origin; stage: Stage; at: number; offset: number; bytes: number };

export interface JournalLimits {
  readonly ms: number;
  readonly ids: number;
  readonly bytes: number;
}

export class Journal {
  readonly #path: string;
  readonly #limits: JournalLimits;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  #file: FileHandle;
  #size = 0;
  #lines = 0;
  /** Writes happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(path: string, limits: JournalLimits, file: FileHandle) {
    this.#path = path;
    this.#limits = limits;
    this.#file = file;
  }

  /** Reads the journal, or begins one. What was started by an earlier process is `interrupted`. */
  static async open(
    path: string,
    limits: JournalLimits = { ms: KEEP_MS, ids: KEEP_IDS, bytes: KEEP_BYTES },
  ): Promise<Journal> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const journal = new Journal(path, limits, await open(path, "a+", 0o600));
    await journal.#load();
    await journal.#rewrite();
    return journal;
  }

  /** What is known of a message. */
  seen(origin: Origin): Seen | undefined {
    return this.#entries.get(keyOf(origin));
  }

  /** All that are in this stage, oldest first. */
  all(stage: Stage): Seen[] {
    return [...this.#entries.values()].filter((entry) => entry.stage === stage);
  }

  /** Remembers that the agent is about to run; on disk when it resolves. */
  async start(origin: Origin): Promise<void> {
    await this.#append({ stage: "started", at: Date.now(), origin }, true);
  }

  /** Remembers the reply; on disk when it resolves. */
  async finish(origin: Origin, reply: Outbound[]): Promise<void> {
    await this.#append({ stage: "done", at: Date.now(), origin, reply }, true);
  }

  /** Remembers that the reply has arrived. */
  async sent(origin: Origin): Promise<void> {
    await this.#append({ stage: "sent", at: Date.now(), origin }, false);
  }

  /** The reply to a message that is done; `undefined` if it is not, or no longer, kept. */
  async reply(origin: Origin): Promise<Outbound[] | undefined> {
    return this.#inTurn(async () => {
      const entry = this.#entries.get(keyOf(origin));
      return entry && entry.bytes > 0 ? lineOf(await this.#read(entry))?.reply : undefined;
    });
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#file.close());
  }

  #append(line: Line, isSynced: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const text = Buffer.from(`${JSON.stringify(line)}\n`);
      try {
        await this.#file.appendFile(text);
        if (isSynced) await this.#file.datasync();
      } catch (error) {
        // A disk that is full may have taken half of the line: it never counted.
        await this.#file.truncate(this.#size);
        throw error;
      }
      this.#note(line, this.#size, text.length);
      this.#size += text.length;
      this.#forget();
      const isLoose = this.#lines > LINES_PER_ID * Math.max(this.#entries.size, 1_000);
      // What was appended holds, whether or not there is room for a new file.
      if (isLoose || this.#size > this.#limits.bytes) await this.#rewrite().catch(() => {});
    });
  }

  #note(line: Line, offset: number, bytes: number): void {
    const key = keyOf(line.origin);
    const before = this.#entries.get(key);
    const where =
      line.stage === "done"
        ? { offset, bytes }
        : { offset: before?.offset ?? 0, bytes: before?.bytes ?? 0 };
    this.#entries.delete(key);
    this.#entries.set(key, { origin: line.origin, stage: line.stage, at: line.at, ...where });
    this.#lines += 1;
  }

  /** Drops what is too old, and the oldest of what is too many. */
  #forget(): void {
    const oldest = Date.now() - this.#limits.ms;
    for (const [key, entry] of this.#entries) {
      if (entry.at >= oldest && this.#entries.size <= this.#limits.ids) return;
      this.#entries.delete(key);
    }
  }

  async #load(): Promise<void> {
    const text = await this.#file.readFile();
    let start = 0;
    while (start < text.length) {
      const newline = text.indexOf(0x0a, start);
      // A line without an end was being written when the process died: it never counted.
      if (newline < 0) break;
      const line = lineOf(text.subarray(start, newline));
      if (line) this.#note(line, start, newline + 1 - start);
      start = newline + 1;
    }
    for (const entry of this.#entries.values()) {
      if (entry.stage === "started") entry.stage = "interrupted";
    }
    this.#forget();
  }

  /** Writes what counts to a new file, which then takes the place of the old one. */
  async #rewrite(): Promise<void> {
    this.#dropBytes();
    const temporary = `${this.#path}.new`;
    await rm(temporary, { force: true });
    const next = await open(temporary, "a+", 0o600);
    try {
      const moved = await this.#copyTo(next);
      await next.datasync();
      await rename(temporary, this.#path);
      for (const [entry, where] of moved.entries) Object.assign(entry, where);
      this.#size = moved.size;
      this.#lines = moved.lines;
    } catch (error) {
      await next.close();
      throw error;
    }
    const old = this.#file;
    this.#file = next;
    await old.close();
    await syncFolder(dirname(this.#path));
  }

  async #copyTo(next: FileHandle) {
    const entries: [Entry, { offset: number; bytes: number }][] = [];
    let size = 0;
    let lines = 0;
    const write = async (line: string | Buffer) => {
      const bytes = Buffer.from(line);
      await next.appendFile(bytes);
      const offset = size;
      size += bytes.length;
      lines += 1;
      return { offset, bytes: bytes.length };
    };
    for (const entry of this.#entries.values()) {
      if (entry.bytes > 0) entries.push([entry, await write(await this.#read(entry))]);
      const { origin, at } = entry;
      const stage = entry.stage === "interrupted" ? "started" : entry.stage;
      if (stage !== "done") await write(`${JSON.stringify({ stage, at, origin })}\n`);
    }
    return { entries, size, lines };
  }

  /** Half the allowance at most is kept, so that the file is not written anew all the time. */
  #dropBytes(): void {
    let left = [...this.#entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    for (const [key, entry] of this.#entries) {
      if (left <= this.#limits.bytes / 2) return;
      left -= entry.bytes;
      this.#entries.delete(key);
    }
  }

  async #read({ offset, bytes }: Entry): Promise<Buffer> {
    const buffer = Buffer.alloc(bytes);
    await this.#file.read(buffer, 0, bytes, offset);
    return buffer;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** Without it a power cut could bring the file back that was renamed over. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path).catch(() => undefined);
  // Where folders cannot be opened or synced there is nothing to be done.
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/** Ids have no spaces. */
function keyOf({ place, botId, client, messageId }: Origin): string {
  return [place, botId, client, messageId].join(" ");
}

function lineOf(text: Buffer): Line | undefined {
  try {
    const line = JSON.parse(text.toString()) as Line;
    const { place, botId, client, messageId } = line.origin;
    const isWhole = [place, botId, client, messageId].every((name) => typeof name === "string");
    return isWhole && ["started", "done", "sent"].includes(line.stage) ? line : undefined;
  } catch {
    return undefined;
  }
}
