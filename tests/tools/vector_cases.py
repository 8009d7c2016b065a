"""The cases of make_vectors.py: name, spec, and a function from a Case to what is expected.

Shapes: one token, odd, prime, several frames, more than a workgroup; one head and many; f16 where
no row is changed.
"""
import numpy as np

import vector_balance as balance
import vector_centre as centre
import vector_clusters as clusters
import vector_choice
import vector_density as density
import vector_methods as m
import vector_motion
import vector_nms as nms
import vector_quad as quad
import vector_residual as residual
import vector_shares as shared
import vector_spectral as spectral
import vector_text as text

F32, F16 = np.float32, np.float16


def numbered(stage, function, rows):
    """(options, arguments of function behind the Case...) for each row."""
    for number, (options, *arguments) in enumerate(rows):
        spec = f"{stage}={options}" if options else stage
        yield (f"{stage}-{number}", spec, lambda c, given=tuple(arguments): function(c, *given))


# -- grids ---------------------------------------------------------------------------------------

def grid_input(c, frames, h, w, dim):
    c.grid(frames, h, w)
    return c.normal("tokens", frames, h * w, dim)


def pixel_shuffle(c, frames, h, w, dim, factor, layout, pad=None):
    return m.pixel_shuffle(grid_input(c, frames, h, w, dim), (h, w), factor, layout, pad)


def average_windows(c, frames, h, w, dim, factor):
    return m.average_windows(grid_input(c, frames, h, w, dim), (h, w), factor)


def average_runs(c, frames, n, dim, stride):
    return m.average_runs(c.normal("tokens", frames, n, dim), stride)


def resampled(c, axis, frames, h, w, dim, number):
    tokens = grid_input(c, frames, h, w, dim)
    out = m.separable(tokens, (h, w), axis(h, number), axis(w, number))
    if len(set(out["indices"])) < len(out["indices"]):
        del out["indices"]  # upscaled: rows cannot be told apart by them
    return out


def grids():
    yield from numbered("pixel-shuffle", pixel_shuffle, [
        ("factor=2:layout=row", 3, 6, 4, 7, 2, "row"),
        ("factor=3:layout=row", 1, 9, 6, 5, 3, "row"),
        ("factor=2:layout=row", 1, 24, 24, 16, 2, "row"),
        ("factor=1:layout=row", 1, 1, 1, 3, 1, "row"),
        ("factor=2:layout=row:pad=zero", 2, 5, 7, 6, 2, "row", "zero"),
        ("factor=3:layout=row:pad=edge", 1, 5, 7, 6, 3, "row", "edge"),
        ("factor=2:layout=column", 2, 4, 6, 5, 2, "column"),
        ("factor=5:layout=column", 1, 10, 5, 3, 5, "column"),
        ("factor=3:layout=channel", 2, 6, 9, 5, 3, "channel"),
        ("factor=2:layout=channel:pad=edge", 1, 3, 5, 4, 2, "channel", "edge"),
        ("factor=2:layout=blocks", 2, 6, 4, 6, 2, "blocks"),
        ("factor=3:layout=blocks", 1, 9, 3, 5, 3, "blocks")])
    rows = [("factor=2", 2, 7, 5, 9, 2), ("factor=2", 1, 27, 27, 8, 2),
            ("factor=4", 1, 11, 13, 3, 4)]
    for name, spec, make in numbered("avg-pool", average_windows, rows):
        yield name.replace("pool", "pool-2d"), spec, make
    rows = [("stride=8", 1, 577, 16, 8), ("stride=4", 2, 12, 5, 4), ("stride=1", 1, 1, 7, 1),
            ("stride=31", 1, 31, 4, 31)]
    for name, spec, make in numbered("avg-pool", average_runs, rows):
        yield name.replace("pool", "pool-1d"), spec, make
    yield from numbered("adaptive-pool", resampled, [
        ("size=3", m.adaptive_axis, 2, 7, 5, 9, 3), ("size=4", m.adaptive_axis, 1, 13, 11, 4, 4),
        ("size=12", m.adaptive_axis, 1, 24, 24, 8, 12), ("size=5", m.adaptive_axis, 1, 2, 3, 6, 5)])
    yield from numbered("bilinear-pool", resampled, [
        ("factor=3", m.bilinear_axis, 2, 10, 7, 5, 3),
        ("factor=2", m.bilinear_axis, 1, 27, 27, 8, 2),
        ("factor=2", m.bilinear_axis, 1, 1, 9, 4, 2)])


# -- attention -----------------------------------------------------------------------------------

