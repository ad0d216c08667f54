import { expect, test } from "vitest";

import { peerId, replyId, stemOf } from "../src/ids.js";

test.each(["phone", "my.phone_2-a", "client_alice", "xray"])("%s keeps its name", (client) => {
  expect(peerId(client)).toBe(client);
});

test("names that OpenClaw would change are hashed, and stay apart", () => {
  expect(peerId("Alice")).toBe("x-3bc51062973c458d");
  expect(peerId("Alice")).not.toBe(peerId("alice"));
  expect(peerId("ALICE")).not.toBe(peerId("Alice"));
});

test("nobody can choose the name of a hash", () => {
  expect(peerId("x-3bc51062973c458d")).not.toBe(peerId("Alice"));
  expect(peerId("x-3bc51062973c458d")).toMatch(/^x-[0-9a-f]{16}$/);
});

test("a reply id is the inbound id and a number", () => {
  expect(replyId("m-1", 1)).toBe("m-1:r1");
  expect(replyId("m-1", 12)).toBe("m-1:r12");
});

test.each([
  ["a".repeat(56), "a".repeat(56)],
  ["a".repeat(57), /^h[0-9a-f]{32}$/],
  ["a".repeat(64), /^h[0-9a-f]{32}$/],
])("%s has a stem that leaves room for the number", (id, stem) => {
  expect(stemOf(id)).toMatch(stem);
  expect(Buffer.byteLength(replyId(id, 999_999))).toBeLessThanOrEqual(64);
  expect(stemOf(id)).toBe(stemOf(id));
});
