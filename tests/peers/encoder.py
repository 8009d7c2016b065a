#!/usr/bin/env python3
"""Times Winnow's encoder beside llama.cpp's, on the same device, file and picture, in one run.

usage: encoder.py --llama FOLDER --winnow FILE [OPTIONS]      (python3, numpy, a C compiler)

  --llama FOLDER   where npm installed what README.md says, or the prefix of an installed llama.cpp:
                   include/ and lib/, with mtmd
  --winnow FILE    the built command, such as build/bin/winnow
  --on LIST        drivers by tests/drivers/with-driver.sh's names (lavapipe-25, system, or the path
                   of a manifest), and cpu: plain C beside ggml's CPU backend, a thread each;
                   default lavapipe-25,cpu
  --models LIST    see --list; default clip-b16-224 (lavapipe takes ten seconds for its picture)
  --kind F16|F32   of the file's weights; default F16
  --dtype f32|f16  of Winnow's weights and activations; default f32
  --pipeline SPEC  one inside the layers; may be given several times; default: the model's own
  --rounds N       default 3
  --room FOLDER    for models and the built program, kept; default /tmp/winnow-peers
  --json FILE      everything that was measured
  --list           the models

Each model is a file of random weights. First both encode a picture: exit status 1 if any value of
the rows is further apart than 1e-2 of the largest, or the devices are not the same. Then rounds
alternate: one picture by llama.cpp, `winnow bench` (warmed up, with and without reduction inside),
one picture by llama.cpp. Both are wall times of the call that takes a picture as the host has it
to rows in host memory: mtmd_encode_chunk (normalised floats in), encoder_encode (bytes in). The
tables have medians over the rounds, and the least in brackets; ratios are of medians. Removed: rows
that the language model does not get. Where the CPU does the work, its milliseconds (of all threads)
are told too: other programs' load disturbs them less. Winnow's are those of `winnow encode` with
three pictures less those with one, halved. All times are of one view: some models see a picture as
tiles and a whole.

The rows are compared as llama.cpp b10256 makes them (winnow --like llama-b10256). A class token
that llama.cpp puts last cannot have a reduction inside, so `winnow bench` runs --like transformers:
the same layers with the class token first.
"""
import argparse
import glob
import json
import os
import re
import resource
import statistics
import subprocess
import sys

import numpy as np

import models

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.path.join(os.path.dirname(HERE), "drivers", "with-driver.sh")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "vit"))
import safetensors_io

APART_MOST = 1e-2
SOFTWARE = {"GGML_VK_VISIBLE_DEVICES": "0", "GGML_VK_DISABLE_F16": "1"}  # see llama_encoder.c


def say(text):
    print(text, file=sys.stderr, flush=True)


def stop(text):
    sys.exit("encoder.py: " + text)


# ---- llama.cpp ----

def headers(folder, room):
    """llama.rn's, which prefix ggml's names with lm_, as llama.cpp has them."""
    include = os.path.join(room, "include")
    os.makedirs(include, exist_ok=True)
    cpp = os.path.join(folder, "node_modules", "llama.rn", "cpp")
    names = ["llama.h", "ggml*.h", "gguf.h", "tools/mtmd/mtmd.h"]
    for path in [p for n in names for p in glob.glob(os.path.join(cpp, n))]:
        with open(path) as file:
            text = re.sub(r"lm_(ggml|gguf)|LM_(GGML|GGUF)", lambda m: m[0][3:], file.read())
        with open(os.path.join(include, os.path.basename(path)), "w") as file:
            file.write(text)
    return include


def build(folder, room):
    """llama_encoder against the packages or the prefix in `folder`."""
    folder, exe = os.path.abspath(folder), os.path.join(room, "llama_encoder")
    package = os.path.join(folder, "node_modules", "@fugood", "node-llama-linux-x64-vulkan")
    if os.path.isdir(package):
        include, lib = headers(folder, room), package
        names = ["-l:index.node", "-Wl,--allow-shlib-undefined"]
    else:
        include, lib = os.path.join(folder, "include"), os.path.join(folder, "lib")
        names = ["-lmtmd", "-lllama", "-lggml", "-lggml-base"]
    flags = ["-std=c17", "-O2", "-Wall", "-Wextra", "-isystem", include]
    source = os.path.join(HERE, "llama_encoder.c")
    done = subprocess.run([os.environ.get("CC", "cc"), *flags, source, "-o", exe, "-L" + lib,
                           *names, "-Wl,-rpath," + lib])
    if done.returncode:
        stop("llama_encoder cannot be built against %s (see README.md)" % folder)
    return exe


