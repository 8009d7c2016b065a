#!/usr/bin/env python3
"""Walk every command of the command line, its options and its error paths.

usage: test_cli.py WINNOW [--filter WORD]

Checks exit codes (0 done, 1 failed, 2 bad use), that an error is one line on stderr that starts
with "winnow: ", that no output file and no part of one is left behind, and that what is written can
be read. Needs python3 alone. The last line is `N passed, M failed`.
"""
import array, json, os, resource, signal, struct, subprocess, sys, tempfile, time, zlib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
WINNOW = ""
CPU = ["--backend", "cpu"]
tests = []


def test(function):
    tests.append(function)
    return function


class Failure(Exception):
    pass


def expect(truth, what):
    if not truth:
        raise Failure(what)


def run(*args, code=0, says=None, limit=None, stdout=None):
    """Runs winnow; for a failure wants the one line, with `says` in it."""
    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead, as on a full disk
    env = dict(os.environ)
    if "cpu" not in args:  # Mesa 22 leaks 128 bytes of a module that it has unloaded, not ours
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    p = subprocess.run([WINNOW, *args], stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, timeout=600,
                       preexec_fn=lower if limit else None, env=env)
    out = (p.stdout or b"").decode("utf-8", "replace")
    err = p.stderr.decode("utf-8", "replace")
    expect(p.returncode == code, f"{args}: exit {p.returncode}, expected {code}: {err.strip()[:300]}")
    if code == 0:
        expect(err == "", f"{args}: stderr of a success: {err[:300]!r}")
    else:
        lines = err.splitlines()
        expect(len(lines) == 1, f"{args}: {len(lines)} lines on stderr: {err[:600]!r}")
        expect(lines[0].startswith("winnow: "), f"{args}: {lines[0]!r}")
        expect(all(c >= " " for c in lines[0]), f"{args}: control bytes: {lines[0]!r}")
    if says:
        expect(says in err, f"{args}: {err.strip()!r} does not say {says!r}")
    return out


# ---- safetensors, written by hand so that everything in them can be wrong ----------------------

SIZES = {"F32": 4, "F64": 8, "I32": 4, "I64": 8, "F16": 2, "BF16": 2, "U8": 1}


def tensor(dtype, shape, values=None):
    count = 1
    for size in shape:
        count *= size
    code = {"F32": "f", "F64": "d", "I32": "i", "I64": "q", "U8": "B"}.get(dtype)
    if dtype == "F16":
        raw = b"".join(struct.pack("<e", v) for v in values)
    elif dtype == "BF16":
        raw = b"".join(struct.pack("<f", v)[2:] for v in values)
    else:
        raw = array.array(code, values if values is not None else [0] * count).tobytes()
    expect(len(raw) == count * SIZES[dtype], f"test: {dtype} {shape}")
    return dtype, shape, raw


def write(path, tensors, meta=None, pad=0):
    head, data = {}, b""
    if meta is not None:
        head["__metadata__"] = meta
    for name, (dtype, shape, raw) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return write_raw(path, json.dumps(head).encode() + b" " * pad, data)


