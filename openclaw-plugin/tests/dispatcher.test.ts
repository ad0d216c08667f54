import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Dispatcher, TEXTS, WAITING_PER_CLIENT } from "../src/dispatcher.js";
import { LinkLost } from "../src/frames.js";
import { Journal } from "../src/journal.js";
import { AT_ONCE, RETRY_FOR_MS } from "../src/outbox.js";
import type { Admit, Inbound, ReplySink } from "../src/types.js";
import { ScriptedChannel, silent } from "./scripted.js";

let folder: string;
let journal: Journal;
const journals: Journal[] = [];
let dispatcher: Dispatcher;
let channel: ScriptedChannel;
/** The runs, in order: each goes on when the test lets it. */
let runs: { text: string; sink: ReplySink; end: () => void; fail: () => void }[];
let mayTalk: boolean;

const admit: Admit = async ({ text }) =>
  mayTalk
    ? {
        isUrgent: text === "/stop",
        answer: (sink) =>
          new Promise((end, fail) => runs.push({ text, sink, end, fail: () => fail(new Error()) })),
      }
    : undefined;

const inbound = (messageId: string, changes: Partial<Inbound> = {}): Inbound => ({
  place: "ws://gateway/ws#alice",
  accountId: "default",
  bot: { botId: "bot_main", agentId: "main", name: "main" },
  client: "phone",
  messageId,
  text: messageId,
  isReply: false,
  ...changes,
});

async function sitDown(): Promise<void> {
  journal = await Journal.open(join(folder, "seen.jsonl"));
  journals.push(journal);
  dispatcher = await Dispatcher.open(journal, silent);
  channel = new ScriptedChannel();
  dispatcher.attach("default", channel);
  runs = [];
  mayTalk = true;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dispatcher-"));
  await sitDown();
});

afterEach(async () => {
  vi.useRealTimers();
  for (const journal of journals.splice(0)) await journal.close();
  await rm(folder, { recursive: true });
});

/** The `n`th run, as soon as it has begun. */
const run = (n: number) =>
  vi.waitFor(() => {
    const begun = runs[n - 1];
    if (!begun) throw new Error(`there are ${runs.length} runs`);
    return begun;
  });

async function answerTo(n: number, ...pieces: string[]): Promise<void> {
  const { sink, end } = await run(n);
  for (const piece of pieces) sink.piece(piece);
  end();
}

const texts = () => channel.sent.map((message) => message.text);
const sent = (...expected: string[]) => vi.waitFor(() => expect(texts()).toEqual(expected));

describe("once", () => {
  test("a message runs the agent, and its answer names it", async () => {
    const done = dispatcher.receive(inbound("m-1"), admit);
    await answerTo(1, "hello", "and bye");
    await done;
    await sent("hello\n\nand bye");
    expect(channel.sent[0]).toEqual({
      to: "phone",
      from: "bot_main",
      text: "hello\n\nand bye",
      replyTo: "m-1",
      streamId: "m-1",
      messageId: "m-1:r1",
    });
    expect(channel.typings).toEqual([true, false]);
  });

  test("a repetition joins the run that goes on", async () => {
    const both = [dispatcher.receive(inbound("m"), admit), dispatcher.receive(inbound("m"), admit)];
    await answerTo(1, "once");
    await Promise.all(both);
    await sent("once");
    expect(runs.length).toBe(1);
  });

  test("a repetition of what is done gets the same answer again", async () => {
    const first = dispatcher.receive(inbound("m"), admit);
    await answerTo(1, "once");
    await first;
    await sent("once");
    await dispatcher.receive(inbound("m"), admit);
    await sent("once", "once");
    expect(channel.sent[1]).toEqual(channel.sent[0]);
    expect(runs.length).toBe(1);
  });

  test("the same id of another client, bot or tenant is another message", async () => {
    const others = [
      inbound("m"),
      inbound("m", { client: "tablet" }),
      inbound("m", { bot: { botId: "bot_coder", agentId: "coder", name: "coder" } }),
      inbound("m", { place: "ws://gateway/ws#bob" }),
    ];
    void others.map((other) => dispatcher.receive(other, admit));
    await run(4);
    for (const { end } of runs) end();
  });

  test("a process that ended during a run does not run it again", async () => {
    void dispatcher.receive(inbound("m"), admit);
    await run(1);
    const before = runs;
    await sitDown();
    dispatcher.connected();
    await sent(TEXTS.interrupted);
    expect(channel.sent[0]).toMatchObject({ replyTo: "m", messageId: "m:r1" });
    await dispatcher.receive(inbound("m"), admit);
    await sent(TEXTS.interrupted, TEXTS.interrupted);
    expect(runs.length).toBe(0);
    before[0]?.end();
  });

  test("what waited for its turn when the process ended is answered too", async () => {
    void dispatcher.receive(inbound("a"), admit);
    void dispatcher.receive(inbound("b"), admit);
    await run(1);
    await vi.waitFor(() => expect(journal.all("started").length).toBe(2));
    await sitDown();
    dispatcher.connected();
    await sent(TEXTS.interrupted, TEXTS.interrupted);
  });
});