class Llama:
    """A llama_encoder that waits to be asked for a picture."""

    def __init__(self, exe, where, files):
        env = {**({} if where in ("cpu", "system") else SOFTWARE), **os.environ}
        command = on(where) + [exe, "--wait", "--threads", "1", "--tokens", files["rows"],
                               "--backend", "cpu" if where == "cpu" else "vulkan",
                               files["mmproj"], files["text"], files["picture"]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)
        self.about = self.line()

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            stop("llama_encoder stopped with status %d" % self.process.wait())
        return json.loads(text)

    def run(self):
        """Times of a view."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return {key: ms / self.about["views"] for key, ms in self.line().items()}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- Winnow ----

def on(where):
    return [] if where == "cpu" else [DRIVER, where]


def winnow(args, where, *words):
    backend = "cpu" if where == "cpu" else "gpu"
    command = on(where) + [args.winnow, *words, "--dtype", args.dtype, "--backend", backend]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        stop("%s: exit status %d" % (" ".join(command), done.returncode))
    return done.stdout


def bench(args, where, files, pipelines):
    words = [w for p in pipelines for w in ("--pipeline", p)]
    out = json.loads(winnow(args, where, "bench", "--model", files["mmproj"], "--like",
                            "transformers", "--no-cpu", "--json", *words))
    for r in out["results"]:
        if "wall_ms" not in r:
            stop("winnow bench: %s: %s" % (r["pipeline"], r.get("failed") or r.get("skipped")))
    return out


def compare(args, where, files, width):
    """The largest difference of the two encoders' rows, relative to the largest value."""
    out = os.path.join(args.room, "rows.safetensors")
    winnow(args, where, "encode", "--model", files["mmproj"], "--like", "llama-b10256",
           files["picture"], "-o", out)
    got = safetensors_io.read(out)[1]["tokens"].astype(np.float32).reshape(-1, width)
    want = np.fromfile(files["rows"], np.float32).reshape(-1, width)
    if got.shape != want.shape:
        stop("rows of %s here, of %s from llama.cpp" % (got.shape, want.shape))
    return float(np.abs(got - want).max() / np.abs(want).max())


