#!/usr/bin/env python3
"""A stock llama-server and llama-cli with the preload: prompts get as short as was promised, slots
in parallel do not disturb each other, the prompt cache never serves what other settings made, and
without a budget nothing changes.

usage: check_server.py PRELOAD LAUNCH TEXT-MODELS MMPROJS      (standard library only)
"""
import base64
import concurrent.futures
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from tally import check, finish

VIDEO_FRAMES, VIDEO_SIZE = 6, (56, 56)


def png(name, width, height):
    """Noise over a gradient."""
    noise = random.Random(name)

    def chunk(kind, body):
        check_sum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check_sum

    rows = b"".join(b"\0" + bytes((x * 160 // width + y * 60 // height + noise.randrange(36))
                                  for x in range(width) for _ in range(3)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def part(kind, data):
    encoded = base64.b64encode(data).decode()
    mime = {"image_url": "image/png", "video_url": "video/mp4"}[kind]
    return {"type": kind, kind: {"url": "data:%s;base64,%s" % (mime, encoded)}}


def picture(name, width, height):
    return part("image_url", png(name, width, height))


class Room:
    def __init__(self, arguments, folder):
        self.preload, self.launch, self.texts, self.mmprojs = arguments
        self.folder = folder
        self.make_film_tools()

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_film_tools(self):
        """llama.cpp has ffprobe and ffmpeg decode films; these two give the frames that a film of
        ours would have, whatever they are fed with."""
        width, height = VIDEO_SIZE
        os.makedirs(self.path("bin"))
        noise = random.Random("film")
        with open(self.path("frames"), "wb") as file:
            file.write(bytes(noise.randrange(256)
                             for _ in range(VIDEO_FRAMES * width * height * 3)))
        said = "width=%d\\nheight=%d\\nr_frame_rate=4/1\\nnb_frames=%d\\n" % (*VIDEO_SIZE,
                                                                             VIDEO_FRAMES)
        for name, does in (("ffprobe", "cat >/dev/null; printf '%s'" % said),
                           ("ffmpeg", "cat '%s'" % self.path("frames"))):
            with open(self.path("bin/" + name), "w") as file:
                file.write("#!/bin/sh\n%s\n" % does)
            os.chmod(self.path("bin/" + name), 0o755)

    def command(self, case, program, *options):
        text, mmproj = case
        return [self.launch, *(["--preload", self.preload] if self.preload else []), program,
                "-m", os.path.join(self.texts, text + ".gguf"),
                "--mmproj", os.path.join(self.mmprojs, mmproj + ".gguf"), "--chat-template",
                "chatml", "--no-warmup", "--fit", "off", "-t", "1", *options]

    def environment(self, variables):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("WINNOW_")}
        return {**clean, "PATH": self.path("bin") + ":" + os.environ["PATH"],
                "WINNOW_BACKEND": "cpu", **variables}


class Server:
    """llama-server, for a `with`."""

    def __init__(self, room, case, *options, slots=1, context=4096, **variables):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        os.makedirs(room.path("slots"), exist_ok=True)
        self.log = open(room.path("log"), "w+b")
        self.process = subprocess.Popen(
            room.command(case, "llama-server", "--port", str(self.port), "-np", str(slots), "-c",
                         str(context), "--slot-save-path", room.path("slots"), *options),
            env=room.environment(variables), stdout=self.log, stderr=self.log)

    def __enter__(self):
        for _ in range(300):
            try:
                if self.ask("/health").get("status") == "ok":
                    return self
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.__exit__()
        raise SystemExit("llama-server does not start: %s" % self.said_all[-2000:])

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.seek(0)
        self.said_all = self.log.read().decode(errors="replace")
        self.said = [l for l in self.said_all.splitlines() if l.startswith("winnow-mtmd: ")]
        self.log.close()

    def ask(self, path, body=None):
        request = urllib.request.Request(
            "http://127.0.0.1:%d%s" % (self.port, path),
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def chat(self, *content, tokens=6, slot=-1):
        parts = [{"type": "text", "text": c} if isinstance(c, str) else c for c in content]
        return Answer(self.ask("/v1/chat/completions", {
            "messages": [{"role": "user", "content": parts}], "max_tokens": tokens,
            "temperature": 0, "id_slot": slot, "cache_prompt": True, "logprobs": True,
            "top_logprobs": 3}))

    def slot(self, action):
        return self.ask("/slots/0?action=" + action, {"filename": "slot.bin"})


class Answer:
    def __init__(self, answer):
        usage = answer.get("usage", {})
        self.error = answer.get("error", {})
        self.prompt = usage.get("prompt_tokens")
        self.cached = usage.get("prompt_tokens_details", {}).get("cached_tokens")
        self.text = json.dumps(answer.get("choices"), sort_keys=True)


MLP, TILES, QWEN = ("llama", "mlp"), ("llama", "idefics3"), ("qwen2vl", "qwen2vl")


def check_counts(room):
    """Prompts shrink by what the budget takes of each chunk; without one nothing changes."""
    for case, size, chunks in ((MLP, (56, 56), [16]), (TILES, (168, 112), [4] * 7),
                               (QWEN, (196, 140), [35])):
        ask = (picture("one", *size), "what?")
        with Server(room, case) as server:
            whole = server.chat(*ask)
        check(whole.prompt and not server.said, "%s: silent without a budget" % (case,))
        with Server(room, case, WINNOW_BUDGET="100%") as server:
            same = server.chat(*ask)
        check(same.prompt == whole.prompt and same.text == whole.text,
              "%s: all of a picture is the picture" % (case,))
        for budget, count in (("2", lambda n: min(n, 2)), ("25%", lambda n: max(1, n // 4))):
            with Server(room, case, WINNOW_BUDGET=budget, WINNOW_PRELOAD_VERBOSE="1") as server:
                few, again = server.chat(*ask), server.chat(*ask)
            gone = sum(n - count(n) for n in chunks)
            what = "%s %s" % (case, budget)
            check(few.prompt == whole.prompt - gone,
                  "%s: %s of %s prompt tokens" % (what, few.prompt, whole.prompt))
            check(few.cached == 0 and again.cached == few.prompt - 1,
                  "%s: the second time from the cache: %s" % (what, again.cached))
            check(few.text != whole.text, what + ": it makes a difference")
            check(sum(": %d stay" % count(chunks[0]) in s for s in server.said) == len(chunks),
                  "%s: encoded once: %s" % (what, server.said))


def check_passing_through(room):
    """Byte by byte what the server answers without the preload."""
    ask = (picture("one", 196, 140), "what?", picture("two", 140, 84), "and?")
    with Server(room, QWEN) as server:
        with_us = server.chat(*ask)
    preload, room.preload = room.preload, None
    with Server(room, QWEN) as server:
        without = server.chat(*ask)
    room.preload = preload
    check(with_us.text == without.text and with_us.prompt == without.prompt, "passing through")


def check_parallel(room):
    """Two slots with pictures, text between them, the same picture again."""
    asks = [(picture("one", 196, 140), "what?"), (picture("two", 140, 196), "which?"),
            ("no picture at all",),
            (picture("three", 84, 84), "why?", picture("one", 196, 140), "!")]
    with Server(room, QWEN, WINNOW_BUDGET="7") as server:
        alone = [server.chat(*ask).text for ask in asks]
    with Server(room, QWEN, slots=2, WINNOW_BUDGET="7") as server:
        for _ in range(2):
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                together = list(pool.map(lambda ask: server.chat(*ask, tokens=1), asks * 2))
            check(all(not a.error for a in together), "parallel: %s" % [a.error for a in together])
        again = [server.chat(*ask) for ask in asks]
    check([a.prompt for a in together[:4]] == [a.prompt for a in again], "parallel: counts")
    first = [json.loads(t)[0]["logprobs"]["content"][0]["token"] for t in alone]
    check(first == [json.loads(a.text)[0]["logprobs"]["content"][0]["token"] for a in together[:4]],
          "parallel: the answers are those of requests one by one")


def check_context(room):
    """A context that the whole picture does not fit and the reduced one does."""
    ask = (picture("one", 196, 140), "w")
    with Server(room, QWEN, context=256) as server:
        size = server.chat(*ask, tokens=1).prompt
    words = "x" * (256 - size + 10)
    with Server(room, QWEN, context=256) as server:
        whole = server.chat(picture("one", 196, 140), "w" + words, tokens=1)
    check("context" in json.dumps(whole.error), "the whole does not fit: %s" % whole.error)
    with Server(room, QWEN, context=256, WINNOW_BUDGET="5") as server:
        few = server.chat(picture("one", 196, 140), "w" + words, tokens=1)
    check(not few.error and few.prompt == size + len(words) - 30,
          "the reduced one does: %s" % few.error)


def check_video(room):
    """Frame pairs of 9 tokens; the first frame is followed by a time stamp and has no partner."""
    ask = (part("video_url", b"a film, as far as our ffmpeg is concerned"), "what?")
    with Server(room, QWEN) as server:
        whole = server.chat(*ask)
    with Server(room, QWEN, WINNOW_BUDGET="5", WINNOW_PRELOAD_VERBOSE="1") as server:
        few, again = server.chat(*ask), server.chat(*ask)
    check(not whole.error and not few.error, "a film: %s %s" % (whole.error, few.error))
    check(sum("chunk of 9 tokens (3 x 3): 5 stay" in s for s in server.said) == 4,
          "a film of %d frames: %s" % (VIDEO_FRAMES, server.said))
    check(few.prompt == whole.prompt - 4 * 4 and again.cached == few.prompt - 1,
          "a film: %s of %s, then %s cached" % (few.prompt, whole.prompt, again.cached))


def check_cache(room):
    """A saved slot comes back under its own settings; under others none of its picture is used."""
    ask = (picture("one", 196, 140), "what?")
    for budget in ("5", "25%"):
        with Server(room, QWEN, WINNOW_BUDGET=budget) as server:
            made = server.chat(*ask)
            saved = server.slot("save")
        check(saved.get("n_saved", 0) > 0, "saving a slot: %s" % saved)
        others = [{"WINNOW_BUDGET": "7"}, {"WINNOW_BUDGET": budget, "WINNOW_MROPE": "compact"},
                  {"WINNOW_BUDGET": budget, "WINNOW_PIPELINE": "tome=keep=5"}, {}]
        for variables in [{"WINNOW_BUDGET": budget}] + others:
            with Server(room, QWEN, **variables) as fresh:
                expected = fresh.chat(*ask)
            with Server(room, QWEN, **variables) as server:
                restored = server.slot("restore")
                answer = server.chat(*ask)
            what = "restored with %s" % variables
            if variables == {"WINNOW_BUDGET": budget}:
                check(answer.cached == made.prompt - 1, "%s: %s" % (what, answer.cached))
            else:
                check(answer.cached <= made.prompt - 40, "%s: %s cached" % (what, answer.cached))
            check(variables or "error" in restored, "%s: %s" % (what, restored))
            check(answer.prompt == expected.prompt and not answer.error, what)
            check(first_token(answer) == first_token(expected), what + ": the answer is its own")


def first_token(answer):
    return json.loads(answer.text)[0]["logprobs"]["content"][0]["token"]


def check_aside(room):
    """Bad variables: a line, and the server's own answer."""
    ask = (picture("one", 56, 56), "what?")
    with Server(room, MLP) as server:
        whole = server.chat(*ask)
    for variables in ({"WINNOW_BUDGET": "none"}, {"WINNOW_PIPELINE": "fastervlm=keep=4"}):
        with Server(room, MLP, **variables) as server:
            answer = server.chat(*ask)
        check(answer.text == whole.text and len(server.said) == 1,
              "%s: %s" % (variables, server.said))


def check_cli(room):
    """llama-cli asks once and ends."""
    with open(room.path("one.png"), "wb") as file:
        file.write(png("one", 56, 56))
    for budget, lines in (("5", 2), ("", 0)):
        done = subprocess.run(
            room.command(MLP, "llama-cli", "--image", room.path("one.png"), "-p", "what?", "-n",
                         "4", "--temp", "0", "-st", "--simple-io"), stdin=subprocess.DEVNULL,
            env=room.environment({"WINNOW_BUDGET": budget, "WINNOW_PRELOAD_VERBOSE": "1"}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        said = [l for l in done.stdout.decode(errors="replace").splitlines() if "winnow-mtmd" in l]
        check(done.returncode == 0 and len(said) == lines, "llama-cli %r: %s" % (budget, said))
        check(lines == 0 or "16 tokens (4 x 4): 5 stay" in said[-1], "llama-cli: %s" % said)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(sys.argv[1:], folder)
        for each in (check_counts, check_passing_through, check_parallel, check_context,
                     check_video, check_cache, check_aside, check_cli):
            start = time.monotonic()
            each(room)
            print("%-24s %5.1f s" % (each.__name__, time.monotonic() - start))
    finish()


if __name__ == "__main__":
    main()
