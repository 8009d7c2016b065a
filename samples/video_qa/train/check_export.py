#!/usr/bin/env python3
"""Compares exported files in stock llama.cpp with torch: token ids, logits, greedy answers.

usage: check_export.py CHECKPOINT FOLDER ASK_LLAMA [--name winnow-qa] [--clips 5]      (python3, numpy, torch)

ASK_LLAMA is ask_llama.c, built with the packages and headers that tests/vit/oracle_mtmd.c names:
   cc -O1 -Iinclude ask_llama.c -o ask_llama -L$D -l:index.node -Wl,--allow-shlib-undefined -Wl,-rpath,$PWD/$D
Exit status 1 where a text's ids differ, or an answer where torch is not undecided (a margin under MARGIN).
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

import data
import evaluate
import questions
import render

MARKER = "<__media__>"
MARGIN = 0.1
TEXTS = ["What shape is the red circle?", "what colour is it", "In which corner is the Zebra-fish?\nASSISTANT: left",
         "USER: ", "  two  spaces", "it's 1234 o'clock", "Video:[0m0.00s]", "lines\n\n", "caf\u00e9 \u65e5\u672c", " ",
         "a_b __c", "?!... (red)", "   x", "The circle is WHAT colour??\n", "don't DON'T I'Ll", "x\n  \n y  "]


def plan(m, vocabulary, clips, folder):
    """(lines to ask, [(ids, logits before the first token)] by torch)."""
    lines, expect = [], []
    before = data.before(vocabulary)
    for seed in range(render.HELD_OUT + 5000, render.HELD_OUT + 5000 + clips):
        frames, _, s, r = render.clip(seed)
        path = os.path.join(folder, "%d.rgb" % seed)
        frames.tofile(path)
        with torch.no_grad():
            visual = m.project(m.see(torch.from_numpy(frames)[None]))
        for _, question, _ in questions.several(r, s, 8, held_out=True):
            text = data.AFTER % question
            ids, out, first = vocabulary.encode(text), [], None
            for _ in range(16):
                with torch.no_grad():
                    hidden, _ = m.decode(before, visual, torch.tensor([[ids + out]]))
                    logits = m.logits(hidden)[0, 0, -1]
                first = logits.numpy() if first is None else first
                top = logits.topk(2).values
                out.append(int(logits.argmax()))
                if out[-1] == vocabulary.eos:
                    break
            expect.append((out, first, float(top[0] - top[1])))
            lines.append(path + "\t" + (data.BEFORE + MARKER * render.FRAMES + text).replace("\n", "\\n"))
    return lines, expect


def main():
    p = argparse.ArgumentParser()
    p.add_argument("checkpoint")
    p.add_argument("folder")
    p.add_argument("ask")
    p.add_argument("--name", default="winnow-qa")
    p.add_argument("--clips", type=int, default=5)
    a = p.parse_args()
    torch.set_num_threads(1)
    m, vocabulary, _ = evaluate.load(a.checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        lines, expect = plan(m, vocabulary, a.clips, folder)
        texts = TEXTS + questions.WORDINGS["count"]["kind"][0]
        asked = ["\t" + t.replace("\n", "\\n") for t in texts] + lines
        got = subprocess.run([os.path.abspath(a.ask), *(os.path.join(a.folder, "%s-%s.gguf" % (part, a.name))
                                                        for part in ("mmproj", "llm")),
                              str(render.FRAMES), str(render.SIDE)], input="\n".join(asked) + "\n", text=True,
                             stdout=subprocess.PIPE, check=True).stdout.splitlines()
    wrong = 0
    for text, line in zip(texts, got):
        ids = [int(x) for x in line.split()]
        if ids != vocabulary.encode(text):
            wrong += 1
            print("tokens differ: %r\n  llama.cpp %s\n  here      %s" %
                  (text, [vocabulary.tokens[i] for i in ids], [vocabulary.tokens[i] for i in vocabulary.encode(text)]))
    far, same = [], 0
    for (out, first, margin), line in zip(expect, got[len(texts):]):
        ids, logits = line.split("\t")
        ids = [int(x) for x in ids.split()]
        far.append(np.abs(np.array(logits.split(), np.float32) - first).max())
        same += ids == out
        if ids != out:
            print("answers differ: %r, torch %r, margin %.3f" %
                  (vocabulary.decode(ids), vocabulary.decode(out), margin))
            wrong += margin > MARGIN
    print("%d of %d answers the same; logits differ by %.2g at most, %.2g in the middle; %d of %d texts' ids differ" %
          (same, len(expect), max(far), np.median(far), wrong, len(texts)))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
