"""sttm in its default mode: quadtrees of frames and unions along the film, from the description in plugin/stages/sttm.c.

Node by node and pair by pair, as one would explain it: a tree is descended by recursion, boxes of neighbouring frames are all
compared, and a union-find joins them.
"""
import numpy as np

from vector_methods import apart, unit


def parts(n):
    """What a side of n is halved into: pairs, and the first one alone where n is odd."""
    odd = n % 2
    return ([[0]] if odd else []) + [[i, i + 1] for i in range(odd, n, 2)]


def pyramid(frame, levels, weighted):
    """[(rows [h, w, D], boxes {(y, x): (y0, x0, y1, x1)}, children {(y, x): [...]})] from the tokens up."""
    h, w, _ = frame.shape
    boxes = {(y, x): (y, x, y + 1, x + 1) for y in range(h) for x in range(w)}
    out = [(frame, boxes, {})]
    for _ in range(levels):
        below, boxes, _ = out[-1]
        ys, xs = parts(below.shape[0]), parts(below.shape[1])
        rows, over, children = np.zeros((len(ys), len(xs), frame.shape[2])), {}, {}
        for y, down in enumerate(ys):
            for x, across in enumerate(xs):
                inner = [(a, b) for a in down for b in across]
                first, last = boxes[inner[0]], boxes[inner[-1]]
                box = over[y, x] = (*first[:2], *last[2:])
                children[y, x] = inner
                if weighted:
                    rows[y, x] = frame[box[0]:box[2], box[1]:box[3]].mean((0, 1))
                else:
                    rows[y, x] = np.mean([below[place] for place in inner], axis=0)
        out.append((rows, over, children))
    return out


def level_count(h, w):
    """Levels above the tokens."""
    levels = 0
    while h != 2 and w != 2 and (h > 1 or w > 1):
        h, w, levels = len(parts(h)), len(parts(w)), levels + 1
    return levels


def leaves(tree, level, place, threshold, found):
    rows, boxes, children = tree[level]
    if level:
        cosines = np.array([unit(rows[place]) @ unit(tree[level - 1][0][child]) for child in children[place]])
        apart(np.abs(cosines - threshold).min())
        if (cosines < threshold).any():
            for child in children[place]:
                leaves(tree, level - 1, child, threshold, found)
            return
    found.append((boxes[place], rows[place]))


def holds(a, b):
    return a[0] <= b[0] and a[1] <= b[1] and a[2] >= b[2] and a[3] >= b[3]


def joined(nodes, temporal):
    """The first node that each node is one with; nodes: (frame, box, row)."""
    first = list(range(len(nodes)))

    def find(i):
        while first[i] != i:
            i = first[i]
        return i

    for i, (t, box, row) in enumerate(nodes):
        for j, (t2, box2, row2) in enumerate(nodes):
            if t2 != t + 1 or not (holds(box, box2) or holds(box2, box)):
                continue
            cosine = unit(row) @ unit(row2)
            apart(abs(cosine - temporal))
            if cosine >= temporal:
                a, b = sorted((find(i), find(j)))
                first[b] = a
    return [find(i) for i in range(len(nodes))]


