import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LIMITS } from "../src/protocol.js";
import { PARTIAL_MS, Reply } from "../src/reply.js";
import { PART_BYTES_MAX } from "../src/text.js";
import { ScriptedChannel } from "./scripted.js";

const inbound = {
  place: "p",
  accountId: "default",
  bot: { botId: "bot_main", agentId: "main", name: "main" },
  client: "phone",
  messageId: "m-1",
  text: "hi",
  isReply: false,
};

let channel: ScriptedChannel;
let reply: Reply;

beforeEach(() => {
  vi.useFakeTimers();
  channel = new ScriptedChannel();
  reply = new Reply(inbound, () => channel);
});

afterEach(() => {
  reply.end();
  vi.useRealTimers();
});

test("at most four partials a second, the newest wins, and the last is shown", () => {
  for (let ms = 0; ms < 990; ms += 10) {
    reply.partial(`text ${ms}`);
    vi.advanceTimersByTime(10);
  }
  expect(channel.partials.length).toBe(4);
  expect(channel.partials.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  vi.advanceTimersByTime(PARTIAL_MS);
  expect(channel.partials.at(-1)?.text).toBe("text 980");
});

test("a text that shrinks is shown as it is, a long one by its tail", () => {
  reply.partial("longer");
  vi.advanceTimersByTime(PARTIAL_MS);
  reply.partial("long");
  vi.advanceTimersByTime(PARTIAL_MS);
  reply.partial("x".repeat(LIMITS.partialBytesMax));
  expect(channel.partials.map(({ text }) => text.length)).toEqual([
    6,
    4,
    LIMITS.partialBytesMax - 2,
  ]);
  expect(channel.partials.at(-1)?.truncated).toBe(true);
});

test("a gateway with smaller frames gets smaller texts", () => {
  channel.partBytes = 1_000;
  reply.partial("z".repeat(3_000));
  expect(channel.partials[0]?.text.length).toBe(998);
  reply.piece("z".repeat(1_500));
  expect(reply.end().map(({ text }) => text?.length)).toEqual([998, 502]);
});

test("typing is said again before it lapses, and ends with the reply", () => {
  vi.advanceTimersByTime(20_000);
  expect(channel.typings).toEqual([true, true, true, true, true]);
  reply.end();
  vi.advanceTimersByTime(20_000);
  expect(channel.typings.at(-1)).toBe(false);
  expect(channel.typings.length).toBe(6);
});

test("nothing is shown after the end", () => {
  reply.partial("a");
  reply.partial("b");
  reply.end();
  vi.advanceTimersByTime(1_000);
  reply.partial("c");
  vi.advanceTimersByTime(1_000);
  expect(channel.partials.map(({ text }) => text)).toEqual(["a"]);
});

test("a final over 128 KiB comes in parts, each with its own id", () => {
  reply.piece("y".repeat(2 * PART_BYTES_MAX));
  const messages = reply.end();
  expect(messages.map(({ part, parts, messageId }) => [part, parts, messageId])).toEqual([
    [1, 3, "m-1:r1"],
    [2, 3, "m-1:r2"],
    [3, 3, "m-1:r3"],
  ]);
  expect(messages.map(({ text }) => text).join("")).toBe("y".repeat(2 * PART_BYTES_MAX));
  expect(new Set(messages.map(({ replyTo, streamId }) => `${replyTo} ${streamId}`)).size).toBe(1);
});
