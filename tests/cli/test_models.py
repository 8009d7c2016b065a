#!/usr/bin/env python3
"""`winnow show` and `winnow bench` with vision transformers: each option, the numbers, and bad use.

usage: test_models.py WINNOW [--backend cpu|gpu] [--filter WORD]

Makes the tiny models that it needs itself (tests/vit/make_models.py, python3-numpy). Rules as in
test_cli.py. The last line is `N passed, M failed`.
"""
import json, os, subprocess, sys, tempfile

import test_cli
from test_cli import expect, nothing_but, option, picture, run

ON = ["--backend", "cpu"]
MODELS = ["clip", "siglip", "dinov2", "idefics3", "mlp", "mlp-anyres", "qwen2vl"]
folder = ""
tests = []


def test(function):
    tests.append(function)
    return function


def model(name):
    plain = os.path.join(folder, name)
    return plain if os.path.exists(plain) else plain + ".gguf"


def make_models(where):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vit", "make_models.py")
    for python in (sys.executable, "/usr/bin/python3"):  # the first may not be the one with numpy
        if subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0:
            subprocess.run([python, script, where, *MODELS], check=True, stdout=subprocess.DEVNULL)
            return
    sys.exit("test_models.py: no python3 with numpy (install python3-numpy)")


def page_data(path):
    page = open(path, encoding="utf-8").read()
    start = page.index("const data = ") + len("const data = ")
    return json.JSONDecoder().raw_decode(page[start:])[0]


def shown(d, name, pipeline, *more, pictures=1):
    """What show says, and the page's data."""
    inputs = [picture(os.path.join(d, f"{i}.png"), 200, 150, i) for i in range(pictures)]
    out = os.path.join(d, "o.html")
    p = subprocess.run([test_cli.WINNOW, "show", *inputs, "--model", model(name), "--pipeline", pipeline, "-o", out,
                        "--json", *more, *ON], capture_output=True, timeout=600)
    expect(p.returncode == 0, f"show {name} {pipeline}: {p.stderr!r}")
    expect(p.stderr == b"" or "laco" in pipeline and b"untrained" in p.stderr, f"show {name} {pipeline}: {p.stderr!r}")
    tree, data = json.loads(p.stdout), page_data(out)
    expect(tree["kept"] + tree["merged"] + tree["dropped"] == tree["tokens_before"], f"{tree}")
    expect(tree["tokens_before"] == data["before"] == len(data["rows"]), f"rows: {len(data['rows'])}")
    expect(tree["tokens_after"] == data["after"] == len(data["indices"]), "indices")
    expect(tree["frames"] == len(data["frames"]) == len(data["names"]) == len(data["seconds"]), "frames")
    expect((data["gridH"], data["gridW"]) == (tree["grid_h"], tree["grid_w"]), "grid")
    expect(all(-1 <= row < data["after"] for row in data["rows"]), "rows of the page")
    return tree, data


# ---- show ------------------------------------------------------------------------------------------

@test
def show_inside(d):
    tree, data = shown(d, "clip", "tome=r=4:layers=all")
    expect(tree["family"] == "clip" and tree["model"] == model("clip"), f"{tree}")
    expect((tree["kept"], tree["merged"], tree["dropped"]) == (4, 12, 0), f"{tree}")
    expect((data["gridH"], data["gridW"], data["times"]) == (4, 4, 1), "grid")
    expect(data["width"] == data["height"] == 56 and tree["wall_ms"] > 0, "the model's own view")
    tree, _ = shown(d, "clip", "fastervlm=keep=50%")
    expect((tree["kept"], tree["merged"], tree["dropped"]) == (8, 0, 8), f"{tree}")
    shown(d, "siglip", "laco=layer=1", pictures=3)


@test
def show_writes(d):
    source = picture(os.path.join(d, "a.png"), 90, 120, 3)
    outs = [os.path.join(d, "o" + e) for e in (".png", ".html")]
    line = run("show", source, "--model", model("clip"), "--pipeline", "tome=r=4:layers=all", "-o", outs[0], "-o", outs[1], *ON)
    expect("tokens 16 -> 4" in line and "kept 4, merged 12, dropped 0, in 1 view of 4x4 tokens" in line, f"{line!r}")
    expect(open(outs[0], "rb").read(8) == b"\x89PNG\r\n\x1a\n", "PNG")
    film = os.path.join(d, "o.mp4")
    p = subprocess.run([test_cli.WINNOW, "show", source, "--model", model("clip"), "--pipeline", "tome=r=4:layers=all",
                        "-o", film, *ON], capture_output=True)
    expect(p.returncode == 0 and b"ftyp" in open(film, "rb").read(16) or b"libav" in p.stderr, f"film: {p.stderr!r}")


