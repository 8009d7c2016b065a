#!/usr/bin/env python3
"""Dispatches, barriers, submissions, recordings and planned bytes of every stage, from `winnow bench --quick --json`, against the pinned ones.

usage: check_counters.py WINNOW PINNED.json [--write]

What cannot be timed in a test can be counted: a change here is a decision, made with --write and seen in the diff.
"""
import json
import subprocess
import sys

COUNTERS = ("rows", "dispatches", "barriers", "submissions", "recorded", "floor_bytes", "workspace_bytes")


def counted(row):
    """Its counters; or why it has none, pinned too: a stage that stops running is a change like any other."""
    if "skipped" in row:
        return {"skipped": row["skipped"]}
    return {name: row[name] for name in COUNTERS}


def measure(exe):
    out = subprocess.run([exe, "bench", "--quick", "--json", "--no-cpu", "--backend", "gpu"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    results = json.loads(out)["results"]
    return {"%s | %s | %s" % (r["pipeline"], "x".join(map(str, r["shape"])), r["dtype"]):
            counted(r) for r in results if "shape" in r}  # a decode step has no shape, and its own counters


def main():
    exe, path = sys.argv[1:3]
    got = measure(exe)
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(got, file, indent=1)
            file.write("\n")
        return 0
    with open(path, encoding="utf-8") as file:
        want = json.load(file)
    bad = 0
    for case in sorted(set(want) | set(got)):
        if want.get(case) != got.get(case):
            bad += 1
            print("%s: pinned %s, measured %s" % (case, want.get(case), got.get(case)))
        elif got[case].get("submissions", 1) != 1:
            bad += 1
            print("%s: %d submissions, and a pipeline is one" % (case, got[case]["submissions"]))
        elif got[case].get("recorded", 1) != 1:
            bad += 1
            print("%s: commands recorded %d times for runs of one shape" % (case, got[case]["recorded"]))
    print("%d passed, %d failed" % (len(got) - bad, bad))
    return 1 if bad or not got else 0


if __name__ == "__main__":
    sys.exit(main())
