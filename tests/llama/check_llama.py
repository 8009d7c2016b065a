#!/usr/bin/env python3
"""winnow-llama against llama.cpp itself, on tiny models and llama.cpp's CPU backend.

usage: check_llama.py WINNOW-LLAMA REFERENCE TEXT-MODELS MMPROJS LIKE      (python3 and numpy)
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("vit", "tools")]
import gguf_writer
import make_pictures
from tally import check, finish

PROMPT = "USER: <__media__> what is this? ASSISTANT:"
STEPS, VOCABULARY = 12, 284
APART_MOST = 1e-2  # of the largest logit: ggml's GELU goes through an F16 table
PICTURES = {"square": (56, 56), "grid": (196, 140), "tiles": (168, 112)}


class Room:
    """The programs, the files and a scratch folder."""

    def __init__(self, arguments, folder):
        self.program, self.reference, self.texts, self.mmprojs, self.like = arguments
        self.folder = folder
        for name, (w, h) in PICTURES.items():
            with open(self.path(name + ".ppm"), "wb") as file:
                rgb = make_pictures.picture(name, w, h)
                file.write(b"P6 %d %d 255\n" % (w, h) + rgb.tobytes())

    def path(self, name):
        return os.path.join(self.folder, name)

    def files(self, case):
        """The model, the mmproj, and pictures: names, with spaces between them."""
        text, mmproj, pictures = case
        return (os.path.join(self.texts, text + ".gguf"), os.path.join(self.mmprojs, mmproj + ".gguf"),
                [self.path(name + ".ppm") for name in pictures.split()])

    def run(self, case, *options, prompt=PROMPT):
        text, mmproj, pictures = self.files(case)
        command = [self.program, "-m", text, "--mmproj", mmproj, "--ngl", "0", "--backend", "cpu",
                   "--like", self.like, "-n", str(STEPS)]
        command += [word for path in pictures for word in ("--image", path)]
        command += ["-p", prompt] if prompt is not None else []
        command += options
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)

    def refuses(self, case, options, words):
        """Status 1 and one line with `words`, nothing else."""
        done = self.run(case, *options)
        line = done.stderr.decode()
        check(done.returncode == 1, "%s: status %d" % (options, done.returncode))
        check(line.count("\n") == 1 and line.startswith("winnow-llama: ") and words in line,
              "%s: one line with %r, not %r" % (options, words, line))
        check(done.stdout == b"", "%s: nothing else is said" % options)

    def logits(self, case, *options, kept=None, prompt=PROMPT):
        """Logits [steps, vocabulary] of winnow-llama, and its last line on standard error."""
        out = self.path("logits")
        more = ["--kept", self.path(kept)] if kept else []
        done = self.run(case, "--logits", out, *more, *options, prompt=prompt)
        line = done.stderr.decode().strip()
        if done.returncode:
            raise SystemExit("%s %s: status %d, %s" % (case, options, done.returncode, line))
        warned = line.endswith("not reliably where")
        before, after = line.split("visual tokens ")[1].split()[:3:2]
        check(warned == (case[1].startswith("qwen") and after != before and "--video" not in options),
              "%s %s: a warning about places where Qwen's tokens get few, not %r" % (case, options, line))
        check(line.count("\n") == int(warned), "%s %s: one line, not %r" % (case, options, line))
        return np.fromfile(out, np.float32).reshape(-1, VOCABULARY), line

    def expected(self, case, kept=None, mrope="original", batch=512, prompt=PROMPT, **more):
        """llama.cpp's own; `more`: as reference.c has them."""
        out, (text, mmproj, pictures) = self.path("expected"), self.files(case)
        words = ["%s=%s" % pair for pair in more.items()]
        words += ["kept=" + self.path(kept), "how=" + mrope] if kept else []
        subprocess.run([self.reference, text, mmproj, ",".join(pictures), prompt, str(STEPS),
                        str(batch), out, *words], check=True, timeout=120)
        return np.fromfile(out, np.float32).reshape(-1, VOCABULARY)

    def kept(self, name):
        with open(self.path(name)) as file:
            return [[int(word) for word in line.split()] for line in file]