def write_raw(path, header, data=b"", length=None):
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def load(path):
    with open(path, "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    meta = head.pop("__metadata__", {})
    out = {}
    for name, t in head.items():
        a, b = t["data_offsets"]
        code = {"F32": "f", "I32": "i", "F16": "e", "BF16": "H"}[t["dtype"]]
        values = [x[0] for x in struct.iter_unpack("<" + code, data[a:b])]
        out[name] = (t["dtype"], t["shape"], values)
    return meta, out


def noise(count, seed=1):
    state, out = seed, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out.append((state >> 33) / (1 << 30) - 1.0)
    return out


def picture(path, width, height, seed):
    """A PNG of coloured blocks."""
    rows = b""
    for y in range(height):
        rows += b"\0" + b"".join(bytes(((x // 9 * 37 + seed * 11) % 256, (y // 7 * 53) % 256, (x * y // 64) % 256))
                                 for x in range(width))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def plain(d, **more):
    """A file of 1 x 16 tokens on a 4 x 4 grid."""
    tensors = {"tokens": tensor("F32", [1, 16, 8], noise(128)), "grid": tensor("I32", [3], [1, 4, 4])}
    tensors.update(more)
    return write(os.path.join(d, "in.safetensors"), tensors, {"pipeline": "divprune=keep=5"})


def nothing_but(d, *names):
    left = sorted(os.listdir(d))
    expect(left == sorted(names), f"files left: {left}, expected {sorted(names)}")


# ---- the program itself --------------------------------------------------------------------------

COMMANDS = ["devices", "stages", "reduce", "encode", "show", "bench"]


@test
def help_teaches(d):
    for args in (["--help"], ["-h"], ["help"]):
        out = run(*args)
        expect(all(name in out for name in COMMANDS), "a command is missing in --help")
    for name in COMMANDS:
        for args in ([name, "--help"], [name, "-h"], ["help", name]):
            out = run(*args)
            expect("usage: winnow " + name in out and "Examples:" in out, f"{args}: help without usage or examples")
    expect(run("--version").startswith("winnow "), "--version")


@test
def bad_use(d):
    run(code=2, says="--help")
    run("reduec", code=2, says="did you mean reduce?")
    run("xyzzy", code=2, says="--help")
    run("help", "shwo", code=2, says="did you mean show?")
    run("devices", "--jsn", code=2, says="did you mean --json?")
    run("devices", "--xyzzy", code=2, says="winnow devices --help")
    run("devices", "-x", code=2)
    run("devices", "--json=yes", code=2, says="takes no value")
    run("devices", "extra", code=2)
    run("bench", "extra", code=2)
    run("stages", "a", "b", code=2)
    run("reduce", "a", "--pipeline", code=2, says="missing")
    run("reduce", "a", "-o", code=2, says="missing")
    run("reduce", "a", "--order", "sideways", "-o", "b", code=2, says="raster|method")
    run("reduce", "a", "--backend", "tpu", "-o", "b", code=2, says="gpu|cpu")
    run("reduce", "a", "--dtype", "f64", "-o", "b", code=2, says="f32|f16|bf16")
    run("reduce", "-o", "b", code=2)
    run("reduce", "a", "b", "-o", "c", code=2)
    run("reduce", "a", code=2, says="-o")
    run("encode", "-o", "x", code=2)
    run("encode", "a.png", code=2, says="-o")
    run("show", "-o", "x.png", "--pipeline", "evs=rate=0.5", code=2)
    run("show", "a.png", "-o", "x.png", code=2, says="--pipeline")
    run("show", "a.png", "--pipeline", "evs=rate=0.5", code=2, says="-o")
    run("show", "a.png", "--pipeline", "evs=rate=0.5", "-o", "x.gif", code=2, says=".png")
    for value in ("0", "-1", "x", "1.5", "", "99999999999999999999"):
        run("encode", "a.png", "-o", "x", "--frames", value, code=2)
    for value in ("0", "-1", "x", "nan", "inf", ""):
        run("encode", "a.png", "-o", "x", "--fps", value, code=2)
    for value in ("0x0", "10", "x", "10x", "-5x5", "10x10x10"):
        run("encode", "a.png", "-o", "x", "--size", value, code=2)
    run("bench", "--stage", "divprun", "--backend", "cpu", code=2, says="divprune")
    run("stages", "divprun", code=2, says="did you mean divprune?")
    run("stages", "xyzzy-xyzzy", code=2, says="winnow stages")
    run("stages", "a\nb\033[31m", code=2)
    nothing_but(d)


@test
def full_stdout(d):
    with open("/dev/full", "wb") as full:
        for args in (["--help"], ["stages"], ["stages", "--json"], ["devices"], ["devices", "--json"]):
            run(*args, code=1, says="standard output", stdout=full)


@test
def devices(d):
    tree = json.loads(run("devices", "--json"))["devices"]
    expect(tree[-1]["backend"] == "cpu" and tree[-1]["usable"], "plain C is not the last device")
    expect([t["number"] for t in tree] == list(range(len(tree))), "device numbers")
    out = run("devices")
    expect(all(t["name"] in out for t in tree), "a device is missing")
    run("devices", "--disable", "subgroup")
    run("reduce", plain(d), "-o", os.path.join(d, "o"), "--device", "no such device", code=1)
    run("reduce", plain(d), "-o", os.path.join(d, "o"), "--device", "9999", code=1)
    run("reduce", plain(d), "-o", os.path.join(d, "o"), "--backend", "cpu", "--cache", "f", code=2,
        says="plain C compiles nothing")
    nothing_but(d, "in.safetensors")


@test
def stages(d):
    tree = json.loads(run("stages", "--json"))["stages"]
    table = run("stages")
    names = [t["name"] for t in tree]
    expect({"divprune", "evs"} <= set(names) and len(set(names)) == len(names), f"stages: {names}")
    for t in tree:
        expect(t["name"] in table and t["summary"] in table, f"{t['name']} is not in the table")
        expect(t["help"] and t["source"], f"{t['name']}: no help or no source")
        out = run("stages", t["name"])
        expect(all(o["name"] in out for o in t["options"]), f"{t['name']}: an option is not shown")
        expect(json.loads(run("stages", t["name"], "--json")) == t, f"{t['name']}: --json of one stage")
        expect(all(t[k] and " ".join(t[k].split()) in " ".join(out.split()) for k in ("gives", "agrees", "cost")),
               f"{t['name']}: what it gives, agrees with or costs is not shown")
    figures, markdown = run("stages", "--figures"), run("stages", "--markdown")
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        readme = file.read()
    with open(os.path.join(ROOT, "docs", "methods.md"), encoding="utf-8") as file:
        expect(markdown in file.read(), "docs/methods.md is not `winnow stages --markdown`: paste it anew")
    for t in tree:
        expect(f"\n{t['name']} " in figures and t["paper"] in figures, f"{t['name']} is not in --figures")
        expect(f"\n| `{t['name']}` |" in markdown, f"{t['name']} is not in --markdown")
        expect(f"`{t['name']}" in readme, f"{t['name']} is not in the README's table")
        for share in (t.get("measured", {}).get(k) for k in ("quarter", "tenth")):
            expect(share is None or t["name"] in share["pipeline"] and 0 < share["right_percent"] <= 100,
                   f"{t['name']}: measured {share}")
    run("stages", "evs", "--figures", code=2, says="--figures is of all stages")
    run("stages", "--json", "--markdown", code=2, says="give one")


# ---- reduce --------------------------------------------------------------------------------------

@test
def reduce_writes(d):
    source, out = plain(d), os.path.join(d, "out.safetensors")
    line = run("reduce", source, "-o", out, *CPU)
    expect("tokens 16 -> 5" in line and line.count("\n") == 1, f"line: {line!r}")
    meta, t = load(out)
    expect(meta["pipeline"] == "divprune=keep=5" and meta["device"], f"metadata: {meta}")
    _, given = load(source)
    indices = t["indices"][2]
    expect(t["tokens"][:2] == ("F32", [5, 8]) and indices == sorted(indices), "tokens or their order")
    for row, i in enumerate(indices):
        expect(t["tokens"][2][row * 8:row * 8 + 8] == given["tokens"][2][i * 8:i * 8 + 8], f"row {row}")
        expect(t["positions"][2][row * 3:row * 3 + 3] == [0, i // 4, i % 4], f"position {row}")
    want = [indices.index(i) if i in indices else -1 for i in range(16)]
    expect(t["assignment"] == ("I32", [16], want), "assignment")
    expect(t["sizes"][1] == [5], "sizes")
    tree = json.loads(run("reduce", source, "-o", out, "--json", "--order", "method", *CPU))
    expect(tree["tokens_before"] == 16 and tree["tokens_after"] == 5 and tree["output"] == out, f"{tree}")
    expect(sorted(load(out)[1]["indices"][2]) == indices, "the method's order keeps others")
    run("reduce", source, "-o", out, "--pipeline", "divprune=keep=3", *CPU)
    expect(load(out)[1]["tokens"][1] == [3, 8], "--pipeline does not win")
    nothing_but(d, "in.safetensors", "out.safetensors")


@test
def reduce_types(d):
    out, values = os.path.join(d, "out.safetensors"), noise(128)
    for dtype, name in (("F32", "f32"), ("F16", "f16"), ("BF16", "bf16")):
        plain(d, tokens=tensor(dtype, [1, 16, 8], values))
        source = os.path.join(d, "in.safetensors")
        run("reduce", source, "-o", out, *CPU)
        expect(load(out)[1]["tokens"][0] == dtype, f"{dtype} does not stay {dtype}")
        for other, kind in (("f32", "F32"), ("f16", "F16"), ("bf16", "BF16")):
            run("reduce", source, "-o", out, "--dtype", other, *CPU)
            expect(load(out)[1]["tokens"][0] == kind, f"--dtype {other}")
    for dtype in ("F64", "I32", "U8"):
        source = plain(d, tokens=tensor(dtype, [1, 16, 8]))
        os.remove(out) if os.path.exists(out) else None
        run("reduce", source, "-o", out, *CPU, code=1, says="F32, F16 or BF16")
    nothing_but(d, "in.safetensors")


@test
def reduce_shapes(d):
    out = os.path.join(d, "out.safetensors")
    source = plain(d, tokens=tensor("F32", [16, 8], noise(128)))
    run("reduce", source, "-o", out, *CPU)
    expect(load(out)[1]["tokens"][1] == [5, 8], "[N,D]")
    plain(d, tokens=tensor("F32", [16, 8], noise(128)), grid=tensor("I64", [3], [2, 2, 4]))
    run("reduce", source, "-o", out, *CPU)
    expect(load(out)[1]["positions"][2][0::3] == [i // 8 for i in load(out)[1]["indices"][2]], "[T*N,D] on a grid")
    for pad in range(4):  # the data start at every offset
        write(source, {"odd": tensor("U8", [1], [7]), "tokens": tensor("F32", [1, 16, 8], noise(128))},
              {"pipeline": "divprune=keep=5"}, pad)
        run("reduce", source, "-o", out, *CPU)
    os.remove(out)
    bad = [("grid", tensor("I32", [3], [1, 4, 5]), "grid"), ("grid", tensor("I32", [3], [2, 4, 4]), "tokens"),
           ("grid", tensor("I32", [3], [1, -4, -4]), "grid"), ("grid", tensor("I32", [3], [0, 4, 4]), "grid"),
           ("grid", tensor("I32", [2], [4, 4]), "grid"), ("grid", tensor("F32", [3], [1, 4, 4]), "grid"),
           ("grid", tensor("I64", [3], [1 << 40, 1 << 40, 1 << 40]), "grid"),
           ("tokens", tensor("F32", [1, 1, 16, 8]), "tokens"), ("tokens", tensor("F32", [8]), "tokens"),
           ("tokens", tensor("F32", [1, 0, 8]), "tokens"), ("tokens", tensor("F32", [1, 16, 0]), "tokens"),
           ("tokens", tensor("F32", [1, 17, 8]), "grid")]
    for name, t, says in bad:
        plain(d, **{name: t})
        run("reduce", source, "-o", out, *CPU, code=1, says=says)
    nothing_but(d, "in.safetensors")


@test
def reduce_roles(d):
    out = os.path.join(d, "out.safetensors")
    source = plain(d)
    run("reduce", source, "-o", out, "--pipeline", "fastervlm=keep=4", *CPU, code=1, says="cls_attention")
    write(source, {"grid": tensor("I32", [3], [1, 4, 4])}, {"pipeline": "divprune=keep=5"})
    run("reduce", source, "-o", out, *CPU, code=1, says="tokens")
    plain(d, cls_attention=tensor("F32", [1, 2, 15]))
    run("reduce", source, "-o", out, "--pipeline", "fastervlm=keep=4", *CPU, code=1, says="cls_attention")
    plain(d, cls_attention=tensor("F64", [1, 2, 16]))
    run("reduce", source, "-o", out, "--pipeline", "fastervlm=keep=4", *CPU, code=1, says="F64")
    nothing_but(d, "in.safetensors")
    run("reduce", source, "-o", out, *CPU)  # a role that is not used may be anything
    plain(d, cls_attention=tensor("F32", [2, 16], [i / 16 for i in range(32)]))
    run("reduce", source, "-o", out, "--pipeline", "fastervlm=keep=4", *CPU)
    expect(load(out)[1]["indices"][2] == [12, 13, 14, 15], "[H,N] of one frame")
    write(source, {"tokens": tensor("F32", [1, 16, 8])})
    run("reduce", source, "-o", out, *CPU, code=2, says="--pipeline")


@test
def reduce_specs(d):
    out, source = os.path.join(d, "out.safetensors"), plain(d)
    for spec in ("divprun=keep=5", "divprune=kep=5", "divprune=keep=", "divprune=keep=x", "divprune=keep=-1",
                 "divprune=keep=5,", ",", "", "divprune=keep=5:keep=6", "divprune=keep=999999999999999999999",
                 "divprune=\n\033[31m=5", "=" * 5000):
        run("reduce", source, "-o", out, "--pipeline", spec, *CPU, code=2)
    write(source, {"tokens": tensor("F32", [1, 16, 8])}, {"pipeline": "nonsense=1"})
    run("reduce", source, "-o", out, *CPU, code=1)
    nothing_but(d, "in.safetensors")


@test
def reduce_decode(d):
    out, source = os.path.join(d, "out.safetensors"), os.path.join(d, "in.safetensors")
    steps, heads, columns, length = 3, 2, 12, 10
    good = {"llm_attention": tensor("F32", [steps, heads, columns], [abs(v) for v in noise(72)]),
            "layout": tensor("I32", [3], [2, 6, length])}
    meta = {"pipeline": "dycoke-kv=rate=0.5"}
    write(source, good, meta)
    run("reduce", source, "-o", out, *CPU)
    _, t = load(out)
    expect(t["kv_mask"][:2] == ("I32", [steps, columns]), f"kv_mask {t['kv_mask'][:2]}")
    for s in range(steps):
        row = t["kv_mask"][2][s * columns:(s + 1) * columns]
        expect(row[:2] == [1, 1] and row[8:length + s] == [1] * (2 + s), f"text of step {s}: {row}")
        expect(row[length + s:] == [0] * (columns - length - s), f"padding of step {s}: {row}")
    tree = json.loads(run("reduce", source, "-o", out, "--json", *CPU))
    expect(tree["steps"] == steps and tree["columns_kept"] == sum(t["kv_mask"][2]), f"{tree}")
    os.remove(out)
    bad = [("layout", None), ("llm_attention", None), ("layout", tensor("I32", [3], [2, 9, 10])),
           ("layout", tensor("I32", [3], [-1, 6, 10])), ("layout", tensor("I32", [3], [2, 6, 11])),
           ("layout", tensor("I32", [2], [2, 6])), ("layout", tensor("I64", [3], [1 << 62, 1 << 62, 1])),
           ("llm_attention", tensor("F32", [2, 12])), ("llm_attention", tensor("F64", [3, 2, 12])),
           ("llm_attention", tensor("F32", [0, 2, 12]))]
    for name, t in bad:
        case = dict(good)
        if t:
            case[name] = t
        else:
            del case[name]
        write(source, case, meta)
        run("reduce", source, "-o", out, *CPU, code=1, says=name)
    nothing_but(d, "in.safetensors")


def one(dtype="F32", shape=(1, 2, 2), a=0, b=16):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [a, b]}


@test
def hostile_files(d):
    out, source = os.path.join(d, "out.safetensors"), os.path.join(d, "in.safetensors")
    j = lambda tree: json.dumps(tree).encode()
    text = lambda shape, offsets="[0,16]": ('{"tokens":{"dtype":"F32","shape":%s,"data_offsets":%s}}'
                                            % (shape, offsets)).encode()
    cases = [(b"", b"", 1 << 63), (b"", b"", (1 << 64) - 1), (b"{}", b"", 1 << 40), (b"{}", b"", 3), (b"", b"", 0),
             (text("[1,2,2]"), bytes(15), None), (text("[1,2,2]"), b"", None), (text("[1,2,2]"), bytes(17), None),
             (text("[1,2,3]"), bytes(16), None), (text("[-1,2,2]"), bytes(16), None), (text("[1.5,2,2]"), bytes(16), None),
             (text("[1e300,2,2]"), bytes(16), None), (text("[4294967296,4294967296,1]"), bytes(16), None),
             (text("[9007199254740992,9007199254740992,9007199254740992]"), bytes(16), None),
             (text("[18446744073709551616,0]", "[0,0]"), b"", None), (text('["1",2,2]'), bytes(16), None),
             (text("[1,2,2]", "[16,0]"), bytes(16), None), (text("[1,2,2]", "[-16,0]"), bytes(16), None),
             (text("[1,2,2]", "[0,16.5]"), bytes(17), None), (text("[1,2,2]", "[0]"), bytes(16), None),
             (text("[1,2,2]", "[0,16,16]"), bytes(16), None), (text("[1,2,2]", "[1e18,2e18]"), bytes(16), None),
             (text("[1,2,2]", "[4,20]"), bytes(20), None), (text("[1,1,1,1,1,1,1,2,2]"), bytes(16), None),
             (text("7"), bytes(16), None), (text("{}"), bytes(16), None), (text("null"), bytes(16), None),
             (j({"tokens": one("F99")}), bytes(16), None), (j({"tokens": one(7)}), bytes(16), None),
             (j({"tokens": 3}), b"", None), (j({"tokens": {"dtype": "F32"}}), b"", None), (j([1, 2]), b"", None),
             (j({"a": one(), "b": one()}), bytes(16), None), (j({"a": one(), "b": one(a=8, b=24)}), bytes(24), None),
             (b'{"a":%s,"a":%s}' % (j(one()), j(one(a=16, b=32))), bytes(32), None),
             (b'{"a":{"dtype":"F32","dtype":"F16","shape":[4],"data_offsets":[0,16]}}', bytes(16), None),
             (b'{"__metadata__":{"a":1}}', b"", None), (b'{"__metadata__":[]}', b"", None),
             (b'{"__metadata__":{},"__metadata__":{}}', b"", None), (b"[" * 100000, b"", None),
             (b'{"a":' * 100000, b"", None), (b"{", b"", None), (b"{}x", b"", None), (b'{"a\\u0000b":{}}', b"", None),
             (b'{"\xff\xfe":{}}', b"", None), (b'{"\xc0\x80":{}}', b"", None), (b'{"\xed\xa0\x80":{}}', b"", None),
             (b'{"a\nb":{}}', b"", None), (b"\x00" * 64, b"", None), (b'{"a":[' + b"0," * 2000000 + b"0]}", b"", None),
             (b'{"\\u001b[31m\\n":{"dtype":"F32"}}', b"", None)]
    for header, data, length in cases:
        write_raw(source, header, data, length)
        try:
            run("reduce", source, "-o", out, "--pipeline", "divprune=keep=1", *CPU, code=1, says="in.safetensors")
        except Failure as e:
            raise Failure(f"header {header[:80]!r} + {len(data)} bytes: {e}")
    for size in range(9):
        with open(source, "wb") as f:
            f.write(bytes(size))
        run("reduce", source, "-o", out, *CPU, code=1, says="in.safetensors")
    whole = open(plain(d), "rb").read()
    for size in list(range(0, len(whole), 37)) + [len(whole) - 1]:
        with open(source, "wb") as f:
            f.write(whole[:size])
        run("reduce", source, "-o", out, *CPU, code=1, says="in.safetensors")
    os.remove(source)
    run("reduce", source, "-o", out, *CPU, code=1, says="No such file")
    run("reduce", d, "-o", out, *CPU, code=1)
    run("reduce", "/dev/zero", "-o", out, *CPU, code=1)
    nothing_but(d)


@test
def outputs_are_whole_or_absent(d):
    source = plain(d)
    run("reduce", source, "-o", "/dev/full", *CPU, code=1, says="/dev/full")
    expect(os.path.exists("/dev/full") and not os.path.isfile("/dev/full"), "/dev/full was replaced")
    run("reduce", source, "-o", os.path.join(d, "no", "such", "folder"), *CPU, code=1, says="cannot write")
    run("reduce", source, "-o", d, *CPU, code=1, says="cannot write")
    run("reduce", source, "-o", source + "/x", *CPU, code=1, says="cannot write")
    run("reduce", source, "-o", os.path.join(d, "out"), *CPU, code=1, says="writing failed", limit=256)
    nothing_but(d, "in.safetensors")
    out = os.path.join(d, "out")
    with open(out, "wb") as f:
        f.write(b"mine")
    run("reduce", source, "-o", out, *CPU, code=1, limit=256)
    expect(open(out, "rb").read() == b"mine", "a failed run changed the file that was there")
    run("reduce", source, "-o", out, *CPU)
    expect(os.stat(out).st_mode & 0o777 == 0o666 & ~current_mask(), "permissions")
    run("reduce", source, "-o", source, *CPU)  # onto itself
    nothing_but(d, "in.safetensors", "out")


def current_mask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


# ---- encode and show -----------------------------------------------------------------------------

@test
def encode(d):
    a, b = picture(os.path.join(d, "a.png"), 100, 70, 1), picture(os.path.join(d, "b.png"), 64, 64, 2)
    out = os.path.join(d, "f.safetensors")
    run("encode", a, b, "-o", out, "--model", "patches", *CPU)
    _, t = load(out)
    T, H, W = t["grid"][2]
    expect(T == 2 and t["tokens"][1][:2] == [2, H * W], f"grid {t['grid']}, tokens {t['tokens'][:2]}")
    run("encode", a, "-o", out, "--size", "64x32", *CPU)
    expect(load(out)[1]["grid"][2] == [1, 2, 4], "--size")
    tree = json.loads(run("encode", a, "-o", out, "--max-side", "48", "--json", *CPU))
    expect(max(tree["width"], tree["height"]) <= 48, "--max-side")
    run("encode", a, "-o", out, "--size", "64x64", "--model", "patches=patch=8", *CPU)
    expect(load(out)[1]["grid"][2] == [1, 8, 8], "patch=8")
    run("encode", a, b, "-o", out, "--size", "64x64", "--pipeline", "evs=rate=0.5", *CPU)
    expect(load(out)[1]["tokens"][1][0] == 16, "--pipeline")
    run("reduce", out, "-o", out, "--pipeline", "divprune=keep=4", *CPU)
    os.remove(out)
    run("encode", a, "-o", out, "--size", "65x64", *CPU, code=2, says="patch")
    run("encode", a, "-o", out, "--size", "64x64", "--max-side", "64", *CPU, code=2)
    run("encode", a, "-o", out, "--model", "no-such.gguf", *CPU, code=1, says="no-such.gguf")
    run("encode", a, "-o", out, "--pipeline", "fastervlm=keep=4", *CPU, code=1, says="cls_attention")
    run("encode", os.path.join(d, "none.png"), "-o", out, *CPU, code=1, says="none.png")
    bad = os.path.join(d, "bad.png")
    with open(bad, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + b"\xff" * 100)
    run("encode", bad, "-o", out, *CPU, code=1)
    run("encode", a, bad, "-o", out, *CPU, code=1)
    run("encode", a, "-o", "/dev/full", *CPU, code=1, says="/dev/full")
    nothing_but(d, "a.png", "b.png", "bad.png")


@test
def show(d):
    for i in range(3):
        picture(os.path.join(d, f"{i}.png"), 96, 64, i)
    frames = [os.path.join(d, f"{i}.png") for i in range(3)]
    outs = [os.path.join(d, "o" + e) for e in (".png", ".html")]
    line = run("show", *frames, "--pipeline", "evs=rate=0.5", "-o", outs[0], "-o", outs[1], *CPU)
    expect("tokens 72 -> 36" in line and all(o in line for o in outs), f"line: {line!r}")
    expect(open(outs[0], "rb").read(8) == b"\x89PNG\r\n\x1a\n", "PNG")
    page = open(outs[1], encoding="utf-8").read()
    start = page.index("const data = ") + len("const data = ")
    data = json.JSONDecoder().raw_decode(page[start:])[0]
    expect(data["before"] == 72 and data["after"] == 36 and len(data["frames"]) == 3, "numbers of the page")
    expect(len(data["rows"]) == 72 and len(data["indices"]) == 36, "marks of the page")
    expect("http://" not in page and "https://" not in page and "WINNOW_DATA" not in page, "the page is not alone")
    tree = json.loads(run("show", frames[0], "--pipeline", "divprune=keep=6", "-o", outs[0], "--json", *CPU))
    expect(tree["kept"] == 6 and tree["kept"] + tree["merged"] + tree["dropped"] == 24, f"{tree}")
    film = os.path.join(d, "o.mp4")
    p = subprocess.run([WINNOW, "show", *frames, "--pipeline", "evs=rate=0.5", "-o", film, *CPU], capture_output=True)
    if p.returncode == 0:
        expect(b"ftyp" in open(film, "rb").read(16), "MP4")
        os.remove(film)
        run("show", *frames, "--pipeline", "evs=rate=0.5", "-o", film, *CPU, code=1, limit=2000)
    else:
        expect(p.returncode == 1 and b"libav" in p.stderr, f"film: {p.stderr!r}")
    for out in outs:
        os.remove(out)
        run("show", *frames, "--pipeline", "evs=rate=0.5", "-o", out, *CPU, code=1, limit=2000)
        run("show", *frames, "--pipeline", "evs=rate=0.5", "-o", os.path.join(d, "no", os.path.basename(out)), *CPU, code=1)
    run("show", *frames, "--pipeline", "fastervlm=keep=4", "-o", outs[0], *CPU, code=1, says="cls_attention")
    run("show", *frames, "--pipeline", "evz=rate=0.5", "-o", outs[0], *CPU, code=2)
    nothing_but(d, "0.png", "1.png", "2.png")


@test
def bench(d):
    tree = json.loads(run("bench", "--quick", "--stage", "divprune", "--json", *CPU))
    done = [r for r in tree["results"] if "wall_ms" in r]
    expect(len(done) == 4 and all(r["wall_ms"] > 0 and r["floor_bytes"] > 0 for r in done), f"{tree['results']}")
    out = run("bench", "--quick", "--stage", "evs", "--dtype", "f32", "--no-cpu", *CPU)
    expect("evs=" in out and "FLOOR" in out, f"table: {out!r}")
    tree = json.loads(run("bench", "--quick", "--stage", "tome", "--dtype", "f32", "--json", *CPU))
    one, inputs = tree["results"][0], 144 * 64 + 144 * 64  # tokens, and the keys that a host gives it
    expect(one["floor_bytes"] == 4 * (inputs + one["rows"] * (64 + 1)), f"tome's keys: {one}")


@test
def stopped(d):
    """A program that is stopped leaves no half file."""
    source = write(os.path.join(d, "in.safetensors"), {"tokens": tensor("F32", [1, 4096, 64], noise(4096 * 64))},
                   {"pipeline": "divprune=keep=2048"})
    for wait in (0.02, 0.1, 0.3):
        p = subprocess.Popen([WINNOW, "reduce", source, "-o", os.path.join(d, "out"), *CPU],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        p.terminate()
        p.wait()
        left = [f for f in os.listdir(d) if "part" in f]
        expect(not left, f"left: {left}")


def option(name, otherwise):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else otherwise


def run_all(tests, word):
    """Those with `word` in their names, each in a folder of its own; ends the program with their count."""
    failed = 0
    chosen = [t for t in tests if word in t.__name__]
    for t in chosen:
        with tempfile.TemporaryDirectory() as d:
            try:
                t(d)
                print(f"ok   {t.__name__}", flush=True)
            except Exception as e:
                failed += 1
                print(f"FAIL {t.__name__}: {type(e).__name__}: {e}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


def main():
    global WINNOW
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    WINNOW = os.path.abspath(sys.argv[1])
    run_all(tests, option("--filter", ""))


if __name__ == "__main__":
    main()
