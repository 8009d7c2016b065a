#!/usr/bin/env python3
"""Times the stages of two builds of Winnow beside each other, on the software drivers.

usage: drivers.py --old TREE --new TREE [OPTIONS]      (python3, numpy)

  --old, --new TREE  sources with build/lib/libwinnow.so and tests/peers/winnow_abi.py of their own
  --drivers LIST     of lavapipe-22, lavapipe-25, swiftshader (tests/drivers/setup.sh); default all; or `system`
  --shapes LIST      FRAMESxSIDExDIM; default 1x24x1024,32x14x1024
  --dtype f32|f16    default f32
  --spec SPEC        a pipeline; may be given several times; default: those of SPECS
  --runs N           timed runs of each build, in turns; default 5; 2 where one takes over 2 s
  --json FILE        everything that was measured

Each build runs in a process of its own, as the old one's structs may be others. Both get the same inputs, and what they
keep is compared: a row whose indices differ is refused, and the exit status is 1. Then the builds take turns, so that
whatever else the machine does hits both. Milliseconds are CPU time of the whole process in plan_run, the driver's threads
among them, medians; opening the device, planning and a first run, in which shaders are compiled, are left out. A stage that
the old build does not know has a blank there.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SPECS = (
    "pixel-shuffle=factor=2", "avg-pool=factor=2", "adaptive-pool=size=6", "bilinear-pool=factor=2", "fastervlm=keep=25%",
    "fastv=rate=0.5", "visionzip=dominant=54:contextual=10", "prumerge=ratio=0.125", "prumerge-plus=ratio=0.125",
    "vispruner=keep=25%", "tome=r=32", "divprune=keep=25%", "cdpruner=keep=25%", "evs=rate=0.75", "dycoke=rate=0.7",
    "motion=rate=0.75", "fastvid=keep=10%", "flashvid=keep=25%", "prunevid=still=0.8",
    "sparsevlm=keep=25%")
FRAMES = ("evs", "dycoke", "motion", "fastvid", "flashvid", "prunevid")  # need more than one


# ---- the process of one build: a line of JSON in, a line of JSON out ----

def elements(role, s):
    """Of an input, in elements; attention first of all, since its numbers are others."""
    t, n = s["frames"], s["tokens"]
    return {"tokens": t * n * s["dim"], "sizes": t * n, "keys": t * n * s["key_dim"], "queries": t * n * s["key_dim"],
            "cls": t * s["dim"], "cls_attention": t * s["heads"] * n, "text": s["text_rows"] * s["text_dim"],
            "image_embeds": t * n * s["text_dim"], "llm_attention": s["llm_heads"] * t * n, "frame_embeds": t * 1152,
            "received_attention_shallow": t * n, "received_attention_deep": t * n,
            "cls_attention_shallow": t * s["heads"] * n, "text_attention": s["llm_heads"] * s["text_rows"] * t * n,
            "text_keys": s["text_rows"] * s["key_dim"], "attention": t * s["heads"] * n * n}[role]


def make(np, role, sizes, dtype):
    random = np.random.default_rng(len(role) + ord(role[0]))
    count = elements(role, sizes)
    if role == "sizes":
        a = np.ones(count, np.float32)
    elif "attention" in role:    # positive, few large
        a = 5 * random.random(count, np.float32) ** 4 / sizes["tokens"]
    else:
        a = random.random(count, np.float32) + random.random(count, np.float32) - 1
    return a.astype(dtype)


def serve(tree):
    sys.path.insert(0, os.path.join(tree, "tests", "peers"))
    import numpy as np
    import winnow_abi
    library = winnow_abi.Library(os.path.join(tree, "build", "lib", "libwinnow.so"), "gpu", selector="0")
    plan, made = None, {}
    print(json.dumps(library.about), flush=True)
    for line in sys.stdin:
        ask, answer = json.loads(line), {}
        if "spec" in ask:
            sizes, dtype = ask["sizes"], ask["dtype"]
            if plan:
                plan.close()
                plan = None

            class Inputs(dict):
                def __missing__(self, role):
                    key = (role, dtype, tuple(sizes.values()))
                    if key not in made:
                        made[key] = make(np, role, sizes, winnow_abi.NUMPY[dtype])
                    return made[key]
            shape = winnow_abi.Shape(**sizes)
            if hasattr(shape, "frame_dim"):
                shape.frame_dim = 1152
            try:
                plan = winnow_abi.Plan(library, ask["spec"], shape, Inputs(), dtype)
                plan.run()
                indices = plan.rows()[1]
                answer = {"indices": hashlib.sha256(indices.tobytes()).hexdigest()}
            except winnow_abi.Error as error:
                answer = {"error": str(error)}
        else:
            start = time.process_time()
            plan.run()
            answer = {"ms": 1e3 * (time.process_time() - start)}
        print(json.dumps(answer), flush=True)


# ---- the process that asks them ----

class Build:
    def __init__(self, tree, driver):
        wrapper = os.path.join(HERE, "..", "drivers", "with-driver.sh")
        self.child = subprocess.Popen([wrapper, driver, sys.executable, os.path.abspath(__file__), "--serve",
                                       os.path.abspath(tree)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            sys.exit("drivers.py: a build's process ended (its messages are above)")
        return json.loads(line)

    def ask(self, **what):
        self.child.stdin.write(json.dumps(what) + "\n")
        self.child.stdin.flush()
        return self.answer()

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def sizes_of(text):
    frames, side, dim = (int(x) for x in text.split("x"))
    return {"frames": frames, "tokens": side * side, "dim": dim, "grid_h": side, "grid_w": side, "key_dim": 64,
            "heads": 16, "llm_heads": 28, "text_rows": 8, "text_dim": dim}


def measure(builds, spec, sizes, dtype, runs):
    """{build: milliseconds}, or what is wrong."""
    found = {name: build.ask(spec=spec, sizes=sizes, dtype=dtype) for name, build in builds.items()}
    if "error" in found["new"]:
        return None, found["new"]["error"]
    there = [name for name in builds if "error" not in found[name]]
    if len({found[name]["indices"] for name in there}) > 1:
        return None, "the builds keep other tokens"
    times = {name: [builds[name].ask(run=True)["ms"]] for name in there}
    if max(t[0] for t in times.values()) > 2000:
        runs = 2
    for _ in range(runs - 1):
        for name in there:
            times[name].append(builds[name].ask(run=True)["ms"])
    return {name: statistics.median(t) for name, t in times.items()}, None


def number(x):
    return "" if x is None else "%.0f" % x if x >= 100 else "%.1f" % x if x >= 10 else "%.2f" % x


def table(results, drivers, shapes):
    for shape in shapes:
        print("\n### %s\n\n| pipeline | %s |" % (shape.replace("x", " x "), " | ".join("%s | | " % d for d in drivers)))
        print("|---|%s" % ("---:|" * 3 * len(drivers)))
        print("| | %s |" % " | ".join(["before | now | ratio"] * len(drivers)))
        for spec in dict.fromkeys(s for _, h, s in results if h == shape):
            cells = []
            for driver in drivers:
                r = results.get((driver, shape, spec)) or {}
                old, new = r.get("old"), r.get("new")
                cells += [number(old), number(new), "%.1f" % (old / new) if old and new else ""]
            print("| `%s` | %s |" % (spec, " | ".join(cells)))


def main():
    p = argparse.ArgumentParser(usage="drivers.py --old TREE --new TREE [OPTIONS]", epilog="See the file's head.")
    p.add_argument("--serve", help=argparse.SUPPRESS)
    p.add_argument("--old")
    p.add_argument("--new")
    p.add_argument("--drivers", default="lavapipe-22,lavapipe-25,swiftshader")
    p.add_argument("--shapes", default="1x24x1024,32x14x1024")
    p.add_argument("--dtype", default="f32", choices=("f32", "f16"))
    p.add_argument("--spec", action="append")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--json")
    a = p.parse_args()
    if a.serve:
        return serve(a.serve)
    if not a.old or not a.new:
        p.error("--old and --new are needed")
    drivers, shapes, results, refused = a.drivers.split(","), a.shapes.split(","), {}, 0
    for driver in drivers:
        builds = {"old": Build(a.old, driver), "new": Build(a.new, driver)}
        print("%s: %s" % (driver, builds["new"].about["driver"]), file=sys.stderr, flush=True)
        for shape in shapes:
            for spec in a.spec or SPECS:
                sizes = sizes_of(shape)
                if sizes["frames"] == 1 and spec.split("=")[0] in FRAMES:
                    continue
                found, why = measure(builds, spec, sizes, a.dtype, a.runs)
                if why:
                    print("%s %s: %s" % (driver, spec, why), file=sys.stderr, flush=True)
                    refused += 1
                    continue
                results[driver, shape, spec] = found
                print("%s %s %s %s" % (driver, shape, spec, found), file=sys.stderr, flush=True)
        for build in builds.values():
            build.close()
    table(results, drivers, shapes)
    if a.json:
        with open(a.json, "w") as file:
            json.dump([{"driver": d, "shape": h, "spec": s, "dtype": a.dtype, **r} for (d, h, s), r in results.items()],
                      file, indent=1)
    return refused != 0


if __name__ == "__main__":
    sys.exit(main())
