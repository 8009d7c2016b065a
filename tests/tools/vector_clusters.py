"""Methods that cluster by density or by groups, and FSR, once more in numpy and float64, for make_vectors.py alone. As in
vector_methods.py, a pick between scores that are nearly equal raises TooClose.
"""
import numpy as np

from vector_methods import apart, best, count_of, flag, pruned, strict_order, top, unit


def merged(tokens, goes, weights=None):
    """Rows of the tokens [M, D]: goes[i] is the token that i goes to, -1 where it goes; weighted means."""
    weights = np.ones(len(tokens)) if weights is None else weights
    kept = np.flatnonzero(goes == np.arange(len(goes)))
    rows = []
    for k in kept:
        members = goes == k
        alone = members.sum() == 1
        rows.append(tokens[k] if alone else np.average(tokens[members], axis=0, weights=weights[members]))
    places = np.full(len(goes), -1)
    places[kept] = np.arange(len(kept))
    return {"tokens": np.array(rows), "indices": kept, "sizes": [(goes == k).sum() for k in kept],
            "assignment": np.where(goes < 0, -1, places[goes])}


# -- vitcop ----------------------------------------------------------------------------------------

def least(row, live):
    """The live place of the smallest number."""
    return best(-row, live)


def peaks(keys, places, count, cutoff, radius):
    """mode=paper: the token that each of the kept tokens goes to, by their places among them."""
    n = len(keys)
    d = np.linalg.norm(keys[:, None] - keys[None], axis=-1)
    density = np.exp(-(d / cutoff) ** 2).sum(1) - 1.0
    strict_order(density)
    far = np.sqrt(((places[:, None] - places[None]) ** 2).sum(-1) + 1e-8)
    apart(np.abs(far - radius).min(), 1.0, 1e-6)
    score, follows = np.full(n, np.inf), np.full(n, -1)
    for i in range(n):
        denser = density > density[i]
        if (denser & (far[i] <= radius)).any():
            follows[i] = least(d[i], denser & (far[i] <= radius))
            score[i] = d[i, follows[i]] * density[i]
        elif denser.any():
            follows[i] = least(d[i], denser)
            score[i] = d[i].max() * density[i]
    finite = np.where(np.isinf(score), score[np.isfinite(score)].max() * 2 if n > 1 else 1.0, score)
    centres = top(finite, count)
    follows[centres] = centres
    for _ in range(n):
        follows = follows[follows]
    return follows


def vitcop(tokens, keys, attention, grid, keep, clusters, cutoff=8.0, radius=0.6):
    """tokens [T, N, D], keys [T, N, Dk], attention [T, H, N]; clusters None: rows=tokens."""
    frames, n, dim = tokens.shape
    flags = np.zeros((frames, n), bool)
    goes = np.full(frames * n, -1)
    at = np.stack(np.meshgrid(np.arange(grid[0]) / grid[0], np.arange(grid[1]) / grid[1], indexing="ij"), -1)
    for t in range(frames):
        chosen = np.sort(top(attention[t].sum(0), count_of(keep, n)))
        flags[t, chosen] = True
        if clusters is None:
            continue
        count = max(1, int(clusters * len(chosen)))
        follows = peaks(keys[t, chosen], at.reshape(-1, 2)[chosen], count, cutoff, radius)
        goes[t * n + chosen] = t * n + chosen[follows]
    return pruned(tokens, flags) if clusters is None else merged(tokens.reshape(-1, dim), goes)


