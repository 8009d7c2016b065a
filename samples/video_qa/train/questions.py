#!/usr/bin/env python3
"""Asks about a clip, in many wordings, with short answers; says how far a constant answer would get.

usage: questions.py [--clips N]      (python3, numpy; prints the best constant answer's accuracy by type)

Types: shape, colour, count, direction, order, presence, where, flash. Of each type's wordings the last few are HELD
OUT: training never sees them, the test asks nothing else. {o} stands for a thing ("the red circle", "the circle" or
"the red one", where that says which), {a} for a thing with its article, {k} for a kind in the plural.
"""
import argparse
import collections

import render

COUNTS = ["zero", "one", "two", "three", "four"]
PLURAL = {"cross": "crosses"}
EDGE = 8  # pixels from the middle lines within which nothing is said about where a thing is

# type -> form -> (wordings to train on, wordings held out)
WORDINGS = {
    "shape": {
        "": (["What shape is {o}?", "Which shape is {o}?", "What is the shape of {o}?", "What kind of shape is {o}?",
              "Tell me the shape of {o}.", "{O} has what shape?", "Say the shape of {o}.", "{O} is what shape?"],
             ["What shape does {o} have?", "Which kind of shape is {o}?", "Say what shape {o} is."])},
    "colour": {
        "": (["What colour is {o}?", "What color is {o}?", "Which colour is {o}?", "What is the colour of {o}?",
              "What colour does {o} have?", "{O} has what colour?", "Name the color of {o}.", "{O} is what color?"],
             ["Which color does {o} have?", "Tell me what colour {o} is.", "What is the color of {o}?"])},
    "count": {
        "all": (["How many objects are there?", "How many shapes are there?", "How many things do you see?",
                 "Count the objects.", "How many objects appear in the video?", "What is the number of shapes?",
                 "How many objects can you count?"],
                ["How many shapes can you see?", "Count the things in the video.", "What is the number of objects?"]),
        "kind": (["How many {k} are there?", "How many {k} do you see?", "Count the {k}.",
                  "How many {k} appear in the video?", "What is the number of {k}?", "How many {k} can you count?"],
                 ["How many {k} can you see?", "Count the {k} in the video.", "How many {k} does the video show?"])},
    "direction": {
        "": (["Which way does {o} move?", "Which direction does {o} move?", "Where does {o} move?",
              "In which direction does {o} go?", "Which way is {o} going?", "What direction is {o} moving in?",
              "Tell me which way {o} moves.", "Where is {o} going?"],
             ["In which direction is {o} moving?", "Which way does {o} go?", "Tell me the direction of {o}."])},
    "order": {
        "which": (["Which came first, {o} or {p}?", "What appeared first, {o} or {p}?", "Which was there first, {o} or "
                   "{p}?", "Which one appeared first: {o} or {p}?", "What came first: {o} or {p}?"],
                  ["Which appeared first, {o} or {p}?", "What was there first, {o} or {p}?"]),
        "before": (["Did {o} appear before {p}?", "Was {o} there before {p}?", "Does {o} come before {p}?",
                    "Is {o} seen before {p}?"],
                   ["Did {o} come before {p}?", "Does {o} appear before {p}?"]),
        "last": (["Which object appeared last?", "What came last?", "What was the last object to appear?",
                  "Which shape came in last?"],
                 ["Which object came last?", "What appeared last?"])},
    "presence": {
        "": (["Is there {a}?", "Did {a} appear?", "Do you see {a}?", "Can you see {a}?", "Was there {a}?",
              "Does {a} appear in the video?", "Is there {a} in the video?", "Does the video show {a}?"],
             ["Did you see {a}?", "Was there {a} in the video?", "Does {a} appear?"])},
    "where": {
        "still": (["Where is {o}?", "In which corner is {o}?", "Where do you see {o}?", "Tell me where {o} is.",
                   "Which part of the video shows {o}?"],
                  ["Where can you see {o}?", "In which part of the video is {o}?"]),
        "end": (["Where is {o} at the end?", "In which corner is {o} at the end?", "Where does {o} end?",
                 "Tell me where {o} is at the end.", "At the end, where is {o}?"],
                ["Where do you see {o} at the end?", "At the end, in which corner is {o}?"]),
        "start": (["Where is {o} at first?", "In which corner is {o} at first?", "Where does {o} start?",
                   "Tell me where {o} is at first.", "At first, where is {o}?"],
                  ["Where do you see {o} at first?", "At first, in which corner is {o}?"])},
    "flash": {
        "did": (["Did something flash?", "Was there a flash?", "Does anything flash?", "Is there a flash in the video?",
                 "Did you see a flash?"],
                ["Did anything flash?", "Was there a flash in the video?"]),
        "colour": (["What colour was the flash?", "What color is the flash?", "Which colour flashed?",
                    "What was the colour of the flash?", "The flash had what color?"],
                   ["Which colour was the flash?", "What colour flashed?"]),
        "where": (["Where was the flash?", "In which corner was the flash?", "Where did something flash?",
                   "Tell me where the flash was.", "Where do you see the flash?"],
                  ["Where was there a flash?", "Where is the flash?"])},
}
TYPES = list(WORDINGS)
STILL = ["shape", "colour", "count", "presence", "where"]  # what one frame can answer, near enough: a first course


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def kinds(shape):
    return PLURAL.get(shape, shape + "s")


def call(r, s, thing, hide=None):
    """How to speak of a thing so that no other is meant; hide: the attribute that may not be said."""
    same_shape = sum(o.shape == thing.shape for o in s.things)
    same_colour = sum(o.colour == thing.colour for o in s.things)
    ways = []
    if hide is None:
        ways += ["the %s %s" % (thing.colour, thing.shape)] * 2
    if hide != "shape" and same_shape == 1:
        ways.append("the " + thing.shape)
    if hide != "colour" and same_colour == 1:
        ways += ["the %s object" % thing.colour, "the %s one" % thing.colour, "the %s shape" % thing.colour]
    return str(r.choice(ways)) if ways else None


