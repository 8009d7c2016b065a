#!/usr/bin/env python3
"""Runs `winnow encode` on the tiny models and compares with what the reference implementations gave.

usage: check_models.py WINNOW MODELS_DIR EXPECT_DIR [--dtype f32|f16] [--only TEXT] [--jobs N]
                       [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's, EXPECT_DIR expect/ beside this file: hf-* from transformers (oracle_hf.py), mtmd-* from
llama.cpp (oracle_mtmd.py), each with its model, picture, way (--like) and tolerance in the metadata. Compared are tokens
[views, N, D] (mtmd: all views' rows in a row), cls, views, the taps that the file holds and, where the output has it,
pixels (bytes, exactly). With `frames` in the metadata, the picture is made a film of so many (films.py). A tensor passes if max|a-b| <= tolerance * max|b|; with f16 the tolerance is 1e-2 more.
Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

import films
import safetensors_io

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")
TAP = re.compile(r"^(hidden|keys|queries|cls_attention|received_attention)\.(\d+)$")


def taps_of(names):
    return ["pixels"] + [n.replace(".", ":") for n in names if TAP.match(n) or n == "pool_attention"]


def encode(exe, model, picture, like, taps, dtype, extra):
    """The output's tensors, or a sentence why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.safetensors")
        command = [exe, "encode", "--model", model, picture, "-o", out, "--like", like, "--dtype", dtype]
        if taps:
            command += ["--taps", ",".join(taps)]
        try:
            p = subprocess.run(command + extra, capture_output=True, text=True, timeout=600)
            if p.returncode:
                return "exit %d: %s" % (p.returncode, (p.stderr.strip().splitlines() or ["no message"])[-1])
            return safetensors_io.read(out)[1]
        except (OSError, subprocess.TimeoutExpired, LookupError, ValueError) as e:
            return "%s: %s" % (type(e).__name__, e)


def off(got, want):
    """Largest difference by the largest magnitude, or a sentence."""
    if got.shape != want.shape:
        return "shape %s, expected %s" % (list(got.shape), list(want.shape))
    got, want = got.astype(np.float64), want.astype(np.float64)
    if not np.isfinite(got).all():
        return "not finite in %d places" % (~np.isfinite(got)).sum()
    return np.abs(got - want).max() / (np.abs(want).max() or 1)


def compare(want, got, meta, tolerance):
    """('' or why it fails, largest error, name of it)."""
    worst, where, bad = 0.0, "", []
    views = slice(None)
    if "only_view" in meta:
        last = int(meta["only_view"])
        views = slice(last, None) if last == -1 else slice(last, last + 1)
    for name, b in want.items():
        if name in ("chunks", "pixels"):
            continue
        if name not in got:
            bad.append("no `%s`" % name)
            continue
        a = got[name][views]
        if name == "tokens" and b.ndim == 2:
            a = a.reshape(-1, a.shape[-1])
        if name == "views":
            if not np.array_equal(a[:, 2:] if "only_view" in meta else a, b[:, 2:] if "only_view" in meta else b):
                bad.append("views %s, expected %s" % (a.tolist(), b.tolist()))
            continue
        e = off(a, b)
        if isinstance(e, str):
            bad.append("%s: %s" % (name, e))
            continue
        if e > worst:
            worst, where = e, name
        if not e <= tolerance:
            bad.append("%s off by %.2e" % (name, e))
    if "pixels" in got and "pixels_sha256" in meta:
        a = np.ascontiguousarray(got["pixels"][views])
        if hashlib.sha256(a.tobytes()).hexdigest() != meta["pixels_sha256"]:
            if "pixels" in want and want["pixels"].shape == a.shape:
                d = np.abs(a.astype(int) - want["pixels"].astype(int))
                bad.append("pixels: %d of %d bytes differ, by at most %d" % ((d > 0).sum(), d.size, d.max()))
            else:
                bad.append("pixels differ (shape %s)" % list(a.shape))
    return "; ".join(bad), worst, where


def as_is(file, meta):
    """transformers ran mmproj weights on the picture itself, which is one view."""
    return ["--as-is"] if file.startswith("hf-") and meta["model"].endswith(".gguf") else []


def take(args, name, default):
    if name not in args:
        return default
    i = args.index(name)
    value = args[i + 1]
    del args[i:i + 2]
    return value


def main():
    args = sys.argv[1:]
    dtype, only, jobs = take(args, "--dtype", "f32"), take(args, "--only", ""), int(take(args, "--jobs", "1"))
    if len(args) < 3 or dtype not in ("f32", "f16"):
        sys.exit(__doc__)
    exe, models, expect, extra = args[0], args[1], args[2], args[3:]
    files = [f for f in sorted(os.listdir(expect))
             if f.endswith(".safetensors") and only in f and f.startswith(("hf-", "mtmd-"))]

    def check(file):
        """('' or why it fails, largest error, name of it, tolerance)."""
        meta, want = safetensors_io.read(os.path.join(expect, file))
        tolerance = float(meta["tolerance"]) + (1e-2 if dtype == "f16" else 0)
        like = "llama-b10256" if meta["like"] == "llama" else meta["like"]  # what oracle_mtmd.c was linked with
        picture = os.path.join(PICTURES, meta["picture"])
        with tempfile.TemporaryDirectory() as film:
            if "frames" in meta:
                films.write_film(film, meta["picture"][:-len(".png")], int(meta["frames"]))
                picture = film
            got = encode(exe, os.path.join(models, meta["model"]), picture, like, taps_of(want), dtype,
                         extra + as_is(file, meta))
        return ((got, 0, "") if isinstance(got, str) else compare(want, got, meta, tolerance)) + (tolerance,)

    ok = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for file, (why, worst, where, tolerance) in zip(files, pool.map(check, files)):
            if why:
                failed += 1
                print("FAIL %s: %s" % (file[:-12], why))
            else:
                ok += 1
                print("ok   %s (%.1e of %.0e%s)" % (file[:-12], worst, tolerance, " in " + where if where else ""))
    print("%d passed, %d failed" % (ok, failed))
    sys.exit(1 if failed or not ok else 0)


if __name__ == "__main__":
    main()
