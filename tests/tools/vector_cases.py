"""The cases that make_vectors.py writes: name, spec, and a function from a Case to what is expected.

Shapes: one token, odd, prime, several frames, more than a workgroup; one head and many; f16 where no
row is changed.
"""
import numpy as np

import vector_methods as m


def _grid_input(c, frames, h, w, dim):
    c.grid(frames, h, w)
    return c.normal("tokens", frames, h * w, dim)


def _shuffles():
    shapes = [("row", 3, 6, 4, 7, 2, None), ("row", 1, 9, 6, 5, 3, None), ("row", 1, 24, 24, 16, 2, None),
              ("row", 1, 1, 1, 3, 1, None), ("row", 2, 5, 7, 6, 2, "zero"), ("row", 1, 5, 7, 6, 3, "edge"),
              ("column", 2, 4, 6, 5, 2, None), ("column", 1, 10, 5, 3, 5, None),
              ("channel", 2, 6, 9, 5, 3, None), ("channel", 1, 3, 5, 4, 2, "edge"),
              ("blocks", 2, 6, 4, 6, 2, None), ("blocks", 1, 9, 3, 5, 3, None)]
    for number, (layout, t, h, w, d, f, pad) in enumerate(shapes):
        spec = f"pixel-shuffle=factor={f}:layout={layout}" + (f":pad={pad}" if pad else "")
        yield (f"pixel-shuffle-{number}", spec, lambda c, t=t, h=h, w=w, d=d, f=f, layout=layout, pad=pad:
               m.pixel_shuffle(_grid_input(c, t, h, w, d), (h, w), f, layout, pad))


def _pools():
    for number, (t, h, w, d, f) in enumerate([(2, 7, 5, 9, 2), (1, 27, 27, 8, 2), (1, 11, 13, 3, 4)]):
        yield (f"avg-pool-2d-{number}", f"avg-pool=factor={f}", lambda c, t=t, h=h, w=w, d=d, f=f:
               m.average_windows(_grid_input(c, t, h, w, d), (h, w), f))
    for number, (t, n, d, s) in enumerate([(1, 577, 16, 8), (2, 12, 5, 4), (1, 1, 7, 1), (1, 31, 4, 31)]):
        yield (f"avg-pool-1d-{number}", f"avg-pool=stride={s}", lambda c, t=t, n=n, d=d, s=s:
               m.average_runs(c.normal("tokens", t, n, d), s))
    for number, (t, h, w, d, s) in enumerate([(2, 7, 5, 9, 3), (1, 13, 11, 4, 4), (1, 24, 24, 8, 12)]):
        yield (f"adaptive-pool-{number}", f"adaptive-pool=size={s}", lambda c, t=t, h=h, w=w, d=d, s=s:
               m.separable(_grid_input(c, t, h, w, d), (h, w), m.adaptive_axis(h, s), m.adaptive_axis(w, s)))
    for number, (t, h, w, d, f) in enumerate([(2, 10, 7, 5, 3), (1, 27, 27, 8, 2), (1, 1, 9, 4, 2)]):
        yield (f"bilinear-pool-{number}", f"bilinear-pool=factor={f}", lambda c, t=t, h=h, w=w, d=d, f=f:
               m.separable(_grid_input(c, t, h, w, d), (h, w), m.bilinear_axis(h, f), m.bilinear_axis(w, f)))
    yield ("adaptive-pool-up", "adaptive-pool=size=5", lambda c: {"tokens": m.separable(
        _grid_input(c, 1, 2, 3, 6), (2, 3), m.adaptive_axis(2, 5), m.adaptive_axis(3, 5))["tokens"]})


