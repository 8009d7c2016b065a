#!/usr/bin/env python3
"""winnow-evaluate, make_questions.py and plot.py on a tiny model: what is counted is what winnow-ask says.

usage: check_evaluate.py WINNOW-EVALUATE TEXT-MODELS MMPROJS MODELS WINNOW-ASK      (python3, and numpy to make clips)
"""
import csv
import json
import math
import os
import subprocess
import sys
import tempfile

from room import SOURCE, Room, check, finish

EVALUATE = os.path.join(SOURCE, "evaluate")
SPECS = ["none", "evs=rate=0.5", "divprune=keep=4", "random=keep=25%", "uniform=keep=10", "fastervlm=keep=4"]
TOKENS = {"none": 128, "evs=rate=0.5": 64, "divprune=keep=4": 32, "random=keep=25%": 32, "uniform=keep=10": 10,
          "fastervlm=keep=4": 32}


def python(script, *arguments):
    return subprocess.run([sys.executable, os.path.join(EVALUATE, script), *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))


def model(room):
    """Its answers are words, of a vocabulary like the small model's."""
    qa = [os.path.join(room.models, "qa", part + "-winnow-qa.gguf") for part in ("llm", "mmproj")]
    return room.model(*qa) + ["--backend", "cpu", "--ngl", "0", "-t", "2", "--answer", "6"]


def evaluate(room, clips, out, specs=tuple(SPECS), more=()):
    arguments = [clips, "-o", room.path(out), *model(room), *(w for s in specs for w in ("--pipeline", s)), *more]
    return room.run(*arguments)


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def make_clips(room):
    """Three clips; the frames of the first as pictures too, so that winnow-ask can see them."""
    done = python("make_questions.py", room.path("clips"), "--clips", "3", "--questions", "4")
    check(done.returncode == 0, "make_questions.py: %s" % done.stderr)
    again = python("make_questions.py", room.path("again"), "--clips", "3", "--questions", "4")
    check(again.returncode == 0, "make_questions.py: %s" % again.stderr)
    for name in ("clips.jsonl", "1000.rgb", "1002.rgb"):
        with open(room.path("clips/" + name), "rb") as a, open(room.path("again/" + name), "rb") as b:
            check(a.read() == b.read(), "%s: the same bytes at every run" % name)
    clips = read(room.path("clips/clips.jsonl"))
    check(len(clips) == 3 and all(len(c["questions"]) == 4 for c in clips), "clips.jsonl: %s" % clips)
    return clips


def pictures(room, clip):
    folder, size = room.path("pictures"), clip["width"] * clip["height"] * 3
    os.makedirs(folder)
    with open(room.path("clips/" + clip["frames"]), "rb") as file:
        for i in range(clip["count"]):
            with open(os.path.join(folder, "%d.ppm" % i), "wb") as out:
                out.write(b"P6 %d %d 255\n" % (clip["width"], clip["height"]) + file.read(size))
    return folder


def asked(room, program, folder, question, spec):
    arguments = [program, folder, "-q", question, *model(room)] + (["--pipeline", spec] if spec != "none" else [])
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    check(done.returncode == 0, "%s: %s" % (arguments, done.stderr))
    return done.stdout[:-1]


def plain(text):
    """As the results spell it: what is no ASCII is a question mark, control characters are spaces."""
    return "".join(" " if b < 32 else "?" if b >= 127 else chr(b) for b in text)


