#!/usr/bin/env python3
"""Makes shapes.mp4, a clip for the small video-QA model: one that samples/video_qa/train draws and never trains on.

Needs python3-numpy and the ffmpeg program.
Usage: make_shapes.py [SEED [OUT.mp4]]      (SEED counts from the first that is held out)
"""
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "video_qa" / "train"))
import render  # noqa: E402

SEED, FPS, ZOOM = 100005, 2, 4  # each pixel becomes ZOOM x ZOOM, so that scaling down gives the drawn frame back


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    out = sys.argv[2] if len(sys.argv) > 2 else str(HERE / "shapes.mp4")
    frames, _, scene, _ = render.clip(render.HELD_OUT + seed)
    for thing in scene.things:
        print(thing.colour, thing.shape, "from frame", thing.first, "moves", thing.direction)
    if scene.flash:
        print(scene.flash.colour, "flash at frame", scene.flash.first)
    big = np.repeat(np.repeat(frames, ZOOM, 1), ZOOM, 2)
    side = str(render.SIDE * ZOOM)
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", side + "x" + side,
                    "-r", str(FPS), "-i", "-", "-c:v", "libx264", "-preset", "veryslow", "-crf", "16", "-profile:v",
                    "high", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v",
                    "+bitexact", "-map_metadata", "-1", out], input=big.tobytes(), check=True)


if __name__ == "__main__":
    main()
