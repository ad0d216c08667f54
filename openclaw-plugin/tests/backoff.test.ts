import { expect, test } from "vitest";

import { Backoff, CEILING_MS, STABLE_MS } from "../src/backoff.js";

test("the ceiling doubles up to its limit, and the wait is anywhere below it", () => {
  const backoff = new Backoff(1_000, () => 0.5);
  const waits = Array.from({ length: 8 }, () => backoff.next());
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  expect(new Backoff(1_000, () => 0).next()).toBe(0);
  expect(backoff.attempts).toBe(8);
});

test("only a connection that held makes the next wait short", () => {
  const backoff = new Backoff(1_000, () => 1);
  for (let n = 0; n < 50; n += 1) backoff.next();
  backoff.held(STABLE_MS - 1);
  expect(backoff.next()).toBe(CEILING_MS);
  backoff.held(STABLE_MS);
  expect(backoff.next()).toBe(1_000);
});
