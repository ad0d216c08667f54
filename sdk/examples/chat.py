"""Says one thing to a bot and prints its answer, with nothing but a WebSocket library.

Everything it knows of the gateway stands in docs/protocol.md.

    pip install websockets
    T2B_KEY=t2b_alice_… python chat.py ws://127.0.0.1:3000/ws bot_clawra "Hello!"
"""

import asyncio
import json
import os
import sys
import uuid

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

WAIT_SECONDS = 30


class Refused(Exception):
    """What the gateway answered instead."""


async def chat(url: str, key: str, bot: str, text: str) -> str:
    message_id = str(uuid.uuid4())
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(url + "?clientId=python", additional_headers=headers) as socket:
        async for text_frame in socket:
            frame = json.loads(text_frame)
            data = frame.get("data", {})
            match frame["type"]:
                case "status" if data.get("type") == "bots_list":
                    # The greeting is complete: now we may speak.
                    message = {"to": bot, "text": text, "messageId": message_id}
                    await socket.send(json.dumps({"type": "message", "data": message, "id": "1"}))
                case "error":
                    raise Refused(f"{data['reason']}: {data['message']}")
                case "message_partial":
                    print("…", data["text"], file=sys.stderr)
                case "message" if data.get("replyTo") == message_id:
                    return data["text"]
    raise Refused("the gateway closed the connection")


if __name__ == "__main__":
    if len(sys.argv) != 4 or "T2B_KEY" not in os.environ:
        print("usage: T2B_KEY=… python chat.py URL BOT TEXT", file=sys.stderr)
        raise SystemExit(64)
    url, bot, text = sys.argv[1:]
    reply = chat(url, os.environ["T2B_KEY"], bot, text)
    try:
        print(asyncio.run(asyncio.wait_for(reply, WAIT_SECONDS)))
    except asyncio.TimeoutError:
        raise SystemExit(f"error: no answer within {WAIT_SECONDS} s") from None
    except (Refused, OSError, ConnectionClosed, InvalidHandshake) as failed:
        raise SystemExit(f"error: {failed}") from None
