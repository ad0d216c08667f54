/**
 * What there is once in a process, however often the channel, or the plugin itself, is started
 * again: the instance name, the dispatcher with its journal, and which bots were left to others.
 */

import { randomUUID } from "node:crypto";
import { join } from "node:path";

import { Dispatcher } from "./dispatcher.js";
import { Journal } from "./journal.js";
import type { Account, Log } from "./types.js";

interface Shared {
  readonly instance: string;
  /** The dispatcher. A plugin of an earlier build reads the member under this name. */
  desk?: Promise<Dispatcher>;
  /** Of each account: its settings, and the bots that it has left to others under them. */
  readonly lost: Map<string, { settings: string; bots: Map<string, string> }>;
}

/** Changes with {@link Shared}: a new version of the plugin must not use the dispatcher of an old one. */
const SHARED = Symbol.for("tunnels-to-bots.openclaw-plugin.v1");

function shared(): Shared {
  const all = globalThis as { [SHARED]?: Shared };
  return (all[SHARED] ??= { instance: randomUUID(), lost: new Map() });
}

/** Random per process. */
export function instance(): string {
  return shared().instance;
}

/**
 * The bots that an account has left to others, and why. The host may restart an account by itself:
 * that is no reason to take them back. New settings are.
 */
export function lostBotsOf(account: Account): Map<string, string> {
  const settings = JSON.stringify(account);
  const known = shared().lost.get(account.accountId);
  if (known?.settings === settings) return known.bots;
  const bots = new Map<string, string>();
  shared().lost.set(account.accountId, { settings, bots });
  return bots;
}

/** The dispatcher, opened at the first call. Rejects if the journal cannot be read or written. */
export function openDispatcher(stateDir: string, log: Log): Promise<Dispatcher> {
  const here = shared();
  here.desk ??= Journal.open(join(stateDir, "tunnel", "seen.jsonl")).then((journal) =>
    Dispatcher.open(journal, log),
  );
  here.desk.catch(() => delete here.desk);
  return here.desk;
}

/** The dispatcher, if it was opened. */
export async function dispatcherIfOpen(): Promise<Dispatcher | undefined> {
  return shared().desk;
}