def corner(xy):
    x, y = xy - render.SIDE / 2
    return ("top " if y < 0 else "bottom ") + ("left" if x < 0 else "right") if min(abs(x), abs(y)) > EDGE else None


def choose(r, items):
    return items[int(r.integers(len(items)))] if items else None


def attribute(kind):
    def ask(r, s):
        thing = choose(r, s.things)
        name = call(r, s, thing, hide=kind)
        return name and ("", {"o": name}, getattr(thing, kind))
    return ask


def count(r, s):
    if r.random() < 0.4:
        return "all", {}, COUNTS[len(s.things)]
    by_number = collections.defaultdict(list)
    for shape in render.SHAPES:
        by_number[sum(o.shape == shape for o in s.things)].append(kinds(shape))
    for colour in render.NAMES:
        n = sum(o.colour == colour for o in s.things)
        by_number[n] += ["%s %s" % (colour, w) for w in ("objects", "shapes", "things")[:3 if n else 1]]
    numbers = [n for n in by_number if n or r.random() < 0.5]
    n = max(numbers) if r.random() < 0.6 else choose(r, numbers)
    return "kind", {"k": choose(r, by_number[n])}, COUNTS[n]


def direction(r, s):
    moving = [o for o in s.things if o.direction != "nowhere"]
    still = [o for o in s.things if o.direction == "nowhere" and o.first <= render.FRAMES - 3]
    thing = choose(r, moving if moving and r.random() < 0.8 else still)
    return thing and ("", {"o": call(r, s, thing)}, thing.direction)


def order(r, s):
    firsts = sorted({o.first for o in s.things})
    if len(firsts) < 2:
        return None
    last = [o for o in s.things if o.first == firsts[-1]]
    if len(last) == 1 and r.random() < 0.3:
        return "last", {}, "%s %s" % (last[0].colour, last[0].shape)
    a, b = (s.things[i] for i in r.permutation(len(s.things))[:2])
    if a.first == b.first:
        return None
    names = {"o": call(r, s, a), "p": call(r, s, b)}
    if r.random() < 0.5:
        return "before", names, "yes" if a.first < b.first else "no"
    early = a if a.first < b.first else b
    return "which", names, "%s %s" % (early.colour, early.shape)


def presence(r, s):
    """Half of the answers are no, and those name half of a thing that is there, so that both words count."""
    yes = r.random() < 0.5
    for _ in range(20):
        thing, way = choose(r, s.things), int(r.integers(4))
        colour, shape = thing.colour, thing.shape
        if not yes:
            both = r.random() < 0.5
            colour, shape = (choose(r, render.NAMES), shape) if both else (colour, choose(r, render.SHAPES))
        words = ("%s %s" % (colour, shape), shape, colour + " object", "%s %s" % (colour, shape))[way]
        there = any((way == 2 or o.shape == shape) and (way == 1 or o.colour == colour) for o in s.things)
        if there == yes:
            return "", {"a": article(words)}, "yes" if there else "no"
    return None


def where(r, s):
    thing = choose(r, s.things)
    name, still = call(r, s, thing), thing.direction == "nowhere"
    form = "still" if still and r.random() < 0.6 else choose(r, ["end", "start"])
    spot = corner(thing.path[thing.first if form == "start" else -1])
    return spot and (form, {"o": name}, spot)


def flash(r, s):
    if not s.flash:
        return ("did", {}, "no") if r.random() < 0.5 else None
    form = choose(r, ["did", "colour", "where"])
    spot = corner(s.flash.path[s.flash.first])
    answer = {"did": "yes", "colour": s.flash.colour, "where": spot}[form]
    return answer and (form, {}, answer)


ASK = {"shape": attribute("shape"), "colour": attribute("colour"), "count": count, "direction": direction,
       "order": order, "presence": presence, "where": where, "flash": flash}


def ask(r, s, kind, held_out=False):
    """(question, answer) of a type about a scene, or None where the scene gives no such question."""
    got = ASK[kind](r, s)
    if not got:
        return None
    form, words, answer = got
    text = choose(r, WORDINGS[kind][form][held_out])
    words = dict(words, O=words.get("o", "").capitalize())
    return text.format(**words), answer


def worn(r, text):
    """The same question as some would type it: without the mark, or in small letters."""
    way = r.random()
    if way < 0.1:
        return text[:-1]
    return text.lower() if way < 0.2 else text


def several(r, s, n, types=None, held_out=False):
    """n (type, question, answer) about a scene, types in turn from a random start."""
    types = list(types or TYPES)
    out, tries = [], 0
    turn = [types[i] for i in r.permutation(len(types))]
    while len(out) < n:
        kind = turn[tries % len(turn)]
        tries += 1
        got = ask(r, s, kind, held_out)
        if got and (tries > 6 * n or (kind, *got) not in out):
            out.append((kind, *got))
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--clips", type=int, default=1500)
    a = p.parse_args()
    answers = {t: collections.Counter() for t in TYPES}
    for i in range(a.clips):
        r = render.np.random.Generator(render.np.random.PCG64(render.HELD_OUT + i))
        s = render.scene_of(r)
        for kind, question, answer in several(r, s, 8, held_out=True):
            answers[kind][answer] += 1
    for t in TYPES:
        (best, n), total = answers[t].most_common(1)[0], answers[t].total()
        print("%-10s %5d questions, %2d answers, best constant %-12s %4.1f%%" %
              (t, total, len(answers[t]), best, 100 * n / total))


if __name__ == "__main__":
    main()
