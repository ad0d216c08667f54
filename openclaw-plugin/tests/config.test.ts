import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import {
  ConfigError,
  accountIds,
  accountOf,
  botsOf,
  isConfigured,
  keyOf,
  shownUrl,
  urlOf,
} from "../src/config.js";
import { account } from "./scripted.js";

const AGENTS = [
  { id: "main", name: "Clawra" },
  { id: "coder", name: "coder" },
];

describe("accounts", () => {
  test("a channel without accounts is the default one", () => {
    expect(accountIds({})).toEqual(["default"]);
    const read = accountOf({ serverUrl: " ws://g/ws ", apiKey: "k" });
    expect(read).toEqual({ ...account(), serverUrl: "ws://g/ws", apiKey: "k" });
    expect(isConfigured(read)).toBe(true);
    expect(isConfigured(accountOf({ apiKey: "k" }))).toBe(false);
  });

  test("an account takes what it does not set from the channel", () => {
    const section = {
      serverUrl: "ws://g/ws",
      dmPolicy: "allowlist" as const,
      allowFrom: ["phone"],
      accounts: { work: { apiKey: "w", allowFrom: [] }, home: { apiKey: "h", enabled: false } },
    };
    expect(accountIds(section)).toEqual(["work", "home"]);
    expect(accountIds({ ...section, apiKey: "k" })).toEqual(["default", "work", "home"]);
    expect(accountOf(section).accountId).toBe("work");
    expect(accountOf({ ...section, defaultAccount: "home" }).accountId).toBe("home");
    const work = accountOf(section, "work");
    expect(work).toMatchObject({ serverUrl: "ws://g/ws", apiKey: "w", dmPolicy: "allowlist" });
    expect(work.allowFrom).toEqual([]);
    expect(accountOf(section, "home").enabled).toBe(false);
    expect(accountOf({ ...section, enabled: false }, "work").enabled).toBe(false);
  });

  test("the manifest's schema knows exactly the keys that are read", () => {
    const manifest = JSON.parse(
      readFileSync(new URL("../openclaw.plugin.json", import.meta.url), "utf8"),
    );
    const { properties } = manifest.channelConfigs.tunnel.schema;
    const own = Object.keys(properties.accounts.additionalProperties.properties);
    // OpenClaw's own.
    own.splice(own.indexOf("healthMonitor"), 1);
    const { accountId: _, ...read } = account({ name: "n" });
    expect(own.sort()).toEqual(Object.keys(read).sort());
    expect(Object.keys(properties).sort()).toEqual(
      [...own, "accounts", "defaultAccount", "healthMonitor"].sort(),
    );
  });
});

describe("addresses", () => {
  test.each(["ws://127.0.0.1:3000/ws", "wss://tunnel.example.com", "wss://g/ws?clientId=a"])(
    "%s is dialled",
    (serverUrl) => expect(urlOf(account({ serverUrl })).href).toContain(serverUrl),
  );

  test.each(["", "tunnel.example.com", "https://g/ws", "ws://u:p@g/ws", "ws://g/ws?token=t2b_a_b"])(
    "%s is refused",
    (serverUrl) => {
      expect(() => urlOf(account({ serverUrl }))).toThrow(/serverUrl/);
      expect(shownUrl(account({ serverUrl }))).not.toMatch(/t2b_|u:p/);
    },
  );
});

test("a key that is only a name says so", () => {
  expect(keyOf(account())).toBe("t2b_alice_0123456789abcdef");
  expect(() => keyOf(account({ apiKey: "${TUNNEL_API_KEY}" }))).toThrow(/names TUNNEL_API_KEY/);
  for (const apiKey of ["t2b_alice_01 23", "t2b_alice_01\n23", "t2b_alice_\u00e9"]) {
    expect(() => keyOf(account({ apiKey }))).toThrow(ConfigError);
    expect(() => keyOf(account({ apiKey }))).not.toThrow(/t2b_/);
  }
});

describe("bots", () => {
  const bots = (...botIds: string[]) => botsOf(account({ botIds }), AGENTS);

  test("without botIds every agent is a bot", () => {
    expect(bots()).toEqual([
      { botId: "bot_main", agentId: "main", name: "Clawra" },
      { botId: "bot_coder", agentId: "coder", name: "coder" },
    ]);
  });

  test("an entry names its agent, or is named like it", () => {
    expect(bots("clawra=main", "coder")).toMatchObject([
      { botId: "clawra", agentId: "main" },
      { botId: "coder", agentId: "coder" },
    ]);
  });

  test.each([
    [["bot_writer"], /"writer".*main, coder/],
    [["bot_main="], /needs the agent ""/],
    [["bot main=main"], /not a bot id/],
    [["conn_1=main"], /not a bot id/],
    [["bot_main", "bot_main"], /twice/],
    [Array.from({ length: 65 }, (_, n) => `bot_${n}=main`), /64 bots, not 65/],
  ])("%s is refused, and says why", (botIds, why) => {
    expect(() => bots(...botIds)).toThrow(why);
  });

  test("64 bots are taken", () => {
    expect(bots(...Array.from({ length: 64 }, (_, n) => `bot_${n}=main`)).length).toBe(64);
  });
});
