"""Trains a part of Winnow's for a model that stays as it is: what train_laco.py and train_queries.py share.

A part has `m` (the model), `learner` (the module that learns), `visuals(frames)`, which gives the rows that the decoder
gets and those of all tokens, both projected [B, V, D], and `own_loss(rows, all rows)`, which may be 0. The loss: what
the answers themselves say (--answers), what the model with all of its tokens says to the same questions (--logits, a
KL), and the part's own.
"""
import math
import time

import torch
import torch.nn.functional as F

import data
import evaluate
import render
import weights


def options(parser):
    p = parser
    p.add_argument("model")
    p.add_argument("out")
    p.add_argument("--minutes", type=float, default=20)
    p.add_argument("--steps", type=int, default=1 << 62, help="stop after that many")
    p.add_argument("--batch", type=int, default=6, help="clips a step")
    p.add_argument("--questions", type=int, default=12, help="questions a clip")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--decay", type=float, default=0.01)
    p.add_argument("--answers", type=float, default=0.5)
    p.add_argument("--logits", type=float, default=0.5)
    p.add_argument("--start", type=int, default=1 << 20, help="the first batch's number: clips that are new")
    p.add_argument("--report", type=float, default=1, help="minutes between reports")
    p.add_argument("--score", type=int, help="train nothing: score the file (or `none`) on that many held-out clips")
    p.add_argument("--first", type=int, default=1000, help="the first held-out seed of --score")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--amp", action="store_true", help="bfloat16 where that is safe")
    p.add_argument("--seed", type=int, default=0)


def begin(a):
    """(model, vocabulary); nothing of the model learns."""
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    m, vocabulary, _ = evaluate.load(a.model)
    m.requires_grad_(False)
    return m, vocabulary


def tensors(module):
    """name -> array as a weights file has it: the matrices of layers lie [in, out] there."""
    return {name: x.t() if name.endswith("weight") and x.ndim > 1 else x
            for name, x in ((n, x.detach()) for n, x in module.state_dict().items())}


def fill(module, got):
    """The module with the tensors of a file in place of its own."""
    state = {name: torch.from_numpy(x.copy()) for name, x in got.items()}
    module.load_state_dict({name: x.t() if name.endswith("weight") and x.ndim > 1 else x
                            for name, x in state.items()})
    return module


def save(path, stage, module, more):
    weights.write(path, stage, tensors(module), {key: str(value) for key, value in more.items()})


def report(seen, vocabulary, first, clips):
    """seen: what evaluate.score asks of a model."""
    table = evaluate.score(seen, vocabulary, range(render.HELD_OUT + first, render.HELD_OUT + first + clips))
    evaluate.show(table)


def loss_of(a, part, before, got):
    """(loss, share of the answers' tokens that are right)."""
    m, targets, ids = part.m, got["targets"], got["ids"]
    where = targets >= 0
    visual, everything = part.visuals(got["frames"])
    total = visual.new_zeros(()) + part.own_loss(visual, everything)
    said = m.logits(m.decode(before, visual, ids)[0][where]).float()
    if a.answers:
        total = total + a.answers * F.cross_entropy(said, targets[where])
    if a.logits:
        with torch.no_grad():
            taught = m.logits(m.decode(before, everything, ids)[0][where]).float()
        total = total + a.logits * F.kl_div(said.log_softmax(-1), taught.log_softmax(-1), reduction="batchmean",
                                            log_target=True)
    return total, (said.argmax(-1) == targets[where]).float().mean()


def train(a, part, vocabulary, keep):
    """keep(): writes what has been learnt so far."""
    before = data.before(vocabulary)
    adam = torch.optim.AdamW(part.learner.parameters(), lr=a.rate, betas=(0.9, 0.98), weight_decay=a.decay)
    begin, busy, said, steps, sums = time.monotonic(), time.process_time(), 0.0, 0, [0.0, 0.0, 0]
    for got in data.Batches(vocabulary, "clip", a.batch, a.questions, first=a.start):
        at = min((time.monotonic() - begin) / (60 * a.minutes), 1.0)
        if at == 1.0 or steps == a.steps:
            break
        for group in adam.param_groups:
            group["lr"] = a.rate * min(1.0, (steps + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * at)))
        with torch.autocast("cpu", torch.bfloat16, enabled=a.amp):
            loss, right = loss_of(a, part, before, got)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(part.learner.parameters(), 1.0)
        adam.step()
        steps += 1
        sums = [sums[0] + loss.item(), sums[1] + right.item(), sums[2] + 1]
        if time.monotonic() - begin - said > 60 * a.report:
            said = time.monotonic() - begin
            print("%6.1f min  step %5d  %6d clips  loss %.4f  answers' tokens right %.1f%%" %
                  (said / 60, steps, steps * a.batch, sums[0] / sums[2], 100 * sums[1] / sums[2]), flush=True)
            sums = [0.0, 0.0, 0]
            keep()
    keep()
    print("%d steps, %d clips, %.1f minutes of processor time" %
          (steps, steps * a.batch, (time.process_time() - busy) / 60))