def same(a, b):
    return a.shape == b.shape and bool((a == b).all())


def near(a, b):
    """Where two logits of b are as near to each other as a is to b, either may be the largest."""
    if a.shape != b.shape:
        return False
    most = APART_MOST * float(np.abs(b).max())
    chosen = np.take_along_axis(b, a.argmax(1)[:, None], 1)[:, 0]
    return float(np.abs(a - b).max()) <= most and bool((chosen >= b.max(1) - most).all())


MLP, QWEN = ("llama", "mlp", "square"), ("qwen2vl", "qwen2vl", "grid")
IDEFICS, GEMMA = ("llama", "idefics3", "tiles"), ("llama", "gemma3", "grid")
QWEN3 = ("qwen3vl", "qwen3vl", "grid")
CASES = [MLP, ("llama", "mlp-noclass", "grid"), IDEFICS, ("llama", "internvl", "tiles"), GEMMA,
         QWEN, ("qwen2vl", "qwen2vl", "tiles"), QWEN3]


def check_all_tokens(room):
    """Without a pipeline it is llama.cpp's own answer, bit by bit, and close with our encoder."""
    for case in CASES:
        expected = room.expected(case)
        got, line = room.logits(case, "--encoder", "mtmd")
        check(same(got, expected), "%s: mtmd's encoder gives llama.cpp's logits" % (case,))
        got, again = room.logits(case, "--encoder", "winnow")
        check(near(got, expected), "%s: Winnow's encoder gives nearly llama.cpp's logits" % (case,))
        # the report: "visual tokens A -> B in V views, ..."; the same counts from both encoders
        check(line.split(", ")[0] == again.split(", ")[0], "%s: %s, %s" % (case, line, again))
        counts = line.split("visual tokens ")[1].split()
        check(counts[0] == counts[2], "%s: all tokens stay: %s" % (case, line))


def check_ends(room):
    """A prompt that is the picture alone, or ends with it: the logits come from its last row, for which
    newer helpers of mtmd's do not ask."""
    for case in (MLP, GEMMA, QWEN):
        for prompt in ("<__media__>", "USER: <__media__>", "<__media__> what?"):
            got, _ = room.logits(case, "--encoder", "mtmd", kept="kept", prompt=prompt)
            check(same(got, room.expected(case, "kept", prompt=prompt)), "%s %s" % (case, prompt))


def check_batches(room):
    """Batches smaller than the picture and than the text, cut as llama.cpp cuts them."""
    for case in (MLP, IDEFICS, QWEN):
        for size in (3, 7):
            got, _ = room.logits(case, "--encoder", "mtmd", "-b", str(size))
            check(same(got, room.expected(case, batch=size)), "%s: batches of %d" % (case, size))


def check_kept(room):
    """Rows that a pipeline keeps, against the same rows fed by hand."""
    for case, keep in ((MLP, 5), (IDEFICS, 2), (GEMMA, 2), (QWEN, 4), (QWEN3, 5), (MLP, 1),
                       (QWEN, 1)):
        spec, everything = "divprune=keep=%d" % keep, room.expected(case)
        what = "%s %s" % (case, spec)
        got, line = room.logits(case, "--encoder", "mtmd", "--pipeline", spec, kept="kept")
        kept = room.kept("kept")
        views = int(line.split(" in ")[1].split()[0])
        check(len(kept) == views and all(len(k) == keep for k in kept), what + ": %s" % kept)
        check(all(sorted(set(k)) == k for k in kept), what + ": ascending, none twice")
        check("-> %d in" % (keep * views) in line, what + ": " + line)
        check(same(got, room.expected(case, "kept")), what + ": as by hand")
        check(not same(got, everything), what + ": it does make a difference")
        got, _ = room.logits(case, "--pipeline", spec, kept="kept")
        check(near(got, room.expected(case, "kept")), what + ": Winnow's encoder, as by hand")


