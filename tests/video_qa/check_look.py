#!/usr/bin/env python3
"""What winnow-evaluate sees of a language model against the model computed in numpy: every cell's attention to every
cell, keys, what a layer gives and embeddings, of two layers at once, in batches that cut the parts, and after going back.

usage: check_look.py LOOK-LAB TEXT-MODELS      (python3 and numpy)
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "llama")]
from numpy_llama import Llama
from tally import check, finish

BEFORE, AGAIN, WIDTH, HEADS = [1, 70, 80, 90, 100], [80, 90, 100], 64, 4
APART = 1e-4


def seen(program, model, layers, rows, batch, folder):
    rows.astype(np.float32).tofile(os.path.join(folder, "rows"))
    done = subprocess.run([program, model, *map(str, layers), os.path.join(folder, "rows"), str(len(rows)), str(batch),
                           os.path.join(folder, "out")], stderr=subprocess.PIPE)
    if done.returncode:
        raise SystemExit("look_lab: " + done.stderr.decode())
    return np.fromfile(os.path.join(folder, "out"), np.float32)


def expected(path, layers, rows):
    model = Llama(path)
    inputs = np.concatenate([model.embed(BEFORE), rows, model.embed(AGAIN)])
    n = len(inputs)
    attention, hidden = np.zeros((len(layers), HEADS, n, n)), np.zeros((len(layers), n, WIDTH))
    for at, x in enumerate(inputs):
        _, by_layer = model.token(x, at, range(at))
        for i, layer in enumerate(layers):
            attention[i, :, at, :at + 1] = by_layer[layer][1]
            if layer + 1 < model.layers:  # of the last llama.cpp makes what has logits alone
                hidden[i, at] = by_layer[layer][2]
    keys = [np.stack(model.k[layer]).reshape(n, -1) for layer in layers]
    embeddings = inputs.copy()
    embeddings[len(BEFORE):len(BEFORE) + len(rows)] = 0  # rows are not looked up
    return [part for parts in zip(attention, keys, hidden) for part in parts] + [embeddings]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, random = os.path.join(sys.argv[2], "deep.gguf"), np.random.RandomState(7)
    with tempfile.TemporaryDirectory() as folder:
        for count, batch, layers in ((1, 64, (0, 1)), (23, 64, (3, 1)), (41, 7, (2, 0))):
            rows = random.standard_normal((count, WIDTH))
            got = seen(sys.argv[1], path, layers, rows, batch, folder)
            for name, want in zip(("attention", "keys", "hidden") * 2 + ("embeddings",), expected(path, layers, rows)):
                part, got = got[:want.size].reshape(want.shape), got[want.size:]
                apart = float(np.abs(part - want).max())
                check(apart < APART, "%d rows, batches of %d, layers %s: %s %g apart" %
                      (count, batch, layers, name, apart))
            check(len(got) == 0, "nothing else is written")
    finish()


if __name__ == "__main__":
    main()
