#!/usr/bin/env python3
"""Draws short clips of moving shapes from a seed, and says what is in them.

usage: render.py SEED [SEED ...] --out FOLDER      (python3, numpy; writes each clip's frames as one strip, .ppm)

A clip is FRAMES frames of SIDE x SIDE. One to four objects, no two alike in both colour and shape, stand still or move
straight on (left, right, up, down); some come in later than others. Now and then something small flashes for two
frames. The background is plain, a slope or coarse noise that may drift (the camera pans) or change at once (a cut).
The same seed gives the same bytes. Seeds from HELD_OUT on are never trained on.
"""
import argparse
import os
from dataclasses import dataclass, field

import numpy as np

FRAMES, SIDE, PATCH = 8, 96, 16
SHAPES = ["circle", "square", "triangle", "cross", "ring", "star"]
COLOURS = {"red": (225, 40, 40), "green": (40, 180, 60), "blue": (50, 80, 235), "yellow": (240, 220, 50),
           "purple": (160, 50, 200), "orange": (250, 140, 30), "white": (245, 245, 245), "cyan": (60, 215, 225)}
NAMES = list(COLOURS)
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
# What is said of each patch, and how many answers there are, 0 (nothing there) included: the shape, then the flash;
# the colour; the thing's story so far; the quarter that its middle is in; its rank by the frame that it came in.
LABELS = {"shape": len(SHAPES) + 2, "colour": len(NAMES) + 1, "story": 3 + len(DIRECTIONS), "corner": 5, "rank": 5}
HELD_OUT = 1 << 40
FLASH_FRAMES = 2


@dataclass
class Thing:
    shape: str
    colour: str
    radius: float
    path: np.ndarray  # [FRAMES, 2] x, y of the middle, pixels
    first: int        # the frame that it comes in
    direction: str    # a key of DIRECTIONS, or "nowhere"
    last: int = FRAMES - 1

    def at(self, frame):
        return self.path[frame] if self.first <= frame <= self.last else None


@dataclass
class Scene:
    things: list = field(default_factory=list)
    flash: Thing = None
    cut: int = None  # the frame from which the background is another one


NOISE = np.random.Generator(np.random.PCG64(7)).standard_normal(2 * FRAMES * SIDE * SIDE, np.float32)


def sides(x, y, n, outer, inner):
    """Signed distance, below 0 inside, to a star of n points, the first up: folded onto half a point, one edge's line.

    outer: from the middle to a point; inner: to a notch (outer * cos(pi/n) makes it a regular polygon).
    """
    half = np.pi / n
    angle = np.abs((np.arctan2(x, -y) + half) % (2 * half) - half)
    far = np.hypot(x, y)
    ex, ey = inner * np.cos(half) - outer, inner * np.sin(half)
    return (ey * (far * np.cos(angle) - outer) - ex * far * np.sin(angle)) / np.hypot(ex, ey)


def distance(shape, x, y, r):
    """Signed distance in pixels from the outline of a shape of radius r, below 0 inside."""
    if shape == "circle":
        return np.hypot(x, y) - r
    if shape == "ring":
        return np.abs(np.hypot(x, y) - 0.75 * r) - 0.25 * r
    if shape == "square":
        return np.maximum(np.abs(x), np.abs(y)) - 0.85 * r
    if shape == "cross":
        a, b = np.abs(x), np.abs(y)
        arm = 0.3 * r
        return np.minimum(np.maximum(a - r, b - arm), np.maximum(a - arm, b - r))
    if shape == "triangle":
        return sides(x, y + 0.15 * r, 3, 1.2 * r, 0.6 * r)
    return sides(x, y, 5, 1.15 * r, 0.5 * r)


def cover(thing, frame):
    """(rows, columns, alpha [h, w]) that a thing covers of a frame, or None."""
    middle = thing.at(frame)
    if middle is None:
        return None
    reach = int(np.ceil(1.25 * thing.radius)) + 1
    left, top = (max(int(v) - reach, 0) for v in middle)
    right, bottom = (min(int(v) + reach + 1, SIDE) for v in middle)
    if left >= right or top >= bottom:
        return None
    x = np.arange(left, right, dtype=np.float32)[None] + (np.float32(0.5) - middle[0])
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + (np.float32(0.5) - middle[1])
    alpha = np.clip(0.5 - distance(thing.shape, x, y, thing.radius), 0, 1)
    return slice(top, bottom), slice(left, right), alpha.astype(np.float32, copy=False)


