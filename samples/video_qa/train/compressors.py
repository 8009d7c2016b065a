"""Makes visual rows fewer inside torch, while training: blindly, as divprune does, or by pooling.

A compressor takes rows [B, T*N, D] of T frames, their positions [T*N] and the share to lose, and gives rows
[B, n, D] and positions [n] or [B, n]. Rows that are taken as they are keep their positions; pooled ones get the
windows' mean, cut to a whole number, as LLaVolta's do.
"""
import torch
import torch.nn.functional as F

import data
import render

KINDS = ["random", "divprune", "divprune-film", "pool"]
PATCHES = (render.SIDE // render.PATCH) ** 2  # of a frame


def mean_places(positions, windows):
    """positions [V] to the whole part of the mean over windows [n, k] of indices."""
    return positions[windows].double().mean(1).long()


def strided(rows, positions, stride):
    """Every `stride` rows of a frame become their mean; what is left of the frame goes. LLaVolta's."""
    b, v, d = rows.shape
    n = PATCHES // stride * stride
    windows = torch.arange(v).view(-1, PATCHES)[:, :n].reshape(-1, stride)
    pooled = rows.unflatten(1, (-1, PATCHES))[:, :, :n].reshape(b, -1, stride, d).mean(2)
    return pooled, mean_places(positions, windows)


def squares(rows, positions, share):
    """Windows of f x f become one row, with the f whose share is nearest."""
    side = round(PATCHES ** 0.5)
    f = min((f for f in range(1, side + 1) if side % f == 0), key=lambda f: abs(1 - 1 / (f * f) - share))
    b, v, d = rows.shape
    cut = (v // PATCHES, side // f, f, side // f, f)
    windows = torch.arange(v).view(cut).transpose(2, 3).reshape(-1, f * f)
    return rows.view(b, *cut, d).mean((3, 5)).flatten(1, 3), mean_places(positions, windows)


def spread(rows, n):
    """The n rows of each set [G, V, D] that divprune takes, ascending [G, n]."""
    unit = F.normalize(rows.float(), dim=-1)
    far = 1 - unit @ unit.transpose(1, 2)
    far.diagonal(dim1=1, dim2=2).fill_(2.0)
    at = far.min(2).values.argmax(1)  # whose nearest other row is farthest
    far.diagonal(dim1=1, dim2=2).fill_(0.0)
    every = torch.arange(len(rows))
    nearest, taken = far[every, at], [at]
    for _ in range(n - 1):
        at = nearest.scatter(1, torch.stack(taken, 1), -1.0).argmax(1)
        nearest = torch.minimum(nearest, far[every, at])
        taken.append(at)
    return torch.stack(taken, 1).sort(1).values


def chosen(kind, rows, share, generator):
    b, v, d = rows.shape
    if kind == "random":
        return data.chosen(rows, 1 - share, "random", generator)
    rows = rows.detach()
    if kind == "divprune-film":
        return spread(rows, max(1, round((1 - share) * v)))
    at = spread(rows.reshape(-1, PATCHES, d), max(1, round((1 - share) * PATCHES))).view(b, v // PATCHES, -1)
    return (at + PATCHES * torch.arange(v // PATCHES)[:, None]).flatten(1)


def compress(kind, rows, positions, share, generator=None):
    if share <= 0:
        return rows, positions
    if kind == "pool":
        return squares(rows, positions, share)
    at = chosen(kind, rows, share, generator)
    return data.pick(rows, at), positions[at]
