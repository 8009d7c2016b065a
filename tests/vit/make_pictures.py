#!/usr/bin/env python3
"""Writes the test pictures into pictures/: synthetic, a few KB each, the same bytes at every run (numpy)."""
import os
import struct
import zlib

import numpy as np

SIZES = {"square": (56, 56), "square112": (112, 112), "odd": (75, 53), "wide": (233, 101), "tall": (61, 198),
         "speck": (9, 7), "grid": (196, 140), "grid16": (192, 128), "square96": (96, 96)}


def picture(name, width, height):
    """A gradient sky, a disc, stripes of growing frequency and a speckled corner."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    rgb = np.stack([40 + 160 * u, 60 + 120 * v, 200 - 120 * u * v], -1)
    cx, cy, r = 0.2 + 0.6 * random.rand(), 0.2 + 0.6 * random.rand(), 0.3 * min(width, height)
    disc = (x - cx * width) ** 2 + (y - cy * height) ** 2 < r * r
    rgb[disc] = random.randint(0, 256, 3)
    stripes = (v > 0.7) & (np.sin(40 * u * u + 3 * v) > 0)
    rgb[stripes] = random.randint(0, 256, 3)
    corner = (u > 0.75) & (v < 0.3)
    rgb[corner] = (random.randint(0, 4, (height, width, 1)) * 85.0)[corner]
    return rgb.astype(np.uint8)


def png(rgb):
    height, width, _ = rgb.shape
    left = np.concatenate([np.zeros_like(rgb[:, :1]), rgb[:, :-1]], 1)
    rows = np.concatenate([np.ones((height, 1), np.uint8), (rgb - left).reshape(height, -1)], 1)  # filter 1: Sub

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b""))


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")
    os.makedirs(folder, exist_ok=True)
    for name, (width, height) in SIZES.items():
        with open(os.path.join(folder, name + ".png"), "wb") as file:
            file.write(png(picture(name, width, height)))


if __name__ == "__main__":
    main()
