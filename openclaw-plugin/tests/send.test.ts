import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { openDispatcher } from "../src/process.js";
import { sendTo } from "../src/send.js";
import { ScriptedChannel, silent } from "./scripted.js";

let folder: string;
let channel: ScriptedChannel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "send-"));
  await openDispatcher(folder, silent);
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  channel = new ScriptedChannel();
  (await openDispatcher(folder, silent)).attach("default", channel);
});

const send = (to: string, text = "hi") => sendTo("default", to, text);

test.each([
  ["phone", "bot_main", "phone"],
  ["tunnel:Phone-2", "bot_main", "Phone-2"],
  ["bot_coder/phone", "bot_coder", "phone"],
  ["tunnel:bot_coder/conn_01JD", "bot_coder", "conn_01JD"],
])("%s is written to", async (target, from, to) => {
  const { messageId } = await send(target);
  expect(channel.sent).toEqual([{ from, to, text: "hi", messageId }]);
});

test.each([
  ["a b", /not a client id/],
  ["bot_main", /cannot write to itself/],
  ["tunnel:bot_coder/bot_main", /cannot write to itself/],
])("%s is not", async (target, why) => {
  await expect(send(target)).rejects.toThrow(why);
  expect(channel.sent).toEqual([]);
});

test.each([
  ["recipient_offline", /phone is not connected now; nothing was sent/],
  ["bot_not_found", /phone is not known to the gateway; nothing was sent/],
  ["rate_limited", /refused the message to phone/],
])("%s is said in words", async (reason, words) => {
  channel.refusals.push({ reason, retryable: true });
  await expect(send("phone")).rejects.toThrow(words);
});

test("of a long text it is said how much arrived", async () => {
  channel.partBytes = 1_024;
  const sendOne = channel.send.bind(channel);
  channel.send = async (message) => {
    if (message.part === 3) channel.refusals.push({ reason: "recipient_offline", retryable: true });
    return sendOne(message);
  };
  await expect(send("phone", "x".repeat(5_000))).rejects.toThrow(/only 2 of 5 parts were/);
});

test("an account that is not there says so", async () => {
  channel.isUp = false;
  await expect(send("phone")).rejects.toThrow(/not one of the bots/);
  await expect(sendTo("work", "phone", "hi")).rejects.toThrow(/"work" is not running/);
});
