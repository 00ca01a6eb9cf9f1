"""A peer that uses the Python package wsproto, with one thread a connection.

It takes commands as lines of JSON on standard input and tells what happens as
lines of JSON on standard output.
"""

import base64
import json
import select
import socket
import ssl
import sys
import threading
import urllib.parse

from wsproto import ConnectionType, WSConnection, events
from wsproto.connection import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

conns = [None]
lock = threading.RLock()  # guards standard output, the sockets and the protocol objects
WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def tell(kind, conn=0, data=b"", **more):
    data = base64.b64encode(data).decode()
    with lock:
        print(json.dumps({"kind": kind, "conn": conn, "data": data, **more}), flush=True)


class Conn:
    def __init__(self, sock, role, subprotocols):
        self.sock = sock
        self.sock.setblocking(False)
        self.role = role
        self.proto = WSConnection(role)
        self.subprotocols = subprotocols
        self.message = b""
        self.code, self.reason = 1006, ""
        with lock:
            self.number = len(conns)
            conns.append(self)

    def send(self, event):
        with lock:
            self.send_raw(self.proto.send(event))

    # A TLS socket is not to be read and written at the same time.

    def send_raw(self, data):
        data = memoryview(data)
        while data:
            with lock:
                try:
                    data = data[self.sock.send(data) :]
                    continue
                except WAIT:
                    pass
            select.select([], [self.sock], [], 0.1)

    def receive(self):
        while True:
            with lock:
                try:
                    return self.sock.recv(1 << 16)
                except WAIT:
                    pass
            select.select([self.sock], [], [])

    def run(self):
        try:
            while True:
                data = self.receive()
                if not data:
                    break
                with lock:
                    self.proto.receive_data(data)
                    for event in self.proto.events():
                        self.take(event)
                if self.role is ConnectionType.SERVER and self.proto.state is ConnectionState.CLOSED:
                    break
        except (OSError, RemoteProtocolError, LocalProtocolError) as e:
            tell("note", self.number, reason=str(e))
        self.sock.close()
        tell("closed", self.number, code=self.code, reason=self.reason)

    def take(self, event):
        if isinstance(event, events.Request):
            chosen = next((s for s in self.subprotocols if s in event.subprotocols), None)
            self.send(events.AcceptConnection(subprotocol=chosen))
            tell("open", self.number, subprotocol=chosen or "")
        elif isinstance(event, events.AcceptConnection):
            tell("open", self.number, subprotocol=event.subprotocol or "")
        elif isinstance(event, events.RejectConnection):
            tell("refused", self.number, code=event.status_code)
        elif isinstance(event, events.Message):
            binary = isinstance(event, events.BytesMessage)
            self.message += bytes(event.data) if binary else event.data.encode()
            if event.message_finished:
                tell("message", self.number, self.message, binary=binary)
                self.message = b""
        elif isinstance(event, events.Ping):
            self.send(event.response())
            tell("ping", self.number, bytes(event.payload))
        elif isinstance(event, events.Pong):
            tell("pong", self.number, bytes(event.payload))
        elif isinstance(event, events.CloseConnection):
            self.code, self.reason = event.code, event.reason or ""
            if self.proto.state is ConnectionState.REMOTE_CLOSING:
                self.send(event.response())


def listen(c):
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if c.get("cert"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(c["cert"], c["key"])

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    def serve(sock):
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        Conn(sock, ConnectionType.SERVER, c.get("subprotocols") or []).run()

    threading.Thread(target=accept, daemon=True).start()
    tell("listening", port=listener.getsockname()[1])


def dial(c):
    url = urllib.parse.urlsplit(c["url"])
    sock = socket.create_connection((url.hostname, url.port))
    if url.scheme == "wss":
        context = ssl.create_default_context(cafile=c["ca"])
        sock = context.wrap_socket(sock, server_hostname=url.hostname)
    conn = Conn(sock, ConnectionType.CLIENT, [])
    origin = [(b"Origin", c["origin"].encode())] if c.get("origin") else []
    conn.send(
        events.Request(
            host=url.netloc,
            target=url.path or "/",
            subprotocols=c.get("subprotocols") or [],
            extra_headers=origin,
        )
    )
    threading.Thread(target=conn.run, daemon=True).start()


def message(c, part, finished=True):
    data = base64.b64decode(part)
    if c.get("binary"):
        return events.BytesMessage(data=data, message_finished=finished)
    return events.TextMessage(data=data.decode(), message_finished=finished)


def send(c):
    conns[c["conn"]].send(message(c, c["data"]))


def fragments(c):
    conn = conns[c["conn"]]
    for part in c["parts"][:-1]:
        conn.send(message(c, part, False))
        conn.send(events.Ping(payload=base64.b64decode(c["data"])))
    conn.send(message(c, c["parts"][-1]))


def ping(c):
    conns[c["conn"]].send(events.Ping(payload=base64.b64decode(c["data"])))


def raw(c):
    conns[c["conn"]].send_raw(base64.b64decode(c["data"]))


def close(c):
    code = c.get("code") or None  # None: a Close frame without a body
    conns[c["conn"]].send(events.CloseConnection(code=code, reason=c.get("reason") or None))


commands = {
    "listen": listen,
    "dial": dial,
    "send": send,
    "fragments": fragments,
    "ping": ping,
    "raw": raw,
    "close": close,
}

tell("ready")
for line in sys.stdin:
    c = json.loads(line)
    try:
        commands[c["do"]](c)
    except OSError as e:
        tell("note", c.get("conn", 0), reason=str(e))