def _attention():
    for number, (t, n, d, heads, keep, kind) in enumerate([(3, 49, 10, 1, "25%", np.float32),
                                                           (1, 576, 64, 16, "192", np.float16),
                                                           (1, 1, 5, 1, "1", np.float32),
                                                           (2, 101, 7, 3, "200", np.float32)]):
        yield (f"fastervlm-{number}", f"fastervlm=keep={keep}", lambda c, t=t, n=n, d=d, heads=heads, keep=keep, kind=kind:
               m.fastervlm(c.normal("tokens", t, n, d, dtype=kind), c.attention("cls_attention", t, heads, n), keep))
    for number, (t, n, d, heads, rate) in enumerate([(1, 577, 12, 4, 0.5), (2, 30, 8, 1, 0.75), (1, 65, 5, 8, 0.9)]):
        yield (f"fastv-{number}", f"fastv=rate={rate}", lambda c, t=t, n=n, d=d, heads=heads, rate=rate:
               m.fastv(c.normal("tokens", t, n, d), c.attention("llm_attention", heads, t * n), rate))
    for number, (t, n, d, dk, heads, a, b, cls) in enumerate([(2, 50, 12, 8, 1, 9, 4, False), (1, 576, 24, 16, 16, 53, 10, True),
                                                              (1, 37, 5, 6, 2, 7, 20, False), (1, 23, 6, 4, 2, 0, 3, True)]):
        yield (f"visionzip-{number}", f"visionzip=dominant={a}:contextual={b}",
               lambda c, t=t, n=n, d=d, dk=dk, heads=heads, a=a, b=b, cls=cls: _visionzip(c, t, n, d, dk, heads, a, b, cls))
    for number, (n, d, ratio, plus) in enumerate([(100, 24, 0.2, False), (101, 16, None, False), (20, 8, 0.3, False),
                                                  (197, 16, None, True), (89, 12, 0.1, True)]):
        name, option = "prumerge-plus" if plus else "prumerge", f"=ratio={ratio}" if ratio else ""
        yield (f"{name}-{number}", name + option, lambda c, n=n, d=d, ratio=ratio, plus=plus: m.prumerge(
            c.normal("tokens", 1, n, d)[0], c.normal("keys", 1, n, d)[0],
            c.attention("cls_attention", 1, 1, n, sharp=1.5)[0, 0], ratio, plus))
    for number, (t, n, d, heads, keep, share) in enumerate([(1, 63, 20, 1, "17", 0.5), (1, 257, 32, 16, "58", 0.5),
                                                            (2, 40, 10, 3, "25%", 0.3), (1, 31, 9, 2, "5", 0), (1, 30, 9, 2, "7", 1)]):
        yield (f"vispruner-{number}", f"vispruner=keep={keep}:important={share}",
               lambda c, t=t, n=n, d=d, heads=heads, keep=keep, share=share: m.vispruner(
                   c.normal("tokens", t, n, d), c.attention("cls_attention", t, heads, n), keep, share))


def _visionzip(c, t, n, d, dk, heads, a, b, with_cls):
    tokens, keys = c.normal("tokens", t, n, d), c.normal("keys", t, n, dk)
    cls = c.give("cls", c.random.standard_normal((t, d)).astype(np.float32)) if with_cls else None
    out = m.visionzip(tokens, keys, c.attention("cls_attention", t, heads, n), a, b, cls)
    if with_cls:
        del out["sizes"]
    return out


def _tome(c, t, n, d, dk, sizes, merges):
    tokens = c.normal("tokens", t, n, d)
    metric = c.normal("keys", t, n, dk) if dk else tokens
    size = c.give("sizes", c.random.integers(1, 9, (t, n)).astype(np.float32)) if sizes else np.ones((t, n))
    return m.tome(tokens, metric, size, merges)


