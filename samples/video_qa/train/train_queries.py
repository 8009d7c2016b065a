#!/usr/bin/env python3
"""Trains the queries of flash, or hicom's windows, for a model that stays as it is, and writes them as a file for
`flash=weights=FILE:frames=...` or `hicom=weights=FILE:temporal=...:spatial=...`.

usage: train_queries.py MODEL OUT.safetensors --stage flash [--queries 4] [--frames each] [--minutes 12] ...
       train_queries.py MODEL OUT.safetensors --stage hicom [--temporal 1] [--spatial 3] ...
       train_queries.py MODEL WEIGHTS.safetensors --score 260
       (python3, numpy, torch; MODEL: a checkpoint, or a folder of exported files)

Both run behind the projector; only they learn (frozen.py says from what). Tokens of this model do not tell the frame
they are of: one set of all frames (--frames together) gives rows that know no order in time. flash's queries start as
compact regions of the frame; hicom's readout starts by giving what it gets, and its windows have no guide.
"""
import argparse
import os

import torch

import data
import frozen
import queries
import weights


class Pooled:
    """A model whose projected rows a compressor makes fewer: a part for frozen.py, and a model for evaluate.score."""

    def __init__(self, m, compressor):
        self.m, self.learner = m, compressor
        self.embed, self.decode, self.logits, self.see = m.embed, m.decode, m.logits, m.see

    def project(self, rows):
        return self.learner(self.m.project(rows))

    def visuals(self, frames):
        with torch.no_grad():
            everything = self.m.project(self.m.see(frames)).float()
        return self.learner(everything), everything

    @staticmethod
    def own_loss(visual, everything):
        return 0.0


def settings(a):
    """What the stage has to be told beside its weights."""
    return {"frames": a.frames} if a.stage == "flash" else {"temporal": a.temporal, "spatial": a.spatial}


def spec(path, about):
    """The stage as a pipeline has it, for a file with that metadata."""
    path = os.path.abspath(path).replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")
    return "%s=weights=%s" % (about["winnow.stage"], path) + "".join(
        ":%s=%s" % (key, value) for key, value in about.items() if not key.startswith("winnow."))


def make(stage, how, width, count, inner=(64, 128)):
    if stage == "flash":
        return queries.Flash(count, width, how["frames"] == "each")
    return queries.Hicom(width, inner, int(how["temporal"]), int(how["spatial"]))


def load(path, width):
    """(compressor with the weights of a file, its metadata)."""
    about, got = weights.read(path)
    inner = [len(got["local_compressor.%s_proj.0.bias" % n]) for n in "kv"] if "queries" not in got else None
    made = make(about["winnow.stage"], about, width, len(got.get("queries", [])), inner)
    return frozen.fill(made, got), about


def options():
    p = argparse.ArgumentParser()
    frozen.options(p)
    p.add_argument("--stage", choices=["flash", "hicom"], default="flash")
    p.add_argument("--queries", type=int, default=4, help="flash's: how many, of a frame or of all")
    p.add_argument("--frames", choices=["each", "together"], default="each", help="flash's")
    p.add_argument("--temporal", type=int, default=1, help="hicom's: frames of a window")
    p.add_argument("--spatial", type=int, default=3, help="hicom's: rows and columns of a window")
    p.add_argument("--inner", type=int, nargs=2, default=[64, 128], help="hicom's: widths inside k_proj and v_proj")
    return p.parse_args()


def main():
    a = options()
    m, vocabulary = frozen.begin(a)
    if a.score:
        seen = m if a.out == "none" else Pooled(m, load(a.out, m.c.width)[0])
        frozen.report(seen, vocabulary, a.first, a.score)
        return
    try:
        compressor = make(a.stage, settings(a), m.c.width, a.queries, a.inner)
    except ValueError as e:
        raise SystemExit("train_queries.py: %s" % e) from None
    part = Pooled(m, compressor)
    with torch.no_grad():
        got = data.batch(vocabulary, range(1 << 20, (1 << 20) + 16), "clip", 1)
        compressor.begin(m.project(m.see(got["frames"])))
    frozen.train(a, part, vocabulary, lambda: frozen.save(a.out, a.stage, compressor, settings(a)))


if __name__ == "__main__":
    main()
