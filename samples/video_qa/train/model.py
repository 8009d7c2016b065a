"""The model: a ViT, a projector and a small llama decoder, as llama.cpp computes them.

ViT: CLIP's without class token (patches, learned positions, LayerNorm before the layers, pre-norm layers, quick GELU),
   the output of its last layer. llama.cpp b10256 puts CLIP's class token after the patches and drops the first patch
   (ggml-org/llama.cpp#25814): without one, every version agrees.
Projector: LLaVA-1.5's, mm.2(gelu(mm.0 x)), GELU by tanh.
Decoder: RMSNorm, rotary positions over pairs (2i, 2i+1) as the llama architecture has them in GGUF, SwiGLU, head tied
   to the embedding.
Sequence: <s>USER:_ | rows of frame 0 .. frame 7 | question 1, answer 1 | question 2, answer 2 | ... : every question
   sees the common prefix and itself, and its positions go on from the prefix's end, so a pass costs one prefix for
   many questions and gives what asking them one by one would.
"""
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

import render


SEEN = ["shape", "colour"]  # the labels that a patch alone tells; the others need its neighbours in time
MEAN, STD = 0.27, 0.25  # of the pixels, all three colours: about what the clips have


@dataclass
class Config:
    vocabulary: int = 0
    side: int = render.SIDE
    patch: int = render.PATCH
    vit_width: int = 192
    vit_layers: int = 4
    vit_heads: int = 3
    width: int = 192
    layers: int = 5
    heads: int = 3
    feed: int = 512
    theta: float = 1e6  # most of a head's dimensions turn little over a prompt, and are left to what things look like
    vit_eps: float = 1e-5
    eps: float = 1e-5


SIZES = {  # name -> what differs from Config
    "tiny": {"vit_width": 128, "vit_heads": 2, "width": 128, "layers": 5, "heads": 2, "feed": 352},
    "small": {},
    "base": {"vit_width": 256, "vit_layers": 6, "vit_heads": 4, "width": 320, "layers": 6, "heads": 5, "feed": 864},
}


def config(size, vocabulary):
    return Config(vocabulary=vocabulary, **SIZES[size])


def attention(q, k, v, mask=None):
    """q, k, v [B, H, N, d]; mask [N, N], True where seen."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # on a CPU two to five times as fast as the fused one
    if mask is not None:
        scores = scores + torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, float("-inf"))
    return scores.softmax(-1).to(v.dtype) @ v


class Block(nn.Module):
    """A layer of the ViT. x [B, N, D]."""

    def __init__(self, c):
        super().__init__()
        d = c.vit_width
        self.heads = c.vit_heads
        self.ln1, self.ln2 = nn.LayerNorm(d, c.vit_eps), nn.LayerNorm(d, c.vit_eps)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.out(attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        h = self.up(self.ln2(x))
        return x + self.down(h * torch.sigmoid(1.702 * h))


class Vit(nn.Module):
    """pixels [B, 3, side, side], normalised, to rows [B, N, D]."""

    def __init__(self, c):
        super().__init__()
        self.patch = nn.Conv2d(3, c.vit_width, c.patch, c.patch, bias=False)
        self.position = nn.Parameter(torch.zeros((c.side // c.patch) ** 2, c.vit_width))
        self.pre = nn.LayerNorm(c.vit_width, c.vit_eps)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.vit_layers))

    def start(self, pixels):
        """What the first layer gets."""
        return self.pre(self.patch(pixels).flatten(2).transpose(1, 2) + self.position)

    def forward(self, pixels):
        x = self.start(pixels)
        for block in self.blocks:
            x = block(x)
        return x


class RmsNorm(nn.Module):
    def __init__(self, d, eps):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(d))

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.eps)


def turn(x, cos, sin):
    """Rotary positions. x [B, H, N, d]; cos, sin [N, d/2] or [B, 1, N, d/2]."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).to(x.dtype)


