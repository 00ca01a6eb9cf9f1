#!/usr/bin/env bash
# Inspect captures of a size (default 1 GiB) beside tshark: many small messages,
# few large ones, 100,000 connections. Prints CPU seconds, wall time and the
# most resident memory of each. Run it in a checkout: bench.sh [BYTES [SHAPE...]]
set -euo pipefail
cd "$(dirname "$0")"
size=${1:-1073741824}
shapes=("${@:2}")
[ ${#shapes[@]} -gt 0 ] || shapes=(small large conns)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/wiretrue" ../../wiretrue
go build -o "$tmp/gencapture" ../synth/gencapture

# measured NAME COMMAND...: its CPU, wall time and memory.
measured() {
  python3 - "$@" <<'PY'
import os, subprocess, sys, time
name, command = sys.argv[1], sys.argv[2:]
start = time.monotonic()
p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(p.pid, 0)
wall, cpu = time.monotonic() - start, used.ru_utime + used.ru_stime
print(f"  {name:22} CPU {cpu:7.1f} s   wall {wall:7.1f} s   memory {used.ru_maxrss // 1024:5} MiB   exit {os.waitstatus_to_exitcode(status)}", flush=True)
PY
}

fields=(-T fields -Y websocket -e tcp.stream -e websocket.opcode -e websocket.payload_length)
for shape in "${shapes[@]}"; do
  file=$tmp/$shape.pcap
  "$tmp/gencapture" -size "$size" -shape "$shape" >"$file"
  echo "$shape: $(stat -c %s "$file") bytes"
  measured "inspect --connections" "$tmp/wiretrue" inspect --connections "$file"
  measured "inspect -T fields" "$tmp/wiretrue" inspect "${fields[@]}" "$file"
  if command -v tshark >/dev/null; then
    measured "tshark -T fields" tshark -n -r "$file" "${fields[@]}"
  fi
  rm "$file"
done
