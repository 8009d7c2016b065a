"""Films for tests: a test picture and what becomes of it, as files in a folder that `winnow encode` takes."""
import os

import numpy as np

import make_pictures


def frames(name, count):
    """[count, h, w, 3] of a picture of make_pictures: as it is, mirrored, negative, then the same moved on."""
    rgb = make_pictures.picture(name, *make_pictures.SIZES[name])
    ways = [rgb, rgb[:, ::-1], 255 - rgb]
    return np.stack([np.roll(ways[n % 3], 5 * (n // 3), axis=1) for n in range(count)])


def write_film(folder, name, count):
    for n, frame in enumerate(frames(name, count)):
        with open(os.path.join(folder, "%02d.png" % n), "wb") as file:
            file.write(make_pictures.png(frame))
