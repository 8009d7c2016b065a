"""Methods that go by how much a part of a picture holds, once more in numpy and float64, for make_vectors.py alone. As in
vector_methods.py, a pick between scores that are nearly equal raises TooClose.
"""
import numpy as np

from vector_methods import apart, pruned, row_best, top, unit


def joined(tokens, groups, weights=None):
    """One row of each group of positions, the first of which it is named after: the mean, weighted if weights [T*N] say so."""
    rows, flat, assignment = [], tokens.reshape(-1, tokens.shape[-1]), np.full(tokens[..., 0].size, -1)
    for r, group in enumerate(groups):
        rows.append(np.average(flat[group], axis=0, weights=None if weights is None else weights[group]))
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


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("correlation", correlation_case, [
        ("", 3, 61, 7, 16, 2, 2), ("many=3", 5, 37, 5, 13, 1, 2, 0.8, 3),
        ("similarity=0.9:many=20:merge=mean", 2, 289, 6, 8, 3, 2, 0.9, 20, True, "mean"),
        ("similarity=0.7:global=off", 1, 131, 4, 24, 2, 1, 0.7, 8, False),
        ("many=0:merge=none", 2, 67, 9, 32, 4, 1, 0.8, 0, True, "none"),
        ("", 1, 1, 3, 4, 1, 2)])