def vitcop_llm(tokens, keys, keep, groups=None):
    """mode=paper. tokens [M, D], keys [M, Dk], groups [M] or None."""
    n, length = len(tokens), np.linalg.norm(keys, axis=1)
    want = count_of(keep, n, round)
    if groups is None:
        return pruned(tokens[None], flag(n, top(-length, want))[None])
    labels = sorted(set(groups), key=lambda g: list(groups).index(g))
    members = [np.flatnonzero(groups == g) for g in labels]
    sums = np.array([length[m].sum() for m in members])
    rows, goes = [], np.arange(n)
    if len(labels) > want:
        alone = set(top(-sums, want - 1).tolist()) if want > 1 else set()
        rows = [members[k] for k in sorted(alone)]
        rows.append(np.sort(np.concatenate([m for k, m in enumerate(members) if k not in alone])))
    else:
        strict_order(sums)
        free, most = want - len(labels), np.array([len(m) - 1 for m in members])
        exact = most / max(n - len(labels), 1) * free
        apart(np.abs(exact - np.floor(exact) - 0.5).min(), 1.0, 1e-5)
        quota = np.minimum(np.round(exact), most).astype(int)
        missing = free - quota.sum()
        for k in np.argsort(-sums if missing < 0 else sums):
            if missing > 0 and quota[k] < most[k]:
                quota[k], missing = quota[k] + 1, missing - 1
            elif missing < 0 and quota[k] > 0:
                quota[k], missing = quota[k] - 1, missing + 1
        for m, q in zip(members, quota):
            rows.append(np.setdiff1d(m, m[top(-length[m], q)] if q else []))
    for m in rows:
        goes[m] = m[len(m) // 2]
    return merged(tokens, goes)


# -- fsr -------------------------------------------------------------------------------------------

def scaled(x):
    return (x - x.min()) / (x.max() - x.min()) if x.max() > x.min() else np.ones_like(x)


def fsr_frame(tokens, salience, relevance, want, alpha, beta, mass, gather):
    """The token that each goes to (-1: dropped), and their weights."""
    n = len(tokens)
    phi = scaled(salience) ** beta
    if relevance is not None:
        phi = phi * scaled(relevance) ** alpha
    order = np.argsort(-phi, kind="stable")
    held = np.cumsum(phi[order])
    apart(np.abs(held - mass * held[-1]).min(), held[-1], 1e-5)
    focus = top(phi, min(int(np.argmax(held >= mass * held[-1])) + 1, want))
    similar = unit(tokens) @ unit(tokens).T
    kept, scan = flag(n, focus), []
    nearest = (1 - similar[focus]).min(0)
    while len(focus) + len(scan) < want:
        scan.append(best(nearest, ~kept))
        kept[scan[-1]] = True
        nearest = np.minimum(nearest, 1 - similar[scan[-1]])
    goes = np.where(kept, np.arange(n), -1)
    rest, scan = np.flatnonzero(~kept), np.array(scan, int)
    count = min(int(gather * len(scan)), len(rest))
    if count:
        near = similar[np.ix_(rest, scan)]
        for place in top(near.max(1), count):
            goes[rest[place]] = scan[best(near[place], np.ones(len(scan), bool))]
    return goes, np.maximum(phi, 1e-30)


def fsr(tokens, attention, embeds, text, keep, alpha=3.0, beta=1.0, mass=0.9, gather=1.0):
    """tokens [T, N, D], attention [T, H, N], embeds [T, N, Dt] and text [M, Dt], or None."""
    frames, n, dim = tokens.shape
    goes, weights = np.full(frames * n, -1), np.ones(frames * n)
    for t in range(frames):
        relevance = None if text is None else (unit(embeds[t]) @ unit(text).T).mean(1)
        own, weights[t * n:t * n + n] = fsr_frame(tokens[t], attention[t].mean(0), relevance,
                                                  count_of(keep, n), alpha, beta, mass, gather)
        goes[t * n:t * n + n] = np.where(own < 0, -1, own + t * n)
    return merged(tokens.reshape(-1, dim), goes, weights)


# -- cases -----------------------------------------------------------------------------------------

def vitcop_case(c, frames, h, w, dim, key_dim, heads, keep, clusters, *more):
    c.grid(frames, h, w)
    tokens = c.normal("tokens", frames, h * w, dim)
    keys = c.random.standard_normal((frames, h * w, key_dim)) * 10 / key_dim**0.5
    keys = c.give("keys", keys.astype(np.float32))
    return vitcop(tokens, keys, c.attention("cls_attention", frames, heads, h * w), (h, w), keep, clusters, *more)


def vitcop_llm_case(c, frames, n, dim, key_dim, keep, clusters):
    tokens, keys = c.normal("tokens", frames, n, dim), c.normal("keys", frames, n, key_dim)
    groups = c.random.integers(0, clusters, (frames, n)).astype(np.float32) if clusters else None
    if clusters:
        groups = c.give("groups", groups).reshape(-1)
    return vitcop_llm(tokens.reshape(-1, dim), keys.reshape(-1, key_dim), keep, groups)


def fsr_case(c, frames, n, dim, heads, text_dim, words, keep, *more):
    tokens = c.normal("tokens", frames, n, dim)
    attention = c.attention("cls_attention", frames, heads, n, sharp=2.0)
    embeds = c.normal("image_embeds", frames, n, text_dim) if words else None
    text = c.normal("text", words, text_dim) if words else None
    return fsr(tokens, attention, embeds, text, keep, *more)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("vitcop", vitcop_case, [
        ("rows=clusters", 1, 24, 24, 8, 24, 4, "50%", 0.18),
        ("keep=40%:rows=clusters:clusters=0.15", 3, 7, 11, 6, 16, 1, "40%", 0.15),
        ("keep=61:rows=clusters:clusters=0.05:radius=0.15:cutoff=6", 2, 13, 7, 5, 32, 3, "61", 0.05, 6.0, 0.15),
        ("keep=30%", 2, 9, 5, 7, 4, 2, "30%", None),
        ("keep=1:rows=clusters", 1, 1, 3, 4, 5, 1, "1", 0.18)])
    yield from numbered("vitcop-llm", vitcop_llm_case, [
        ("keep=40%", 1, 144, 6, 16, "40%", 23), ("keep=61", 3, 61, 5, 7, "61", 11),
        ("keep=9", 1, 101, 7, 12, "9", 31), ("keep=1", 1, 37, 4, 5, "1", 5),
        ("keep=20%", 2, 289, 4, 24, "20%", 0), ("keep=289", 1, 289, 3, 8, "289", 40)])
    yield from numbered("fsr", fsr_case, [
        ("keep=64", 1, 576, 8, 4, 12, 1, "64"), ("keep=25%:mass=0.5", 3, 61, 6, 1, 9, 5, "25%", 3.0, 1.0, 0.5),
        ("keep=40:alpha=1:beta=2:gather=1.5:mass=0.3", 1, 101, 7, 3, 5, 2, "40", 1.0, 2.0, 0.3, 1.5),
        ("keep=20:mass=0.2", 2, 49, 10, 2, 0, 0, "20", 3.0, 1.0, 0.2), ("keep=9", 1, 37, 5, 2, 6, 1, "9"),
        ("keep=1", 1, 1, 4, 1, 3, 1, "1")])
