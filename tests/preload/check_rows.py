#!/usr/bin/env python3
"""A plain C program of a stock libmtmd, with the preload and without: the rows that are left are
the unreduced ones to the bit, counts are those that were promised, positions those of the kept
tokens, and the language model's answer is that to the same rows fed by hand.

usage: check_rows.py PRELOAD LAUNCH TEXT-MODELS MMPROJS HOST      (standard library only)
"""
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from tally import check, finish

PROMPT = "USER: <__media__> and <__media__> what? ASSISTANT:"


class Case:
    """An mmproj with its language model (of `width` floats a row), and the grid of a picture."""

    def __init__(self, mmproj, text, width, size, mrope_grid=None, pictures=("one", "two")):
        self.mmproj, self.text, self.width, self.size = mmproj, text, width, size
        self.grid, self.pictures = mrope_grid, pictures


MLP = Case("mlp", "llama", 64, (56, 56))
TILES = Case("idefics3", "llama", 64, (168, 112))
GEMMA = Case("gemma3", "llama", 64, (112, 112))
QWEN = Case("qwen2vl", "qwen2vl", 64, (196, 140), (5, 7))
PAIR = Case("qwen2vl", "qwen2vl", 64, (196, 140), (5, 7), ("frame1", "frame2"))
DEEP = Case("qwen3vl", "qwen3vl", 64, (192, 128), (4, 6))
NAMELESS = Case("mlp", "llama", 64, (56, 56), None, ("anonymous1", "anonymous2"))


class Chunk:
    def __init__(self, line):
        words = line.split(" ", 5)
        self.picture, self.tokens, self.positions = (int(w) for w in words[2:5])
        self.id, self.places, self.rows = words[5], [], []


