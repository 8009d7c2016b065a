#!/usr/bin/env python3
"""winnow-ask on a live feed: which frames a question is about, bounded memory, feeds that end badly.

usage: check_live.py WINNOW-ASK TEXT-MODELS MMPROJS MODELS      (python3, nothing else)
"""
import os
import subprocess
import sys
import tempfile
import time

from room import Room, check, finish, pixels

MLP, WIDTH, HEIGHT, FPS = ("llama", "mlp-noclass"), 96, 64, 10
SIZE = "%dx%d@%d" % (WIDTH, HEIGHT, FPS)


def frame(i):
    return pixels(WIDTH, HEIGHT, 4 * (i // FPS))


def feed(count):
    whole = [frame(i * FPS) for i in range(count // FPS + 1)]
    return b"".join(whole[i // FPS] for i in range(count))


def command(room, *more):
    return [room.program, "--live", SIZE, *room.model(*MLP), "--backend", "cpu", "--ngl", "0", "-t", "2", "--template",
            "<media><question>", "--answer", "6", *more]


def by_folder(room, seconds, question, *more):
    """The answer about the same frames from a folder of pictures."""
    name = room.path("at%d" % max(seconds))
    os.makedirs(name, exist_ok=True)
    for s in seconds:
        with open(os.path.join(name, "%03d.ppm" % s), "wb") as file:
            file.write(b"P6 %d %d 255\n" % (WIDTH, HEIGHT) + frame(s * FPS))
    return room.ask(MLP, [name], [question], "--template", "<media><question>", "--answer", "6", *more)[0]


def check_window(room):
    """A question with a time is about the last N sampled frames until then, however fast the feed is."""
    data = feed(20 * FPS + 1)
    for more in ([], ["--pipeline", "evs=rate=0.5"]):
        with open(room.path("questions"), "w") as file:
            file.write("@3 What is it?\n@12.5 What now?\n@12.5 And now?\n")
        done = subprocess.run(command(room, "--frames", "4", "--questions", room.path("questions"), "At the end?",
                                      *more), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        want = b""
        for label, seconds, question in ((b"[3.0 s] ", range(4), "What is it?"),
                                         (b"[12.0 s] ", range(9, 13), "What now?"),
                                         (b"[12.0 s] ", range(9, 13), "And now?"),
                                         (b"[20.0 s] ", range(17, 21), "At the end?")):
            want += label + question.encode() + b"\n" + by_folder(room, seconds, question, *more)
        check(done.returncode == 0 and done.stdout == want, "%s: %r, by hand %r, %s" %
              (more, done.stdout, want, done.stderr))
        check(done.stderr.count(b"kept from before") == 1, "the same frames are shown once: %s" % done.stderr)


def check_fifo(room):
    """Lines are asked as they come, from several writers, while the feed goes on."""
    os.mkfifo(room.path("fifo"))
    with subprocess.Popen(command(room, "--questions", room.path("fifo")), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(feed(FPS))
        process.stdin.flush()
        for text in (b"one?\n", b"two?\n\nth", b"ree?\n"):  # an empty line is told of
            with open(room.path("fifo"), "wb") as fifo:
                fifo.write(text)
            time.sleep(0.3)
        out = process.stdout.readline()  # there before the feed ends
        process.stdin.write(feed(FPS))
        process.stdin.close()
        out, err = out + process.stdout.read(), process.stderr.read()
    check([out.count(b"] %s?\n" % w) for w in (b"one", b"two", b"three")] == [1, 1, 1], "a FIFO: %r" % out)
    check(process.returncode == 1 and err.count(b"the question is empty") == 1, "an empty line: %s" % err)


def check_memory(room):
    """A feed of any length takes no more memory than a short one."""
    peaks = []
    for seconds in (10, 400):
        with open(room.path("questions"), "w") as file:
            file.write("".join("@%d What?\n" % s for s in range(2, seconds, max(1, seconds // 40))))
        probe = ("import resource,subprocess,sys\n"
                 "p = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
                 "print(p.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, p.stderr[-200:])")
        # AddressSanitizer holds back what was freed: without, the peak would be its own
        environment = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1")
        with subprocess.Popen([sys.executable, "-c", probe, *command(room, "--questions", room.path("questions"))],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            one = feed(FPS)
            for _ in range(seconds):
                process.stdin.write(one)
            process.stdin.close()
            words = process.stdout.read().split()
        check(words[0] == b"0", "a feed of %d s: %s" % (seconds, words))
        peaks.append(int(words[1]))
    # 400 s are 74 MB of frames
    check(peaks[1] < peaks[0] + 8 * 1024, "peaks of %d and %d KiB" % tuple(peaks))


def check_ends(room):
    whole = WIDTH * HEIGHT * 3
    for data, words, answers in ((b"\0" * (whole * 3 + 100), "ends inside frame 3, after 100 of %d" % whole, 1),
                                 (b"\0" * 100, "ends inside frame 0", 0), (b"", "no frame in it", 0)):
        done = subprocess.run(command(room, "What?"), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120)
        lines = [line for line in done.stderr.decode().splitlines() if "visual tokens" not in line]
        check(done.returncode == 1 and len(lines) == 1 and words in lines[0], "%r: %s" % (words, done.stderr))
        check(done.stdout.count(b"] What?") == answers, "%r: %r" % (words, done.stdout))
    for path, words in (("/nowhere/file", "/nowhere/file"), (room.folder, "--questions")):
        done = subprocess.run(command(room, "--questions", path), input=feed(3), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        check(done.returncode == 1 and words.encode() in done.stderr and done.stderr.count(b"\n") == 1,
              "%s: %s" % (path, done.stderr))
    done = subprocess.run(command(room, "-c", "40", "What?"), input=feed(3 * FPS), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    check(done.returncode == 1 and b"do not fit 40" in done.stderr, "a small context: %s" % done.stderr)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        room = Room(*sys.argv[1:], folder)
        for each in (check_window, check_fifo, check_memory, check_ends):
            each(room)
    finish()


if __name__ == "__main__":
    main()
