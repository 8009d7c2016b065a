#!/usr/bin/env python3
"""The sample model's weights of flash and hicom: does `winnow reduce` take them as they are, with the settings that their
metadata names, and make of random rows what the formulas in the stages' head comments give here in float64?

usage: check_queries.py WINNOW      (python3, numpy)
"""
import glob
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "samples", "video_qa")
sys.path.insert(0, os.path.join(SAMPLE, "train"))
import weights

FRAMES, SIDE, WIDTH = 8, 6, 128
TOLERANCE = 1e-4  # of the largest number: products of some hundreds before a softmax, in f32


def shares(products):
    e = np.exp(products - products.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def flash(tokens, w, about):
    sets = tokens.reshape(FRAMES if about["frames"] == "each" else 1, -1, WIDTH)
    return np.concatenate([shares(w["queries"] @ x.T) @ x for x in sets])


def dense(w, name, x):
    return x @ w[name + ".weight"] + w[name + ".bias"]


def mlp(w, name, x):
    h = dense(w, name + ".0", x)
    return dense(w, name + ".2", 0.5 * h * (1 + np.vectorize(math.erf)(h / math.sqrt(2))))


def adapted(w, kind, x, made):
    made = made - made.mean(-1, keepdims=True)
    made = made / np.sqrt((made ** 2).mean(-1, keepdims=True) + 1e-6)
    a = w[kind + "_alpha"][0]
    return (1 - a) * x + a * (made * w[kind + "_norm.weight"] + w[kind + "_norm.bias"])


def resized(x, axis, out):
    """A linear resize along an axis, the corners not aligned."""
    n = x.shape[axis]
    at = np.maximum((np.arange(out) + 0.5) * n / out - 0.5, 0)
    low = np.minimum(at.astype(int), n - 1)
    part = (at - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return x.take(low, axis) * (1 - part) + x.take(np.minimum(low + 1, n - 1), axis) * part


def hicom(tokens, w, about):
    w = {name.replace("local_compressor.", "", 1): x for name, x in w.items()}
    size = [int(about[n]) for n in ("temporal", "spatial", "spatial")]
    q = tokens.reshape(FRAMES, SIDE, SIDE, WIDTH)
    grid = [n // k for n, k in zip(q.shape, size)]
    for axis in range(3):
        q = resized(q, axis, grid[axis])
    q = q.reshape(-1, WIDTH)
    q = adapted(w, "q", q, dense(w, "q_proj", q))
    cut = [n for pair in zip(grid, size) for n in pair]

    def windows(kind):
        x = adapted(w, kind, tokens, mlp(w, kind + "_proj", tokens))
        return x.reshape(*cut, WIDTH).transpose(0, 2, 4, 1, 3, 5, 6).reshape(len(q), -1, WIDTH)

    share = shares(np.einsum("nkd,nd->nk", windows("k"), q) / math.sqrt(WIDTH))
    return mlp(w, "readout", np.einsum("nk,nkd->nd", share, windows("v")))


def main():
    tokens = np.random.default_rng(7).normal(0, 4, (FRAMES * SIDE * SIDE, WIDTH)).astype(np.float32)
    paths = sorted(glob.glob(os.path.join(SAMPLE, "model", "*.safetensors")))
    checked = set()
    with tempfile.TemporaryDirectory() as folder:
        given, made = (os.path.join(folder, n) for n in ("in.safetensors", "out.safetensors"))
        weights.store(given, {}, {"tokens": tokens.reshape(FRAMES, -1, WIDTH),
                                  "grid": np.array([FRAMES, SIDE, SIDE], np.int32)})
        for path in paths:
            about, w = weights.read(path)
            stage = about["winnow.stage"]
            if stage not in ("flash", "hicom"):
                continue
            told = "".join(":%s=%s" % pair for pair in about.items() if not pair[0].startswith("winnow."))
            link = os.path.join(folder, "w.safetensors")  # a path without signs that a pipeline gives a meaning to
            os.symlink(os.path.abspath(path), link)
            subprocess.run([sys.argv[1], "reduce", given, "-o", made, "--backend", "cpu", "--order", "method",
                            "--pipeline", "%s=weights=%s%s" % (stage, link, told)], check=True)
            os.remove(link)
            got = weights.read(made)[1]["tokens"]
            expect = {"flash": flash, "hicom": hicom}[stage](
                tokens.astype(np.float64), {n: x.astype(np.float64) for n, x in w.items()}, about)
            assert got.shape == expect.shape, (path, got.shape, expect.shape)
            far = np.abs(got - expect).max() / np.abs(expect).max()
            print("%s: %d rows, they differ by %.2g of the largest number" % (os.path.basename(path), len(got), far))
            assert far <= TOLERANCE
            checked.add(stage)
    assert checked == {"flash", "hicom"}, paths


if __name__ == "__main__":
    main()
