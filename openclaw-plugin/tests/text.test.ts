import { expect, test } from "vitest";

import { LIMITS } from "../src/protocol.js";
import { PART_BYTES_MAX, partBytesOf, partsOf, tailOf } from "../src/text.js";

const jsonBytes = (text: string) => Buffer.byteLength(JSON.stringify(text));

const SAMPLES = [
  ["letters", "a"],
  ["quotes", '"\\'],
  ["control characters", "\u0001\t"],
  ["umlauts", "äöü"],
  ["three bytes", "漢字"],
  ["pairs", "🦞"],
  ["half a pair", "\ud83d"],
] as const;

test.each(SAMPLES)("parts of %s fit, and joined they are the text", (_name, unit) => {
  const text = unit.repeat(100_000);
  const parts = partsOf(text);
  expect(parts.join("")).toBe(text);
  expect(parts.length).toBe(Math.ceil((jsonBytes(text) - 2) / (PART_BYTES_MAX - 2)) || 1);
  for (const part of parts) expect(jsonBytes(part)).toBeLessThanOrEqual(PART_BYTES_MAX);
});

test("one part at and below the limit, two above", () => {
  expect(partsOf("a".repeat(PART_BYTES_MAX - 2)).length).toBe(1);
  expect(partsOf("a".repeat(PART_BYTES_MAX - 1)).length).toBe(2);
  expect(partsOf("")).toEqual([""]);
});

test("texts follow the gateway's frames, within reason", () => {
  expect(partBytesOf(undefined)).toBe(PART_BYTES_MAX);
  expect([1_000_000, 262_144, 65_536, 100, 0].map(partBytesOf)).toEqual([
    PART_BYTES_MAX,
    131_072,
    32_768,
    1_024,
    1_024,
  ]);
});

test("a part ends at a line's end if one is near, and never inside a pair", () => {
  expect(partsOf("aaa\nbbb\nccc", 10)).toEqual(["aaa\n", "bbb\nccc"]);
  expect(partsOf("a\nbbbbbbbbbbbb", 10)).toEqual(["a\nbbbbb", "bbbbbbb"]);
  expect(partsOf("🦞🦞🦞", 11)).toEqual(["🦞🦞", "🦞"]);
});

test.each(SAMPLES)("the tail of %s fits", (_name, unit) => {
  const text = `begin ${unit.repeat(70_000)} end`;
  const tail = tailOf(text);
  expect(jsonBytes(tail.text)).toBeLessThanOrEqual(LIMITS.partialBytesMax);
  expect(jsonBytes(tail.text)).toBeGreaterThan(LIMITS.partialBytesMax - 16);
  expect(tail.truncated).toBe(true);
  expect(text.endsWith(tail.text)).toBe(true);
});

test("what fits is shown whole", () => {
  expect(tailOf("all")).toEqual({ text: "all" });
  expect(tailOf("a".repeat(LIMITS.partialBytesMax - 2)).truncated).toBeUndefined();
  expect(tailOf("a".repeat(LIMITS.partialBytesMax - 1)).truncated).toBe(true);
});
