"""The reduction methods in PyTorch, as their authors' code computes them, for stages.py.

Every line is ours: re-implemented, with the same operations in the same order as the official file that each
function names, loops of one token at a time included. What is left out is said there: the encoder's work (queries,
keys, softmax) and class tokens, since both sides start from the same inputs: i["tokens"] [T, N, D] and so on, by
winnow.h's role names, i["grid"] = (h, w).

Each takes (inputs, options) and returns the rows as the official code leaves them, and a function that gives their
places (not timed): t*N+i as float64 in the order of the rows; a pooled rest is half a place behind its frame's last
token. divprune and cdpruner also give the order of their picks.
"""
import numpy as np
import torch
import torch.nn.functional as F


def places_of_mask(mask):
    return lambda: np.flatnonzero(mask.reshape(-1).cpu().numpy()).astype(np.float64)


def places_in_frames(index, n):
    """index [T, K]: places inside each frame."""
    return lambda: (index.cpu().numpy() + np.arange(len(index))[:, None] * n).reshape(-1).astype(np.float64)


def kept_mask(tokens, index):
    """True at index [T, K]."""
    mask = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return mask.scatter_(1, index, True)


def count(keep, n, rounding=int):
    return max(1, rounding(n * float(keep[:-1]) / 100)) if str(keep).endswith("%") else int(keep)


# ---- transforms ----

def image(i):
    """[T, D, H, W], as get_2dPool makes it."""
    x = i["tokens"]
    return x.view(len(x), *i["grid"], -1).permute(0, 3, 1, 2).contiguous()


def from_image(x):
    x = x.permute(0, 2, 3, 1)
    return x.reshape(len(x), -1, x.shape[-1])


def window_places(i, rows, columns):
    """The named token of each window: rows and columns of the grid."""
    (_, w), (frames, n, _) = i["grid"], i["tokens"].shape
    inside = (np.array(rows)[:, None] * w + np.array(columns)).reshape(-1)
    return lambda: (np.arange(frames)[:, None] * n + inside).reshape(-1).astype(np.float64)


