#!/usr/bin/env python3
"""motion beside evs and dycoke at equal budgets: on panned clips the tokens that it keeps stand for the others better, and
with a still camera it keeps what evs keeps. The pans are windows that move over photographs of Debian's opencv-doc, by steps
that are no whole number of patches too, and the sample clip (a pan, a cut, a still camera). How well kept tokens stand for a
film: the mean, over all tokens, of the cosine with the most similar kept one.

usage: check_motion.py WINNOW        (needs numpy)
"""
import os
import subprocess
import sys
import tempfile
import zlib
from struct import unpack

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from check_vectors import load
from tally import check, finish

PHOTOGRAPHS = "/usr/share/doc/opencv-doc/examples/data"
SIDE, FRAMES = 224, 10


def unfilter(kind, line, up, step):
    """A PNG scanline's bytes from its filtered ones."""
    if kind in (0, 2):
        return (line + (up if kind else 0)) & 255
    out = [0] * step + line.tolist()
    up = [0] * step + up.tolist()
    for i in range(step, len(out)):
        left, above, corner = out[i - step], up[i], up[i - step]
        guess = left if kind == 1 else (left + above) // 2
        if kind == 4:
            near = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
            guess = (left, above, corner)[near.index(min(near))]
        out[i] = (out[i] + guess) & 255
    return np.array(out[step:], np.int32)


def photograph(name):
    """[H, W, 3] of an 8-bit RGB PNG."""
    with open(os.path.join(PHOTOGRAPHS, name), "rb") as file:
        raw = file.read()
    at, packed = 8, b""
    while at < len(raw):
        size, kind = unpack(">I4s", raw[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = unpack(">IIBB", raw[at + 8:at + 18])
            assert (depth, colour) == (8, 2), name
        if kind == b"IDAT":
            packed += raw[at + 8:at + 8 + size]
        at += size + 12
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    out = [np.zeros(3 * width, np.int32)]
    for line in lines:
        out.append(unfilter(line[0], line[1:].astype(np.int32), out[-1], 3))
    return np.array(out[1:], np.uint8).reshape(height, width, 3)


class Film:
    def __init__(self, winnow, folder, *inputs):
        self.winnow, self.path, self.out = winnow, os.path.join(folder, "t"), os.path.join(folder, "k")
        self.run("encode", *inputs, "-o", self.path)
        shape, numbers = load(self.path)[1]["tokens"]
        self.rows = np.array(numbers, np.float64).reshape(-1, shape[-1])
        self.rows /= np.maximum(np.linalg.norm(self.rows, axis=1, keepdims=True), 1e-8)

    def run(self, *arguments):
        subprocess.run([self.winnow, *arguments, "--backend", "cpu"], check=True, stdout=subprocess.DEVNULL)

    def kept(self, spec):
        self.run("reduce", self.path, "--pipeline", spec, "-o", self.out)
        return np.array(load(self.out)[1]["indices"][1], int)

    def fidelity(self, kept):
        return (self.rows @ self.rows[kept].T).max(1).mean()

    def at_equal_budget(self, rate):
        """How well dycoke, evs and motion do with as many tokens as dycoke keeps."""
        dycoke = self.kept("dycoke=rate=%g" % rate)
        removed = 1 - (len(dycoke) + 0.5) / len(self.rows)
        evs, motion = (self.kept("%s=rate=%.9f" % (stage, removed)) for stage in ("evs", "motion"))
        check(len(evs) == len(motion) == len(dycoke), "unequal budgets")
        return [self.fidelity(kept) for kept in (dycoke, evs, motion)], np.array_equal(evs, motion)


def write_frames(folder, frames):
    os.makedirs(folder)
    for number, frame in enumerate(frames):
        with open(os.path.join(folder, "%03d.ppm" % number), "wb") as file:
            file.write(b"P6\n%d %d\n255\n" % (frame.shape[1], frame.shape[0]) + frame.tobytes())
    return folder


def check_pans(winnow, room):
    for name in ("graf1.png", "rubberwhale1.png"):
        picture = photograph(name)
        top = (picture.shape[0] - SIDE) // 2
        for step in (12, 16, 20, 24, 32):
            windows = [picture[top:top + SIDE, i * step:i * step + SIDE] for i in range(FRAMES)]
            what = "%s, a pan of %d pixels a frame" % (name, step)
            folder = write_frames(os.path.join(room, "%s-%d" % (name, step)), windows)
            film = Film(winnow, room, folder, "--size", "%dx%d" % (SIDE, SIDE))
            for rate in (0.7, 0.9):
                (dycoke, evs, motion), _ = film.at_equal_budget(rate)
                print("%s, dycoke's %g: dycoke %.4f, evs %.4f, motion %.4f" % (what, rate, dycoke, evs, motion))
                check(motion > evs and motion > dycoke, what + ": motion is not the best")


def check_still(winnow, room):
    picture = photograph("graf1.png")[100:100 + SIDE, 100:100 + SIDE]
    thing = photograph("rubberwhale1.png")[150:198, 150:198]
    frames = []
    for i in range(FRAMES):  # something small moves through a picture that stands still, with a sensor's noise
        noise = np.random.default_rng(i).integers(-2, 3, picture.shape)
        frame = np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)
        frame[80:128, 16 * i:16 * i + 48] = thing
        frames.append(frame)
    folder = write_frames(os.path.join(room, "still"), frames)
    film = Film(winnow, room, folder, "--size", "%dx%d" % (SIDE, SIDE))
    for rate in (0.7, 0.9):
        _, same = film.at_equal_budget(rate)
        check(same, "a still camera: motion keeps other tokens than evs")
    street = Film(winnow, room, os.path.join(PHOTOGRAPHS, "vtest.avi"))
    check(street.at_equal_budget(0.9)[1], "vtest.avi: motion keeps other tokens than evs")


def check_clip(winnow, room):
    film = Film(winnow, room, os.path.join(HERE, "..", "..", "samples", "data", "clip.mp4"))
    (dycoke, evs, motion), _ = film.at_equal_budget(0.9)
    print("the sample clip: dycoke %.4f, evs %.4f, motion %.4f" % (dycoke, evs, motion))
    check(motion > evs and motion > dycoke, "the sample clip: motion is not the best")


def main():
    with tempfile.TemporaryDirectory() as room:
        check_pans(sys.argv[1], room)
        check_still(sys.argv[1], room)
        check_clip(sys.argv[1], room)
    finish()


if __name__ == "__main__":
    main()