@test
def show_tiles(d):
    tree, data = shown(d, "mlp-anyres", "fastervlm=keep=50%")
    expect(tree["frames"] == len(data["names"]) == 5 and tree["tokens_before"] == 80, f"{tree}")
    expect(data["names"][0] == "tile 0,0" and data["names"][3] == "tile 1,1" and data["names"][4] == "overview",
           f"{data['names']}")
    tree, data = shown(d, "idefics3", "divprune=keep=50%")  # behind the projector: its tokens are the grid
    expect((data["gridH"], data["gridW"]) == (2, 2), "grid of the projector")
    tree, data = shown(d, "idefics3", "laco=layer=1")  # inside: patches are
    expect((data["gridH"], data["gridW"]) == (4, 4), "grid of patches")


@test
def show_pairs(d):
    film = os.path.join(d, "film.gif")
    write_gif(film, 112, 112, 6)
    out = os.path.join(d, "o.html")
    p = subprocess.run([test_cli.WINNOW, "show", film, "--frames", "5", "--model", model("qwen2vl"), "--pipeline",
                        "evs=rate=0.5", "-o", out, "--json", *ON], capture_output=True)
    if b"libav" in p.stderr:  # a build without video
        return
    expect(p.returncode == 0, f"{p.stderr!r}")
    tree, data = json.loads(p.stdout), page_data(out)
    expect(tree["frames"] == 5 and len(data["frames"]) == 5 and data["times"] == 2, f"{tree}")
    expect(tree["tokens_before"] == 3 * tree["grid_h"] * tree["grid_w"] == len(data["rows"]), "three pairs of frames")
    line = run("show", film, "--frames", "5", "--model", model("qwen2vl"), "--pipeline", "evs=rate=0.5", "-o", out, *ON)
    expect("in 5 views of" in line and "tokens a pair" in line, f"{line!r}")
    a, b = picture(os.path.join(d, "a.png"), 64, 64, 1), picture(os.path.join(d, "b.png"), 64, 64, 2)
    run("show", a, b, "--model", model("qwen2vl"), "--pipeline", "evs=rate=0.5", "-o", out, *ON, code=1, says="pairs")


