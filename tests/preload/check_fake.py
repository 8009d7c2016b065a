#!/usr/bin/env python3
"""The preload in front of a libmtmd without models (fake_mtmd.c): counts, positions and rows of
every kind of chunk, and everything that makes it step aside.

usage: check_fake.py PRELOAD PROGRAM OLD-PROGRAM LINKED-PROGRAM      (PRELOAD "-": it is linked)
"""
import os
import subprocess
import sys
import tempfile

import gguf_head

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from tally import check, finish

WIDTH = "8"


class Room:
    def __init__(self, arguments, folder):
        self.preload, self.program, self.old, self.linked = arguments
        self.folder = folder
        for projector in ("mlp", "qwen2vl_merger", "pixtral", "adapter", "hunyuanvl", "newest"):
            gguf_head.write(self.file(projector), projector)
        gguf_head.write(self.file("silent"), None)
        gguf_head.write(self.file("vision"), "idefics3", "clip.vision.projector_type")
        with open(self.file("broken"), "wb") as file:
            file.write(b"GGUF and no more")

    def file(self, name):
        return os.path.join(self.folder, name + ".gguf")

    def environment(self, variables):
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith("WINNOW_") and k != "LD_PRELOAD"}
        return {**clean, "WINNOW_BACKEND": "cpu", **variables}

    def run(self, command, variables):
        """(status, lines of standard output, lines of standard error)"""
        environment = self.environment(variables)
        if self.preload != "-":
            environment["LD_PRELOAD"] = self.preload
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()

    def ask(self, mmproj, bitmaps, **variables):
        program = self.linked if self.preload == "-" else self.program
        status, out, said = self.run([program, self.file(mmproj), WIDTH, *bitmaps], variables)
        check(status == 0, "%s %s %s: status %d, %s" % (mmproj, bitmaps, variables, status, said))
        return [Chunk(line) for line in out], said


class Chunk:
    """A line of fake_program.c."""

    def __init__(self, line):
        head, _, places = line.partition(" places")
        words = head.split(" ")
        self.tokens, self.positions, self.nx = map(int, words[:3])
        self.id, self.sources = words[3], words[4]
        self.places = [tuple(map(int, p.split(","))) for p in places.split()]

    def kept(self):
        return [int(s) for s in self.sources.split(",")]


BITMAPS = ["r4x4", "g7x5", "h3x2", "a9x1", "r1x1", "g1x9"]
WHOLE = [(5, 5), (16, 16), (35, 7), (10, 10), (9, 9), (1, 1), (9, 9)]


def counts(chunks):
    return [(c.tokens, c.positions) for c in chunks]


def check_whole(room, mmproj, what, bitmaps=BITMAPS, **variables):
    """As without us; gives what was said."""
    chunks, said = room.ask(mmproj, bitmaps, **variables)
    check(counts(chunks) == WHOLE[:len(bitmaps) + 1], "%s: %s" % (what, counts(chunks)))
    for i, chunk in enumerate(chunks[1:]):
        check(chunk.kept() == list(range(chunk.tokens)), "%s: rows of %s" % (what, bitmaps[i]))
        check(chunk.id in ("-", "file-%d" % i), "%s: id %s" % (what, chunk.id))
    check(len(said) <= 1 and all(s.startswith("winnow-mtmd: ") for s in said),
          "%s: one line, not %s" % (what, said))
    return said[0] if said else ""


