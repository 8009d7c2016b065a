"""Methods that go by a language model's attention, once more in numpy and float64, for make_vectors.py alone. As in
vector_methods.py, a pick between scores that are nearly equal raises TooClose.
"""
import numpy as np

from vector_methods import apart, count_of, pruned, top


def ficoco_l(tokens, attention, by_text, to_text, gone, beta=0.6, gamma=0.6, quantile=0.998):
    """mode=paper. tokens [N, D], attention [N, N], by_text [M, N], to_text [N, M] or None: head means."""
    n = len(tokens)
    out = set(top(beta * attention.mean(0) - (1 - beta) * by_text.mean(0), gone).tolist())
    kept = [i for i in range(n) if i not in out]
    links = gamma * attention
    if to_text is not None:
        links = links + (1 - gamma) * (to_text @ by_text) / len(by_text)
    rows = {j: tokens[j].copy() for j in kept}
    sizes = dict.fromkeys(kept, 1.0)
    goes = np.full(n, -1)
    goes[kept] = np.arange(len(kept))
    for i in sorted(out):
        row = links[i, kept]
        place = quantile * (len(kept) - 1)
        count = len(kept) - int(np.ceil(place))  # of them lie at or above the quantile
        apart(abs(place - round(place)) or 1)
        count = min(count, int((row > 0).sum()))
        if not count:
            continue  # nothing it could go to
        takers = top(row, count)
        shares = row[takers] / row[takers].sum()
        for j, share in zip(takers, shares):
            rows[kept[j]] += share * tokens[i]
            sizes[kept[j]] += share
        goes[i] = takers[np.argmax(shares)]
    return {"tokens": np.array([rows[j] / sizes[j] for j in kept]), "indices": kept,
            "sizes": [sizes[j] for j in kept], "assignment": goes}


def mustdrop_llm(tokens, by_text, whole, single, keys=None):
    """tokens [T, N, D], by_text [M, T*N]; keys: (attention of the class token [T, N], how many a frame)."""
    frames, n, _ = tokens.shape
    total, peak = by_text.sum(0), by_text.max(0)
    apart(np.abs(total - total.sum() * whole).min(), total.max())
    apart(np.abs(peak - single).min(), peak.max())
    flags = (total >= total.sum() * whole) | (peak >= single)
    for t in range(frames if keys else 0):
        flags[t * n + top(keys[0][t], keys[1])] = True
    if not flags.any():
        flags[top(total, 1)] = True
    return pruned(tokens, flags.reshape(frames, n))


def prunevid_llm(tokens, attention, share, groups):
    """attention [H, M, T*N], groups [T*N]."""
    frames, n, _ = tokens.shape
    score = attention.max((0, 1))
    flags = np.zeros(frames * n, bool)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        flags[members[top(score[members], int(len(members) * share))]] = True
    return pruned(tokens, flags.reshape(frames, n))


# -- cases -----------------------------------------------------------------------------------------

def causal(c, name, heads, n, share=0.7):
    """Attention of visual tokens to themselves and those before, as a causal mask leaves it."""
    value = np.exp(c.random.standard_normal((1, heads, n, n))) * np.tril(np.ones((n, n)))
    value = value / value.sum(-1, keepdims=True) * share
    return c.give(name, value.astype(np.float32))


def ficoco_l_case(c, n, dim, heads, llm_heads, words, keep, answers, *more):
    tokens = c.normal("tokens", 1, n, dim)[0]
    attention = causal(c, "attention", heads, n) if not answers else \
        c.attention("attention", 1, heads, n, n)
    by_text = c.attention("text_attention", llm_heads, words, n).mean(0)
    to_text = c.attention("attention_to_text", llm_heads, n, words).mean(0) if answers else None
    return ficoco_l(tokens, attention[0].mean(0), by_text, to_text, n - count_of(keep, n), *more)


def mustdrop_llm_case(c, frames, n, dim, heads, words, whole, single, keys=0):
    tokens = c.normal("tokens", frames, n, dim)
    by_text = c.attention("text_attention", heads, words, frames * n, sharp=1.5).mean(0)
    given = (c.attention("cls_attention", frames, 3, n).mean(1), keys) if keys else None
    return mustdrop_llm(tokens, by_text, whole, single, given)


def prunevid_llm_case(c, frames, n, dim, heads, words, share, count=0):
    tokens = c.normal("tokens", frames, n, dim)
    attention = c.attention("text_attention", heads, words, frames * n)
    groups = np.repeat(np.arange(frames), n)
    if count:
        groups = c.give("groups", c.random.integers(0, count, (frames, n)).astype(np.float32)).reshape(-1)
    return prunevid_llm(tokens, attention, share, groups)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("ficoco-l", ficoco_l_case, [
        ("keep=64", 144, 8, 2, 2, 5, "64", True),
        ("keep=25%:quantile=0.97", 289, 6, 1, 3, 1, "25%", True, 0.6, 0.6, 0.97),
        ("r=20:beta=0.3:gamma=0.8:quantile=0.9", 61, 10, 3, 1, 7, "41", True, 0.3, 0.8, 0.9),
        ("keep=50%:quantile=0.95", 101, 7, 2, 2, 3, "50%", False, 0.6, 0.6, 0.95),
        ("keep=1", 5, 4, 1, 1, 2, "1", True)])
    yield from numbered("mustdrop-llm", mustdrop_llm_case, [
        ("global=0.004:individual=0.006", 2, 101, 6, 2, 5, 0.004, 0.006),
        ("global=0.01:individual=0.02:keys=9", 3, 61, 5, 3, 1, 0.01, 0.02, 9),
        ("global=1:individual=1", 1, 37, 4, 1, 3, 1.0, 1.0),
        ("keys=8%:global=0.003:individual=0.006", 1, 289, 4, 1, 2, 0.003, 0.006, 24)])
    yield from numbered("prunevid-llm", prunevid_llm_case, [
        ("keep=40%", 4, 49, 6, 2, 3, 0.4), ("keep=40%", 3, 61, 5, 1, 5, 0.4, 7),
        ("keep=15%", 1, 289, 4, 3, 1, 0.15, 23)])
