#!/usr/bin/env python3
"""stages.py without an NVIDIA GPU: what it refuses, and its way with CUDA on stand-ins.

usage: with-driver.sh DRIVER check_peers.py LIBRARY      (python3, numpy, torch)

In CUDA's place the tensors lie on the CPU and events go by the clock; Winnow runs on the Vulkan driver, which has to
give timestamps. So all of stages.py runs but for CUDA itself.
"""
import contextlib
import io
import json
import os
import sys
import tempfile
import time

import torch

import stages
import winnow_abi

sys.path.insert(0, os.path.join(stages.HERE, os.pardir, "tools"))
from tally import check, finish

LIBRARY = sys.argv[1]


class Event:
    """torch.cuda.Event by the clock."""
    made = 0

    def __init__(self, enable_timing):
        assert enable_timing
        Event.made += 1

    def record(self):
        self.at = time.perf_counter()

    def elapsed_time(self, end):
        return 1e3 * (end.at - self.at)


def stand_in(name):
    torch.version.cuda = "stand-in"
    torch.cuda.is_available = lambda: True
    torch.cuda.get_device_name = lambda: name
    torch.cuda.synchronize = lambda: None
    torch.cuda.Event = Event
    stages.PLACES["cuda"] = "cpu"


def run(*words):
    """(exit status, what was said, the JSON file or None)."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as room:
        path = os.path.join(room, "out.json")
        sys.argv = ["stages.py", "--winnow", LIBRARY, "--json", path, *words]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                stages.main()
                code = 0
            except SystemExit as end:
                code = end.code
        if isinstance(code, str):  # sys.exit(text) prints it and exits with 1
            said.write(code)
            code = 1
        if not os.path.exists(path):
            return code, said.getvalue(), None
        with open(path) as file:
            return code, said.getvalue(), json.load(file)


def refused(words, why):
    code, said, out = run(*words)
    check(code == 1 and out is None and why in said, "%s: exit status %s, %r" % (" ".join(words), code, said))


def refusals():
    have = len(os.sched_getaffinity(0))
    refused(["--dtype", "f64"], "no dtype f64")
    refused(["--shapes", "picture"], "no shape picture")
    refused(["--threads", str(have + 1)], "this process may use %d processors" % have)
    refused(["--threads", "2", "--disable", "threads"], "one thread" if have > 1 else "1 processors")
    refused(["--device", "cuda", "--clock", "cpu"], "counts no GPU's time")
    if not torch.cuda.is_available():
        refused(["--device", "cuda"], "CUDA")


def whole(out):
    """28 rows a type: 13 stages of a picture, 15 of frames."""
    good = [r for r in out["results"] if "refused" not in r and r["winnow_ms"] > 0 and r["peer_ms"] > 0]
    return len(good) == len(out["results"]) == 28 * len({r["dtype"] for r in out["results"]})


def with_cuda(name):
    refused(["--device", "cuda"], "No Such GPU")
    stand_in("Another GPU")
    refused(["--device", "cuda", "--select", name], "Winnow would run on " + name)
    stand_in(name)
    code, said, out = run("--device", "cuda", "--quick", "--dtype", "f32,f16")
    check(code == 0 and out and whole(out), "as with CUDA: exit status %s, %s" % (code, said))
    check(out and out["backend"] == "gpu" and out["device"] == out["torch_name"] == name, "not one device: %s" % said)
    check(out and out["copy_bytes_per_second"] > 0 < out["torch_copy_bytes_per_second"], "no copy rate: %s" % said)
    check(out and all(r["floor_share"] > 0 for r in out["results"]), "no shares of the floor: %s" % said)
    check(Event.made > 28 * 2 * 2 * 5, "timed by %d events" % Event.made)
    code, said, out = run("--device", "cuda", "--quick", "--stage", "evs", "--disable", "timestamps")
    check(code == 1 and out and all("no timestamps" in r["refused"] for r in out["results"]),
          "without timestamps: exit status %s, %s" % (code, said))


def main():
    refusals()
    library = winnow_abi.Library(LIBRARY, "gpu")
    name = library.about["device"]
    library.close()
    stand_in("No Such GPU")
    with_cuda(name)
    stages.PLACES["cuda"] = "cuda"
    finish()


if __name__ == "__main__":
    main()
