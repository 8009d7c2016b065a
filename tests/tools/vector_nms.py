"""TRIO's selection once more, in numpy and float64: see vector_methods.py."""
import numpy as np

from vector_methods import apart, count_of, flag, pruned, strict_order, unit


def trio(tokens, saliency, keep, similarity=0.8):
    """tokens [T, N, D], saliency [T, N]."""
    frames, n, dim = tokens.shape
    cosines = unit(tokens.reshape(-1, dim)) @ unit(tokens.reshape(-1, dim)).T
    want, stay, behind = count_of(keep, frames * n), [], []
    for i in strict_order(saliency.reshape(-1)):
        if stay:
            apart(np.abs(cosines[i, stay] - similarity).min(), least=2e-6)
        alike = bool(stay) and (cosines[i, stay] >= similarity).any()
        (behind if alike else stay).append(i)
    return pruned(tokens, flag(frames * n, (stay + behind)[:want]).reshape(frames, n))


# -- cases -----------------------------------------------------------------------------------------

def trio_case(c, frames, n, dim, keep, kind=np.float32, *more):
    """Tokens around a few, so that many are alike."""
    tokens = c.random.standard_normal((n // 4 + 1, dim))[c.random.integers(n // 4 + 1, size=(frames, n))]
    tokens += c.random.uniform(0, 0.8, (frames, n, 1)) * c.random.standard_normal((frames, n, dim))
    tokens = c.give("tokens", tokens.astype(kind))
    return trio(tokens, c.attention("saliency", frames, n), keep, *more)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("trio", trio_case, [
        ("keep=40", 1, 289, 24, "40"), ("keep=30%:similarity=0.5", 3, 67, 33, "30%", np.float16, 0.5),
        ("keep=70:similarity=-0.2", 1, 101, 19, "70", np.float32, -0.2), ("keep=5", 1, 1, 7, "5"),
        ("keep=1", 2, 31, 64, "1", np.float16)])
