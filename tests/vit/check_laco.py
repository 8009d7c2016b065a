#!/usr/bin/env python3
"""laco's trained layers: `winnow encode --merge-weights` on the tiny models, against numpy in double.

usage: check_laco.py WINNOW MODELS_DIR [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's. Weights are drawn here. The oracle takes the rows that layer 0 gives without laco (tap
hidden:1) and makes of each window of f x f cells y = mean + W2 gelu(W1 u + b1) + b2, u torch's PixelUnshuffle order
(channel c*f*f + di*f + dj), gelu by erf; with laco=layer=1 the tap hidden:1 must show y behind the class token's row.
max|a-b| <= 2e-5 max|b| (f16: 1e-2). The same numbers as the stage's own file (laco=...:weights=FILE) must show the same.
Then what is refused, and with which sentence.
Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")
INNER = 24
# model, picture, factor, rows before the patches, type of the weights' file, winnow's dtype, more options
CASES = [("clip", "square", 2, 1, "f32", "f32", []), ("clip", "square", 4, 1, "f32", "f32", []),
         ("clip", "square", 2, 1, "f16", "f32", []), ("clip", "square", 2, 1, "bf16", "f32", []),
         ("clip", "square", 2, 1, "f32", "f16", []), ("dinov2", "square", 2, 1, "f32", "f32", []),
         ("dinov2-registers", "square", 2, 5, "f32", "f32", []),
         ("siglip", "square", 2, 0, "f32", "f32", []), ("siglip2", "square", 3, 0, "f32", "f32", []),
         ("clip-336", "square", 2, 1, "f32", "f32", []), ("clip-336", "square", 8, 1, "f32", "f32", []),
         ("wide-f32.gguf", "square", 2, 0, "f16", "f32", ["--like", "transformers", "--as-is"])]
erf = np.vectorize(math.erf)


class Failed(Exception):
    pass


def bf16(x):
    return ((x.astype(np.float32).view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


def weights(width, factor, kind, seed=7):
    """(as they go into the file, as doubles)."""
    r = np.random.default_rng(seed)
    n = factor * factor * width
    make = {"laco.mlp.0.weight": r.normal(size=(INNER, n)) / np.sqrt(n), "laco.mlp.0.bias": r.normal(size=INNER) * .3,
            "laco.mlp.2.weight": r.normal(size=(width, INNER)) / np.sqrt(INNER), "laco.mlp.2.bias": r.normal(size=width) * .3}
    if kind == "bf16":
        file = {k: bf16(x) for k, x in make.items()}
        return file, {k: (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64) for k, x in file.items()}
    file = {k: x.astype(np.float32 if kind == "f32" else np.float16) for k, x in make.items()}
    return file, {k: x.astype(np.float64) for k, x in file.items()}


def oracle(cells, side, factor, w):
    """[side*side, D] -> [(side/f)^2, D]."""
    d, n = cells.shape[1], side // factor
    grid = cells.reshape(n, factor, n, factor, d).transpose(0, 2, 4, 1, 3)  # y x c di dj
    u = grid.reshape(n * n, d * factor * factor)
    h = u @ w["laco.mlp.0.weight"].T + w["laco.mlp.0.bias"]
    h = 0.5 * h * (1 + erf(h / math.sqrt(2)))
    return u.reshape(n * n, d, -1).mean(2) + h @ w["laco.mlp.2.weight"].T + w["laco.mlp.2.bias"]


def own_file(path, saved, version="1", stage="laco"):
    """The same weights in the form that the option `weights` reads."""
    names = {"laco.mlp.0": "first", "laco.mlp.2": "second"}
    tensors = {"%s.%s" % (names[k[:10]], k[11:]): np.ascontiguousarray(x.T) for k, x in saved.items()}
    safetensors_io.write(path, tensors, {"winnow.stage": stage, "winnow.version": version})


def encode(exe, folder, model, picture, more):
    out = os.path.join(folder, "out.safetensors")
    command = [exe, "encode", "--model", model, os.path.join(PICTURES, picture + ".png"), "-o", out] + more
    p = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if p.returncode:
        raise Failed("exit %d: %s" % (p.returncode, (p.stderr.strip().splitlines() or ["no message"])[-1]))
    return safetensors_io.read(out)[1], p.stderr


def check_case(exe, models, folder, case, extra):
    model, picture, factor, first, kind, dtype, more = case
    path, file = os.path.join(models, model), os.path.join(folder, "laco.safetensors")
    more = more + ["--dtype", dtype, "--taps", "hidden:1"] + extra
    before, _ = encode(exe, folder, path, picture, more)
    before = before["hidden.1"].astype(np.float64)
    side = math.isqrt(before.shape[1] - first)
    saved, w = weights(before.shape[2], factor, kind)
    safetensors_io.write(file, saved, {"stage": "laco"})
    spec = "laco=layer=1:factor=%d" % factor
    after, log = encode(exe, folder, path, picture, more + ["--pipeline", spec, "--merge-weights", file])
    if "untrained" in log:
        raise Failed("it is called untrained")
    own = os.path.join(folder, "own,weights:a.safetensors")
    own_file(own, saved)
    mine, log = encode(exe, folder, path, picture,
                       more + ["--pipeline", spec + ":weights=" + own.replace(",", "\\,").replace(":", "\\:")])
    if "untrained" in log:
        raise Failed("with weights= it is called untrained")
    if dtype == "f32" and not all((after[k] == mine[k]).all() for k in ("hidden.1", "tokens")):
        raise Failed("weights= gives other numbers than --merge-weights")
    plain, log = encode(exe, folder, path, picture, more + ["--pipeline", spec])
    if log.count("laco is untrained") != 1:
        raise Failed("untrained, and the log does not say so once: %s" % log)
    worst, n = 0.0, (side // factor) ** 2
    for t, shown in ((t, x) for t in range(before.shape[0]) for x in (after, mine)):
        want = np.concatenate([before[t, :first], oracle(before[t, first:], side, factor, w)])
        got = shown["hidden.1"].reshape(-1, before.shape[2])[t * (n + first):(t + 1) * (n + first)]
        worst = max(worst, np.abs(got - want).max() / np.abs(want).max())
    if not worst <= (1e-2 if dtype == "f16" else 2e-5):
        raise Failed("off by %.2e" % worst)
    if after["tokens"].shape != plain["tokens"].shape or np.abs(after["tokens"] - plain["tokens"]).max() < 1e-3:
        raise Failed("the tokens do not mind the weights")
    return worst


def refusals(exe, models, folder, extra):
    model, good = os.path.join(models, "clip"), weights(64, 2, "f32")[0]
    file = os.path.join(folder, "bad.safetensors")
    laco = ["--pipeline", "laco=layer=1"]

    def without(name):
        return {k: v for k, v in good.items() if k != name}

    def other(name, shape):
        return {**good, name: np.zeros(shape, np.float32)}
    tries = [("none", None, laco, "No such file"), ("no laco", good, [], "no stage of the pipeline takes them"),
             ("a name", without("laco.mlp.2.bias"), laco, "tensor laco.mlp.2.bias is missing"),
             ("in", other("laco.mlp.0.weight", (INNER, 64)), laco, "tensor laco.mlp.0.weight has shape 24 x 64"),
             ("bias", other("laco.mlp.0.bias", (5,)), laco, "tensor laco.mlp.0.bias has shape 5"),
             ("inner", other("laco.mlp.2.weight", (64, 25)), laco, "tensor laco.mlp.2.weight has shape 64 x 25"),
             ("out", other("laco.mlp.2.weight", (32, INNER)), laco, "tensor laco.mlp.2.weight has shape 32 x 24"),
             ("type", {**good, "laco.mlp.0.bias": np.zeros(INNER, np.int32)}, laco, "is of type I32"),
             ("factor", good, ["--pipeline", "laco=layer=1:factor=4"], "tensor laco.mlp.0.weight has shape 24 x 256"),
             ("factors", good, ["--pipeline", "laco=layer=1,laco=layer=2:factor=4"], "factors 2 and 4"),
             ("stage", good, laco, "stage=tome"), ("cut", good, laco, "ends after the file does"),
             ("picture", b"\x89PNG" * 9, laco, "does not start with \"GGUF\"")]
    for name, tensors, more, sentence in tries:
        if tensors is None:
            file = os.path.join(folder, "none.safetensors")
        elif isinstance(tensors, bytes):
            open(file, "wb").write(tensors)
        else:
            file = os.path.join(folder, "bad.safetensors")
            safetensors_io.write(file, tensors, {"stage": "tome" if name == "stage" else "laco"})
        if name == "cut":
            open(file, "r+b").truncate(os.path.getsize(file) - 4)
        try:
            encode(exe, folder, model, "square", more + ["--merge-weights", file] + extra)
            yield name, "it was taken"
        except Failed as e:
            yield name, "" if sentence in str(e) else "%s, and not: %s" % (e, sentence)
    own, first = os.path.join(folder, "own.safetensors"), "laco.mlp.0.weight"
    tries = [("own, none", None, "1", "laco", "No such file"), ("own, version", good, "2", "laco", "winnow.version=1"),
             ("own, stage", good, "1", "hicom", "holds the weights of `hicom` (give those of laco)"),
             ("own, a name", without(first), "1", "laco", "no tensor `first.weight`"),
             ("own, in", other(first, (INNER, 64)), "1", "laco", "`first.weight` of its weights is [64, 24], and 256 x any"),
             ("own, bias", other("laco.mlp.2.bias", (5,)), "1", "laco", "`second.bias` of its weights is not [64]"),
             ("own, NaN", other(first, (INNER, 256)), "1", "laco", "a NaN or an infinite number")]
    for name, tensors, version, stage, sentence in tries:
        if name == "own, NaN":
            tensors[first][3, 77] = np.nan
        if tensors is not None:
            own_file(own, tensors, version, stage)
        try:
            encode(exe, folder, model, "square", ["--pipeline", "laco=layer=1:weights=" + own] + extra)
            yield name, "it was taken"
        except Failed as e:
            yield name, "" if sentence in str(e) else "%s, and not: %s" % (e, sentence)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    exe, models, extra = sys.argv[1], sys.argv[2], sys.argv[3:]
    bad = ok = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            name = "%s factor=%d weights %s, %s" % (case[0], case[2], case[4], case[5])
            try:
                print("ok   %s (%.1e)" % (name, check_case(exe, models, folder, case, extra)))
                ok += 1
            except (Failed, OSError, subprocess.TimeoutExpired, LookupError, ValueError) as e:
                print("FAIL %s: %s: %s" % (name, type(e).__name__, e))
                bad += 1
        for name, why in refusals(exe, models, folder, extra):
            print("FAIL refused %s: %s" % (name, why) if why else "ok   refused %s" % name)
            bad, ok = bad + bool(why), ok + (not why)
    print("%d passed, %d failed" % (ok, bad))
    sys.exit(1 if bad or not ok else 0)


if __name__ == "__main__":
    main()