def fastervlm(c, frames, n, dim, heads, keep, kind):
    tokens = c.normal("tokens", frames, n, dim, dtype=kind)
    return m.fastervlm(tokens, c.attention("cls_attention", frames, heads, n), keep)


def fastv(c, frames, n, dim, heads, rate):
    tokens = c.normal("tokens", frames, n, dim)
    return m.fastv(tokens, c.attention("llm_attention", heads, frames * n), rate)


def visionzip(c, frames, n, dim, key_dim, heads, dominant, contextual, with_cls):
    tokens, keys = c.normal("tokens", frames, n, dim), c.normal("keys", frames, n, key_dim)
    cls = c.random.standard_normal((frames, dim)).astype(F32)
    attention = c.attention("cls_attention", frames, heads, n)
    out = m.visionzip(tokens, keys, attention, dominant, contextual,
                      c.give("cls", cls) if with_cls else None)
    if with_cls:
        del out["sizes"]  # nobody says what a class token's is
    return out


def prumerge(c, n, dim, ratio, plus):
    tokens, keys = c.normal("tokens", 1, n, dim)[0], c.normal("keys", 1, n, dim)[0]
    attention = c.attention("cls_attention", 1, 1, n, sharp=1.5)[0, 0]
    return m.prumerge(tokens, keys, attention, ratio, plus)


def vispruner(c, frames, n, dim, heads, keep, important):
    tokens = c.normal("tokens", frames, n, dim)
    return m.vispruner(tokens, c.attention("cls_attention", frames, heads, n), keep, important)


def attention():
    yield from numbered("fastervlm", fastervlm, [
        ("keep=25%", 3, 49, 10, 1, "25%", F32), ("keep=192", 1, 576, 64, 16, "192", F16),
        ("keep=1", 1, 1, 5, 1, "1", F32), ("keep=200", 2, 101, 7, 3, "200", F32)])
    yield from numbered("fastv", fastv, [
        ("rate=0.5", 1, 577, 12, 4, 0.5), ("rate=0.75", 2, 30, 8, 1, 0.75),
        ("rate=0.9", 1, 65, 5, 8, 0.9)])
    yield from numbered("visionzip", visionzip, [
        ("dominant=9:contextual=4", 2, 50, 12, 8, 1, 9, 4, False),
        ("dominant=53:contextual=10", 1, 576, 24, 16, 16, 53, 10, True),
        ("dominant=7:contextual=20", 1, 37, 5, 6, 2, 7, 20, False),
        ("dominant=0:contextual=3", 1, 23, 6, 4, 2, 0, 3, True)])
    yield from numbered("prumerge", prumerge, [
        ("ratio=0.2", 100, 24, 0.2, False), ("", 101, 16, None, False),
        ("ratio=0.3", 20, 8, 0.3, False)])
    yield from numbered("prumerge-plus", prumerge, [
        ("", 197, 16, None, True), ("ratio=0.1", 89, 12, 0.1, True)])
    yield from numbered("vispruner", vispruner, [
        ("keep=17:important=0.5", 1, 63, 20, 1, "17", 0.5),
        ("keep=58:important=0.5", 1, 257, 32, 16, "58", 0.5),
        ("keep=25%:important=0.3", 2, 40, 10, 3, "25%", 0.3),
        ("keep=5:important=0", 1, 31, 9, 2, "5", 0), ("keep=7:important=1", 1, 30, 9, 2, "7", 1)])


# -- similarity ----------------------------------------------------------------------------------

def tome(c, frames, n, dim, key_dim, with_sizes, merges):
    tokens = c.normal("tokens", frames, n, dim)
    metric = c.normal("keys", frames, n, key_dim) if key_dim else tokens
    sizes = np.ones((frames, n))
    if with_sizes:
        sizes = c.give("sizes", c.random.integers(1, 9, (frames, n)).astype(F32))
    return m.tome(tokens, metric, sizes, merges)


def divprune(c, frames, n, dim, keep, kind):
    tokens = c.normal("tokens", frames, n, dim, dtype=kind)
    return m.divprune(tokens, lambda count: m.count_of(keep, count, round))


def cdpruner(c, frames, n, dim, text_dim, text_rows, keep):
    tokens = c.normal("tokens", frames, n, dim)
    embeds = c.normal("image_embeds", frames, n, text_dim)
    return m.cdpruner(tokens, embeds, c.normal("text", text_rows, text_dim), keep)


