/** The channel as OpenClaw sees it: accounts, targets, status, and what starts and stops. */

import { createChatChannelPlugin, type OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import {
  createComputedAccountStatusAdapter,
  createDefaultChannelRuntimeState,
} from "openclaw/plugin-sdk/status-helpers";

import { runAccount } from "./account.js";
import { sessionKeyOf } from "./agent.js";
import {
  accountIds,
  accountOf,
  CHANNEL_ID,
  DEFAULT_ACCOUNT,
  defaultAccountOf,
  isConfigured,
  sectionOf,
  shownUrl,
} from "./config.js";
import { peerId } from "./ids.js";
import { sendTo } from "./send.js";
import { targetOf, writeTarget } from "./target.js";
import type { Account } from "./types.js";

const resolveAccount = (cfg: OpenClawConfig, accountId?: string | null): Account =>
  accountOf(sectionOf(cfg), accountId);

export const tunnelPlugin = createChatChannelPlugin<Account>({
  base: {
    id: CHANNEL_ID,
    meta: {
      id: CHANNEL_ID,
      label: "Tunnel",
      selectionLabel: "Tunnel (Tunnels-to-Bots)",
      docsPath: "/channels/tunnel",
      blurb: "Your agents on your phone, through a Tunnels-to-Bots gateway.",
      order: 95,
    },
    capabilities: {
      chatTypes: ["direct"],
      media: false,
      threads: false,
      reactions: false,
      edit: false,
      reply: true,
      blockStreaming: false,
    },
    reload: { configPrefixes: [`channels.${CHANNEL_ID}`] },
    config: {
      listAccountIds: (cfg) => accountIds(sectionOf(cfg)),
      defaultAccountId: (cfg) => defaultAccountOf(sectionOf(cfg)),
      resolveAccount,
      isConfigured,
      isEnabled: (account) => account.enabled,
      unconfiguredReason: () => "set channels.tunnel.serverUrl and channels.tunnel.apiKey",
      describeAccount: (account) => ({
        accountId: account.accountId,
        ...(account.name === undefined ? {} : { name: account.name }),
        enabled: account.enabled,
        configured: isConfigured(account),
        dmPolicy: account.dmPolicy,
      }),
      resolveAllowFrom: ({ cfg, accountId }) => [...resolveAccount(cfg, accountId).allowFrom],
    },
    messaging: {
      targetPrefixes: [CHANNEL_ID],
      normalizeTarget: (target) => {
        const known = targetOf(target);
        return known && writeTarget(known);
      },
      inferTargetChatType: ({ to }) => (targetOf(to) ? "direct" : undefined),
      targetResolver: {
        looksLikeId: (id) => targetOf(id) !== undefined,
        hint: "<client id> or <bot id>/<client id>",
      },
      resolveOutboundSessionRoute: ({ cfg, agentId, accountId, target }) => {
        const known = targetOf(target);
        if (!known) return null;
        const id = resolveAccount(cfg, accountId).accountId;
        const sessionKey = sessionKeyOf(agentId, id, known.client);
        return {
          sessionKey,
          baseSessionKey: sessionKey,
          peer: { kind: "direct", id: peerId(known.client) },
          chatType: "direct",
          from: writeTarget(known),
          to: writeTarget(known),
        };
      },
    },
    status: createComputedAccountStatusAdapter<Account>({
      defaultRuntime: createDefaultChannelRuntimeState(DEFAULT_ACCOUNT),
      resolveAccountSnapshot: ({ account }) => ({
        accountId: account.accountId,
        enabled: account.enabled,
        configured: isConfigured(account),
        extra: { dmPolicy: account.dmPolicy, baseUrl: shownUrl(account) },
      }),
    }),
    gateway: { startAccount: runAccount },
  },
  security: {
    dm: {
      channelKey: CHANNEL_ID,
      resolvePolicy: (account) => account.dmPolicy,
      resolveAllowFrom: (account) => [...account.allowFrom],
      defaultPolicy: "open",
    },
  },
  outbound: {
    attachedResults: {
      channel: CHANNEL_ID,
      sendText: ({ cfg, to, text, accountId }) =>
        sendTo(resolveAccount(cfg, accountId).accountId, to, text),
    },
    base: { deliveryMode: "gateway" },
  },
});
