#!/usr/bin/env python3
"""Stages that look at the attention or the tokens of an early layer, behind an encoder, against numpy in double precision.

usage: check_shallow.py WINNOW MODELS_DIR [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's. Attention is computed here from the taps of queries and keys of two layers, all rows;
what hiprune (received attention, the class token among the queries) and vscan (class attention, or received where there
is no class token) keep comes from tests/tools/vector_shares.py; clse's tokens of the early layer are the tap of hidden states,
and what it keeps comes from vector_spectral.py. Compared: the indices, exactly.
Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import safetensors_io
import vector_methods
import vector_shares
import vector_spectral
from check_models import PICTURES
from numpy_layers import softmax


class TooClose(Exception):
    """A choice between numbers that f32 may not tell apart."""


vector_methods.TooClose = TooClose
# model, heads, class token first, picture, stage, options, shallow layer, deep layer
CASES = [("clip", 4, True, "square", "hiprune", dict(keep=7, alpha=1.0, mode="paper"), 0, 1),
         ("clip", 4, True, "square", "hiprune", dict(keep=6, alpha=0.5, mode="paper"), 1, 0),
         ("clip", 4, True, "square", "vscan", dict(keep=9, window=2), 0, 1),
         ("siglip", 3, False, "square", "hiprune", dict(keep=8, alpha=1.0, mode="paper"), 0, 1),
         ("siglip", 3, False, "square", "vscan", dict(keep=9, window=2), 0, 1),
         ("clip", 4, True, "square", "clse", dict(keep=7, score="change"), 1, 1),
         ("clip", 4, True, "square", "clse", dict(keep=5, score="change", cutoff=0.5, temperature=1), 0, 1),
         ("siglip", 3, False, "square", "clse", dict(keep=8, score="change", temperature=1), 1, 1)]


def encode(exe, model, picture, more):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.safetensors")
        p = subprocess.run([exe, "encode", "--model", model, os.path.join(PICTURES, picture + ".png"), "-o", out] + more,
                           capture_output=True, text=True)
        if p.returncode:
            raise SystemExit(p.stderr)
        return safetensors_io.read(out)[1]


def attention(taps, layer, heads):
    """[heads, rows, rows] of the one picture."""
    q, k = (np.asarray(taps["%s.%d" % (name, layer)], np.float64) for name in ("queries", "keys"))
    q, k = (x.reshape(-1, heads, x.shape[-1] // heads).transpose(1, 0, 2) for x in (q, k))
    return softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]))


def expected(tokens, grid, taps, case):
    _, heads, has_class, _, stage, options, shallow, deep = case
    if stage == "clse":
        early = np.asarray(taps["hidden.%d" % shallow], np.float64)
        early = early.reshape(1, -1, early.shape[-1])[:, 1 if has_class else 0:]
        more = (options["score"], options.get("cutoff", 0.1), options.get("temperature", 0.1))
        return vector_spectral.clse(tokens, early, None, tuple(grid[1:]), options["keep"], *more)
    maps = [attention(taps, layer, heads) for layer in (shallow, deep)]
    front = 1 if has_class else 0
    received = [a.mean((0, 1))[None, front:] for a in maps]
    if stage == "hiprune":
        return vector_shares.hiprune(tokens, *received, options["keep"], options["alpha"], grid[2])
    rows = [(a[:, 0, front:] if has_class else a.mean(1))[None] for a in maps]
    return vector_shares.vscan(tokens, *rows, options["keep"], grid[2], options["window"])


def main():
    exe, models, *extra = sys.argv[1:]
    bad = 0
    for case in CASES:
        name, _, _, picture, stage, options, shallow, deep = case
        spec = "%s=%s:shallow=%d:layer=%d" % (stage, ":".join("%s=%s" % o for o in options.items()), shallow, deep)
        model = os.path.join(models, name)
        layers = sorted({shallow, deep})
        taps = encode(exe, model, picture, ["--taps", ",".join("queries:%d,keys:%d,hidden:%d" % (l, l, l) for l in layers), *extra])
        tokens = np.asarray(taps["tokens"], np.float64)
        tokens = tokens.reshape(1, -1, tokens.shape[-1])
        got = encode(exe, model, picture, ["--pipeline", spec, *extra])["indices"].tolist()
        want = list(map(int, expected(tokens, taps["grid"], taps, case)["indices"]))
        bad += got != want
        print("%s %s %s%s" % ("ok  " if got == want else "FAIL", name, spec,
                              "" if got == want else ": %s, expected %s" % (got, want)))
    print("%d passed, %d failed" % (len(CASES) - bad, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
