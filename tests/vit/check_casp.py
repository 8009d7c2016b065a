#!/usr/bin/env python3
"""Low-rank q and k: `winnow encode --casp RHO` on the tiny models, against numpy in double.

usage: check_casp.py WINNOW MODELS_DIR [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's. The oracle takes the rows that go into each layer from a run without (tap hidden:l), norms
them, G = X^T X, L its Cholesky factor (1e-6 on the diagonal where it has none), W L = U S V^T by numpy.linalg.svd, and P =
U_k S_k V_k^T L^-1 with k = int(m*n*rho/(m+n)). What winnow made is read off its own taps: q (or k) less its bias, as a
product of the rows that go into that layer (there are more of them than channels): least squares give its P.
max|P - P'| <= 1e-4 max|P'| in every layer; the errors that it reports agree to 1e-3 (and 1e-5). Then: the error falls as
rho rises, the tokens come near the model's own, and what is refused.
Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")
AT = "vision_model.encoder.layers.%d."


class Failed(Exception):
    pass


def encode(exe, folder, model, picture, more):
    """(tensors, report)."""
    out = os.path.join(folder, "out.safetensors")
    command = [exe, "encode", "--model", model, os.path.join(PICTURES, picture + ".png"), "-o", out, "--json"] + more
    p = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if p.returncode:
        raise Failed("exit %d: %s" % (p.returncode, (p.stderr.strip().splitlines() or ["no message"])[-1]))
    return safetensors_io.read(out)[1], json.loads(p.stdout)


def cholesky(g):
    ridge = 0.0
    for tries in range(20):
        try:
            lower = np.linalg.cholesky(g + ridge * np.eye(len(g)))
            if (np.diag(lower) ** 2).min() > len(g) * 2.3e-16 * np.diag(g).max():
                return lower
        except np.linalg.LinAlgError:
            pass
        ridge = ridge * 10 or 1e-6
    raise Failed("no Cholesky factor")


class Model:
    """A CLIP folder's layers."""

    def __init__(self, path):
        self.w = safetensors_io.read(os.path.join(path, "model.safetensors"))[1]
        self.config = json.load(open(os.path.join(path, "config.json")))
        self.layers = self.config["num_hidden_layers"]

    def part(self, layer, name):
        at = AT % layer + "self_attn.%s_proj." % name
        return self.w[at + "weight"].astype(np.float64), self.w[at + "bias"].astype(np.float64)

    def normed(self, layer, x):
        x = x.reshape(-1, x.shape[-1]).astype(np.float64)
        at = AT % layer + "layer_norm1."
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + self.config["layer_norm_eps"])
        return x * self.w[at + "weight"].astype(np.float64) + self.w[at + "bias"].astype(np.float64)


def check_product(exe, models, folder, model, picture, rho, extra):
    path = os.path.join(models, model)
    m = Model(path)
    taps = ",".join("%s:%d" % (kind, n) for n in range(m.layers) for kind in ("hidden", "queries", "keys"))
    more = ["--taps", taps, "--dtype", "f32"] + extra
    plain, _ = encode(exe, folder, path, picture, more)
    low, report = encode(exe, folder, path, picture, more + ["--casp", str(rho)])
    worst, errors = 0.0, {"q": [], "k": []}
    width = plain["hidden.0"].shape[2]
    rank = max(1, int(width * width * rho / (width + width)))
    if report["casp"]["rank"] != rank or report["casp"]["parameters_after"] != 4 * width * rank * m.layers:
        raise Failed("rank %s, not %d" % (report["casp"]["rank"], rank))
    for n in range(m.layers):
        x = m.normed(n, plain["hidden.%d" % n])
        mine = m.normed(n, low["hidden.%d" % n])
        lower = cholesky(x.T @ x)
        for name, tap in (("q", "queries.%d" % n), ("k", "keys.%d" % n)):
            w, bias = m.part(n, name)
            u, s, vt = np.linalg.svd(w @ lower)
            want = (u[:, :rank] * s[:rank]) @ np.linalg.solve(lower.T, vt[:rank].T).T
            errors[name].append(np.linalg.norm((w - want) @ lower) / np.linalg.norm(w @ lower))
            y = low[tap].reshape(-1, width).astype(np.float64) - bias
            if np.linalg.matrix_rank(mine) == width:
                got = np.linalg.lstsq(mine, y, rcond=None)[0].T
                worst = max(worst, np.abs(got - want).max() / np.abs(want).max())
            else:  # what it makes of these rows
                worst = max(worst, np.abs(y - mine @ want.T).max() / np.abs(y).max())
    if not worst <= 1e-4:
        raise Failed("factors off by %.2e" % worst)
    for name, values in errors.items():
        for key, value in (("mean", np.mean(values)), ("worst", np.max(values))):
            said = report["casp"]["%s_error_%s" % (name, key)]
            if abs(said - value) > 1e-3 * value + 1e-5:
                raise Failed("%s error of %s is said to be %.3e, and is %.3e" % (key, name, said, value))
    return "%.1e, errors %.1e %.1e" % (worst, np.mean(errors["q"]), np.mean(errors["k"]))


