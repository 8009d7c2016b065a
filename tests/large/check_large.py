#!/usr/bin/env python3
"""Tensors larger than one storage-buffer binding (128 MiB on lavapipe): the GPU's output equals plain C's, byte for byte.

usage: check_large.py WINNOW
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

FRAMES, TOKENS, DIM = 48, 196, 3584  # 134,873,088 bytes of f32
PIPELINES = ("evs=rate=0.9", "tome=r=1:metric=tokens", "avg-pool=stride=3", "pixel-shuffle=factor=2")


def write_tokens(path):
    size = FRAMES * TOKENS * DIM * 4
    assert size > 128 << 20
    frame = size // FRAMES
    data = bytearray()
    block = bytearray(os.urandom(frame))  # random bits ...
    block[3::4] = bytes(0x3F if b & 1 else 0xBF for b in block[3::4])  # ... of numbers around 1, of both signs
    for t in range(FRAMES):
        block[4 * 7 * t + 1] ^= 0x55  # every frame differs a little
        block[frame // 2:frame // 2 + 4096] = block[4 * 97 * t:4 * 97 * t + 4096]
        data += block
    head = json.dumps({"tokens": {"dtype": "F32", "shape": [FRAMES, TOKENS, DIM], "data_offsets": [0, size]},
                       "grid": {"dtype": "I32", "shape": [3], "data_offsets": [size, size + 12]}}).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data + struct.pack("<3i", FRAMES, 14, 14))


def tensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(size))
        data = file.read()
    head.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[t["data_offsets"][0]:t["data_offsets"][1]]) for name, t in head.items()}


def main():
    exe, bad = sys.argv[1], 0
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "in.safetensors")
        write_tokens(source)
        for pipeline in PIPELINES:
            out = {}
            for backend in ("cpu", "gpu"):
                path = os.path.join(folder, backend)
                subprocess.run([exe, "reduce", source, "-o", path, "--pipeline", pipeline, "--backend", backend],
                               check=True, stdout=subprocess.DEVNULL)
                out[backend] = tensors(path)
            differs = [name for name in out["cpu"] if out["cpu"][name] != out["gpu"].get(name)]
            bad += bool(differs)
            print("%s %s%s" % ("FAIL" if differs else "ok  ", pipeline, " differs in " + ", ".join(differs) if differs else ""))
    print("%d passed, %d failed" % (len(PIPELINES) - bad, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
