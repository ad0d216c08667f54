/** Messages that nobody asked for: `openclaw message send`, reminders, an agent's own words. */

import { randomUUID } from "node:crypto";

import { isLinkLost, isRefused } from "./frames.js";
import { dispatcherIfOpen } from "./process.js";
import { targetOf } from "./target.js";
import { partsOf } from "./text.js";

/** Sends a text to a client. Rejects with a sentence for a person if it did not arrive. */
export async function sendTo(
  accountId: string,
  to: string,
  text: string,
): Promise<{ messageId: string }> {
  const target = targetOf(to);
  if (!target) throw new Error(`"${to}" is not a client id: letters, digits, . _ and -`);
  const channel = (await dispatcherIfOpen())?.channel(accountId);
  if (!channel) throw new Error(`the tunnel account "${accountId}" is not running`);
  if (channel.bots.some((bot) => bot.botId === target.client)) {
    throw new Error(`${target.client} is a bot of this OpenClaw: it cannot write to itself`);
  }
  const botId = target.botId ?? channel.bots[0]?.botId;
  if (botId === undefined || !channel.holds(botId)) {
    throw new Error(
      botId === undefined || channel.place === undefined
        ? "the tunnel is not connected to its gateway"
        : `${botId} is not one of the bots that this account holds now`,
    );
  }
  const parts = partsOf(text, channel.partBytes);
  const stem = randomUUID();
  for (const [at, part] of parts.entries()) {
    const numbers = parts.length > 1 ? { part: at + 1, parts: parts.length } : {};
    const messageId = `${stem}:r${at + 1}`;
    await channel
      .send({ to: target.client, from: botId, text: part, messageId, ...numbers })
      .catch((error: unknown) => {
        const arrived = at === 0 ? "nothing was sent" : `only ${at} of ${parts.length} parts were`;
        throw new Error(problemOf(error, target.client, arrived));
      });
  }
  return { messageId: `${stem}:r1` };
}

function problemOf(error: unknown, client: string, arrived: string): string {
  if (isRefused(error)) {
    switch (error.reason) {
      case "recipient_offline":
        return `${client} is not connected now; ${arrived} (recipient_offline)`;
      case "bot_not_found":
      case "bot_offline":
        return `${client} is not known to the gateway; ${arrived} (${error.reason})`;
    }
    return `the gateway refused the message to ${client}: ${error.message}`;
  }
  if (isLinkLost(error)) {
    return `the connection to the gateway was lost; whether ${client} has the message is not known`;
  }
  return String(error);
}