def check_answers(room, program, clips):
    """Each answer is winnow-ask's; it is right if it is the one in the file."""
    folder, clip = pictures(room, clips[0]), clips[0]
    said = {(q["question"], s): asked(room, program, folder, q["question"], s)
            for q in clip["questions"] for s in SPECS if not s.startswith(("random", "uniform"))}
    spelled = [q for q in clip["questions"] if said[q["question"], "none"].isascii()]
    for q in clip["questions"]:  # two of four are right for `none`
        q["answer"] = said[q["question"], "none"].decode().strip() if q in spelled[:2] else "something else"
    clips[0]["frames"] = os.path.join(room.path("clips"), clips[0]["frames"])  # an absolute path is taken as it is
    with open(room.path("one.jsonl"), "w") as file:
        file.write(json.dumps(clip) + "\n\n" + json.dumps({"video": "pictures", "questions": clip["questions"]}) + "\n")
    done = evaluate(room, room.path("one.jsonl"), "one.out")
    check(done.returncode == 0, "winnow-evaluate: %s" % done.stderr)
    rows = read(room.path("one.out"))
    check(len(rows) == 2 * 4 * len(SPECS), "rows: %d" % len(rows))
    wanted = {q["question"]: q["answer"] for q in clip["questions"]}
    for row in rows:
        key = row["question"], row["pipeline"]
        if key in said:
            check(row["said"].lstrip(" ?") == plain(said[key]).lstrip(" ?"),
                  "%s: %r, %r" % (key, row["said"], said[key]))
        if key in said and row["clip"] == 0:
            right = said[key].strip() == wanted[key[0]].encode()
            check(row["right"] == right, "%s: right is %s" % (key, row["right"]))
        check(row["tokens"] == TOKENS[row["pipeline"]] and row["tokens_before"] == 128, "%s: %s" % (key, row))
        check(row["cells"] > row["tokens"] and row["ttft_ms"] > 0, "%s: %s" % (key, row))
        # K and V of 2 layers in F16, 64 channels each, and a few bytes of a cell's own
        check(512 <= row["kv_bytes"] / row["cells"] <= 512 * 1.2, "%s: %s" % (key, row))
    right = [r["said"] for r in rows if r["pipeline"] == "none" and r["right"]]
    check(len(right) == 4, "2 of 4 are right, of two clips: %s" % [r["said"] for r in rows[:4]])
    both = [[(r["pipeline"], r["question"], r["said"]) for r in rows if r["clip"] == c] for c in (0, 1)]
    different = sum(a != b for a, b in zip(*both) if not a[0].startswith("random"))
    check(different == 0, "frames in one file and as pictures: %d answers differ" % different)
    for spec in SPECS:
        line = [x for x in done.stdout.decode().splitlines() if x.startswith(spec + " ")]
        n = sum(r["right"] for r in rows if r["pipeline"] == spec)
        check(len(line) == 1 and "%d of 8 right" % n in line[0], "%s: %s" % (spec, line))


def check_floors(room):
    """The same at every run with the same seed; another seed, other rows."""
    path, said = room.path("clips/clips.jsonl"), []
    for seed in ("5", "5", "6"):
        done = evaluate(room, path, "floor.out", ["random=keep=16", "uniform=keep=100%", "none"], ["--seed", seed])
        check(done.returncode == 0, "floors: %s" % done.stderr)
        rows = read(room.path("floor.out"))
        said.append([r["said"] for r in rows if r["pipeline"].startswith("random")])
        whole = [[r["said"] for r in rows if r["pipeline"] == s] for s in ("none", "uniform=keep=100%")]
        check(whole[0] == whole[1], "all rows are all rows: %s" % whole)
    check(said[0] == said[1] and said[0] != said[2], "random: %s" % said)


