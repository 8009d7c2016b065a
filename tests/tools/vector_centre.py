"""Cen-Prune (centre=on of divprune and cdpruner) once more, in numpy and float64: see vector_methods.py."""
import numpy as np

from vector_methods import best, count_of, pruned, unit


def centred(x):
    """Cosines of one frame's tokens about their mean, and how distinct each is, 0..1."""
    rows = unit(x - x.mean(0))
    cosines = unit(x) @ unit(x).T
    distinct = -(cosines.sum(1) - np.diag(cosines)) / (len(x) - 1)
    return rows @ rows.T, (distinct - distinct.min()) / (distinct.max() - distinct.min())


def divprune(tokens, keep):
    frames, n, _ = tokens.shape
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        cosines, distinct = centred(tokens[t])
        distance, live = 1 - cosines, np.ones(n, bool)
        score = np.sort(distance, axis=1)[:, 1]
        for pick in range(count_of(keep, n, round)):
            j = best(score, live)
            live[j] = False
            nearest = distance[j] if pick == 0 else np.minimum(nearest, distance[j])
            score = distinct * nearest
        flags[t] = ~live
    return pruned(tokens, flags)


def cdpruner(tokens, embeds, text, keep):
    frames, n, _ = tokens.shape
    relevance = -(unit(embeds) @ unit(text).T).mean(-1)
    relevance = (relevance - relevance.min() + 1e-6) / (relevance.max() - relevance.min())
    flags = np.zeros((frames, n), bool)
    for t in range(frames):
        cosines, distinct = centred(tokens[t])
        quality = relevance[t] * distinct
        left, live = np.diag(quality[:, None] * cosines * quality).copy(), np.ones(n, bool)
        factors = np.zeros((0, n))
        for _ in range(count_of(keep, n)):
            j = best(left, live)
            live[j] = False
            e = (quality[j] * cosines[j] * quality - factors[:, j] @ factors) / np.sqrt(left[j])
            factors = np.vstack([factors, e])
            left = left - e * e
        flags[t] = ~live
    return pruned(tokens, flags)


# -- cases -----------------------------------------------------------------------------------------

def divprune_case(c, frames, n, dim, keep):
    return divprune(c.normal("tokens", frames, n, dim), keep)


def cdpruner_case(c, frames, n, dim, embed_dim, words, keep):
    tokens = c.normal("tokens", frames, n, dim)
    embeds, text = c.normal("image_embeds", frames, n, embed_dim), c.normal("text", words, embed_dim)
    return cdpruner(tokens, embeds, text, keep)


def cases(numbered):
    """Rows for vector_cases.py."""
    rows = [("keep=20:centre=on", 3, 61, 12, "20"), ("keep=10%:centre=on", 1, 289, 10, "10%"),
            ("keep=5:centre=on", 2, 17, 6, "5")]
    for name, spec, make in numbered("divprune", divprune_case, rows):
        yield name.replace("divprune", "divprune-centre"), spec, make
    rows = [("keep=12:centre=on", 2, 61, 16, 8, 3, "12"), ("keep=10%:centre=on", 1, 197, 24, 6, 1, "10%"),
            ("keep=4:centre=on", 3, 23, 9, 5, 7, "4")]
    for name, spec, make in numbered("cdpruner", cdpruner_case, rows):
        yield name.replace("cdpruner", "cdpruner-centre"), spec, make
