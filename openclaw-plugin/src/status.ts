/** How an account stands, in OpenClaw's words. */

import type { ChannelAccountSnapshot } from "openclaw/plugin-sdk/status-helpers";
import {
  channelBlockedPatch,
  channelReadyPatch,
  channelStoppedPatch,
} from "openclaw/plugin-sdk/gateway-runtime";

import type { TunnelState } from "./tunnel.js";

export function statusOf(accountId: string, state: TunnelState): ChannelAccountSnapshot {
  switch (state.phase) {
    case "connecting":
      return { accountId, running: true, connected: false, lifecycle: "starting" };
    case "ready":
      return {
        ...channelReadyPatch({ accountId }),
        reconnectAttempts: 0,
        lastError: state.problem ?? null,
      };
    case "recovering":
      return {
        accountId,
        running: true,
        connected: false,
        lifecycle: "recovering",
        reconnectAttempts: state.attempts,
        lastDisconnect: { at: Date.now(), error: state.problem },
        lastError: state.problem,
      };
    case "blocked":
      return blocked(accountId, state.problem);
    case "stopped":
      return channelStoppedPatch({ accountId });
  }
}

export function blocked(accountId: string, problem: string): ChannelAccountSnapshot {
  return channelBlockedPatch(problem, { accountId, running: true, connected: false });
}
