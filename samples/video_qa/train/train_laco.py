#!/usr/bin/env python3
"""Trains laco's merge layer for a model that stays as it is, and writes it as a file for `laco=...:weights=FILE`.

usage: train_laco.py MODEL OUT.safetensors [--layer 2] [--factor 2] [--inner 192] [--minutes 20] ...
       train_laco.py MODEL WEIGHTS.safetensors --score 260 [--layer 2]
       (python3, numpy, torch; MODEL: a checkpoint, or a folder of exported files)

Behind LAYER layers of the ViT windows of FACTOR x FACTOR tokens become one, y = MLP(S2C(x)) + mean of the window, and
the layers that follow see these alone. Only the MLP learns (its second matrix starts at zero): from the answers
themselves (--answers), from what the model with all of its tokens says to the same questions (--logits, a KL), and
from that model's projected rows, pooled the same way (--rows). The weights of the three sum up to the loss.
"""
import argparse
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

import data
import evaluate
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
    """A model whose ViT merges behind `layer` layers: what evaluate.score asks of a model."""

    def __init__(self, m, laco, layer):
        self.m, self.laco, self.layer = m, laco, layer
        self.embed, self.decode, self.logits, self.project = m.embed, m.decode, m.logits, m.project

    def halves(self, frames):
        """(rows behind `layer` layers [B*T, N, D], the rows of all layers)."""
        x = early = self.m.vit.start(self.m.pixels(frames))
        for i, block in enumerate(self.m.vit.blocks):
            early = x if i == self.layer else early
            x = block(x)
        return early, x

    def rest(self, early, clips):
        x = self.laco(early)
        for block in self.m.vit.blocks[self.layer:]:
            x = block(x)
        return x.unflatten(0, (clips, -1)).flatten(1, 2)

    def see(self, frames):
        x = self.m.vit.start(self.m.pixels(frames))
        for block in self.m.vit.blocks[:self.layer]:
            x = block(x)
        return self.rest(x, len(frames))


def pooled(rows, factor):
    """[B, h*w, D] to the windows' means."""
    b, n, d = rows.shape
    side = round(n ** 0.5) // factor
    return rows.view(b, side, factor, side, factor, d).mean((2, 4)).flatten(1, 2)


def loss_of(a, merged, before, got):
    m, clips = merged.m, len(got["frames"])
    targets, ids = got["targets"], got["ids"]
    where = targets >= 0
    with torch.no_grad():
        early, late = merged.halves(got["frames"])
        late = m.project(late)
        if a.logits:
            taught = m.logits(m.decode(before, late.unflatten(0, (clips, -1)).flatten(1, 2), ids)[0][where]).float()
    visual = m.project(merged.rest(early, clips))
    total = visual.new_zeros(())
    if a.rows:
        aim = pooled(late, a.factor).unflatten(0, (clips, -1)).flatten(1, 2)
        total = total + a.rows * ((visual - aim) ** 2).mean() / aim.var()
    said = m.logits(m.decode(before, visual, ids)[0][where]).float()
    if a.answers:
        total = total + a.answers * F.cross_entropy(said, targets[where])
    if a.logits:
        total = total + a.logits * F.kl_div(said.log_softmax(-1), taught.log_softmax(-1), reduction="batchmean",
                                            log_target=True)
    right = ((said.argmax(-1) == targets[where]).float().mean())
    return total, right


def save(path, laco, a):
    weights.write(path, "laco", {"first.weight": laco.first.weight.detach().t(), "first.bias": laco.first.bias.detach(),
                                 "second.weight": laco.second.weight.detach().t(),
                                 "second.bias": laco.second.bias.detach()},
                  {"layer": str(a.layer), "factor": str(a.factor)})


def load(path, width, factor):
    """Laco with the weights of a file, or None of `none`: the mean alone."""
    if path == "none":
        return Laco(width, 1, factor)
    _, got = weights.read(path)
    laco = Laco(width, got["first.weight"].shape[1], factor)
    for name, x in got.items():
        x = torch.from_numpy(x.copy())
        laco.get_parameter(name).data = x.t().contiguous() if x.ndim > 1 else x
    return laco


def report(merged, vocabulary, first, clips):
    table = evaluate.score(merged, vocabulary, range(render.HELD_OUT + first, render.HELD_OUT + first + clips))
    evaluate.show(table)


def train(a, merged, vocabulary):
    laco, before = merged.laco, data.before(vocabulary)
    adam = torch.optim.AdamW(laco.parameters(), lr=a.rate, betas=(0.9, 0.98), weight_decay=a.decay)
    begin, said, steps, sums = time.monotonic(), 0.0, 0, [0.0, 0.0, 0]
    for got in data.Batches(vocabulary, "clip", a.batch, a.questions, first=a.start):
        at = min((time.monotonic() - begin) / (60 * a.minutes), 1.0)
        if at == 1.0 or steps == a.steps:
            break
        for group in adam.param_groups:
            group["lr"] = a.rate * min(1.0, (steps + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * at)))
        with torch.autocast("cpu", torch.bfloat16, enabled=a.amp):
            loss, right = loss_of(a, merged, before, got)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(laco.parameters(), 1.0)
        adam.step()
        steps += 1
        sums = [sums[0] + loss.item(), sums[1] + right.item(), sums[2] + 1]
        if time.monotonic() - begin - said > 60 * a.report:
            said = time.monotonic() - begin
            print("%6.1f min  step %5d  %6d clips  loss %.4f  answers' tokens right %.1f%%" %
                  (said / 60, steps, steps * a.batch, sums[0] / sums[2], 100 * sums[1] / sums[2]), flush=True)
            sums = [0.0, 0.0, 0]
            save(a.out, laco, a)
    save(a.out, laco, a)
    print("%d steps, %d clips" % (steps, steps * a.batch))


def options():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("out")
    p.add_argument("--layer", type=int, default=2, help="layers of the ViT that run before it")
    p.add_argument("--factor", type=int, default=2)
    p.add_argument("--inner", type=int, default=192, help="width between its two matrices")
    p.add_argument("--minutes", type=float, default=20)
    p.add_argument("--steps", type=int, default=1 << 62, help="stop after that many")
    p.add_argument("--batch", type=int, default=6, help="clips a step")
    p.add_argument("--questions", type=int, default=12, help="questions a clip")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--decay", type=float, default=0.01)
    p.add_argument("--answers", type=float, default=0.5)
    p.add_argument("--logits", type=float, default=0.5)
    p.add_argument("--rows", type=float, default=0.1)
    p.add_argument("--start", type=int, default=1 << 20, help="the first batch's number: clips that are new")
    p.add_argument("--report", type=float, default=1, help="minutes between reports")
    p.add_argument("--score", type=int, help="train nothing: score the file (or `none`) on that many held-out clips")
    p.add_argument("--first", type=int, default=1000, help="the first held-out seed of --score")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--amp", action="store_true", help="bfloat16 where that is safe")
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def main():
    a = options()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    m, vocabulary, _ = evaluate.load(a.model)
    m.requires_grad_(False)
    c = m.c
    if not 0 < a.layer < c.vit_layers or (c.side // c.patch) % a.factor:
        raise SystemExit("train_laco.py: the ViT has %d layers and a grid of %d (give a --layer inside and a --factor "
                         "that divides)" % (c.vit_layers, c.side // c.patch))
    if a.score:
        report(Merged(m, load(a.out, c.vit_width, a.factor), a.layer), vocabulary, a.first, a.score)
        return
    laco = Laco(c.vit_width, a.inner, a.factor)
    train(a, Merged(m, laco, a.layer), vocabulary)


if __name__ == "__main__":
    main()
