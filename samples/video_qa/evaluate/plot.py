#!/usr/bin/env python3
"""A table and a plot of what winnow-evaluate wrote.

usage: plot.py RESULTS.jsonl [RESULTS.jsonl ...] [--table TABLE.md] [--plot PLOT.svg] [--lines METHOD ...]
       [--title TEXT]      (python3, nothing else)

The table (default: standard output) has a row for each pipeline: accuracy with its 95% interval (Wilson), visual
tokens, time to first token, bytes of KV cache, and then accuracy by type. The plot shows accuracy against visual
tokens, which double from mark to mark: a line for each method (--lines: for these alone, as "budget" or "flatten +
vispruner"), dashed for those that look at nothing (random, uniform), and a level for `none`.
"""
import argparse
import collections
import json
import math
import statistics
import sys

BLIND = ("random", "uniform")
COLOURS = ["#1b6ca8", "#d1495b", "#2e8b57", "#8e5ea2", "#c77d0a", "#3b3b98", "#008080", "#a0522d"]
GREY, INK, FAINT = "#8a8f98", "#22262e", "#e3e6ea"


def wilson(right, n, z=1.96):
    """The 95% interval of a share."""
    p, d = right / n, 1 + z * z / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / d, (middle + half) / d


class Pipeline:
    """All answers with one pipeline."""

    def __init__(self, spec, rows):
        self.spec, self.rows = spec, rows
        self.n, self.right = len(rows), sum(r["right"] for r in rows)
        self.share = self.right / self.n
        self.low, self.high = wilson(self.right, self.n)
        self.tokens = statistics.fmean(r["tokens"] for r in rows)
        self.before = statistics.fmean(r["tokens_before"] for r in rows)
        self.first = statistics.median(r["ttft_ms"] for r in rows)
        self.prefill = statistics.median(r["prefill_ms"] + r["question_ms"] for r in rows)
        self.kv = statistics.fmean(r["kv_bytes"] for r in rows)

    def by_type(self):
        table = collections.defaultdict(list)
        for r in self.rows:
            table[r["type"]].append(r["right"])
        return table

    def method(self):
        """What is the same along a line of the plot: the stages, without how much they keep."""
        return " + ".join(part.split("=")[0].strip() for part in self.spec.split(","))


def read(paths):
    rows = collections.defaultdict(list)
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                    rows[row["pipeline"]].append(row)
                except (ValueError, KeyError, TypeError):
                    sys.exit("plot.py: %s: line %d is none of winnow-evaluate's" % (path, number))
    if not rows:
        sys.exit("plot.py: there are no answers in %s" % ", ".join(paths))
    return [Pipeline(spec, r) for spec, r in rows.items()]


def kilobytes(n):
    return "%.0f KiB" % (n / 1024) if n < 1 << 20 else "%.1f MiB" % (n / (1 << 20))


def table(pipelines):
    types = sorted({t for p in pipelines for t in p.by_type()})
    head = "| pipeline | right | 95% | visual tokens | first token | of it LLM | KV cache | "
    lines = [head + " | ".join(types) + " |",
             "|---|---|---|---|---|---|---|" + "---|" * len(types)]
    for p in sorted(pipelines, key=lambda p: (-p.tokens, p.spec)):
        cells = ["`%s`" % p.spec, "%.1f%%" % (100 * p.share), "%.1f–%.1f" % (100 * p.low, 100 * p.high),
                 "%.0f of %.0f" % (p.tokens, p.before), "%.1f ms" % p.first, "%.1f ms" % p.prefill, kilobytes(p.kv)]
        seen = p.by_type()
        for t in types:
            if t not in seen:
                cells.append("")
                continue
            low, high = wilson(sum(seen[t]), len(seen[t]))
            cells.append("%.0f (%.0f–%.0f)" % (100 * sum(seen[t]) / len(seen[t]), 100 * low, 100 * high))
        lines.append("| " + " | ".join(cells) + " |")
    asked = sum(p.n for p in pipelines)
    lines += ["", "%d answers, %d a pipeline; by type in percent with the 95%% interval. Times are medians: from the "
              "frames to the first token, and what the language model takes of that." % (asked, pipelines[0].n)]
    return "\n".join(lines) + "\n"


# ---- the plot ----

WIDTH, HEIGHT = 960, 560
LEFT, RIGHT, TOP, BOTTOM = 76, 232, 64, 66


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def steps(low, high, most):
    """Round numbers from low to high, at most `most` of them."""
    size = 10 ** math.floor(math.log10(max(high - low, 1e-9)))
    for factor in (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10):
        step = size * factor
        if (high - low) / step <= most:
            break
    first = math.ceil(low / step - 1e-9)
    return [first * step + i * step for i in range(int((high - first * step) / step + 1e-9) + 1)]


