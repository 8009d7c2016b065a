#!/usr/bin/env python3
"""`winnow bench e2e`: what it counts and adds up, its options, its picture, and bad use.

usage: test_e2e.py WINNOW [--llama yes|no] [--ask WINNOW_ASK] [--backend cpu|gpu] [--filter WORD]

--llama: whether the build has llama.cpp. Models: the small one of samples/video_qa, and tiny ones of
tests/vit/make_models.py (python3-numpy). Rules as in test_cli.py. The last line is `N passed, M failed`.
"""
import json, os, re, shutil, subprocess, sys, tempfile
import xml.etree.ElementTree as xml

import test_cli
import test_models
from test_cli import expect, nothing_but, option, picture, run

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(HERE, "..", "..", "samples")
EYE, LLM = (os.path.join(SAMPLES, "video_qa", "model", name) for name in ("mmproj-winnow-qa.gguf", "llm-winnow-qa.gguf"))
FILM = os.path.join(SAMPLES, "data", "shapes.mp4")
FRAMES, CELLS = 8, 36  # of the small model: a clip, and the tokens of a frame
SHOWN = {"tokens", "sizes", "keys", "queries", "cls", "cls_attention"}  # by an encoder
PARTS = ["prepare", "encoder", "reduction", "prefill"]
ON, LLAMA, ASK = ["--backend", "cpu"], True, ""
tests = []


def test(function):
    tests.append(function)
    return function


def frames(d, count=FRAMES):
    """A folder of pictures is a film that every build can read."""
    folder = os.path.join(d, "frames")
    os.makedirs(folder, exist_ok=True)
    for i in range(count):
        picture(os.path.join(folder, f"{i}.png"), 120, 90, i)
    return folder


def timed(*args, **how):
    return json.loads(run("bench", "e2e", *args, "--json", *ON, **how))


def quick(d, *args):
    return timed(frames(d), "--quick", *args)


def medians(row, clock="wall_ms"):
    return {part: row[part][clock][1] for part in PARTS if part in row}


def close(a, b, within=1e-6):
    return abs(a - b) <= within * max(abs(a), abs(b), 1e-3)


# ---- counts and sums -------------------------------------------------------------------------------

@test
def tokens_are_right(d):
    tree = quick(d)
    expect((tree["views"], tree["width"], tree["height"]) == (FRAMES, 96, 96), f"{tree}")
    expect(tree["tokens_before"] == FRAMES * CELLS, f"{tree['tokens_before']}")
    want = [(None, 288), ("budget=50%", 144), ("budget=25%", 72), ("budget=10%", round(28.8))]
    got = [(r["pipeline"], r["tokens"]) for r in tree["results"]]
    expect(got == want, f"{got}")
    specs = {"fastervlm=keep=25%:attention=received": 9 * FRAMES, "evs=rate=0.75": 72, "avg-pool=factor=2": 9 * FRAMES,
             "tome=r=4:layers=all": (CELLS - 4 * 4) * FRAMES, "flatten,divprune=keep=5": 5}
    tree = quick(d, "--no-llm", "--pipeline", "none", *[word for spec in specs for word in ("--pipeline", spec)])
    got = {r["pipeline"]: r["tokens"] for r in tree["results"]}
    expect(got == {None: 288, **specs}, f"{got}")
    inside = {r["pipeline"]: (r["inside"], "reduction" in r) for r in tree["results"]}
    want = [(False, False), (True, True), (False, True), (False, True), (True, False), (False, True)]
    expect(list(inside.values()) == want, f"where they run, and whether they are told apart: {inside}")
    half = quick(d, "--no-llm", "--frames", "4")
    expect([r["tokens"] for r in half["results"]] == [144, 72, 36, round(14.4)], f"--frames: {half['results']}")


@test
def tokens_with_a_cache(d):
    """--cache writes compiled pipelines, and what is counted is the same with them."""
    kept, film = os.path.join(d, "pipelines"), frames(d, 2)
    if ON[1] == "cpu":
        run("bench", "e2e", film, "--quick", *ON, "--cache", kept, code=2, says="--cache")
        return
    for _ in range(2):
        tree = timed(film, "--quick", "--no-llm", "--cache", kept)
        expect([r["tokens"] for r in tree["results"]] == [72, 36, 18, 7], f"{tree['results']}")
        expect(os.path.getsize(kept) > 0, "--cache")


@test
def one_picture(d):
    tree = timed(picture(os.path.join(d, "a.png"), 120, 90, 1), "--quick", "--no-llm")
    expect([r["tokens"] for r in tree["results"]] == [36, 18, 9, 4], f"{tree['results']}")


