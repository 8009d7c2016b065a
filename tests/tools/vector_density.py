"""Methods that go by how much a part of a picture holds, once more in numpy and float64, for make_vectors.py alone. As in
vector_methods.py, a pick between scores that are nearly equal raises TooClose.
"""
import numpy as np

from vector_methods import apart, count_of, pruned, row_best, top, unit


def joined(tokens, groups, weights=None, largest=False):
    """One row of each group of positions, the first of which it is named after: the mean, weighted if weights [T*N] say so, or
    the largest of each channel."""
    rows, flat, assignment = [], tokens.reshape(-1, tokens.shape[-1]), np.full(tokens[..., 0].size, -1)
    for r, group in enumerate(groups):
        rows.append(flat[group].max(0) if largest else
                    np.average(flat[group], axis=0, weights=None if weights is None else weights[group]))
        assignment[group] = r
    return {"tokens": np.array(rows), "indices": [g[0] for g in groups],
            "sizes": [len(g) for g in groups], "assignment": assignment}


def correlation(tokens, keys, deep, shallow, similarity=0.8, many=8, outliers=True, merge="attention"):
    """tokens, keys [T, N, D], deep and shallow [T, N]: attention of the class token, means over heads."""
    frames, n, _ = tokens.shape
    flags, groups = np.zeros((frames, n), bool), []
    for t in range(frames):
        cosines = unit(keys[t]) @ unit(keys[t]).T
        others = cosines[~np.eye(n, dtype=bool)].reshape(n, n - 1)
        if n > 1:
            apart(np.abs(others - similarity).min())
        redundant = (others > similarity).sum(1) > many
        density = 1 - redundant.mean()
        flags[t, top(shallow[t], max(round(density * n), 1))] = True
        low, high = np.quantile(deep[t], [0.25, 0.75])
        bound = high + 1.5 * (high - low)
        apart(np.abs(deep[t] - bound).min() or 1.0, deep[t].max())
        if outliers:
            flags[t] |= deep[t] > bound
        kept, rest = np.flatnonzero(flags[t]), np.flatnonzero(~flags[t])
        where = row_best(cosines[np.ix_(rest, kept)]) if len(rest) else []
        groups += [[t * n + i] + [t * n + j for j, r in zip(rest, where) if kept[r] == i] for i in kept]
    if merge == "none":
        return pruned(tokens, flags)
    return joined(tokens, groups, deep.reshape(-1) if merge == "attention" else None)


def cells_of(h, w, window, size):
    """The places of a window's cells of size x size, those on the grid, cell by cell."""
    y, x, side = window
    cells = []
    for cy in range(y, min(y + side, h), size):
        for cx in range(x, min(x + side, w), size):
            cells.append([yy * w + xx for yy in range(cy, min(cy + size, y + side, h))
                          for xx in range(cx, min(cx + size, x + side, w))])
    return cells


def coarsest(rows, scales, similarity):
    """The last of the scales (lists of cells) at which the tokens are still like the mean direction of their cell."""
    taken, directions = 0, unit(rows)
    for level, cells in enumerate(scales):
        if level == 0 or all(len(cell) == 1 for cell in cells):
            continue
        cosines = [c for cell in cells for c in directions[cell] @ unit(directions[cell].mean(0))]
        apart(abs(np.mean(cosines) - similarity))
        if np.mean(cosines) >= similarity:
            taken = level
    return taken


def focus(tokens, grid, similarity=0.9, side=4, largest=True, gate=None):
    """gate: (weight [D, scales], bias [scales])."""
    frames, n, _ = tokens.shape
    h, w = grid
    groups = []
    for t in range(frames):
        for y in range(0, h, side):
            for x in range(0, w, side):
                scales = [cells_of(h, w, (y, x, side), 1 << level) for level in range(side.bit_length())]
                if gate:
                    inside = [place for cell in scales[-1] for place in cell]
                    level = top(tokens[t][inside].mean(0) @ gate[0] + gate[1], 1)[0]
                else:
                    level = coarsest(tokens[t], scales, similarity)
                groups += [[t * n + place for place in cell] for cell in scales[level]]
    return joined(tokens, sorted(groups), largest=largest)


