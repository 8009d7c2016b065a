"""union, cascade and divprune's own counts once more, in numpy and float64: see vector_methods.py."""
import numpy as np

import vector_methods as m


def shares(keep, weights):
    """The running sum rounded, half to even, so that the parts add up to the whole."""
    ends = [round(keep * (sum(weights[:k]) / sum(weights))) for k in range(len(weights) + 1)]
    return [end - begin for begin, end in zip(ends, ends[1:])]


def chosen(stage, tokens, attention, count):
    """Flags of one set [N, D] or, for evs, of all frames."""
    if stage == "evs":
        frames, n, _ = tokens.shape
        keep = max(n, count * frames)
        score = np.full((frames, n), 255.0)
        for t in range(1, frames):
            score[t] = 1 - m.frame_cosine(tokens[t], tokens[t - 1])
        later = m.top(score[1:].reshape(-1), keep - n)
        return m.flag(frames * n, np.concatenate([np.arange(n), n + later])).reshape(frames, n)
    if len(tokens) <= count:
        return np.ones(len(tokens), bool)
    if stage == "fastervlm":
        return m.flag(len(tokens), m.top(attention.mean(0), count))
    out = m.divprune(tokens[None], lambda _: count) if stage == "divprune" else \
        m.vispruner(tokens[None], attention[None], count, 0.5)
    return m.flag(len(tokens), np.asarray(out["indices"], int))


def combined(tokens, attention, keep, of, cascade):
    """of: (stage, weight) in turn."""
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for (stage, _), count in zip(of, shares(m.count_of(keep, n, round), [weight for _, weight in of])):
        if stage == "evs":
            flags |= chosen(stage, tokens, None, count)
            continue
        for t in range(frames if count else 0):
            left = np.flatnonzero(~flags[t]) if cascade else np.arange(n)
            if len(left):
                flags[t, left[chosen(stage, tokens[t, left], attention[t][:, left], count)]] = True
    return m.pruned(tokens, flags)


def by_radius(tokens, total=None, fidelity=0.9, least=1, most=None):
    """Picks of each frame, most diverse first, and what the ones before leave each of them; total: the best of all frames,
    else those that stand further than 1 - fidelity from the ones before."""
    frames, n, _ = tokens.shape
    radius = np.full((frames, n), -np.inf)
    for t in range(frames):
        distance = 1 - m.unit(tokens[t]) @ m.unit(tokens[t]).T
        live = np.ones(n, bool)
        nearest = np.sort(distance, axis=1)[:, 1] if n > 1 else np.zeros(n)
        picks = []
        for _ in range(n if most is None else m.count_of(most, n, round)):
            j = m.best(nearest, live)
            radius[t, j] = distance[j, picks].min() if len(picks) >= least else np.inf
            nearest = np.minimum(nearest, distance[j]) if picks else distance[j].copy()
            live[j] = False
            picks.append(j)
    if total is None:
        finite = radius[np.isfinite(radius)]
        m.apart(np.abs(finite - (1 - fidelity)).min() if len(finite) else 1)
        return m.pruned(tokens, radius > 1 - fidelity)
    flat = radius.reshape(-1)
    order = np.argsort(-flat, kind="stable")
    if 0 < total < len(flat) and np.isfinite(flat[order[total]]):
        m.apart(flat[order[total - 1]] - flat[order[total]])
    return m.pruned(tokens, m.flag(frames * n, order[:total]).reshape(frames, n))
