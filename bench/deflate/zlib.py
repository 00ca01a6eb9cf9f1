"""Compress or inflate a conversation with zlib and print bytes and seconds.

Standard input: for each message its length as four bytes, big endian, and
the message. Arguments: window bits, level, "takeover", "reset" or
"inflate".
"""
import struct
import sys
import time
import zlib

bits, level, mode = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
data = sys.stdin.buffer.read()
messages = []
while data:
    (n,) = struct.unpack(">I", data[:4])
    messages.append(data[4 : 4 + n])
    data = data[4 + n :]

best = None
for _ in range(3):
    total = 0
    start = time.process_time()
    if mode == "inflate":
        d = zlib.decompressobj(-bits)
        for m in messages:
            total += len(d.decompress(m + b"\0\0\xff\xff"))
    elif mode == "takeover":
        c = zlib.compressobj(level, zlib.DEFLATED, -bits, 8)
        for m in messages:
            total += len(c.compress(m)) + len(c.flush(zlib.Z_SYNC_FLUSH)) - 4
    else:
        for m in messages:
            c = zlib.compressobj(level, zlib.DEFLATED, -bits, 8)
            total += len(c.compress(m)) + len(c.flush(zlib.Z_SYNC_FLUSH)) - 4
    seconds = time.process_time() - start
    best = seconds if best is None else min(best, seconds)
print(total, best)
