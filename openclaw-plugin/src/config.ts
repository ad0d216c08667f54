/**
 * `channels.tunnel` of OpenClaw's configuration: read, completed and judged.
 *
 * The form of the values is the schema's to check (`openclaw.plugin.json`); here is what a schema
 * cannot say. An account takes what it does not set itself from the channel.
 */

import { LIMIT_DEFAULTS } from "./protocol.js";
import type { Account, Bot } from "./types.js";

export const CHANNEL_ID = "tunnel";
export const DEFAULT_ACCOUNT = "default";

const RECONNECT_INTERVAL_MS = 1_000;
const HEARTBEAT_INTERVAL_MS = 20_000;
const BOT_ID = /^(?!conn_)[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$/;
const BOT_PREFIX = "bot_";

/** What may be written for the channel, and again for each account. */
export interface AccountInput {
  enabled?: boolean;
  name?: string;
  serverUrl?: string;
  apiKey?: string;
  botIds?: string[];
  dmPolicy?: "open" | "allowlist";
  allowFrom?: string[];
  reconnectInterval?: number;
  heartbeatInterval?: number;
}

export interface ChannelInput extends AccountInput {
  accounts?: Record<string, AccountInput>;
  defaultAccount?: string;
}

/** The section of the channel; empty if there is none. */
export function sectionOf(cfg: { channels?: object | undefined }): ChannelInput {
  const channels = (cfg.channels ?? {}) as Record<string, ChannelInput | undefined>;
  return channels[CHANNEL_ID] ?? {};
}

/** The accounts by name: those that are written, and `default` if the channel has a key itself. */
export function accountIds(section: ChannelInput): string[] {
  const named = Object.keys(section.accounts ?? {});
  const hasDefault = section.apiKey !== undefined || named.length === 0;
  return hasDefault ? [...new Set([DEFAULT_ACCOUNT, ...named])] : named;
}

/** The account that is meant when none is named. */
export function defaultAccountOf(section: ChannelInput): string {
  return section.defaultAccount ?? accountIds(section)[0] ?? DEFAULT_ACCOUNT;
}

/** One account, complete; what is not written anywhere has its default. */
export function accountOf(section: ChannelInput, accountId?: string | null): Account {
  const id = accountId?.trim() || defaultAccountOf(section);
  const own = section.accounts?.[id] ?? {};
  const name = own.name ?? section.name;
  return {
    accountId: id,
    ...(name === undefined ? {} : { name }),
    enabled: (section.enabled ?? true) && (own.enabled ?? true),
    serverUrl: (own.serverUrl ?? section.serverUrl ?? "").trim(),
    apiKey: (own.apiKey ?? section.apiKey ?? "").trim(),
    botIds: own.botIds ?? section.botIds ?? [],
    dmPolicy: own.dmPolicy ?? section.dmPolicy ?? "open",
    allowFrom: own.allowFrom ?? section.allowFrom ?? [],
    reconnectInterval: own.reconnectInterval ?? section.reconnectInterval ?? RECONNECT_INTERVAL_MS,
    heartbeatInterval: own.heartbeatInterval ?? section.heartbeatInterval ?? HEARTBEAT_INTERVAL_MS,
  };
}

export function isConfigured(account: Account): boolean {
  return account.serverUrl !== "" && account.apiKey !== "";
}

/** An account that cannot be started: a sentence for its owner, with what to do. */
export class ConfigError extends Error {}

/** The address to dial. Errors: `ConfigError`. */
export function urlOf(account: Account): URL {
  const url = URL.parse(account.serverUrl);
  if (url === null || !["ws:", "wss:"].includes(url.protocol)) {
    throw new ConfigError(
      `serverUrl is not a WebSocket address: write it like wss://tunnel.example.com/ws`,
    );
  }
  if (url.username !== "" || url.password !== "" || url.searchParams.has("token")) {
    throw new ConfigError("serverUrl must not hold a credential: put it into apiKey");
  }
  url.hash = "";
  return url;
}

/** The credential to give. Errors: `ConfigError` if it is only the name of one. */
export function keyOf({ apiKey }: Account): string {
  const [, variable] = /^\$\{(.*)\}$/.exec(apiKey) ?? [];
  if (variable !== undefined) {
    throw new ConfigError(`apiKey names ${variable}, which is not set where OpenClaw runs`);
  }
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new ConfigError("apiKey has a space, a line break or another character that no key has");
  }
  return apiKey;
}

/** The address as it may be shown: without what might be a credential. */
export function shownUrl(account: Account): string {
  const url = URL.parse(account.serverUrl);
  return url ? `${url.protocol}//${url.host}${url.pathname}` : "";
}

/** An agent of this OpenClaw. */
export interface Agent {
  readonly id: string;
  readonly name: string;
}

/** The bots to register. Errors: `ConfigError` for an agent that is not there, and for bad names. */
export function botsOf(account: Account, agents: readonly Agent[]): Bot[] {
  const entries =
    account.botIds.length > 0 ? account.botIds : agents.map((agent) => BOT_PREFIX + agent.id);
  if (entries.length > LIMIT_DEFAULTS.botsPerSocket) {
    throw new ConfigError(
      `an account can offer ${LIMIT_DEFAULTS.botsPerSocket} bots, not ${entries.length}: choose some in botIds`,
    );
  }
  const bots = entries.map((entry) => botOf(entry, agents));
  const twice = bots.find((bot, at) => bots.findIndex((b) => b.botId === bot.botId) !== at);
  if (twice) throw new ConfigError(`botIds names ${twice.botId} twice`);
  return bots;
}

function botOf(entry: string, agents: readonly Agent[]): Bot {
  const at = entry.indexOf("=");
  const botId = (at < 0 ? entry : entry.slice(0, at)).trim();
  const implied = botId.startsWith(BOT_PREFIX) ? botId.slice(BOT_PREFIX.length) : botId;
  const agentId = at < 0 ? implied : entry.slice(at + 1).trim();
  if (!BOT_ID.test(botId)) {
    throw new ConfigError(
      `botIds: "${botId}" is not a bot id: letters, digits, . _ : - and at most 80`,
    );
  }
  const agent = agents.find((agent) => agent.id === agentId);
  if (!agent) {
    const known = agents.map((agent) => agent.id).join(", ");
    throw new ConfigError(
      `botIds: ${botId} needs the agent "${agentId}", which this OpenClaw does not have (it has ${known})`,
    );
  }
  return { botId, agentId: agent.id, name: agent.name };
}
