#!/usr/bin/env python3
"""How often a checkpoint, or a folder of exported files, is right on clips and wordings that training never saw.

usage: evaluate.py CHECKPOINT [--clips 500] [--keep 50%] [--how random|uniform] [--wordings held-out|trained] ...
       (python3, numpy, torch)

By type: questions, accuracy with its 95% interval (Wilson), and what the best constant answer would get. An answer is
right when every token of it, the end included, is the model's first choice, which is the same as greedy decoding
giving it. --keep drops visual tokens before the decoder, blindly: what a method of reduction has to beat.
"""
import argparse
import collections
import os

import torch

import data
import load_gguf
import model as model_
import questions
import render
import tokens


def wilson(right, n, z=1.96):
    """The 95% interval of a share."""
    if not n:
        return 0.0, 1.0
    p, d = right / n, 1 + z * z / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return (middle - half) / d, (middle + half) / d


@torch.no_grad()
def score(m, vocabulary, seeds, course="clip", held_out=True, keep=1.0, how="random", n=12, size=8, answers=None):
    """Type -> [right?]. answers: type -> Counter of the right answers, filled where given."""
    device = m.embed.weight.device
    before, generator = data.before(vocabulary).to(device), torch.Generator().manual_seed(1)
    table = {t: [] for t in questions.TYPES}
    seeds = list(seeds)
    for at in range(0, len(seeds), size):
        got = data.batch(vocabulary, seeds[at:at + size], course, n, held_out=held_out)
        visual = m.project(m.see(got["frames"].to(device)))
        if keep < 1:
            visual = data.pick(visual, data.chosen(visual, keep, how, generator))
        first = m.logits(m.decode(before, visual, got["ids"].to(device))[0]).argmax(-1).cpu()
        right = ((first == got["targets"]) | (got["targets"] < 0)).all(-1)
        for b, kinds in enumerate(got["kinds"]):
            for q, kind in enumerate(kinds):
                table[kind].append(bool(right[b, q]))
                if answers is not None:
                    ids = got["targets"][b, q]
                    answers.setdefault(kind, collections.Counter())[vocabulary.decode(ids[ids >= 0].tolist())] += 1
    return table


def load(path, device="cpu"):
    """(model, vocabulary, checkpoint) of a checkpoint, or of the folder that export.py wrote it to."""
    if os.path.isdir(path):
        return load_gguf.load(path, device=device)
    got = torch.load(path, map_location=device, weights_only=True)
    m = model_.Model(model_.Config(**got["config"])).to(device)
    m.load_state_dict(got["model"])
    return m.eval(), tokens.Vocabulary(got["pieces"]), got


def show(table, answers=None):
    """Prints what score() gives."""
    everything = [x for r in table.values() for x in r]
    for name, r in list(table.items()) + [("all", everything)]:
        low, high = wilson(sum(r), len(r))
        line = "%-10s %6d  %5.1f%%  [%4.1f, %4.1f]" % (name, len(r), 100 * sum(r) / max(len(r), 1), 100 * low,
                                                        100 * high)
        best = (answers or {}).get(name, collections.Counter()).most_common(1)
        print(line + ("  constant %4.1f%% (%s)" % (100 * best[0][1] / len(r), best[0][0].strip()) if best else ""))


def share(text):
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("checkpoint")
    p.add_argument("--clips", type=int, default=500)
    p.add_argument("--first", type=int, default=1000, help="the first held-out seed")
    p.add_argument("--keep", type=share, default=1.0)
    p.add_argument("--how", choices=["random", "uniform"], default="random")
    p.add_argument("--wordings", choices=["held-out", "trained"], default="held-out")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    m, vocabulary, got = load(a.checkpoint, a.device)
    if got["clips"]:
        print("%.0f minutes of training, %d clips" % (got["spent"] / 60, got["clips"]))
    print("%.0f%% of the visual tokens kept%s" % (100 * a.keep, "" if a.keep == 1 else ", " + a.how))
    answers, first = {}, render.HELD_OUT + a.first
    table = score(m, vocabulary, range(first, first + a.clips), held_out=a.wordings == "held-out", keep=a.keep,
                  how=a.how, answers=answers)
    show(table, answers)


if __name__ == "__main__":
    main()
