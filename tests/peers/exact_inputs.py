"""Inputs for stages.py on which f32 makes no rounding errors that could change a pick.

Methods that pick greedily fall apart at one difference in the last bit, so two right implementations rarely agree on
plain random rows. Here rows are whole numbers / 4096 whose squares sum to 1 exactly (the last four channels see to
that: every number is a sum of four squares). Norms are 1 and every product of two rows is a multiple of 2^-24 of at
most 1, exact in f32 in any order of summation. Attention is exact likewise, and no two tokens have the same sum over
the heads. In f16 and bf16 the values are these, rounded.

Tokens of a frame come in groups that are alike to different degrees, and each frame is like the one before to a degree
of its own for each place, so scores spread over 0..1 as in pictures and films.
"""
import functools

import numpy as np

ONE = 4096
ROOM = 1 << 17  # what the last four channels can make up


@functools.cache
def four_squares():
    """[ROOM, 4]: numbers whose squares sum to the index."""
    root = int(ROOM ** 0.5) + 1
    a, b = np.meshgrid(np.arange(root), np.arange(root))
    sums = (a * a + b * b).reshape(-1)
    pair = np.full((ROOM, 2), -1, np.int32)
    good = sums < ROOM
    pair[sums[good]] = np.stack([a.reshape(-1), b.reshape(-1)], 1)[good]
    are = np.flatnonzero(pair[:, 0] >= 0)
    out, found = np.zeros((ROOM, 4), np.int32), np.zeros(ROOM, bool)
    for s in are:
        rest = are[are < ROOM - s]
        new = rest[~found[s + rest]]
        out[s + new, :2], out[s + new, 2:] = pair[s], pair[new]
        found[s + new] = True
        if found.all():
            return out
    raise AssertionError("Lagrange")


def exact(rows):
    """Rows of about this direction, of norm 1 exactly."""
    rows = rows.reshape(-1, rows.shape[-1])
    scale = ONE * np.sqrt(1 - ROOM / 2 / ONE**2) / np.linalg.norm(rows[:, :-4], axis=1, keepdims=True)
    whole = np.rint(rows[:, :-4] * scale).astype(np.int32)
    missing = ONE**2 - np.einsum("rd,rd->r", whole, whole, dtype=np.int64)
    last = four_squares()[missing]
    return np.concatenate([whole, last], 1).astype(np.float32) / ONE


def alike(random, n, dim):
    """[n, dim] in groups of about 64."""
    noise, groups = random.standard_normal((n, dim), np.float32), -(-n // 64)
    centres = random.standard_normal((groups, dim), np.float32)[random.integers(0, groups, n)]
    share = random.uniform(0.05, 0.98, (n, 1)).astype(np.float32)
    return share * centres + np.sqrt(1 - share**2) * noise


def tokens(random, frames, n, dim):
    out = np.empty((frames, n, dim), np.float32)
    before = alike(random, n, dim)
    for t in range(frames):
        out[t] = exact(before)
        share = random.uniform(0, 1, (n, 1)).astype(np.float32)
        before = share * before + np.sqrt(1 - share**2) * alike(random, n, dim)
    return out


def attention(random, groups, heads, n):
    """[groups, heads, n]: few large weights, sums over heads exact and all different."""
    whole = (random.uniform(0, 1, (groups, heads, n)) ** 4 * (1 << 18)).astype(np.int64)
    for g in range(groups):
        sums = whole[g].sum(0)
        order = np.argsort(sums, kind="stable")
        apart = np.maximum.accumulate(sums[order] - np.arange(n)) + np.arange(n)
        whole[g, 0, order] += apart - sums[order]
    return (whole / float(1 << 22)).astype(np.float32)


def make(shape, seed=1):
    """{role: f32 array} for a winnow_shape."""
    random, s = np.random.default_rng(seed), shape
    all_rows = s.frames * s.tokens
    def spread(rows, dim):
        return exact(random.standard_normal((rows, dim), np.float32))
    return {
        "tokens": tokens(random, s.frames, s.tokens, s.dim),
        "keys": np.stack([exact(alike(random, s.tokens, s.key_dim)) for _ in range(s.frames)]),
        "cls_attention": attention(random, s.frames, s.heads, s.tokens),
        "llm_attention": attention(random, 1, s.llm_heads, all_rows)[0],
        "image_embeds": spread(all_rows, s.text_dim).reshape(s.frames, s.tokens, s.text_dim),
        "text": spread(s.text_rows, s.text_dim),
    }


def narrow(array, dtype):
    """As Winnow's ABI takes it: float32, float16, or the upper half of the rounded float32."""
    if dtype == "f32":
        return array
    if dtype == "f16":
        return array.astype(np.float16)
    bits = array.view(np.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype(np.uint16)
