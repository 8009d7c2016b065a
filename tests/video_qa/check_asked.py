#!/usr/bin/env python3
"""winnow-evaluate's pipelines that know the question, on a tiny model: which tokens a layer's attention and keys leave, and
what the model answers from them, against numpy.

usage: check_asked.py WINNOW-EVALUATE TEXT-MODELS MMPROJS MODELS WINNOW-ASK WINNOW      (python3 and numpy)
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "llama"), os.path.join(HERE, "..", "vit")]
import safetensors_io
from numpy_llama import Llama
from room import SOURCE, Room, check, finish

sys.path.insert(0, os.path.join(SOURCE, "train"))
import tokens

QUESTIONS = ["What colour is it?", "How many circles are there?", "Which way does it move?"]
MOST = 6  # tokens of an answer


def keep(scores, count):
    """The places of the largest, ties to the lower, in order."""
    return sorted(np.argsort(-scores, kind="stable")[:count])


# What a stage leaves by a layer's attention [heads, text, visual] and keys [visual, heads, size], and its margin.
def fastv(count):
    return lambda attention, keys: (attention[:, -1].mean(0), count)


def focus(count):
    return lambda attention, keys: (attention.sum((0, 1)), count)


def prunevid(frames, count):
    def score(attention, keys):
        best = attention.max((0, 1)).reshape(frames, -1)
        # group by group: what is not among the best of its frame is behind all that are
        rank = np.argsort(np.argsort(-best, axis=1, kind="stable"), axis=1)
        return (best + (rank < count)).reshape(-1), frames * count
    return score


def vitcop(count):
    return lambda attention, keys: (-np.linalg.norm(keys.mean(1), axis=-1), count)


# 8 frames of 16 tokens.
CASES = {"fastv=rate=0.75": (1, fastv(32)), "fastv=rate=0.9:layer=0": (0, fastv(13)), "focus-llm=keep=20": (1, focus(20)),
         "prunevid-llm=keep=3": (1, prunevid(8, 3)), "llm:vitcop-llm=keep=24:layer=1": (1, vitcop(24))}


class Model:
    """The small vocabulary's model; keys and values are rounded as the cache has them."""

    def __init__(self, path):
        self.path, self.words = path, tokens.Vocabulary()

    def read(self, inputs):
        """All of a prompt: the model, the last logits, and each token's layers."""
        model, layers = Llama(self.path, np.float16), []
        for at, x in enumerate(inputs):
            logits, by_layer = model.token(x, at, range(at))
            layers.append(by_layer)
        return model, logits, layers

    def answer(self, inputs):
        """Greedy, and how far the second best ever was from the best."""
        model, logits, _ = self.read(inputs)
        ids, margin = [], np.inf
        while True:
            two = np.sort(logits)[-2:]
            margin = min(margin, two[1] - two[0])
            token = int(np.argmax(logits))
            if token == self.words.eos or len(ids) + 1 == MOST:
                return ids + ([] if token == self.words.eos else [token]), margin
            ids.append(token)
            at = len(model.k[0])
            logits, _ = model.token(model.embed([token])[0], at, range(at))


def expected(model, before, rows, after, layer, rule):
    """The answer's bytes, and the least margin on the way."""
    embed = Llama(model.path).embed
    read, _, layers = model.read([*embed(before), *rows, *embed(after)])
    first, n = len(before), len(rows)
    heads = layers[0][0][1].shape[0]
    attention = np.stack([l[layer][1][:, first:first + n] for l in layers[first + n:]], 1)
    keys = np.stack(read.k[layer])[first:first + n].reshape(n, heads, -1)
    scores, count = rule(attention, keys)
    ranked = np.sort(scores)[::-1]
    ids, margin = model.answer([*embed(before), *rows[keep(scores, count)], *embed(after)])
    return plain(model, ids), (ranked[count - 1] - ranked[count]) / np.abs(ranked[count]), margin


def plain(model, ids):
    """As the results spell it."""
    text = model.words.decode(ids).encode("latin-1", "replace").decode("latin-1")
    return "".join(" " if ord(c) < 32 else "?" if ord(c) >= 127 else c for c in text)