def off(a, b):
    return np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64))


def check_rise(exe, models, folder, model, picture, dtype, most, extra):
    """The errors fall, and the tokens are near at rho = 1."""
    path, more = os.path.join(models, model), ["--dtype", dtype] + extra
    plain = encode(exe, folder, path, picture, more)[0]["tokens"]
    errors, tokens = [], []
    for rho in ("0.05", "0.25", "0.5", "1"):
        low, report = encode(exe, folder, path, picture, more + ["--casp", rho])
        errors.append(report["casp"]["q_error_mean"] + report["casp"]["k_error_mean"])
        tokens.append(off(low["tokens"], plain))
    said = "errors %s, tokens %s" % (" ".join("%.1e" % (e / 2) for e in errors),
                                     " ".join("%.1e" % t for t in tokens))
    if any(b >= a for a, b in zip(errors, errors[1:])) or not tokens[-1] <= most or not tokens[-1] < tokens[0]:
        raise Failed(said)
    return said


def check_refused(exe, models, folder, model, rho, sentence, extra):
    try:
        encode(exe, folder, os.path.join(models, model), "square", ["--casp", rho] + extra)
    except Failed as e:
        if sentence in str(e):
            return "said so"
        raise
    raise Failed("it was taken")


CASES = [(check_product, "clip-336", "square", 0.25), (check_product, "clip-336", "wide", 0.6),
         (check_product, "clip-336", "tall", 1), (check_product, "clip", "square", 0.25),
         (check_product, "clip", "odd", 0.03), (check_product, "clip", "square", 0.001),
         (check_rise, "clip", "square", "f32", 1e-3), (check_rise, "clip-336", "square", "f32", 1e-1),
         (check_rise, "dinov2", "square", "f32", 1e-3), (check_rise, "siglip", "square", "f32", 1e-2),
         (check_rise, "clip", "square", "f16", 1e-2), (check_rise, "idefics3.gguf", "square", "f32", 1e-1),
         (check_rise, "internvl.gguf", "square", "f32", 1e-1), (check_rise, "internvl-qk-norm.gguf", "square", "f32", 1e-1),
         (check_rise, "mlp.gguf", "square", "f32", 1e-1), (check_rise, "qwen2vl.gguf", "grid", "f32", 2e-1),
         (check_rise, "qwen2.5vl.gguf", "grid", "f32", 2.5e-1), (check_rise, "qwen3vl.gguf", "grid16", "f32", 2e-1),
         (check_refused, "wide-q8_0.gguf", "0.5", "is quantised to Q8_0"),
         (check_refused, "wide-q4_k.gguf", "0.5", "is quantised to Q4_K"),
         (check_refused, "clip", "1.01", "above 0, at most 1"), (check_refused, "clip", "0", "above 0")]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    exe, models, extra = sys.argv[1], sys.argv[2], sys.argv[3:]
    bad = ok = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            name = case[0].__name__[6:] + " " + " ".join(str(c) for c in case[1:])
            try:
                print("ok   %s (%s)" % (name, case[0](exe, models, folder, *case[1:], extra)))
                ok += 1
            except (Failed, OSError, subprocess.TimeoutExpired, LookupError, ValueError) as e:
                print("FAIL %s: %s: %s" % (name, type(e).__name__, e))
                bad += 1
    print("%d passed, %d failed" % (ok, bad))
    sys.exit(1 if bad or not ok else 0)


if __name__ == "__main__":
    main()