def focus_llm(tokens, by_text, keep):
    """by_text [M, T*N]: attention of the rows of text, means over heads."""
    frames, n, _ = tokens.shape
    flags = np.zeros(frames * n, bool)
    flags[top(by_text.sum(0), count_of(keep, frames * n))] = True
    return pruned(tokens, flags.reshape(frames, n))


# -- cases -----------------------------------------------------------------------------------------

def repeated(c, name, frames, n, dim, patterns, noise):
    """Tokens of which some repeat one of a few patterns: in each frame another share of them."""
    value = c.random.standard_normal((frames, n, dim))
    base = c.random.standard_normal((frames, patterns, dim))
    for t in range(frames):
        some = c.random.random(n) < (t + 1) / (frames + 1)
        which = c.random.integers(0, patterns, n)
        value[t][some] = base[t, which[some]] + noise * value[t][some]
    return c.give(name, value.astype(np.float32))


def correlation_case(c, frames, n, dim, key_dim, heads, layers, *more, patterns=3, kind=np.float32):
    tokens = c.normal("tokens", frames, n, dim, dtype=kind)
    keys = repeated(c, "keys", frames, n, key_dim, patterns, 0.2)
    deep = c.attention("cls_attention", frames, heads, n, sharp=1.5).mean(1)
    shallow = c.attention("cls_attention_shallow", frames, heads, n).mean(1) if layers == 2 else deep
    return correlation(tokens, keys, deep, shallow, *more)


def patches(c, frames, h, w, dim, side):
    """A picture of windows that show one thing, a few, or many."""
    c.grid(frames, h, w)
    value = c.random.standard_normal((frames, h, w, dim))
    for size in (side, side // 2):
        for y in range(0, h, size):
            for x in range(0, w, size):
                part = value[:, y:y + size, x:x + size]
                calm = (c.random.random((frames, 1, 1, 1)) < 0.4) * c.random.uniform(0.5, 0.95, (frames, 1, 1, 1))
                part += calm * (c.random.standard_normal((frames, 1, 1, dim)) * 1.5 - part)
    return c.give("tokens", value.reshape(frames, h * w, dim).astype(np.float32))


def focus_case(c, frames, h, w, dim, side=4, similarity=0.9, largest=True):
    return focus(patches(c, frames, h, w, dim, side), (h, w), similarity, side, largest)


def gate_case(c, frames, h, w, dim, side=4, largest=True):
    tokens = patches(c, frames, h, w, dim, side)
    scales = side.bit_length()
    gate = c.weight("gate.weight", dim, scales), c.weight("gate.bias", scales)
    return focus(tokens, (h, w), side=side, largest=largest, gate=gate)


def focus_llm_case(c, frames, n, dim, heads, words, keep):
    tokens = c.normal("tokens", frames, n, dim)
    return focus_llm(tokens, c.attention("text_attention", heads, words, frames * n).mean(0), keep)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("correlation", correlation_case, [
        ("", 3, 61, 7, 16, 2, 2), ("many=3", 5, 37, 5, 13, 1, 2, 0.8, 3),
        ("similarity=0.9:many=20:merge=mean", 2, 289, 6, 8, 3, 2, 0.9, 20, True, "mean"),
        ("similarity=0.7:global=off", 1, 131, 4, 24, 2, 1, 0.7, 8, False),
        ("many=0:merge=none", 2, 67, 9, 32, 4, 1, 0.8, 0, True, "none"),
        ("", 1, 1, 3, 4, 1, 2)])
    yield from numbered("focus", focus_case, [
        ("", 2, 8, 12, 7), ("pool=mean:similarity=0.8", 3, 7, 11, 5, 4, 0.8, False),
        ("window=2:similarity=0.75", 1, 13, 5, 9, 2, 0.75), ("window=8:similarity=0.7", 1, 24, 24, 16, 8, 0.7),
        ("", 1, 1, 1, 3)])
    for name, spec, make in numbered("focus", gate_case, [
            ("weights=@", 2, 8, 12, 7), ("weights=@:window=8:pool=mean", 1, 19, 17, 6, 8, False),
            ("weights=@:window=2", 3, 5, 7, 13, 2)]):
        yield name.replace("focus", "focus-gate"), spec, make
    yield from numbered("focus-llm", focus_llm_case, [
        ("keep=25%", 2, 101, 6, 2, 5, "25%"), ("keep=40", 1, 289, 4, 3, 1, "40"),
        ("keep=39%", 5, 37, 7, 1, 7, "39%")])