describe("order", () => {
  test("messages of one client run one after the other, those of others beside them", async () => {
    for (const id of ["a", "b"]) void dispatcher.receive(inbound(id), admit);
    void dispatcher.receive(inbound("c", { client: "tablet" }), admit);
    await run(2);
    expect(runs.map(({ text }) => text).sort()).toEqual(["a", "c"]);
    for (const { end } of [...runs]) end();
    expect((await run(3)).text).toBe("b");
    runs[2]?.end();
  });

  test("two bots of one agent share its conversation with a client", async () => {
    void dispatcher.receive(inbound("a"), admit);
    const other = { botId: "bot_also", agentId: "main", name: "main" };
    void dispatcher.receive(inbound("b", { bot: other }), admit);
    await vi.waitFor(() => expect(journal.all("started").length).toBe(2));
    await run(1);
    expect(runs.length).toBe(1);
    runs[0]?.end();
    expect((await run(2)).text).toBe("b");
    runs[1]?.end();
  });

  test("a request to stop does not wait", async () => {
    void dispatcher.receive(inbound("a"), admit);
    await run(1);
    void dispatcher.receive(inbound("s", { text: "/stop" }), admit);
    expect((await run(2)).text).toBe("/stop");
    for (const { end } of runs) end();
  });

  test("one too many waiting is told so, and is not taken", async () => {
    for (let n = 0; n < WAITING_PER_CLIENT; n += 1)
      void dispatcher.receive(inbound(`m${n}`), admit);
    await vi.waitFor(() => expect(journal.all("started").length).toBe(WAITING_PER_CLIENT));
    await run(1);
    await dispatcher.receive(inbound("more"), admit);
    expect(texts()).toEqual([TEXTS.busy]);
    expect(journal.seen(inboundOrigin("more"))).toBeUndefined();
    void dispatcher.receive(inbound("s", { text: "/stop" }), admit);
    expect((await run(2)).text).toBe("/stop");
  });
});

const inboundOrigin = (messageId: string) => ({
  place: "ws://gateway/ws#alice",
  botId: "bot_main",
  client: "phone",
  messageId,
});

describe("answers", () => {
  test("an agent that fails or has nothing to say still answers", async () => {
    const failing = dispatcher.receive(inbound("a"), admit);
    (await run(1)).fail();
    await failing;
    const silence = dispatcher.receive(inbound("b"), admit);
    await answerTo(2, "  ");
    await silence;
    await sent(TEXTS.failed, "(no answer)");
  });

  test("bots do not answer each other's answers", async () => {
    await dispatcher.receive(inbound("a", { client: "bot_main" }), admit);
    await dispatcher.receive(inbound("b", { client: "bot_elsewhere", isReply: true }), admit);
    expect([runs.length, channel.sent.length]).toEqual([0, 0]);
    void dispatcher.receive(inbound("c", { client: "bot_elsewhere" }), admit);
    (await run(1)).end();
    void dispatcher.receive(inbound("d", { isReply: true }), admit);
    (await run(2)).end();
  });

  test("a run whose reply cannot be kept is answered once, and is not run again", async () => {
    vi.spyOn(journal, "finish").mockRejectedValueOnce(new Error("disk full"));
    const received = dispatcher.receive(inbound("m"), admit);
    await answerTo(1, "answer");
    await received;
    await sent("answer");
    await dispatcher.receive(inbound("m"), admit);
    await sent("answer", TEXTS.interrupted);
    expect(runs.length).toBe(1);
  });

  test("a message without text is not run", async () => {
    await dispatcher.receive(inbound("m", { text: " " }), admit);
    expect(texts()).toEqual([TEXTS.empty]);
    expect(journal.all("started")).toEqual([]);
  });

  test("a sender that may not talk is told so once a minute", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    mayTalk = false;
    await dispatcher.receive(inbound("a"), admit);
    await dispatcher.receive(inbound("b"), admit);
    expect(texts()).toEqual([TEXTS.refused("phone")]);
    await dispatcher.receive(inbound("c", { client: "tablet" }), admit);
    vi.advanceTimersByTime(60_000);
    await dispatcher.receive(inbound("d"), admit);
    expect(texts()).toEqual([
      TEXTS.refused("phone"),
      TEXTS.refused("tablet"),
      TEXTS.refused("phone"),
    ]);
    expect(journal.all("started")).toEqual([]);
  });
});

