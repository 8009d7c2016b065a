#!/usr/bin/env python3
"""Times the reduction methods beside their authors' PyTorch code, in one run on the same inputs.

usage: stages.py --winnow FILE [OPTIONS]      (python3, numpy, torch)

  --winnow FILE     the built library, such as build/lib/libwinnow.so
  --device cpu|cuda PyTorch's; default cpu. cuda: CUDA events, inputs and outputs on the GPU
  --backend cpu|gpu Winnow's; default as --device. gpu: GPU timestamps of the whole pipeline
  --select NAME     Winnow's device, by a part of its name; default with cuda: the GPU that PyTorch names
  --threads N       of both; default all processors. Both are kept to so many processors
  --disable LIST    device features that Winnow is not to use (threads, avx512, avx2, fp16...)
  --clock wall|cpu  cpu: CPU time of the process, for machines that do other work; default wall
  --stage NAME      may be given several times; default: all
  --dtype LIST      f32, f16, bf16; default f32
  --shapes LIST     image, large-image, video, long-video; default the first three
  --large           long-video too
  --quick           small shapes, seconds in all
  --seed N          of the inputs; default 1
  --json FILE       everything that was measured
  --markdown        the table in markdown

Each function of torch_methods.py computes what its official file computes, operation by operation.

First the results are compared: the same tokens kept (for tome, divprune and cdpruner in the same order too), values
within 2e-4 of the largest; for f16 and bf16, where Winnow computes in f32, with PyTorch's f32 result of the same
inputs, values within the type's rounding. A row that differs is refused: a line says why, it is not timed, and the exit
status is 1. vispruner is in f16 and bf16 at the larger shapes: inputs rounded to these types leave it scores that
differ in the last bits of f32 (exact_inputs.py), and its later rounds follow from every one of them.

Then both are timed: a warm-up, then medians of 5 to 25 runs, of 2 where one takes over 2 s; where one takes over 20 s
it is the only one. PyTorch's times are of the call from tensors to tensors, with the memory that it takes for them,
Winnow's of plan_run from host memory to host memory (gpu: timestamps around the pipeline's operations: as PyTorch's
tensors, inputs and outputs lie on the device, and copies from and to the host are in neither time). `in common`: the share of kept tokens that are
the same where PyTorch computes in the narrow type itself. Floor: inputs read once, outputs written once; in brackets
its share of what the device copies in Winnow's time (--clock wall alone). With --clock wall and --backend cpu the CPU
time of all threads is told beside. On a busy machine, of which a warning tells, take --threads 1 --clock cpu: PyTorch's
threads wait for each other.
"""
import argparse
import json
import os
import statistics
import sys
import time

import numpy as np
import torch

import exact_inputs
import winnow_abi
from torch_methods import METHODS, OVER_FRAMES

HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = os.path.join(HERE, "..", "..", "plugin", "include")
SHAPES = {  # frames, side of the grid, channels: those of `winnow bench`
    "image": (1, 24, 1024), "large-image": (1, 48, 1152), "video": (32, 14, 3584), "long-video": (128, 14, 3584),
    "quick-image": (1, 12, 64), "quick-video": (6, 10, 64)}
PLACES = {"cpu": "cpu", "cuda": "cuda"}  # where PyTorch's tensors lie
TORCH = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
APART_MOST = {"f32": 2e-4, "f16": 2e-3, "bf16": 1.6e-2}


def say(text):
    print(text, file=sys.stderr, flush=True)


def stop(text):
    sys.exit("stages.py: " + text)


# ---- inputs ----

def shape_of(name):
    frames, side, dim = SHAPES[name]
    return winnow_abi.Shape(frames=frames, tokens=side * side, dim=dim, grid_h=side, grid_w=side, key_dim=64, heads=16,
                            llm_heads=28, text_rows=8, text_dim=512)


def to_torch(arrays, dtype, device, grid):
    """Tensors of the same numbers, and the grid."""
    out = {}
    for role, a in arrays.items():
        t = torch.from_numpy(a.view(np.int16)).view(torch.bfloat16) if dtype == "bf16" else torch.from_numpy(a)
        out[role] = t.to(PLACES[device])
    return {**out, "grid": grid}


def widened(tensors):
    return {k: v.float() if isinstance(v, torch.Tensor) else v for k, v in tensors.items()}


# ---- comparison ----

def winnow_places(indices, n):
    """indices as torch_methods gives places: a pooled rest half a place behind its frame."""
    places = indices.astype(np.float64)
    for row in np.flatnonzero(indices == -2):
        places[row] = (np.floor(places[row - 1] / n) + 1) * n - 0.5 if row else n - 0.5
    return places