@test
def prompt_is_counted(d):
    if not LLAMA:
        return
    tree = quick(d)
    for r in tree["results"]:
        expect(r["cells"] == r["tokens"] + r["text_tokens"], f"cells: {r}")
    texts = {r["text_tokens"] for r in tree["results"]}
    expect(len(texts) == 1 and min(texts) > 0, f"the text is the same in every row: {texts}")
    longer = quick(d, "--question", "What colour was the flash? What colour was the flash?")
    expect(longer["results"][0]["text_tokens"] > max(texts), "--question")
    if ASK:
        trace = os.path.join(d, "trace")
        p = subprocess.run([ASK, frames(d), "What colour was the flash?", "--pipeline", "budget=10%", "--trace", trace,
                            *ON], capture_output=True)
        expect(p.returncode == 0, f"{p.stderr!r}")
        lines = [line.split() for line in open(trace, encoding="utf-8") if line.split()[0] in ("text", "rows")]
        rows = sum(len(line) - 1 for line in lines if line[0] == "rows")
        text = sum(len(line) - 1 for line in lines if line[0] == "text")
        expect((rows, text) == (29, min(texts)), f"winnow-ask decodes {rows} rows and {text} tokens of text")


@test
def parts_add_up(d):
    for clock in ("wall", "cpu"):
        tree = quick(d, "--clock", clock)
        expect(tree["clock"] == clock and tree["rounds"] == 1, f"{tree['clock']}")
        for r in tree["results"]:
            expect(set(r) & set(PARTS) == set(PARTS) - ({"reduction"} if r["pipeline"] is None else set()) -
                   (set() if LLAMA else {"prefill"}), f"parts: {r}")
            for c in ("wall_ms", "cpu_ms"):
                expect(close(sum(medians(r, c).values()), r["all"][c][1]), f"{c}: {r}")
                expect(all(ms > 0 for ms in medians(r, c).values()), f"{c}: {r}")
            ratio = tree["results"][0]["all"][clock + "_ms"][1] / r["all"][clock + "_ms"][1]
            expect(close(r["sooner"], ratio), f"sooner: {r}")
    tree = timed(frames(d), "--rounds", "4", "--no-llm")
    expect(tree["rounds"] == 4, "--rounds")
    for r in tree["results"]:
        for part in [*medians(r), "all"]:
            low, middle, high = r[part]["wall_ms"]
            expect(low <= middle <= high, f"{part}: {r}")


@test
def table_says(d):
    out = run("bench", "e2e", frames(d), "--quick", "--clock", "cpu", *ON)
    expect("CPU milliseconds, medians of 1" in out and "8 views of 96 x 96" in out, f"{out!r}")
    expect("288 of 288" in out and "29 of 288" in out and "REDUCTION" in out, f"{out!r}")
    expect(("prefill is left out" in out) == (not LLAMA) and ("FIRST TOKEN" in out) == LLAMA, f"{out!r}")
    expect("1 thread\n" in out or not LLAMA, "CPU time is counted on one thread of llama.cpp")
    out = run("bench", "e2e", frames(d), "--quick", "--no-llm", "--pipeline", "tome=r=4:layers=all", *ON)
    expect("clock milliseconds" in out and "in the encoder" in out and "prefill is left out: --no-llm" in out, f"{out!r}")


@test
def sample_film(d):
    p = subprocess.run([test_cli.WINNOW, "bench", "e2e", "--quick", "--no-llm", "--json", *ON], capture_output=True)
    if b"libav" in p.stderr or b"video support" in p.stderr:  # a build without video
        return
    expect(p.returncode == 0, f"{p.stderr!r}")
    tree = json.loads(p.stdout)
    expect(os.path.samefile(tree["media"], FILM) and os.path.samefile(tree["model"], EYE), f"{tree['media']}")
    expect([r["tokens"] for r in tree["results"]] == [288, 144, 72, 29], f"{tree['results']}")


