#!/usr/bin/env python3
"""Runs `winnow encode` with ficoco mode=paper and compares with the paper's formulas in numpy, in double precision.

usage: check_paper.py WINNOW MODELS_DIR [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's. No official code computes this; the formulas (arXiv:2411.17686, section 3) are read as
plugin/stages/ficoco.c says. Of each layer named, between attention and MLP, with A the softmax of each head and S the heads'
mean logits: v_i = (1-lambda) mean_q A[q, i] - lambda A[class, i], heads averaged, q all tokens but the class token; in each
2 x 2 window of the picture's grid the token of largest v there is raised, v = v/2 if v < 0, else 2v; the r of largest v go.
Token t is shared among the tokens j that stay and have S[t, j] above the quantile of S[t, staying ones], by
a_tj = softmax of those S[t, j]: x_j = (x_j + sum a_tj x_t) / (1 + sum a_tj). Compared are the tokens that are left, exactly,
their rows and sizes to 1e-4. FiCoCo in both, encoder and language model, is this and then `winnow reduce` with ficoco-l and a
model's attention: one case goes on with random attention, and tests/tools/vector_text.py says what is left. Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io
from check_models import PICTURES, off
from numpy_layers import linear, norm, softmax

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import vector_methods
import vector_text

TOLERANCE, EPS = 1e-4, 1e-5
CASES = [("clip-336", 24, 2, "wide", "1..3", 120, {}), ("clip-336", 24, 2, "square112", "1..2", 80, {"quantile": 0.97}),
         ("clip", 4, 4, "odd", "all", 3, {}), ("clip", 4, 4, "tall", "0..1", 1000, {"lambda": 0.8, "quantile": 0.9})]


def embed(w, pixels):
    """Rows of a picture's bytes [H, W, 3], the class token first."""
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    kernel = w["embeddings.patch_embedding.weight"]
    p, x = kernel.shape[-1], (pixels / 255.0 - mean) / std
    h, wide = x.shape[0] // p, x.shape[1] // p
    cells = x.reshape(h, p, wide, p, 3).transpose(0, 2, 4, 1, 3).reshape(h * wide, -1)
    rows = np.vstack([w["embeddings.class_embedding"][None], cells @ kernel.reshape(len(kernel), -1).T])
    return norm(rows + w["embeddings.position_embedding.weight"], w, "pre_layrnorm", EPS)