describe("delivery", () => {
  const done = async (id: string, n: number) => {
    const received = dispatcher.receive(inbound(id), admit);
    await answerTo(n, id);
    await received;
  };

  test("an answer waits for a connection", async () => {
    channel.isUp = false;
    await done("m", 1);
    expect(channel.sent).toEqual([]);
    channel.isUp = true;
    dispatcher.connected();
    await sent("m");
    await vi.waitFor(() => expect(journal.all("sent").length).toBe(1));
  });

  test("an answer waits for its tenant: another one's clients never get it", async () => {
    channel.isUp = false;
    await done("m", 1);
    channel.isUp = true;
    channel.place = "ws://gateway/ws#bob";
    dispatcher.connected();
    // Reads happen in turn: after this one, nothing is under way.
    await journal.reply(inboundOrigin("m"));
    await vi.waitFor(() => expect(channel.sent).toEqual([]));
    channel.place = "ws://gateway/ws#alice";
    await dispatcher.receive(inbound("other", { text: "" }), admit);
    await sent(TEXTS.empty, "m");
  });

  test("answers to an absent client are tried again, in order", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const offline = { reason: "recipient_offline", retryable: true };
    const unknown = { reason: "bot_not_found", retryable: false };
    channel.refusals.push(offline, unknown, offline);
    for (const [n, id] of ["a", "b"].entries()) {
      const received = dispatcher.receive(inbound(id), admit);
      await vi.waitFor(() => expect(runs.length).toBe(n + 1));
      runs[n]?.sink.piece(id);
      runs[n]?.end();
      await received;
    }
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(1_000);
      expect(texts()).toEqual(["a", "b"]);
    });
  });

  test("a refusal that is not the answer's fault does not end it", async () => {
    channel.refusals.push({ reason: "not_your_identity", retryable: false });
    await done("m", 1);
    await vi.waitFor(() => {
      dispatcher.connected();
      expect(texts()).toEqual(["m"]);
    });
  });

  test("eight answers are on their way at once", async () => {
    channel.isUp = false;
    for (let n = 1; n <= 20; n += 1) {
      const received = dispatcher.receive(inbound(`m${n}`, { client: `c${n}` }), admit);
      await answerTo(n, "answer");
      await received;
    }
    const waiting: (() => void)[] = [];
    let most = 0;
    channel.send = (message) => {
      most = Math.max(most, waiting.length + 1);
      return new Promise((resolve) => {
        waiting.push(() => resolve({ messageId: message.messageId ?? "", status: "delivered" }));
      });
    };
    channel.isUp = true;
    dispatcher.connected();
    await vi.waitFor(() => {
      for (const arrived of waiting.splice(0, waiting.length === AT_ONCE ? 1 : 0)) arrived();
      expect(waiting.length).toBeGreaterThan(0);
      expect(journal.all("sent").length).toBe(20 - AT_ONCE + 1);
    });
    for (const arrived of waiting.splice(0)) arrived();
    await vi.waitFor(() => expect(journal.all("sent").length).toBe(20));
    expect(most).toBe(AT_ONCE);
  });

  test("an old answer rests until its client is heard of", async () => {
    channel.isUp = false;
    await done("m", 1);
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.advanceTimersByTime(RETRY_FOR_MS + 1);
    await sitDown();
    dispatcher.connected();
    // What comes later would come behind it.
    const other = dispatcher.receive(inbound("other", { client: "tablet" }), admit);
    await answerTo(1, "other");
    await other;
    await sent("other");
    await dispatcher.receive(inbound("n", { text: "" }), admit);
    await vi.waitFor(() => expect(texts().sort()).toEqual(["m", "other", TEXTS.empty].sort()));
  });

  test("a process that ended before an answer arrived sends it in its next life", async () => {
    channel.isUp = false;
    await done("m", 1);
    await sitDown();
    dispatcher.connected();
    await sent("m");
  });

  test("an answer that loses every connection is set aside until it is asked for", async () => {
    const send = channel.send.bind(channel);
    let losses = 0;
    channel.send = async (message) => {
      if (message.text !== "poison") return send(message);
      losses += 1;
      throw new LinkLost("it broke off");
    };
    await done("poison", 1);
    await done("next", 2);
    await vi.waitFor(() => {
      dispatcher.connected();
      expect(texts()).toEqual(["next"]);
    });
    expect(losses).toBe(5);
    channel.send = send;
    await dispatcher.receive(inbound("poison"), admit);
    await sent("next", "poison");
  });

  test("an answer that can never arrive does not hold up the next", async () => {
    channel.refusals.push({ reason: "too_large", retryable: false });
    await done("a", 1);
    await done("b", 2);
    await sent("b");
  });
});