def wide_rows(rows, dtype):
    if dtype == "bf16":
        return (rows.astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float32)


def difference(plan, found, n, dtype):
    """What differs between Winnow's last run and a method's result, or "" and how far the values are apart."""
    rows, indices = plan.rows()
    rows, places = wide_rows(rows, dtype), winnow_places(indices, n)
    theirs = found[1]()
    order = np.argsort(theirs, kind="stable")
    if len(places) != len(theirs):
        return "%d rows, PyTorch %d" % (len(places), len(theirs)), None
    if not np.array_equal(places, theirs[order]):
        return "%d of %d rows are of other tokens" % (len(np.setdiff1d(places, theirs)), len(places)), None
    want = found[0].reshape(len(theirs), -1).float().cpu().numpy()[order]
    apart = float(np.abs(rows - want).max() / np.abs(want).max())
    return ("" if apart <= APART_MOST[dtype] else "values are %.1e apart" % apart), apart


def order_difference(plan, found):
    want, places = found[-1](), plan.rows()[1].astype(np.float64)
    wrong = np.flatnonzero(places != want)
    return "the order differs from row %d on" % wrong[0] if len(wrong) else ""


def compare(case, plan, function, options):
    """(what differs or "", values apart, share in common)."""
    f32, n = case.dtype == "f32", case.shape.tokens
    found = function(case.tensors if f32 else widened(case.tensors), options)
    plan.run()
    wrong, apart = difference(plan, found, n, case.dtype)
    if not wrong and METHODS[case.stage][2]:
        ordered = winnow_abi.Plan(case.library, case.spec, case.shape, case.arrays, case.dtype, winnow_abi.ORDER_METHOD)
        ordered.run()
        wrong = order_difference(ordered, found)
        ordered.close()
    common = 1.0
    if not f32 and not wrong:
        places = winnow_places(plan.rows()[1], n)
        common = float(np.isin(function(case.tensors, options)[1](), places).mean())
    return wrong, apart, common


# ---- time ----

class Clock:
    """Milliseconds of a call by the wall or of the process's CPUs; on CUDA by events."""

    def __init__(self, kind, device):
        self.now = time.process_time if kind == "cpu" else time.perf_counter
        self.events = kind == "wall" and device == "cuda"

    def of(self, call):
        """(milliseconds, CPU milliseconds of all threads)."""
        cpu = time.process_time()
        if self.events:
            ends = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            torch.cuda.synchronize()
            ends[0].record()
            call()
            ends[1].record()
            torch.cuda.synchronize()
            ms = ends[0].elapsed_time(ends[1])
        else:
            start = self.now()
            call()
            ms = 1e3 * (self.now() - start)
        return ms, 1e3 * (time.process_time() - cpu)


def runs_for(ms):
    return 1 if ms > 20000 else 2 if ms > 2000 else int(min(25, max(5, 500 / ms)))


def measure(one):
    """(median of one() over enough runs, all of them, the median of their CPU times)."""
    first = one()
    if first[0] > 20000:
        return first[0], [first[0]], first[1]
    times = [one()]
    times += [one() for _ in range(runs_for(times[0][0]) - 1)]
    all_ms = [ms for ms, _ in times]
    return statistics.median(all_ms), all_ms, statistics.median(cpu for _, cpu in times)


def time_both(args, case, plan, function, options):
    peer_clock, own_clock = Clock(args.clock, args.device), Clock(args.clock, "cpu")
    stamped = args.backend == "gpu" and args.clock == "wall"

    def ours():
        ms, cpu = own_clock.of(plan.run)
        if stamped and not plan.result.gpu_ns:
            raise winnow_abi.Error("this device gives no timestamps, so there is no GPU time")
        return plan.result.gpu_ns * 1e-6 if stamped else ms, cpu
    peer_ms, all_peer, peer_cpu = measure(lambda: peer_clock.of(lambda: function(case.tensors, options)))
    own_ms, all_own, own_cpu = measure(ours)
    return {"peer_ms": peer_ms, "winnow_ms": own_ms, "ratio": peer_ms / own_ms, "all_peer_ms": all_peer,
            "all_winnow_ms": all_own, "peer_cpu_ms": peer_cpu, "winnow_cpu_ms": own_cpu}


def torch_bandwidth(args):
    """Bytes a second of a copy by PyTorch, read and written."""
    clock, n = Clock("wall", args.device), 1 << 26
    source = torch.zeros(n, dtype=torch.float32, device=PLACES[args.device])
    target = torch.ones_like(source)
    target.copy_(source)
    ms = statistics.median(clock.of(lambda: target.copy_(source))[0] for _ in range(9))
    return 2 * 4 * n / (ms * 1e-3)


