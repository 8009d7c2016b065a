"""TOPS once more, from its paper, in numpy and float64: see vector_methods.py."""
import numpy as np

from vector_methods import apart, best, count_of, flag, pruned, unit


def comparable(values, among, by_range):
    """Over their mean, or scaled to 0..1; the numbers that count are those of `among`."""
    if by_range:
        low, high = values[among].min(), values[among].max()
        return (values - low) / (high - low) if high > low else np.zeros(len(values))
    mean = values[among].mean()
    return values / mean if mean > 0 else np.zeros(len(values))


def picks(tokens, relevance, keep, diversity=0.5, coverage=0.5, by_range=False):
    """Places of one set's tokens in the order in which they are taken."""
    n = len(tokens)
    similarity = unit(tokens) @ unit(tokens).T
    everything = np.ones(n, bool)
    relevance_ = comparable(relevance, everything, by_range)
    chosen = [best(relevance, everything)]
    while len(chosen) < count_of(keep, n):
        live = ~flag(n, chosen)
        nearest = similarity[:, chosen].max(1)
        gain = np.array([np.maximum(similarity[i, live] - nearest[live], 0).sum() for i in range(n)])
        score = relevance_ + diversity * comparable(1 - nearest, live, by_range) \
            + coverage * comparable(gain, live, by_range)
        chosen.append(best(score, live))
    return chosen


def kept(tokens, orders):
    """What comes out when the tokens of each of T frames are taken in these orders."""
    frames, n, _ = tokens.shape
    order = np.concatenate([t * n + np.array(places) for t, places in enumerate(orders)])
    return {**pruned(tokens, flag(frames * n, order).reshape(frames, n)), "order": order}


def tops(tokens, attention, *more):
    """tokens [T, N, D], attention [T, H, N]."""
    return kept(tokens, [picks(tokens[t], attention[t].sum(0), *more) for t in range(len(tokens))])


def raters(attention, which):
    """attention [H, M, N]: which rows of text say what is relevant."""
    rows = attention.shape[1]
    if which == "all":
        return np.arange(rows)
    if which == "last":
        return np.array([rows - 1])
    engaged = attention.mean((0, 2))
    apart(np.abs(engaged - engaged.mean()).min() if rows > 1 else 1, engaged.max())
    above = np.flatnonzero(engaged > engaged.mean())
    return above if len(above) else np.arange(rows)


def tops_llm(tokens, attention, which, *more):
    """tokens [T, N, D], attention [H, M, T*N]."""
    frames, n, dim = tokens.shape
    relevance = attention[:, raters(attention, which)].sum((0, 1))
    order = np.array(picks(tokens.reshape(-1, dim), relevance, *more))
    return {**pruned(tokens, flag(frames * n, order).reshape(frames, n)), "order": order}


# -- cases -----------------------------------------------------------------------------------------

def tops_case(c, frames, n, dim, heads, *more):
    tokens = c.normal("tokens", frames, n, dim)
    return tops(tokens, c.attention("cls_attention", frames, heads, n), *more)


def by_text(c, heads, words, n):
    """Attention of rows of text that look at the picture more or less, each head too."""
    value = np.exp(c.random.standard_normal((heads, words, n)))
    shares = value / value.sum(-1, keepdims=True) * c.random.uniform(0.05, 0.9, (heads, words, 1))
    return c.give("text_attention", shares.astype(np.float32))


def tops_llm_case(c, frames, n, dim, heads, words, which, *more):
    tokens = c.normal("tokens", frames, n, dim)
    return tops_llm(tokens, by_text(c, heads, words, frames * n), which, *more)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("tops", tops_case, [
        ("keep=20", 3, 61, 12, 2, "20"), ("keep=10%:coverage=1", 1, 289, 10, 3, "10%", 0.5, 1.0),
        ("keep=12:norm=range", 2, 101, 9, 1, "12", 0.5, 0.5, True),
        ("keep=9:diversity=2:coverage=0:norm=range", 1, 47, 7, 4, "9", 2.0, 0.0, True),
        ("keep=100%", 2, 7, 5, 1, "100%"), ("keep=1", 1, 23, 4, 2, "1")])
    yield from numbered("tops-llm", tops_llm_case, [
        ("keep=24", 3, 41, 12, 2, 7, "dynamic", "24"),
        ("keep=10%:raters=all:coverage=0.4", 1, 263, 8, 3, 5, "all", "10%", 0.5, 0.4),
        ("keep=15:raters=last:norm=range", 2, 53, 6, 4, 3, "last", "15", 0.5, 0.5, True),
        ("keep=6:diversity=0", 1, 31, 5, 1, 1, "dynamic", "6", 0.0, 0.5)])
