"""The reduction methods once more, in numpy and float64, for make_vectors.py alone.

Every function takes float64 arrays ([T, N, D] tokens and so on) and returns what the library should
give: tokens, indices, and sizes and assignment where the method defines them. Rows are in raster
order. A pick between scores that are nearly equal raises TooClose.
"""
import numpy as np

TooClose = None  # set by make_vectors.py
GAP = 2e-5
ORDER_GAP = 5e-7  # where a whole order counts: f32 errs by some 1e-7


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-8)


def apart(gap, scale=1.0, least=GAP):
    if gap < least * max(scale, 1e-30):
        raise TooClose


def best(scores, live):
    """The live place of the largest score."""
    order = np.argsort(-np.where(live, scores, -np.inf), kind="stable")
    if live.sum() > 1:
        apart(scores[order[0]] - scores[order[1]], np.abs(scores[live]).max())
    return order[0]


def top(scores, count):
    """The places of the `count` largest, descending."""
    order = np.argsort(-scores, kind="stable")
    if 0 < count < len(scores):
        apart(scores[order[count - 1]] - scores[order[count]], np.abs(scores).max())
    return order[:count]


def strict_order(scores):
    order = np.argsort(-scores, kind="stable")
    if len(scores) > 1:
        apart(-np.diff(scores[order]).max(), np.abs(scores).max(), ORDER_GAP)
    return order


def row_best(similarity):
    """For each row the column of the largest value."""
    if similarity.shape[1] > 1:
        ordered = np.sort(similarity, axis=1)
        apart((ordered[:, -1] - ordered[:, -2]).min())
    return similarity.argmax(1)


def count_of(keep, n, rounding=int):
    """keep=64 or keep=25%."""
    want = rounding(n * (float(keep[:-1]) / 100.0)) if str(keep).endswith("%") else int(keep)
    return min(max(int(want), 1), n)


def pruned(tokens, flags):
    """Rows of the flagged tokens [T, N], nothing merged."""
    frames, n, dim = tokens.shape
    indices = np.flatnonzero(flags.reshape(-1))
    assignment = np.full(frames * n, -1)
    assignment[indices] = np.arange(len(indices))
    return {"tokens": tokens.reshape(-1, dim)[indices], "indices": indices,
            "sizes": np.ones(len(indices)), "assignment": assignment}


def flag(n, places):
    flags = np.zeros(n, bool)
    flags[places] = True
    return flags


# -- grids ---------------------------------------------------------------------------------------