class Layer(nn.Module):
    """A layer of the decoder. x [B, N, D]."""

    def __init__(self, c):
        super().__init__()
        d = c.width
        self.heads = c.heads
        self.norm1, self.norm2 = RmsNorm(d, c.eps), RmsNorm(d, c.eps)
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.gate_up, self.down = nn.Linear(d, 2 * c.feed, bias=False), nn.Linear(c.feed, d, bias=False)

    def forward(self, x, cos, sin, mask):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        a = attention(q, k, v, mask)
        x = x + self.out(a.transpose(1, 2).reshape(b, n, d))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.vit = Vit(c)
        self.mm0, self.mm2 = nn.Linear(c.vit_width, c.width), nn.Linear(c.width, c.width)
        self.embed = nn.Embedding(c.vocabulary, c.width)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RmsNorm(c.width, c.eps)
        # What a patch shows, asked of the ViT's rows and halfway through the decoder while training: not exported.
        self.seen = nn.ModuleDict({k: nn.Linear(c.vit_width, render.LABELS[k]) for k in SEEN})
        self.told = nn.ModuleDict({k: nn.Linear(c.width, n) for k, n in render.LABELS.items() if k not in SEEN})
        # And where it lies, of the projected rows: with tokens dropped, their order no longer tells.
        self.placed = nn.ModuleDict({k: nn.Linear(c.width, c.side // c.patch) for k in ("row", "column")})
        self.told["frame"] = nn.Linear(c.width, render.FRAMES)
        self.told["number"] = nn.Linear(c.width, 5)
        for name, p in self.named_parameters():
            if p.ndim > 1:  # these widths are small: what suits wide models (0.02) would start too quiet
                nn.init.normal_(p, std=0.7 * p[0].numel() ** -0.5)
            if name.endswith(("out.weight", "down.weight")):
                p.data /= (2 * max(c.layers, c.vit_layers)) ** 0.5
            if name.endswith("bias"):
                nn.init.zeros_(p)
        nn.init.normal_(self.vit.position, std=0.3)  # as loud as the patches, or "where" is slow to learn

    def pixels(self, frames):
        """uint8 [B, T, side, side, 3] to what the ViT takes, [B*T, 3, side, side]."""
        return (frames.flatten(0, 1).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD

    def see(self, frames):
        """uint8 [B, T, side, side, 3] to the ViT's rows [B, T*N, D]."""
        return self.vit(self.pixels(frames)).unflatten(0, frames.shape[:2]).flatten(1, 2)

    def project(self, rows):
        return self.mm2(F.gelu(self.mm0(rows), approximate="tanh"))

    def rotation(self, positions):
        d = self.c.width // self.c.heads
        speed = self.c.theta ** (-torch.arange(0, d, 2, device=positions.device).float() / d)
        angle = positions.float()[..., None] * speed
        if positions.ndim > 1:
            angle = angle[:, None]  # the same for all heads
        return angle.cos(), angle.sin()

    @staticmethod
    def seen_by(own, prefix):
        """The mask of a prefix and what follows it; own: which question each of the latter belongs to."""
        own = F.pad(own, (prefix, 0), value=-1)
        index = torch.arange(len(own), device=own.device)
        return (index[:, None] >= index) & ((own == -1) | (own[:, None] == own))

    def decode(self, before, visual, asked, squeeze=None):
        """before: ids [P]; visual: projected rows [B, V, D]; asked: ids [B, Q, W].

        squeeze: (layers that run before it, a function of visual rows and their positions that makes them fewer);
        before the first layer the positions follow on each other as if there had been so few from the start.
        Hidden states of what was asked [B, Q, W, D], and those of the visual rows [B, V, D] halfway, normalised.
        """
        b, q, w = asked.shape
        start = self.embed(before).expand(b, -1, -1)
        first = start.shape[1]
        if squeeze and squeeze[0] == 0:
            visual, squeeze = squeeze[1](visual, first + torch.arange(visual.shape[1], device=visual.device))[0], None
        x = torch.cat([start.to(visual.dtype), visual, self.embed(asked.flatten(1)).to(visual.dtype)], 1)
        prefix = first + visual.shape[1]
        own = torch.arange(q * w, device=x.device) // w
        positions = torch.arange(prefix + w, device=x.device)
        positions = torch.cat([positions[:prefix], positions[prefix:].repeat(q)])
        mask, (cos, sin) = self.seen_by(own, prefix), self.rotation(positions)
        for i, layer in enumerate(self.layers):
            if squeeze and i == squeeze[0]:
                fewer, places = squeeze[1](x[:, first:prefix], positions[first:prefix])
                x = torch.cat([x[:, :first], fewer, x[:, prefix:]], 1)
                ends = (positions[:first], positions[prefix:])
                if places.ndim > 1:  # each clip kept others
                    ends = tuple(p.expand(b, -1) for p in ends)
                prefix = first + fewer.shape[1]
                positions = torch.cat([ends[0], places, ends[1]], -1)
                mask, (cos, sin) = self.seen_by(own, prefix), self.rotation(positions)
            x = layer(x, cos, sin, mask)
            if i + 1 == len(self.layers) // 2:
                halfway = F.rms_norm(x[:, first:prefix], x.shape[-1:])
        return self.norm(x[:, prefix:]).unflatten(1, (q, w)), halfway

    def logits(self, hidden):
        return hidden @ self.embed.weight.t().to(hidden.dtype)

    def exported(self):
        """Parameters of the ViT with the projector, and of the decoder."""
        sight = sum(p.numel() for n, p in self.named_parameters() if n.startswith(("vit.", "mm")))
        text = sum(p.numel() for n, p in self.named_parameters() if n.startswith(("embed", "layers", "norm")))
        return sight, text


def as_dict(c):
    return asdict(c)
