#!/usr/bin/env python3
"""The model that ships, about the film that ships: right answers, and the same ones through stock llama.cpp alone.

usage: check_default.py WINNOW_ASK WINNOW_LLAMA [MODEL_FOLDER]      (Python's standard library)

Through winnow-ask the frames go to Winnow's encoder; through winnow-llama --encoder mtmd to llama.cpp's own.
"""
import os
import subprocess
import sys

from room import SOURCE, check, finish

FILM = os.path.join(SOURCE, "..", "data", "shapes.mp4")
# What samples/data/README.md says of the film; the first ones are those of ./run demo.
KNOWN = [("What colour was the flash?", "red"), ("How many rings are there?", "two"),
         ("Which way does the blue circle move?", "down"), ("What shape is the yellow object?", None),
         ("Did anything flash?", "yes"), ("Is there a green star?", "no"), ("Where is the yellow ring?", "top right"),
         ("Which came first, the yellow ring or the yellow triangle?", "yellow ring"),
         ("How many objects are there?", "four")]
BUDGET = [0, 1, 4, 5]  # of KNOWN, right with a quarter of the tokens too


def said(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if done.returncode:
        if b"reads no videos" in done.stderr:
            return None
        raise SystemExit("%s: %s" % (command, done.stderr.decode()))
    return done.stdout.decode().strip()


def main():
    ask, llama = sys.argv[1:3]
    folder = sys.argv[3] if len(sys.argv) > 3 else os.path.join(SOURCE, "model")
    model = ["-m", os.path.join(folder, "llm-winnow-qa.gguf"), "--mmproj", os.path.join(folder, "mmproj-winnow-qa.gguf")]
    for i, (question, truth) in enumerate(KNOWN):
        ours = said([ask, FILM, "-q", question, *model, "--backend", "cpu", "--ngl", "0"])
        if ours is None:
            check(True, "this build reads no videos")
            break
        prompt = "USER: <__media__>\n%s\nASSISTANT:" % question
        stock = said([llama, *model, "--video", FILM, "--frames", "8", "--encoder", "mtmd", "--ngl", "0", "-n", "16",
                      "--backend", "cpu", "-p", prompt])
        check(ours == stock, "%s: %r through Winnow's encoder, %r through llama.cpp's" % (question, ours, stock))
        check(truth is None or ours == truth, "%s: %r, which is %r" % (question, ours, truth))
        if i in BUDGET:
            few = said([ask, FILM, "-q", question, *model, "--backend", "cpu", "--ngl", "0", "--preset", "balanced"])
            check(few == truth, "%s with a quarter of the tokens: %r, which is %r" % (question, few, truth))
    finish()


if __name__ == "__main__":
    main()