def cpu_ms(args, where, files, views, pipeline):
    """CPU time of a view, without what a process spends once."""
    out, spent = os.path.join(args.room, "rows.safetensors"), []
    inside = ["--pipeline", pipeline] if pipeline else []
    for pictures in (1, 3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        winnow(args, where, "encode", "--model", files["mmproj"], "--like", "transformers", "-o",
               out, *inside, *[files["picture"]] * pictures)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1e3 * (spent[1] - spent[0]) / (2 * views)


# ---- one model on one device ----

def make(args, name):
    model = models.MODELS[name]
    names = {"mmproj": "%s-%s.gguf" % (name, args.kind.lower()), "rows": "rows.f32",
             "text": "text-%d.gguf" % model.text_width, "picture": "%d.ppm" % model.side}
    files = {key: os.path.join(args.room, file) for key, file in names.items()}
    if not os.path.exists(files["mmproj"]):
        models.write_model(files["mmproj"], name, args.kind)
    models.write_text_model(files["text"], model.text_width)
    models.write_picture(files["picture"], model.side)
    return files


def alternate(args, llama, where, files, pipelines):
    theirs, ours = [], []
    for i in range(args.rounds):
        theirs.append(llama.run())
        ours.append(bench(args, where, files, pipelines))
        theirs.append(llama.run())
        say("  round %d: llama.cpp %.0f and %.0f ms, Winnow %s ms" % (
            i + 1, theirs[-2]["ms"], theirs[-1]["ms"],
            ", ".join("%.0f" % r["wall_ms"] for r in ours[-1]["results"])))
    return theirs, ours


def measure(args, exe, name, where):
    files = make(args, name)
    llama = Llama(exe, where, files)
    apart = compare(args, where, files, llama.about["width"])
    say("%s on %s: rows %.1e apart; llama.cpp: %s" % (name, where, apart, llama.about))
    if not apart <= APART_MOST:
        stop("%s on %s: the rows are %.1e apart" % (name, where, apart))
    theirs, ours = alternate(args, llama, where, files,
                             args.pipeline or models.MODELS[name].pipelines)
    llama.close()
    first = ours[0]
    if where != "cpu" and first["device"]["name"] != llama.about["device"]:
        stop("Winnow ran on %s, llama.cpp on %s" % (first["device"]["name"], llama.about["device"]))
    rows = []
    for same in zip(*(o["results"] for o in ours)):
        all_ms = [r["wall_ms"] for r in same]
        rows.append({**same[0], "wall_ms": statistics.median(all_ms), "all_wall_ms": all_ms})
        if where != "system":
            rows[-1]["cpu_ms"] = cpu_ms(args, where, files, llama.about["views"],
                                        same[0]["pipeline"])
    all_ms, all_cpu_ms = [t["ms"] for t in theirs], [t["cpu_ms"] for t in theirs]
    return {"model": name, "kind": args.kind, "dtype": args.dtype, "where": where,
            "device": first["device"], "layers": first["layers"], "products": first["products"],
            "apart": apart, "winnow": rows,
            "llama": {**llama.about, "ms": statistics.median(all_ms), "all_ms": all_ms,
                      "cpu_ms": statistics.median(all_cpu_ms), "all_cpu_ms": all_cpu_ms}}


# ---- the tables ----

def row(*cells):
    print("| " + " | ".join(cells) + " |")


def head(left, right):
    row(*left, *right)
    row(*["---"] * len(left), *["---:"] * len(right))


def names(r):
    return ("%s, %s" % (r["model"], r["kind"]),
            "a CPU thread" if r["where"] == "cpu" else r["device"]["name"])


def times(median, all_ms):
    return "%.0f (%.0f)" % (median, min(all_ms))


def whole_table(results):
    head(["model, weights", "device"],
         ["rows", "apart", "llama.cpp ms", "a layer", "Winnow ms", "a layer", "llama.cpp / Winnow"])
    for r in results:
        theirs, ours, layers = r["llama"]["ms"], r["winnow"][0]["wall_ms"], r["layers"]
        row(*names(r), "%d" % r["winnow"][0]["tokens"], "%.1e" % r["apart"],
            times(theirs, r["llama"]["all_ms"]), "%.1f" % (theirs / layers),
            times(ours, r["winnow"][0]["all_wall_ms"]), "%.1f" % (ours / layers),
            "%.2f" % (theirs / ours))


def inside_table(results):
    head(["model, weights", "device", "inside the layers"],
         ["rows", "removed", "Winnow ms", "whole / this", "llama.cpp / this"])
    for r in results:
        whole = r["winnow"][0]
        for w in r["winnow"][1:]:
            row(*names(r), "`%s`" % w["pipeline"], "%d" % w["tokens"],
                "%.0f%%" % (100 - 100 * w["tokens"] / whole["tokens"]),
                times(w["wall_ms"], w["all_wall_ms"]), "%.2f" % (whole["wall_ms"] / w["wall_ms"]),
                "%.2f" % (r["llama"]["ms"] / w["wall_ms"]))


def cpu_table(results):
    head(["model, weights", "device", "inside the layers"],
         ["Winnow CPU ms", "whole / this", "llama.cpp CPU ms", "llama.cpp / Winnow"])
    for r in results:
        theirs = r["llama"]["cpu_ms"]
        for w in r["winnow"]:
            row(*names(r), "`%s`" % w["pipeline"] if w["pipeline"] else "nothing",
                "%.0f" % w["cpu_ms"], "%.2f" % (r["winnow"][0]["cpu_ms"] / w["cpu_ms"]),
                "%.0f" % theirs, "%.2f" % (theirs / w["cpu_ms"]))


def print_tables(results):
    whole_table(results)
    if any(len(r["winnow"]) > 1 for r in results):
        print()
        inside_table(results)
    on_cpu = [r for r in results if r["where"] != "system"]
    if on_cpu:
        print()
        cpu_table(on_cpu)
    built = {r["llama"]["built_for"].strip(" |") for r in results if r["where"] == "cpu"}
    for text in built:
        print("\nllama.cpp was built for: %s%s" % (
            text, "" if "AVX" in text or "NEON" in text else
            " (no vector instructions: a build for this machine is many times faster)"))


# ---- the command ----

def read_args():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1], add_help=False)
    p.add_argument("--llama")
    p.add_argument("--winnow")
    p.add_argument("--on", default="lavapipe-25,cpu")
    p.add_argument("--models", default="clip-b16-224")
    p.add_argument("--kind", choices=("F16", "F32"), default="F16")
    p.add_argument("--dtype", choices=("f32", "f16"), default="f32")
    p.add_argument("--pipeline", action="append")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--room", default="/tmp/winnow-peers")
    p.add_argument("--json")
    p.add_argument("--list", action="store_true")
    p.add_argument("--help", "-h", action="store_true")
    args = p.parse_args()
    if args.help:
        sys.exit(print(__doc__.strip()))
    if args.list:
        for name, m in models.MODELS.items():
            print("%-18s %s, %d x %d" % (name, m.like, m.side, m.side))
        sys.exit()
    unknown = [m for m in args.models.split(",") if m not in models.MODELS]
    if unknown:
        stop("no model %s (see --list)" % unknown[0])
    if not args.llama or not args.winnow or args.rounds < 1:
        stop("--llama, --winnow and at least one round are needed (see --help)")
    return args


def main():
    args = read_args()
    os.makedirs(args.room, exist_ok=True)
    exe = build(args.llama, args.room)
    results = [measure(args, exe, name, where)
               for name in args.models.split(",") for where in args.on.split(",")]
    if args.json:
        with open(args.json, "w") as file:
            json.dump(results, file, indent=1)
    print_tables(results)


if __name__ == "__main__":
    main()
