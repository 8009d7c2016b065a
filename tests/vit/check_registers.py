#!/usr/bin/env python3
"""Stages inside the layers of a model with register tokens, against numpy in double precision.

usage: check_registers.py WINNOW MODELS_DIR [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's. The model is transformers' Dinov2WithRegistersModel; its layers are computed here from
the rows that it begins with (tap hidden:0: class token, registers, patches). Behind the layer named, fastervlm keeps
the patches of largest class attention (mean over heads) in the order of the picture; divprune, which knows no
attention, is told by its own indices. Later layers see the class token, all registers and what was kept. Compared: the
patches kept, exactly, and their rows and the class token's to 1e-4. A stage of all rows (ficoco) is refused.
Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io
from check_models import PICTURES, off
from numpy_layers import linear, norm, softmax

MODEL, HEADS, REGISTERS, EPS = "dinov2-registers", 3, 4, 1e-6
# picture, stage, keep, layer
CASES = [("square", "fastervlm", 5, 0), ("wide", "fastervlm", 9, 0), ("odd", "fastervlm", 1, 0), ("square", "divprune", 6, 0),
         ("square", "fastervlm", 7, 1)]
erf = np.vectorize(math.erf)


def layer(x, w, l):
    """(the rows after layer l, the class token's attention to every row, heads averaged)."""
    at, n = "encoder.layer.%d." % l, len(x)
    h = norm(x, w, at + "norm1", EPS)
    q, k, v = (linear(h, w, at + "attention.attention." + c).reshape(n, HEADS, -1).transpose(1, 0, 2)
               for c in ("query", "key", "value"))
    a = softmax(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1]))
    out = linear((a @ v).transpose(1, 0, 2).reshape(n, -1), w, at + "attention.output.dense")
    x = x + out * w[at + "layer_scale1.lambda1"]
    f = linear(norm(x, w, at + "norm2", EPS), w, at + "mlp.fc1")
    f = linear(0.5 * f * (1 + erf(f / math.sqrt(2))), w, at + "mlp.fc2")
    return x + f * w[at + "layer_scale2.lambda1"], a[:, 0].mean(0)


def oracle(x, w, stage, keep, where, chosen):
    front = 1 + REGISTERS
    kept = np.arange(len(x) - front)
    for l in range(1 + max(int(k.split(".")[2]) for k in w if k.startswith("encoder.layer."))):
        x, attention = layer(x, w, l)
        if l == where:
            kept = np.sort(np.argsort(-attention[front:], kind="stable")[:keep]) if stage == "fastervlm" else chosen
            x = np.vstack([x[:front], x[front:][kept]])
    return norm(x, w, "layernorm", EPS), kept


def encode(exe, model, picture, more):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.safetensors")
        p = subprocess.run([exe, "encode", "--model", model, os.path.join(PICTURES, picture + ".png"), "-o", out] + more,
                           capture_output=True, text=True, timeout=300)
        return p, safetensors_io.read(out)[1] if p.returncode == 0 else None


def check(exe, model, w, case, extra):
    """('' or why it fails, the largest error)."""
    picture, stage, keep, where = case
    spec = "%s=keep=%d:layers=%d" % (stage, keep, where)
    p, got = encode(exe, model, picture, ["--pipeline", spec, "--taps", "hidden:0,final"] + extra)
    if got is None:
        return "exit %d: %s" % (p.returncode, p.stderr.strip()), 0
    x, kept = oracle(got["hidden.0"][0].astype(np.float64), w, stage, keep, where, got["indices"])
    if got["indices"].tolist() != kept.tolist():
        return "patches %s, expected %s" % (got["indices"].tolist(), kept.tolist()), 0
    errors = [off(got["tokens"], x[1 + REGISTERS:]), off(got["final"].reshape(-1, x.shape[1])[:1 + REGISTERS], x[:1 + REGISTERS])]
    return "" if max(errors) <= 1e-4 else "off by %s" % errors, max(errors)


def refused(exe, model, extra):
    p, _ = encode(exe, model, "square", ["--pipeline", "ficoco=r=2:layers=0"] + extra)
    return "" if p.returncode and "register tokens" in p.stderr else "ficoco was not refused: %s" % p.stderr


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    exe, model, extra = sys.argv[1], os.path.join(sys.argv[2], MODEL), sys.argv[3:]
    w = {k: v.astype(np.float64) for k, v in safetensors_io.read(os.path.join(model, "model.safetensors"))[1].items()}
    results = [(" ".join(map(str, c)), *check(exe, model, w, c, extra)) for c in CASES]
    results.append(("a stage of all rows", refused(exe, model, extra), 0))
    for name, why, worst in results:
        print("%s %s%s" % ("FAIL" if why else "ok  ", name, ": " + why if why else " (%.1e)" % worst))
    failed = sum(bool(why) for _, why, _ in results)
    print("%d passed, %d failed" % (len(results) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
