/** The golden vectors, shared with the gateway's own tests: what is read, and what is written. */

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { isAddressed, readFrame } from "../src/frames.js";
import { Link } from "../src/link.js";
import { dialler } from "./scripted.js";

interface Vector {
  name: string;
  frame: string;
  delivery?: string;
}

const read = (name: string): Vector[] =>
  JSON.parse(
    readFileSync(new URL(`../../protocol/tests/vectors/${name}`, import.meta.url), "utf8"),
  );

const clientFrames = read("client_frames.json");
const serverFrames = read("server_frames.json");

const vector = (name: string): object => {
  const found = clientFrames.find((frame) => frame.name === name);
  if (!found) throw new Error(`there is no vector "${name}"`);
  const { id: _, ...frame } = JSON.parse(found.frame);
  return frame;
};

const open = () => {
  const { dial, last } = dialler();
  const seen: unknown[] = [];
  const link = new Link(
    { url: new URL("ws://g/ws"), apiKey: "k", heartbeatMs: 20_000, dial },
    { message: (message) => seen.push(message), replaced: (botId) => seen.push(botId) },
  );
  last().accept();
  return { link, socket: last(), seen };
};

test.each(serverFrames)("$name is read", ({ frame }) => {
  expect(readFrame(frame)).toEqual(JSON.parse(frame));
  const { link, socket } = open();
  socket.frame(JSON.parse(frame));
  expect(link.isOver).toBe(false);
  link.close("");
});

const deliveries = clientFrames.flatMap(({ name, delivery }) =>
  delivery === undefined ? [] : [{ name, delivery }],
);

test.each(deliveries)("$name arrives if it is a message", ({ delivery }) => {
  const { link, socket, seen } = open();
  const frame = JSON.parse(delivery);
  socket.frame(frame);
  expect(seen).toEqual(frame.type === "message" ? [frame.data] : []);
  link.close("");
});

test("what is written is what the vectors have", async () => {
  const { link, socket } = open();
  await link.register({
    botId: "bot_clawra",
    name: "Clawra",
    type: "openclaw",
    capabilities: ["chat", "tasks", "tools"],
  });
  await link.send({
    to: "phone",
    from: "bot_clawra",
    text: "I'm doing great",
    replyTo: "m-1",
    streamId: "s1",
  });
  link.partial({ to: "phone", from: "bot_clawra", streamId: "s1", seq: 1, text: "I'm do" });
  link.typing("bot_clawra", "phone", true);
  const written = socket.sent.map(({ id: _, ...frame }) => frame);
  expect(written).toEqual([
    vector("register_bot"),
    vector("message that answers and ends a stream"),
    vector("message_partial"),
    vector("typing"),
  ]);
  link.close("");
});

test.each([
  '{"type":"message"}',
  "",
  "null",
  "7",
  "[]",
  '"text"',
  "{",
  '{"type":7}',
  '{"type":"message","data":[]}',
])("%s is not a frame", (text) => expect(readFrame(text)).toBeUndefined());

test("a message without a sender or an id is not answered", () => {
  expect(isAddressed({ from: "a", to: "b", messageId: "m", connectionId: "c" })).toBe(true);
  expect(isAddressed({ from: "a", to: "b", connectionId: "c" })).toBe(false);
});