class Room:
    def __init__(self, arguments, folder):
        self.preload, self.launch, self.texts, self.mmprojs, self.host = arguments
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def picture(self, name, size):
        """Noise over a gradient: no two patches are alike."""
        width, height = size
        noise = random.Random("%s %d %d" % (name, width, height))
        path = self.path("%s-%dx%d.ppm" % (name, width, height))
        if os.path.exists(path):
            return path
        with open(path, "wb") as file:
            file.write(b"P6 %d %d 255\n" % size)
            file.write(bytes((x * 160 // width + y * 60 // height + noise.randrange(36))
                             for y in range(height) for x in range(width) for _ in range(3)))
        return path

    def run(self, case, out, kept="-", prompt=PROMPT, **variables):
        """Chunks with their rows, logits by hand and by the helper, lines of standard error."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("WINNOW_")}
        command = [self.launch, *(["--preload", self.preload] if variables else []), self.host,
                   os.path.join(self.texts, case.text + ".gguf"),
                   os.path.join(self.mmprojs, case.mmproj + ".gguf"), prompt, self.path(out), kept,
                   *(self.picture(name, case.size) for name in case.pictures)]
        done = subprocess.run(command, env={**clean, "WINNOW_BACKEND": "cpu", **variables},
                              stderr=subprocess.PIPE, timeout=120)
        said = done.stderr.decode().splitlines()
        if done.returncode:
            raise SystemExit("%s %s: status %d, %s" % (case.mmproj, variables, done.returncode,
                                                       said))
        logits = [self.bytes(out + ending) for ending in (".hand", ".helper")]
        return self.chunks(out, case), logits, said

    def bytes(self, name):
        if not os.path.exists(self.path(name)):
            return b""
        with open(self.path(name), "rb") as file:
            return file.read()

    def chunks(self, out, case):
        chunks = []
        with open(self.path(out + ".txt")) as file:
            for line in file.read().splitlines():
                if line.startswith("chunk "):
                    chunks.append(Chunk(line))
                else:
                    chunks[-1].places = [tuple(map(int, p.split(","))) for p in line.split()[1:]]
        one, several = self.bytes(out + ".one"), self.bytes(out + ".all")
        check(one == several, "%s: rows by batches are those one by one" % case.mmproj)
        at, size = 0, self.width(chunks, one)
        for chunk in chunks:
            for _ in range(chunk.tokens if chunk.picture else 0):
                chunk.rows.append(one[at:at + size])
                at += size
        return chunks

    @staticmethod
    def width(chunks, data):
        """Bytes of a row."""
        return len(data) // sum(c.tokens for c in chunks if c.picture)


def near(a, b):
    """Logits of different batches of the same numbers."""
    x, y = (struct.unpack("<%df" % (len(v) // 4), v) for v in (a, b))
    most = max(map(abs, y))
    return len(x) == len(y) and all(math.isclose(p, q, abs_tol=1e-5 * most) for p, q in zip(x, y))


def kept_of(whole, few, what):
    """Where a reduced chunk's rows are in the unreduced one."""
    kept = [whole.rows.index(row) if row in whole.rows else -1 for row in few.rows]
    check(-1 not in kept and kept == sorted(set(kept)),
          "%s: rows are unreduced ones in their order: %s" % (what, kept))
    return kept


def check_places(case, kept, few, what):
    if case.grid:
        columns = case.grid[1]
        expected = [(100, 100 + k // columns, 100 + k % columns, 0) for k in kept]
        check(few.positions == max(case.grid), "%s: %d positions" % (what, few.positions))
    else:
        expected = [(100 + i,) * 4 for i in range(len(kept))]
        check(few.positions == len(kept), "%s: %d positions" % (what, few.positions))
    check(few.places == expected, "%s: places %s are not %s" % (what, few.places, expected))


def check_budget(room, case, whole, budget, count, prompt=PROMPT):
    what = "%s %s" % (case.mmproj, budget)
    few, logits, said = room.run(case, "few", prompt=prompt, WINNOW_BUDGET=budget)
    check(not said, "%s: %s" % (what, said))
    check(len(few) == len(whole), what + ": as many chunks")
    lines = []
    for a, b in zip(whole, few):
        if not a.picture:
            check((a.tokens, a.positions) == (b.tokens, b.positions), what + ": text is text")
            continue
        check(b.tokens == count(a.tokens), "%s: %d of %d tokens" % (what, b.tokens, a.tokens))
        kept = kept_of(a, b, what)
        check_places(case, kept, b, what)
        named = not case.pictures[0].startswith("anonymous")
        check(b.id == ("winnow(1;%s;original;divprune)%s" % (mark(budget), a.id) if named else ""),
              "%s: id %s" % (what, b.id))
        lines.append(" ".join(map(str, kept)))
    with open(room.path("kept"), "w") as file:
        file.write("\n".join(lines) + "\n")
    _, expected, _ = room.run(case, "by-hand", room.path("kept"), prompt=prompt)
    check(logits[0] == expected[0], what + ": logits are those of the same rows fed by hand")
    check(near(logits[1], expected[0]), what + ": the helper's too")
    return logits[0]


def mark(budget):
    return "%.3f%%" % float(budget[:-1]) if budget.endswith("%") else budget


def check_case(room, case, prompt=PROMPT):
    whole, logits, _ = room.run(case, "whole", prompt=prompt)
    check(near(*logits), case.mmproj + ": the oracle decodes as the helper does")
    for variables in ({"WINNOW_BUDGET": ""}, {"WINNOW_BUDGET": "100%"}, {"WINNOW_BUDGET": "9999"}):
        same, again, _ = room.run(case, "same", prompt=prompt, **variables)
        check(again == logits and [c.rows for c in same] == [c.rows for c in whole],
              "%s %s: nothing changes" % (case.mmproj, variables))
    answers = {logits[0]}
    for budget, count in (("3", lambda n: min(3, n)), ("25%", lambda n: max(1, n // 4)),
                          ("1", lambda n: 1)):
        answers.add(check_budget(room, case, whole, budget, count, prompt))
    check(len(answers) >= 3, case.mmproj + ": budgets make a difference")


def check_compact(room):
    few, logits, _ = room.run(QWEN, "few", WINNOW_BUDGET="4", WINNOW_MROPE="compact")
    picture = [c for c in few if c.picture][0]
    rows, columns = ({p[i] for p in picture.places} for i in (1, 2))
    check(picture.positions == 4 and max(rows | columns) < 104, "compact: %s" % picture.places)
    check(rows == set(range(100, 100 + len(rows))) and
          columns == set(range(100, 100 + len(columns))), "compact: closed up")
    check(near(*logits), "compact: by hand as by the helper")
    pooled, logits, _ = room.run(DEEP, "few", WINNOW_PIPELINE="avg-pool=factor=2",
                                 WINNOW_MROPE="compact")
    picture = [c for c in pooled if c.picture][0]
    check((picture.tokens, picture.positions) == (6, 3) and near(*logits), "a pooled grid")


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(sys.argv[1:], folder)
        for case in (MLP, TILES, GEMMA, QWEN, DEEP):
            check_case(room, case)
        check_case(room, PAIR, "USER: <__media__><__media__> what? ASSISTANT:")
        whole, _, _ = room.run(NAMELESS, "whole")
        check_budget(room, NAMELESS, whole, "5", lambda n: 5)
        check_compact(room)
    finish()


if __name__ == "__main__":
    main()
