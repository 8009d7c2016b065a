#!/usr/bin/env python3
"""The trainers of samples/video_qa/train without torch: all of them are Python, and schedules.py gives what the published
schedules give.

usage: check_train.py      (python3)
"""
import glob
import os
import sys

TRAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "samples", "video_qa", "train")
sys.path.insert(0, TRAIN)
import schedules

# EPIC's trainer, worked out by hand: (progress, luck) -> (student's share, teacher's).
SHARES = {(0, 0): (0.1, 0.0), (0, 1): (0.1, 0.0), (0.5, 0): (0.18, 0.0), (0.5, 1): (0.42, 0.12), (0.5, 0.5): (0.3, 0.0),
          (1, 0): (0.26, 0.0), (1, 1): (0.74, 0.44), (0.2, 1): (0.228, 0.028)}
# LLaVolta's four stages of a quarter each.
STAGES = {0: (1, 8), 0.249: (1, 8), 0.25: (1, 2), 0.5: (2, 2), 0.749: (2, 2), 0.75: (0, 1), 1: (0, 1), 1.5: (0, 1)}
LAYERS = {(0, 0): 4, (0.5, 0): 2, (1, 0): 0, (1, 2): 2, (0.5, 2): 3}
WRONG = ["1:8:50%", "1:8:60%,1:2:50%,0:1:100%", "1:0:100%", "-1:2:100%", "1:8"]


def main():
    scripts = sorted(glob.glob(os.path.join(TRAIN, "*.py")))
    assert len(scripts) >= 16, scripts
    for path in scripts:
        with open(path) as file:
            compile(file.read(), path, "exec")
    for (progress, luck), expect in SHARES.items():
        got = schedules.shares(progress, luck)
        assert all(abs(a - b) < 1e-12 for a, b in zip(got, expect)), (progress, luck, got, expect)
    stages = schedules.stages(schedules.STAGES)
    for progress, expect in STAGES.items():
        assert schedules.stage_at(stages, progress) == expect, (progress, expect)
    for (progress, first), expect in LAYERS.items():
        assert schedules.layer_at(progress, 5, first) == expect, (progress, first, expect)
    for text in WRONG:
        try:
            schedules.stages(text)
        except ValueError:
            continue
        raise AssertionError("%s was taken" % text)
    print("%d scripts, schedules as published" % len(scripts))


if __name__ == "__main__":
    main()
