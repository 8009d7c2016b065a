"""Clips and questions as tensors, for train.py and evaluate.py."""
import dataclasses

import numpy as np
import torch

import questions
import render

BEFORE = "USER: "                        # the prompt up to the frames, after BOS
AFTER = "\n%s\nASSISTANT:"               # and after them; an answer follows as " answer" and EOS
COURSES = ["patches", "frame", "clip"]   # what each stage of training learns from
FRAMES_A_CLIP = 3                        # still frames taken from a clip in the stage "frame"


def frozen(s, t):
    """The scene that frame t alone shows."""
    def still(o):
        return dataclasses.replace(o, path=np.repeat(o.at(t)[None], render.FRAMES, 0), first=0, direction="nowhere")
    things = [still(o) for o in s.things if o.at(t) is not None]
    return render.Scene(things, still(s.flash) if s.flash and s.flash.at(t) is not None else None)


def asked(vocabulary, triples, r=None):
    """Rows of ids, and which of them are answers. r: wear the questions, as users do."""
    out = []
    for _, question, answer in triples:
        text = AFTER % (questions.worn(r, question) if r is not None else question)
        q, a = vocabulary.encode(text), vocabulary.encode(" " + answer) + [vocabulary.eos]
        out.append((q + a, len(q)))
    return out


def pack(vocabulary, rows):
    """[[(ids, first answer)] * Q] * B to ids [B, Q, W] and targets [B, Q, W] (-100 where nothing is asked)."""
    width = max(len(ids) for clip in rows for ids, _ in clip) - 1
    ids = np.full((len(rows), len(rows[0]), width), vocabulary.pad, np.int64)
    targets = np.full(ids.shape, -100, np.int64)
    for b, clip in enumerate(rows):
        for q, (row, first) in enumerate(clip):
            ids[b, q, :len(row) - 1] = row[:-1]
            targets[b, q, first - 1:len(row) - 1] = row[first:]
    return torch.from_numpy(ids), torch.from_numpy(targets)


def batch(vocabulary, seeds, course, n, types=None, held_out=False):
    """A dict: frames uint8 [B, T, side, side, 3], labels [B, T, N, L],
    numbers [B, T] (things seen so far), ids and targets [B, Q, W], kinds [B][Q]."""
    frames, labels, rows, kinds, numbers = [], [], [], [], []
    for seed in seeds:
        f, l, s, r = render.clip(seed)
        if course == "patches":
            frames.append(f[::2]), labels.append(l[::2])  # neighbours are much alike
            continue
        wear = None if held_out else r
        if course == "frame":
            for t in r.permutation(render.FRAMES)[:FRAMES_A_CLIP]:
                got = questions.several(r, frozen(s, t), n, questions.STILL + ["flash"], held_out)
                frames.append(f[t:t + 1]), labels.append(l[t:t + 1]), rows.append(asked(vocabulary, got, wear))
                kinds.append([k for k, _, _ in got])
            continue
        got = questions.several(r, s, n, types, held_out)
        frames.append(f), labels.append(l), rows.append(asked(vocabulary, got, wear))
        kinds.append([k for k, _, _ in got])
        numbers.append([sum(o.first <= t for o in s.things) for t in range(render.FRAMES)])
    out = {"frames": torch.from_numpy(np.stack(frames)), "labels": torch.from_numpy(np.stack(labels)), "kinds": kinds}
    if rows:
        out["ids"], out["targets"] = pack(vocabulary, rows)
    if numbers:
        out["numbers"] = torch.tensor(numbers)
    return out


def before(vocabulary):
    return torch.tensor([vocabulary.bos] + vocabulary.encode(BEFORE))


def chosen(rows, share, how, generator=None, bonus=None):
    """Which of the rows [B, V, D] of each clip are kept, ascending [B, n].

    how: random (the largest of uniform numbers plus `bonus` [B, V]), or uniform (evenly spaced).
    """
    b, v, _ = rows.shape
    n = max(1, round(share * v))
    if how == "uniform":
        return ((torch.arange(n) + 0.5) * v / n).long().expand(b, n)
    score = torch.rand(b, v, generator=generator) + (0 if bonus is None else bonus)
    return score.argsort(1, descending=True)[:, :n].sort(1).values


def pick(x, at):
    """Rows `at` [B, n] of x [B, V, D]."""
    return x.gather(1, at.to(x.device)[:, :, None].expand(-1, -1, x.shape[-1]))


class Batches(torch.utils.data.IterableDataset):
    """Batches of one stage from step `first` on, the same whatever the number of workers."""

    def __init__(self, vocabulary, course, size, n, first=0, types=None):
        self.args = (vocabulary, course, size, n, first, types)

    def __iter__(self):
        vocabulary, course, size, n, step, types = self.args
        info = torch.utils.data.get_worker_info()
        at, stride = (info.id, info.num_workers) if info else (0, 1)
        base = (COURSES.index(course) + 1) << 32
        for i in range(step + at, 1 << 62, stride):
            yield batch(vocabulary, range(base + i * size, base + (i + 1) * size), course, n, types)
