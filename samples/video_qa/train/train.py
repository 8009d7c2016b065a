#!/usr/bin/env python3
"""Trains the video-QA model, from nothing, in three stages within a time budget.

usage: train.py --out FOLDER [--minutes 120] [--threads 2] [--device cpu|cuda] [--size tiny|small|base] [--resume] ...
       (python3, numpy, torch)

Stages, each a share of the budget (--shares): "patches", the ViT alone learns to say each patch's shape and colour;
"frame", the whole model answers about single frames, which are short; "clip", everything. The learning rate warms
up and falls as a cosine over the time spent, so a run ends trained whatever the machine's speed. --schedule sets what
the last stage takes from the decoder: LLaVolta's stages, or EPIC's distillation (schedules.py). FOLDER/last.pt is
written every --save minutes (and renamed into place); --resume goes on from it, with the same budget counted from where
it stopped. Loss and accuracy by type on seeds and wordings never trained on go to the screen and FOLDER/log.txt.
"""
import argparse
import math
import os
import time

import torch
import torch.nn.functional as F

import compressors
import data
import evaluate
import model as model_
import questions
import render
import schedules
import tokens

NOTHING = 0.15  # weight of the patches that show nothing, most of them


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--minutes", type=float, default=120)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--device", default="cpu")
    p.add_argument("--size", default="tiny", choices=model_.SIZES)
    p.add_argument("--resume", action="store_true")
    p.add_argument("--from", dest="start", help="a checkpoint, or a folder of exported files, to begin with")
    p.add_argument("--batch", type=int, default=6, help="clips a step")
    p.add_argument("--questions", type=int, default=12, help="questions a clip")
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--decay", type=float, default=0.05)
    p.add_argument("--shares", type=float, nargs=3, default=[0.06, 0.12, 0.82], help="of the budget, by stage")
    p.add_argument("--drop", type=float, default=0.65, help="share of the steps that see a part of the visual tokens")
    p.add_argument("--aux", type=float, default=0.3, help="weight of what patches show, after the first stage")
    p.add_argument("--least", type=float, default=0.05, help="smallest share of the visual tokens that such a step sees")
    p.add_argument("--schedule", choices=["llavolta", "epic-token", "epic-layer"],
                   help="of the last stage, in place of --drop")
    p.add_argument("--stages", type=schedules.stages, default=schedules.STAGES,
                   help="llavolta's: LAYER:STRIDE:UNTIL%%,... (%(default)s)")
    p.add_argument("--compressor", choices=compressors.KINDS + ["mixed"], default="random",
                   help="epic's (mixed: one a step)")
    p.add_argument("--layer", type=int, default=0, help="epic's: decoder layers that run before it")
    p.add_argument("--ratios", type=float, nargs=4, default=schedules.RATIOS,
                   metavar=("FIRST", "LAST", "LARGEST", "SMALLEST"),
                   help="epic's: share taken first and last, how far its two limits get between them")
    p.add_argument("--alpha", type=float, default=0.5, help="epic's: weight of the teacher, the rest is the answers'")
    p.add_argument("--temperature", type=float, default=2.0, help="epic's")
    p.add_argument("--frozen", action="store_true", help="ViT and projector stay as they are")
    p.add_argument("--types", nargs="*", choices=questions.TYPES, help="the last stage's types (all)")
    p.add_argument("--amp", action="store_true", help="bfloat16 where that is safe")
    p.add_argument("--workers", type=int, default=0, help="processes that render")
    p.add_argument("--save", type=float, default=3, help="minutes between checkpoints")
    p.add_argument("--report", type=float, default=3, help="minutes between evaluations")
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def weighed(heads, rows, labels, names=tuple(render.LABELS)):
    """Mean loss of the heads over rows [B, V, D] with labels [B, V, L]: patches that show nothing count for less."""
    total = 0.0
    for at, name in enumerate(render.LABELS):
        if name in heads and name in names:
            label = labels[:, :, at].flatten()
            weight = torch.where(label == 0, NOTHING, 1.0)
            losses = F.cross_entropy(heads[name](rows).float().flatten(0, 1), label, reduction="none")
            total = total + (losses * weight).sum() / weight.sum()
    return total


def patch_loss(m, rows, labels):
    """(loss, share of the patches that show something whose shape and colour are right)."""
    with torch.no_grad():
        a, b = m.seen["shape"](rows).argmax(-1), m.seen["colour"](rows).argmax(-1)
        there = labels[:, :, 0] > 0
        right = ((a == labels[:, :, 0]) & (b == labels[:, :, 1]))[there].float().mean()
    return weighed(m.seen, rows, labels), right