def background(r):
    """[FRAMES, SIDE, SIDE, 3] float32: dull, and darker than what is drawn on it."""
    base = (r.uniform(15, 105) + r.uniform(-14, 14, 3)).astype(np.float32)
    kind = r.integers(3)
    drift = r.uniform(-3, 3, 2) if r.random() < 0.4 else np.zeros(2)
    if kind == 0:
        return np.broadcast_to(base, (FRAMES, SIDE, SIDE, 3)).copy()
    room = SIDE + 48
    if kind == 1:
        y, x = np.mgrid[:room, :room].astype(np.float32) / room - 0.5
        turn = r.uniform(0, 2 * np.pi)
        field_ = np.float32(r.uniform(15, 35)) * (np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y)
    else:
        cell = int(r.integers(6, 20))
        n = room // cell + 2
        coarse = r.standard_normal((n, n), np.float32) * np.float32(r.uniform(3, 9))
        at = np.arange(room) / cell
        i, f = at.astype(int), (at % 1).astype(np.float32)
        rows = coarse[i] * (1 - f)[:, None] + coarse[i + 1] * f[:, None]
        field_ = rows[:, i] * (1 - f) + rows[:, i + 1] * f
    out = np.empty((FRAMES, SIDE, SIDE, 3), np.float32)
    for t in range(FRAMES):
        dx, dy = (24 + drift * (t - 3.5)).astype(int)
        out[t] = field_[dy:dy + SIDE, dx:dx + SIDE, None] + base
    return out


def place(r, radius, first, direction):
    """A path that stays inside, or None."""
    step = r.uniform(4.0, 7.5) if direction != "nowhere" else 0.0
    way = np.array(DIRECTIONS.get(direction, (0, 0)))
    steps = np.clip(np.arange(FRAMES) - first, 0, None)[:, None] * step * way
    low, high = radius - steps.min(0), SIDE - radius - steps.max(0)
    if (low > high).any():
        return None
    return (r.uniform(low, high) + steps).astype(np.float32)


def apart(path, radius, first, others, gap):
    for o in others:
        both = slice(max(first, o.first), FRAMES)
        if (np.hypot(*(path[both] - o.path[both]).T) < radius + o.radius + gap).any():
            return False
    return True


def scene_of(r, most=4):
    """What happens in a clip. most: objects at most."""
    s = Scene()
    wanted = int(r.integers(1, most + 1))
    late = r.random() < 0.6
    alike = r.random() < 0.5  # objects that share a colour or a shape, so that counting is worth while
    palette = r.permutation(NAMES)[:2] if alike and r.random() < 0.5 else NAMES
    kinds = r.permutation(SHAPES)[:2] if alike and len(palette) > 2 else SHAPES
    starts = list(r.permutation([0, 2, 3, 4, 5]))
    for _ in range(40):
        if len(s.things) == wanted:
            break
        colour, shape = str(r.choice(palette)), str(r.choice(kinds))
        radius = float(r.uniform(8.5, 13))
        first = int(starts[len(s.things)]) if late and s.things else 0
        direction = str(r.choice(list(DIRECTIONS))) if r.random() < 0.75 and first <= 4 else "nowhere"
        path = place(r, radius, first, direction)
        if path is None or any(o.colour == colour and o.shape == shape for o in s.things):
            continue
        if apart(path, radius, first, s.things, 3):
            s.things.append(Thing(shape, colour, radius, path, first, direction))
    s.things = [s.things[i] for i in r.permutation(len(s.things))]
    if r.random() < 0.5:
        for _ in range(20):
            first = int(r.integers(1, FRAMES - FLASH_FRAMES))
            path = np.repeat(r.uniform(8, SIDE - 8, (1, 2)), FRAMES, 0).astype(np.float32)
            if apart(path, 5, first, s.things, 4):
                s.flash = Thing("circle", str(r.choice(NAMES)), float(r.uniform(3.5, 5)), path, first, "nowhere",
                                first + FLASH_FRAMES - 1)
                break
    if r.random() < 0.2:
        s.cut = int(r.integers(2, FRAMES - 1))
    return s


