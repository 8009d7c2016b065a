"""Winnow's stages flash and hicom in torch, as plugin/stages/flash.c and hicom.c compute them: projected rows of a clip
[B, T*h*w, D] to rows [B, n, D]. A module's parameters have the names of the tensors that the stage reads.
"""
import torch
import torch.nn.functional as F
from torch import nn

import render

SIDE = render.SIDE // render.PATCH  # of a frame's grid
EPS = 1e-6                          # of hicom's norms


def regions(n):
    """Which of n compact regions each place of a frame's grid belongs to, by Lloyd's steps."""
    places = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij"), -1).view(-1, 2).double()
    side = max(1, round(n ** 0.5))
    rows = [n // side + (i < n % side) for i in range(side)]  # how many in each row
    centres = torch.tensor([[(i + 0.5) / side * SIDE - 0.5, (j + 0.5) / k * SIDE - 0.5]
                            for i, k in enumerate(rows) for j in range(k)]).double()
    for _ in range(20):
        of = torch.cdist(places, centres).argmin(1)
        centres = torch.stack([places[of == r].mean(0) if (of == r).any() else centres[r] for r in range(n)])
    return of


class Flash(nn.Module):
    """Rows are means of tokens, weighed by a softmax of their products with each query. each: a frame at a time."""

    def __init__(self, count, width, each):
        super().__init__()
        self.queries, self.each = nn.Parameter(torch.zeros(count, width)), each

    @torch.no_grad()
    def begin(self, tokens, strength=4.0):
        """Query r starts as a ridge regression that says of a token how far it is in region r of its frame."""
        x = tokens.flatten(0, 1).double()
        of = regions(len(self.queries)).repeat(len(x) // (SIDE * SIDE))
        inside = F.one_hot(of, len(self.queries)).double() * strength
        gram = x.t() @ x
        self.queries.copy_(torch.linalg.solve(gram + 1e-3 * gram.trace() / len(gram) * torch.eye(len(gram)),
                                              x.t() @ inside).t())

    def forward(self, tokens):
        with torch.autocast("cpu", enabled=False):
            sets = tokens.float().unflatten(1, (render.FRAMES if self.each else 1, -1))
            shares = (self.queries @ sets.transpose(-1, -2)).softmax(-1)
            return (shares @ sets).flatten(1, 2)


class Local(nn.Module):
    """hicom's windows without a guide. inner: widths between the matrices of k_proj and v_proj."""

    def __init__(self, width, inner, temporal, spatial):
        super().__init__()
        self.temporal, self.spatial = temporal, spatial
        self.q_proj = nn.Linear(width, width)
        self.k_proj, self.v_proj = (nn.Sequential(nn.Linear(width, n), nn.GELU(), nn.Linear(n, width)) for n in inner)
        for name in "qkv":
            setattr(self, name + "_norm", nn.LayerNorm(width, EPS))
            setattr(self, name + "_alpha", nn.Parameter(torch.tensor([1.0 if name == "q" else 0.1])))
        self.readout = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        one = torch.eye(width)  # gelu(x) - gelu(-x) = x: it starts by giving what it gets
        self.readout[0].weight.data = torch.cat([one, -one])
        self.readout[2].weight.data = torch.cat([one, -one], 1)
        nn.init.zeros_(self.readout[0].bias), nn.init.zeros_(self.readout[2].bias)

    @torch.no_grad()
    def begin(self, tokens):
        """Keys and values as loud as the tokens; queries so quiet that a window's shares start nearly even."""
        loud = tokens.float().pow(2).mean().sqrt()
        self.k_norm.weight.fill_(loud), self.v_norm.weight.fill_(loud), self.q_norm.weight.fill_(0.3 / loud)

    def adapted(self, name, x, made):
        a = getattr(self, name + "_alpha")
        return (1 - a) * x + a * getattr(self, name + "_norm")(made)

    def windows(self, x):
        """[B, T, h, w, D] to [B, windows, tokens of one, D]."""
        b, t, h, w, d = x.shape
        k, s = self.temporal, self.spatial
        return x.view(b, t // k, k, h // s, s, w // s, s, d).permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(b, -1, k * s * s, d)

    def forward(self, tokens):
        with torch.autocast("cpu", enabled=False):
            x = tokens.float().view(len(tokens), render.FRAMES, SIDE, SIDE, -1)
            size = [n // k for n, k in zip(x.shape[1:4], (self.temporal, self.spatial, self.spatial))]
            q = F.interpolate(x.permute(0, 4, 1, 2, 3), size, mode="trilinear", align_corners=False)
            q = q.flatten(2).transpose(1, 2)
            q = self.adapted("q", q, self.q_proj(q))
            k, v = (self.windows(self.adapted(n, x, getattr(self, n + "_proj")(x))) for n in "kv")
            shares = ((k @ q[..., None])[..., 0] / q.shape[-1] ** 0.5).softmax(-1)
            return self.readout((shares[:, :, None] @ v)[:, :, 0])


class Hicom(nn.Module):
    def __init__(self, width, inner, temporal, spatial):
        super().__init__()
        if render.FRAMES % temporal or SIDE % spatial:
            raise ValueError("windows of %d frames by %d x %d tokens do not divide a clip of %d frames of %d x %d (give "
                             "others: --temporal, --spatial)" % (temporal, spatial, spatial, render.FRAMES, SIDE, SIDE))
        self.local_compressor = Local(width, inner, temporal, spatial)

    def begin(self, tokens):
        self.local_compressor.begin(tokens)

    def forward(self, tokens):
        return self.local_compressor(tokens)
