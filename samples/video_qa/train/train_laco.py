#!/usr/bin/env python3
"""Trains laco's merge layer for a model that stays as it is, and writes it as a file for `laco=...:weights=FILE`.

usage: train_laco.py MODEL OUT.safetensors [--layer 2] [--factor 2] [--inner 192] [--minutes 20] ...
       train_laco.py MODEL WEIGHTS.safetensors --score 260 [--layer 2]
       (python3, numpy, torch; MODEL: a checkpoint, or a folder of exported files)

Behind LAYER layers of the ViT windows of FACTOR x FACTOR tokens become one, y = MLP(S2C(x)) + mean of the window, and
the layers that follow see these alone. Only the MLP learns (its second matrix starts at zero): from what frozen.py
says, and from the whole model's projected rows, pooled the same way (--rows).
"""
import argparse

import torch
import torch.nn.functional as F
from torch import nn

import frozen
import render
import weights


class Laco(nn.Module):
    """rows [B, h*w, D] to [B, h*w / factor^2, D]. The channel of S2C is c*f*f + di*f + dj."""

    def __init__(self, width, inner, factor):
        super().__init__()
        self.factor = factor
        self.first, self.second = nn.Linear(factor * factor * width, inner), nn.Linear(inner, width)
        nn.init.zeros_(self.second.weight), nn.init.zeros_(self.second.bias)

    def forward(self, x):
        f, (b, n, d) = self.factor, x.shape
        side = round(n ** 0.5) // f
        x = x.view(b, side, f, side, f, d).permute(0, 1, 3, 5, 2, 4).reshape(b, side * side, d, f * f)
        return self.second(F.gelu(self.first(x.flatten(2)))) + x.mean(-1)


class Merged:
    """A model whose ViT merges behind `layer` layers: a part for frozen.py, and a model for evaluate.score."""

    def __init__(self, m, laco, layer, rows=0.0):
        self.m, self.learner, self.layer, self.rows = m, laco, layer, rows
        self.embed, self.decode, self.logits, self.project = m.embed, m.decode, m.logits, m.project

    def halves(self, frames):
        """(rows behind `layer` layers [B*T, N, D], the rows of all layers)."""
        x = early = self.m.vit.start(self.m.pixels(frames))
        for i, block in enumerate(self.m.vit.blocks):
            early = x if i == self.layer else early
            x = block(x)
        return early, x

    def rest(self, early, clips):
        x = self.learner(early)
        for block in self.m.vit.blocks[self.layer:]:
            x = block(x)
        return x.unflatten(0, (clips, -1)).flatten(1, 2)

    def see(self, frames):
        x = self.m.vit.start(self.m.pixels(frames))
        for block in self.m.vit.blocks[:self.layer]:
            x = block(x)
        return self.rest(x, len(frames))

    def visuals(self, frames):
        with torch.no_grad():
            early, late = self.halves(frames)
            late = self.project(late).unflatten(0, (len(frames), -1)).flatten(1, 2)
        return self.project(self.rest(early, len(frames))), late

    def own_loss(self, visual, everything):
        if not self.rows:
            return 0.0
        frames = render.FRAMES
        aim = pooled(everything.unflatten(1, (frames, -1)).flatten(0, 1), self.learner.factor)
        aim = aim.unflatten(0, (-1, frames)).flatten(1, 2)
        return self.rows * ((visual - aim) ** 2).mean() / aim.var()


def pooled(rows, factor):
    """[B, h*w, D] to the windows' means."""
    b, n, d = rows.shape
    side = round(n ** 0.5) // factor
    return rows.view(b, side, factor, side, factor, d).mean((2, 4)).flatten(1, 2)


def load(path, width, factor):
    """Laco with the weights of a file, or None of `none`: the mean alone."""
    if path == "none":
        return Laco(width, 1, factor)
    _, got = weights.read(path)
    return frozen.fill(Laco(width, got["first.weight"].shape[1], factor), got)


def options():
    p = argparse.ArgumentParser()
    frozen.options(p)
    p.add_argument("--layer", type=int, default=2, help="layers of the ViT that run before it")
    p.add_argument("--factor", type=int, default=2)
    p.add_argument("--inner", type=int, default=192, help="width between its two matrices")
    p.add_argument("--rows", type=float, default=0.1)
    return p.parse_args()


def main():
    a = options()
    m, vocabulary = frozen.begin(a)
    c = m.c
    if not 0 < a.layer < c.vit_layers or (c.side // c.patch) % a.factor:
        raise SystemExit("train_laco.py: the ViT has %d layers and a grid of %d (give a --layer inside and a --factor "
                         "that divides)" % (c.vit_layers, c.side // c.patch))
    if a.score:
        frozen.report(Merged(m, load(a.out, c.vit_width, a.factor), a.layer), vocabulary, a.first, a.score)
        return
    laco = Laco(c.vit_width, a.inner, a.factor)
    frozen.train(a, Merged(m, laco, a.layer, a.rows), vocabulary,
                 lambda: frozen.save(a.out, "laco", laco, {"layer": a.layer, "factor": a.factor}))


if __name__ == "__main__":
    main()