def shrunk_places(i, h, w):
    return window_places(i, [k * i["grid"][0] // h for k in range(h)], [k * i["grid"][1] // w for k in range(w)])


def pixel_shuffle(i, o):
    """OpenGVLab/InternVL modeling_internvl_chat.py pixel_shuffle, ps_version v2 (re-implemented: same operations)."""
    f, (h, w) = int(o["factor"]), i["grid"]
    x = i["tokens"].view(len(i["tokens"]), h, w, -1)
    n, d = len(x), x.shape[-1]
    x = x.view(n, h, w // f, d * f).permute(0, 2, 1, 3).contiguous()
    x = x.view(n, w // f, h // f, d * f * f).permute(0, 2, 1, 3).contiguous()
    return x.reshape(n, -1, d * f * f), window_places(i, range(0, h, f), range(0, w, f))


def avg_pool(i, o):
    """LLaVA-VL/LLaVA-NeXT llava_arch.py get_2dPool, mode average (re-implemented: same operations)."""
    f, (h, w) = int(o["factor"]), i["grid"]
    return from_image(F.avg_pool2d(image(i), f)), window_places(i, range(0, h - f + 1, f), range(0, w - f + 1, f))


def adaptive_pool(i, o):
    """yaolinli/DeCo's AdaptiveAvgPool2d projector without its MLP (re-implemented: same operations)."""
    s = int(o["size"])
    return from_image(F.adaptive_avg_pool2d(image(i), s)), shrunk_places(i, s, s)


def bilinear_pool(i, o):
    """LLaVA-VL/LLaVA-NeXT llava_arch.py get_2dPool, mode bilinear (re-implemented: same operations)."""
    h, w = (-(-side // int(o["factor"])) for side in i["grid"])
    return from_image(F.interpolate(image(i), size=(h, w), mode="bilinear")), shrunk_places(i, h, w)


# ---- attention ----

def fastervlm(i, o):
    """Theia-4869/FasterVLM llava_arch.py encode_images (re-implemented: same operations)."""
    x = i["tokens"]
    attention = i["cls_attention"].mean(dim=1)
    mask = kept_mask(x, attention.topk(count(o["keep"], x.shape[1]), dim=-1).indices)
    return x[mask].unsqueeze(0), places_of_mask(mask)


def fastv(i, o):
    """pkunlp-icler/FastV modeling_llama.py LlamaModel.forward, as isolated in ModelTC/LightCompress fastv.py
    (re-implemented: same operations). Left out: text rows and position ids around the visual tokens."""
    x = i["tokens"].reshape(1, -1, i["tokens"].shape[-1])
    attention = i["llm_attention"].mean(dim=0)
    top = attention.topk(round(x.shape[1] * (1 - float(o["rate"])))).indices
    keep = top.sort().values
    return x[:, keep, :], lambda: keep.cpu().numpy().astype(np.float64)


def visionzip(i, o):
    """dvlab-research/VisionZip visionzip/clip_encoder.py CLIPVisionTower_VisionZip.forward (re-implemented: same
    operations). Left out: the class token's row."""
    x, keys = i["tokens"], i["keys"]
    (frames, n, dim), dominant, contextual = x.shape, int(o["dominant"]), int(o["contextual"])
    top = i["cls_attention"].sum(dim=1).topk(dominant, dim=1).indices
    rest = ~kept_mask(x, top)
    first = x.masked_select(~rest.unsqueeze(-1)).view(frames, dominant, dim)
    left = n - dominant
    metric = keys[rest].view(frames, left, keys.shape[-1])
    hidden = x.masked_select(rest.unsqueeze(-1)).view(frames, left, dim)
    metric = metric / metric.norm(dim=-1, keepdim=True)
    targets = torch.arange(0, left, max(1, left // contextual), device=x.device)[:contextual]
    others = ~torch.isin(torch.arange(left, device=x.device), targets)
    to_merge, target = metric[:, others], metric[:, targets]
    similarity = torch.bmm(to_merge, target.transpose(1, 2))
    one_hot = torch.zeros(frames, to_merge.shape[1], len(targets), dtype=x.dtype, device=x.device)
    one_hot.scatter_(2, similarity.argmax(dim=2).unsqueeze(-1), 1)
    members = one_hot.sum(dim=1).clamp(min=1).unsqueeze(-1)
    collected = torch.bmm(one_hot.transpose(1, 2), hidden[:, others]) / members
    rows = torch.cat([first, hidden[:, targets] + collected], dim=1)

    def places():
        inside = rest.cpu().numpy()
        where = [np.concatenate([np.flatnonzero(~m), np.flatnonzero(m)[targets.cpu().numpy()]]) for m in inside]
        return (np.array(where) + np.arange(frames)[:, None] * n).reshape(-1).astype(np.float64)
    return rows, places


def fold_neighbours(x, keys, attention, kept):
    """prumerge's loop: each kept token with its 32 nearest others, then the pooled rest. One picture."""
    mask = torch.ones(len(x), dtype=torch.bool, device=x.device)
    mask[kept] = False
    rest = mask.nonzero().squeeze(1)
    rest_x, rest_keys, rest_attention = x[rest], keys[rest], attention[rest]
    kept_x, kept_keys, kept_attention = x[kept], keys[kept], attention[kept]
    rows = torch.zeros_like(kept_x)
    for k in range(len(kept)):
        other_keys = torch.cat([kept_keys[:k], kept_keys[k + 1:], rest_keys])
        other_x = torch.cat([kept_x[:k], kept_x[k + 1:], rest_x])
        other_attention = torch.cat([kept_attention[:k], kept_attention[k + 1:], rest_attention])
        similarity = torch.mm(kept_keys[k:k + 1], other_keys.t())
        near = similarity.topk(min(32, similarity.shape[1]), dim=1).indices[0]
        rows[k] = kept_x[k] + (other_x[near] * other_attention[near].unsqueeze(-1)).sum(dim=0)
    pooled = (rest_x * rest_attention.unsqueeze(-1)).sum(dim=0, keepdim=True)
    return torch.cat([rows, pooled])


def prumerge(i, o, plus=False):
    """42Shawn/LLaVA-PruMerge clip_encoder.py token_prune_merge_advanced (re-implemented: same operations; it takes one
    picture, so frames are a loop). Left out: attention from queries and keys; the ratio is given."""
    (frames, n, _), ratio = i["tokens"].shape, float(o["ratio"])
    attention = i["cls_attention"].mean(dim=1)
    rows, chosen = [], []
    for t in range(frames):
        kept = attention[t].topk(int(n * ratio)).indices
        if plus:
            grid = torch.arange(0, n - 1, max(1, int(int(1 / ratio) / 3)), device=kept.device)
            kept = torch.cat([kept, grid[~torch.isin(grid, kept)]])
        keys = F.normalize(i["keys"][t], p=2, dim=-1)
        rows.append(fold_neighbours(i["tokens"][t], keys, attention[t], kept))
        chosen.append(kept)
    return torch.cat(rows), lambda: np.concatenate(
        [np.append(k.cpu().numpy() + t * n, (t + 1) * n - 0.5) for t, k in enumerate(chosen)])


def prumerge_plus(i, o):
    """The same file's token_prune_merge_advanced_plus (re-implemented: same operations)."""
    return prumerge(i, o, plus=True)


def vispruner(i, o):
    """Theia-4869/VisPruner llava_arch.py encode_images (re-implemented: same operations: the similarity of each round
    is computed anew). Its sort leaves open which of two equal scores comes first; here it is the earlier one."""
    x = i["tokens"]
    keep = count(o["keep"], x.shape[1])
    important = int(keep * float(o.get("important", 0.5)))
    unit = x / x.norm(dim=-1, keepdim=True)
    order = i["cls_attention"].mean(dim=1).argsort(dim=-1, descending=True)
    first, rest = order[:, :important], order[:, important:]
    frame = torch.arange(len(x), device=x.device).unsqueeze(1)
    while (drop := min(8, rest.shape[1] - (keep - important))) > 0:
        some = unit[frame, rest]
        score = (some[:, ::2] @ some[:, 1::2].transpose(1, 2)).max(dim=-1).values
        distinct = score.argsort(dim=-1, descending=True, stable=True)[:, drop:]
        rest = torch.cat([rest[:, ::2].gather(1, distinct), rest[:, 1::2]], dim=1)
    mask = kept_mask(x, torch.cat([first, rest], dim=1))
    return x[mask].unsqueeze(0), places_of_mask(mask)


# ---- similarity ----

def tome(i, o):
    """facebookresearch/ToMe tome/merge.py bipartite_soft_matching and merge_wavg (re-implemented: same operations)."""
    x, metric = i["tokens"], i["keys"]
    frames, n, dim = x.shape
    r = min(int(o["r"]), n // 2)
    metric = metric / metric.norm(dim=-1, keepdim=True)
    scores = metric[:, ::2] @ metric[:, 1::2].transpose(-1, -2)
    best, target = scores.max(dim=-1)
    edge = best.argsort(dim=-1, descending=True).unsqueeze(-1)
    source, stay = edge[:, :r], edge[:, r:]
    into = target.unsqueeze(-1).gather(dim=-2, index=source)

    def merge(y):
        a, b, c = y[:, ::2], y[:, 1::2], y.shape[-1]
        unmerged = a.gather(dim=-2, index=stay.expand(-1, -1, c))
        moved = a.gather(dim=-2, index=source.expand(-1, -1, c))
        b = b.scatter_reduce(-2, into.expand(-1, -1, c), moved, reduce="sum")
        return torch.cat([unmerged, b], dim=1)
    sizes = torch.ones_like(x[..., :1])
    rows = merge(x * sizes) / merge(sizes)

    def places():
        odd = torch.arange(1, n, 2, device=x.device).expand(frames, -1)
        return places_in_frames(torch.cat([stay.squeeze(-1) * 2, odd], dim=1), n)()
    return rows, places


def divprune(i, o):
    """vbdi/divprune llava_arch.py DivPrune (re-implemented: same operations; it takes one picture, so frames are a
    loop; every pick gathers the rows of all picks before it)."""
    x = i["tokens"]
    n = x.shape[1]
    keep = count(o["keep"], n, round)
    chosen, rows = [], []
    for frame in x:
        unit = frame / frame.norm(dim=-1, keepdim=True)
        distance = 1.0 - torch.mm(unit, unit.t())
        picks = torch.empty(keep, dtype=torch.long, device=x.device)
        for k in range(keep):
            if k == 0:
                score = torch.topk(distance, 2, dim=0, largest=False).values[1]
            else:
                before = torch.index_select(picks, 0, torch.arange(0, k, device=x.device))
                score = torch.min(torch.index_select(distance, 0, before), dim=0).values
            picks[k] = torch.argmax(score)
        chosen.append(picks)
        rows.append(frame[picks.sort().values])
    order = torch.stack(chosen)
    return torch.cat(rows), places_in_frames(order.sort(dim=1).values, n), places_in_frames(order, n)


def cdpruner(i, o):
    """Theia-4869/CDPruner llava_arch.py encode_images (re-implemented: same operations). Left out: CLIP's towers."""
    x = i["tokens"]
    frames, n, _ = x.shape
    keep = count(o["keep"], n)
    unit = (x / x.norm(dim=-1, keepdim=True)).float()
    similarity = torch.bmm(unit, unit.transpose(1, 2))
    embeds = i["image_embeds"] / i["image_embeds"].norm(dim=-1, keepdim=True)
    text = i["text"] / i["text"].norm(dim=-1, keepdim=True)
    relevance = (-torch.matmul(embeds, text.t())).mean(dim=-1).float()
    relevance = (relevance - relevance.min() + 1e-6) / (relevance.max() - relevance.min())
    kernel = relevance.unsqueeze(2) * similarity * relevance.unsqueeze(1)
    factors = torch.zeros((keep, frames, n), device=x.device)
    d = torch.diagonal(kernel, dim1=1, dim2=2).clone()
    picks = torch.empty((keep, frames), dtype=torch.long, device=x.device)
    every = torch.arange(frames, device=x.device)
    for k in range(keep):
        j = torch.argmax(d, dim=-1)
        picks[k] = j
        before = torch.einsum("tb,tbn->bn", factors[:k, every, j], factors[:k])
        e = (kernel[every, j] - before) / torch.sqrt(d[every, j]).unsqueeze(-1)
        factors[k] = e
        d -= torch.square(e)
        d[every, j] = -float("inf")
    mask = kept_mask(x, picks.t().sort().values)
    return x[mask].unsqueeze(0), places_of_mask(mask), places_in_frames(picks.t(), n)


# ---- time ----

def evs(i, o):
    """vllm-project/vllm vllm/multimodal/evs.py compute_retention_mask (re-implemented: same operations)."""
    x = i["tokens"]
    frames, n, _ = x.shape
    keep = max(n, int(frames * n * (1 - float(o["rate"]))))
    dissimilarity = 1 - F.cosine_similarity(x[1:], x[:-1], dim=-1)
    dissimilarity = torch.cat([255 * torch.ones_like(x[:1, :, 0]), dissimilarity], dim=0).view(-1)
    order = torch.argsort(dissimilarity, dim=-1, descending=True, stable=True)
    mask = torch.zeros_like(dissimilarity, dtype=torch.bool)
    mask[order[:keep]] = True
    return x.reshape(frames * n, -1)[mask], places_of_mask(mask)


def dycoke(i, o):
    """KD-TAO/DyCoke llava/model/llava_arch.py dycole_ttm (re-implemented: same operations, frame by frame). An even
    number of frames, more than 4, as it needs."""
    x = i["tokens"]
    frames, n, dim = x.shape
    keep = int((1 - float(o["rate"])) * n)
    out, chosen = list(x), [None] * frames
    for t in range(0, frames - 1, 2):
        a, b = F.normalize(x[t], p=2, dim=1), F.normalize(x[t + 1], p=2, dim=1)
        chosen[t + 1] = torch.topk(F.cosine_similarity(a, b, dim=1), keep, largest=False).indices
        out[t + 1] = x[t + 1][chosen[t + 1]]
    for t in range(0, frames - 4, 4):
        chosen[t + 2] = torch.topk(F.cosine_similarity(x[t], x[t + 2], dim=1), keep, largest=False).indices
        out[t + 2] = x[t + 2][chosen[t + 2]]
    return torch.cat(out), lambda: np.concatenate(
        [(np.arange(n) if c is None else c.cpu().numpy()) + t * n for t, c in enumerate(chosen)]).astype(np.float64)


# Each at the reduction that `winnow bench` has it at. True: has an order of its own, which WINNOW_ORDER_METHOD gives.
METHODS = {
    "pixel-shuffle": (pixel_shuffle, "factor=2", False), "avg-pool": (avg_pool, "factor=2", False),
    "adaptive-pool": (adaptive_pool, "size=6", False), "bilinear-pool": (bilinear_pool, "factor=2", False),
    "fastervlm": (fastervlm, "keep=25%", False), "fastv": (fastv, "rate=0.5", False),
    "visionzip": (visionzip, "dominant=54:contextual=10", False), "prumerge": (prumerge, "ratio=0.125", False),
    "prumerge-plus": (prumerge_plus, "ratio=0.125", False), "vispruner": (vispruner, "keep=25%", False),
    "tome": (tome, "r=32", True), "divprune": (divprune, "keep=25%", True), "cdpruner": (cdpruner, "keep=25%", True),
    "evs": (evs, "rate=0.75", False), "dycoke": (dycoke, "rate=0.7", False),
}
OVER_FRAMES = ("evs", "dycoke")  # need more than one frame