def windowed(tokens, grid, factor, make_row, transposed=False, pad=None):
    """One row from each factor x factor window; make_row takes [factor, factor, D]."""
    frames, n, dim = tokens.shape
    h, w = grid
    oh, ow = -(-h // factor), -(-w // factor)
    rows, indices, sizes, assignment = [], [], [], np.full(frames * n, -1)
    for t in range(frames):
        image = tokens[t].reshape(h, w, dim)
        mode = {"constant_values": 0} if pad == "zero" else {}
        padded = np.pad(image, ((0, oh * factor - h), (0, ow * factor - w), (0, 0)),
                        "constant" if pad == "zero" else "edge", **mode)
        places = [(y, x) for y in range(oh) for x in range(ow)]
        if transposed:
            places = [(y, x) for x in range(ow) for y in range(oh)]
        for y, x in places:
            inside = [(yy, xx) for yy in range(y * factor, min(h, (y + 1) * factor))
                      for xx in range(x * factor, min(w, (x + 1) * factor))]
            for yy, xx in inside:
                assignment[t * n + yy * w + xx] = len(rows)
            indices.append(t * n + y * factor * w + x * factor)
            sizes.append(len(inside))
            rows.append(make_row(padded[y * factor:(y + 1) * factor, x * factor:(x + 1) * factor]))
    return {"tokens": np.array(rows), "indices": indices, "sizes": sizes, "assignment": assignment}


def pixel_shuffle(tokens, grid, factor, layout="row", pad=None):
    if layout == "blocks":
        frames, n, dim = tokens.shape
        return {"tokens": tokens.reshape(frames * n // factor**2, factor**2 * dim)}
    if layout == "channel":
        return windowed(tokens, grid, factor, lambda w: w.transpose(2, 0, 1).reshape(-1), pad=pad)
    return windowed(tokens, grid, factor, lambda w: w.reshape(-1), layout == "column", pad)


def average_windows(tokens, grid, factor):
    frames, n, dim = tokens.shape
    h, w = grid[0] // factor * factor, grid[1] // factor * factor
    image = tokens.reshape(frames, *grid, dim)[:, :h, :w]
    out = windowed(image.reshape(frames, h * w, dim), (h, w), factor, lambda x: x.mean((0, 1)))
    cut = np.arange(frames * n).reshape(frames, *grid)[:, :h, :w].reshape(-1)
    assignment = np.full(frames * n, -1)
    assignment[cut] = out["assignment"]
    return {**out, "indices": cut[out["indices"]], "assignment": assignment}


def average_runs(tokens, stride):
    frames, n, dim = tokens.shape
    rows = frames * n // stride
    used = tokens.reshape(-1, dim)[:rows * stride].reshape(rows, stride, dim)
    assignment = np.full(frames * n, -1)
    assignment[:rows * stride] = np.repeat(np.arange(rows), stride)
    return {"tokens": used.mean(1), "indices": np.arange(rows) * stride,
            "sizes": np.full(rows, stride), "assignment": assignment}


def separable(tokens, grid, ys, xs):
    """ys, xs: for each output row (column) its named input and {input: weight}."""
    frames, n, dim = tokens.shape
    rows, indices = [], []
    for t in range(frames):
        image = tokens[t].reshape(*grid, dim)
        for y_name, y_taps in ys:
            for x_name, x_taps in xs:
                rows.append(sum(a * b * image[y, x] for y, a in y_taps.items()
                                for x, b in x_taps.items()))
                indices.append(t * n + y_name * grid[1] + x_name)
    return {"tokens": np.array(rows), "indices": indices}


def adaptive_axis(n, size):
    bins = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
    return [(a, {k: 1.0 / (b - a) for k in range(a, b)}) for a, b in bins]


def bilinear_axis(n, factor):
    size, out = -(-n // factor), []
    for i in range(size):
        at = max((i + 0.5) * n / size - 0.5, 0.0)
        low = int(at)
        taps = {low: 1.0 - (at - low)}
        high = min(low + 1, n - 1)
        taps[high] = taps.get(high, 0.0) + (at - low)
        out.append((i * n // size, taps))
    return out


# -- attention -----------------------------------------------------------------------------------

def fastervlm(tokens, attention, keep):
    frames, n, _ = tokens.shape
    flags = [flag(n, top(attention[t].mean(0), count_of(keep, n))) for t in range(frames)]
    return pruned(tokens, np.array(flags))


def fastv(tokens, attention, rate):
    frames, n, _ = tokens.shape
    keep = round(frames * n * (1 - rate))
    return pruned(tokens, flag(frames * n, top(attention.mean(0), keep)))


def visionzip(tokens, keys, attention, dominant, contextual, cls=None):
    frames, n, dim = tokens.shape
    rows, indices, sizes, assignment = [], [], [], np.full(frames * n, -1)
    for t in range(frames):
        if cls is not None:
            rows.append(cls[t])
            indices.append(-1)
            sizes.append(1)
        first = set(top(attention[t].sum(0), min(dominant, n)).tolist())
        rest = [i for i in range(n) if i not in first]
        step = max(1, len(rest) // contextual) if contextual else 1
        targets = [rest[j * step] for j in range(contextual) if j * step < len(rest)]
        others = [i for i in rest if i not in set(targets)]
        members = {i: [] for i in targets}
        if targets and others:
            where = row_best(unit(keys[t][others]) @ unit(keys[t][targets]).T)
            for i, j in zip(others, where):
                members[targets[j]].append(i)
        for i in sorted(first | set(targets)):
            group = members.get(i, [])
            for j in [i, *group]:
                assignment[t * n + j] = len(rows)
            rows.append(tokens[t, i] + (tokens[t, group].mean(0) if group else 0))
            indices.append(t * n + i)
            sizes.append(1 + len(group))
    return {"tokens": np.array(rows), "indices": indices, "sizes": sizes, "assignment": assignment}


def prumerge(tokens, keys, attention, ratio=None, plus=False):
    """One frame: [N, D], [N, Dk], [N]."""
    n = len(tokens)
    if ratio is None:
        low, high = np.percentile(attention, 25), np.percentile(attention, 75)
        edge = high + 1.5 * (high - low)
        apart(np.abs(attention - edge).min(), attention.max())
        ratio = (attention > edge).sum() / n
    kept = top(attention, int(n * ratio)).tolist()
    if plus:
        step = max(1, int(int(1 / ratio) / 3))
        kept += [i for i in range(0, n - 1, step) if i not in kept]
    kept.sort()
    similarity = unit(keys) @ unit(keys).T
    rows = []
    for i in kept:
        others = np.array([j for j in range(n) if j != i])
        near = others[top(similarity[i, others], min(32, len(others)))]
        rows.append(tokens[i] + attention[near] @ tokens[near])
    rest = [i for i in range(n) if i not in kept]
    rows.append(attention[rest] @ tokens[rest])
    return {"tokens": np.array(rows), "indices": [*kept, -2]}


def vispruner(tokens, attention, keep, important):
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        want = count_of(keep, n)
        order = strict_order(attention[t].mean(0)).tolist()
        first = int(want * important)
        kept, rest = order[:first], order[first:]
        while len(rest) > want - first:
            drop = min(8, len(rest) - (want - first))
            even, odd = rest[0::2], rest[1::2]
            if not odd:
                break
            score = (unit(tokens[t, even]) @ unit(tokens[t, odd]).T).max(1)
            rest = [even[k] for k in strict_order(score)[drop:]] + odd
        flags[t, kept + rest[:want - first]] = True
    return pruned(tokens, flags)


# -- similarity ----------------------------------------------------------------------------------

def tome(tokens, metric, sizes, merges):
    """merges(n): how many to merge of n tokens left; again until it says 0."""
    frames, n, dim = tokens.shape
    rows, assignment = [], np.full(frames * n, -1)
    for t in range(frames):
        x, m, s = tokens[t], metric[t], sizes[t]
        groups = [[i] for i in range(n)]  # the first is the one that the others went to
        passes = 0
        while (count := merges(len(groups), passes)) > 0:
            passes += 1
            even, odd = list(range(0, len(groups), 2)), list(range(1, len(groups), 2))
            similarity = unit(m[even]) @ unit(m[odd]).T
            order = strict_order(similarity.max(1))
            goes = row_best(similarity[order[:count]]) if count else []
            x, m, s = x * s[:, None], m * s[:, None], s.copy()
            for source, target in zip(order[:count], goes):
                a, b = even[source], odd[target]
                x[b], m[b], s[b] = x[b] + x[a], m[b] + m[a], s[b] + s[a]
                groups[b] = groups[b] + groups[a]
            stay = [even[k] for k in order[count:]] + odd
            x, m, s = x[stay] / s[stay, None], m[stay] / s[stay, None], s[stay]
            groups = [groups[k] for k in stay]
        for k in sorted(range(len(groups)), key=lambda k: groups[k][0]):
            assignment[[t * n + i for i in groups[k]]] = len(rows)
            rows.append((t * n + groups[k][0], x[k], s[k]))
    return {"tokens": np.array([r[1] for r in rows]), "indices": [r[0] for r in rows],
            "sizes": [r[2] for r in rows], "assignment": assignment}


def merge_count(r=None, keep=None):
    """tome's r= (one pass) or keep= (as many as it takes)."""
    if r is not None:
        return lambda n, passes: 0 if passes else min(r, n // 2)
    return lambda n, passes: min(n - keep, n // 2) if n > keep else 0


def plain(x):
    """Cosines of one frame's tokens, and what each counts."""
    return unit(x) @ unit(x).T, np.ones(len(x))


def divprune(tokens, keep, look=plain):
    """look: cosines and weights of a frame's tokens (vector_centre.py has another)."""
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        cosines, weight = look(tokens[t])
        distance, live = 1 - cosines, np.ones(n, bool)
        score = np.sort(distance, axis=1)[:, 1] if n > 1 else np.zeros(n)
        if keep(n) < n:
            for pick in range(keep(n)):
                j = best(score, live)
                live[j] = False
                nearest = distance[j] if pick == 0 else np.minimum(nearest, distance[j])
                score = weight * nearest
        flags[t] = ~live if keep(n) < n else True
    return pruned(tokens, flags)


def cdpruner(tokens, embeds, text, keep, look=plain):
    frames, n, _ = tokens.shape
    relevance = -(unit(embeds) @ unit(text).T).mean(-1)
    relevance = (relevance - relevance.min() + 1e-6) / (relevance.max() - relevance.min())
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        cosines, weight = look(tokens[t])
        quality = relevance[t] * weight
        kernel = quality[:, None] * cosines * quality[None]
        d, live, factors = np.diag(kernel).copy(), np.ones(n, bool), []
        for _ in range(count_of(keep, n)):
            j = best(d, live)
            e = kernel[j].copy()
            for f in factors:
                e -= f[j] * f
            e /= np.sqrt(d[j])
            factors.append(e)
            d -= e * e
            live[j] = False
        flags[t] = ~live
    return pruned(tokens, flags)


# -- time ----------------------------------------------------------------------------------------

def frame_cosine(a, b):
    return (unit(a) * unit(b)).sum(-1)


def evs(tokens, rate):
    frames, n, _ = tokens.shape
    keep = max(n, int(frames * n * (1 - rate)))
    score = np.full((frames, n), 255.0)
    for t in range(1, frames):
        score[t] = 1 - frame_cosine(tokens[t], tokens[t - 1])
    later = top(score[1:].reshape(-1), keep - n) if frames > 1 else np.array([], int)
    return pruned(tokens, flag(frames * n, np.concatenate([np.arange(n), n + later])))


def dycoke(tokens, rate):
    frames, n, _ = tokens.shape
    keep = int((1 - rate) * n)
    flags = np.ones((frames, n), bool)
    for i in range(0, frames - 1, 2):
        flags[i + 1] = flag(n, top(-frame_cosine(tokens[i], tokens[i + 1]), keep))
    for i in range(0, frames - 4, 4):
        flags[i + 2] = flag(n, top(-frame_cosine(tokens[i], tokens[i + 2]), keep))
    return pruned(tokens, flags)


def dycoke_kv(attention, layout, rate, similarity, reuse):
    steps, _, columns = attention.shape
    first, count, length = layout
    mask = np.zeros((steps, columns), int)
    before, chosen = None, None
    for t in range(steps):
        row = attention[t].mean(0)[first:first + count]
        cosine = 0.0 if before is None else float(unit(row) @ unit(before))
        before = row
        apart(abs(cosine - similarity) if t else 1)
        mask[t, :length + t] = 1
        if cosine < similarity or t == 0:
            chosen = flag(count, top(row, int(count * (1 - rate))))
        elif not reuse:
            continue
        mask[t, first:first + count] = chosen
    return {"kv_mask": mask}
