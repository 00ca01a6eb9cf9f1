#!/usr/bin/python3
"""Record the captures that the tests compare with tshark.

    go build -o /tmp/wiretrue ./cmd/wiretrue
    sudo WIRETRUE_NODE_PATH=.../node_modules ./record.py /tmp/wiretrue captures [NAME...]

It needs tcpdump with the privilege to capture on loopback, chromium, node with
the package ws, openssl, and Debian's python3-websockets. Each scenario is a
conversation of two programs on loopback and becomes NAME.pcap and, with TLS,
NAME.keys.
"""
import asyncio, http.server, os, pathlib, shutil, signal, ssl, subprocess, sys, tempfile, threading, time
import websockets

wiretrue, out, only = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
tmp = pathlib.Path(tempfile.mkdtemp())
node_env = dict(os.environ, NODE_PATH=os.environ.get("WIRETRUE_NODE_PATH", ""))
ports = iter(range(18901, 18990))
texts = ["Hello", "", "grüße, 世界 \U0001f30d", "x" * 125, "y" * 126]


def scenario(f):
    scenarios[f.__name__.replace("_", "-")] = f
    return f


scenarios = {}


class Tcpdump:
    def __init__(self, name, port, interface="lo", link="EN10MB"):
        self.file = out / f"{name}.pcap"
        self.p = subprocess.Popen(
            ["tcpdump", "-i", interface, "-y", link, "-U", "--immediate-mode", "-s", "0", "-w", str(self.file), f"tcp port {port}"],
            stderr=subprocess.PIPE, text=True)
        while "listening on" not in self.p.stderr.readline():
            pass

    def stop(self):
        time.sleep(0.5)  # for the last packets
        self.p.send_signal(signal.SIGINT)
        self.p.wait()


class Program:
    """A program in the background that is ready when it prints a word."""

    def __init__(self, args, ready, env=None):
        self.p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        while ready not in (line := self.p.stdout.readline()):
            if not line:
                sys.exit(f"{args} ended")

    def stop(self):
        self.p.terminate()
        self.p.wait()


def ours(port, *flags, host="127.0.0.1"):
    return Program([wiretrue, "serve", "-q", "--any-origin", "--listen", f"{host}:{port}", *flags], "Ready")


def node_server(port, options):
    script = """
const {WebSocketServer} = require('ws');
const s = new WebSocketServer({port: %d, host: '127.0.0.1', ...%s}, () => console.log('ready'));
s.on('connection', c => c.on('message', (d, binary) => c.send(d, {binary})));
""" % (port, options)
    return Program(["node", "-e", script], "ready", env=node_env)


def node_client(port, options, body):
    script = """
const WebSocket = require('ws');
const c = new WebSocket('ws://127.0.0.1:%d/echo', %s);
let got = 0;
c.on('open', () => { %s });
""" % (port, options, body)
    subprocess.run(["node", "-e", script], env=node_env, check=True, timeout=60)


class Gate:
    """An HTTP server that answers /wait when /over was asked for: the page is loaded when its connection is closed."""

    def __init__(self):
        over = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/wait":
                    over.wait(30)
                    over.clear()
                else:
                    over.set()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()


gate = Gate()


def browser(url, *flags):
    page = tmp / "page.html"
    page.write_text("""<script>
const c = new WebSocket('%s');
c.binaryType = 'arraybuffer';
const out = ['Hello', 'grüße', 'Hello again, Hello again', new Uint8Array(300)];
let n = 0;
c.onopen = () => c.send(out[0]);
c.onmessage = () => ++n < out.length ? c.send(out[n]) : c.close(1000, 'done');
c.onclose = () => fetch('http://127.0.0.1:%d/over', {mode: 'no-cors'});
</script><img src="http://127.0.0.1:%d/wait">""" % (url, gate.port, gate.port))
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    f"--user-data-dir={tempfile.mkdtemp(dir=tmp)}", "--dump-dom", *flags, f"file://{page}"],
                   check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificate():
    pem = tmp / "cert.pem"
    if not pem.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(pem), "-out", str(tmp / "c"),
                        "-days", "30", "-subj", "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
        pem.write_text(pem.read_text() + (tmp / "c").read_text())
    return str(pem)


async def python_pair(port, talk, server_tls=None, client_tls=None, **options):
    async def echo(c, *_):
        async for m in c:
            await c.send(m)

    async with websockets.serve(echo, "127.0.0.1", port, ssl=server_tls, **options):
        scheme = "wss" if client_tls else "ws"
        async with websockets.connect(f"{scheme}://localhost:{port}/echo", host="127.0.0.1", ssl=client_tls, **options) as c:
            await talk(c)


async def speak(c):
    for m in [*texts, bytes(range(256))]:
        await c.send(m)
        await c.recv()
    await (await c.ping(b"are you there"))


def python_tls(port, keys, version, ciphers=None):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate())
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server.maximum_version = client.maximum_version = version
    if ciphers:
        client.set_ciphers(ciphers)
    client.keylog_filename = keys
    asyncio.run(python_pair(port, speak, server, client, compression=None))