class Case:
    """A stage at a shape and type."""

    def __init__(self, library, stage, shape_name, shape, dtype, arrays, tensors):
        self.library, self.stage, self.shape_name, self.shape = library, stage, shape_name, shape
        self.dtype, self.arrays, self.tensors = dtype, arrays, tensors
        self.spec = stage + "=" + METHODS[stage][1]

    def name(self):
        return "%s at %d x %d x %d %s" % (self.spec, self.shape.frames, self.shape.tokens, self.shape.dim, self.dtype)


def bench(args, case):
    """A result; "refused" in it says why there are no times."""
    function, text, _ = METHODS[case.stage]
    options = dict(pair.split("=") for pair in text.split(":"))
    result = {"stage": case.stage, "spec": case.spec, "dtype": case.dtype, "shape_name": case.shape_name,
              "shape": [case.shape.frames, case.shape.tokens, case.shape.dim]}
    try:
        plan = winnow_abi.Plan(case.library, case.spec, case.shape, case.arrays, case.dtype)
        wrong, apart, common = compare(case, plan, function, options)
    except (winnow_abi.Error, RuntimeError) as error:  # an operation that PyTorch lacks for the type, or memory
        return {**result, "refused": str(error).splitlines()[0]}
    if wrong:
        plan.close()
        return {**result, "refused": wrong}
    result.update(apart=apart, common=common, rows=plan.result.rows, dispatches=plan.result.dispatches,
                  floor_bytes=plan.info.floor_bytes)
    try:
        result.update(time_both(args, case, plan, function, options))
    except (winnow_abi.Error, RuntimeError) as error:
        result["refused"] = str(error).splitlines()[0]
    plan.close()
    if args.bandwidth and "refused" not in result:
        result["floor_share"] = plan.info.floor_bytes / (result["winnow_ms"] * 1e-3) / args.bandwidth
    return result


def bench_shape(args, library, shape_name):
    shape, results = shape_of(shape_name), []
    made = exact_inputs.make(shape, args.seed)
    for dtype in args.dtype:
        arrays = {role: exact_inputs.narrow(a, dtype) for role, a in made.items()}
        tensors = to_torch(arrays, dtype, args.device, (shape.grid_h, shape.grid_w))
        for stage in args.stage or METHODS:
            if stage in OVER_FRAMES and shape.frames == 1:
                continue
            case = Case(library, stage, shape_name, shape, dtype, arrays, tensors)
            result = bench(args, case)
            results.append(result)
            if "refused" in result:
                say("REFUSED: %s: %s" % (case.name(), result["refused"]))
            else:
                say("%s: %.3f and %.3f ms" % (case.name(), result["peer_ms"], result["winnow_ms"]))
    return results


# ---- the table ----

def figure(ms):
    return "%.2f" % ms if ms < 10 else "%.1f" % ms if ms < 100 else "%.0f" % ms


def cells(r, cpu):
    share = " (%.1f%%)" % (100 * r["floor_share"]) if "floor_share" in r else ""
    common = [] if r["dtype"] == "f32" else [" %.0f%% in common" % (100 * r["common"])]
    return ["`%s`" % r["spec"], "%d x %d x %d" % tuple(r["shape"]), r["dtype"] + "".join(common),
            figure(r["peer_ms"]), figure(r["winnow_ms"]), "%.2f" % r["ratio"], "%d" % r["dispatches"],
            "%.1f%s" % (r["floor_bytes"] / 1e6, share)] + (
                [figure(r["peer_cpu_ms"]), figure(r["winnow_cpu_ms"])] if cpu else [])


def print_table(results, markdown, cpu):
    """cpu: with CPU times beside."""
    head = ["pipeline", "shape", "dtype", "PyTorch ms", "Winnow ms", "PyTorch / Winnow", "dispatches", "floor MB"]
    head += ["PyTorch CPU ms", "Winnow CPU ms"] if cpu else []
    table = [head] + [cells(r, cpu) for r in results if "refused" not in r]
    if markdown:
        table.insert(1, ["---"] * 3 + ["---:"] * (len(head) - 3))
        print("\n".join("| " + " | ".join(row) + " |" for row in table))
        return
    widths = [max(len(row[k]) for row in table) for k in range(len(head))]
    for row in table:
        print("  ".join(cell.ljust(w) if k < 3 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths))))


# ---- the command ----

def split_list(text, known, what):
    names = text.split(",")
    for name in names:
        if name not in known:
            stop("no %s %s (%s)" % (what, name, ", ".join(known)))
    return names