def write_gif(path, width, height, frames):
    """Uncompressed frames: every code is a literal, with a clear code before the table would grow."""
    data = b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\xf6\0\0"
    data += b"".join(bytes((i * 2, 255 - i * 2, i * 7 % 256)) for i in range(128))
    for f in range(frames):
        data += b"\x21\xf9\x04\0" + (20).to_bytes(2, "little") + b"\0\0"
        data += b"\x2c\0\0\0\0" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\0\x07"
        pixels = [(x // 8 + y // 8 * 5 + (f * 31 if y < height // 2 else 0)) % 128 for y in range(height) for x in range(width)]
        codes = []
        for i, pixel in enumerate(pixels):
            codes += [128, pixel] if i % 100 == 0 else [pixel]
        packed = bytes(codes + [129])  # codes of 8 bits are bytes
        data += b"".join(bytes([len(packed[i:i + 255])]) + packed[i:i + 255] for i in range(0, len(packed), 255)) + b"\0"
    with open(path, "wb") as file:
        file.write(data + b";")


@test
def show_options(d):
    spec = "divprune=keep=4"
    _, data = shown(d, "dinov2", spec, "--as-is", "--size", "42x28")
    expect((data["width"], data["height"], data["gridW"], data["gridH"]) == (42, 28, 3, 2), "--as-is")
    for dtype in ("f32", "f16"):
        shown(d, "clip", spec, "--dtype", dtype)
    for like in ("llama", "llama-b10256", "transformers"):
        shown(d, "idefics3", spec, "--like", like)
    weights, a = os.path.join(d, "none.safetensors"), os.path.join(d, "0.png")
    out = os.path.join(d, "x.png")
    run("show", a, "--model", model("clip"), "--pipeline", "laco=layer=1", "--merge-weights", weights, "-o", out, *ON,
        code=1, says="none.safetensors")
    run("show", a, "--model", model("clip"), "--pipeline", "cdpruner=keep=4", "-o", out, *ON, code=1, says="text")
    run("show", a, "--model", model("clip"), "--pipeline", "fastervlm=keep=4:layer=9", "-o", out, *ON, code=1, says="layer")
    run("show", a, "--model", os.path.join(d, "no.gguf"), "--pipeline", spec, "-o", out, *ON, code=1, says="no.gguf")
    run("show", a, "--model", model("clip"), "--pipeline", spec, "-o", out, "--dtype", "bf16", *ON, code=2, says="f32|f16")
    run("show", a, "--model", model("clip"), "--pipeline", spec, "-o", out, "--size", "9x9", "--max-side", "9", *ON, code=2)
    nothing_but(d, "0.png", "o.html")


@test
def options_of_models_alone(d):
    a = picture(os.path.join(d, "a.png"), 64, 64, 1)
    given = [["--like", "llama"], ["--as-is"], ["--dtype", "f16"], ["--merge-weights", "w.safetensors"], ["--casp", "0.5"]]
    for command in (["show", a, "--pipeline", "evs=rate=0.5", "-o", os.path.join(d, "o.png")],
                    ["encode", a, "-o", os.path.join(d, "o.safetensors")]):
        for option in given + ([["--taps", "hidden:0"]] if command[0] == "encode" else []):
            for patches in ([], ["--model", "patches"], ["--model", "patches=patch=8"]):
                run(*command, *option, *patches, *ON, code=2, says=option[0])
    nothing_but(d, "a.png")


# ---- bench -----------------------------------------------------------------------------------------

def benched(name, *more):
    tree = json.loads(run("bench", "--model", model(name), "--json", *more, *ON))
    for r in tree["results"]:
        if "skipped" in r:
            continue
        expect(r["wall_ms"] > 0 and r["ms_per_frame"] > 0 and r["dispatches"] > 0, f"{r}")
        ms = r["gpu_ms"] or r["wall_ms"]
        expect(abs(r["ms_per_frame"] - ms / tree["frames"]) < 1e-9 * ms, "ms_per_frame")
        expect(abs(r["ms_per_layer"] - ms / tree["layers"]) < 1e-9 * ms, "ms_per_layer")
        expect(abs(r["flops_per_second"] - 2 * r["multiply_adds"] / ms * 1e3) < 1e-6 * r["flops_per_second"], "flops")
        rate = [p["flops_per_second"] for p in tree["products"] if p["dtype"] == r["dtype"]][0]
        expect(rate > 0 and abs(r["share_of_product"] - r["flops_per_second"] / rate) < 1e-9, "share_of_product")
    return tree


def full(tree, dtype="f32"):
    return [r for r in tree["results"] if r["pipeline"] is None and r["dtype"] == dtype][0]


@test
def bench_counts(d):
    """The multiply-adds are those of the formula: layers of n rows, and the patches' embedding."""
    tree = benched("clip", "--quick", "--no-cpu", "--dtype", "f32")
    with open(os.path.join(model("clip"), "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    D, inner, layers, patch = (config[k] for k in ("hidden_size", "intermediate_size", "num_hidden_layers", "patch_size"))
    cells = (config["image_size"] // patch) ** 2
    embed = cells * 3 * patch * patch * D
    attention = lambda n: 4 * D * D * n + 2 * n * n * D
    mlp = lambda n: 2 * D * inner * n
    expect((tree["layers"], tree["width"], tree["family"], tree["frames"]) == (layers, 56, "clip", 1), f"{tree}")
    expect(full(tree)["multiply_adds"] == embed + layers * (attention(cells + 1) + mlp(cells + 1)), f"{full(tree)}")
    expect(full(tree)["tokens"] == cells and full(tree)["faster"] == 1, f"{full(tree)}")
    usual = [r["pipeline"] for r in tree["results"][1:]]
    expect(usual == ["tome=r=4:layers=all", "laco=layer=1", "fastervlm=keep=50%:layers=1"], f"{usual}")
    merged, rows = embed, cells + 1
    for _ in range(layers):  # tome merges between attention and MLP
        merged += attention(rows) + mlp(rows - 4)
        rows -= 4
    expect(tree["results"][1]["multiply_adds"] == merged and tree["results"][1]["tokens"] == rows - 1, f"{tree['results'][1]}")
    expect(tree["results"][2]["tokens"] == 4 and tree["results"][3]["tokens"] == 8, f"{tree['results']}")
    for r in tree["results"]:
        times = full(tree)["ms_per_frame"] / r["ms_per_frame"]
        expect(abs(r["faster"] - times) < 1e-6 * times, f"faster: {r}")


@test
def bench_options(d):
    tree = benched("clip", "--quick", "--frames", "3", "--pipeline", "fastervlm=keep=4", "--pipeline", "laco=layer=2",
                   "--pipeline", "cdpruner=keep=4", "--no-cpu")
    expect([r["dtype"] for r in tree["results"]] == ["f16"] * 4 + ["f32"] * 4, "both types")
    expect(tree["frames"] == 3 and full(tree)["tokens"] == 48, "--frames")
    rows = tree["results"][4:]
    expect([r["pipeline"] for r in rows] == [None, "fastervlm=keep=4", "laco=layer=2", "cdpruner=keep=4"], f"{rows}")
    expect(rows[1]["tokens"] == rows[2]["tokens"] == 12, "tokens of three frames")
    expect("text" in rows[3]["skipped"], "a pipeline that the model does not take says why")
    expect(full(tree)["repetitions"] == 1, "--quick")
    expect(full(benched("clip", "--dtype", "f32", "--pipeline", "fastervlm=keep=4"))["repetitions"] >= 2, "not --quick")
    one = benched("clip", "--quick", "--no-cpu", "--dtype", "f16", "--pipeline", "fastervlm=keep=4")
    expect([r["dtype"] for r in one["results"]] == ["f16", "f16"] and len(one["products"]) == 1, "--dtype")
    out = run("bench", "--model", model("clip"), "--quick", "--dtype", "f32", *ON)
    expect("(no pipeline)" in out and "tome=r=4:layers=all" in out and "MS/LAYER" in out and "GFLOP/s" in out, f"{out!r}")


@test
def bench_plain_c(d):
    """Plain C beside a GPU, unless it is left out or what is measured itself."""
    for more, there in (([], ON[1] == "gpu"), (["--no-cpu"], False)):
        tree = benched("clip", "--quick", "--dtype", "f32", "--pipeline", "laco=layer=1", *more)
        expect(all(("cpu_wall_ms" in r) == there for r in tree["results"]), f"{more}: {tree['results']}")
        expect(full(tree)["submissions"] == (ON[1] == "gpu"), "submissions")


@test
def bench_families(d):
    quick = ["--quick", "--no-cpu", "--dtype", "f32"]
    tree = benched("qwen2vl", *quick)  # any size, pairs of frames, no stage inside
    expect((tree["frames"], tree["width"], tree["height"]) == (2, 112, 112) and len(tree["results"]) == 1, f"{tree}")
    expect([r["pipeline"] for r in benched("siglip", *quick)["results"][1:]] == ["tome=r=4:layers=all", "laco=layer=1"],
           "siglip has no class token")
    expect(len(benched("mlp-anyres", *quick)["results"]) == 1, "llama.cpp's LLaVA reduces nothing inside")
    expect(len(benched("mlp-anyres", *quick, "--like", "transformers")["results"]) > 1, "--like")


@test
def bench_bad_use(d):
    clip = ["bench", "--model", model("clip")]
    run("bench", "--pipeline", "evs=rate=0.5", *ON, code=2, says="--model")
    run("bench", "--frames", "2", *ON, code=2, says="--model")
    run("bench", "--like", "llama", *ON, code=2, says="--model")
    run(*clip, "--stage", "tome", *ON, code=2, says="--stage")
    run(*clip, "--dtype", "bf16", *ON, code=2, says="bf16")
    run(*clip, "--frames", "0", *ON, code=2)
    run(*clip, "--frames", "1000000000", *ON, code=2, says="--frames")
    run(*clip, "--pipeline", "tomb=r=4", *ON, code=2, says="tome")
    run("bench", "--model", "patches", *ON, code=2, says="patches")
    run("bench", "--model", "patches=patch=8", *ON, code=2, says="patches")
    run("bench", "--model", os.path.join(d, "none.gguf"), *ON, code=1, says="none.gguf")
    run("bench", "--model", d, *ON, code=1)
    with open("/dev/full", "wb") as out:
        run(*clip, "--quick", "--dtype", "f32", "--no-cpu", *ON, code=1, says="standard output", stdout=out)


def main():
    global folder
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    test_cli.WINNOW = os.path.abspath(sys.argv[1])
    word, ON[1] = option("--filter", ""), option("--backend", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        make_models(folder)
        test_cli.run_all(tests, word)


if __name__ == "__main__":
    main()
