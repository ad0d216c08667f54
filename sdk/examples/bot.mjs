// A bot that answers in capitals, with nothing but the WebSocket of Node 22 or newer.
//
// Everything it knows of the gateway stands in docs/protocol.md.
//
//     T2B_KEY=t2b_alice_… node bot.mjs ws://127.0.0.1:3000/ws bot_loud

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

// Close codes after which coming back is of no use: refused, expired, suspended, taken over.
const STOP = [4401, 4402, 4403, 4409];
// Of this start of the program: the gateway knows a bot that comes back by it.
const instance = randomUUID();

const [url, bot] = process.argv.slice(2);
const key = process.env.T2B_KEY;
if (!url || !bot || !key) {
  console.error("usage: T2B_KEY=… node bot.mjs URL BOT");
  process.exit(64);
}

function answer(text) {
  return text.toUpperCase();
}

/** One connection, to its end: the close event. */
function serve() {
  const socket = new WebSocket(url, ["t2b.v1"]);
  const send = (type, data, id) => socket.send(JSON.stringify({ type, data, id }));
  // A browser cannot set headers on a WebSocket, so the first frame holds the key.
  socket.addEventListener("open", () => send("auth", { apiKey: key }, "auth"));
  socket.addEventListener("message", (event) => {
    const { type, data, id } = JSON.parse(event.data);
    if (type === "auth_ok") {
      send("register_bot", { botId: bot, name: "Loud", instance }, "register");
    } else if (type === "bot_registered") {
      console.log(`${bot} is online`);
    } else if (type === "error") {
      console.error(`error: ${data.reason}: ${data.message}`);
      if (id === "register" && !data.retryable) process.exit(1);
    } else if (type === "message") {
      const reply = { to: data.from, from: bot, replyTo: data.messageId };
      send("message", { ...reply, text: answer(data.text ?? ""), messageId: randomUUID() }, "reply");
    }
  });
  return new Promise((resolve) => socket.addEventListener("close", resolve));
}

for (let wait = 1000; ; ) {
  const begun = Date.now();
  const { code, reason } = await serve();
  if (STOP.includes(code)) {
    console.error(`error: ${code} ${reason}`);
    process.exit(1);
  }
  if (Date.now() - begun > 60_000) wait = 1000;
  console.error(`connection lost: ${code} ${reason}`);
  // At random, so that a thousand bots do not come back at once.
  await sleep(Math.random() * wait);
  wait = Math.min(wait * 2, 30_000);
}
