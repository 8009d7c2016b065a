"""clse once more, in numpy and float64 and by Fourier transforms, for make_vectors.py alone: see vector_methods.py."""
import numpy as np

from vector_methods import count_of, flag, pruned, top


def high_frequencies(tokens, grid, cutoff):
    """tokens [T, N, D] to [T*N]: the mean size of what a Gaussian around the mean leaves."""
    h, w = grid
    down, across = np.fft.fftfreq(h, 1 / h)[:, None], np.fft.fftfreq(w, 1 / w)[None]
    far, sigma = down**2 + across**2, cutoff * min(h // 2, w // 2)
    if cutoff == 0:
        mask = np.ones((h, w))
    elif sigma == 0:
        mask = (far > 0).astype(float)
    else:
        mask = 1 - np.exp(-far / (2 * sigma**2))
    waves = np.fft.fft2(tokens.reshape(len(tokens), h, w, -1), axes=(1, 2))
    return np.abs(np.fft.ifft2(waves * mask[None, :, :, None], axes=(1, 2)).real).mean(-1).reshape(-1)


def scores(tokens, before, attention, grid, score="both", cutoff=0.1, temperature=0.1):
    """tokens [T, N, D], before [T, N, Db], attention [T*N]."""
    if score == "attention":
        return attention
    old, new = (high_frequencies(x, grid, cutoff) for x in (before, tokens))
    change = np.minimum(np.abs(new - old) / (old + old.mean() + 1e-6), 1)
    spread = change.std(ddof=1) if len(change) > 1 else 0.0
    gate = 1 / (1 + np.exp(-(change - change.mean()) / (spread + 1e-6) / temperature))
    return gate if score == "change" else gate * attention


def clse(tokens, before, attention, grid, keep, *more):
    frames, n, _ = tokens.shape
    chosen = top(scores(tokens, before, attention, grid, *more), count_of(keep, frames * n))
    return pruned(tokens, flag(frames * n, chosen).reshape(frames, n))


# -- cases -----------------------------------------------------------------------------------------

def clse_case(c, frames, h, w, dim, dim_before, heads, keep, *more, kind=np.float32):
    c.grid(frames, h, w)
    n = h * w
    before = c.normal("image_embeds", frames, n, dim_before, dtype=kind)
    change = c.random.uniform(0, 1, (frames, n, 1))**2
    value = np.resize(before, (frames, n, dim)) * (1 - change / 2) + change * c.random.standard_normal((frames, n, dim))
    tokens = c.give("tokens", value.astype(kind))
    attention = c.attention("llm_attention", heads, frames * n).mean(0) if not more or more[0] != "change" else None
    return clse(tokens, before, attention, (h, w), keep, *more)


def half_case(*given):
    return clse_case(*given, kind=np.float16)


def cases(numbered):
    """Rows for vector_cases.py."""
    yield from numbered("clse", clse_case, [
        ("keep=50", 1, 19, 17, 9, 9, 3, "50"), ("keep=25%", 3, 7, 11, 6, 6, 2, "25%"),
        ("keep=20%:score=change:cutoff=0.3", 2, 13, 8, 5, 7, 1, "20%", "change", 0.3),
        ("keep=9:temperature=1", 5, 3, 4, 70, 70, 1, "9", "both", 0.1, 1.0),
        ("keep=30:cutoff=2", 1, 2, 33, 4, 4, 2, "30", "both", 2.0),
        ("keep=11", 4, 19, 1, 6, 6, 1, "11"), ("keep=4", 1, 1, 1, 3, 3, 1, "4"),
        ("keep=15%:cutoff=0", 2, 6, 10, 8, 8, 4, "15%", "both", 0.0),
        ("keep=40%:score=attention", 1, 9, 7, 5, 5, 3, "40%", "attention"),
        ("keep=100", 1, 32, 31, 3, 3, 1, "100")])
    for name, spec, make in numbered("clse", half_case, [("keep=30%", 2, 11, 9, 40, 40, 2, "30%")]):
        yield name.replace("clse", "clse-f16"), spec, make
