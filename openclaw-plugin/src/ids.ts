/** Names that are made of other names. */

import { createHash } from "node:crypto";

/** Longest inbound id that a reply id is made of as it is, bytes: 64 less `:r` and six digits. */
const INBOUND_ID_BYTES_MAX = 56;

/**
 * The name that OpenClaw keeps a client's conversation under.
 *
 * OpenClaw lowercases names, so that `Alice` and `alice` would share one; ids that it would change
 * are hashed. None that is kept begins with `x-`, so that nobody can choose another's hash.
 */
export function peerId(client: string): string {
  const isKept = /^[a-z0-9._-]+$/.test(client) && !client.startsWith("x-");
  return isKept ? client : `x-${sha256(client, 16)}`;
}

/** What reply and stream ids begin with: the same for every repetition of a message. */
export function stemOf(inboundId: string): string {
  const fits = Buffer.byteLength(inboundId) <= INBOUND_ID_BYTES_MAX;
  return fits ? inboundId : `h${sha256(inboundId, 32)}`;
}

/** The id of the `n`th message that answers an inbound one, from 1. */
export function replyId(inboundId: string, n: number): string {
  return `${stemOf(inboundId)}:r${n}`;
}

function sha256(text: string, digits: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}
