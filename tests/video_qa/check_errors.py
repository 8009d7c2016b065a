#!/usr/bin/env python3
"""What winnow-ask says of bad input: one clear line, status 1, nothing on standard output.

usage: check_errors.py WINNOW-ASK TEXT-MODELS MMPROJS MODELS      (python3, nothing else)
"""
import os
import sys
import tempfile

from room import Room, check, finish

MLP, QWEN, QUESTION = ("llama", "mlp-noclass"), ("qwen2vl", "qwen2vl"), "What is this?"


def fails(room, words, *arguments, data=b"", lines=1, environment=None, said=b""):
    """`lines`: with those before it, which are no failures."""
    done = room.run(*arguments, data=data, environment=environment)
    text = done.stderr.decode(errors="replace")
    check(done.returncode == 1, "%s: status %d" % (arguments, done.returncode))
    check(text.count("\n") <= lines and text.splitlines()[-1].startswith("winnow") and
          words in text.splitlines()[-1], "%s: one line with %r, not %r" % (arguments, words, text))
    check(done.stdout == said, "%s: nothing else is said: %r" % (arguments, done.stdout))


def check_options(room):
    film = room.path("film")
    for words, arguments in (
            ("no video or picture", []),
            ("no video or picture", [QUESTION]),
            ("no question", [film]),
            ("no such file", [room.path("nothing.mp4"), QUESTION]),
            ("no such file", ["nothing", QUESTION]),
            ("no such file", [film, room.path("nothing.mp4"), QUESTION]),
            ("no such option", [film, QUESTION, "--nothing"]),
            ("value is missing", [film, QUESTION, "-m"]),
            ("whole number", [film, QUESTION, "--frames", "-1"]),
            ("at least 1", [film, QUESTION, "--frames", "0"]),
            ("at least 1", [film, QUESTION, "--answer", "0"]),
            ("original|compact", [film, QUESTION, "--mrope", "other"]),
            ("--mmproj is missing", [film, QUESTION, "-m", "a.gguf"]),
            ("-m is missing", [film, QUESTION, "--mmproj", "a.gguf"]),
            ("nothing to compare", [film, QUESTION, "--compare"]),
            ("shows one video", [film, film, QUESTION, "--picture", "a.png"]),
            ("goes with --live", [film, QUESTION, "--questions", "a"]),
            ("the question is empty", [film, "-q", ""]),
            ("the question is empty", [film, "-q", " \n"]),
            ("no kind of picture", [film, QUESTION, "--picture", "a.gif"]),
            ("not a size", ["--live", "64", QUESTION]),
            ("not a size", ["--live", "64x48y", QUESTION]),
            ("frames a second", ["--live", "64x48@0", QUESTION]),
            ("no questions", ["--live", "64x48"]),
            ("the feed is all", ["--live", "64x48", "-i", QUESTION])):
        fails(room, words, *arguments)
    for option in ("--help", "--version"):
        done = room.run(option)
        check(done.returncode == 0 and b"winnow-ask" in done.stdout and not done.stderr, option)


def check_models(room):
    film = room.path("film")
    text, sight = os.path.join(room.texts, "llama.gguf"), os.path.join(room.mmprojs, "mlp.gguf")
    for name, data in (("broken.gguf", b"GGUF\3\0\0\0 and no more"), ("broken.png", b"\x89PNG\r\n\x1a\n")):
        with open(room.path(name), "wb") as file:
            file.write(data)
    with open(sight, "rb") as whole, open(room.path("cut.gguf"), "wb") as file:
        file.write(whole.read()[:-5000])
    nothing, broken = room.path("nothing.gguf"), room.path("broken.gguf")
    for words, model, mmproj in (
            ("cannot be opened", nothing, sight), ("cannot be opened", text, nothing),
            ("llama.cpp does not load it", broken, sight), ("broken.gguf", text, broken),
            ("cut.gguf", text, room.path("cut.gguf")),
            ("llama.gguf", text, text),                    # no vision model
            ("llama.cpp does not load it", sight, sight),  # no language model
            ("not of one model", os.path.join(room.texts, "narrow.gguf"), sight),
            ("not of one model", os.path.join(room.texts, "qwen2vl.gguf"), sight),
            ("not of one model", text, os.path.join(room.mmprojs, "qwen2vl.gguf")),
            ("is not known here", text, os.path.join(room.mmprojs, "clip"))):
        fails(room, words, film, QUESTION, "-m", model, "--mmproj", mmproj, "--backend", "cpu")
    fails(room, "WINNOW_QA_MODEL", film, QUESTION, environment={"WINNOW_QA_MODEL": room.folder})


