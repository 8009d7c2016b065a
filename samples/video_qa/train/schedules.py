"""How many visual tokens a step of training takes from the decoder, and where, by how far training is.

LLaVolta (Beckschen/LLaVolta): stages, each a decoder layer and a stride of the pooling before it, heavy first and
nothing last, so that most of training is cheap and the model at its end is asked as it was trained.
EPIC (arXiv:2510.00515, ZichenWen1/EPIC): the share taken is drawn between two limits that both rise; a teacher of
the same weights loses less by a gap that rises too. In `epic-layer` the place moves from the last layer towards the
first as well: of that the released code has nothing, and the paper's description is what is followed.
"""

STAGES = "1:8:25%,1:2:50%,2:2:75%,0:1:100%"  # LLaVolta's four of 32 layers (2, 2, 16), in a decoder of five
RATIOS = (0.1, 0.9, 0.8, 0.2)  # EPIC's first and last share, and how far the two limits get on the way between them
GAP, GAP_SPEED, WIDEST_GAP = 0.1, 0.5, 0.3


def stages(text):
    """[(layer, stride, progress at which it ends)] of "LAYER:STRIDE:UNTIL%,..."."""
    out = []
    for part in text.split(","):
        layer, stride, until = part.split(":")
        out.append((int(layer), int(stride), float(until.rstrip("%")) / 100))
    ends = [until for _, _, until in out]
    if ends != sorted(set(ends)) or ends[-1] != 1 or any(layer < 0 or stride < 1 for layer, stride, _ in out):
        raise ValueError("%s: stages end later one after another, the last at 100%%, of strides from 1 on" % text)
    return out


def stage_at(stages_, progress):
    """(layer, stride)."""
    for layer, stride, until in stages_:
        if progress < until:
            return layer, stride
    return stages_[-1][:2]


def limits(progress, ratios=RATIOS):
    """(smallest, largest) share that the student may lose."""
    first, last, fast, slow = ratios
    way = (last - first) * min(progress, 1.0)
    return min(first + way * slow, 1.0), min(first + way * fast, 1.0)


def shares(progress, luck, ratios=RATIOS):
    """(student's share, teacher's); luck: uniform in 0..1."""
    low, high = limits(progress, ratios)
    student = low + (high - low) * luck
    return student, max(student - min(GAP + GAP_SPEED * min(progress, 1.0), WIDEST_GAP), 0.0)


def layer_at(progress, layers, first=0):
    """How many of the decoder's layers run before the tokens go: all but one at first, `first` at the end."""
    deep = layers - 1
    return int(deep + (first - deep) * min(progress, 1.0) + 0.5)
