"""What the checks of samples/video_qa share: frames, the programs, and how a failure is told. Standard library only."""
import os
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from tally import check, finish

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "samples", "video_qa")
CLIP = os.path.join(HERE, "..", "..", "samples", "data", "clip.mp4")


def pixels(width, height, shift):
    """A slope with a bright block that goes right by `shift` pixels."""
    out = bytearray()
    for y in range(height):
        for x in range(width):
            inside = height // 3 <= y < 2 * height // 3 and shift <= x < shift + width // 4
            noise = zlib.crc32(b"%d %d" % (x // 8, y // 8)) & 31
            out += bytes((255, 220, 30) if inside else (x * 200 // width + noise, y * 200 // height + noise, 90))
    return bytes(out)


def ppm(path, width, height, shift=0):
    with open(path, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (width, height) + pixels(width, height, shift))


class Room:
    """The program, the models and a scratch folder."""

    def __init__(self, program, texts, mmprojs, models, folder):
        self.program, self.texts, self.mmprojs, self.models, self.folder = program, texts, mmprojs, models, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def frames(self, name, count, width, height):
        """A folder of frames, which is a video to the programs."""
        os.makedirs(self.path(name), exist_ok=True)
        for i in range(count):
            ppm(os.path.join(self.path(name), "%02d.ppm" % i), width, height, i * width // (2 * count))
        return self.path(name)

    def model(self, text, mmproj):
        """The options that name two files; a path with a slash is taken as it is."""
        def at(folder, name):
            return name if os.sep in name else os.path.join(folder, name + ".gguf")
        return ["-m", at(self.texts, text), "--mmproj", at(self.mmprojs, mmproj)]

    def run(self, *arguments, data=b"", environment=None):
        return subprocess.run([self.program, *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120, env=dict(os.environ, **(environment or {})))

    def ask(self, model, media, questions, *options, data=b""):
        """(answers as bytes, lines on standard error); a failure ends the check."""
        command = [*media, *(w for q in questions for w in ("-q", q)), *self.model(*model), "--backend", "cpu",
                   "--ngl", "0", "-t", "2", *options]
        done = self.run(*command, data=data)
        lines = done.stderr.decode(errors="replace").splitlines()
        if done.returncode:
            raise SystemExit("%s: status %d, %s" % (command, done.returncode, lines))
        check(all(line.startswith("winnow-ask: ") for line in lines), "%s: %s" % (command, lines))
        return done.stdout, lines

    def trace(self, *arguments, **more):
        """What the language model was given: [("text", [ids]) or ("rows", [places])]."""
        self.ask(*arguments, "--trace", self.path("trace"), **more)
        with open(self.path("trace")) as file:
            lines = [line.split() for line in file]
        return [(line[0], [int(w) if line[0] == "text" else tuple(map(int, w.split(","))) for w in line[1:]])
                for line in lines]
