import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Refused } from "../src/frames.js";
import { READY_MS } from "../src/link.js";
import { Tunnel, type TunnelState } from "../src/tunnel.js";
import { account, dialler, type ScriptedSocket, silent } from "./scripted.js";

const BOTS = ["main", "coder"].map((id) => ({ botId: `bot_${id}`, agentId: id, name: id }));

let network: ReturnType<typeof dialler>;
let states: TunnelState[];
let messages: string[];
let tunnel: Tunnel;

beforeEach(() => {
  vi.useFakeTimers();
  network = dialler();
  states = [];
  messages = [];
  tunnel = new Tunnel(
    {
      account: account(),
      url: new URL("ws://gateway/ws"),
      bots: BOTS,
      instance: "i-1",
      dial: network.dial,
      log: silent,
      random: () => 1,
    },
    {
      state: (state) => states.push(state),
      message: (place, bot, message) =>
        messages.push(`${bot.agentId} at ${place}: ${message.text}`),
    },
  );
  tunnel.start();
});

afterEach(async () => {
  const stopped = tunnel.stop();
  await vi.runAllTimersAsync();
  await stopped;
  vi.useRealTimers();
});

/** Lets everything happen that waits for no time. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function accept(socket: ScriptedSocket = network.last()): Promise<ScriptedSocket> {
  socket.accept();
  await settle();
  return socket;
}

const replaced = (socket: ScriptedSocket, botId: string) =>
  socket.frame({ type: "bot_unregistered", data: { botId, reason: "replaced", epoch: 2 } });

describe("connecting", () => {
  test("the key goes into the header, and the bots are registered", async () => {
    const socket = await accept();
    expect(socket.headers).toEqual({ authorization: "Bearer t2b_alice_0123456789abcdef" });
    expect(socket.url.href).toBe("ws://gateway/ws");
    expect(socket.ofType("register_bot").map((frame) => (frame as never)["data"])).toEqual(
      BOTS.map(({ botId, name }) => ({
        botId,
        name,
        type: "openclaw",
        capabilities: ["chat"],
        instance: "i-1",
      })),
    );
    expect(states.at(-1)).toEqual({ phase: "ready", bots: ["bot_main", "bot_coder"] });
    expect(tunnel.place).toBe("ws://gateway/ws#alice");
    expect(tunnel.holds("bot_main")).toBe(true);
    expect(tunnel.holds("bot_other")).toBe(false);
  });

  test("the gateway's frames say how large a text may be", async () => {
    network.last().accept("alice", 65_536);
    await settle();
    expect(tunnel.partBytes).toBe(32_768);
  });

  test("a message may come before the last bot is registered", async () => {
    const socket = network.last();
    socket.answer = () => {
      const data = { from: "p", to: "bot_main", messageId: "m", connectionId: "c", text: "hi" };
      socket.frame({ type: "message", data });
    };
    await accept(socket);
    expect(messages).toEqual(["main at ws://gateway/ws#alice: hi"]);
  });

  test("a gateway that says nothing is given up", async () => {
    await vi.advanceTimersByTimeAsync(READY_MS - 1);
    expect(states.at(-1)).toEqual({ phase: "connecting" });
    await vi.advanceTimersByTimeAsync(1);
    expect(states.at(-1)).toMatchObject({
      phase: "recovering",
      problem: expect.stringMatching(/handshake/),
    });
  });

  test("nothing is sent without a connection", async () => {
    await expect(tunnel.send({ to: "phone" })).rejects.toThrow(/no connection/);
  });
});

describe("losing the connection", () => {
  test("it is made again, each time after a longer wait", async () => {
    for (const wait of [1_000, 2_000, 4_000]) {
      const socket = await accept();
      socket.end(1006);
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(network.last()).toBe(socket);
      await vi.advanceTimersByTimeAsync(1);
      expect(network.last()).not.toBe(socket);
    }
  });

  test("after a minute up the wait is short again", async () => {
    (await accept()).end(1006);
    await vi.advanceTimersByTimeAsync(1_000);
    const socket = await accept();
    for (let beats = 0; beats < 4; beats += 1) {
      await vi.advanceTimersByTimeAsync(15_000);
      socket.frame({ type: "pong", data: {} });
    }
    socket.end(1006);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(network.sockets.length).toBe(3);
  });

  test("what was asked and not answered fails", async () => {
    const socket = await accept();
    socket.answer = () => {};
    const sent = expect(tunnel.send({ to: "phone", text: "hi" })).rejects.toThrow("it broke off");
    socket.dispatchEvent(Object.assign(new Event("error"), { message: "reset" }));
    await sent;
    expect(tunnel.holds("bot_main")).toBe(false);
  });

  test("a silent gateway is left after two heartbeats", async () => {
    const socket = await accept();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(socket.ofType("ping").length).toBe(1);
    socket.frame({ type: "pong", data: {} });
    await vi.advanceTimersByTimeAsync(39_999);
    expect(states.at(-1)?.phase).toBe("ready");
    await vi.advanceTimersByTimeAsync(1);
    expect(states.at(-1)).toMatchObject({
      phase: "recovering",
      problem: expect.stringMatching(/silent/),
    });
  });

  test("1012 spreads over five seconds, 4429 waits as long as it is told", async () => {
    (await accept()).end(1012, "restart");
    await vi.advanceTimersByTimeAsync(4_999);
    expect(network.sockets.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    const error = { code: 429, reason: "rate_limited", message: "", retryable: true };
    network.last().frame({ type: "error", data: { ...error, retryAfterMs: 17_000 } });
    network.last().end(4429, "too_many_refusals");
    await vi.advanceTimersByTimeAsync(16_999);
    expect(network.sockets.length).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(network.sockets.length).toBe(3);
  });
});

describe("blocked", () => {
  test.each([
    [4401, /API key.*revoked/],
    [4402, /expired/],
    [4403, /suspended/],
  ])("%i ends it, and says what to do", async (code, problem) => {
    const socket = await accept();
    socket.frame({ type: "auth_error", data: { message: "Invalid API key" } });
    socket.end(code, "");
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(network.sockets.length).toBe(1);
    expect(states.at(-1)).toMatchObject({
      phase: "blocked",
      problem: expect.stringMatching(problem),
    });
  });

  test("a bot that was taken over is left to the other, the rest goes on", async () => {
    const socket = await accept();
    replaced(socket, "bot_main");
    expect(states.at(-1)).toMatchObject({ phase: "ready", bots: ["bot_coder"] });
    expect((states.at(-1) as { problem?: string }).problem).toMatch(/bot_main was taken over/);
    expect(tunnel.holds("bot_main")).toBe(false);
    socket.end(1006);
    await vi.advanceTimersByTimeAsync(1_000);
    const again = await accept();
    expect(again.ofType("register_bot").length).toBe(1);
  });

  test("when every bot is taken it does not fight back", async () => {
    const socket = await accept();
    replaced(socket, "bot_main");
    replaced(socket, "bot_coder");
    socket.end(4409, "replaced");
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(network.sockets.length).toBe(1);
    expect(states.at(-1)).toMatchObject({
      phase: "blocked",
      problem: expect.stringMatching(/bot_main.*bot_coder/),
    });
  });

  test("a bot that is refused is named; one that is refused for now is tried again", async () => {
    const socket = network.last();
    const refusals = [
      { code: 409, reason: "already_registered", message: "That id is in use", retryable: false },
      { code: 429, reason: "rate_limited", message: "Too many", retryable: true, retryAfterMs: 9 },
    ];
    socket.answer = (frame) => {
      const data = refusals.shift();
      if (data) socket.frame({ type: "error", id: frame.id, data });
      else socket.obey(frame as never);
    };
    await accept(socket);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states.at(-1)).toMatchObject({ phase: "ready", bots: ["bot_coder"] });
    expect((states.at(-1) as { problem?: string }).problem).toMatch(/bot_main.*in use/);
  });
});

describe("moving", () => {
  const migrate = (socket: ScriptedSocket) =>
    socket.frame({ type: "migrate", data: { reason: "restart", reconnectWithinMs: 5_000 } });

  test("the new connection stands before the old one closes", async () => {
    const old = await accept();
    migrate(old);
    await vi.advanceTimersByTimeAsync(2_500);
    const next = network.last();
    expect(next).not.toBe(old);
    expect(old.closedWith).toEqual([]);
    await accept(next);
    // The old one loses its bots to the new one: that is no takeover.
    replaced(old, "bot_main");
    replaced(old, "bot_coder");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(old.closedWith.map(({ code }) => code)).toEqual([1000]);
    expect(states.at(-1)).toEqual({ phase: "ready", bots: ["bot_main", "bot_coder"] });
    expect(tunnel.holds("bot_main") && tunnel.holds("bot_coder")).toBe(true);
    await tunnel.send({ to: "phone", text: "hi" });
    expect(next.ofType("message").length).toBe(1);
    expect(states.some(({ phase }) => phase === "recovering")).toBe(false);
  });

  test("what the old one was asked is still answered there", async () => {
    const old = await accept();
    old.answer = () => {};
    const sent = tunnel.send({ to: "phone", text: "hi" });
    migrate(old);
    await vi.advanceTimersByTimeAsync(2_500);
    await accept(network.last());
    expect(old.closedWith).toEqual([]);
    old.obey(old.ofType("message")[0] as never);
    await expect(sent).resolves.toMatchObject({ status: "delivered" });
    await settle();
    expect(old.closedWith.length).toBe(1);
  });

  test("a message that comes over the old one meanwhile is taken", async () => {
    const old = await accept();
    migrate(old);
    await vi.advanceTimersByTimeAsync(2_500);
    const data = {
      from: "phone",
      to: "bot_coder",
      messageId: "m-1",
      connectionId: "c",
      text: "hi",
    };
    old.frame({ type: "message", data });
    expect(messages).toEqual(["coder at ws://gateway/ws#alice: hi"]);
  });

  test("a connection that is over holds nothing, though its successor is not there yet", async () => {
    const old = await accept();
    migrate(old);
    await vi.advanceTimersByTimeAsync(2_500);
    old.end(1012, "restart");
    expect(tunnel.holds("bot_main")).toBe(false);
    await accept(network.last());
    expect(tunnel.holds("bot_main")).toBe(true);
  });

  test("a successor that breaks after it took the bots is no takeover", async () => {
    const old = await accept();
    migrate(old);
    await vi.advanceTimersByTimeAsync(2_500);
    const next = network.last();
    next.answer = () => {};
    await accept(next);
    next.end(1006);
    await settle();
    replaced(old, "bot_main");
    replaced(old, "bot_coder");
    old.end(4409, "replaced");
    await vi.advanceTimersByTimeAsync(30_000);
    await accept();
    expect(states.at(-1)).toEqual({ phase: "ready", bots: ["bot_main", "bot_coder"] });
  });

  test("if nobody takes it in, it comes back as after any loss", async () => {
    const old = await accept();
    migrate(old);
    await vi.advanceTimersByTimeAsync(2_500);
    network.last().end(1006);
    await settle();
    old.end(1012, "restart");
    await vi.advanceTimersByTimeAsync(10_000);
    await accept();
    expect(states.at(-1)?.phase).toBe("ready");
  });
});

test("what was left to others stays left when the account is restarted", async () => {
  const lost = new Map([["bot_main", "bot_main was taken over"]]);
  const again = dialler();
  const restarted = new Tunnel(
    {
      account: account(),
      url: new URL("ws://gateway/ws"),
      bots: BOTS,
      instance: "i-1",
      lost,
      dial: again.dial,
      log: silent,
    },
    { state: () => {}, message: () => {} },
  );
  restarted.start();
  await accept(again.last());
  expect(again.last().ofType("register_bot").length).toBe(1);
  await restarted.stop();
});

test("a stop closes the connection and says so", async () => {
  const socket = await accept();
  await tunnel.stop();
  expect(socket.closedWith).toEqual([{ code: 1000, reason: "stopping" }]);
  expect(states.at(-1)).toEqual({ phase: "stopped" });
});

test("a stop does not wait for a handshake", async () => {
  await tunnel.stop();
  expect(network.last().closedWith.length).toBe(1);
  expect(states.at(-1)).toEqual({ phase: "stopped" });
});

test("a refusal names its reason", async () => {
  const socket = await accept();
  const data = { code: 503, reason: "recipient_offline", message: "Offline", retryable: true };
  socket.answer = (frame) => socket.frame({ type: "error", id: frame.id, data });
  const error = await tunnel.send({ to: "phone" }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(Refused);
  expect(error).toMatchObject({ reason: "recipient_offline", retryable: true });
});

test("no more partials than the socket takes", async () => {
  const socket = await accept();
  socket.bufferedAmount = 1024 * 1024 + 1;
  tunnel.partial({ to: "phone", from: "bot_main", streamId: "s", seq: 1, text: "a" });
  expect(socket.ofType("message_partial")).toEqual([]);
});
