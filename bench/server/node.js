const { WebSocketServer } = require('ws');
const [mode, limit] = process.argv.slice(1);
const deflate = {
  'echo-takeover': true,
  'echo-reset': { serverNoContextTakeover: true, clientNoContextTakeover: true },
}[mode] || false;
const server = new WebSocketServer({
  host: '127.0.0.1', port: 0, backlog: 4096, maxPayload: Number(limit), perMessageDeflate: deflate,
}, () => console.log(server.address().port));
server.on('connection', (ws) => {
  ws.on('error', () => {});
  ws.on('message', (data, binary) => {
    if (mode === 'broadcast') for (const c of server.clients) c.send(data, { binary });
    else ws.send(data, { binary });
  });
});
require('readline').createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'gc') global.gc();
    console.log('{}');
  })
  .on('close', () => process.exit(0));