def sttm(tokens, grid, threshold=0.85, temporal=0.55, root=1, weighted=False, sizes=None):
    frames, n, dim = tokens.shape
    h, w = grid
    if sizes is None:
        sizes = np.ones((frames, n))
    top, nodes = max(level_count(h, w) - root, 0), []
    for t in range(frames):
        tree, found = pyramid(tokens[t].reshape(h, w, dim), top, weighted), []
        for place in tree[top][1]:
            leaves(tree, top, place, threshold, found)
        nodes += [(t, *node) for node in sorted(found, key=lambda node: node[0][:2])]
    first = joined(nodes, temporal) if temporal > 0 else list(range(len(nodes)))
    rows, indices, out_sizes, assignment = [], [], [], np.full(frames * n, -1)
    for k in sorted(set(first)):
        members = [nodes[i] for i in range(len(nodes)) if first[i] == k]
        counts = np.array([(b[2] - b[0]) * (b[3] - b[1]) for _, b, _ in members], float)
        weights = counts if weighted else np.ones(len(members))
        covered = [t * n + y * w + x for t, b, _ in members for y in range(b[0], b[2]) for x in range(b[1], b[3])]
        assignment[covered] = len(rows)
        rows.append(weights @ np.array([row for _, _, row in members]) / weights.sum())
        indices.append(covered[0])
        out_sizes.append(sizes.reshape(-1)[covered].sum())
    return {"tokens": np.array(rows), "indices": indices, "sizes": out_sizes, "assignment": assignment}


def film(c, frames, h, w, dim, noise=0.4, change=0.7):
    """Frames of large and small blocks, some of them busy, that change place by place."""
    def blocks(side, *low_high):
        shape = (-(-h // side), -(-w // side), 1 if low_high else dim)
        value = c.random.uniform(*low_high, shape) if low_high else c.random.standard_normal(shape)
        return np.repeat(np.repeat(value, side, 0), side, 1)[:h, :w]

    def field():
        busy = blocks(4, 0, 1.6)
        return 1.5 * blocks(4) + busy * blocks(2) + noise * busy * c.random.standard_normal((h, w, dim))

    value = [field()]
    for _ in range(1, frames):
        share = blocks(3, 0, change)
        value.append(value[-1] * (1 - share) + share * field() + 0.05 * c.random.standard_normal((h, w, dim)))
    c.grid(frames, h, w)
    return c.give("tokens", np.array(value, np.float32).reshape(frames, h * w, dim))


def case(c, frames, h, w, dim, options, noise=0.4, change=0.7, with_sizes=False):
    tokens, given = film(c, frames, h, w, dim, noise, change), dict(options)
    if with_sizes:
        given["sizes"] = c.give("sizes", c.random.integers(1, 5, (frames, h * w)).astype(np.float32))
    return sttm(tokens, (h, w), **given)


def cases(numbered):
    yield from numbered("sttm", case, [
        ("", 5, 14, 14, 8, {}),
        ("threshold=0.8:temporal=0.6:root=0", 5, 7, 7, 9, {"threshold": 0.8, "temporal": 0.6, "root": 0}),
        ("threshold=0.8:temporal=0:root=0", 2, 16, 12, 6, {"threshold": 0.8, "temporal": 0, "root": 0}),
        ("threshold=0.75:temporal=0.7:weighted=on", 4, 9, 12, 7,
         {"threshold": 0.75, "temporal": 0.7, "weighted": True}),
        ("threshold=0.8:temporal=0.5:root=2", 6, 11, 19, 6, {"threshold": 0.8, "temporal": 0.5, "root": 2},
         0.4, 0.7, True),
        ("threshold=0.6:temporal=0.3:root=0:weighted=on", 8, 13, 8, 5,
         {"threshold": 0.6, "temporal": 0.3, "root": 0, "weighted": True}, 0.4, 0.7, True),
        ("threshold=0.8:root=0", 1, 15, 17, 6, {"threshold": 0.8, "root": 0}),
        ("temporal=0.4:root=9", 12, 6, 5, 5, {"temporal": 0.4, "root": 9}),
        ("threshold=0.8:temporal=0.9:root=0", 4, 1, 23, 6, {"threshold": 0.8, "temporal": 0.9, "root": 0}),
        ("threshold=0.8:temporal=0.9:root=0", 3, 11, 1, 6, {"threshold": 0.8, "temporal": 0.9, "root": 0}),
        ("", 3, 1, 1, 8, {}),
        ("threshold=0.6:temporal=0.5:root=0", 3, 31, 17, 5, {"threshold": 0.6, "temporal": 0.5, "root": 0}),
    ])