def check_media(room):
    film, model = room.path("film"), [*room.model(*MLP), "--backend", "cpu", "--ngl", "0", "--template",
                                      "<media><question>"]
    os.mkdir(room.path("empty"))
    with open(room.path("text.mp4"), "w") as file:
        file.write("no film")
    for words, arguments in (
            ("empty", [room.path("empty"), QUESTION]),
            ("text.mp4", [room.path("text.mp4"), QUESTION]),
            ("broken.png", [room.path("broken.png"), QUESTION]),
            ("keep", [film, QUESTION, "--pipeline", "divprune=keep="]),
            ("nothing", [film, QUESTION, "--pipeline", "nothing"]),
            ("fast|balanced|careful", [film, QUESTION, "--preset", "slow"]),
            ("leave one out", [film, QUESTION, "--preset", "fast", "--pipeline", "evs"]),
            ("text", [film, QUESTION, "--pipeline", "cdpruner=keep=4"]),          # no text embeddings
            ("hidden states", [film, QUESTION, "--pipeline", "visionzip=dominant=3:contextual=2"]),  # no single layer's keys
            ("fastv", [film, QUESTION, "--pipeline", "fastv=rate=0.5"]),          # the language model's attention
            ("at most 16777216", [film, QUESTION, "-c", "2147483647"]),
            ("no M-RoPE", [film, QUESTION, "--mrope", "compact"]),
            ("<media> once", [film, QUESTION, "--template", "<question>"]),
            ("<media> once", [film, QUESTION, "--template", "<question><media>"]),
            ("cannot be written", [film, QUESTION, "--trace", "/nowhere/file"])):
        fails(room, words, *arguments, *(m for m in model if "--template" not in arguments or m not in model[-2:]))
    fails(room, "/nowhere", film, QUESTION, *model, "--picture", "/nowhere/a.png")


def check_context(room):
    """How many tokens there are, and what would do; with that it does."""
    film, model = room.path("film"), [*room.model(*MLP), "--backend", "cpu", "--ngl", "0", "--template",
                                      "<media><question>"]
    for more in ([], ["--pipeline", "evs=rate=0.5"]):
        command = [film, QUESTION, *model, "--answer", "6", *more]
        done = room.run(*command, "-c", "40")
        line = done.stderr.decode()
        visual = 64 if more else 128
        check(done.returncode == 1 and "%d visual tokens (128 before" % visual in line, "a small context: %s" % line)
        need = line.split("(give -c ")[1].split(",")[0]
        fails(room, "do not fit %s" % need, film, "x" * 200, *model, "--answer", "6", *more, "-c", need)
        # the first line counts no question, a question's own line counts it
        done = room.run(film, QUESTION, *model, "--answer", "6", *more, "-c", need)
        need = done.stderr.decode().split("(give -c ")[1].split(",")[0]
        done = room.run(*command, "-c", need)
        check(done.returncode == 0, "-c %s is enough: %s" % (need, done.stderr))
        done = room.run(*command, "-c", str(int(need) - 1))
        check(done.returncode == 1, "one less is not")
    done = room.run(film, "x" * 200, "-i", *model, "-c", "200", data=b"yes?\n", environment={})
    check(done.returncode == 1 and done.stderr.count(b"\n") == 1, "a long question: %s" % done.stderr)
    done = room.run(film, "-i", *model, "-c", "200", data=b"x" * 200 + b"\nyes?\n")
    check(done.returncode == 1 and b"do not fit 200" in done.stderr and done.stdout.strip(),
          "interactive: the next question is answered all the same: %s" % done.stderr)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(*sys.argv[1:], folder)
        room.frames("film", 8, 96, 96)
        for each in (check_options, check_models, check_media, check_context):
            each(room)
    finish()


if __name__ == "__main__":
    main()
