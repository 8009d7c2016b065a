#!/usr/bin/env python3
"""winnow-llama with several pictures, with videos and with chat templates, against llama.cpp itself.

usage: check_media.py WINNOW-LLAMA REFERENCE TEXT-MODELS MMPROJS LIKE      (python3 and numpy)
"""
import os
import sys
import tempfile

import numpy as np

import check_llama
import make_pictures
from check_llama import Room, check, near, same

M = "<__media__>"
TWO = "USER: %s and %s what is this? ASSISTANT:" % (M, M)
FRAMES = 5  # of the film; each is a picture too


def write_film(room, name, width, height):
    """A folder of frames: some as the one before, some new, some moved. The same as pictures name0, ..."""
    os.mkdir(room.path(name))
    old, new = (make_pictures.picture(name + end, width, height) for end in ("", "-new"))
    for n, rgb in enumerate([old, old, np.roll(new, 20, axis=1), new, old][:FRAMES]):
        for path in (os.path.join(room.path(name), "%d.ppm" % n), room.path("%s%d.ppm" % (name, n))):
            with open(path, "wb") as file:
                file.write(b"P6 %d %d 255\n" % (width, height) + rgb.tobytes())


def pictures_of(name, numbers):
    return " ".join("%s%d" % (name, n) for n in numbers)


def counts(line):
    """Visual tokens before and after, and views."""
    words = line.split("visual tokens ")[1].split()
    return int(words[0]), int(words[2]), int(words[4])


def check_pictures(room):
    for text, mmproj, pictures in (("llama", "mlp", "square grid"), ("llama", "mlp-noclass", "grid grid"),
                                   ("llama", "idefics3", "tiles square"), ("llama", "gemma3", "grid square"),
                                   ("qwen2vl", "qwen2vl", "grid tiles"), ("qwen2vl", "qwen2vl", "grid grid"),
                                   ("qwen3vl", "qwen3vl", "tiles tiles")):
        case = (text, mmproj, pictures)
        expected = room.expected(case, prompt=TWO)
        got, line = room.logits(case, "--encoder", "mtmd", prompt=TWO)
        check(same(got, expected), "%s: as llama.cpp" % (case,))
        got, again = room.logits(case, prompt=TWO)
        check(near(got, expected), "%s: nearly, by Winnow's encoder" % (case,))
        check(counts(line) == counts(again) and counts(line)[2] >= 2, "%s: %s" % (case, line))
        got, line = room.logits(case, "--encoder", "mtmd", "--pipeline", "divprune=keep=2", kept="kept",
                                prompt=TWO)
        check(same(got, room.expected(case, "kept", prompt=TWO)), "%s: reduced, as by hand" % (case,))
        check(len(room.kept("kept")) == counts(line)[2] and all(len(k) == 2 for k in room.kept("kept")),
              "%s: each view by itself: %s" % (case, room.kept("kept")))
        other = (text, mmproj, " ".join(reversed(pictures.split())))
        got, _ = room.logits(other, "--encoder", "mtmd", prompt=TWO)
        check(len(set(pictures.split())) == 1 or not same(got, expected), "%s: their order counts" % (case,))


def check_neighbours(room):
    """Pictures of one size with nothing between them are two pictures, though mtmd would make a pair."""
    case = ("qwen2vl", "qwen2vl", "film0 film2")
    _, line = room.logits(("qwen2vl", "qwen2vl", "film0"), "--encoder", "mtmd")
    one = counts(line)
    for encoder in ("mtmd", "winnow"):
        _, line = room.logits(case, "--encoder", encoder, prompt="USER: " + M + M + " what?")
        check(counts(line) == (2 * one[0], 2 * one[1], 2), "%s: %s" % (encoder, line))


def film(room, model, *options, frames=FRAMES, **more):
    return room.logits((*model, ""), "--video", room.path("film"), "--frames", str(frames), *options, **more)


def split_kept(kept, tokens, frames):
    """The line of a video, as lines of its frames."""
    return [[k - n * tokens for k in kept if n * tokens <= k < (n + 1) * tokens] for n in range(frames)]


def write_kept(room, lines):
    with open(room.path("kept"), "w") as file:
        file.writelines(" ".join(map(str, line)) + "\n" for line in lines)


