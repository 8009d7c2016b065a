"""motion once more, in numpy and float64: see vector_methods.py."""
import itertools

import numpy as np

import vector_methods as m


def origins(grid, radius, move):
    """For each token the shift (dy, dx) and place that it came from, and whether it stayed inside."""
    h, w = grid
    zoom, turn, dy, dx = move
    edge = max(h, w, 2) - 1
    row, column = np.divmod(np.arange(h * w), w)
    y, x = 2 * row - (h - 1), 2 * column - (w - 1)
    down = dy + np.floor((zoom * y + turn * x + edge) / (2 * edge)).astype(int)
    right = dx + np.floor((zoom * x - turn * y + edge) / (2 * edge)).astype(int)
    near_down, near_right = np.clip(down, -radius, radius), np.clip(right, -radius, radius)
    to_row, to_column = row + near_down, column + near_right
    inside = ((near_down == down) & (near_right == right) & (to_row >= 0) & (to_row < h) &
              (to_column >= 0) & (to_column < w))
    return np.clip(to_row, 0, h - 1) * w + np.clip(to_column, 0, w - 1), inside


def explained(cosines, grid, radius, move):
    place, inside = origins(grid, radius, move)
    if 2 * inside.sum() < len(place):
        return -np.inf
    return cosines[np.arange(len(place)), place][inside].mean()


def better(cosines, grid, radius, taken, moves, least):
    """The best of `moves` if it leaves at most 1 - least of what `taken` leaves."""
    gains = np.array([explained(cosines, grid, radius, move) for move in moves])
    order = np.argsort(-gains, kind="stable")
    first = moves[order[0]]
    for k in order[1:]:
        if all(np.array_equal(a, b) for a, b in zip(origins(grid, radius, first), origins(grid, radius, moves[k]))):
            continue
        m.apart(gains[order[0]] - gains[k])
        break
    left, before = 1 - gains[order[0]], 1 - explained(cosines, grid, radius, taken)
    if first != taken:
        m.apart(abs(left - (1 - least) * before))
    return first if left <= (1 - least) * before else taken


def find_move(cosines, grid, radius, affine, least):
    reach = range(-radius, radius + 1)
    near = sorted(((0, 0, dy, dx) for dy in reach for dx in reach), key=lambda v: v[2] ** 2 + v[3] ** 2)
    taken = better(cosines, grid, radius, (0, 0, 0, 0), near, least)
    if affine:
        bends = sorted(itertools.product(range(-4, 5), range(-4, 5), (-1, 0, 1), (-1, 0, 1)),
                       key=lambda v: (v[0] ** 2 + v[1] ** 2, v[2] ** 2 + v[3] ** 2))
        moves = [(zoom, turn, taken[2] + dy, taken[3] + dx) for zoom, turn, dy, dx in bends]
        taken = better(cosines, grid, radius, taken, moves, least)
    return taken


def motion(tokens, grid, rate, radius=3, affine=False, merge=False, least=0.1, moves=None):
    """moves: what find_move should find, for each frame; a different one is an error of the case."""
    frames, n, _ = tokens.shape
    keep = max(n, int(frames * n * (1 - rate)))
    score = np.full((frames, n), 255.0)
    came_from = np.full(frames * n, -1)
    for t in range(1, frames):
        cosines = m.unit(tokens[t]) @ m.unit(tokens[t - 1]).T
        move = find_move(cosines, grid, radius, affine, least)
        assert moves is None or move == moves[t - 1], (t, move, moves[t - 1])
        place, _ = origins(grid, radius, move)
        score[t] = 1 - cosines[np.arange(n), place]
        came_from[t * n:(t + 1) * n] = (t - 1) * n + place
    later = m.top(score[1:].reshape(-1), keep - n) if frames > 1 else np.array([], int)
    kept = m.flag(frames * n, np.concatenate([np.arange(n), n + later]))
    if not merge:
        return m.pruned(tokens, kept)
    rows = np.cumsum(kept) - 1
    home = np.arange(frames * n)
    for i in range(frames * n):  # a token's origin lies before it
        if not kept[i]:
            home[i] = home[came_from[i]]
    flat = tokens.reshape(frames * n, -1)
    out = np.array([flat[home == i].mean(0) for i in np.flatnonzero(kept)])
    sizes = np.array([(home == i).sum() for i in np.flatnonzero(kept)])
    return {"tokens": out, "indices": np.flatnonzero(kept), "assignment": rows[home], "sizes": sizes}


def panned(random, frames, grid, dim, radius, moves):
    """Frames seen by a camera that makes `moves` between them: tokens are where they came from, each changed by an amount
    of its own; what comes in from outside is new."""
    out = [random.standard_normal((grid[0] * grid[1], dim))]
    for move in moves[:frames - 1]:
        place, inside = origins(grid, radius, move)
        new = random.standard_normal(out[0].shape)
        change = np.where(inside, random.uniform(0.05, 0.8, len(place)), 1.0)[:, None]
        out.append(out[-1][place] * (1 - change) + new * change)
    return np.array(out)