def filtered(v, index, side, r):
    """Rows that go: the r of largest v, one in each window raised before."""
    windows, raised = {}, v.copy()
    for row, i in enumerate(index):
        key = (i // side // 2, i % side // 2)
        if i >= 0 and i // side < side // 2 * 2 and i % side < side // 2 * 2:
            if key not in windows or v[row] > v[windows[key]]:
                windows[key] = row
    for row in windows.values():
        raised[row] = v[row] / 2 if v[row] < 0 else 2 * v[row]
    raised[0] = -np.inf
    return set(np.argsort(-raised, kind="stable")[:min(r, (len(v) - 1) // 2)].tolist())


def compressed(x, size, index, a, s, side, r, options):
    lam, quantile = options.get("lambda", 0.35), options.get("quantile", 0.998)
    v = (1 - lam) * a[:, 1:].mean((0, 1)) - lam * a[:, 0].mean(0)
    gone = filtered(v, index, side, r)
    stay = [i for i in range(1, len(x)) if i not in gone]
    total, weight, mass = x.copy(), np.ones(len(x)), size.copy()
    for t in sorted(gone):
        bound = np.quantile(s[t, stay], quantile)
        takers = [j for j in stay if s[t, j] > bound]
        for j, share in zip(takers, softmax(s[t, takers]) if takers else []):
            total[j] += share * x[t]
            weight[j] += share
            mass[j] += share * size[t]
    kept = [0] + stay
    return (total / weight[:, None])[kept], mass[kept], index[kept]


def oracle(w, pixels, side, heads, layers, r, options):
    x = embed(w, pixels)
    index, size = np.arange(len(x)) - 1, np.ones(len(x))
    for l in range(1 + max(int(k.split(".")[2]) for k in w if k.startswith("encoder.layers."))):
        at = "encoder.layers.%d." % l
        n, h = len(x), norm(x, w, at + "layer_norm1", EPS)
        q, k, v = (linear(h, w, at + "self_attn.%s_proj" % c).reshape(n, heads, -1).transpose(1, 0, 2) for c in "qkv")
        logits = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        a = softmax(logits)
        x = x + linear((a @ v).transpose(1, 0, 2).reshape(n, -1), w, at + "self_attn.out_proj")
        if l in layers:
            x, size, index = compressed(x, size, index, a, logits.mean(0), side, r, options)
        f = linear(norm(x, w, at + "layer_norm2", EPS), w, at + "mlp.fc1")
        x = x + linear(f / (1 + np.exp(-1.702 * f)), w, at + "mlp.fc2")
    return x, size, index


def check(exe, models, case, extra):
    """('' or why it fails, the largest error)."""
    model, side, heads, picture, where, r, options = case
    path = os.path.join(models, model)
    w = {k.replace("vision_model.", ""): v.astype(np.float64)
         for k, v in safetensors_io.read(os.path.join(path, "model.safetensors"))[1].items()}
    spec = "ficoco=mode=paper:r=%d:layers=%s" % (r, where) + "".join(":%s=%g" % o for o in options.items())
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.safetensors")
        p = subprocess.run([exe, "encode", "--model", path, os.path.join(PICTURES, picture + ".png"), "-o", out, "--pipeline",
                            spec, "--taps", "pixels"] + extra, capture_output=True, text=True, timeout=600)
        if p.returncode:
            return "exit %d: %s" % (p.returncode, p.stderr.strip()), 0
        got = safetensors_io.read(out)[1]
    first, last = (0, 511) if where == "all" else (int(n) for n in where.split(".."))
    x, size, index = oracle(w, got["pixels"][0], side, heads, range(first, last + 1), r, options)
    if got["indices"].tolist() != index[1:].tolist():
        return "tokens %s, expected %s" % (got["indices"].tolist(), index[1:].tolist()), 0
    errors = [off(got["tokens"], x[1:]), off(got["sizes"], size[1:])]
    if max(errors) <= TOLERANCE and case == CASES[0]:
        return then_inside(exe, got["tokens"], got["sizes"], extra)
    return "" if max(errors) <= TOLERANCE else "off by %s" % errors, max(errors)


class TooClose(Exception):
    pass


def then_inside(exe, rows, sizes, extra, keep=20, words=4):
    """ficoco-l on the rows that the encoder left: ('' or why it fails, the largest error)."""
    vector_methods.TooClose = TooClose
    n, random = len(rows), np.random.default_rng(5)
    weights = softmax(random.standard_normal((n + words, n + words)))
    attention, by_text, to_text = weights[:n, :n], weights[n:, :n], weights[:n, n:]
    tensors = {"tokens": rows[None], "sizes": sizes[None], "attention": attention[None, None],
               "text_attention": by_text[None], "attention_to_text": to_text[None]}
    tensors = {name: x.astype(np.float32) for name, x in tensors.items()}
    want = vector_text.ficoco_l(rows.astype(np.float64), attention, by_text, to_text, n - keep)
    with tempfile.TemporaryDirectory() as folder:
        into, out = os.path.join(folder, "in.safetensors"), os.path.join(folder, "out.safetensors")
        safetensors_io.write(into, tensors)
        p = subprocess.run([exe, "reduce", into, "-o", out, "--pipeline", "ficoco-l=keep=%d" % keep] + extra,
                           capture_output=True, text=True, timeout=600)
        if p.returncode:
            return "exit %d: %s" % (p.returncode, p.stderr.strip()), 0
        got = safetensors_io.read(out)[1]
    if got["indices"].tolist() != want["indices"]:
        return "inside the model: tokens %s, expected %s" % (got["indices"].tolist(), want["indices"]), 0
    error = off(got["tokens"], want["tokens"])
    return "" if error <= TOLERANCE else "inside the model: off by %s" % error, error


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    failed = 0
    for case in CASES:
        why, worst = check(sys.argv[1], sys.argv[2], case, sys.argv[3:])
        failed += bool(why)
        print("%s %s %s r=%d%s" % ("FAIL" if why else "ok  ", case[0], case[3], case[5], ": " + why if why else " (%.1e)" % worst))
    print("%d passed, %d failed" % (len(CASES) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
