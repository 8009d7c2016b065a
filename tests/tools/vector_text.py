"""Methods that go by a language model's attention, once more in numpy and float64, for make_vectors.py alone. As in
vector_methods.py, a pick between scores that are nearly equal raises TooClose.
"""
import numpy as np

from vector_methods import apart, count_of, top


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


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("ficoco-l", ficoco_l_case, [
        ("keep=64", 144, 8, 2, 2, 5, "64", True),
        ("keep=25%:quantile=0.97", 289, 6, 1, 3, 1, "25%", True, 0.6, 0.6, 0.97),
        ("r=20:beta=0.3:gamma=0.8:quantile=0.9", 61, 10, 3, 1, 7, "41", True, 0.3, 0.8, 0.9),
        ("keep=50%:quantile=0.95", 101, 7, 2, 2, 3, "50%", False, 0.6, 0.6, 0.95),
        ("keep=1", 5, 4, 1, 1, 2, "1", True)])
