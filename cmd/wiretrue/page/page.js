"use strict";

const $ = (id) => document.getElementById(id);
const here = location.origin.replace(/^http/, "ws");
const longest = 1024; // bytes of a message that are shown
const most = 1000; // lines that are kept

let socket = null;
let counts = { sent: 0, received: 0 };

$("url").value = here + "/echo";
for (const path of ["/echo", "/chat", "/time", "/services"]) {
  $("urls").append(new Option("", here + path));
}

function show(kind, what, text, type, size = "") {
  const line = document.createElement("li");
  line.className = kind;
  line.dataset.type = type;
  const time = document.createElement("time");
  time.textContent = new Date().toISOString().slice(11, 23);
  const label = document.createElement("span");
  label.className = "what";
  label.textContent = what;
  const bytes = document.createElement("span");
  bytes.className = "size";
  bytes.textContent = size;
  const content = document.createElement("span");
  content.className = "content";
  content.textContent = text;
  line.append(time, label, bytes, content);
  const log = $("log");
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  log.append(line);
  while (log.childElementCount > most) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function showMessage(direction, data) {
  const text = typeof data === "string";
  const size = text ? new TextEncoder().encode(data).length : data.byteLength;
  let content = text ? data.slice(0, longest) : toHex(new Uint8Array(data).subarray(0, longest));
  if (size > longest && (!text || data.length > longest)) content += " …";
  const arrow = direction === "sent" ? "→" : "←";
  const type = text ? "text" : "binary";
  show(direction, `${arrow} ${type}`, content, type, `${size} B`);
  counts[direction]++;
  $("counts").textContent = `${counts.sent} sent, ${counts.received} received`;
}

function toHex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}

function fromHex(text) {
  const digits = text.replace(/0x/gi, "").replace(/[\s,:]/g, "");
  if (/[^0-9a-f]/i.test(digits)) throw new Error("Only 0 to 9 and a to f are hexadecimal digits.");
  if (digits.length % 2) throw new Error("A byte has two digits; one is missing.");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function setState(text, kind = "") {
  $("state").textContent = text;
  $("state").className = kind;
  const open = kind === "open";
  for (const id of ["send-text", "send-binary", "close"]) $(id).disabled = !open;
  $("connect").textContent = open || kind === "opening" ? "Disconnect" : "Connect";
}

function connect() {
  const url = $("url").value.trim();
  const protocols = $("protocols").value.split(/[\s,]+/).filter(Boolean);
  let ws;
  try {
    ws = new WebSocket(url, protocols);
  } catch (e) {
    setState("not connected", "failed");
    show("failed", "refused", e.message, "end");
    return;
  }
  socket = ws;
  ws.binaryType = "arraybuffer";
  let opened = false;
  setState(`connecting to ${ws.url} …`, "opening");
  ws.onopen = () => {
    opened = true;
    setState(`connected${ws.protocol ? ", " + ws.protocol : ""}`, "open");
    show("event", "open", ws.url + (ws.protocol ? `, subprotocol ${ws.protocol}` : ""), "open");
  };
  ws.onmessage = (e) => showMessage("received", e.data);
  ws.onclose = (e) => {
    if (socket === ws) socket = null;
    const clean = opened && e.wasClean;
    const reason = e.reason ? `, “${e.reason}”` : "";
    setState(clean ? `closed ${e.code}` : "not connected", clean ? "" : "failed");
    let text = `${e.code}${reason}`;
    if (!opened) text += ": the handshake failed; the server's terminal, or wiretrue dial, says why";
    else if (!e.wasClean) text += ": without a closing handshake";
    show(clean ? "event" : "failed", opened ? "closed" : "refused", text, "end");
  };
}

$("open").addEventListener("submit", (e) => {
  e.preventDefault();
  if (socket) socket.close(1000);
  else connect();
});

for (const preset of document.querySelectorAll("[data-path]")) {
  preset.addEventListener("click", () => {
    $("url").value = here + preset.dataset.path;
    $("protocols").value = preset.dataset.protocol ?? "";
    $("connect").focus();
  });
}

function send(data) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(data);
  showMessage("sent", data);
}

$("text-form").addEventListener("submit", (e) => {
  e.preventDefault();
  send($("text").value);
  $("text").select();
});

$("text").addEventListener("keydown", (e) => {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
    e.preventDefault();
    $("text-form").requestSubmit();
  }
});

$("binary-form").addEventListener("submit", (e) => {
  e.preventDefault();
  $("hex-error").textContent = "";
  try {
    send(fromHex($("hex").value).buffer);
    $("hex").select();
  } catch (err) {
    $("hex-error").textContent = err.message;
  }
});

$("close-form").addEventListener("submit", (e) => {
  e.preventDefault();
  $("close-error").textContent = "";
  try {
    socket?.close(Number($("code").value), $("reason").value);
  } catch {
    $("close-error").textContent = "A page may close with 1000 or 3000 to 4999, and a reason of up to 123 bytes.";
  }
});

$("clear").addEventListener("click", () => {
  $("log").replaceChildren();
  counts = { sent: 0, received: 0 };
  $("counts").textContent = "";
});

setState("not connected");
