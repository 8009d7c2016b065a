#!/usr/bin/env python3
"""Writes clips that training never saw, as raw frames, and questions in wordings that it never saw.

usage: make_questions.py FOLDER [--clips 200] [--first 1000] [--questions 8] [--types shape,colour,...]
       (python3, numpy)

FOLDER/clips.jsonl is what winnow-evaluate reads; FOLDER/N.rgb are its frames. The same arguments give the same bytes.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train"))
import questions
import render

FPS = 4  # a clip of 8 frames is shown as two seconds


def clip_of(seed, n, types, folder):
    """Writes the frames, and gives the line about them."""
    frames, _, scene, r = render.clip(seed)
    name = "%d.rgb" % (seed - render.HELD_OUT)
    frames.tofile(os.path.join(folder, name))
    asked = questions.several(r, scene, n, types, held_out=True)
    count, height, width, _ = frames.shape
    return {"frames": name, "count": count, "width": width, "height": height, "fps": FPS,
            "questions": [{"type": t, "question": q, "answer": a} for t, q, a in asked]}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--clips", type=int, default=200)
    p.add_argument("--first", type=int, default=1000, help="the first held-out seed")
    p.add_argument("--questions", type=int, default=8, help="of each clip")
    p.add_argument("--types", default=",".join(questions.TYPES))
    a = p.parse_args()
    types = a.types.split(",")
    for t in types:
        if t not in questions.TYPES:
            sys.exit("make_questions.py: %s: there is no such type (%s)" % (t, ", ".join(questions.TYPES)))
    os.makedirs(a.folder, exist_ok=True)
    path = os.path.join(a.folder, "clips.jsonl")
    with open(path, "w") as file:
        for i in range(a.clips):
            line = clip_of(render.HELD_OUT + a.first + i, a.questions, types, a.folder)
            file.write(json.dumps(line) + "\n")
    print("%s: %d clips, %d questions" % (path, a.clips, a.clips * a.questions))


if __name__ == "__main__":
    main()
