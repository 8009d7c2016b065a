"""Cen-Prune (centre=on of divprune and cdpruner) once more, in numpy and float64: see vector_methods.py."""
import numpy as np

import vector_methods as m
from vector_methods import count_of, unit


def centred(x):
    """Cosines of one frame's tokens about their mean, and how distinct each is, 0..1."""
    rows = unit(x - x.mean(0))
    cosines = unit(x) @ unit(x).T
    distinct = -(cosines.sum(1) - np.diag(cosines)) / (len(x) - 1)
    return rows @ rows.T, (distinct - distinct.min()) / (distinct.max() - distinct.min())


# -- cases -----------------------------------------------------------------------------------------

def divprune_case(c, frames, n, dim, keep):
    return m.divprune(c.normal("tokens", frames, n, dim), lambda count: count_of(keep, count, round), centred)


def cdpruner_case(c, frames, n, dim, embed_dim, words, keep):
    tokens = c.normal("tokens", frames, n, dim)
    embeds, text = c.normal("image_embeds", frames, n, embed_dim), c.normal("text", words, embed_dim)
    return m.cdpruner(tokens, embeds, text, keep, centred)


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