def check_budgets(room):
    for budget, of in (("3", lambda n: min(3, n)), ("40%", lambda n: max(1, n * 2 // 5)),
                       ("100%", lambda n: n), ("500", lambda n: n), ("1", lambda n: 1)):
        chunks, said = room.ask("qwen2vl_merger", BITMAPS, WINNOW_BUDGET=budget)
        text, run, grid, hunyuan, sound, one, column = chunks
        check((text.tokens, sound.tokens, one.tokens) == (5, 9, 1), budget + ": text, sound, one")
        check(hunyuan.kept() == list(range(10)), budget + ": rows that must stay do")
        check(sound.id == "-" and sound.kept() == list(range(9)), budget + ": sound is whole")
        check(len(said) == 1 and "grid" in said[0], budget + ": HunyuanVL's: %s" % said)
        for chunk, n in ((run, 16), (grid, 35), (column, 9)):
            kept = chunk.kept()
            check(chunk.tokens == of(n) == len(kept), "%s of %d: %d" % (budget, n, chunk.tokens))
            check(sorted(set(kept)) == kept and 0 <= kept[0] and kept[-1] < n,
                  "%s of %d: %s" % (budget, n, kept))
            check(chunk.id.startswith("winnow(1;") and ")file-" in chunk.id, "id " + chunk.id)
        check(run.positions == run.tokens == run.nx, budget + ": consecutive positions")
        check((grid.positions, column.positions) == (7, 9), budget + ": M-RoPE's positions stay")
        check(grid.places == [(100, 100 + k // 7, 100 + k % 7) for k in grid.kept()],
              "%s: %s are not the places of %s" % (budget, grid.places, grid.kept()))
    ids = {room.ask("mlp", ["r4x4"], **{"WINNOW_BUDGET": "3", **more})[0][1].id
           for more in ({}, {"WINNOW_PIPELINE": "tome=keep=3"}, {"WINNOW_MROPE": "compact"},
                        {"WINNOW_BUDGET": "18.75%"})}
    check(len(ids) == 4, "other settings, other ids: %s" % ids)


def check_compact(room):
    for budget in ("2", "5", "20"):
        chunks, _ = room.ask("qwen2vl_merger", ["g7x5"], WINNOW_BUDGET=budget,
                             WINNOW_MROPE="compact")
        grid, kept = chunks[1], chunks[1].kept()
        rows, columns = sorted({k // 7 for k in kept}), sorted({k % 7 for k in kept})
        check(grid.places == [(100, 100 + rows.index(k // 7), 100 + columns.index(k % 7))
                              for k in kept], "compact %s: %s" % (budget, grid.places))
        check(grid.positions == min(7, int(budget)), "compact %s: %d" % (budget, grid.positions))
        check(grid.positions >= max(len(rows), len(columns)), "compact: enough positions")
    chunks, _ = room.ask("qwen2vl_merger", ["g6x4"], WINNOW_PIPELINE="avg-pool=factor=2",
                         WINNOW_MROPE="compact")
    check((chunks[1].tokens, chunks[1].positions) == (6, 3), "a pooled grid closes up")
    check(chunks[1].places == [(100, 100 + y, 100 + x) for y in range(2) for x in range(3)],
          "a pooled grid: %s" % chunks[1].places)


def check_pipelines(room):
    """A pipeline's own count where it is exact, else cut or filled to the budget."""
    for spec, budget, bitmap, tokens in (
            ("divprune=keep=25%", "", "r4x4", 4), ("tome=r=3", "", "r4x4", 13),
            ("tome=r=3", "5", "r4x4", 5), ("avg-pool=factor=2", "", "r4x4", 4),
            ("avg-pool=factor=2", "", "g6x4", 6), ("evs=rate=0.5", "5", "g7x5", 5),
            ("evs=rate=0.5", "5", "r4x4", 5), ("divprune=keep=3,tome=r=1", "", "r4x4", 2),
            ("divprune", "6", "r4x4", 6)):
        variables = {"WINNOW_PIPELINE": spec, **({"WINNOW_BUDGET": budget} if budget else {})}
        chunks, said = room.ask("mlp", [bitmap], **variables)
        check(chunks[1].tokens == tokens == len(chunks[1].sources.split(",")),
              "%s %s of %s: %d tokens, %s" % (spec, budget, bitmap, chunks[1].tokens, said))
        check(not said, "%s: %s" % (spec, said))
    chunks, said = room.ask("qwen2vl_merger", ["r3x4", "g6x4"], WINNOW_PIPELINE="avg-pool=factor=2")
    check([c.tokens for c in chunks] == [5, 12, 6] and len(said) == 1 and "stays whole" in said[0],
          "tokens of no grid are not pooled: %s" % said)


def check_verbose(room):
    chunks, said = room.ask("mlp", ["r4x4"], WINNOW_BUDGET="3", WINNOW_PRELOAD_VERBOSE="1")
    check("reducing by winnow(1;3;original;divprune)" in said[0] and
          all("chunk of 16 tokens (4 x 4): 3 stay, 3 positions" in s for s in said[1:]) and
          len(said) == 7, "verbose: %s" % said)


def check_aside(room):
    """One line, and the program runs as if nothing were there."""
    check(check_whole(room, "mlp", "no variables") == "", "no variables: silence")
    check(check_whole(room, "mlp", "empty ones", WINNOW_BUDGET="", WINNOW_PIPELINE="") == "",
          "empty variables: silence")
    attention = {"WINNOW_PIPELINE": "fastervlm=keep=4"}
    for mmproj, variables, words in (
            ("mlp", {"WINNOW_BUDGET": "many"}, "WINNOW_BUDGET=many"),
            ("mlp", {"WINNOW_BUDGET": "0"}, "WINNOW_BUDGET=0"),
            ("mlp", {"WINNOW_BUDGET": "200%"}, "WINNOW_BUDGET=200%"),
            ("mlp", {"WINNOW_BUDGET": "3", "WINNOW_MROPE": "odd"}, "WINNOW_MROPE=odd"),
            ("mlp", {"WINNOW_BUDGET": "3", "WINNOW_BACKEND": "abacus"}, "WINNOW_BACKEND=abacus"),
            ("mlp", {"WINNOW_PIPELINE": "nothing"}, "nothing"),
            ("mlp", {"WINNOW_PIPELINE": "divprune=keep="}, "keep"),
            ("mlp", {"WINNOW_PIPELINE": "divprune"}, "needs a WINNOW_BUDGET"),
            ("mlp", {"WINNOW_PIPELINE": "a;b"}, "WINNOW_PIPELINE"),
            ("mlp", attention, "attention"),
            ("mlp", {**attention, "WINNOW_BUDGET": "5"}, "attention"),
            ("mlp", {"WINNOW_PIPELINE": "dycoke-kv=rate=0.7"}, "WINNOW_PIPELINE"),
            ("mlp", {"WINNOW_PIPELINE": "laco=layer=1:factor=2"}, "WINNOW_PIPELINE"),
            ("mlp", {"WINNOW_PIPELINE": "pixel-shuffle=factor=2"}, "channels"),
            ("pixtral", {"WINNOW_BUDGET": "3"}, "pixtral"),
            ("adapter", {"WINNOW_BUDGET": "3"}, "adapter"),
            ("hunyuanvl", {"WINNOW_BUDGET": "3"}, "hunyuanvl"),
            ("newest", {"WINNOW_BUDGET": "3"}, "newest"),
            ("silent", {"WINNOW_BUDGET": "3"}, "none named"),
            ("broken", {"WINNOW_BUDGET": "3"}, "cannot read"),
            ("absent", {"WINNOW_BUDGET": "3"}, "cannot read")):
        said = check_whole(room, mmproj, "%s %s" % (mmproj, variables), **variables)
        check(words in said, "%s %s: %r not in %r" % (mmproj, variables, words, said))
    chunks, _ = room.ask("vision", ["r4x4"], WINNOW_BUDGET="3")
    check(chunks[1].tokens == 3, "the projector's newer key")


def check_processes(room):
    """Other libmtmds, and none."""
    gone = {"WINNOW_BUDGET": "3"}
    status, out, said = room.run([room.old, room.file("mlp"), WIDTH, "r4x4"], gone)
    check(status == 0 and [Chunk(l).tokens for l in out] == [5, 16], "an old libmtmd: %s" % out)
    check(len(said) == 1 and "has no mtmd_image_tokens_get_decoder_pos" in said[0],
          "an old libmtmd: %s" % said)
    for command in (["/bin/true"], [sys.executable, "-S", "-c", "pass"]):
        status, _, said = room.run(command, gone)
        check(status == 0 and len(said) == 1 and "no libmtmd" in said[0],
              "%s: %d, %s" % (command, status, said))
        for variables in ({}, {**gone, "WINNOW_PRELOAD_INSIDE": "1"}):
            status, _, said = room.run(command, variables)
            check(status == 0 and not said, "%s, silently: %d, %s" % (command, status, said))
    lookup = ("import ctypes, sys; m = ctypes.CDLL(sys.argv[1]); m.fake_bitmap.restype = "
              "ctypes.c_void_p; b = ctypes.c_void_p(m.fake_bitmap(ord('r'), 4, 4)); "
              "m.mtmd_bitmap_set_id(b, b'x'); m.mtmd_bitmap_free(b)")
    library = os.path.join(os.path.dirname(room.preload), "libmtmd-preload_fake.so")
    status, _, said = room.run([sys.executable, "-S", "-c", lookup, library], gone)
    check(status == 0 and len(said) == 1, "looked up by dlsym: %d, %s" % (status, said))


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(sys.argv[1:], folder)
        for each in (check_budgets, check_compact, check_pipelines, check_verbose, check_aside):
            each(room)
        if room.preload != "-":
            check_processes(room)
    finish()


if __name__ == "__main__":
    main()
