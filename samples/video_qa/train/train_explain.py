#!/usr/bin/env python3
"""Trains explain's network for a model that stays as it is, and writes it as a file for `explain=weights=FILE`.

usage: train_explain.py MODEL OUT.safetensors [--kernel 3x3] [--channels 16,16,16,16] [--minutes 5] ...
       train_explain.py MODEL WEIGHTS.safetensors --score 260 [--keep 14,29,72]
       (python3, numpy, torch; MODEL: a checkpoint, or a folder of exported files)

In: the attention of the question's rows to each visual token in the decoder's first layer, their mean, a channel a head
(or the mean of all: --mean). Out: how relevant each token is for the answer. What is aimed at is the relevance of
arXiv:2506.01097: R = I; R = R + mean over heads of (A * dA)+ R, layer by layer, A a layer's attention and dA the gradient
of the answer in it; the row of what says the answer. Questions that the model gets wrong are left out, the lower half of a
target is 0, the loss is the KL of a softmax over all visual tokens. Ours: one gradient for all tokens of an answer, the
end left out, where the paper takes one for each.

--score counts right answers with as many tokens as --keep says, chosen for each question by the network, by the attention
that it takes, by the last row's attention in the second layer (fastv's score), by chance, and by the relevance itself.
"""
import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import data
import evaluate
import frozen
import model
import render
import weights