@test
def other_models(d):
    """Class tokens, registers, joined patches, pairs of frames: the same rows by itself as in the encoder."""
    film = frames(d, 4)
    for name, before in (("clip", 64), ("dinov2", 64), ("idefics3", 16), ("qwen2vl", 24), ("mlp-anyres", 64)):
        tree = timed(film, "--model", test_models.model(name), "--quick", "--pipeline", "budget=25%", "--pipeline",
                     "fastervlm=keep=50%", "--pipeline", "tome=keep=50%")
        expect([r["tokens"] for r in tree["results"]] == [before, before // 4, before // 2, before // 2], f"{name}: {tree}")
        for r in tree["results"][1:]:
            expect(r["inside"] and ("reduction" in r or (name, r["pipeline"]) == ("qwen2vl", "fastervlm=keep=50%")),
                   f"{name}: {r['pipeline']} is not told apart")
        expect("--llm" in tree["prefill_left_out"] and "prefill" not in tree["results"][0], f"{name}")
    tree = timed(film, "--model", test_models.model("clip"), "--like", "llama", "--quick")
    expect(tree["results"][0]["tokens"] == 64, "--like")


# ---- --stages ----------------------------------------------------------------------------------------

@test
def stages(d):
    tree = timed(frames(d), "--quick", "--stages")
    known = {s["name"]: s for s in json.loads(run("stages", "--json"))["stages"]}
    want = {name for name, s in known.items() if s["family"] != "decode"} - {"flatten", "laco"}  # as `winnow bench`
    rows = {s["stage"]: s for s in tree["stages"]}
    expect(set(rows) == want, f"stages: {set(rows) ^ want}")
    for name, s in rows.items():
        if "skipped" in s:
            expect(name in ("ficoco", "ficoco-l") and name in s["skipped"], f"{s}")  # an encoder, one frame alone
            continue
        for clock in ("wall", "cpu"):
            share = s["reduction"][clock + "_ms"][1] / tree["encoder"][clock + "_ms"][1]
            expect(close(s["share_of_encoder"][clock], share) and share > 0, f"{clock}: {s}")
        expect(s["made_up"] == bool(set(known[name]["roles_needed"]) - SHOWN), f"made up: {s}")
    got = {name: rows[name]["tokens"] for name in ("fastervlm", "divprune", "evs", "avg-pool", "fastv", "budget")}
    expect(got == {"fastervlm": 72, "divprune": 72, "evs": 72, "avg-pool": 72, "fastv": 144, "budget": 72}, f"{got}")
    expect(rows["fastervlm"]["shape"] == [FRAMES, CELLS, 128], "attention: in front of the projector")
    out = run("bench", "e2e", frames(d), "--quick", "--stages", "--pipeline", "evs=rate=0.5", *ON)
    expect("(encoder)" in out and re.search(r"evs=rate=0\.5 +144 .*%", out) and "divprune" not in out, f"{out!r}")
    one = timed(picture(os.path.join(d, "a.png"), 120, 90, 1), "--quick", "--stages", "--clock", "cpu")
    expect(not {"evs", "dycoke"} & {s["stage"] for s in one["stages"]}, "one picture has no frame before")


# ---- without llama.cpp -------------------------------------------------------------------------------

@test
def without_llama(d):
    """A libwinnow.so beside which there is none that can be loaded."""
    folder = frames(d)
    broken = os.path.join(d, "libwinnow-prefill.so")
    open(broken, "wb").close()
    shutil.copy(os.path.join(os.path.dirname(test_cli.WINNOW), "..", "lib", "libwinnow.so.1"), d)
    os.environ["LD_LIBRARY_PATH"] = d
    try:
        tree = timed(folder, "--quick")
        out = run("bench", "e2e", folder, "--quick", *ON)
    finally:
        del os.environ["LD_LIBRARY_PATH"]
    expect("WINNOW_LLAMA_PREFIX" in tree["prefill_left_out"] and "llama" not in tree, f"{tree['prefill_left_out']}")
    expect(all("prefill" not in r and r["encoder"]["wall_ms"][1] > 0 for r in tree["results"]), "the rest is measured")
    expect("prefill is left out" in out and "WINNOW_LLAMA_PREFIX" in out, f"{out!r}")
    run("bench", "e2e", folder, "--quick", "--llama", broken, *ON, code=1, says="--llama")
    run("bench", "e2e", folder, "--quick", "--llama", os.path.join(d, "none.so"), *ON, code=1, says="none.so")
    if LLAMA:
        expect("prefill" in quick(d, "--threads", "1")["results"][0], "and with it prefill is there")


# ---- --svg -------------------------------------------------------------------------------------------

@test
def picture_is_true(d):
    path = os.path.join(d, "e2e.svg")
    tree = quick(d, "--svg", path)
    root = xml.parse(path).getroot()
    space = "{http://www.w3.org/2000/svg}"
    bars = [(r.find(space + "title").text, r) for r in root.iter(space + "rect") if r.find(space + "title") is not None]
    parts = [(part, ms) for r in tree["results"] for part, ms in medians(r).items()]
    expect([b[0].split(":")[0] for b in bars] == [p[0] for p in parts], f"{[b[0] for b in bars]}")
    widest = max(range(len(bars)), key=lambda i: parts[i][1])
    scale = float(bars[widest][1].get("width")) / parts[widest][1]
    for (title, r), (_, ms) in zip(bars, parts):
        expect(abs(float(r.get("width")) - ms * scale) < 0.02 + 0.01 * ms * scale, f"{title}: {r.get('width')}, {ms} ms")
    texts = [t.text for t in root.iter(space + "text")]
    expect("288 of 288 tokens" in texts and "29 of 288 tokens" in texts and "budget=10%" in texts, f"{texts}")
    expect(("prefill" in texts) == LLAMA, "the legend has what is drawn")
    nothing_but(d, "e2e.svg", "frames")


@test
def picture_is_whole_or_not_there(d):
    folder = frames(d)
    base = ["bench", "e2e", folder, "--quick", "--no-llm", *ON, "--svg"]
    run(*base, "/dev/full", code=1, says="/dev/full")
    expect(os.path.exists("/dev/full") and not os.path.isfile("/dev/full"), "/dev/full was replaced")
    run(*base, os.path.join(d, "no", "e2e.svg"), code=1, says="cannot write")
    run(*base, os.path.join(d, "e2e.svg"), code=1, says="writing failed", limit=256)
    nothing_but(d, "frames")
    path = os.path.join(d, "e2e.svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write("as it was")
    run(*base, path, code=1, limit=256)
    expect(open(path, encoding="utf-8").read() == "as it was", "a failed run spoils the picture that was there")
    nothing_but(d, "frames", "e2e.svg")
    with open("/dev/full", "wb") as out:
        run("bench", "e2e", folder, "--quick", "--no-llm", *ON, code=1, says="standard output", stdout=out)


# ---- bad use -----------------------------------------------------------------------------------------

@test
def help_teaches(d):
    expect("bench e2e" in run("--help"), "--help")
    for args in (["bench", "e2e", "--help"], ["help", "bench", "e2e"], ["bench", "e2e", "-h"]):
        out = run(*args)
        expect("usage: winnow bench e2e" in out and "Examples:" in out and "--stages" in out, f"{args}: {out!r}")
    expect("usage: winnow bench [" in run("bench", "--help") and "usage: winnow bench [" in run("help", "bench"), "bench")


@test
def bad_use(d):
    film, none = frames(d), os.path.join(d, "none")
    e2e = ["bench", "e2e", film, "--quick", *ON]
    run(*e2e, "b.mp4", code=2, says="b.mp4")
    run(*e2e, "--pipeline", "tomb=r=4", code=2, says="tome")
    run(*e2e, "--clock", "sun", code=2, says="wall|cpu")
    run(*e2e, "--rounds", "100", code=2, says="99")
    run(*e2e, "--rounds", "0", code=2)
    run(*e2e, "--llm", LLM, code=2, says="--model")
    run(*e2e, "--model", "patches", code=2, says="patches")
    run(*e2e, "--stages", "--svg", os.path.join(d, "a.svg"), code=2, says="--svg")
    run(*e2e, "--no-llm", "--threads", "1", code=2, says="--threads")
    run(*e2e, "--stages", "--question", "a", code=2, says="--question")
    run(*e2e, "--no-llm", "--llama", "a", code=2, says="--llama")
    run(*e2e, "--piepline", "a", code=2, says="--pipeline")
    run("bench", "e2", code=2, says="e2")
    run("bench", "e2e", none, "--quick", *ON, code=1, says="none")
    run(*e2e, "--model", none, code=1, says="none")
    run(*e2e, "--model", EYE, "--llm", none, code=1, says="none")
    run(*e2e, "--model", os.path.join(film, "0.png"), code=1)
    run(*e2e, "--pipeline", "laco=layer=77", code=1, says="layer")
    run(*e2e, "--pipeline", "cdpruner=keep=4", code=1, says="text")
    run(*e2e, "--stages", "--pipeline", "evs=rate=0.5" + ",flatten" * 20, code=1, says="127")
    run("bench", "e2e", film, "--quick", "--device", "no such device", code=1)
    if LLAMA:
        run(*e2e, "--model", test_models.model("clip"), "--llm", LLM, code=1, says="family")
        run(*e2e, "--model", test_models.model("mlp"), "--llm", LLM, code=1, says="channels")
        run(*e2e, "--model", EYE, "--llm", EYE, code=1, says="llama.cpp")
    nothing_but(d, "frames")


def main():
    global LLAMA, ASK
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    test_cli.WINNOW = os.path.abspath(sys.argv[1])
    word, ON[1] = option("--filter", ""), option("--backend", "cpu")
    LLAMA, ASK = option("--llama", "yes") == "yes", option("--ask", "")
    with tempfile.TemporaryDirectory() as test_models.folder:
        test_models.make_models(test_models.folder)
        test_cli.run_all(tests, word)


if __name__ == "__main__":
    main()
