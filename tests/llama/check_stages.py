#!/usr/bin/env python3
"""Stages of winnow-llama inside the language model, against llama.cpp with the same cells removed by hand
and against the rules of FastV and DyCoke in numpy.

usage: check_stages.py WINNOW-LLAMA REFERENCE TEXT-MODELS MMPROJS LIKE      (python3 and numpy)
"""
import sys
import tempfile

import numpy as np

import check_llama
from check_llama import STEPS, Room, check, near, same

MLP, GRID = ("deep", "mlp", "square"), ("deep", "mlp-noclass", "grid")
WINDOW = ("window", "idefics3", "tiles")  # its first five layers see 24 tokens each
TILES, GEMMA = ("deep", "idefics3", "tiles"), ("deep", "gemma3", "grid")
TWO = ("deep", "mlp-noclass", "grid square")
QWEN = ("qwen2vl", "qwen2vl", "grid")
TWO_PROMPT = "USER: <__media__> and <__media__> what is this? ASSISTANT:"


def seen(room, name="seen"):
    """Lines of --seen."""
    with open(room.path(name)) as file:
        return [[int(word) for word in line.split()] for line in file]


def attention_of(room, case, layer, kept=None, prompt=check_llama.PROMPT):
    """llama.cpp's own: the last prompt token's softmax, and the columns of visual tokens."""
    path = room.path("attention")
    room.expected(case, kept=kept, prompt=prompt, attention=path, layer=layer)
    with open(path, "rb") as file:
        count = int(np.fromfile(file, np.int32, 1)[0])
        columns = np.fromfile(file, np.int32, count)
        return np.fromfile(file, np.float32).reshape(4, -1), columns


def fastv(attention, columns, rate):
    """The paper's rule: mean over heads, most first, first of equals; in raster order."""
    score = attention.mean(0, dtype=np.float64)[columns]
    keep = max(1, round(len(columns) * (1 - rate)))
    return sorted(np.argsort(-score, kind="stable")[:keep].tolist())


def check_fastv(room):
    for case, prompt in ((MLP, None), (GRID, None), (TILES, None), (GEMMA, None), (TWO, TWO_PROMPT),
                         (WINDOW, None)):
        prompt = prompt or check_llama.PROMPT
        ways = ((0.5, None), (0.75, 0), (0.3, 3), (0.9, -1), (0, 2))
        for rate, layer in ways if case == GRID else ways[:2]:
            spec = "fastv=rate=%g" % rate + ("" if layer is None else ":layer=%d" % layer)
            what = "%s %s" % (case, spec)
            got, line = room.logits(case, "--encoder", "mtmd", "--pipeline", spec, "--seen",
                                    room.path("seen"), prompt=prompt)
            attention, columns = attention_of(room, case, {None: 1, -1: 3}.get(layer, layer),
                                              prompt=prompt)
            left = seen(room)
            check(len(left) == 1 and left[0] == fastv(attention, columns, rate),
                  "%s: %s is FastV's choice" % (what, left))
            check(", %d in the cache" % len(left[0]) in line, "%s: %s" % (what, line))
            expected = room.expected(case, prompt=prompt, seen=room.path("seen"))
            check(same(got, expected), what + ": as with these cells removed by hand")
            whole = room.expected(case, prompt=prompt)
            check(same(got, whole) is False or rate == 0, what + ": it does make a difference")
            check(same(got[:1], expected[:1]) and near(got[:1], whole[:1]),
                  what + ": the first token comes from the whole prompt")


def context_of(line):
    return int(line.split("context ")[1].split()[0])


def check_behind_rows(room):
    """Stages on rows come first, and fastv takes of what they left; the cache has room for it."""
    for case, rows in ((GRID, "divprune=keep=20"), (TILES, "divprune=keep=3"), (MLP, "divprune=keep=5")):
        _, before = room.logits(case, "--encoder", "mtmd", "--pipeline", rows, kept="kept")
        got, line = room.logits(case, "--encoder", "mtmd", "--pipeline", " %s , fastv=rate=0.6 " % rows,
                                "--seen", room.path("seen"), kept="kept")
        attention, columns = attention_of(room, case, 1, kept="kept")
        left = seen(room)[0]
        check(len(columns) == sum(map(len, room.kept("kept"))), "%s: all rows are visual" % (case,))
        check(left == fastv(attention, columns, 0.6), "%s: fastv behind rows" % (case,))
        check(same(got, room.expected(case, "kept", seen=room.path("seen"))), "%s: by hand" % (case,))
        check(context_of(before) - context_of(line) == len(columns) - len(left),
              "%s: cells are free again: %s, %s" % (case, before, line))
        words = line.split("visual tokens ")[1].split()
        check(int(words[2]) == len(columns) and "%d in the cache" % len(left) in line, line)
    got, _ = room.logits(GRID, "--pipeline", "divprune=keep=20,fastv", "--seen", room.path("seen"),
                         kept="kept")
    check(near(got, room.expected(GRID, "kept", seen=room.path("seen"))), "Winnow's encoder, by hand")
    for size in ("512", "7", "1"):  # smaller than the text behind the picture: the last token is what counts
        room.logits(MLP, "--encoder", "mtmd", "--pipeline", "fastv", "-b", size, "--seen",
                    room.path("at" + size))
    check(seen(room, "at7") == seen(room, "at1") == seen(room, "at512"), "batches do not matter")