def check_tiles(room):
    """Idefics3: every tile and the overview is reduced by itself, the text between them stays."""
    for keep in (1, 3):
        spec = "divprune=keep=%d" % keep
        few, line = room.logits(IDEFICS, "--encoder", "mtmd", "--pipeline", spec, kept="few")
        _, whole = room.logits(IDEFICS, "--encoder", "mtmd", kept="whole")
        tiles, all_tiles = room.kept("few"), room.kept("whole")
        check(len(tiles) == len(all_tiles) == 7, "tiles: %d and %d" % (len(tiles), len(all_tiles)))
        gone = sum(map(len, all_tiles)) - sum(map(len, tiles))
        used = [int(text.split("context ")[1].split()[0]) for text in (whole, line)]
        check(used[0] - used[1] == gone > 0, "tiles: %s tokens of context, %d gone" % (used, gone))
        check(same(few, room.expected(IDEFICS, "few")), "tiles: separators are where they were")


def check_mrope(room):
    """Kept tokens have the places that mtmd gave them, or close up."""
    for spec in ("divprune=keep=4", "avg-pool=factor=2,divprune=keep=5", "avg-pool=factor=2"):
        for how in ("original", "compact"):
            got, _ = room.logits(QWEN, "--pipeline", spec, "--mrope", how, kept=how)
            if "pool" not in spec:
                check(near(got, room.expected(QWEN, how, how)), "M-RoPE %s %s" % (how, spec))
                other = {"original": "compact", "compact": "original"}[how]
                check(not near(got, room.expected(QWEN, how, other)), "M-RoPE: not " + other)
        check(room.kept("original") == room.kept("compact"), "M-RoPE: the same tokens")
    for how in ("original", "compact"):
        got, _ = room.logits(QWEN, "--encoder", "mtmd", "--pipeline", "divprune=keep=4", "--mrope",
                             how, "-b", "3", kept="kept")
        check(near(got, room.expected(QWEN, "kept", how)), "M-RoPE %s in batches" % how)
    whole, _ = room.logits(QWEN, "--encoder", "mtmd", "--mrope", "compact")
    check(same(whole, room.expected(QWEN)), "M-RoPE: a whole grid is compact already")


def check_stages(room):
    """Pipelines that need more than tokens, inside the encoder; rows that are no token."""
    for case, options in ((MLP, ["--pipeline", "fastervlm=keep=4", "--like", "transformers"]),
                          (MLP, ["--pipeline", "visionzip=dominant=3:contextual=2", "--like",
                                 "transformers"]),
                          (IDEFICS, ["--pipeline", "tome=r=1"]),
                          (QWEN, ["--pipeline", "tome=r=9"])):
        got, line = room.logits(case, *options, kept="kept")
        check(np.isfinite(got).all() and len(got) > 0, "%s: %s" % (options, line))


def check_unknown_family(room):
    """A family of mtmd's that Winnow does not know: passed through, never reduced."""
    head, tensors = gguf_writer.read(os.path.join(room.mmprojs, "mlp-noclass.gguf"))
    head["clip.projector_type"] = "janus_pro"
    del head["clip.vision.feature_layer"]
    tensors["mm.0.weight"] = tensors["mm.0.weight"][:, :32]
    tensors["mm.1.weight"] = tensors.pop("mm.2.weight")
    tensors["mm.1.bias"] = tensors.pop("mm.2.bias")
    gguf_writer.write(room.path("janus.gguf"), head, {k: (v, "F32") for k, v in tensors.items()})
    case = ("llama", room.path("janus"), "grid")  # an absolute path stays one
    got, _ = room.logits(case, "--encoder", "mtmd")
    check(same(got, room.expected(case)), "an unknown family passes through")
    for options in ([], ["--encoder", "mtmd", "--pipeline", "divprune=keep=4"]):
        done = room.run(case, *options)
        check(done.returncode == 1 and done.stderr.count(b"\n") == 1 and
              b"janus_pro" in done.stderr, "an unknown family %s: %s" % (options, done.stderr))