def check_frames(room):
    """A model that takes frames as pictures: LLaVA's rows follow each other, Gemma's are each a picture."""
    for mmproj in ("mlp", "mlp-noclass", "gemma3"):
        model = ("llama", mmproj)
        pictures, prompt = (*model, pictures_of("film", range(FRAMES))), "USER: " + M * FRAMES + " what?"
        for encoder in ("mtmd", "winnow"):
            what = "%s frames, %s" % (mmproj, encoder)
            got, line = film(room, model, "--encoder", encoder, prompt="USER: " + M + " what?")
            check(near(got, room.expected(pictures, prompt=prompt)), what + ": as llama.cpp's pictures")
            before, _, views = counts(line)
            check(views == FRAMES, "%s: %s" % (what, line))
            tokens = before // FRAMES
            for spec in ("evs=rate=0.5", "evs=rate=0.79", "dycoke=rate=0.5", "divprune=keep=1"):
                got, line = film(room, model, "--encoder", encoder, "--pipeline", spec, kept="kept",
                                 prompt="USER: " + M + " what?")
                lines = room.kept("kept")
                if len(lines) == 1:
                    lines = split_kept(lines[0], tokens, FRAMES)
                    write_kept(room, lines)
                check(len(lines) == FRAMES and sum(map(len, lines)) == counts(line)[1] < before,
                      "%s %s: %s" % (what, spec, lines))
                if spec.startswith("evs"):
                    check(len(lines[0]) == tokens, "%s %s: the first frame is whole" % (what, spec))
                if spec == "evs=rate=0.79":
                    check([] in lines, "%s %s: a frame is gone: %s" % (what, spec, lines))
                expected = room.expected(pictures, "kept", prompt=prompt)
                check(near(got, expected), "%s %s: as by hand" % (what, spec))


