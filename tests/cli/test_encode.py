#!/usr/bin/env python3
"""Walk `winnow encode --model FILE`: its options, what it writes, its error paths.

usage: test_encode.py WINNOW MODELS_DIR [--filter WORD]      (MODELS_DIR is tests/vit/make_models.py's)

The same rules as test_cli.py, whose tools it uses. Needs python3 alone. The last line is `N passed, M failed`.
"""
import json, os, shutil, sys

import test_cli
from test_cli import CPU, expect, load, noise, nothing_but, picture, plain, run, tensor, write

MODELS = ""
tests = []


def test(function):
    tests.append(function)
    return function


def model(name):
    return os.path.join(MODELS, name)


def encode(d, picture_, *args, **how):
    """Encodes onto out.safetensors of d; returns stdout."""
    return run("encode", picture_, "-o", os.path.join(d, "out.safetensors"), *CPU, *args, **how)


@test
def writes(d):
    a, out = picture(os.path.join(d, "a.png"), 100, 70, 1), os.path.join(d, "out.safetensors")
    line = encode(d, a, "--model", model("clip"))
    expect("1 view of 56x56 -> 16 tokens of 64 channels" in line and line.count("\n") == 1, f"line: {line!r}")
    meta, t = load(out)
    expect(meta["model"] == model("clip") and meta["device"] == "plain C", f"metadata: {meta}")
    expect(t["tokens"][:2] == ("F32", [1, 16, 64]) and t["cls"][:2] == ("F32", [1, 64]), "tokens, cls")
    expect(t["grid"][2] == [1, 4, 4] and t["views"] == ("I32", [1, 4], [-1, -1, 56, 56]), "grid, views")
    encode(d, a, "--model", model("clip"), "--pipeline", "fastervlm=keep=5,divprune=keep=3")
    meta, t = load(out)
    expect(t["tokens"][1] == [3, 64] and len(t["indices"][2]) == 3 and len(t["assignment"][2]) == 16, "a pipeline")
    expect(meta["pipeline"] == "fastervlm=keep=5,divprune=keep=3", f"metadata: {meta}")
    nothing_but(d, "a.png", "out.safetensors")


@test
def tells_json(d):
    a = picture(os.path.join(d, "a.png"), 100, 70, 1)
    tree = json.loads(encode(d, a, "--model", model("clip"), "--json"))
    want = {"family": "clip", "views": 1, "width": 56, "height": 56, "grid_h": 4, "grid_w": 4, "dim": 64,
            "tokens_in": 16, "tokens_out": 16, "model": model("clip"), "output": os.path.join(d, "out.safetensors")}
    for name, value in want.items():
        expect(tree[name] == value, f"{name}: {tree[name]!r}, expected {value!r}")
    expect(tree["device"]["backend"] == "cpu", f"device: {tree['device']}")
    for name in ("dispatches", "weight_bytes", "workspace_bytes", "load_ms", "decode_ms", "encode_ms"):
        expect(tree[name] > 0, f"{name}: {tree[name]}")
    expect(tree["gpu_ms"] >= 0, "gpu_ms")
    tree = json.loads(encode(d, a, "--model", model("clip"), "--json", "--pipeline", "divprune=keep=3"))
    expect(tree["tokens_in"] == 16 and tree["tokens_out"] == 3, f"{tree}")


@test
def taps(d):
    a, out = picture(os.path.join(d, "a.png"), 100, 70, 1), os.path.join(d, "out.safetensors")
    encode(d, a, "--model", model("clip"), "--taps", "hidden:0,keys:-1,cls_attention:-2,received_attention:0,final,pixels")
    _, t = {}, json.loads("{}")
    with open(out, "rb") as f:
        t = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    shapes = {"hidden.0": [1, 17, 64], "keys.-1": [1, 17, 64], "cls_attention.-2": [1, 4, 16],
              "received_attention.0": [1, 4, 16], "final": [1, 17, 64], "pixels": [1, 56, 56, 3]}
    for name, shape in shapes.items():
        expect(t[name]["shape"] == shape, f"{name}: {t.get(name)}, expected {shape}")
    os.remove(out)
    for bad in ("hidden", "hidden:", "hidden:x", "hidden:1x", "final:0", "pool_attention:0", "keys:99999", "nothing:0",
                "keys:0,,keys:1", "x" * 100):
        encode(d, a, "--model", model("clip"), "--taps", bad, code=2, says="--taps")
    for bad, says in (("hidden:99", "99"), ("keys:-9", "-9"), ("pool_attention", "pooling head")):
        encode(d, a, "--model", model("clip"), "--taps", bad, code=1, says=says)
    encode(d, a, "--model", model("siglip"), "--taps", "cls_attention:0", code=1, says="class token")
    nothing_but(d, "a.png")


