/** One account from its start to its stop: what joins the tunnel, the dispatcher and the agents. */

import { listAgentIds, resolveAgentConfig } from "openclaw/plugin-sdk/agent-scope-runtime";
import type { OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import { waitUntilAbort } from "openclaw/plugin-sdk/channel-outbound";
import { resolveStateDir } from "openclaw/plugin-sdk/state-paths";
import type { ChannelAccountSnapshot } from "openclaw/plugin-sdk/status-helpers";

import { admitWith } from "./agent.js";
import { type Agent, botsOf, ConfigError, keyOf, urlOf } from "./config.js";
import type { Dispatcher } from "./dispatcher.js";
import type { Dial } from "./link.js";
import { instance, lostBotsOf, openDispatcher } from "./process.js";
import { getRuntime } from "./runtime.js";
import { blocked, statusOf } from "./status.js";
import { Tunnel } from "./tunnel.js";
import type { Account, Bot, Log } from "./types.js";

/** What the host gives an account to run with. */
export interface AccountContext {
  readonly cfg: OpenClawConfig;
  readonly account: Account;
  readonly abortSignal: AbortSignal;
  readonly log?: Partial<Log>;
  setStatus(status: ChannelAccountSnapshot): void;
}

/** Runs an account; resolves when it has been stopped. */
export async function runAccount(ctx: AccountContext): Promise<void> {
  const { account, abortSignal } = ctx;
  const log = logOf(ctx);
  let tunnel: Tunnel;
  let dispatcher: Dispatcher;
  try {
    const url = urlOf(account);
    keyOf(account);
    const bots = botsOf(account, agentsOf(ctx.cfg));
    dispatcher = await openDispatcher(resolveStateDir(), log);
    tunnel = tunnelOf(ctx, url, bots, dispatcher, log);
  } catch (error) {
    const problem = error instanceof ConfigError ? error.message : `cannot start: ${String(error)}`;
    log.error(problem);
    ctx.setStatus(blocked(account.accountId, problem));
    return waitUntilAbort(abortSignal);
  }
  dispatcher.attach(account.accountId, tunnel);
  tunnel.start();
  return waitUntilAbort(abortSignal, async () => {
    dispatcher.detach(account.accountId, tunnel);
    await tunnel.stop();
  });
}

function tunnelOf(
  ctx: AccountContext,
  url: URL,
  bots: readonly Bot[],
  dispatcher: Dispatcher,
  log: Log,
): Tunnel {
  const { account } = ctx;
  const admit = admitWith(getRuntime(), account);
  return new Tunnel(
    { account, url, bots, instance: instance(), lost: lostBotsOf(account), dial, log },
    {
      state: (state) => {
        ctx.setStatus(statusOf(account.accountId, state));
        if (state.phase === "ready") dispatcher.connected();
      },
      message: (place, bot, message) => {
        const { accountId } = account;
        const text = typeof message.text === "string" ? message.text : "";
        const { from: client, messageId, replyTo } = message;
        const isReply = replyTo !== undefined;
        void dispatcher.receive({ place, accountId, bot, client, messageId, text, isReply }, admit);
      },
    },
  );
}

/** Node's own client: it takes headers, which a browser's does not. */
const dial: Dial = (url, headers) => new WebSocket(url, { headers } as never);

function agentsOf(cfg: OpenClawConfig): Agent[] {
  return listAgentIds(cfg).map((id) => {
    const agent = resolveAgentConfig(cfg, id);
    return { id, name: agent?.identity?.name ?? agent?.name ?? id };
  });
}

function logOf({ account, log }: AccountContext): Log {
  const say = (level: keyof Log) => (message: string) =>
    log?.[level]?.(`[${account.accountId}] ${message}`);
  return { info: say("info"), warn: say("warn"), error: say("error") };
}
