#!/usr/bin/env python3
"""Writes tests/vectors/extra: cases of our own, beside those that the authors' code made.

usage: make_vectors.py [DIR]

Each method is written again here from its paper and the description in its stage, in float64 and
in the plainest way, so that it shares nothing with plugin/. Inputs are random but safe: where two
scores that decide something lie too close together for f32, another seed is taken. What a case has of
weights goes into DIR/../weights. Needs numpy.
"""
import os
import sys

import numpy as np

import vector_methods as methods
from vector_file import write


class TooClose(Exception):
    """A decision hangs on a difference that f32 does not see."""


class Case:
    """The inputs of one case and a random generator that is its own."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.tensors = {}
        self.weights = {}  # of the stage

    def normal(self, name, *shape, dtype=np.float32):
        """Neighbours resemble each other, as in pictures: cosines then spread over -0.2..0.9."""
        base = self.random.standard_normal(shape[:-2] + (1, shape[-1]))
        value = self.random.standard_normal(shape)
        value += base * self.random.uniform(0, 1.5, shape[:-1] + (1,))
        return self.give(name, value.astype(dtype))

    def video(self, name, frames, tokens, dim, dtype=np.float32):
        """Frames that follow each other: each token changes by an amount of its own."""
        value = self.random.standard_normal((frames, tokens, dim))
        for t in range(1, frames):
            change = self.random.uniform(0.05, 1.0, (tokens, 1))
            value[t] = value[t - 1] * (1 - change) + value[t] * change
        return self.give(name, value.astype(dtype))

    def attention(self, name, *shape, sharp=1.0):
        """Rows of a softmax of which some columns (a class token, text) are left out."""
        value = np.exp(sharp * self.random.standard_normal(shape))
        return self.give(name, (value / value.sum(-1, keepdims=True) * 0.8).astype(np.float32))

    def give(self, name, value):
        self.tensors[name] = value
        return value.astype(np.float64)

    def weight(self, name, *shape):
        value = self.random.standard_normal(shape).astype(np.float32)
        self.weights[name] = value
        return value.astype(np.float64)

    def grid(self, frames, rows, columns):
        self.tensors["grid"] = np.array([frames, rows, columns], np.int32)


def write_weights(folder, name, case, stage):
    """The weights' file, and how a spec beside the case's file calls it."""
    os.makedirs(os.path.join(folder, "..", "weights"), exist_ok=True)
    path = os.path.join("..", "weights", name + ".safetensors")
    write(os.path.join(folder, path), case.weights, {"winnow.stage": stage, "winnow.version": "1"})
    return path


def one_case(folder, name, spec, make):
    for seed in range(500):
        case = Case([seed, *name.encode()])
        try:
            expect = make(case)
        except TooClose:
            continue
        for key, value in expect.items():
            kind = np.float32 if key in ("tokens", "sizes") else np.int32
            value = np.asarray(value)
            if key == "tokens" and case.tensors["tokens"].dtype == np.float16:
                kind = np.float16  # tokens come out as they came in
            case.tensors["expect." + key] = value.astype(kind)
        if case.weights:
            spec = spec.replace("@", write_weights(folder, name, case, spec.split("=")[0]))
        source = "tests/tools/vector_methods.py, from the description in plugin/stages"
        return write(os.path.join(folder, name + ".safetensors"), case.tensors,
                     {"pipeline": spec, "source": source})
    raise SystemExit(f"{name}: no seed gives scores that are far enough apart")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "vectors", "extra")
    os.makedirs(folder, exist_ok=True)
    import vector_cases
    methods.TooClose = TooClose
    total = sum(one_case(folder, *row) for row in vector_cases.rows())
    print(f"{total / 1e6:.2f} MB in {folder}")


if __name__ == "__main__":
    main()
