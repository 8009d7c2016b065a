#!/usr/bin/env python3
"""Writes the cases of `explain` in tests/vectors/extra and their weights in tests/vectors/weights.

usage: vector_explain.py [DIR]      (python3, numpy, torch)

The network once more by torch's own convolutions in float64, from the description in plugin/stages/explain.c. A pick between
scores that f32 might see otherwise is not taken: another seed is.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

from make_vectors import Case, TooClose
from vector_file import write

# name, frames, rows, columns, channels of a token, heads, rows of text, kernel, layers, options
# A layer is (channels out, kind): full, mix (no kernel), or apart (channel by channel, then the mix).
CASES = [
    ("explain-0", 1, 7, 9, 6, 4, 5, "3x3", [(8, "full"), (8, "full"), (8, "full"), (8, "full"), (1, "full")], ""),
    ("explain-1", 3, 5, 11, 5, 3, 2, "5", [(8, "apart"), (16, "apart"), (24, "apart"), (32, "apart"), (40, "apart"), (1, "mix")],
     "keep=25%"),
    ("explain-2", 2, 23, 29, 2, 1, 1, "3x3", [(5, "full"), (7, "apart"), (3, "mix"), (1, "full")], "keep=101"),
    ("explain-3", 5, 1, 13, 3, 7, 3, "1x3", [(9, "apart"), (1, "apart")], "keep=4:frames=each"),
    ("explain-4", 2, 6, 5, 4, 2, 11, "5x3", [(33, "full"), (6, "mix"), (1, "full")], "keep=50%:frames=each"),
    ("explain-5", 1, 1, 1, 4, 2, 1, "7", [(4, "full"), (1, "apart")], "keep=10%"),
    ("explain-6", 4, 19, 17, 2, 2, 4, "7", [(6, "full"), (40, "mix"), (1, "full")], "keep=10%"),
]


def sides(kernel):
    return tuple(int(k) for k in kernel.split("x")) if "x" in kernel else (1, int(kernel))


def make_weights(c, layers, width, kernel, heads_apart):
    """Tensors as the file has them: matrices [kernel*in, out], rounded to what is stored."""
    taps, out = kernel[0] * kernel[1], {}

    def put(name, x):
        out[name] = x.astype(np.float16 if c.random.integers(2) else np.float32)

    for i, (channels, kind) in enumerate(layers):
        name, rows = f"layer{i + 1}", width if kind != "full" else taps * width
        if kind == "apart":
            put(name + ".depth.weight", c.random.standard_normal((taps, width)) * taps ** -0.5)
            if i % 2:
                put(name + ".depth.bias", c.random.standard_normal(width) * 0.2)
        put(name + ".weight", c.random.standard_normal((rows, channels)) * (2 / rows) ** 0.5)
        if i % 3 != 2:
            put(name + ".bias", c.random.standard_normal(channels) * 0.2)
        width = channels
    first = "layer1.depth.weight" if layers[0][1] == "apart" else "layer1.weight"
    out[first] = (out[first] * np.float32(heads_apart)).astype(np.float32)  # attention is small
    return out


def run(weights, x, kernel, layers):
    """x [T, C, h, w] to relevance [T, h, w]."""
    got = {k: torch.from_numpy(v.astype(np.float64)) for k, v in weights.items()}
    (kh, kw), pad = kernel, (kernel[0] // 2, kernel[1] // 2)
    for i, (channels, kind) in enumerate(layers):
        name, width = f"layer{i + 1}", x.shape[1]
        weight = got[name + ".weight"]
        if kind == "apart":
            each = got[name + ".depth.weight"].t().reshape(width, 1, kh, kw)
            x = F.conv2d(x, each, got.get(name + ".depth.bias"), padding=pad, groups=width)
        if kind == "full":
            x = F.conv2d(x, weight.reshape(kh, kw, width, channels).permute(3, 2, 0, 1), got.get(name + ".bias"), padding=pad)
        else:
            x = F.conv2d(x, weight.t()[:, :, None, None], got.get(name + ".bias"))
        if i + 1 < len(layers):
            x = F.relu(x)
    return x[:, 0]


def kept(options, n):
    keep = dict(o.split("=") for o in options.split(":") if o).get("keep", "50%")
    count = int(n * float(keep[:-1]) / 100) if keep.endswith("%") else int(keep)
    return min(max(count, 1), n)


def best(score, count):
    order = np.argsort(-score, kind="stable")
    if count < len(score) and score[order[count - 1]] - score[order[count]] < 2e-4 * np.abs(score).max():
        raise TooClose
    return np.sort(order[:count])


def make(case, frames, h, w, dim, heads, text, kernel, layers, options):
    n, grid = h * w, "x" in kernel
    tokens = case.normal("tokens", frames, n, dim)
    case.grid(frames, h, w)
    attention = case.attention("text_attention", heads, text, frames * n).mean(1)
    channels = 1 if layers[0][1] == "apart" and not grid else heads
    x = torch.from_numpy(attention if channels == heads else attention.mean(0, keepdims=True))
    x = x.reshape(channels, frames, h, w).transpose(0, 1) if grid else x.reshape(1, channels, 1, frames * n)
    weights = make_weights(case, layers, channels, sides(kernel), frames * n)
    score = run(weights, x, sides(kernel), layers).numpy().reshape(frames, n)
    if "each" in options:
        at = np.concatenate([t * n + best(score[t], kept(options, n)) for t in range(frames)])
    else:
        at = best(score.reshape(-1), kept(options, frames * n))
    goes = np.full(frames * n, -1, np.int32)
    goes[at] = np.arange(len(at))
    places = np.stack([at // n, at % n // w, at % w], 1)
    return weights, {"tokens": tokens.reshape(-1, dim)[at].astype(np.float32), "indices": at.astype(np.int32),
                     "sizes": np.ones(len(at), np.float32), "positions": places.astype(np.int32), "assignment": goes}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "vectors")
    for name, frames, h, w, dim, heads, text, kernel, layers, options in CASES:
        for seed in range(500):
            case = Case([seed, *name.encode()])
            try:
                weights, expect = make(case, frames, h, w, dim, heads, text, kernel, layers, options)
                break
            except TooClose:
                continue
        else:
            raise SystemExit(f"{name}: no seed gives scores that are far enough apart")
        write(os.path.join(folder, "weights", name + ".safetensors"), weights,
              {"winnow.stage": "explain", "winnow.version": "1", "kernel": kernel})
        spec = f"explain=weights=../weights/{name}.safetensors" + (":" + options if options else "")
        write(os.path.join(folder, "extra", name + ".safetensors"),
              {**case.tensors, **{"expect." + k: v for k, v in expect.items()}},
              {"pipeline": spec, "source": "tests/tools/vector_explain.py, the paper's description by torch in float64"})


if __name__ == "__main__":
    main()
