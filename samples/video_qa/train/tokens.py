#!/usr/bin/env python3
"""The vocabulary, and the same tokenisation as llama.cpp's.

usage: tokens.py TEXT ...      (python3; prints the pieces and ids of each text)

It is llama.cpp's byte-pair kind (tokenizer.ggml.model "gpt2") with Llama 3's splitting (tokenizer.ggml.pre
"llama-bpe"), which takes a word that is in the vocabulary whole: every word of the questions is a token, with and
without the space before it. Any other word falls to merges, of which there is only the pair of spaces, and so to its
bytes: no text is refused.
"""
import functools
import json
import re
import sys

import questions
import render

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
# Llama 3's, with Python's classes: [^\W\d_] for \p{L}, \d for \p{N}.
SPLIT = re.compile(r"'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|(?:[^\r\n\w]|_)?[^\W\d_]+|\d{1,3}|"
                   r" ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
MORE = """a an the is are was were do does did can could will would what which where when who why how many much any
anything something some no not yes in on at of to from with and or by it its this that there here you i me we they he
she see show seen find look tell say name describe count answer please video clip film picture image frame frames first
last end start beginning before after then left right up down top bottom middle center corner side moving moves move
moved going goes went go still nowhere small big large tiny dot light flash flashed flashes flashing blink blinked
appear appears appeared come comes came object objects shape shapes thing things one ones two three four five zero none
color colour colors colours direction way number kind part black gray grey pink brown same different new old only
all each both other more most less least than have has had be been being ever never also Video USER ASSISTANT
SYSTEM""".split()
MARKS = list("?!.,:;") + ["?\n", ".\n", "\n", "\n\n", "  "]


@functools.lru_cache(None)
def byte_letters():
    """GPT-2's printable stand-ins for bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def spelled(piece):
    return "".join(byte_letters()[b] for b in piece.encode())


def words():
    """Every piece that questions and answers can have, in a fixed order."""
    found = set()
    fill = {"o": "the red circle", "p": "the blue one", "a": "a ring", "k": "crosses", "O": "The red circle"}
    for forms in questions.WORDINGS.values():
        for lists in forms.values():
            for text in lists[0] + lists[1]:
                for t in (text.format(**fill), text.lower().format(**dict(fill, O="the red circle"))):
                    found.update(re.findall(r"[A-Za-z]+", t))
    found.update(render.NAMES + render.SHAPES + [questions.kinds(s) for s in render.SHAPES] + questions.COUNTS)
    found.update(list(render.DIRECTIONS) + MORE)
    found.update(w.capitalize() for w in list(found))
    return sorted(found)


class Vocabulary:
    """tokens: as llama.cpp spells them. kinds: 1 ordinary, 3 control. merges: "left right", best first."""

    def __init__(self, pieces=None):
        if pieces is None:
            pieces = words()
            pieces = [spelled(p) for p in MARKS if len(p) > 1] + [spelled(s + w) for w in pieces for s in (" ", "")]
            pieces = [p for p in dict.fromkeys(pieces) if len(p) > 1]
        self.pieces = pieces
        self.tokens = [BOS, EOS, PAD] + [byte_letters()[b] for b in range(256)] + pieces
        self.kinds = [3, 3, 3] + [1] * (len(self.tokens) - 3)
        space = spelled(" ")
        self.merges = [space + " " + space]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.bos, self.eos, self.pad = 0, 1, 2

    def __len__(self):
        return len(self.tokens)

    def encode(self, text):
        """Ids without BOS; control tokens are not looked for."""
        return [i for piece in SPLIT.findall(text) for i in self.piece(piece)]

    @functools.lru_cache(4096)
    def piece(self, piece):
        s = spelled(piece)
        if s in self.ids:
            return [self.ids[s]]
        parts = list(s)
        for merge in self.merges:
            left, right = merge.split(" ")
            i = 0
            while i + 1 < len(parts):
                if parts[i] == left and parts[i + 1] == right:
                    parts[i:i + 2] = [left + right]
                i += 1
        return [self.ids[c] for p in parts for c in ([p] if p in self.ids else p)]

    def decode(self, ids):
        back = {c: b for b, c in byte_letters().items()}
        return bytes(back[c] for i in ids if i > 2 for c in self.tokens[i]).decode(errors="replace")


def save(path, vocabulary):
    with open(path, "w") as file:
        json.dump(vocabulary.pieces, file)


if __name__ == "__main__":
    v = Vocabulary()
    print(len(v), "tokens")
    for text in sys.argv[1:]:
        print([(v.tokens[i], i) for i in v.encode(text)])
