#!/usr/bin/env python3
"""Tokens that a stage chooses before a projector are those that the encoder gives without it, at the stage's indices: with a
class token and without, a norm in the projector, tiles, and several hidden states side by side, where a stage that makes a row
of several tokens is refused.

usage: check_chosen.py WINNOW MODELS_DIR [EXTRA ARGS FOR winnow encode]      (python3 and numpy)
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from tally import check, finish

PICTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures", "odd.png")
MODELS = ["mlp.gguf", "mlp-noclass.gguf", "mlp-norm.gguf", "mlp-anyres.gguf"]
KEEP = 3


def encode(winnow, model, out, *more):
    return subprocess.run([winnow, "encode", "--model", model, PICTURE, "-o", out, *more], capture_output=True, text=True)


def check_model(winnow, models, name, folder, extra):
    model, plain, few = os.path.join(models, name), os.path.join(folder, "plain"), os.path.join(folder, "few")
    done = encode(winnow, model, plain + ".safetensors", "--taps", "received_attention:-1", *extra)
    check(done.returncode == 0, "%s: %s" % (name, done.stderr))
    all_of = safetensors_io.read(plain + ".safetensors")[1]
    tokens, seen = all_of["tokens"], all_of["received_attention.-1"].mean(1)
    tokens = tokens.reshape(-1, tokens.shape[-1])
    check(tokens.shape[0] == seen.size, "%s: a token is a patch" % name)
    for spec in ("fastervlm=keep=%d:attention=received" % KEEP, "vispruner=keep=%d:attention=received" % KEEP):
        done = encode(winnow, model, few + ".safetensors", "--pipeline", spec, *extra)
        check(done.returncode == 0, "%s %s: %s" % (name, spec, done.stderr))
        got = safetensors_io.read(few + ".safetensors")[1]
        places = got["indices"]
        check(len(places) == KEEP * len(seen), "%s %s: %d rows" % (name, spec, len(places)))
        check(np.array_equal(tokens[places], got["tokens"]), "%s %s: rows at %s" % (name, spec, places))
        if spec.startswith("fastervlm"):
            best = np.sort(np.argsort(-seen, axis=1, kind="stable")[:, :KEEP], 1)
            want = (best + np.arange(len(seen))[:, None] * seen.shape[1]).reshape(-1)
            check(np.array_equal(places, want), "%s: %s, by attention %s" % (name, places, want))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    winnow, models, extra = sys.argv[1], sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            check_model(winnow, models, name, folder, extra)
        out = os.path.join(folder, "merged.safetensors")
        done = encode(winnow, os.path.join(models, "mlp-noclass.gguf"), out, "--pipeline",
                      "visionzip=dominant=2:contextual=1:attention=received", *extra)
        check(done.returncode != 0 and "2 hidden states side by side" in done.stderr and done.stderr.count("\n") == 1 and
              not os.path.exists(out), "merged rows: %r" % done.stderr)
    finish()


if __name__ == "__main__":
    main()
