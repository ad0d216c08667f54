/**
 * Whom a message of the agent's own accord goes to: `phone`, or `bot_coder/phone` to say which bot
 * speaks, each also with `tunnel:` in front.
 */

import { CHANNEL_ID } from "./config.js";

export interface Target {
  /** The bot that speaks; absent: the account's first. */
  readonly botId?: string;
  /** A client id or a connection id. */
  readonly client: string;
}

const NAME = "[A-Za-z0-9][A-Za-z0-9._:-]{0,79}";
const TARGET = new RegExp(`^(?:${CHANNEL_ID}:)?(?:(${NAME})/)?(${NAME})$`);

/** Reads a target; `undefined` if it is none. */
export function targetOf(text: string): Target | undefined {
  const [, botId, client] = TARGET.exec(text.trim()) ?? [];
  if (client === undefined) return undefined;
  return botId === undefined ? { client } : { botId, client };
}

/** The one way to write a target. */
export function writeTarget({ botId, client }: Target): string {
  return `${CHANNEL_ID}:${botId === undefined ? "" : `${botId}/`}${client}`;
}