def check_failures(room):
    """One line and status 1."""
    folder = room.folder
    with open(room.path("broken.gguf"), "wb") as file:
        file.write(b"GGUF\3\0\0\0 and no more")
    with open(room.path("broken.ppm"), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
    cut = os.path.join(folder, "cut.gguf")
    with open(room.files(MLP)[1], "rb") as whole, open(cut, "wb") as file:
        file.write(whole.read()[:-5000])
    nothing = os.path.join(folder, "nothing")
    narrow = os.path.join(room.texts, "narrow.gguf")
    for case, options, words in (
            (MLP, ["-m", nothing], "cannot be opened"),
            (MLP, ["--mmproj", nothing], "cannot be opened"),
            (("llama", "mlp", "nothing"), [], "nothing"),
            (("llama", "mlp", "broken"), [], "broken.ppm"),
            (MLP, ["-m", room.path("broken.gguf")], "llama.cpp does not load it"),
            (MLP, ["--mmproj", room.path("broken.gguf")], "broken.gguf"),
            (MLP, ["--mmproj", cut], "cut.gguf"),
            (MLP, ["--encoder", "mtmd", "--mmproj", cut], "cut.gguf"),
            (MLP, ["-m", narrow], "not of one model"),
            (MLP, ["--encoder", "mtmd", "-m", narrow], "not of one model"),
            (MLP, ["-p", "no picture"], "0 media markers"),
            (MLP, ["-p", "<__media__><__media__>"], "2 media markers"),
            (MLP, ["--mrope", "compact"], "no M-RoPE"),
            (MLP, ["-c", "40"], "do not fit 40"),
            (QWEN, ["-c", "40"], "do not fit 40"),
            (GEMMA, ["-b", "3", "--encoder", "mtmd"], "one batch"),
            (MLP, ["--pipeline", "divprune=keep="], "keep"),
            (MLP, ["--pipeline", "nothing"], "nothing"),
            (MLP, ["--preset", "slow"], "fast|balanced|careful"),
            (MLP, ["--preset", "fast", "--pipeline", "divprune=keep=4"], "leave one out"),
            (MLP, ["--encoder", "mtmd", "--pipeline", "fastervlm=keep=4"], "cls_attention"),
            (MLP, ["--pipeline", "pixel-shuffle"], "channels"),
            (MLP, ["--nothing"], "no such option"),
            (MLP, ["--encoder", "other"], "winnow|mtmd"),
            (MLP, ["-n", "-1"], "whole number"),
            (MLP, ["-n", "99999999999"], "whole number"),
            (MLP, ["-n"], "missing"),
            (MLP, ["-c", "0"], "at least 1"),
            (MLP, ["--logits", "/nowhere/file"], "cannot be written"),
            (MLP, ["--kept", "/nowhere/file"], "cannot be written")):
        room.refuses(case, options, words)
    done = subprocess.run([room.program], stderr=subprocess.PIPE)
    check(done.returncode == 1 and b"-m is missing" in done.stderr, "no arguments")
    for option in ("--help", "--version"):
        done = subprocess.run([room.program, option], stdout=subprocess.PIPE)
        check(done.returncode == 0 and b"winnow-llama" in done.stdout, option)


def check_fits(room):
    """A budget lets a prompt into a context that is too small for the whole picture."""
    size = ["-c", "84", "-n", "4", "--encoder", "mtmd"]
    done = room.run(("llama", "mlp", "square"), *size, prompt="x" * 70 + "<__media__>")
    check(done.returncode == 1, "the whole picture does not fit")
    done = room.run(("llama", "mlp", "square"), *size, "--pipeline", "divprune=keep=4",
                    prompt="x" * 70 + "<__media__>")
    check(done.returncode == 0 and len(done.stdout) > 1, "4 tokens of it do: %s" % done.stderr)


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(sys.argv[1:], folder)
        for each in (check_all_tokens, check_ends, check_batches, check_kept, check_tiles,
                     check_mrope, check_stages, check_unknown_family, check_failures,
                     check_fits):
            each(room)
    finish()


if __name__ == "__main__":
    main()
