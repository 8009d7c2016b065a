#!/usr/bin/env python3
"""Makes clip.mp4, the demo clip: a camera over a real picture, a cut, and something that moves.

Needs python3-numpy, python3-pil, python3-skimage (for its pictures) and the ffmpeg program.
Usage: make_clip.py [OUT.mp4]
"""
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

WIDTH, HEIGHT, FPS = 448, 336, 12
SCENE_FRAMES = 30  # 2.5 seconds each


def picture(name):
    folder = Path(skimage.__file__).parent / "data"
    return Image.open(folder / name).convert("RGB")


def smooth(t):
    """From 0 to 1, starting and stopping gently."""
    return t * t * (3 - 2 * t)


def pan(image, start, end, t):
    """The view between two boxes (left, top, width) in pixels of the picture."""
    left, top, width = (a + (b - a) * smooth(t) for a, b in zip(start, end))
    height = width * HEIGHT / WIDTH
    return image.resize((WIDTH, HEIGHT), Image.BICUBIC, box=(left, top, left + width, top + height))


def astronaut_scene(t):
    """A camera that goes from the flag over the face to the model of the shuttle."""
    return pan(picture("astronaut.png"), (0, 0, 330), (182, 60, 330), t)


def coffee_scene(t):
    """A still camera; a small copy of the rocket crosses the table in an arc."""
    frame = pan(picture("coffee.png"), (60, 10, 500), (60, 10, 500), t)
    rocket = picture("rocket.jpg").crop((290, 60, 350, 300)).resize((22, 88), Image.BICUBIC)
    x = round(-22 + (WIDTH + 22) * t)
    y = round(200 - 150 * math.sin(math.pi * t))
    frame.paste(rocket, (x, y))
    return frame


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).with_name("clip.mp4"))
    encoders = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True,
                              text=True, check=True).stdout
    codec = (["-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryslow", "-crf", "24"]
             if "libx264" in encoders else ["-c:v", "mpeg4", "-q:v", "5"])
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24",
               "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-", *codec, "-threads", "1",
               "-pix_fmt", "yuv420p", "-bitexact", "-movflags", "+faststart", out]
    frames = [scene(i / (SCENE_FRAMES - 1)) for scene in (astronaut_scene, coffee_scene)
              for i in range(SCENE_FRAMES)]
    data = b"".join(np.asarray(frame).tobytes() for frame in frames)
    subprocess.run(command, input=data, check=True)


if __name__ == "__main__":
    main()