def quarter(middle):
    """0 top left, 1 top right, 2 bottom left, 3 bottom right."""
    return int(middle[0] >= SIDE / 2) + 2 * int(middle[1] >= SIDE / 2)


def story(thing, frame):
    """What the frames up to this one tell: 1 it just came in, 2 it stands still, 3.. the way it goes."""
    if frame == thing.first:
        return 1
    return 2 if thing.direction == "nowhere" else 3 + list(DIRECTIONS).index(thing.direction)


def shares(rows, columns, alpha):
    """What share of each patch that rows and columns touch is covered, [patches, patches]."""
    (up, down), (left, right) = ((v.start % PATCH, -v.stop % PATCH) for v in (rows, columns))
    whole = np.pad(alpha, ((up, down), (left, right)))
    return whole.reshape(whole.shape[0] // PATCH, PATCH, -1, PATCH).mean((1, 3))


def draw(r, s):
    """(frames uint8 [FRAMES, SIDE, SIDE, 3], labels uint8 [FRAMES, patches, LABELS]) of a scene.

    labels: what each patch shows, see LABELS; all 0 where it shows nothing.
    """
    out = background(r)
    if s.cut is not None:
        out[s.cut:] = background(r)[s.cut:]
    n = SIDE // PATCH
    labels, best = np.zeros((FRAMES, n, n, len(LABELS)), np.uint8), np.full((FRAMES, n, n), 0.08, np.float32)
    for thing in s.things + ([s.flash] if s.flash else []):
        flash = thing is s.flash
        ink = np.clip(np.array(COLOURS[thing.colour]) + r.uniform(-10, 10, 3), 0, 255).astype(np.float32)
        what = (len(SHAPES) + 1 if flash else SHAPES.index(thing.shape) + 1, NAMES.index(thing.colour) + 1)
        rank = min(4, 1 + len({o.first for o in s.things if o.first < thing.first}))
        for t in range(thing.first, thing.last + 1):
            got = cover(thing, t)
            if got is None:
                continue
            rows, columns, alpha = got
            out[t, rows, columns] += alpha[:, :, None] * (ink - out[t, rows, columns])
            share = shares(rows, columns, alpha) * (4 if flash else 1)
            at = tuple(slice(v.start // PATCH, -(-v.stop // PATCH)) for v in (rows, columns))
            more = share > best[t][at]
            mark = (*what, story(thing, t), 1 + quarter(thing.path[t]), rank)
            best[t][at][more], labels[t][at][more] = share[more], mark
    noise = NOISE[int(r.integers(len(NOISE) // 2)):][:FRAMES * SIDE * SIDE].reshape(FRAMES, SIDE, SIDE, 1)
    out += noise * np.float32(r.uniform(0, 4)) + np.float32(0.5)
    return np.clip(out, 0, 255, out=out).astype(np.uint8), labels.reshape(FRAMES, n * n, len(LABELS))


def clip(seed, most=4):
    """(frames, labels, scene, generator for what follows) of a seed."""
    r = np.random.Generator(np.random.PCG64(seed))
    s = scene_of(r, most)
    frames, labels = draw(r, s)
    return frames, labels, s, r


def main():
    p = argparse.ArgumentParser()
    p.add_argument("seeds", type=int, nargs="+")
    p.add_argument("--out", default=".")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for seed in a.seeds:
        frames, _, s, _ = clip(seed)
        strip = np.concatenate(list(frames), 1)
        with open(os.path.join(a.out, "clip-%d.ppm" % seed), "wb") as file:
            file.write(b"P6 %d %d 255\n" % (strip.shape[1], strip.shape[0]) + strip.tobytes())
        for o in s.things:
            print(seed, o.colour, o.shape, "from frame", o.first, "moves", o.direction)
        if s.flash:
            print(seed, s.flash.colour, "flash at frame", s.flash.first)


if __name__ == "__main__":
    main()