class Plot:
    def __init__(self, pipelines):
        self.whole = [p for p in pipelines if p.method() == "none"]
        self.lines = collections.defaultdict(list)
        for p in pipelines:
            if p.method() != "none":
                self.lines[p.method()].append(p)
        self.most = max(p.before for p in pipelines) * 1.1
        self.least = min(p.tokens for p in pipelines) / 1.25
        low, high = min(p.low for p in pipelines), max(p.high for p in pipelines)
        margin = max(0.02, 0.06 * (high - low))
        self.low, self.high = max(0.0, low - margin), min(1.0, high + margin)
        self.out = []

    def x(self, tokens):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(tokens / self.least) / math.log(self.most / self.least)

    def y(self, share):
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - share) / (self.high - self.low)

    def text(self, x, y, words, size=15, anchor="start", colour=INK, more=""):
        self.out.append('<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" fill="%s"%s>%s</text>' %
                        (x, y, size, anchor, colour, more, escape(words)))

    def line(self, x1, y1, x2, y2, colour, width=1.0, dash=""):
        self.out.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"%s/>' %
                        (x1, y1, x2, y2, colour, width, dash and ' stroke-dasharray="%s"' % dash))

    def axes(self, title, n):
        end = WIDTH - RIGHT
        for share in steps(self.low, self.high, 7):
            self.line(LEFT, self.y(share), end, self.y(share), FAINT)
            self.text(LEFT - 10, self.y(share) + 5, "%g%%" % round(100 * share, 3), 15, "end", INK)
        whole = max(p.before for p in self.whole) if self.whole else self.most / 1.1
        for tokens in (whole / 2 ** k for k in range(20) if whole / 2 ** k >= self.least):
            self.line(self.x(tokens), HEIGHT - BOTTOM, self.x(tokens), HEIGHT - BOTTOM + 6, INK)
            self.text(self.x(tokens), HEIGHT - BOTTOM + 24, "%g" % tokens, 15, "middle")
        self.line(LEFT, HEIGHT - BOTTOM, end, HEIGHT - BOTTOM, INK, 1.4)
        self.text((LEFT + end) / 2, HEIGHT - 16, "visual tokens in the prompt", 16, "middle")
        self.text(LEFT - 52, TOP - 34, title, 19, "start", INK, ' font-weight="bold"')
        self.text(LEFT - 52, TOP - 13, "answers that are right, of %d a point; bars: 95%%" % n, 14, "start", GREY)

    def level(self):
        """What the model can do with all tokens."""
        for p in self.whole:
            y = self.y(p.share)
            self.out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity="0.55"/>' %
                            (LEFT, self.y(p.high), WIDTH - RIGHT - LEFT, self.y(p.low) - self.y(p.high), FAINT))
            self.line(LEFT, y, WIDTH - RIGHT, y, INK, 1.6)

    def method(self, points, colour, blind, aside):
        """aside: pixels to the right, so that bars of methods with the same budget stand side by side."""
        points = sorted(points, key=lambda p: p.tokens)
        places = " ".join("%.1f,%.1f" % (self.x(p.tokens) + aside, self.y(p.share)) for p in points)
        dash = ' stroke-dasharray="7 5"' if blind else ""
        if len(points) > 1:
            self.out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2.4"%s/>' %
                            (places, colour, dash))
        for p in points:
            x = self.x(p.tokens) + aside
            self.line(x, self.y(p.low), x, self.y(p.high), colour, 1.2)
            for share in (p.low, p.high):
                self.line(x - 3, self.y(share), x + 3, self.y(share), colour, 1.2)
            self.out.append('<circle cx="%.1f" cy="%.1f" r="4.6" fill="%s" stroke="%s" stroke-width="2"><title>%s: '
                            '%.1f%%, %.0f tokens</title></circle>' %
                            (x, self.y(p.share), "#ffffff" if blind else colour, colour, escape(p.spec),
                             100 * p.share, p.tokens))

    def legend(self, styles):
        x, y = WIDTH - RIGHT + 24, TOP + 8
        for name, colour, blind in styles:
            self.line(x, y, x + 34, y, colour, 2.4, "7 5" if blind else "")
            if name != "all tokens":
                self.out.append('<circle cx="%.1f" cy="%.1f" r="4.6" fill="%s" stroke="%s" stroke-width="2"/>' %
                                (x + 17, y, "#ffffff" if blind else colour, colour))
            self.text(x + 44, y + 5, name if len(name) < 21 else name[:19] + "..", 15)
            y += 27

    def svg(self, title, n):
        styles, seen = [], 0
        self.level()
        self.axes(title, n)
        if self.whole:
            styles.append(("all tokens", INK, False))
        # blind ones first, so that what looks is drawn over them
        for i, name in enumerate(sorted(self.lines, key=lambda m: (m not in BLIND, m))):
            blind = name in BLIND
            colour = GREY if name == "random" else "#5c626d" if blind else COLOURS[seen % len(COLOURS)]
            seen += not blind
            self.method(self.lines[name], colour, blind, 5 * (i - (len(self.lines) - 1) / 2))
            styles.append((name, colour, blind))
        self.legend(sorted(styles, key=lambda s: (s[0] != "all tokens", s[2], s[0])))
        return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '
                'font-family="Helvetica, Arial, sans-serif">\n<rect width="%d" height="%d" fill="#ffffff"/>\n%s\n'
                '</svg>\n' % (WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, "\n".join(self.out)))


def write(path, text):
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as e:
        sys.exit("plot.py: %s: %s" % (path, e.strerror))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("results", nargs="+")
    p.add_argument("--table")
    p.add_argument("--plot")
    p.add_argument("--lines", nargs="*")
    p.add_argument("--title", default="What is still answered with fewer visual tokens")
    a = p.parse_args()
    pipelines = read(a.results)
    if a.table:
        write(a.table, table(pipelines))
    elif not a.plot:
        sys.stdout.write(table(pipelines))
    if a.plot:
        shown = [q for q in pipelines if not a.lines or q.method() in a.lines + ["none"]]
        write(a.plot, Plot(shown).svg(a.title, min(q.n for q in pipelines)))


if __name__ == "__main__":
    main()