def similarity():
    yield from numbered("tome", tome, [
        ("r=1000", 1, 63, 12, 8, False, m.merge_count(r=1000)),
        ("r=17", 3, 41, 10, 6, True, m.merge_count(r=17)),
        ("keep=20", 1, 100, 9, 8, True, m.merge_count(keep=20)),
        ("keep=10%", 2, 53, 6, 10, False, m.merge_count(keep=5)),
        ("r=9:metric=tokens", 1, 30, 16, 0, False, m.merge_count(r=9)),
        ("r=288", 1, 576, 32, 24, False, m.merge_count(r=288)),
        ("r=5", 1, 1, 4, 4, False, m.merge_count(r=5)),
        ("r=0", 1, 7, 4, 4, True, m.merge_count(r=0))])
    yield from numbered("divprune", divprune, [
        ("keep=10%", 1, 75, 16, "10%", F32), ("keep=10%", 1, 65, 16, "10%", F32),
        ("keep=9", 2, 40, 12, "9", F32), ("keep=57", 1, 576, 64, "57", F16),
        ("keep=1", 1, 1, 8, "1", F32), ("keep=100%", 1, 29, 8, "100%", F32)])
    yield from numbered("cdpruner", cdpruner, [
        ("keep=12", 2, 40, 32, 16, 1, "12"), ("keep=48", 1, 576, 64, 12, 5, "48"),
        ("keep=10%", 1, 97, 48, 20, 3, "10%")])


# -- time ----------------------------------------------------------------------------------------