def place_loss(m, visual):
    """How well projected rows [B, V, D] of whole frames tell their row and column."""
    side, (b, v, _) = render.SIDE // render.PATCH, visual.shape
    at = torch.arange(v, device=visual.device).expand(b, v).flatten() % (side * side)
    return (F.cross_entropy(m.placed["row"](visual).float().flatten(0, 1), at // side) +
            F.cross_entropy(m.placed["column"](visual).float().flatten(0, 1), at % side))


def story_loss(m, halfway, labels, at, numbers):
    """What the visual rows should know halfway through the decoder; at: which rows were kept, None: all."""
    n, (b, v, _) = (render.SIDE // render.PATCH) ** 2, halfway.shape
    if numbers is None:  # one frame tells no story
        return weighed(m.told, halfway, labels, ["corner"])
    if at is not None:
        return weighed(m.told, halfway, data.pick(labels, at))
    frame = (torch.arange(v, device=halfway.device) // n).expand(b, v)
    last = halfway[:, n - 1::n]  # the last row of a frame has seen all of it
    return (weighed(m.told, halfway, labels) +
            F.cross_entropy(m.told["number"](last).float().flatten(0, 1), numbers.flatten()) +
            F.cross_entropy(m.told["frame"](halfway).float().flatten(0, 1), frame.flatten()))


class Trainer:
    def __init__(self, a):
        self.a = a
        torch.manual_seed(a.seed)
        self.vocabulary = tokens.Vocabulary()
        self.model = model_.Model(model_.config(a.size, len(self.vocabulary))).to(a.device)
        if a.frozen:
            for part in (self.model.vit, self.model.mm0, self.model.mm2):
                part.requires_grad_(False)
        learning = [p for p in self.model.parameters() if p.requires_grad]
        matrices, vectors = [p for p in learning if p.ndim > 1], [p for p in learning if p.ndim <= 1]
        self.adam = torch.optim.AdamW([{"params": matrices, "weight_decay": a.decay},
                                       {"params": vectors, "weight_decay": 0.0}], lr=a.rate, betas=(0.9, 0.98))
        self.steps, self.spent, self.clips = [0, 0, 0], 0.0, 0
        self.before = data.before(self.vocabulary).to(a.device)
        self.random = torch.Generator().manual_seed(a.seed)
        os.makedirs(a.out, exist_ok=True)
        self.path = os.path.join(a.out, "last.pt")
        if a.resume and os.path.exists(self.path):
            self.load(self.path)
        elif a.start:
            self.model.load_state_dict(evaluate.load(a.start, a.device)[2]["model"])

    def load(self, path):
        got = torch.load(path, map_location=self.a.device, weights_only=True)
        self.model.load_state_dict(got["model"])
        self.adam.load_state_dict(got["adam"])
        self.steps, self.spent, self.clips = got["steps"], got["spent"], got["clips"]

    def save(self):
        part = self.path + ".part"
        torch.save({"model": self.model.state_dict(), "adam": self.adam.state_dict(), "steps": self.steps,
                    "spent": self.spent, "clips": self.clips, "config": model_.as_dict(self.model.c),
                    "pieces": self.vocabulary.pieces}, part)
        os.replace(part, self.path)

    def say(self, text):
        print(text, flush=True)
        with open(os.path.join(self.a.out, "log.txt"), "a") as file:
            file.write(text + "\n")

    def some(self, visual, labels):
        """A part of the visual rows: blindly, or more or less those that show something, as a good method keeps."""
        luck, taste = torch.rand(2, generator=self.random).tolist()
        share = self.a.least + (0.95 - self.a.least) * luck * luck
        there = (labels[:, :, 0] > 0).cpu() * max(0.0, 3 * taste - 1)
        return data.chosen(visual, share, "random", self.random, there)

    def loss(self, course, got):
        a, m = self.a, self.model
        labels = got["labels"].flatten(1, 2).long().to(a.device)
        rows = m.see(got["frames"].to(a.device, non_blocking=True))
        loss, seen = patch_loss(m, rows, labels)
        if course == "patches":
            return loss, loss.detach(), seen
        visual, at = m.project(rows), None
        loss = loss + place_loss(m, visual)
        if course == "clip" and a.schedule:
            answers, said = self.scheduled(visual, got["ids"].to(a.device), got["targets"].to(a.device))
            return answers + a.aux * loss, said, seen
        if course == "clip" and torch.rand((), generator=self.random) < a.drop:
            at = self.some(visual, labels)
            visual = data.pick(visual, at)
        targets = got["targets"].to(a.device)
        hidden, halfway = m.decode(self.before, visual, got["ids"].to(a.device))
        where = targets >= 0
        answers = F.cross_entropy(m.logits(hidden[where]).float(), targets[where])
        numbers = got["numbers"].to(a.device) if "numbers" in got else None
        loss = loss + story_loss(m, halfway, labels, at, numbers)
        return answers + a.aux * loss, answers.detach(), seen

    def squeezes(self):
        """What the schedule does to the student's and the teacher's visual rows, for model.decode; None: nothing."""
        a = self.a
        before = sum(a.shares[:2])
        progress = (self.spent / (60 * a.minutes) - before) / max(1 - before, 1e-9)
        if a.schedule == "llavolta":
            layer, stride = schedules.stage_at(a.stages, progress)
            return (layer, lambda x, p: compressors.strided(x, p, stride)) if stride > 1 else None, None
        luck, which = torch.rand(2, generator=self.random).tolist()
        kind = compressors.KINDS[int(which * len(compressors.KINDS))] if a.compressor == "mixed" else a.compressor
        layer = schedules.layer_at(progress, self.model.c.layers, a.layer) if a.schedule == "epic-layer" else a.layer
        return tuple((layer, lambda x, p, share=share: compressors.compress(kind, x, p, share, self.random))
                     for share in schedules.shares(progress, luck, a.ratios))

    def scheduled(self, visual, ids, targets):
        """(loss of the answers under the schedule, that of the right answers alone)."""
        a, m = self.a, self.model
        student, teacher = self.squeezes()
        where = targets >= 0
        said = m.logits(m.decode(self.before, visual, ids, student)[0][where]).float()
        answers = F.cross_entropy(said, targets[where])
        if teacher is None:
            return answers, answers.detach()
        with torch.no_grad():
            taught = m.logits(m.decode(self.before, visual, ids, teacher)[0][where]).float()
        apart = F.kl_div((said / a.temperature).log_softmax(-1), (taught / a.temperature).log_softmax(-1),
                         reduction="batchmean", log_target=True) * a.temperature ** 2
        return a.alpha * apart + (1 - a.alpha) * answers, answers.detach()

    def stage(self):
        """(index, whether the budget is spent)."""
        at, end = self.spent / (60 * self.a.minutes), 0.0
        for i, share in enumerate(self.a.shares):
            end += share
            if at < end - 1e-9:
                return i, False
        return 2, True

    def rate(self):
        at = min(self.spent / (60 * self.a.minutes), 1.0)
        warm = min(1.0, (sum(self.steps) + 1) / 100)
        return self.a.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * at)))

    def run(self):
        sight, text = self.model.exported()
        self.say("ViT and projector %.2fM, decoder %.2fM parameters, %d tokens" %
                 (sight / 1e6, text / 1e6, len(self.vocabulary)))
        while True:
            stage, done = self.stage()
            if done:
                break
            self.course(stage)
        self.save()
        self.report(data.COURSES[2])

    def course(self, stage):
        a, course = self.a, data.COURSES[stage]
        source = data.Batches(self.vocabulary, course, a.batch, a.questions, self.steps[stage], a.types)
        loader = torch.utils.data.DataLoader(source, batch_size=None, num_workers=a.workers,
                                             pin_memory=a.device != "cpu", prefetch_factor=2 if a.workers else None)
        sums, count, clips, last = [0.0, 0.0], 0, self.clips, self.spent
        saved = reported = self.spent
        then = time.monotonic()
        for got in loader:
            for group in self.adam.param_groups:
                group["lr"] = self.rate()
            with torch.autocast(a.device.split(":")[0], torch.bfloat16, enabled=a.amp):
                loss, shown, seen = self.loss(course, got)
            self.adam.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.adam.step()
            self.steps[stage] += 1
            self.clips += a.batch
            sums, count = [sums[0] + shown, sums[1] + seen], count + 1
            now = time.monotonic()
            self.spent, then = self.spent + now - then, now
            if self.spent - last > 20:
                self.say("%6.1f min  %-7s step %6d  loss %.3f  patches %.1f%%  %.1f clips/s  rate %.1e" %
                         (self.spent / 60, course, self.steps[stage], sums[0] / count, 100 * sums[1] / count,
                          (self.clips - clips) / (self.spent - last), self.rate()))
                sums, count, clips, last = [0.0, 0.0], 0, self.clips, self.spent
            if self.spent - saved > 60 * a.save:
                self.save()
                saved = self.spent
            if course != "patches" and self.spent - reported > 60 * a.report:
                self.report(course)
                reported, then = self.spent, time.monotonic()
            if self.stage() != (stage, False):
                self.save()
                return

    def report(self, course):
        table = evaluate.score(self.model, self.vocabulary, range(render.HELD_OUT, render.HELD_OUT + 60), course=course)
        self.say("        " + "  ".join("%s %.0f" % (t, 100 * sum(r) / len(r)) for t, r in table.items() if r))


def main():
    a = options()
    torch.set_num_threads(a.threads)
    if a.device != "cpu":
        torch.backends.cuda.matmul.allow_tf32 = True
    Trainer(a).run()


if __name__ == "__main__":
    main()
