#!/usr/bin/env python3
"""Fails every Vulkan call of `winnow reduce` that can fail, one run for each.

usage: run_faults.py --layer DIR --driver NAME [--models DIR] WINNOW VECTORS

With --models (make_models.py's) it is `winnow encode`, and VECTORS is a folder of pictures.

The layer of this folder (see faults.h) fails the Nth call. Each run must then end with status 1 and
one line on stderr, leave no output file, and have destroyed what it created; or get over it and
write what a clean run writes. Past the last call a run succeeds. A lost device and lying limits
are tried as well. Where there are many calls, every k-th is tried: all of it stays within minutes.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [  # vector, options, most runs
    ("tome-1", [], 400),
    ("evs-1", [], 400),
    ("dycoke-kv-0", [], 400),
    ("divprune-1", ["--disable", "subgroup,storage16,push_descriptor,timeline,host_import"], 60),
    ("prumerge-plus-0", [], 60),
]
PICTURE = "square.png"
ENCODE_CASES = [  # model, options, most runs
    ("clip", ["--taps", "keys:-1", "--pipeline", "fastervlm=keep=50%:layers=1,divprune=keep=4"], 60),
    ("qwen2.5vl.gguf", ["--dtype", "f16"], 40),
]
RESULTS = ["device-memory", "host-memory", "init"]


class Tester:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.TemporaryDirectory()
        self.out = os.path.join(self.folder.name, "out.safetensors")
        self.report = os.path.join(self.folder.name, "report")
        self.wrong = self.runs = self.survived = 0
        self.clean = b""  # what a run without faults writes

    def verb(self, case):
        if self.options.models:
            return ["encode", "--model", os.path.join(self.options.models, case),
                    os.path.join(self.options.vectors, PICTURE)]
        return ["reduce", os.path.join(self.options.vectors, case + ".safetensors")]

    def run(self, case, arguments, **settings):
        """The finished process, and the layer's report as a dictionary of lists."""
        for path in (self.out, self.report):
            if os.path.exists(path):
                os.remove(path)
        env = dict(os.environ, VK_ADD_LAYER_PATH=self.options.layer,
                   VK_INSTANCE_LAYERS="VK_LAYER_WINNOW_faults", WINNOW_FAULT_COUNT_FILE=self.report)
        env.update({"WINNOW_FAULT_" + k.upper(): str(v) for k, v in settings.items()})
        command = [os.path.join(HERE, "..", "drivers", "with-driver.sh"), self.options.driver,
                   self.options.winnow, *self.verb(case), "-o", self.out, "--backend", "gpu",
                   *arguments]
        self.runs += 1
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120,
                              check=False)
        report = {}
        if os.path.exists(self.report):
            with open(self.report, encoding="utf-8") as file:
                for line in file:
                    key, _, rest = line.strip().partition(" ")
                    report.setdefault(key, []).append(rest)
        return done, report

    def complain(self, case, settings, what):
        self.wrong += 1
        print(f"{case} {settings}: {what}", flush=True)

    def written(self):
        with open(self.out, "rb") as file:
            return file.read()

    def check(self, case, arguments, **settings):
        done, report = self.run(case, arguments, **settings)
        struck = report.get("failed", ["nothing"])[0]
        where = f"{settings}, {struck} failed"
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = done.stderr.strip()[:300]
        if done.returncode == 0:
            self.survived += struck != "nothing"
            if self.written() != self.clean:
                self.complain(case, where, "it went on and wrote something else")
        elif done.returncode != 1:
            self.complain(case, where, f"exit status {done.returncode}: {said}")
        elif len(lines) != 1 or not lines[0].startswith("winnow: "):
            self.complain(case, where, f"{len(lines)} lines on stderr: {said}")
        elif os.path.exists(self.out):
            self.complain(case, where, "it left an output file")
        for key in ("leaked", "misuse"):
            if key in report:
                self.complain(case, where, f"{key}: {', '.join(report[key])}")
        return report


def fail_each(tester, case, arguments, most):
    done, report = tester.run(case, arguments)
    if done.returncode or "leaked" in report or "misuse" in report or "calls" not in report:
        what = f"a clean run: status {done.returncode}, {report}, {done.stderr.strip()}"
        return tester.complain(case, {}, what)
    tester.clean = tester.written()
    calls = int(report["calls"][0])
    step = -(-calls // most)
    for n in range(1, calls + 1, step):
        tester.check(case, arguments, nth=n, result=RESULTS[n % len(RESULTS)])
    after = tester.check(case, arguments, nth=calls + 1)
    if "failed" in after:
        tester.complain(case, {}, f"call {calls + 1} struck, though a clean run has {calls}")
    print(f"{case}: {calls} calls, every {step} failed; {tester.survived} runs so far got over it",
          flush=True)


def lose_and_lie(tester, case):
    tester.run(case, [])
    tester.clean = tester.written()
    for n in (1, 2, 3):
        tester.check(case, [], nth=n, result="lost")
    for limits in ("noncoherent", "discrete", "noncoherent,discrete"):
        done, report = tester.run(case, [], limits=limits)
        if done.returncode or "leaked" in report or "misuse" in report:
            what = f"status {done.returncode}, {report}, {done.stderr.strip()[:300]}"
            tester.complain(case, limits, what)
        elif tester.written() != tester.clean:
            tester.complain(case, limits, "it wrote something else")
    tester.check(case, [], limits="heapSize=100000")


def fail_cache(tester, case):
    """The file of pipelines: a driver that does not give or take its data costs a warning, no more."""
    cache = os.path.join(tester.folder.name, "pipelines")
    options = ["--cache", cache]
    tester.run(case, options)
    tester.clean = tester.written()
    for call, nth, says, there in (("vkCreatePipelineCache", 2, "the driver does not take it", True),
                                   ("vkGetPipelineCacheData", 1, "the driver does not give it", False),
                                   ("vkGetPipelineCacheData", 2, "the driver does not give it", False),
                                   ("vkGetPipelineCacheData", 3, "", True)):
        if call == "vkGetPipelineCacheData":  # asked for where something is to be written
            pathlib.Path(cache).unlink(missing_ok=True)
        done, report = tester.run(case, options, call=call, nth=nth, result="host-memory")
        settings = f"{call} {nth}"
        lines = done.stderr.splitlines()
        if done.returncode or tester.written() != tester.clean:
            tester.complain(case, settings, f"status {done.returncode}, or another answer")
        if ("failed" in report) != bool(says) or len(lines) != bool(says) or (
                says and not (lines[0].startswith("winnow: cache: ") and says in lines[0])):
            tester.complain(case, settings, f"not one warning: {done.stderr.strip()[:300]}")
        if "leaked" in report or os.path.exists(cache) != there:
            tester.complain(case, settings, "a leak, or a file where none should be, or none")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2])
    parser.add_argument("--layer", required=True)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--models")
    parser.add_argument("winnow")
    parser.add_argument("vectors")
    tester = Tester(parser.parse_args())
    cases = ENCODE_CASES if tester.options.models else CASES
    for case, arguments, most in cases:
        fail_each(tester, case, arguments, most)
    if not tester.options.models:
        fail_cache(tester, "evs-1")
    lose_and_lie(tester, "clip" if tester.options.models else "evs-1")
    print(f"{tester.runs} runs, {tester.wrong} not as they should be")
    sys.exit(1 if tester.wrong else 0)


if __name__ == "__main__":
    main()
