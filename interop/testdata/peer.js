// A peer that uses the npm package ws. It takes commands as lines of JSON on
// standard input and tells what happens as lines of JSON on standard output.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const WebSocket = require('ws');

const conns = [];

function tell(event) {
  fs.writeSync(1, JSON.stringify(event) + '\n');
}

// deflate makes the options of what is to be agreed on.
function deflate(d) {
  return d && {
    threshold: 0,
    serverMaxWindowBits: d.serverBits,
    clientMaxWindowBits: d.clientBits,
    serverNoContextTakeover: d.serverFresh,
    clientNoContextTakeover: d.clientFresh,
  };
}

function watch(ws, conn, echo) {
  conns[conn] = ws;
  if (echo) ws.on('message', (data, binary) => ws.send(data, { binary }));
  else ws.on('message', (data, binary) => tell({ kind: 'message', conn, binary, data: data.toString('base64') }));
  ws.on('ping', (data) => tell({ kind: 'ping', conn, data: data.toString('base64') }));
  ws.on('pong', (data) => tell({ kind: 'pong', conn, data: data.toString('base64') }));
  ws.on('close', (code, reason) => tell({ kind: 'closed', conn, code, reason: reason.toString() }));
}

const commands = {
  listen({ cert, key, subprotocols, compression, echo }) {
    const server = cert
      ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) })
      : http.createServer();
    const wss = new WebSocket.Server({
      server,
      perMessageDeflate: deflate(compression) || false,
      handleProtocols: (offered) => (subprotocols || []).find((name) => offered.has(name)) || false,
    });
    wss.on('connection', (ws) => {
      const conn = Math.max(1, conns.length);
      ws.on('error', (err) => tell({ kind: 'note', conn, reason: err.message }));
      watch(ws, conn, echo);
      tell({ kind: 'open', conn, subprotocol: ws.protocol });
    });
    server.listen(0, '127.0.0.1', () => tell({ kind: 'listening', port: server.address().port }));
  },
  dial({ url, ca, origin, subprotocols, compression, echo }) {
    const conn = Math.max(1, conns.length);
    const ws = new WebSocket(url, subprotocols, {
      origin,
      ca: ca && fs.readFileSync(ca),
      perMessageDeflate: deflate(compression) || true,
    });
    let answered = false;
    ws.on('unexpected-response', (req, res) => {
      answered = true;
      tell({ kind: 'refused', conn, code: res.statusCode });
      req.destroy();
    });
    ws.on('error', (err) => tell({ kind: answered ? 'note' : 'error', conn, reason: err.message }));
    ws.on('open', () => { answered = true; tell({ kind: 'open', conn, subprotocol: ws.protocol }); });
    watch(ws, conn, echo);
  },
  send({ conn, binary, data }) {
    const bytes = Buffer.from(data, 'base64');
    conns[conn].send(binary ? bytes : bytes.toString(), { binary });
  },
  fragments({ conn, binary, parts, data }) {
    parts.forEach((part, i) => {
      conns[conn].send(Buffer.from(part, 'base64'), { binary, fin: i === parts.length - 1 });
      if (i < parts.length - 1) conns[conn].ping(Buffer.from(data, 'base64'));
    });
  },
  ping({ conn, data }) {
    conns[conn].ping(Buffer.from(data, 'base64'));
  },
  raw({ conn, data }) {
    conns[conn]._socket.write(Buffer.from(data, 'base64'));
  },
  close({ conn, code, reason }) {
    if (code) conns[conn].close(code, reason);
    else conns[conn].close();
  },
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => { const c = JSON.parse(line); commands[c.do](c); })
  .on('close', () => process.exit());
tell({ kind: 'ready' });