@scenario
def browser_plain(name, port):
    s, d = ours(port), Tcpdump(name, port)
    browser(f"ws://127.0.0.1:{port}/echo")
    d.stop(), s.stop()


@scenario
def browser_tls13(name, port):
    s, d = ours(port, "--tls"), Tcpdump(name, port)
    browser(f"wss://127.0.0.1:{port}/echo", "--ignore-certificate-errors", f"--ssl-key-log-file={out / name}.keys")
    d.stop(), s.stop()


@scenario
def browser_deflate(name, port):
    s, d = node_server(port, "{perMessageDeflate: {threshold: 0}}"), Tcpdump(name, port)
    browser(f"ws://127.0.0.1:{port}/echo")
    d.stop(), s.stop()


TALK = """
const out = ['{"n":1,"of":"many"}', '{"n":2,"of":"many"}', '{"n":3,"of":"many"}', ''];
c.send(out[0]);
c.on('message', () => ++got < out.length ? c.send(out[got]) : c.close(1000));
"""


@scenario
def node_takeover(name, port):
    options = "{perMessageDeflate: {threshold: 0}}"
    s, d = node_server(port, options), Tcpdump(name, port)
    node_client(port, options, TALK)
    d.stop(), s.stop()


@scenario
def node_no_takeover(name, port):
    options = "{perMessageDeflate: {threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 10}}"
    s, d = node_server(port, options), Tcpdump(name, port)
    node_client(port, options, TALK)
    d.stop(), s.stop()


@scenario
def node_fragments(name, port):
    s, d = node_server(port, "{perMessageDeflate: {threshold: 0}}"), Tcpdump(name, port)
    node_client(port, "{perMessageDeflate: false}", """
c.send('frag', {fin: false}); c.ping('in between'); c.send('ment', {fin: false}); c.send('ed', {fin: true});
c.on('message', () => c.close(4000, 'enough'));
""")
    d.stop(), s.stop()


@scenario
def node_interleaved(name, port):
    """Both sides send fragments at the same time, on loopback."""
    script = """
const {WebSocketServer, WebSocket} = require('ws');
const s = new WebSocketServer({port: %d, host: '127.0.0.1'}, () => {
  const c = new WebSocket('ws://127.0.0.1:%d/');
  s.on('connection', p => c.on('open', () => {
    const turn = n => {
      for (const [who, mark] of [[c, 'c'], [p, 's']]) who.send(mark + n, {fin: n %% 3 == 2});
      if (n < 11) setTimeout(turn, 5, n + 1); else setTimeout(() => c.close(1000), 20);
    };
    turn(0);
    p.on('close', () => s.close());
  }));
});
""" % (port, port)
    d = Tcpdump(name, port)
    subprocess.run(["node", "-e", script], env=node_env, check=True, timeout=60)
    d.stop()


@scenario
def python_plain(name, port):
    async def talk(c):
        await speak(c)
        await c.send(b"z" * 66000)
        await c.recv()

    d = Tcpdump(name, port)
    asyncio.run(python_pair(port, talk, compression=None))
    d.stop()


@scenario
def python_deflate_fragments(name, port):
    async def talk(c):
        for _ in range(3):
            await c.send(["fragments of ", "a compressed ", "message, ", "a compressed message"])
            await c.recv()

    d = Tcpdump(name, port)
    asyncio.run(python_pair(port, talk))
    d.stop()


@scenario
def python_tls12(name, port):
    d = Tcpdump(name, port)
    python_tls(port, out / f"{name}.keys", ssl.TLSVersion.TLSv1_2)
    d.stop()


@scenario
def python_tls12_cbc(name, port):
    d = Tcpdump(name, port)
    python_tls(port, out / f"{name}.keys", ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-SHA256")
    d.stop()


@scenario
def python_cooked(name, port):
    d = Tcpdump(name, port, interface="any", link="LINUX_SLL")
    asyncio.run(python_pair(port, speak))
    d.stop()


def dial(url, *flags, env=None):
    subprocess.run([wiretrue, "dial", *flags, url], input="Hello\nagain\n", text=True, check=True, timeout=60,
                   env=dict(os.environ, **(env or {})), stdout=subprocess.DEVNULL)


@scenario
def ours_ipv6(name, port):
    s, d = ours(port, host="[::1]"), Tcpdump(name, port)
    dial(f"ws://[::1]:{port}/echo")
    d.stop(), s.stop()


@scenario
def ours_tls13(name, port):
    s, d = ours(port, "--tls"), Tcpdump(name, port)
    dial(f"wss://127.0.0.1:{port}/echo", "-k", env={"SSLKEYLOGFILE": str(out / f"{name}.keys")})
    d.stop(), s.stop()


for name, run in scenarios.items():
    if not only or name in only:
        (out / f"{name}.keys").unlink(missing_ok=True)
        print(name, flush=True)
        run(name, next(ports))
shutil.rmtree(tmp)
