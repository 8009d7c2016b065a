#!/usr/bin/env python3
"""Runs `winnow encode` with a stage inside the layers and compares with what the authors' own code gave.

usage: check_official.py WINNOW MODELS_DIR EXPECT_DIR [--dtype f32|f16] [--only TEXT] [EXTRA ARGS FOR winnow encode]

MODELS_DIR is make_models.py's, EXPECT_DIR expect/ beside this file: official-tome-* and official-ficoco-v-* of
oracle_official.py. Winnow is asked for the method's own order of rows, so that rows stand where the official ones do:
tokens and the class row within the tolerance, sizes and the source of every row and of every token exactly.
FiCoCo sorts all rows by score, and rows whose scores differ by rounding alone (smallest_gap) may stand in each other's
place: its rows are paired by their sources, and at most four may stand elsewhere. Its sizes are the shares, added up.
Needs python3 and numpy. Exit 0: all hold; the last line is `N passed, N failed`.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io
from check_models import PICTURES, off, take


def pipeline(meta):
    if meta["method"] == "tome":
        counts = enumerate(meta["r"].split(","))
        return ",".join("tome=r=%s:layers=%d" % (r, l) for l, r in counts if int(r))
    return ",".join("ficoco=r=%s:layers=%s" % (meta["r"], l) for l in meta["layers"].split(","))


def encode(exe, model, meta, dtype, extra):
    """The output's tensors, or a sentence why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.safetensors")
        command = [exe, "encode", "--model", model, os.path.join(PICTURES, meta["picture"]), "-o", out,
                   "--like", meta["like"], "--dtype", dtype, "--pipeline", pipeline(meta), "--order", "method",
                   "--taps", "final"]
        try:
            p = subprocess.run(command + extra, capture_output=True, text=True, timeout=600)
            if p.returncode:
                return "exit %d: %s" % (p.returncode, (p.stderr.strip().splitlines() or ["no message"])[-1])
            return safetensors_io.read(out)[1]
        except (OSError, subprocess.TimeoutExpired, LookupError, ValueError) as e:
            return "%s: %s" % (type(e).__name__, e)


def unlike(name, got, want):
    got, want = np.asarray(got), np.asarray(want)
    if got.shape == want.shape and np.array_equal(got, want):
        return []
    return ["%s: %s, expected %s" % (name, got.tolist(), want.tolist())]


def within(name, got, want, tolerance, worst):
    e = off(got, want)
    if isinstance(e, str):
        return ["%s: %s" % (name, e)]
    worst.append((e, name))
    return [] if e <= tolerance else ["%s off by %.2e" % (name, e)]


def check_tome(want, got, meta, tolerance, worst):
    first = 1 if "cls" in want else 0
    came = np.arange(want["source"].size)  # the first row that each row continues
    for l, r in enumerate(meta["r"].split(",")):
        came = came[want["order.%d" % l]] if int(r) else came
    bad = unlike("indices", got["indices"], came[first:] - first)
    bad += unlike("assignment", got["assignment"], want["source"][first:] - first)
    bad += unlike("sizes", got["sizes"], want["sizes"][0, first:])
    bad += within("tokens", got["tokens"], want["tokens"][0], tolerance, worst)
    if first:
        bad += within("cls", got["final"][0, 0], want["cls"][0], tolerance, worst)
    return bad


def official_rows(want, meta):
    """What each row that is left continues (-1: the class token), and how much of the picture it holds."""
    layers = meta["layers"].split(",")
    rows = want["remain." + layers[0]].size + want["merge." + layers[0]].size
    came, size = np.arange(rows) - 1, np.ones(rows)
    for l in layers:
        remain, merge = want["remain." + l], want["merge." + l]
        left = size[remain].copy()
        for row, targets, weights in zip(merge, want["targets." + l], want["weights." + l]):
            for target, weight in zip(targets, weights):  # places of before, taken for places of after
                left[target - len(merge) if target >= len(remain) else target] += weight * size[row]
        came, size = came[remain], left
    return came, size


def check_ficoco(want, got, meta, tolerance, worst):
    """LLaVA drops the first row, and so does Winnow."""
    came, size = official_rows(want, meta)
    came, size, rows = came[1:], size[1:], want["tokens"][0, 1:]
    place = {source: at for at, source in enumerate(got["indices"].tolist())}
    if sorted(place) != sorted(came.tolist()):
        return ["indices: %s missing, %s too many" % (sorted(set(came.tolist()) - set(place)),
                                                      sorted(set(place) - set(came.tolist())))]
    at = np.array([place[source] for source in came.tolist()])
    moved = (at != np.arange(at.size)).sum()
    bad = ["%d rows stand elsewhere, by up to %d" % (moved, np.abs(at - np.arange(at.size)).max())] if moved > 4 else []
    bad += within("tokens", got["tokens"][at], rows, tolerance, worst)
    return bad + within("sizes", got["sizes"][at], size, tolerance, worst)


def compare(want, got, meta, tolerance):
    """('' or why it fails, largest error, name of it)."""
    worst = [(0.0, "")]
    try:
        check = check_tome if meta["method"] == "tome" else check_ficoco
        bad = check(want, got, meta, tolerance, worst)
    except KeyError as e:
        bad = ["no %s" % e]
    return "; ".join(bad), *max(worst)


def main():
    args = sys.argv[1:]
    dtype, only = take(args, "--dtype", "f32"), take(args, "--only", "")
    if len(args) < 3 or dtype not in ("f32", "f16"):
        sys.exit(__doc__)
    exe, models, expect, extra = args[0], args[1], args[2], args[3:]
    ok = failed = 0
    for file in sorted(os.listdir(expect)):
        if not file.endswith(".safetensors") or only not in file or not file.startswith("official-"):
            continue
        meta, want = safetensors_io.read(os.path.join(expect, file))
        if meta["method"] != "tome" and dtype == "f16":
            continue  # its rows lie closer together than f16 tells apart
        tolerance = float(meta["tolerance"]) + (1e-2 if dtype == "f16" else 0)
        got = encode(exe, os.path.join(models, meta["model"]), meta, dtype, extra)
        why, worst, where = (got, 0, "") if isinstance(got, str) else compare(want, got, meta, tolerance)
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