def read_args():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1], add_help=False)
    p.add_argument("--winnow")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--backend", choices=("cpu", "gpu"))
    p.add_argument("--select", default="")
    p.add_argument("--threads", type=int)
    p.add_argument("--disable", default="")
    p.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    p.add_argument("--stage", action="append", choices=list(METHODS))
    p.add_argument("--dtype", default="f32")
    p.add_argument("--shapes", default="image,large-image,video")
    p.add_argument("--large", action="store_true")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--json")
    p.add_argument("--markdown", action="store_true")
    p.add_argument("--help", "-h", action="store_true")
    args = p.parse_args()
    if args.help:
        sys.exit(print(__doc__.strip()))
    if not args.winnow:
        stop("--winnow is needed (see --help)")
    if args.device == "cuda":
        check_cuda(args)
    args.backend = args.backend or {"cpu": "cpu", "cuda": "gpu"}[args.device]
    args.dtype = split_list(args.dtype, TORCH, "dtype")
    shapes = "quick-image,quick-video" if args.quick else args.shapes + (",long-video" if args.large else "")
    args.shapes = list(dict.fromkeys(split_list(shapes, SHAPES, "shape")))
    set_threads(args)
    return args


def check_cuda(args):
    if args.clock == "cpu":
        stop("--clock cpu counts no GPU's time (leave it out)")
    if not torch.version.cuda:
        stop("PyTorch %s was built without CUDA (install one with)" % torch.__version__)
    if not torch.cuda.is_available():
        stop("PyTorch %s finds no CUDA device (nvidia-smi tells whether the driver does)" % torch.__version__)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # f32 is f32 on both sides
    args.select = args.select or torch.cuda.get_device_name()


def set_threads(args):
    """Plain C takes one thread or one for each processor that it may use, so these are made fewer."""
    may_use = sorted(os.sched_getaffinity(0))
    off = [name for name in args.disable.split(",") if name]
    args.threads = args.threads or (1 if "threads" in off else len(may_use))
    if args.threads < 1 or args.threads > len(may_use):
        stop("--threads %d: this process may use %d processors" % (args.threads, len(may_use)))
    if args.backend == "cpu" and args.threads == 1 and "threads" not in off:
        off.append("threads")
    if args.backend == "cpu" and args.threads > 1 and "threads" in off:
        stop("plain C takes one thread without threads (--threads %d, --disable threads)" % args.threads)
    args.disable = ",".join(off)
    if args.backend == args.device == "cpu" and args.threads > 1:
        os.sched_setaffinity(0, may_use[:args.threads])
    torch.set_num_threads(args.threads)


def check_same_device(args, library):
    if args.device == "cuda" and torch.cuda.get_device_name() not in library.about["device"]:
        library.close()
        stop("Winnow would run on %s, PyTorch on %s (--select; is the GPU's Vulkan driver installed?)" % (
            library.about["device"], torch.cuda.get_device_name()))


def check_abi():
    try:
        wrong = winnow_abi.check_header(INCLUDE)
    except OSError as error:
        return say("the structs were not compared with winnow.h: %s" % error)
    if wrong:
        stop("winnow_abi.py and winnow.h differ: " + "; ".join(wrong))


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return "%d x %s" % (os.cpu_count(), names[0] if names else "unknown")


def warn_if_busy(args):
    load = os.getloadavg()[0]
    if args.clock == "wall" and args.backend == "cpu" and load > 0.3:
        say("stages.py: warning: the machine does other work (load %.1f), which --clock wall counts too" % load)
    return load


def main():
    args = read_args()
    check_abi()
    load = warn_if_busy(args)
    try:
        library = winnow_abi.Library(args.winnow, args.backend, args.disable, args.select)
    except (winnow_abi.Error, OSError) as error:
        stop(str(error))
    check_same_device(args, library)
    args.bandwidth = library.bandwidth() if args.clock == "wall" else 0
    about = {**library.about, "backend": args.backend, "torch": torch.__version__, "torch_device": args.device,
             "torch_name": torch.cuda.get_device_name() if args.device == "cuda" else "CPU", "processor": processor(),
             "threads": args.threads, "clock": args.clock, "seed": args.seed, "load": load,
             "date": time.strftime("%Y-%m-%d %H:%M"), "copy_bytes_per_second": args.bandwidth}
    if args.clock == "wall":
        about["torch_copy_bytes_per_second"] = torch_bandwidth(args)
    say(", ".join("%s %s" % pair for pair in about.items()))
    with torch.inference_mode():
        results = [r for name in args.shapes for r in bench_shape(args, library, name)]
    library.close()
    if args.json:
        with open(args.json, "w") as file:
            json.dump({**about, "results": results}, file, indent=1)
    print_table(results, args.markdown, args.clock == "wall" and args.backend == args.device == "cpu")
    sys.exit(1 if any("refused" in r for r in results) else 0)


if __name__ == "__main__":
    main()