@test
def bad_models(d):
    a = picture(os.path.join(d, "a.png"), 64, 64, 1)
    encode(d, a, "--model", os.path.join(d, "none.gguf"), code=1, says="none.gguf")
    encode(d, a, "--model", d, code=1, says="config.json")
    encode(d, a, "--model", a, code=1, says="a.png")
    encode(d, a, "--model", "/dev/null", code=1, says="/dev/null")
    encode(d, a, "--model", "", code=2, says="--model")
    with open(model("mlp.gguf"), "rb") as f:
        good = f.read()
    cases = {"text.gguf": (good.replace(b"\x04\0\0\0\0\0\0\0clip", b"\x04\0\0\0\0\0\0\0bert", 1), "bert"),
             "short.gguf": (good[:len(good) // 2], "short.gguf"), "head.gguf": (good[:20], "head.gguf"),
             "empty.gguf": (b"", "empty.gguf"), "magic.gguf": (b"GGML" + good[4:], "magic.gguf")}
    for name, (data, says) in cases.items():
        with open(os.path.join(d, name), "wb") as f:
            f.write(data)
        encode(d, a, "--model", os.path.join(d, name), code=1, says=says)
        os.remove(os.path.join(d, name))
    folder = os.path.join(d, "folder")
    shutil.copytree(model("clip"), folder)
    with open(os.path.join(folder, "config.json"), "w") as f:
        f.write('{"model_type": "bert"}')
    encode(d, a, "--model", folder, code=1, says="bert")
    os.remove(os.path.join(folder, "config.json"))
    encode(d, a, "--model", folder, code=1, says="config.json")
    encode(d, a, "--model", model("clip"), "--like", "llama", code=1, says="TRANSFORMERS")
    encode(d, a, "--model", model("clip"), "--like", "ollama", code=2, says="llama|llama-b10256|transformers")
    encode(d, a, "--model", model("clip"), "--dtype", "bf16", code=2, says="f32|f16")
    shutil.rmtree(folder)
    nothing_but(d, "a.png")


@test
def needs_a_model(d):
    """What only a model's file can do is refused where there is none."""
    a = picture(os.path.join(d, "a.png"), 64, 64, 1)
    for extra in (["--taps", "hidden:0"], ["--like", "llama"], ["--as-is"], ["--merge-weights", "w.safetensors"],
                  ["--dtype", "f16"]):
        for which in ([], ["--model", "patches"], ["--model", "patches=patch=8"]):
            encode(d, a, *which, *extra, code=2, says=extra[0])
    nothing_but(d, "a.png")


@test
def pictures(d):
    a, b, c = (picture(os.path.join(d, n), w, h, 1) for n, w, h in (("a.png", 56, 84, ), ("b.png", 84, 56), ("c.png", 5, 5)))
    out = os.path.join(d, "out.safetensors")
    run("encode", a, b, "-o", out, "--model", model("clip"), *CPU)  # a model of one size
    expect(load(out)[1]["tokens"][1] == [2, 16, 64], "two pictures")
    os.remove(out)
    run("encode", a, b, "-o", out, "--model", model("dinov2"), "--as-is", *CPU, code=1, says="b.png")
    run("encode", a, b, "-o", out, "--model", model("qwen2vl.gguf"), *CPU, code=1, says="encode")
    encode(d, c, "--model", model("clip"), "--as-is", code=1, says="5 x 5")
    encode(d, os.path.join(d, "none.png"), "--model", model("clip"), code=1, says="none.png")
    nothing_but(d, "a.png", "b.png", "c.png")


@test
def stages_inside(d):
    a, out = picture(os.path.join(d, "a.png"), 64, 64, 1), os.path.join(d, "out.safetensors")
    source = plain(d)
    run("reduce", source, "-o", out, "--pipeline", "laco=layer=1", *CPU, code=1, says="laco")
    run("reduce", source, "-o", out, "--pipeline", "tome=r=2:layers=all", *CPU, code=1, says="inside")
    run("reduce", source, "-o", out, "--pipeline", "fastervlm=keep=4:layer=1", *CPU, code=1, says="fastervlm")
    encode(d, a, "--pipeline", "laco=layer=1", code=1, says="laco")
    encode(d, a, "--pipeline", "tome=r=2:layers=all", code=1, says="inside")
    encode(d, a, "--model", model("clip"), "--pipeline", "laco=layer=9", code=1, says="laco")
    encode(d, a, "--model", model("clip"), "--pipeline", "tome=r=2:layers=9", code=1, says="tome")
    encode(d, a, "--model", model("clip"), "--pipeline", "fastv=rate=0.5", code=1, says="llm_attention")
    encode(d, a, "--model", model("clip"), "--pipeline", "dycoke-kv", code=1, says="decode")
    encode(d, a, "--model", model("clip"), "--pipeline", "laco=layer=1", "--merge-weights", os.path.join(d, "none"),
           code=1, says="none")
    encode(d, a, "--model", model("clip"), "--merge-weights", os.path.join(d, "none"), code=1, says="laco")
    weights = write(os.path.join(d, "w.safetensors"), {"laco.mlp.0.weight": tensor("F32", [8, 4], noise(32))})
    encode(d, a, "--model", model("clip"), "--pipeline", "laco=layer=1", "--merge-weights", weights, code=1,
           says="w.safetensors")
    nothing_but(d, "a.png", "in.safetensors", "w.safetensors")


@test
def unwritable(d):
    a = picture(os.path.join(d, "a.png"), 64, 64, 1)
    for out in ("/dev/full", os.path.join(d, "no", "out"), d):
        run("encode", a, "-o", out, "--model", model("clip"), *CPU, code=1)
    encode(d, a, "--model", model("clip"), code=1, limit=1000)
    nothing_but(d, "a.png")
    run("encode", a, "--model", model("clip"), code=2, says="-o")


def main():
    global MODELS
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    MODELS = os.path.abspath(sys.argv.pop(2))
    test_cli.tests[:] = tests
    test_cli.main()


if __name__ == "__main__":
    main()
