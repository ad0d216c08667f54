/**
 * What there is once in a process, however often the channel, or the plugin itself, is started
 * again: the instance name, and the desk with its journal.
 */

import { randomUUID } from "node:crypto";
import { join } from "node:path";

import { Desk } from "./desk.js";
import { Journal } from "./journal.js";
import type { Log } from "./types.js";

interface Shared {
  readonly instance: string;
  desk?: Promise<Desk>;
}

/** Changes with what a desk is: a new version of the plugin does not sit down at an old one's. */
const SHARED = Symbol.for("tunnels-to-bots.openclaw-plugin.v1");

function shared(): Shared {
  const all = globalThis as { [SHARED]?: Shared };
  return (all[SHARED] ??= { instance: randomUUID() });
}

/** Random per process. */
export function instance(): string {
  return shared().instance;
}

/** The desk, opened at the first call. Rejects if the journal cannot be read or written. */
export function openDesk(stateDir: string, log: Log): Promise<Desk> {
  const here = shared();
  here.desk ??= Journal.open(join(stateDir, "tunnel", "seen.jsonl")).then((journal) =>
    Desk.open(journal, log),
  );
  here.desk.catch(() => delete here.desk);
  return here.desk;
}

/** The desk, if it was opened. */
export async function deskIfOpen(): Promise<Desk | undefined> {
  return shared().desk;
}
