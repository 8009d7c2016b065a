#!/usr/bin/env python3
"""Sizes at which long loops matter: the GPU's output equals plain C's, byte for byte, and no row is missing.

usage: check_sizes.py WINNOW

llvmpipe before Mesa 25 leaves the loops of a shader after 65535 iterations without a word; these sizes pass that.
"""
import array
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

#         pipeline, frames, tokens, dim, key dim, rows (None: depends on the content)
CASES = (("vispruner=keep=64", 1, 576, 64, 8, 64), ("vispruner=keep=200", 1, 1601, 16, 8, 200),
         ("cdpruner=keep=192", 1, 576, 64, 8, 192), ("cdpruner=keep=300", 1, 1024, 16, 8, 300),
         ("cdpruner=keep=120:weight=0.5:split=100", 2, 576, 16, 8, 240),
         ("divprune=keep=2900", 1, 2916, 8, 8, 2900), ("tome=r=200", 1, 1024, 8, 1152, 824),
         ("tome=r=100", 5, 333, 8, 700, 1165), ("tome=keep=100", 3, 576, 8, 256, 300),
         ("visionzip=dominant=100:contextual=300", 1, 1024, 8, 1152, 400),
         ("prumerge=ratio=0.3", 1, 1024, 8, 256, 308), ("prumerge-plus", 1, 576, 16, 64, None))


def numbers(count, draw):
    return array.array("f", [draw() for _ in range(count)])


def write_case(path, frames, tokens, dim, key_dim):
    gauss = lambda: random.gauss(0, 1)
    tensors = {"tokens": ([frames, tokens, dim], gauss), "keys": ([frames, tokens, key_dim], gauss),
               "cls_attention": ([frames, 4, tokens], random.random),
               "image_embeds": ([frames, tokens, 8], gauss), "text": ([2, 8], gauss)}
    head, data = {}, b""
    for name, (shape, draw) in tensors.items():
        count = 1
        for size in shape:
            count *= size
        raw = numbers(count, draw).tobytes()
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(size))
        data = file.read()
    head.pop("__metadata__", None)
    return {name: (t["shape"], data[t["data_offsets"][0]:t["data_offsets"][1]]) for name, t in head.items()}


def main():
    exe, bad = sys.argv[1], 0
    random.seed(5)
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "in")
        for pipeline, frames, tokens, dim, key_dim, rows in CASES:
            write_case(source, frames, tokens, dim, key_dim)
            out = {}
            for backend in ("cpu", "gpu"):
                path = os.path.join(folder, backend)
                subprocess.run([exe, "reduce", source, "-o", path, "--pipeline", pipeline, "--backend", backend],
                               check=True, stdout=subprocess.DEVNULL)
                out[backend] = read(path)
            got = out["gpu"]["indices"][0][0]
            same = out["cpu"] == out["gpu"] and (rows is None or got == rows)
            bad += not same
            print("%s %s, %d x %d, keys %d: %d rows" % ("ok  " if same else "FAIL", pipeline, frames, tokens, key_dim, got))
    print("%d passed, %d failed" % (len(CASES) - bad, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
