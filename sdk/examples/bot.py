"""A bot that answers in capitals, with nothing but a WebSocket library.

Everything it knows of the gateway stands in docs/protocol.md.

    pip install websockets
    T2B_KEY=t2b_alice_… python bot.py ws://127.0.0.1:3000/ws bot_loud
"""

import asyncio
import json
import os
import random
import sys
import uuid

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

# Close codes after which coming back is of no use: refused, expired, suspended, taken over.
STOP = {4401, 4402, 4403, 4409}
# Of this start of the program: the gateway knows a bot that comes back by it.
INSTANCE = uuid.uuid4().hex


def answer(text: str) -> str:
    return text.upper()


async def serve(url: str, key: str, bot: str) -> None:
    """One connection, to its end."""
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(url, additional_headers=headers) as socket:
        register = {"botId": bot, "name": "Loud", "instance": INSTANCE}
        await socket.send(json.dumps({"type": "register_bot", "data": register, "id": "register"}))
        async for text_frame in socket:
            frame = json.loads(text_frame)
            data = frame.get("data", {})
            match frame["type"]:
                case "bot_registered":
                    print(f"{bot} is online", flush=True)
                case "error":
                    print(f"error: {data['reason']}: {data['message']}", file=sys.stderr)
                    if frame.get("id") == "register" and not data["retryable"]:
                        raise SystemExit(1)
                case "message":
                    reply = {"to": data["from"], "from": bot, "replyTo": data["messageId"]}
                    reply |= {"text": answer(data.get("text", "")), "messageId": str(uuid.uuid4())}
                    await socket.send(json.dumps({"type": "message", "data": reply, "id": "reply"}))


async def main(url: str, key: str, bot: str) -> None:
    wait = 1.0
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            await serve(url, key, bot)
            why = "closed"
        except ConnectionClosed as closed:
            if closed.rcvd and closed.rcvd.code in STOP:
                raise SystemExit(f"error: {closed.rcvd.code} {closed.rcvd.reason}") from None
            why = str(closed)
        except (OSError, InvalidHandshake) as failed:
            why = str(failed)
        if asyncio.get_running_loop().time() - begun > 60:
            wait = 1.0
        print(f"connection lost: {why}", file=sys.stderr)
        # At random, so that a thousand bots do not come back at once.
        await asyncio.sleep(random.uniform(0, wait))
        wait = min(wait * 2, 30)


if __name__ == "__main__":
    if len(sys.argv) != 3 or "T2B_KEY" not in os.environ:
        print("usage: T2B_KEY=… python bot.py URL BOT", file=sys.stderr)
        raise SystemExit(64)
    try:
        asyncio.run(main(sys.argv[1], os.environ["T2B_KEY"], sys.argv[2]))
    except KeyboardInterrupt:
        pass