def with_positions(out, n, width):
    i = np.asarray(out["indices"])
    return {**out, "positions": np.stack([i // n, i % n // width, i % n % width], 1)}


def evs(c, frames, h, w, dim, rate, kind):
    c.grid(frames, h, w)
    tokens = c.video("tokens", frames, h * w, dim, dtype=kind)
    return with_positions(m.evs(tokens, rate), h * w, w)


def motion(c, h, w, dim, moves, rate, radius=3, options=None):
    c.grid(len(moves) + 1, h, w)
    seen = vector_motion.panned(c.random, len(moves) + 1, (h, w), dim, radius, moves)
    tokens = c.give("tokens", seen.astype(F32))
    return with_positions(vector_motion.motion(tokens, (h, w), rate, radius, moves=moves, **(options or {})),
                          h * w, w)


def dycoke(c, frames, h, w, dim, rate):
    c.grid(frames, h, w)
    return with_positions(m.dycoke(c.video("tokens", frames, h * w, dim), rate), h * w, w)


def dycoke_kv(c, steps, heads, layout, rate, threshold, reuse):
    columns = layout[2] + steps + 1
    rows = c.random.standard_normal((steps, heads, columns))
    for t in range(1, steps):  # about every other step is like the one before
        if c.random.uniform() < 0.6:
            rows[t] = rows[t - 1] + 0.05 * rows[t]
    rows = np.exp(rows)
    for t in range(steps):
        rows[t, :, layout[2] + t:] = 0
    rows = (rows / rows.sum(-1, keepdims=True)).astype(F32)
    c.give("llm_attention", rows)
    c.tensors["layout"] = np.array(layout, np.int32)
    return m.dycoke_kv(rows.astype(np.float64), layout, rate, threshold, reuse)


def time():
    yield from numbered("evs", evs, [
        ("rate=0.5", 1, 5, 7, 6, 0.5, F32), ("rate=0.9", 7, 53, 1, 12, 0.9, F32),
        ("rate=0.7", 16, 14, 14, 12, 0.7, F16), ("rate=0.0", 2, 1, 1, 8, 0.0, F32),
        ("rate=0.25", 3, 6, 6, 9, 0.25, F32)])
    still, right, up = (0, 0, 0, 0), (0, 0, 0, 2), (0, 0, -1, 0)
    yield from numbered("motion", motion, [
        ("rate=0.5", 1, 1, 5, [], 0.5), ("rate=0.7", 7, 9, 12, [right, right, still, up], 0.7),
        ("rate=0.75", 14, 14, 10, [(0, 0, 3, -3), (0, 0, 1, 0)] * 3, 0.75),
        ("rate=0.6:radius=1", 5, 11, 9, [up, still, (0, 0, 1, 1)], 0.6, 1),
        ("rate=0.8:mode=merge", 6, 7, 8, [right, right, right, up, still], 0.8, 3, {"merge": True}),
        ("rate=0.7:model=affine:radius=4", 15, 13, 8, [(3, 0, 0, 0), (-3, 0, 0, 1), (0, 3, 1, 0)], 0.7, 4,
         {"affine": True}),
        ("rate=0.5:gain=1", 6, 6, 7, [still, still], 0.5, 3, {"least": 1.0})])
    yield from numbered("dycoke", dycoke, [
        ("rate=0.7", 5, 5, 5, 10, 0.7), ("rate=0.5", 9, 4, 5, 8, 0.5),
        ("rate=0.3", 3, 7, 3, 8, 0.3), ("rate=0.7", 1, 4, 4, 5, 0.7),
        ("rate=0.9", 16, 10, 10, 12, 0.9), ("rate=0.7", 6, 1, 13, 6, 0.7)])
    yield from numbered("dycoke-kv", dycoke_kv, [
        ("rate=0.7:similarity=0.9:similar=full", 9, 1, (0, 50, 50), 0.7, 0.9, False),
        ("rate=0.3:similarity=0.9:similar=reuse", 12, 4, (7, 101, 120), 0.3, 0.9, True),
        ("rate=0.95:similarity=0.5:similar=reuse", 5, 3, (3, 20, 30), 0.95, 0.5, True),
        ("rate=0.5:similarity=0.9:similar=reuse", 6, 2, (14, 64, 90), 0.5, 0.9, True)])


def choice(c, frames, n, dim, heads, keep, of, cascade, film=False):
    tokens = (c.video if film else c.normal)("tokens", frames, n, dim)
    return vector_choice.combined(tokens, c.attention("cls_attention", frames, heads, n), keep, of, cascade)


def choices():
    salient, diverse, both, new = "fastervlm", "divprune", "vispruner", "evs"
    yield from numbered("union", choice, [
        ("keep=20:of=fastervlm+divprune", 3, 49, 10, 2, "20", [(salient, 1), (diverse, 1)], False),
        ("keep=25%:of=divprune*3+vispruner", 1, 301, 8, 3, "25%", [(diverse, 3), (both, 1)], False),
        ("keep=12:of=evs+fastervlm*2", 5, 31, 9, 1, "12", [(new, 1), (salient, 2)], False, True),
        ("keep=1:of=fastervlm+divprune", 2, 7, 5, 1, "1", [(salient, 1), (diverse, 1)], False)])
    yield from numbered("cascade", choice, [
        ("keep=20:of=fastervlm+divprune", 3, 49, 10, 2, "20", [(salient, 1), (diverse, 1)], True),
        ("keep=33%:of=fastervlm*2+vispruner+divprune*2", 2, 263, 8, 3, "33%",
         [(salient, 2), (both, 1), (diverse, 2)], True),
        ("keep=9:of=evs*2+divprune", 4, 29, 9, 1, "9", [(new, 2), (diverse, 1)], True, True),
        ("keep=50:of=divprune+fastervlm", 1, 37, 6, 1, "50", [(diverse, 1), (salient, 1)], True)])


def radius(c, frames, n, dim, kind, options):
    tokens = c.give("tokens", rich_and_poor(c, frames, n, dim).astype(kind))
    return vector_choice.by_radius(tokens, **options)


def rich_and_poor(c, frames, n, dim):
    """Frames that say one thing again and again, and frames that do not."""
    base = c.random.standard_normal((frames, 1, dim))
    spread = c.random.uniform(0.1, 1.5, (frames, 1, 1))
    return base + spread * c.random.standard_normal((frames, n, dim))


def radii():
    cases = [("keep=5:share=need", 6, 31, 8, F32, {"total": 30}),
             ("keep=23%:share=need:least=2", 4, 101, 10, F16, {"total": 93, "least": 2}),
             ("keep=40%:share=need:most=12", 3, 29, 6, F32, {"total": 35, "most": "12"}),
             ("keep=auto", 2, 67, 4, F32, {}), ("keep=auto:fidelity=0.6:least=3", 5, 37, 9, F32,
                                                 {"fidelity": 0.6, "least": 3}),
             ("keep=auto:fidelity=0.2:most=25%", 1, 271, 6, F32, {"fidelity": 0.2, "most": "25%"})]
    for number, (options, *arguments) in enumerate(cases):
        yield (f"divprune-own-{number}", f"divprune={options}", lambda c, given=tuple(arguments): radius(c, *given))


def rows():
    for group in (choices, radii, grids, attention, similarity, time):
        yield from group()
    yield from shared.cases(numbered)
    yield from text.cases(numbered)
    yield from clusters.cases(numbered)
    yield from centre.cases(numbered)
    yield from balance.cases(numbered)
    yield from density.cases(numbered)
    yield from quad.cases(numbered)
    yield from residual.cases(numbered)
    yield from spectral.cases(numbered)
    yield from nms.cases(numbered)
