import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Journal, KEEP_MS, type JournalLimits, type Origin } from "../src/journal.js";

let folder: string;
let path: string;
const opened: Journal[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "journal-"));
  path = join(folder, "tunnel", "seen.jsonl");
});

afterEach(async () => {
  vi.useRealTimers();
  for (const journal of opened.splice(0)) await journal.close();
  await rm(folder, { recursive: true });
});

async function open(limits?: Partial<JournalLimits>): Promise<Journal> {
  const all = { ms: KEEP_MS, ids: 10_000, bytes: 1024 * 1024, ...limits };
  const journal = await Journal.open(path, all);
  opened.push(journal);
  return journal;
}

const origin = (messageId: string, client = "phone"): Origin => ({
  place: "ws://g/ws#alice",
  botId: "bot_main",
  client,
  messageId,
});
const reply = (text: string) => [{ to: "phone", text }];

test("a message goes from started to done to sent, and its reply stays", async () => {
  const journal = await open();
  expect(journal.seen(origin("m"))).toBeUndefined();
  await journal.start(origin("m"));
  expect(journal.seen(origin("m"))?.stage).toBe("started");
  expect(await journal.reply(origin("m"))).toBeUndefined();
  await journal.finish(origin("m"), reply("äh 🦞"));
  expect(journal.seen(origin("m"))?.stage).toBe("done");
  await journal.sent(origin("m"));
  expect(journal.seen(origin("m"))?.stage).toBe("sent");
  expect(await journal.reply(origin("m"))).toEqual(reply("äh 🦞"));
});

test("place, bot, client and id together make a message", async () => {
  const journal = await open();
  await journal.start(origin("m"));
  for (const other of [
    origin("m", "tablet"),
    { ...origin("m"), botId: "bot_coder" },
    { ...origin("m"), place: "ws://g/ws#bob" },
  ]) {
    expect(journal.seen(other)).toBeUndefined();
  }
});

test("the next process finds what this one left", async () => {
  const first = await open();
  for (const id of ["a", "b", "c"]) await first.start(origin(id));
  await first.finish(origin("b"), reply("B"));
  await first.finish(origin("c"), reply("C"));
  await first.sent(origin("c"));
  const next = await open();
  expect(next.all("interrupted").map(({ origin }) => origin.messageId)).toEqual(["a"]);
  expect(next.all("done").map(({ origin }) => origin.messageId)).toEqual(["b"]);
  expect(await next.reply(origin("b"))).toEqual(reply("B"));
  expect(await next.reply(origin("c"))).toEqual(reply("C"));
  // And the one after that: what was written anew is as good as what was appended.
  const third = await open();
  expect(third.all("interrupted").length).toBe(1);
  expect(await third.reply(origin("b"))).toEqual(reply("B"));
  expect(await third.reply(origin("c"))).toEqual(reply("C"));
});

test("a line that was cut off, or is no line, never counted", async () => {
  const first = await open();
  await first.start(origin("a"));
  await appendFile(path, 'nonsense\n{"stage":"started"}\n{"stage":"done","at":1,"orig');
  const next = await open();
  expect(next.all("interrupted").length).toBe(1);
  await next.start(origin("b"));
  const third = await open();
  expect(third.all("interrupted").map(({ origin }) => origin.messageId)).toEqual(["a", "b"]);
});

test("at most so many messages, the oldest go first", async () => {
  const journal = await open({ ids: 3 });
  for (const id of ["a", "b", "c", "d"]) await journal.start(origin(id));
  expect(journal.seen(origin("a"))).toBeUndefined();
  expect(journal.all("started").length).toBe(3);
});

test("a day later it is forgotten", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const journal = await open();
  await journal.start(origin("a"));
  vi.advanceTimersByTime(KEEP_MS);
  await journal.start(origin("b"));
  expect(journal.seen(origin("a"))).toBeDefined();
  vi.advanceTimersByTime(1);
  await journal.start(origin("c"));
  expect(journal.seen(origin("a"))).toBeUndefined();
  expect(journal.seen(origin("b"))).toBeDefined();
});

test("the file stays within its size, and the newest replies stay readable", async () => {
  const journal = await open({ bytes: 20_000 });
  for (let n = 0; n < 100; n += 1) {
    await journal.start(origin(`m${n}`));
    await journal.finish(origin(`m${n}`), reply("x".repeat(1_000)));
    expect((await stat(path)).size).toBeLessThanOrEqual(20_000);
  }
  expect(await journal.reply(origin("m99"))).toEqual(reply("x".repeat(1_000)));
  expect(await journal.reply(origin("m0"))).toBeUndefined();
});

test("many lines of few messages are written anew", async () => {
  const journal = await open({ ids: 2 });
  for (let n = 0; n < 5_000; n += 1) await journal.sent(origin("m"));
  const lines = (await readFile(path, "utf8")).split("\n").length;
  expect(lines).toBeLessThan(4_100);
});

test("what cannot be written never counted", async () => {
  const journal = await Journal.open(path);
  await journal.close();
  await expect(journal.start(origin("m"))).rejects.toThrow();
  expect(journal.seen(origin("m"))).toBeUndefined();
});

test("only its owner reads it", async () => {
  await open();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a journal that cannot be opened says so", async () => {
  await writeFile(join(folder, "tunnel"), "a file where the folder should be");
  await expect(open()).rejects.toThrow(/EEXIST|ENOTDIR/);
});