def _similarity():
    rows = [("r=1000", 1, 63, 12, 8, False, m.merge_count(r=1000)), ("r=17", 3, 41, 10, 6, True, m.merge_count(r=17)),
            ("keep=20", 1, 100, 9, 8, True, m.merge_count(keep=20)), ("keep=10%", 2, 53, 6, 10, False, m.merge_count(keep=5)),
            ("r=9:metric=tokens", 1, 30, 16, 0, False, m.merge_count(r=9)), ("r=288", 1, 576, 32, 24, False, m.merge_count(r=288)),
            ("r=5", 1, 1, 4, 4, False, m.merge_count(r=5)), ("r=0", 1, 7, 4, 4, True, m.merge_count(r=0))]
    for number, (option, t, n, d, dk, sizes, merges) in enumerate(rows):
        yield (f"tome-{number}", f"tome={option}", lambda c, t=t, n=n, d=d, dk=dk, sizes=sizes, merges=merges:
               _tome(c, t, n, d, dk, sizes, merges))
    for number, (t, n, d, keep, kind) in enumerate([(1, 75, 16, "10%", np.float32), (1, 65, 16, "10%", np.float32),
                                                    (2, 40, 12, "9", np.float32), (1, 576, 64, "57", np.float16),
                                                    (1, 1, 8, "1", np.float32), (1, 29, 8, "100%", np.float32)]):
        yield (f"divprune-{number}", f"divprune=keep={keep}", lambda c, t=t, n=n, d=d, keep=keep, kind=kind: m.divprune(
            c.normal("tokens", t, n, d, dtype=kind), lambda k, keep=keep: m.count_of(keep, k, round)))
    for number, (t, n, d, de, rows, keep) in enumerate([(2, 40, 32, 16, 1, "12"), (1, 576, 64, 12, 5, "48"), (1, 97, 48, 20, 3, "10%")]):
        yield (f"cdpruner-{number}", f"cdpruner=keep={keep}", lambda c, t=t, n=n, d=d, de=de, rows=rows, keep=keep: m.cdpruner(
            c.normal("tokens", t, n, d), c.normal("image_embeds", t, n, de), c.normal("text", rows, de), keep))


def _positions(out, n, width):
    i = np.asarray(out["indices"])
    return {**out, "positions": np.stack([i // n, i % n // width, i % n % width], 1)}


def _evs(c, t, h, w, d, rate, kind):
    c.grid(t, h, w)
    return _positions(m.evs(c.video("tokens", t, h * w, d, dtype=kind), rate), h * w, w)


def _dycoke(c, t, h, w, d, rate):
    c.grid(t, h, w)
    return _positions(m.dycoke(c.video("tokens", t, h * w, d), rate), h * w, w)


def _dycoke_kv(c, steps, heads, layout, rate, similarity, reuse):
    columns = layout[2] + steps + 1
    rows = c.random.standard_normal((steps, heads, columns))
    for t in range(1, steps):  # every other step or so is like the one before
        if c.random.uniform() < 0.6:
            rows[t] = rows[t - 1] + 0.05 * rows[t]
    rows = np.exp(rows)
    for t in range(steps):
        rows[t, :, layout[2] + t:] = 0
    c.give("llm_attention", (rows / rows.sum(-1, keepdims=True)).astype(np.float32))
    c.tensors["layout"] = np.array(layout, np.int32)
    return m.dycoke_kv(c.tensors["llm_attention"].astype(np.float64), layout, rate, similarity, reuse)


def _time():
    rows = [(1, 5, 7, 6, 0.5, np.float32), (7, 53, 1, 12, 0.9, np.float32), (16, 14, 14, 12, 0.7, np.float16),
            (2, 1, 1, 8, 0.0, np.float32), (3, 6, 6, 9, 0.25, np.float32)]
    for number, row in enumerate(rows):
        yield f"evs-{number}", f"evs=rate={row[4]}", lambda c, row=row: _evs(c, *row)
    rows = [(5, 5, 5, 10, 0.7), (9, 4, 5, 8, 0.5), (3, 7, 3, 8, 0.3), (1, 4, 4, 5, 0.7), (16, 10, 10, 12, 0.9), (6, 1, 13, 6, 0.7)]
    for number, row in enumerate(rows):
        yield f"dycoke-{number}", f"dycoke=rate={row[4]}", lambda c, row=row: _dycoke(c, *row)
    rows = [(9, 1, (0, 50, 50), 0.7, 0.9, False), (12, 4, (7, 101, 120), 0.3, 0.9, True), (5, 3, (3, 20, 30), 0.95, 0.5, True),
            (6, 2, (14, 64, 90), 0.5, 0.9, True)]
    for number, (steps, heads, layout, rate, similarity, reuse) in enumerate(rows):
        spec = f"dycoke-kv=rate={rate}:similarity={similarity}:similar={'reuse' if reuse else 'full'}"
        yield (f"dycoke-kv-{number}", spec, lambda c, steps=steps, heads=heads, layout=layout, rate=rate, similarity=similarity,
               reuse=reuse: _dycoke_kv(c, steps, heads, layout, rate, similarity, reuse))


def rows():
    for group in (_shuffles, _pools, _attention, _similarity, _time):
        yield from group()