def given(room, options, folder, question):
    """Tokens before the media and behind them."""
    command = [*options, "--trace", room.path("trace")]
    done = subprocess.run([room.ask_program, folder, "-q", question, *command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    check(done.returncode == 0, "%s: %s" % (question, done.stderr))
    with open(room.path("trace")) as file:
        lines = [line.split() for line in file]
    rows = [i for i, line in enumerate(lines) if line[0] == "rows"]
    check(rows == list(range(rows[0], rows[-1] + 1)), "media in one run: %s" % [line[0] for line in lines])
    texts = [[int(w) for line in part for w in line[1:]] for part in (lines[:rows[0]], lines[rows[-1] + 1:])]
    return texts[0], texts[1]


def check_answers(room, options, folder, rows):
    model, sure = Model(os.path.join(room.models, "qa", "llm-winnow-qa.gguf")), 0
    with open(room.path("clips.jsonl"), "w") as file:
        file.write(json.dumps({"video": folder, "questions": [{"type": "a", "question": q, "answer": "b"}
                                                               for q in QUESTIONS]}) + "\n")
    specs = [w for spec in CASES for w in ("--pipeline", spec)]
    done = room.run(room.path("clips.jsonl"), "-o", room.path("out.jsonl"), *options, *specs)
    check(done.returncode == 0, "winnow-evaluate: %s" % done.stderr)
    with open(room.path("out.jsonl")) as file:
        said = {(r["question"], r["pipeline"]): r for r in map(json.loads, file)}
    check(len(said) == len(CASES) * len(QUESTIONS), "an answer each: %d" % len(said))
    for question in QUESTIONS:
        before, after = given(room, options[:-2] + ["--answer", "1"], folder, question)
        for spec, (layer, rule) in CASES.items():
            want, apart, margin = expected(model, before, rows, after, layer, rule)
            row = said[question, spec]
            if apart > 1e-4 and margin > 0.02:  # neither choice is a matter of rounding
                sure += 1
                check(row["said"].strip(" ?") == want.strip(" ?"), "%s %s: %r, numpy %r" %
                      (spec, question, row["said"], want))
    check(sure >= len(said) // 2, "%d of %d answers are sure" % (sure, len(said)))


def check_same(room, options, folder):
    """A stage that asks nothing leaves the same with "llm:" as without, and by the encoder's attention and keys the same as
    inside the encoder; one that keeps all changes nothing."""
    pairs = [("divprune=keep=4", "llm:divprune=keep=4"), ("none", "fastv=rate=0"), ("fastervlm=keep=4", "llm:fastervlm=keep=4"),
             ("vitcop=keep=4", "llm:vitcop=keep=4"), ("llm:fastv=rate=0.75:layer=0", "hidden:fastv=rate=0.75:layer=0"), ("none", "fastvid=keep=100%")]
    specs = [w for spec in dict.fromkeys(spec for pair in pairs for spec in pair) for w in ("--pipeline", spec)]
    done = room.run(room.path("clips.jsonl"), "-o", room.path("out.jsonl"), *options, *specs)
    check(done.returncode == 0, "winnow-evaluate: %s" % done.stderr)
    with open(room.path("out.jsonl")) as file:
        rows = list(map(json.loads, file))
    for pair in pairs:
        a, b = ([(r["question"], r["said"], r["tokens"]) for r in rows if r["pipeline"] == spec] for spec in pair)
        check(len(a) == len(QUESTIONS) and a == b, "%s: %s, %s" % (pair, a, b))


def check_errors(room, options):
    for words, spec in (("layer=7: ", "fastv=rate=0.5:layer=7"), ("it needs more", "llm:hiprune=keep=4"),
                        ("no stage", "llm:nothing"), ("layer=-1: ", "llm:divprune=keep=4:layer=-1"),
                        ("rows of its own", "hidden:tome=keep=4:layer=0"), ("an earlier layer", "hidden:divprune=keep=4")):
        done = room.run(room.path("clips.jsonl"), "-o", room.path("bad.jsonl"), *options, "--pipeline", spec)
        line = done.stderr.decode()
        check(done.returncode == 1 and line.count("\n") == 1 and line.startswith("winnow-evaluate: ") and words in line,
              "%s: %r" % (spec, line))
        check(not os.path.exists(room.path("bad.jsonl")), "%s: nothing is left" % spec)


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        room = Room(*sys.argv[1:5], scratch)
        room.ask_program = sys.argv[5]
        qa = [os.path.join(room.models, "qa", part + "-winnow-qa.gguf") for part in ("llm", "mmproj")]
        options = room.model(*qa) + ["--backend", "cpu", "--ngl", "0", "-t", "2", "--answer", str(MOST)]
        folder, kept = room.frames("film", 8, 96, 96), room.path("tokens.safetensors")
        done = subprocess.run([sys.argv[6], "encode", "--model", qa[1], folder, "-o", kept, "--backend", "cpu", "--like", "llama"],
                              stderr=subprocess.PIPE)
        check(done.returncode == 0, "winnow encode: %s" % done.stderr)
        _, tensors = safetensors_io.read(kept)
        check_answers(room, options, folder, np.asarray(tensors["tokens"], np.float64).reshape(-1, 64))
        check_same(room, options, folder)
        check_errors(room, options)
    finish()


if __name__ == "__main__":
    main()
