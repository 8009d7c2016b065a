#!/usr/bin/env python3
"""Does Winnow make of a clip's rows what torch makes of them, with the weights of train_queries.py?

usage: check_queries.py MODEL WEIGHTS.safetensors WINNOW [--seed 5000]      (python3, numpy, torch)

WINNOW: the program `winnow`, on plain C. Exit status 1 where a number differs by more than 1e-4 of the largest.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

import evaluate
import render
import train_queries
import weights


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("weights")
    p.add_argument("winnow")
    p.add_argument("--seed", type=int, default=5000)
    a = p.parse_args()
    torch.set_num_threads(1)
    m, _, _ = evaluate.load(a.model)
    compressor, about = train_queries.load(a.weights, m.c.width)
    with torch.no_grad():
        rows = m.project(m.see(torch.from_numpy(render.clip(render.HELD_OUT + a.seed)[0])[None]))
        expect = compressor(rows)[0].numpy()
    side = render.SIDE // render.PATCH
    with tempfile.TemporaryDirectory() as folder:
        given, made = (os.path.join(folder, n) for n in ("in.safetensors", "out.safetensors"))
        weights.store(given, {}, {"tokens": rows[0].unflatten(0, (render.FRAMES, -1)).numpy(),
                                  "grid": np.array([render.FRAMES, side, side], np.int32)})
        subprocess.run([a.winnow, "reduce", given, "-o", made, "--backend", "cpu", "--order", "method", "--pipeline",
                        train_queries.spec(a.weights, about)], check=True)
        got = weights.read(made)[1]["tokens"]
    far = np.abs(got - expect).max() / np.abs(expect).max() if got.shape == expect.shape else np.inf
    print("%s rows of %s channels: they differ by %.2g of the largest number" % (*got.shape, far))
    sys.exit(not far <= 1e-4)


if __name__ == "__main__":
    main()
