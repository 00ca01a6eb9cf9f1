"""A peer that uses the Python package websockets.

It takes commands as lines of JSON on standard input and tells what happens as
lines of JSON on standard output.
"""

import asyncio
import base64
import json
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

conns = [None]


def tell(kind, conn=0, data=b"", **more):
    data = base64.b64encode(data).decode()
    print(json.dumps({"kind": kind, "conn": conn, "data": data, **more}), flush=True)


def deflate(c, factory):
    """Returns what the library is to be told about compression."""
    d = c.get("compression")
    if not d:
        return {}
    return {
        "compression": None,
        "extensions": [
            factory(
                server_no_context_takeover=d["serverFresh"],
                client_no_context_takeover=d["clientFresh"],
                server_max_window_bits=d["serverBits"],
                client_max_window_bits=d["clientBits"],
            )
        ],
    }


async def watch(ws, echo=False):
    """Tells of the messages and the end of a connection."""
    conn = len(conns)
    conns.append(ws)
    tell("open", conn, subprotocol=ws.subprotocol or "")
    try:
        async for message in ws:
            if echo:
                await ws.send(message)
                continue
            binary = isinstance(message, bytes)
            tell("message", conn, message if binary else message.encode(), binary=binary)
    except websockets.ConnectionClosed:
        pass
    await ws.wait_closed()
    tell("closed", conn, code=ws.close_code, reason=ws.close_reason)


async def ping(ws, conn, data):
    await (await ws.ping(data))
    tell("pong", conn, data)


tasks = set()


def go(work):
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def listen(c):
    context = None
    if c.get("cert"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(c["cert"], c["key"])
    server = await websockets.serve(
        lambda ws: watch(ws, c.get("echo")),
        "127.0.0.1",
        0,
        ssl=context,
        subprotocols=c.get("subprotocols"),
        max_size=None,
        **deflate(c, ServerPerMessageDeflateFactory),
    )
    tell("listening", port=server.sockets[0].getsockname()[1])


async def dial(c):
    context = None
    if c.get("ca"):
        context = ssl.create_default_context(cafile=c["ca"])
    conn = len(conns)
    try:
        ws = await websockets.connect(
            c["url"],
            ssl=context,
            origin=c.get("origin") or None,
            subprotocols=c.get("subprotocols"),
            max_size=None,
            **deflate(c, ClientPerMessageDeflateFactory),
        )
    except websockets.InvalidStatusCode as e:
        conns.append(None)
        tell("refused", conn, code=e.status_code)
    except Exception as e:
        conns.append(None)
        tell("error", conn, reason=str(e))
    else:
        go(watch(ws, c.get("echo")))


async def send(c):
    data = base64.b64decode(c["data"])
    await conns[c["conn"]].send(data if c.get("binary") else data.decode())


async def fragments(c):
    ws = conns[c["conn"]]

    async def parts():
        for i, part in enumerate(c["parts"]):
            if i:
                go(ping(ws, c["conn"], base64.b64decode(c["data"]) + b"%d" % i))
                await asyncio.sleep(0)
            part = base64.b64decode(part)
            yield part if c.get("binary") else part.decode()

    await ws.send(parts())


async def do_ping(c):
    go(ping(conns[c["conn"]], c["conn"], base64.b64decode(c["data"])))


async def raw(c):
    conns[c["conn"]].transport.write(base64.b64decode(c["data"]))


async def close(c):
    ws = conns[c["conn"]]
    if c.get("code"):
        go(ws.close(c["code"], c.get("reason", "")))
        return
    # The library has no call for a Close without a code.
    raise NotImplementedError


commands = {
    "listen": listen,
    "dial": dial,
    "send": send,
    "fragments": fragments,
    "ping": do_ping,
    "raw": raw,
    "close": close,
}


async def main():
    loop = asyncio.get_running_loop()
    tell("ready")
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        c = json.loads(line)
        await commands[c["do"]](c)


asyncio.run(main())
