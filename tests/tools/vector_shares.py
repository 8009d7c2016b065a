"""Methods that deal a budget to parts of a picture, or cover it, once more in numpy and float64,
for make_vectors.py alone. As in vector_methods.py, a pick between scores that are nearly equal
raises TooClose.
"""
from fractions import Fraction

import numpy as np

from vector_methods import apart, best, count_of, flag, pruned, row_best, strict_order, top, unit


def hiprune(tokens, shallow, deep, keep, alpha, width, wrap=False):
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        want = count_of(keep, n)
        chosen = set()
        for j in top(shallow[t], min(round(want * alpha / 5), want // 5)):
            y, x = divmod(j, width)
            near = [j] + [r * width + c for r, c in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
                          if 0 <= r < n // width and 0 <= c < width]
            if wrap:
                near = [min(max(k, 0), n - 1) for k in (j, j - 1, j + 1, j - width, j + width)]
            chosen |= set(near)
        rest = np.array([j for j in range(n) if j not in chosen])
        chosen |= set(rest[top(deep[t][rest], want - len(chosen))])
        flags[t, sorted(chosen)] = True
    return pruned(tokens, flags)


def holov_worth(x, a):
    if len(x) < 2:
        return a.mean() if len(x) else 0.0
    similarity = unit(x) @ unit(x).T * (1 - np.eye(len(x)))
    mean = similarity.sum(1) / (len(x) - 1)
    spread = ((similarity - mean[:, None]) ** 2).sum(1) / (len(x) - 1)
    scale = np.abs(a * 1000).mean() / (spread.mean() + 1e-6)
    return (a * 1000 + 0.09 * spread * scale).mean()


def holov(tokens, attention, keep, chunks=16):
    """What a full run cannot take goes to the others."""
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        want, score = count_of(keep, n), attention[t].mean(0)
        runs = np.array_split(np.arange(n), chunks)
        worth = np.array([holov_worth(tokens[t][r], score[r]) for r in runs])
        share = worth / (worth.sum() + 1e-6) * want
        apart(np.abs(share - np.round(share)).min(), 1, 1e-3)
        quota = np.minimum(np.floor(share).astype(int), [len(r) for r in runs])
        order = strict_order(worth)
        while quota.sum() < want:
            for c in order:
                if quota.sum() < want and quota[c] < len(runs[c]):
                    quota[c] += 1
        for r, q in zip(runs, quota):
            flags[t, r[top(score[r], q)]] = True
    return pruned(tokens, flags)


def vscan(tokens, shallow, deep, keep, width, window=6, local=0.5):
    frames, n, _ = tokens.shape
    rows, indices, sizes, assignment = [], [], [], np.full(frames * n, -1)
    across, down = -(-width // window), -(-(n // width) // window)
    for t in range(frames):
        want = count_of(keep, n)
        first = int(want * local)
        each, kept = first // (across * down), set()
        places = np.arange(n)
        label = places // width // window * across + places % width // window
        for w in range(across * down):
            inside = places[label == w]
            kept |= set(inside[top(shallow[t].mean(0)[inside], min(each, len(inside)))])
        rest = np.array([j for j in range(n) if j not in kept])
        more = min(each * across * down + want - first, n) - len(kept)
        kept = sorted(kept | set(rest[top(deep[t].mean(0)[rest], more)]))
        others = [j for j in range(n) if j not in set(kept)]
        where = row_best(unit(tokens[t][others]) @ unit(tokens[t][kept]).T) if others else []
        for r, i in enumerate(kept):
            group = [i] + [j for j, k in zip(others, where) if k == r]
            assignment[[t * n + j for j in group]] = len(rows)
            rows.append(tokens[t][group].mean(0))
            indices.append(t * n + i)
            sizes.append(len(group))
    return {"tokens": np.array(rows), "indices": indices, "sizes": sizes, "assignment": assignment}


def components(tokens, count):
    """The component of each token: where |v| is largest, of the `count` principal ones."""
    z = 1 / (1 + np.exp(-tokens))
    z = z - z.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(z @ z.T)
    values, vectors = values[::-1], np.abs(vectors[:, ::-1])
    apart((values[:count] - values[1:count + 1]).min(), values[0], 1e-4)
    apart(0.25 - values[count] / values[count - 1], 1)  # so that few steps of iteration do
    return row_best(vectors[:, :count])


def prunesid_frame(x, attention, want):
    n, count = len(x), max(want // 4, 1)
    group, similarity = components(x, count), unit(x) @ unit(x).T
    bound = want / 32 * similarity[np.triu_indices(n, 1)].mean()
    order, kept, behind = strict_order(attention), [], set()
    apart(np.abs(similarity - bound).min(), 1, 1e-6)
    for i in order:
        if i not in behind:
            kept.append(i)
            behind |= {j for j in range(n) if j != i and group[j] == group[i]
                       and similarity[i, j] > bound}
    every = np.bincount(group, minlength=count)
    left = np.bincount(group[kept], minlength=count)
    most = np.minimum(np.minimum(5 * -(-want // 64), every), left)
    while most.sum() < want:
        most = np.minimum(most + 1, every)
    least = np.minimum(every, 1)
    others = max(want - least.sum() - 1, 0)
    upto = [round(Fraction(int(c) * int(others), int(left.sum()))) for c in np.cumsum(left)]
    quota = np.minimum(np.diff([0, *upto]) + least, most)
    for g in np.argsort(-left, kind="stable"):
        quota[g] += min(most[g] - quota[g], others + least.sum() - quota.sum())
    first = kept + [i for i in order if i not in set(kept)]
    return [i for g in range(count) for i in [j for j in first if group[j] == g][:quota[g]]]


def prunesid(tokens, attention, keep):
    frames, n, _ = tokens.shape
    return pruned(tokens, np.array([
        flag(n, prunesid_frame(tokens[t], attention[t].sum(0), count_of(keep, n)))
        for t in range(frames)]))


def hired(tokens, attention, share):
    frames, n, _ = tokens.shape
    return pruned(tokens, np.array([flag(n, top(attention[t].sum(0), int(n * share)))
                                    for t in range(frames)]))


def hired_tiles(tokens, attention, shallow, share, alpha, width, across):
    """Frame 0 is the whole picture, the others its tiles; what lies in a tile goes by place."""
    frames, n, _ = tokens.shape
    tiles, total = frames - 1, int(frames * n * share)
    whole = min(int(total * alpha), n)
    rest, down, height = min(total - whole, tiles * n), tiles // across, n // width
    looked = top(shallow[0].sum(0), int(n * (1 - alpha)))
    tile = looked // width * down // height * across + looked % width * across // width
    count = np.bincount(tile, minlength=tiles)
    want = [whole] + [min(int(np.float32(np.float32(c) / np.float32(len(looked)))
                             * np.float32(rest)), n) for c in count]
    return pruned(tokens, np.array([flag(n, top(attention[t].sum(0), want[t]))
                                    for t in range(frames)]))


def covering(rows, weight, live, count):
    """Picks of the largest weight[j] * sum over rows of what column j adds to the best so far."""
    best_so_far, picks, live = np.zeros(len(rows)), [], live.copy()
    for _ in range(count):
        j = best(weight * np.maximum(rows - best_so_far[:, None], 0).sum(0), live)
        live[j] = False
        picks.append(j)
        best_so_far = np.maximum(best_so_far, rows[:, j])
    return picks


def scope(tokens, attention, keep, alpha=1.0):
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        similarity = unit(tokens[t]) @ unit(tokens[t]).T
        flags[t, covering(similarity, attention[t].sum(0) ** alpha, np.ones(n, bool),
                          count_of(keep, n))] = True
    return pruned(tokens, flags)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def mmtok(tokens, text, embeds, keep, alpha=0.5, text_temperature=0.02, image_temperature=0.2):
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        words = softmax(unit(text) @ unit(tokens[t]).T / text_temperature) / len(text)
        image = softmax(unit(embeds[t]) @ unit(embeds[t]).T / image_temperature) / n
        flags[t, covering(np.concatenate([words, alpha * image]), np.ones(n), np.ones(n, bool),
                          count_of(keep, n))] = True
    return pruned(tokens, flags)


def dart(tokens, keys, keep, text=None, text_keys=None, pivots=4, text_pivots=4):
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        image = sorted(top(np.abs(keys[t]).sum(1), min(pivots, n)))
        choosers = [tokens[t][i] for i in image]
        if text is not None:
            choosers += [text[i] for i in sorted(top(np.abs(text_keys).sum(1),
                                                     min(text_pivots, len(text))))]
        each = count_of(keep, n) // (pivots if text is None
                                     else pivots + min(text_pivots, len(text)))
        chosen = set(image)
        for pivot in choosers:
            rest = np.array([j for j in range(n) if j not in chosen])
            if len(rest):
                cosine = unit(tokens[t][rest]) @ unit(pivot[None])[0]
                chosen |= set(rest[top(-cosine, min(each, len(rest)))])
        flags[t, sorted(chosen)] = True
    return pruned(tokens, flags)


# -- cases ---------------------------------------------------------------------------------------

def received(c, name, frames, n):
    return c.give(name, (c.random.uniform(0.1, 3, (frames, n)) / n).astype(np.float32))


def hiprune_case(c, frames, h, w, dim, keep, alpha, wrap=False):
    c.grid(frames, h, w)
    tokens = c.normal("tokens", frames, h * w, dim)
    return hiprune(tokens, received(c, "received_attention_shallow", frames, h * w),
                          received(c, "received_attention_deep", frames, h * w), keep, alpha, w,
                          wrap)


def holov_case(c, frames, n, dim, heads, keep, sharp=1.0, chunks=16):
    tokens = c.normal("tokens", frames, n, dim)
    return holov(tokens, c.attention("cls_attention", frames, heads, n, sharp=sharp), keep,
                        chunks)


def vscan_case(c, frames, h, w, dim, heads, keep, window=6, local=0.5):
    c.grid(frames, h, w)
    tokens = c.normal("tokens", frames, h * w, dim)
    shallow = c.attention("cls_attention_shallow", frames, heads, h * w)
    deep = c.attention("cls_attention", frames, heads, h * w)
    return vscan(tokens, shallow, deep, keep, w, window, local)


def hired_case(c, frames, n, dim, heads, share):
    tokens = c.normal("tokens", frames, n, dim)
    return hired(tokens, c.attention("cls_attention", frames, heads, n), share)


def hired_tiles_case(c, frames, h, w, dim, heads, share, alpha, across):
    c.grid(frames, h, w)
    tokens = c.normal("tokens", frames, h * w, dim)
    shallow = c.attention("cls_attention_shallow", frames, heads, h * w)
    return hired_tiles(tokens, c.attention("cls_attention", frames, heads, h * w), shallow,
                              share, alpha, w, across)


def clustered(c, frames, n, dim, count):
    """Tokens about `count` patterns, each of another strength."""
    patterns = 3 * c.random.standard_normal((frames, count, dim))
    patterns *= np.linspace(1.5, 0.6, count)[:, None]
    which = c.random.integers(0, count, (frames, n))
    value = patterns[np.arange(frames)[:, None], which]
    return c.give("tokens", (value + 0.3 * c.random.standard_normal(value.shape)).astype(np.float32))


def prunesid_case(c, frames, n, dim, heads, keep):
    tokens = clustered(c, frames, n, dim, count_of(keep, n) // 4)
    return prunesid(tokens, c.attention("cls_attention", frames, heads, n), keep)


def scope_case(c, frames, n, dim, heads, keep, alpha=1.0):
    tokens = c.normal("tokens", frames, n, dim)
    return scope(tokens, c.attention("cls_attention", frames, heads, n), keep, alpha)


def mmtok_case(c, frames, n, dim, image_dim, words, keep, *more):
    tokens = c.normal("tokens", frames, n, dim)
    text = c.normal("text", words, dim)
    return mmtok(tokens, text, c.normal("image_embeds", frames, n, image_dim), keep, *more)


def dart_case(c, frames, n, dim, key_dim, words, keep, *more):
    tokens, keys = c.normal("tokens", frames, n, dim), c.normal("keys", frames, n, key_dim)
    if not words:
        return dart(tokens, keys, keep, None, None, *more)
    return dart(tokens, keys, keep, c.normal("text", words, dim),
                       c.normal("text_keys", words, key_dim), *more)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("hiprune", hiprune_case, [
        ("keep=50:alpha=0.5:mode=paper", 1, 17, 19, 8, "50", 0.5),
        ("keep=25%:alpha=0.9:mode=paper", 3, 7, 5, 6, "25%", 0.9),
        ("keep=64:mode=paper", 1, 24, 24, 8, "64", 0.1), ("keep=3:alpha=1:mode=paper", 1, 1, 11, 4, "3", 1.0),
        ("keep=20:alpha=1:mode=official", 2, 5, 9, 6, "20", 1.0, True)])
    yield from numbered("holov", holov_case, [
        ("keep=40", 1, 61, 14, 2, "40", 2.0), ("keep=25%", 3, 101, 10, 1, "25%"),
        ("keep=97:chunks=7", 1, 289, 8, 3, "97", 1.0, 7), ("keep=9", 1, 23, 6, 1, "9")])
    yield from numbered("vscan", vscan_case, [
        ("keep=64", 2, 13, 17, 8, 2, "64"),
        ("keep=30%:window=4:local=0.7", 1, 11, 7, 6, 1, "30%", 4, 0.7),
        ("keep=100%:window=3", 1, 5, 4, 5, 1, "100%", 3), ("keep=96", 1, 24, 24, 8, 1, "96")])
    yield from numbered("hired", hired_case, [
        ("keep=20%", 3, 101, 6, 2, 0.2), ("keep=33%", 1, 289, 4, 1, 0.33)])
    yield from [(name.replace("hired", "hired-tiles"), *rest) for name, *rest in numbered(
        "hired", hired_tiles_case, [
            ("keep=20%:alpha=0.5:tiles=grid", 5, 12, 12, 4, 2, 0.2, 0.5, 2),
            ("keep=33%:alpha=0.3:tiles=grid", 4, 9, 7, 5, 1, 0.33, 0.3, 3),
            ("keep=15%:alpha=0.6:tiles=grid:columns=1", 4, 17, 17, 3, 1, 0.15, 0.6, 1)])]
    yield from numbered("prunesid", prunesid_case, [
        ("keep=24", 2, 61, 16, 2, "24"), ("keep=12%", 1, 263, 24, 1, "12%"),
        ("keep=9", 3, 37, 12, 1, "9")])
    yield from numbered("scope", scope_case, [
        ("keep=20", 3, 43, 12, 2, "20"), ("keep=10%:alpha=2", 1, 289, 10, 1, "10%", 2.0),
        ("keep=9:alpha=0", 1, 37, 8, 1, "9", 0.0), ("keep=1", 1, 1, 4, 1, "1")])
    yield from numbered("mmtok", mmtok_case, [
        ("keep=12", 3, 41, 10, 6, 4, "12"), ("keep=10%:alpha=2", 1, 289, 8, 8, 1, "10%", 2.0),
        ("keep=7:text_temperature=0.1:image_temperature=0.5", 1, 53, 12, 9, 11, "7",
         0.5, 0.1, 0.5),
        ("keep=6:alpha=100", 2, 7, 5, 4, 2, "6", 100.0)])
    yield from numbered("dart", dart_case, [
        ("keep=24", 3, 61, 10, 8, 0, "24"), ("keep=40", 2, 101, 12, 6, 9, "40"),
        ("keep=16:pivots=3:text_pivots=5", 1, 289, 6, 4, 2, "16", 3, 5),
        ("keep=30", 1, 31, 6, 4, 7, "30"), ("keep=4", 1, 3, 5, 4, 0, "4")])
