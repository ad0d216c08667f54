/**
 * Text in pieces that fit a frame. Sizes are bytes of JSON, since that is what the gateway counts.
 */

import { LIMITS } from "./protocol.js";

/** Largest text of one message, bytes: half a frame, so that the members around it always fit. */
export const PART_BYTES_MAX = 128 * 1024;

/** No gateway has frames so small; less would leave no room for a single letter. */
const PART_BYTES_MIN = 1024;

/** Largest text of one message where frames have this limit, bytes. */
export function partBytesOf(frameBytes: number | undefined): number {
  const half = Math.floor((frameBytes ?? 2 * PART_BYTES_MAX) / 2);
  return Math.max(PART_BYTES_MIN, Math.min(PART_BYTES_MAX, half));
}

/** Cuts a final text into parts; joined they are the text again. */
export function partsOf(text: string, max: number = PART_BYTES_MAX): string[] {
  const parts: string[] = [];
  let start = 0;
  do {
    const end = fittingEnd(text, start, max);
    parts.push(text.slice(start, end));
    start = end;
  } while (start < text.length);
  return parts;
}

/** What a partial shows of a text: all of it, or its tail. */
export function tailOf(
  text: string,
  partBytes: number = PART_BYTES_MAX,
): { text: string; truncated?: true } {
  // Quotes are counted too: the gateway measures the string as it is written.
  let left = Math.min(LIMITS.partialBytesMax, partBytes) - 2;
  let start = text.length;
  while (start > 0) {
    const before = isPairEndingAt(text, start) ? start - 2 : start - 1;
    left -= jsonBytesAt(text, before);
    if (left < 0) return { text: text.slice(start), truncated: true };
    start = before;
  }
  return { text };
}

/** The greatest end so that `text[start..end]` fits; at a line's end if that costs little. */
function fittingEnd(text: string, start: number, max: number): number {
  let left = max - 2;
  let lineEnd = start;
  let at = start;
  while (at < text.length) {
    left -= jsonBytesAt(text, at);
    if (left < 0) break;
    const isPair = isPairEndingAt(text, at + 2);
    at += isPair ? 2 : 1;
    if (text[at - 1] === "\n") lineEnd = at;
  }
  if (at === text.length) return at;
  return lineEnd - start > (at - start) / 2 ? lineEnd : at;
}

function isPairEndingAt(text: string, end: number): boolean {
  return end >= 2 && end <= text.length && (text.codePointAt(end - 2) ?? 0) > 0xffff;
}

/** Bytes of JSON of the character at `at`; half a surrogate pair is written as an escape. */
function jsonBytesAt(text: string, at: number): number {
  const code = text.codePointAt(at) ?? 0;
  if (code < 0x20) return "\b\t\n\f\r".includes(String.fromCharCode(code)) ? 2 : 6;
  if (code < 0x80) return code === 0x22 || code === 0x5c ? 2 : 1;
  if (code < 0x800) return 2;
  if (code > 0xffff) return 4;
  return code >= 0xd800 && code <= 0xdfff ? 6 : 3;
}
