const [mode, limit] = process.argv.slice(-2);
const compress = mode.startsWith('echo-');
const how = mode === 'echo-takeover' ? 'dedicated' : 'shared';
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: (request, server) => server.upgrade(request) ? undefined : new Response('', { status: 400 }),
  websocket: {
    maxPayloadLength: Number(limit),
    perMessageDeflate: compress ? { compress: how, decompress: how } : false,
    open: (ws) => { if (mode === 'broadcast') ws.subscribe('all'); },
    message: (ws, message) => {
      if (mode === 'broadcast') server.publish('all', message);
      else ws.send(message, compress);
    },
  },
});
console.log(server.port);
for await (const line of console) {
  if (line === 'gc') Bun.gc(true);
  console.log('{}');
}
process.exit(0);
