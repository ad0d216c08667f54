/**
 * The way from a message to OpenClaw's agent and back: the only file that runs agents.
 *
 * The addressed bot chooses the agent; agent, account and client choose the session, so that no
 * client ever sees what another one said.
 */

import type { OpenClawConfig, PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { isAbortRequestText } from "openclaw/plugin-sdk/command-primitives-runtime";
import { buildAgentSessionKey } from "openclaw/plugin-sdk/routing";

import { CHANNEL_ID } from "./config.js";
import { peerId } from "./ids.js";
import { writeTarget } from "./target.js";
import type { Account, Admit, Inbound, ReplySink } from "./types.js";

const DM_SCOPE = "per-account-channel-peer";

/** The session of one client with one agent. */
export function sessionKeyOf(agentId: string, accountId: string, client: string): string {
  return buildAgentSessionKey({
    agentId,
    channel: CHANNEL_ID,
    accountId,
    peer: { kind: "direct", id: peerId(client) },
    dmScope: DM_SCOPE,
  });
}

/** Decides with OpenClaw's own rules, and runs the agent through OpenClaw's inbound pipeline. */
export function admitWith(runtime: PluginRuntime, account: Account): Admit {
  return async (inbound) => {
    const { agentId } = inbound.bot;
    const sessionKey = sessionKeyOf(agentId, account.accountId, inbound.client);
    const peer = peerId(inbound.client);
    const ingress = await runtime.channel.inbound.ingress.resolveStable({
      channelId: CHANNEL_ID,
      accountId: account.accountId,
      identity: { key: "client-id", entryIdPrefix: "tunnel-entry" },
      subject: { stableId: peer },
      conversation: { kind: "direct", id: peer },
      contextBinding: {
        agentId,
        sessionKey,
        messageId: inbound.messageId,
        inboundEventKind: "user_request",
      },
      event: { mayPair: false },
      dmPolicy: account.dmPolicy,
      allowFrom: account.dmPolicy === "open" ? ["*"] : account.allowFrom.map(allowEntryOf),
      command: {},
    });
    if (!ingress.senderAccess.allowed) return undefined;
    return {
      isUrgent: isAbortRequestText(inbound.text),
      answer: (sink) => run(runtime, inbound, sessionKey, ingress, sink),
    };
  };
}

/** `*` is everybody; any other entry is a client id, under the name that its peer has. */
function allowEntryOf(entry: string): string {
  return entry === "*" ? entry : peerId(entry.trim());
}

type Ingress = Awaited<ReturnType<PluginRuntime["channel"]["inbound"]["ingress"]["resolveStable"]>>;

async function run(
  runtime: PluginRuntime,
  inbound: Inbound,
  sessionKey: string,
  ingress: Ingress,
  sink: ReplySink,
): Promise<void> {
  const { accountId, bot, client, messageId, text } = inbound;
  const cfg = runtime.config.current() as OpenClawConfig;
  const peer = peerId(client);
  // Also what the agent answers to later, of its own accord.
  const address = writeTarget({ botId: bot.botId, client });
  await runtime.channel.inbound.run({
    channel: CHANNEL_ID,
    accountId,
    raw: inbound,
    adapter: {
      ingest: () => ({
        id: messageId,
        timestamp: Date.now(),
        rawText: text,
        textForAgent: text,
        textForCommands: text,
        raw: inbound,
      }),
      resolveTurn: (input) => ({
        cfg,
        channel: CHANNEL_ID,
        accountId,
        route: { agentId: bot.agentId, dmScope: DM_SCOPE, sessionKey },
        ctxPayload: runtime.channel.inbound.buildContext({
          channelIngress: ingress,
          channel: CHANNEL_ID,
          accountId,
          messageId,
          timestamp: input.timestamp,
          from: address,
          sender: { id: peer, name: client },
          conversation: { kind: "direct", id: peer, label: client },
          route: {
            agentId: bot.agentId,
            dmScope: DM_SCOPE,
            accountId,
            routeSessionKey: sessionKey,
            dispatchSessionKey: sessionKey,
          },
          reply: { to: address },
          message: { rawBody: text, commandBody: text, bodyForAgent: text },
          extra: { ChatType: "direct", CommandAuthorized: ingress.commandAccess.authorized },
        }),
        delivery: {
          durable: false,
          deliver: async (payload) => {
            const piece = pieceOf(payload);
            sink.piece(piece);
            return { visibleReplySent: piece !== "" };
          },
        },
        replyOptions: {
          onPartialReply: (payload) => sink.partial(payload.text ?? ""),
        },
      }),
    },
  });
}

/** Files cannot go through the tunnel yet: addresses are sent as they are, others named. */
function pieceOf(payload: {
  text?: string;
  mediaUrl?: string | null;
  mediaUrls?: readonly string[] | null;
}): string {
  const media = payload.mediaUrls ?? (payload.mediaUrl ? [payload.mediaUrl] : []);
  const lines = media.map((url) =>
    /^https?:/.test(url) ? url : "(a file was made, which this channel cannot send)",
  );
  return [payload.text ?? "", ...lines].filter((line) => line !== "").join("\n");
}