def check_dycoke(room):
    """Each step sees what --seen says; rows of the mask come back."""
    for case, prompt in ((MLP, None), (GRID, None), (TILES, None), (TWO, TWO_PROMPT)):
        prompt = prompt or check_llama.PROMPT
        for spec in ("dycoke-kv", "dycoke-kv=rate=0.4:similarity=1", "dycoke-kv=rate=0.8:similar=full",
                     "fastv=rate=0.4,dycoke-kv=similarity=1"):
            what = "%s %s" % (case, spec)
            got, line = room.logits(case, "--encoder", "mtmd", "--pipeline", spec, "--seen",
                                    room.path("seen"), prompt=prompt)
            lines = seen(room)
            check(len(lines) == len(got), "%s: %d lines of %d steps" % (what, len(lines), len(got)))
            check(same(got, room.expected(case, prompt=prompt, seen=room.path("seen"))),
                  what + ": as with these cells hidden by hand")
            first = len(lines[0])
            rate = 0.4 if "rate=0.4:" in spec else 0.8 if "rate=0.8" in spec else 0.7
            sizes = {len(s) for s in lines[1:]}
            check(sizes <= {int(first * (1 - rate)), first}, "%s: %s seen of %d" % (what, sizes, first))
            check("selections" in line and "%d in the cache" % first in line, "%s: %s" % (what, line))
            if "similarity=1" in spec:
                changes = sum(a != b for a, b in zip(lines[1:], lines[2:]))
                back = any(set(b) - set(a) for a, b in zip(lines[1:], lines[2:]))
                check(changes > 0 and back, what + ": tokens come back")
                check("(%d selections)" % (len(lines) - 1) in line, "%s: %s" % (what, line))


def check_dycoke_rule(room):
    """The first selection is the top of the first answer token's attention, as if all were seen: that
    token is the last of a prompt that is longer by it, where it is one that can be written."""
    found = 0
    for n in range(60):
        prompt = "USER: <__media__> what is %s? ASSISTANT:" % chr(65 + n)
        got, _ = room.logits(GRID, "--encoder", "mtmd", "--pipeline", "dycoke-kv=rate=0.7", "--seen",
                             room.path("seen"), "-n", "3", prompt=prompt)
        token = int(got[0].argmax()) - 3  # the vocabulary's bytes are behind three others
        if not 33 <= token < 127:
            continue
        attention, columns = attention_of(room, GRID, 2, prompt=prompt + chr(token))
        score = attention.mean(0, dtype=np.float64)[columns]
        keep = int(len(columns) * (1 - 0.7))
        expected = sorted(np.argsort(-score, kind="stable")[:keep].tolist())
        check(seen(room)[1] == expected, "%s: DyCoke's choice: %s, %s" % (prompt, seen(room)[1], expected))
        found += 1
    check(found >= 5, "%d prompts whose answer can be written" % found)


def check_failures(room):
    for case, options, words in (
            (MLP, ["--pipeline", "fastv,divprune=keep=2"], "where rows are no more"),
            (MLP, ["--pipeline", "dycoke-kv,tome=r=1"], "where rows are no more"),
            (MLP, ["--pipeline", "dycoke-kv,fastv"], "change places"),
            (MLP, ["--pipeline", "fastv,fastv"], "twice"),
            (MLP, ["--pipeline", "fastv=rate=2"], "rate"),
            (MLP, ["--pipeline", "fastv=rate=" + "0" * 300], "too many options"),
            (MLP, ["--pipeline", "fastv=layers=all"], "layers="),
            (MLP, ["--pipeline", "fastv=attention=class"], "attention="),
            (MLP, ["--pipeline", "fastv=layer=x"], "layer"),
            (MLP, ["--pipeline", "dycoke-kv=layer=1"], "no option `layer`"),
            (MLP, ["--pipeline", "dycoke-kv=similar=other"], "similar"),
            (MLP, ["--pipeline", ""], "a stage is missing"),
            (MLP, ["--pipeline", "fastv,"], "missing behind fastv"),
            (MLP, ["--pipeline", "fastv=layer=4"], "has layers 0 to 3 (give layer=)"),
            (MLP, ["--pipeline", "fastv=layer=-5"], "layer -1"),
            (("llama", "mlp", "square"), ["--pipeline", "dycoke-kv"], "has layers 0 to 1"),
            (QWEN, ["--pipeline", "fastv"], "M-RoPE"),
            (WINDOW, ["--pipeline", "dycoke-kv"], "sliding window"),
            (QWEN, ["--pipeline", "divprune=keep=4,fastv"], "M-RoPE"),
            (MLP, ["--pipeline", "fastv", "-p", "<__media__>"], "text behind the last picture"),
            (MLP, ["--pipeline", "divprune=keep=4", "--seen", room.path("seen")], "no stage"),
            (MLP, ["--seen", room.path("seen")], "no stage"),
            (MLP, ["--pipeline", "fastv", "--seen", "/nowhere/file"], "cannot be written")):
        room.refuses(case, options, words)


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(sys.argv[1:], folder)
        for each in (check_fastv, check_behind_rows, check_dycoke, check_dycoke_rule, check_failures):
            each(room)
    check_llama.finish()


if __name__ == "__main__":
    main()
