/** Text from the gateway becomes a frame, or nothing. */

import type { Delivered, ErrorData, ServerFrame } from "./protocol.js";

/**
 * Reads one frame. Newer gateways may send types that are not known here: they are frames too, and
 * fall through every `switch`. `undefined`: not a frame at all.
 */
export function readFrame(text: string): ServerFrame | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isFrame = isObject(value) && typeof value["type"] === "string" && isObject(value["data"]);
  return isFrame ? (value as unknown as ServerFrame) : undefined;
}

/** A message that can be answered: it says from whom, to whom, and which it is. */
export function isAddressed(
  data: Delivered,
): data is Delivered & { messageId: string; from: string; to: string } {
  return [data.from, data.to, data.messageId].every((name) => typeof name === "string");
}

/** A request that the gateway refused: a row of the error table. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly reason: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number;

  constructor(error: ErrorData) {
    super(`${error.message} (${error.reason})`);
    this.reason = error.reason;
    this.retryable = error.retryable;
    this.retryAfterMs = error.retryAfterMs ?? 0;
  }
}

/** The connection ended before the answer came. */
export class LinkLost extends Error {
  override readonly name = "LinkLost";
}

/** The answer did not come in time; the connection is still there. */
export class AnswerLate extends Error {
  override readonly name = "AnswerLate";
}

// By name: after a hot reload of the plugin, what an old dispatcher holds comes from another module.
export function isRefused(error: unknown): error is Refused {
  return error instanceof Error && error.name === "Refused";
}

export function isLinkLost(error: unknown): error is LinkLost {
  return error instanceof Error && error.name === "LinkLost";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
