#!/usr/bin/env python3
"""winnow-ask on tiny models: against winnow-llama, against itself, and what the language model is given.

usage: check_ask.py WINNOW-ASK TEXT-MODELS MMPROJS MODELS WINNOW-LLAMA WINNOW      (python3, nothing else)
"""
import ast
import json
import os
import struct
import subprocess
import sys
import tempfile

from room import CLIP, SOURCE, Room, check, finish, ppm

sys.path.insert(0, os.path.join(SOURCE, "train"))
QUESTION = "what is this?"
TEMPLATE = "USER: <media> <question> ASSISTANT:"
MLP, QWEN, QWEN25 = ("llama", "mlp-noclass"), ("qwen2vl", "qwen2vl"), ("qwen2vl", "qwen2.5vl")
QWEN3, IDEFICS, GEMMA = ("qwen3vl", "qwen3vl"), ("llama", "idefics3"), ("llama", "gemma3")
INTERN = ("llama", "internvl")
FAMILIES = [MLP, ("llama", "mlp"), QWEN, QWEN25, QWEN3, IDEFICS, GEMMA, INTERN]
SIZES = {"grid": (196, 140), "tiles": (168, 112)}


def by_winnow_llama(room, other, model, picture, *options):
    done = subprocess.run([other, *room.model(*model), "--image", picture, "-p",
                           TEMPLATE.replace("<media>", "<__media__>").replace("<question>", QUESTION), "--ngl", "0",
                           "--backend", "cpu", "--encoder", "winnow", "--like", "llama-b10256", "-n", "12", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if done.returncode:
        raise SystemExit("winnow-llama %s: %s" % (model, done.stderr))
    return done.stdout


def check_pictures(room, other):
    """The same greedy answer as winnow-llama's for the same rows: tiles, special tokens and places are the same."""
    for name, (w, h) in SIZES.items():
        ppm(room.path(name + ".ppm"), w, h)
    for model in FAMILIES:
        for name in SIZES:
            for pipeline in ([], ["--pipeline", "divprune=keep=3"]):
                picture, answers = room.path(name + ".ppm"), []
                got, lines = room.ask(model, [picture], [QUESTION], "--template", TEMPLATE, "--like", "llama-b10256",
                                      "--answer", "12", *pipeline)
                want = by_winnow_llama(room, other, model, picture, *pipeline)
                check(got == want.lstrip(b" \n") if want.strip() else not got.strip(),
                      "%s %s %s: %r, winnow-llama says %r" % (model, name, pipeline, got, want))
                answers.append(got)
    for spec in ("fastervlm=keep=4", "visionzip=dominant=3:contextual=2"):
        options = ["--pipeline", spec]
        got, lines = room.ask(("llama", "mlp"), [room.path("grid.ppm")], [QUESTION], "--template", TEMPLATE, "--like",
                              "transformers", "--answer", "12", *options)
        want = by_winnow_llama(room, other, ("llama", "mlp"), room.path("grid.ppm"), *options, "--like", "transformers")
        check(got == want.lstrip(b" \n"), "%s: inside the encoder: %r, %r" % (spec, got, want))
        check("reduced inside" in lines[-1], "%s: %s" % (spec, lines[-1]))


def check_many_questions(room):
    """The second answer is what it is alone; the media are decoded once, or again where a cache cannot go back."""
    film = room.frames("film", 8, 96, 96)
    questions = ["What colour is it?", "How many are there?", "What colour is it?"]
    mamba = (os.path.join(room.models, "mamba.gguf"), "mlp-noclass")
    evs = ["--pipeline", "evs=rate=0.5"]
    for model, options in ((MLP, []), (MLP, evs), (QWEN, evs), (QWEN3, []), (GEMMA, evs), (IDEFICS, evs), (mamba, [])):
        alone = [room.ask(model, [film], [q], *options, "--answer", "6")[0] for q in questions]
        together, lines = room.ask(model, [film], questions, *options, "--answer", "6")
        check(together == b"".join(alone), "%s %s: %r, alone %r" % (model, options, together, alone))
        kept = [line for line in lines if "media kept from before" in line]
        check(len(kept) == (0 if model is mamba else 2), "%s: %s" % (model, lines))
        again = [line for line in lines if "cache cannot go back" in line]
        check(len(again) == (model is mamba), "%s: said once: %s" % (model, lines))
        typed, _ = room.ask(model, [film], [], "-i", *options, "--answer", "6", data="\n".join(questions).encode())
        check(typed == together, "%s: interactive: %r, %r" % (model, typed, together))
    trace = room.trace(MLP, [film], questions)
    check([kind for kind, _ in trace].count("rows") == 1, "the media are decoded once")


def check_compare(room):
    film = room.path("film")
    # behind the encoder, and inside it
    for model, spec in ((MLP, "evs=rate=0.5"), (("llama", "mlp"), "fastervlm=keep=4")):
        whole, _ = room.ask(model, [film], [QUESTION], "--answer", "6")
        few, _ = room.ask(model, [film], [QUESTION], "--answer", "6", "--pipeline", spec)
        got, lines = room.ask(model, [film], [QUESTION], "--answer", "6", "--pipeline", spec, "--compare")
        check(got.startswith(b"none: " + whole.lstrip()), "%s: %r, %r" % (spec, got, whole))
        check(spec.encode() + b": " + few in got, "%s: %r, %r" % (spec, got, few))
        table = got[got.index(few) + len(few):].decode(errors="replace").split("\n")
        rows = [line.split() for line in table if line.startswith(("none", spec))]
        before, after = (int(w) for w in lines[-1].split("visual tokens ")[1].split(",")[0].split(" -> "))
        check(after < before and [int(r[1]) for r in rows] == [before, after], "%s: %s, %s" % (spec, rows, lines[-1]))
        check(rows[0][2] == "100.0%" and rows[1][2] == "%.1f%%" % (100 * after / before), "%s: %s" % (spec, rows))
        check(int(rows[0][-1]) > int(rows[1][-1]), "%s: context: %s" % (spec, rows))


def grid_places(start, groups, height, width, times=None):
    """transformers' places of a video: time, row and column, all from the position where it starts."""
    times = times or list(range(groups))
    return [(start + times[t], start + y, start + x)
            for t in range(groups) for y in range(height) for x in range(width)]


def check_places(room):
    """M-RoPE: a place in time for each pair of frames, and text behind the largest place."""
    film = room.frames("long", 14, 112, 56)
    for model, times in ((QWEN, [0, 1, 2, 3]), (QWEN25, [0, 7, 14, 22])):
        # 8 of 14 pictures a second apart, from 0 to 13: 13/7 s apart, 2 a pair, 2 places a second: 7.43 places a pair
        trace = room.trace(model, [film], [QUESTION], "--frames", "8")
        (kind, rows), before = trace[-2 if trace[-2][0] == "rows" else -3], 0
        for k, part in trace:
            if k == "rows":
                break
            before += len(part)
        check(kind == "rows", "%s: %s" % (model, [k for k, _ in trace]))
        h, w = 1 + max(r[1] for r in rows) - before, 1 + max(r[2] for r in rows) - before
        check(rows == grid_places(before, 4, h, w, times), "%s: %s" % (model, rows[:40]))
        few = room.trace(model, [film], [QUESTION], "--frames", "8", "--pipeline", "divprune=keep=5")
        kept = [r for k, part in few if k == "rows" for r in part]
        check(len(kept) == 20 and set(kept) <= set(rows) and kept == sorted(kept), "%s: kept: %s" % (model, kept))
    # Qwen3-VL: each pair by itself, at its time in text; a pair of which nothing is left is not mentioned
    trace = room.trace(QWEN3, [film], [QUESTION], "--frames", "8")
    media = [part for kind, part in trace if kind == "rows"]
    check(len(media) == 4 and all(len({r[0] for r in m}) == 1 for m in media), "qwen3vl: %s" % len(media))
    # frames 0, 2, 4, 6, 7, 9, 11, 13, whose vocabulary is bytes from 3 on
    texts = bytes(i - 3 for kind, part in trace if kind == "text" for i in part if 3 <= i < 259).decode()
    for stamp in ("<1.0 seconds>", "<5.0 seconds>", "<8.0 seconds>", "<12.0 seconds>"):
        check(stamp in texts.replace("\u2581", " "), "qwen3vl: %s in %r" % (stamp, texts))
    # without M-RoPE positions are consecutive, through all frames
    trace = room.trace(IDEFICS, [film], [QUESTION], "--frames", "5", "--pipeline", "evs=rate=0.5")
    at = 0
    for kind, part in trace:
        check(kind == "text" or part == [(at + i,) for i in range(len(part))], "idefics3: %d %s" % (at, part))
        at += len(part)


def positions(path):
    """The places in a file of `winnow encode`."""
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        begin, end = head["positions"]["data_offsets"]
        numbers = struct.unpack("<%di" % ((end - begin) // 4), file.read()[begin:end])
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3]))


def check_frames_together(room, winnow):
    """What stays of a video is what stays when all of its frames go through `winnow encode` at once."""
    film, out = room.path("long"), room.path("kept.safetensors")
    for spec in ("evs=rate=0.7", "dycoke=rate=0.7", "divprune=keep=5", "evs=rate=0.5,divprune=keep=30"):
        subprocess.run([winnow, "encode", "--model", os.path.join(room.mmprojs, "qwen2vl.gguf"), film, "--frames", "8",
                        "--pipeline", spec, "--backend", "cpu", "-o", out], check=True, stdout=subprocess.DEVNULL)
        trace = room.trace(QWEN, [film], [QUESTION], "--frames", "8", "--pipeline", spec)
        rows = [r for kind, part in trace if kind == "rows" for r in part]
        before = sum(len(part) for kind, part in trace[:[kind for kind, _ in trace].index("rows")])
        want = [tuple(v + before for v in place) for place in positions(out)]
        check(rows == want, "%s: %s, winnow encode keeps %s" % (spec, rows[:20], want[:20]))


def check_small_model(room):
    """The tokens that the small model is trained on, by its own tokeniser."""
    import tokens
    with open(os.path.join(SOURCE, "train", "data.py")) as file:
        texts = {n.targets[0].id: ast.literal_eval(n.value) for n in ast.parse(file.read()).body
                 if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") in ("BEFORE", "AFTER")}
    qa, vocabulary = os.path.join(room.models, "qa"), tokens.Vocabulary()
    model = (os.path.join(qa, "llm-winnow-qa.gguf"), os.path.join(qa, "mmproj-winnow-qa.gguf"))
    for question in ("What colour was the flash?", "how many red things are there", "Which came first, a or b?!",
                     "In which corner is the Zebra-fish?", "caf\u00e9?"):
        trace = room.trace(model, [room.path("film")], [question])
        want = [[vocabulary.bos] + vocabulary.encode(texts["BEFORE"]), vocabulary.encode(texts["AFTER"] % question)]
        kinds = [kind for kind, _ in trace]
        front = [i for kind, part in trace[:kinds.index("rows")] for i in part]
        behind = [i for kind, part in trace[kinds.index("rows") + 1:] for i in part]
        check([front, behind] == want, "%r: %s, trained on %s" % (question, [front, behind], want))
    done = room.run(room.path("film"), QUESTION, "--answer", "6", "--backend", "cpu", environment={"WINNOW_QA_MODEL": qa})
    named, _ = room.ask(model, [room.path("film")], [QUESTION], "--answer", "6")
    check(done.returncode == 0 and done.stdout == named, "the default model: %s" % done.stderr)


def check_films(room):
    """A video file, also one that ends in the middle, and several media."""
    how = [QUESTION, *room.model(*MLP), "--backend", "cpu", "--ngl", "0", "--answer", "2"]
    done = room.run(CLIP, *how)
    if b"reads no videos" in done.stderr:
        check(done.returncode == 1, "a build without libav says so")
        return
    check(done.returncode == 0 and b"visual tokens 128 -> 128" in done.stderr, "a clip: %s" % done.stderr)
    with open(CLIP, "rb") as whole, open(room.path("cut.mp4"), "wb") as cut:
        cut.write(whole.read()[:60000])
    done = room.run(room.path("cut.mp4"), *how)
    lines = done.stderr.decode().splitlines()
    check(done.returncode == 0 and b"visual tokens 128" in done.stderr or done.returncode == 1 and len(lines) == 1,
          "a clip that ends in the middle: %s" % lines)
    done = room.run(CLIP, *how, "--preset", "balanced")
    check(done.returncode == 0 and b"visual tokens 128 -> 32" in done.stderr, "a quarter of a film: %s" % done.stderr)
    trace = room.trace(MLP, [room.path("grid.ppm"), room.path("film"), room.path("tiles.ppm")], [QUESTION])
    check([len(p) for k, p in trace if k == "rows"] == [16, 128, 16], "three media, one after another")


def check_drawings(room):
    for name, start in (("a.png", b"\x89PNG"), ("a.html", b"<!")):
        for model, media in ((MLP, "film"), (QWEN, "film"), (IDEFICS, "tiles.ppm")):
            room.ask(model, [room.path(media)], [QUESTION], "--pipeline", "divprune=keep=3", "--picture",
                     room.path(name))
            with open(room.path(name), "rb") as file:
                check(file.read(4).lower().startswith(start.lower()), "%s of %s" % (name, model))
            os.remove(room.path(name))


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(*sys.argv[1:5], folder)
        check_pictures(room, sys.argv[5])
        for each in (check_many_questions, check_compare, check_places, check_small_model, check_films,
                     check_drawings):
            each(room)
        check_frames_together(room, sys.argv[6])
    finish()


if __name__ == "__main__":
    main()