def check_places(room):
    """Qwen2-VL: pairs of frames, the last one twice, with places in time; text around all of them."""
    model, ask = ("qwen2vl", "qwen2vl"), "USER: " + M + " what?"
    for frames, numbers in ((1, [0, 0]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 3, 4, 4])):
        room_film = "film" if frames == FRAMES else "film%d-" % frames
        path = room.path(room_film)
        if not os.path.exists(path):
            os.mkdir(path)
            for n in range(frames):
                os.link(room.path("film%d.ppm" % n), os.path.join(path, "%d.ppm" % n))
        pictures, prompt = (*model, pictures_of("film", numbers)), "USER: " + M * len(numbers) + " what?"
        for encoder in ("mtmd", "winnow"):
            for spec in (None, "divprune=keep=2", "evs=rate=0.5"):
                if spec and spec.startswith("evs") and frames == 1:
                    continue  # there is nothing to compare a lone pair with
                what = "%d frames, %s, %s" % (frames, encoder, spec)
                more = ["--pipeline", spec] if spec else []
                got, line = room.logits((*model, ""), "--video", path, "--encoder", encoder, *more,
                                        kept="kept", prompt=ask)
                pairs = len(numbers) // 2
                before, after, views = counts(line)
                check(views == pairs, "%s: %s" % (what, line))
                lines = split_kept(room.kept("kept")[0], before // pairs, pairs)
                check(sum(map(len, lines)) == after, "%s: %s" % (what, lines))
                write_kept(room, lines)
                check(near(got, room.expected(pictures, "kept", "video", prompt=prompt, pairs="yes")),
                      what + ": as by hand")
                if pairs > 1:
                    flat = room.expected(pictures, "kept", prompt=prompt, pairs="yes")
                    check(not same(got, flat), what + ": time counts")
    # Qwen2.5-VL: two places a second. Pictures of a folder are a second apart, so pairs are 4 places.
    half = ("qwen2vl", "qwen2.5vl")
    pictures = (*half, pictures_of("film", [0, 1, 2, 3, 4, 4]))
    for encoder in ("mtmd", "winnow"):
        for spec in ([], ["--pipeline", "divprune=keep=3"]):
            got, line = film(room, half, "--encoder", encoder, *spec, kept="kept", prompt=ask)
            lines = split_kept(room.kept("kept")[0], counts(line)[0] // 3, 3)
            write_kept(room, lines)
            how = {"prompt": "USER: " + M * 6 + " what?", "pairs": "yes"}
            check(near(got, room.expected(pictures, "kept", "video", tick=4, **how)),
                  "half seconds, %s %s" % (encoder, spec))
            check(not same(got, room.expected(pictures, "kept", "video", **how)), "half seconds count")
    _, line = film(room, model, "--pipeline", "evs=rate=0.5", "--mrope", "compact", prompt=ask)
    check(counts(line)[1] < counts(line)[0], "compact: " + line)


def check_times(room):
    """Qwen3-VL: each pair is a picture, with its time in front; the text of a pair that is gone stays."""
    model, numbers = ("qwen3vl", "qwen3vl"), [0, 1, 2, 3, 4, 4]
    pictures = (*model, pictures_of("film", numbers))
    prompt = "USER: <0.5 seconds>%s<2.5 seconds>%s<4.0 seconds>%s what?" % (2 * M, 2 * M, 2 * M)
    for encoder in ("mtmd", "winnow"):
        for spec in (None, "evs=rate=0.5", "evs=rate=0.66"):
            what = "times, %s, %s" % (encoder, spec)
            more = ["--pipeline", spec] if spec else []
            got, line = film(room, model, "--encoder", encoder, *more, kept="kept",
                             prompt="USER: " + M + " what?")
            lines = room.kept("kept")
            check(len(lines) == 3 and sum(map(len, lines)) == counts(line)[1], "%s: %s" % (what, lines))
            check(near(got, room.expected(pictures, "kept", prompt=prompt, pairs="yes")),
                  what + ": as by hand")


def check_clip(room):
    """A film as people have them, where this build reads such."""
    clip = os.path.join(check_llama.HERE, "..", "..", "samples", "data", "clip.mp4")
    done = room.run(("llama", "mlp", ""), "--video", clip, "--frames", "6", "--pipeline", "evs=rate=0.5",
                    prompt="USER: " + M + " what?")
    line = done.stderr.decode()
    if done.returncode:
        check("this build reads no videos" in line and line.count("\n") == 1, "a film: " + line)
    else:
        before, after, views = counts(line)
        check(views == 6 and after == before // 2, "a film: " + line)


def check_together(room):
    """A picture, then a video, reduced by a stage for each."""
    got, line = room.logits(("llama", "mlp-noclass", "square"), "--video", room.path("film"), "--encoder",
                            "mtmd", prompt=TWO)
    pictures = ("llama", "mlp-noclass", "square " + pictures_of("film", range(FRAMES)))
    prompt = TWO.replace(" and " + M, " and " + M * FRAMES)
    check(near(got, room.expected(pictures, prompt=prompt)), "a picture and a video: " + line)
    got, _ = room.logits(("deep", "mlp-noclass", "square"), "--video", room.path("film"), "--encoder", "mtmd",
                         "--pipeline", "fastv=rate=0.8", "--seen", room.path("seen"), prompt=TWO)
    pictures = ("deep",) + pictures[1:]
    check(near(got, room.expected(pictures, prompt=prompt, seen=room.path("seen"))), "fastv of all of it")


def check_chat(room):
    case = ("deep", "mlp", "square")
    around = "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n"
    for message, full in (("What is this?", M + "What is this?"), ("Look: %s!" % M, "Look: %s!" % M),
                          (None, M + "Describe what you see.")):
        got, _ = room.logits(case, "--chat", prompt=message)
        by_hand, _ = room.logits(case, prompt=around % full)
        check(same(got, by_hand), "--chat %r" % message)
    got, _ = room.logits(case, prompt=None)
    by_hand, _ = room.logits(case, prompt=M + "\nDescribe what you see.")
    check(same(got, by_hand), "without a prompt")
    two = ("deep", "mlp", "square grid")
    got, _ = room.logits(two, "--chat", prompt="Which one?")
    by_hand, _ = room.logits(two, prompt=around % (M + M + "Which one?"))
    check(same(got, by_hand), "--chat with two pictures")


def check_failures(room):
    mlp = ("llama", "mlp", "square")
    os.mkdir(room.path("nothing"))
    with open(room.path("broken.mp4"), "wb") as file:
        file.write(b"\0\0\0\x18ftypisom and no more of it")
    many = [word for _ in range(64) for word in ("--image", room.path("square.ppm"))]
    for case, options, words in (
            (("llama", "mlp", "square grid"), [], "1 media markers, and there are 2 pictures"),
            (mlp, ["-p", M + M], "2 media markers, and there is 1 picture ("),
            (mlp, ["--chat", "-p", M + M], "2 media markers"),
            (mlp, ["--video", room.path("film")], "1 media markers"),
            (mlp, ["--chat"], "no chat template"),
            (("odd-chat", "mlp", "square"), ["--chat"], "does not know the chat template"),
            (mlp, many, "64 already"),
            (mlp, ["--frames", "0"], "--frames 0"),
            (("llama", "mlp", ""), ["--video", room.path("nothing")], "nothing"),
            (("llama", "mlp", ""), ["--video", room.path("broken.mp4")], "broken.mp4"),
            (("llama", "mlp", ""), ["--video", room.path("nowhere")], "nowhere"),
            (("llama", "mlp", ""), ["--video", room.path("film"), "-p", "none"], "0 media markers"),
            (("llama", "idefics3", ""), ["--video", room.path("film")], "cuts each frame into"),
            (("llama", "mlp", ""), [], "--image is missing")):
        room.refuses(case, options, words)


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(sys.argv[1:], folder)
        write_film(room, "film", 168, 112)
        for each in (check_pictures, check_neighbours, check_frames, check_places, check_times, check_clip,
                     check_together, check_chat, check_failures):
            each(room)
    check_llama.finish()


if __name__ == "__main__":
    main()
