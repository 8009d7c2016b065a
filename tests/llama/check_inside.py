#!/usr/bin/env python3
"""llama_attention and llama_cells against the model computed in numpy: what a layer attends to, and what
comes out of a cache with holes in it.

usage: check_inside.py INSIDE-LAB TEXT-MODELS      (python3 and numpy)
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

from numpy_llama import Llama, softmax

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from tally import check, finish

BEFORE, BEHIND, WIDTH, VOCABULARY, HEADS = [1, 70, 80, 90, 100], [70, 80, 90, 100], 64, 284, 4
ATTENTION_APART, LOGITS_APART = 1e-4, 1e-3


class Lab:
    def __init__(self, program, models, folder):
        self.program, self.folder = program, folder
        self.model = os.path.join(models, "deep.gguf")

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, rows, layer, how, masks, batch):
        """Gives the prompt's attention and logits, and for each mask logits and attention (None if freed)."""
        rows.astype(np.float32).tofile(self.path("rows"))
        with open(self.path("masks"), "w") as file:
            file.writelines("".join(map(str, m)) + "\n" for m in masks)
        done = subprocess.run([self.program, self.model, str(layer), self.path("rows"), str(len(rows)), how,
                               self.path("masks"), str(batch), self.path("out")], stderr=subprocess.PIPE)
        if done.returncode:
            raise SystemExit("inside_lab: " + done.stderr.decode())
        out = np.fromfile(self.path("out"), np.float32)
        cells = len(BEFORE) + len(rows) + len(BEHIND)

        def take(*shape):
            nonlocal out
            size = int(np.prod(shape))
            part, out = out[:size].reshape(shape), out[size:]
            return part

        attention, logits, steps = take(HEADS, cells), take(VOCABULARY), []
        for at in range(len(masks)):
            of_step = take(VOCABULARY)
            steps.append((of_step, take(HEADS, cells + at + 1) if how == "hide" else None))
        check(len(out) == 0, "nothing else is written")
        return attention, logits, steps


def expected(lab, rows, layer, masks):
    """The same in numpy."""
    model = Llama(lab.model)
    inputs = list(model.embed(BEFORE)) + list(rows) + list(model.embed(BEHIND))
    for at, x in enumerate(inputs):
        logits, layers = model.token(x, at, range(at))
    attention, steps = layers[layer][1], []
    first = len(BEFORE)
    for i, mask in enumerate(masks):
        at = len(inputs) + i
        seen = [c for c in range(at) if not first <= c < first + len(rows) or mask[c - first]]
        of_step, layers = model.token(model.embed([60 + i])[0], at, seen)
        steps.append((of_step, softmax(layers[layer][0])))
    return attention, logits, steps


def apart(a, b):
    return float(np.abs(a - b).max())


def check_case(lab, count, layer, how, masks, batch):
    what = "%d rows, layer %d, %s, batches of %d" % (count, layer, how, batch)
    rows = np.random.RandomState(count).standard_normal((count, WIDTH))
    got, want = lab.run(rows, layer, how, masks, batch), expected(lab, rows, layer, masks)
    check(apart(got[0], want[0]) < ATTENTION_APART, what + ": attention %g" % apart(got[0], want[0]))
    check(apart(got[1], want[1]) < LOGITS_APART, what + ": logits %g" % apart(got[1], want[1]))
    everything = expected(lab, rows, layer, [[1] * count] * len(masks))
    for i, (a, b) in enumerate(zip(got[2], want[2])):
        check(apart(a[0], b[0]) < LOGITS_APART, what + ": logits %g at step %d" % (apart(a[0], b[0]), i))
        if a[1] is not None:
            check(apart(a[1], b[1]) < ATTENTION_APART, what + ": attention of all cells, %g at step %d" %
                  (apart(a[1], b[1]), i))
        if 0 in masks[i]:
            check(apart(a[0], everything[2][i][0]) > 10 * LOGITS_APART, what + ": the mask matters")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    random = np.random.RandomState(5)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(sys.argv[1], sys.argv[2], folder)
        for layer in range(4):
            for count, batch in ((1, 64), (23, 64), (40, 7)):
                masks = random.randint(0, 2, (5, count)).tolist()
                masks[3] = [1] * count  # everything comes back
                check_case(lab, count, layer, "hide", masks, batch)
                check_case(lab, count, layer, "free", [masks[0]] * 4, batch)
    finish()


if __name__ == "__main__":
    main()
