#!/usr/bin/env python3
"""The numbers of `winnow stages --figures`, from a bench and from answers.

usage: stage_figures.py --bench BENCH.json --answers FIGURES.md --machine TEXT [-o stage_figures.def] [--readme README.md]
       (python3, nothing else)

BENCH.json: `winnow bench --json --backend cpu --dtype f32`. FIGURES.md: docs/figures.md, whose table of answers
samples/video_qa/evaluate/answers.sh makes. A stage's answers are those of the best pipeline of that stage alone, or behind
`flatten`, that leaves a quarter (20 to 28%) and a tenth (8 to 12.5%) of the tokens. --readme writes the same numbers into
the last two columns of its table of methods.
"""
import argparse
import collections
import json
import re

IMAGE, VIDEO = (1, 576, 1024), (32, 196, 3584)
QUARTER, TENTH = (0.2, 0.28), (0.08, 0.125)


def times(path):
    """{stage: {shape: ms}}"""
    found = collections.defaultdict(dict)
    with open(path, encoding="utf-8") as file:
        for row in json.load(file)["results"]:
            shape = tuple(row.get("shape", ()))
            if row["dtype"] == "f32" and row.get("wall_ms"):
                found[row["stage"]][shape] = row["wall_ms"]
    return found


def answers(path):
    """[(pipeline, share of the tokens, right in percent)] of the table's rows."""
    with open(path, encoding="utf-8") as file:
        rows = re.findall(r"^\| `([^`]+)` \| ([0-9.]+)% \| [^|]* \| (\d+) of (\d+) \|", file.read(), re.M)
    return [(spec, int(left) / int(of), float(right)) for spec, right, left, of in rows]


def stage_of(spec):
    """The one stage of a pipeline beside flatten, or None."""
    names = [part.split("=")[0].strip() for part in spec.removeprefix("llm:").removeprefix("hidden:").split(",")]
    names = names[1:] if names[0] == "flatten" and len(names) > 1 else names
    if names[0].rstrip("%").isdigit():
        return "budget"
    return names[0] if len(names) == 1 else None


def best(table, stage, share):
    """(right in percent, pipeline), or None."""
    fits = [(right, -len(spec), spec) for spec, left, right in table
            if stage_of(spec) == stage and share[0] <= left <= share[1]]
    return (max(fits)[0], max(fits)[2]) if fits else None


def short(ms):
    return "-" if not ms else f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def write_def(path, machine, everything, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.write("/* Made by stage_figures.py: stage, ms of an image, ms of a video, right answers at a quarter of the\n"
                  " * tokens in percent, the pipeline, the same at a tenth. */\n"
                  f'MACHINE("{machine}")\nALL({everything:.1f})\n')
        for stage, (ms, answered) in rows.items():
            right = ", ".join(f'{a[0]:.1f}, "{a[1]}"' if a else "0, 0" for a in answered)
            out.write(f'FIGURES("{stage}", {", ".join(f"{m:.3g}" if m else "0" for m in ms)}, {right})\n')


def write_readme(path, rows):
    """The last two columns of the rows that begin with a stage; what a row has in common with several is the first's."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for i, line in enumerate(lines):
        found = re.match(r"\| `([a-z0-9-]+)[^|]*(\|[^|]*){4}\|", line)
        if found and found.group(1) in rows:
            ms, answered = rows[found.group(1)]
            lines[i] = (f"{found.group(0)} {short(ms[0])} / {short(ms[1])} | "
                        f"{' / '.join(f'{a[0]:.1f}' if a else '-' for a in answered)} |")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--answers", required=True)
    parser.add_argument("--machine", required=True)
    parser.add_argument("-o", default="stage_figures.def")
    parser.add_argument("--readme")
    args = parser.parse_args()
    ms, table = times(args.bench), answers(args.answers)
    everything = next(right for spec, _, right in table if spec == "none")
    stages = sorted(set(ms) | {stage_of(spec) for spec, _, _ in table} - {None, "none", "random", "uniform"})
    rows = {stage: ([ms[stage].get(s) if stage in ms else None for s in (IMAGE, VIDEO)],
                    [best(table, stage, share) for share in (QUARTER, TENTH)]) for stage in stages}
    write_def(args.o, args.machine, everything, rows)
    if args.readme:
        write_readme(args.readme, rows)


if __name__ == "__main__":
    main()
