"""Films for tests: a picture and what becomes of it, written as PNG files into a folder that `winnow encode` takes."""
import os
import struct
import zlib

import numpy as np


def frames(rgb, count):
    """[count, h, w, 3] of a picture's bytes: as it is, mirrored, negative, then the same moved on."""
    ways = [rgb, rgb[:, ::-1], 255 - rgb]
    return np.stack([np.roll(ways[n % 3], 5 * (n // 3), axis=1) for n in range(count)])


def write_png(path, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    h, w = rgb.shape[:2]
    rows = b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in rgb)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def read_png(path):
    """[h, w, 3] of an 8-bit RGB picture without interlacing, as those in pictures/ are."""
    data, at, body = open(path, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            w, h, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[at + 8:at + 21])
            if (depth, colour, interlaced) != (8, 2, 0):
                raise ValueError("%s: not an 8-bit RGB picture" % path)
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += size + 12
    raw = np.frombuffer(zlib.decompress(body), np.uint8).reshape(h, 1 + 3 * w)
    out = np.zeros((h, 3 * w), np.int64)
    for y in range(h):
        above = out[y - 1] if y else np.zeros(3 * w, np.int64)
        out[y] = unfilter(raw[y, 0], raw[y, 1:].astype(np.int64), above)
    return out.astype(np.uint8).reshape(h, w, 3)


def unfilter(kind, row, above):
    if kind in (0, 2):
        return (row + (above if kind else 0)) & 255
    out = row.copy()
    for x in range(row.size):
        left, corner = (out[x - 3], above[x - 3]) if x >= 3 else (0, 0)
        guess = left + above[x] - corner
        near = min((abs(guess - left), 0, left), (abs(guess - above[x]), 1, above[x]), (abs(guess - corner), 2, corner))
        out[x] = (row[x] + {1: left, 3: (left + above[x]) // 2, 4: near[2]}[kind]) & 255
    return out


def write_film(folder, picture, count):
    for n, frame in enumerate(frames(read_png(picture), count)):
        write_png(os.path.join(folder, "%02d.png" % n), frame)