class Explain(nn.Module):
    """[B, C, T, h, w] to [B, T*h*w]. kernel "3x3": on each frame's grid; "5": along the tokens. apart: each layer is a
    convolution channel by channel, then a mix of channels, and a mix into one channel comes last."""

    def __init__(self, kernel, inputs, channels, apart, scale):
        super().__init__()
        self.kernel, self.scale, self.grid = kernel, scale, "x" in kernel
        self.sides = tuple(int(k) for k in kernel.split("x")) if self.grid else (1, int(kernel))
        pad = tuple(k // 2 for k in self.sides)
        self.depth, self.mix = nn.ModuleDict(), nn.ModuleList()
        for i, (a, b) in enumerate(zip([inputs] + channels, channels + [1])):
            if apart and i < len(channels):
                self.depth[str(i)] = nn.Conv2d(a, a, self.sides, padding=pad, groups=a)
            self.mix.append(nn.Conv2d(a, b, 1) if apart else nn.Conv2d(a, b, self.sides, padding=pad))

    def forward(self, x):
        b, c, t, h, w = x.shape
        x = x * self.scale
        x = x.transpose(1, 2).reshape(b * t, c, h, w) if self.grid else x.reshape(b, c, 1, t * h * w)
        for i, mix in enumerate(self.mix):
            x = mix(self.depth[str(i)](x) if str(i) in self.depth else x)
            x = F.relu(x) if i + 1 < len(self.mix) else x
        return x.reshape(b, -1)

    def tensors(self):
        """As the file has them: [kernel*in, out], or [kernel, in] and [in, out]; attention comes as it is."""
        out = {}
        for i, mix in enumerate(self.mix):
            name, scale = "layer%d" % (i + 1), 1.0 if i else self.scale
            if str(i) in self.depth:
                depth = self.depth[str(i)]
                out[name + ".depth.weight"] = depth.weight.flatten(1).t() * scale
                out[name + ".depth.bias"] = depth.bias
                scale = 1.0
            out[name + ".weight"] = mix.weight.permute(2, 3, 1, 0).flatten(0, 2) * scale
            out[name + ".bias"] = mix.bias
        return {k: v.detach().numpy() for k, v in out.items()}


def save(path, net):
    weights.write(path, "explain", net.tensors(), {"kernel": net.kernel})


def load(path):
    notes, got = weights.read(path)
    kernel, count = notes["kernel"], sum(k.endswith(".weight") and ".depth." not in k for k in got)
    apart = "layer1.depth.weight" in got
    outs = [got["layer%d.weight" % (i + 1)].shape[1] for i in range(count)]
    taps = math.prod(int(k) for k in kernel.split("x"))
    inputs = got["layer1.depth.weight"].shape[1] if apart else got["layer1.weight"].shape[0] // taps
    net = Explain(kernel, inputs, outs[:-1], apart, 1.0)
    for i, mix in enumerate(net.mix):
        x = torch.from_numpy(got["layer%d.weight" % (i + 1)])
        mix.weight.data = x.view(*mix.weight.shape[2:], *mix.weight.shape[1::-1]).permute(3, 2, 0, 1).contiguous()
        mix.bias.data = torch.from_numpy(got["layer%d.bias" % (i + 1)].copy())
    for i, depth in net.depth.items():
        name = "layer%d.depth" % (int(i) + 1)
        depth.weight.data = torch.from_numpy(got[name + ".weight"]).t().reshape(depth.weight.shape).contiguous()
        depth.bias.data = torch.from_numpy(got[name + ".bias"].copy())
    return net


# -- what the model attends to -------------------------------------------------------------------------

def attended(layer, x, cos, sin, mask):
    """A layer's output and its attention [B, H, N, N]."""
    b, n, d = x.shape
    q, k, v = layer.qkv(layer.norm1(x)).view(b, n, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    q, k = model.turn(q, cos, sin), model.turn(k, cos, sin)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    a = scores.masked_fill(~mask, float("-inf")).softmax(-1)
    x = x + layer.out((a @ v).transpose(1, 2).reshape(b, n, d))
    gate, up = layer.gate_up(layer.norm2(x)).chunk(2, -1)
    return x + layer.down(F.silu(gate) * up), a


def run(m, before, visual, ids, layers=None):
    """One question each: visual [B, V, D], ids [B, W]. (logits [B, W, words] or None, attention of each layer)."""
    x = torch.cat([m.embed(before).expand(len(ids), -1, -1), visual, m.embed(ids)], 1)
    n, maps = x.shape[1], []
    mask, (cos, sin) = torch.ones(n, n, dtype=torch.bool).tril(), m.rotation(torch.arange(n))
    for layer in m.layers[:layers]:
        x, a = attended(layer, x, cos, sin, mask)
        maps.append(a)
    return None if layers else m.logits(m.norm(x[:, -ids.shape[1]:])), maps


def rows_asked(targets):
    """[B, W]: 1 for the rows of the question, up to the one that says the answer's first token."""
    first = (targets >= 0).int().argmax(1)
    return (torch.arange(targets.shape[1]) <= first[:, None]).float()


def taken(maps, targets, first, count):
    """What the network takes: the question's rows' mean in the first layer, [B, H, V]."""
    rows = rows_asked(targets)
    a = maps[0][:, :, -targets.shape[1]:, first:first + count]
    return (a * rows[:, None, :, None]).sum(2) / rows.sum(1)[:, None, None]


def last_row(maps, targets, first, count):
    """fastv's score: the last prompt token's attention in the second layer, mean over heads, [B, V]."""
    at = (rows_asked(targets).sum(1) - 1).long()
    a = maps[1][:, :, -targets.shape[1]:, first:first + count].mean(1)
    return a[torch.arange(len(a)), at]


def relevance(logits, maps, targets, end, first, count):
    """[B, V]."""
    where = (targets >= 0) & (targets != end)
    said = logits.gather(2, targets.clamp(min=0)[:, :, None])[:, :, 0]
    slopes = torch.autograd.grad((said * where).sum(), maps)
    r = F.pad(where.float() / where.sum(1, keepdim=True), (maps[0].shape[-1] - targets.shape[1], 0))
    for a, slope in zip(reversed(maps), reversed(slopes)):
        r = r + torch.einsum("bn,bnk->bk", r, (a.detach() * slope).clamp(min=0).mean(1))
    return r[:, first:first + count]


class Examples:
    """Questions with what the network takes, what it is to give, and whether the model was right."""

    def __init__(self, m, vocabulary):
        self.m, self.vocabulary, self.before = m, vocabulary, data.before(vocabulary)

    def of(self, got):
        """A batch of data.py: a dict of tensors by question."""
        m, first = self.m, len(self.before)
        q = got["ids"].shape[1]
        with torch.no_grad():
            visual = m.project(m.see(got["frames"])).repeat_interleave(q, 0)
        ids, targets = got["ids"].flatten(0, 1), got["targets"].flatten(0, 1)
        logits, maps = run(m, self.before, visual.requires_grad_(), ids)
        right = ((logits.argmax(-1) == targets) | (targets < 0)).all(1)
        count = visual.shape[1]
        aim = relevance(logits, maps, targets, self.vocabulary.eos, first, count)
        return {"attention": taken(maps, targets, first, count).detach(), "aim": aim, "right": right, "ids": ids,
                "targets": targets, "visual": visual.detach(),
                "last": last_row(maps, targets, first, count).detach()}


def shaped(m, attention, mean):
    side = m.c.side // m.c.patch
    x = attention.mean(1, keepdim=True) if mean else attention
    return x.unflatten(2, (-1, side, side))


# -- training ------------------------------------------------------------------------------------------

def collect(a, m, vocabulary):
    """(attention [N, H, V], aims [N, V]) of questions that the model gets right, in their share of the time."""
    if a.examples and os.path.exists(a.examples):
        got = np.load(a.examples)
        return tuple(torch.from_numpy(got[k]) for k in ("attention", "aims"))
    examples, begin, inputs, aims, asked = Examples(m, vocabulary), time.process_time(), [], [], 0
    for got in data.Batches(vocabulary, "clip", a.batch, a.questions, first=a.start):
        e = examples.of(got)
        inputs.append(e["attention"][e["right"]]), aims.append(e["aim"][e["right"]])
        asked += len(e["right"])
        if time.process_time() - begin > 60 * a.minutes * a.collect:
            break
    x, y = torch.cat(inputs), torch.cat(aims)
    print("%6.1f min  %d questions, %d right" % ((time.process_time() - begin) / 60, asked, len(x)), flush=True)
    if a.examples:
        np.savez(a.examples, attention=x.numpy(), aims=y.numpy())
    return x, y


def aimed(y):
    """The upper half of each row, adding up to 1."""
    y = torch.where(y >= y.median(1, keepdim=True).values, y, 0)
    return y / y.sum(1, keepdim=True).clamp(min=1e-12)


def train(a, m, vocabulary):
    x, y = collect(a, m, vocabulary)
    inputs = 1 if a.mean else x.shape[1]
    net = Explain(a.kernel, inputs, [int(c) for c in a.channels.split(",")], a.apart, float(x.shape[2]))
    x, y = shaped(m, x, a.mean), aimed(y)
    adam = torch.optim.Adam(net.parameters(), lr=a.rate)
    begin, room, steps, said = time.process_time(), 60 * a.minutes * (1 - a.collect), 0, 0.0
    generator = torch.Generator().manual_seed(a.seed)
    sums = [0.0, 0]
    while time.process_time() - begin < room:
        at = torch.randint(len(x), (128,), generator=generator)
        share = (time.process_time() - begin) / room
        for group in adam.param_groups:
            group["lr"] = a.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        loss = F.kl_div(net(x[at]).log_softmax(1), y[at], reduction="batchmean")
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        steps, sums = steps + 1, [sums[0] + loss.item(), sums[1] + 1]
        if time.process_time() - begin - said > 30:
            said = time.process_time() - begin
            print("%6.1f min  step %5d  KL %.4f" % (said / 60, steps, sums[0] / sums[1]), flush=True)
            sums = [0.0, 0]
    save(a.out, net)
    print("%d steps, %.0f times each, %d parameters" % (steps, 128 * steps / len(x),
                                                        sum(p.numel() for p in net.parameters())))


# -- counting ------------------------------------------------------------------------------------------

@torch.no_grad()
def rights(m, before, e, scores, keep):
    at = scores.argsort(dim=1, descending=True, stable=True)[:, :keep].sort(1).values
    logits = m.logits(m.decode(before, data.pick(e["visual"], at), e["ids"][:, None])[0])[:, 0]
    return ((logits.argmax(-1) == e["targets"]) | (e["targets"] < 0)).all(1)


def score(a, m, vocabulary):
    net, examples = load(a.out), Examples(m, vocabulary)
    mean = (net.depth["0"] if net.depth else net.mix[0]).in_channels == 1
    keeps = [int(k) for k in a.keep.split(",")]
    table, whole = {}, []
    generator = torch.Generator().manual_seed(1)
    seeds = range(render.HELD_OUT + a.first, render.HELD_OUT + a.first + a.score)
    for at in range(0, a.score, a.batch):
        e = examples.of(data.batch(vocabulary, seeds[at:at + a.batch], "clip", a.questions, held_out=True))
        whole += e["right"].tolist()
        with torch.no_grad():
            ways = {"explain": net(shaped(m, e["attention"], mean)), "attention": e["attention"].mean(1),
                    "second layer, last row": e["last"], "random": torch.rand(e["aim"].shape, generator=generator),
                    "relevance itself": e["aim"]}
        for name, scores in ways.items():
            for keep in keeps:
                table.setdefault((name, keep), []).extend(rights(m, examples.before, e, scores, keep).tolist())
    for (name, keep), r in {("all", e["aim"].shape[1]): whole, **table}.items():
        low, high = evaluate.wilson(sum(r), len(r))
        print("%-24s %4d tokens  %6d questions  %5.1f%%  [%4.1f, %4.1f]" %
              (name, keep, len(r), 100 * sum(r) / len(r), 100 * low, 100 * high))


def options():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("out")
    p.add_argument("--kernel", default="3x3", help="3x3: on each frame's grid; 5: along the tokens, as in the paper")
    p.add_argument("--channels", default="16,16,16,16", help="of the layers; one more gives the relevance")
    p.add_argument("--apart", action="store_true", help="channel by channel, then a mix, as in the paper")
    p.add_argument("--mean", action="store_true", help="the mean of the heads, as in the paper, in place of each")
    p.add_argument("--minutes", type=float, default=10, help="of processor time")
    p.add_argument("--collect", type=float, default=0.6, help="share of them for the questions that it learns from")
    p.add_argument("--examples", help="a file that keeps what it learns from: written, or read where it is there")
    p.add_argument("--batch", type=int, default=2, help="clips at a time")
    p.add_argument("--questions", type=int, default=12, help="questions a clip")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--start", type=int, default=1 << 21, help="the first batch's number: clips that are new")
    p.add_argument("--score", type=int, help="train nothing: score the file on that many held-out clips")
    p.add_argument("--keep", default="14,29,72", help="tokens of --score")
    p.add_argument("--first", type=int, default=1000, help="the first held-out seed of --score")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def main():
    a = options()
    m, vocabulary = frozen.begin(a)
    if a.score:
        score(a, m, vocabulary)
    else:
        train(a, m, vocabulary)


if __name__ == "__main__":
    main()
