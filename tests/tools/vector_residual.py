"""SIEVE once more, from its paper, in numpy and float64: see vector_methods.py."""
import numpy as np

from vector_balance import by_text
from vector_methods import apart, best, count_of, flag, pruned, top


def residuals(tokens, text, energy):
    """What ridge regression on the rows of text leaves of each token, and the share of its length that this is."""
    mean = text.mean(0)
    base, centred = text - mean, tokens - mean
    gram = base @ base.T
    values = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0)
    sums = np.cumsum(values)
    if energy < 1 and len(text) > 1:
        apart(np.abs(sums - energy * values.sum()).min(), values.sum())
        k = np.flatnonzero(sums >= energy * values.sum())[0]
    else:  # rounding says which of the last ones it is: all of them are next to nothing
        k = len(values) - 1
    system = gram + (values[k] + 1e-6) * np.eye(len(text))
    rest = centred - np.linalg.solve(system, base @ centred.T).T @ base
    return rest, np.linalg.norm(rest, axis=1) / np.linalg.norm(centred, axis=1)


def sieve(tokens, text, attention, keep, energy=0.75, heads=None):
    """tokens [T, N, D], text [M, D], attention [H, M, T*N]."""
    frames, n, dim = tokens.shape
    rest, share = residuals(tokens.reshape(-1, dim), text, energy)
    mass = attention.sum((1, 2))
    heads = min(max(round(0.375 * len(attention)) if heads is None else heads, 1), len(attention))
    score = (attention[top(mass, heads)].sum((0, 1)) * share) ** 2
    rows = rest / np.linalg.norm(rest, axis=1, keepdims=True)
    chosen = []
    while len(chosen) < count_of(keep, frames * n):
        live = ~flag(frames * n, chosen)
        chosen.append(best(score, live))
        score = score * (1 - (rows @ rows[chosen[-1]]) ** 2)
    order = np.array(chosen)
    return {**pruned(tokens, flag(frames * n, order).reshape(frames, n)), "order": order}


# -- cases -----------------------------------------------------------------------------------------

def sieve_case(c, frames, n, dim, heads, words, *more):
    """Rows of text that hold some of the picture, as a deep layer's do."""
    tokens = c.normal("tokens", frames, n, dim)
    mix = c.random.dirichlet(np.full(frames * n, 0.05), words)
    text = mix @ tokens.reshape(-1, dim) + 0.5 * c.random.standard_normal((words, dim)) + 1
    text = c.give("text", text.astype(np.float32))
    return sieve(tokens, text, by_text(c, heads, words, frames * n), *more)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("sieve", sieve_case, [
        ("keep=24", 1, 144, 33, 8, 7, "24"), ("keep=10%:energy=0.9:heads=2", 2, 101, 48, 5, 13, "10%", 0.9, 2),
        ("keep=15:energy=0.3:heads=60%", 3, 29, 40, 5, 31, "15", 0.3, 3),
        ("keep=20:heads=1", 1, 289, 24, 3, 2, "20", 0.75, 1), ("keep=9", 1, 37, 12, 1, 1, "9"),
        ("keep=30", 1, 61, 65, 2, 70, "30")])