def check_outputs(room):
    path = room.path("clips/clips.jsonl")
    done = evaluate(room, path, "few.csv", ["none", "divprune=keep=4"], ["--clips", "2"])
    check(done.returncode == 0, "csv: %s" % done.stderr)
    with open(room.path("few.csv")) as file:
        rows = list(csv.DictReader(file))
    check(len(rows) == 16 and {r["right"] for r in rows} <= {"0", "1"}, "csv: %s" % rows[:2])
    parts = sum(float(rows[0][k + "_ms"]) for k in ("encode", "reduce", "prefill", "question"))
    check(abs(float(rows[0]["ttft_ms"]) - parts) < 0.01, "csv: the times' sum: %s" % rows[0])
    evaluate(room, path, "all.jsonl")
    done = python("plot.py", room.path("all.jsonl"), "--table", room.path("t.md"), "--plot", room.path("p.svg"))
    check(done.returncode == 0, "plot.py: %s" % done.stderr)
    with open(room.path("t.md")) as file:
        table = [line for line in file if line.startswith("| `")]
    rows = read(room.path("all.jsonl"))
    check(len(table) == len(SPECS), "a row a pipeline: %s" % table)
    for line in table:
        spec = line.split("`")[1]
        mine = [r["right"] for r in rows if r["pipeline"] == spec]
        p, n = sum(mine) / len(mine), len(mine)
        half = 1.96 * math.sqrt(p * (1 - p) / n + 1.96 ** 2 / (4 * n * n)) / (1 + 1.96 ** 2 / n)
        middle = (p + 1.96 ** 2 / (2 * n)) / (1 + 1.96 ** 2 / n)
        want = "| %.1f%% | %.1f\u2013%.1f | %d of 128 |" % (100 * p, 100 * (middle - half), 100 * (middle + half),
                                                         TOKENS[spec])
        check(want in line, "%s: %s in %s" % (spec, want, line))
    with open(room.path("p.svg")) as file:
        svg = file.read()
    check(svg.startswith("<svg") and "stroke-dasharray" in svg and svg.count("<circle") >= len(SPECS) - 1, "the plot")
    check(python("plot.py", room.path("clips/clips.jsonl")).returncode == 1, "plot.py: a file that is none")


def check_errors(room):
    good = json.dumps({"video": "pictures", "questions": [{"type": "a", "question": "b", "answer": "c"}]})
    for words, line in (("line 2", good + "\n{\n"), ("questions", '{"video": "a.mp4"}\n'),
                        ("video", good.replace("video", "x")), ("all texts", good.replace('"b"', "1")),
                        ("count", good.replace("video", "frames")),
                        ("no clips", "\n"), ("nothing.mp4", good.replace("pictures", "nothing.mp4")),
                        ("has not 2 frames", good.replace('"video": "pictures"', '"frames": "bad.jsonl", "count": 2, '
                                                          '"width": 96, "height": 96'))):
        with open(room.path("bad.jsonl"), "w") as file:
            file.write(line)
        done = evaluate(room, room.path("bad.jsonl"), "bad.out", ["none"])
        check(done.returncode == 1 and done.stderr.count(b"\n") == 1 and words.encode() in done.stderr,
              "%r: %s" % (line, done.stderr))
    with open(room.path("bad.jsonl"), "w") as file:
        file.write(good)
    path = room.path("bad.jsonl")
    for words, specs, more in (("random=keep=25%", ["random"], ()), ("random=keep=25%", ["random=keep=0"], ()),
                               ("uniform=keep=25%", ["uniform=keep=101%"], ()), ("keep", ["divprune=keep="], ()),
                               ("-c", ["none"], ("-c", "40")), ("--pipeline is missing", [], ()),
                               ("no such option", ["none"], ("--x", "1")),
                               ("auto|gpu|cpu", ["none"], ("--backend", "x"))):
        done = evaluate(room, path, "bad.out", specs, more)
        line = done.stderr.decode()
        check(done.returncode == 1 and line.count("\n") == 1 and line.startswith("winnow-evaluate: ") and words in line,
              "%s %s: %r" % (specs, more, line))
    check(not [n for n in os.listdir(room.folder) if n.endswith(".part")], "nothing is left of what failed")
    done = room.run(path, "-o", "/nowhere/file", *model(room), "--pipeline", "none")
    check(done.returncode == 1 and b"/nowhere/file: it cannot be written" in done.stderr, "%s" % done.stderr)


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(*sys.argv[1:5], folder)
        check_answers(room, sys.argv[5], make_clips(room))
        for each in (check_floors, check_outputs, check_errors):
            each(room)
    finish()


if __name__ == "__main__":
    main()
