"""Writes and reads GGUF files (version 3), with numpy quantisers of the block types that Winnow reads.

The quantisers are plain (round to nearest, no search): the files are valid, the error is a little larger
than a tuned quantiser's. `unpack` gives what a block means, so a test can run on exactly the file's values.
"""
import struct

import numpy as np

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144),
         "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "BF16": (30, 1, 2)}  # number, elements, bytes a block
BY_NUMBER = {v[0]: (k, v[1], v[2]) for k, v in TYPES.items()}
FILE_TYPE = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "Q4_K": 14, "Q5_K": 16, "Q6_K": 18, "BF16": 32}
ALIGN = 32


def bf16_bits(x):
    """To bfloat16, nearest and ties to even."""
    u = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def half(x):
    return np.asarray(x, np.float32).astype(np.float16)


def divide(x, d):
    """x / d, 0 where d is 0."""
    return np.where(d == 0, 0, x / np.where(d == 0, 1, d))


def q8_0(b):
    d = half(np.abs(b).max(1, keepdims=True) / 127)
    q = np.clip(np.rint(divide(b, d.astype(np.float32))), -127, 127).astype(np.int8)
    return np.concatenate([d.view(np.uint8), q.view(np.uint8)], 1)


def q4_0(b):
    big = np.take_along_axis(b, np.abs(b).argmax(1)[:, None], 1)
    d = half(big / -8)
    q = np.clip(np.floor(divide(b, d.astype(np.float32)) + 8.5), 0, 15).astype(np.uint8)
    return np.concatenate([d.view(np.uint8), q[:, :16] | (q[:, 16:] << 4)], 1)


def scales_and_mins(b, most):
    """Eight sub-blocks of 32: value = d*scale*q - dmin*min, scale and min of 6 bits. Gives d, dmin, 12 bytes, q."""
    s = b.reshape(-1, 8, 32)
    low = np.minimum(s.min(2), 0)
    step = (s.max(2) - low) / most
    d, dmin = half(step.max(1, keepdims=True) / 63), half(-low.min(1, keepdims=True) / 63)
    sc = np.clip(np.rint(divide(step, d.astype(np.float32))), 0, 63).astype(np.uint8)
    mn = np.clip(np.rint(divide(-low, dmin.astype(np.float32))), 0, 63).astype(np.uint8)
    scale, lift = d.astype(np.float32) * sc, dmin.astype(np.float32) * mn
    q = np.clip(np.rint(divide(s + lift[:, :, None], scale[:, :, None])), 0, most).astype(np.uint8)
    packed = np.concatenate([sc[:, :4] | ((sc[:, 4:] >> 4) << 6), mn[:, :4] | ((mn[:, 4:] >> 4) << 6),
                             (sc[:, 4:] & 15) | ((mn[:, 4:] & 15) << 4)], 1)
    return d, dmin, packed, q


def nibbles(q):
    """[n, 8, 32] to [n, 128]: pairs of sub-blocks share bytes, the even one low."""
    return (q[:, 0::2] | (q[:, 1::2] << 4)).reshape(len(q), 128)


def q4_k(b):
    d, dmin, packed, q = scales_and_mins(b, 15)
    return np.concatenate([d.view(np.uint8), dmin.view(np.uint8), packed, nibbles(q)], 1)


def q5_k(b):
    d, dmin, packed, q = scales_and_mins(b, 31)
    high = ((q >> 4) << np.arange(8, dtype=np.uint8)[None, :, None]).sum(1).astype(np.uint8)
    return np.concatenate([d.view(np.uint8), dmin.view(np.uint8), packed, high, nibbles(q & 15)], 1)


def q6_k(b):
    s = b.reshape(-1, 16, 16)
    big = np.take_along_axis(s, np.abs(s).argmax(2)[:, :, None], 2)[:, :, 0] / -32
    top = np.take_along_axis(big, np.abs(big).argmax(1)[:, None], 1)
    d = half(top / -128)
    sc = np.clip(np.rint(divide(big, d.astype(np.float32))), -128, 127).astype(np.int8)
    scale = (d.astype(np.float32) * sc)[:, :, None]
    q = (np.clip(np.rint(divide(s, scale)), -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    ql = (q[:, :, 0:2] & 15) | ((q[:, :, 2:4] & 15) << 4)
    qh = ((q >> 4) << np.array([0, 2, 4, 6], np.uint8)[None, None, :, None]).sum(2).astype(np.uint8)
    return np.concatenate([ql.reshape(-1, 128), qh.reshape(-1, 64), sc.view(np.uint8), d.view(np.uint8)], 1)


QUANTISERS = {"Q8_0": q8_0, "Q4_0": q4_0, "Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k}


def pack(x, kind):
    """float32 values to the bytes of a type. The last axis must hold whole blocks."""
    x = np.ascontiguousarray(x, np.float32)
    if kind == "F32":
        return x.tobytes()
    if kind == "F16":
        return x.astype(np.float16).tobytes()
    if kind == "BF16":
        return bf16_bits(x).tobytes()
    block = TYPES[kind][1]
    assert x.shape[-1] % block == 0, (kind, x.shape)
    return np.ascontiguousarray(QUANTISERS[kind](x.reshape(-1, block))).tobytes()


def six_bits(p):
    """12 bytes to 8 scales and 8 mins."""
    sc = np.concatenate([p[:, 0:4] & 63, (p[:, 8:12] & 15) | ((p[:, 0:4] >> 6) << 4)], 1)
    mn = np.concatenate([p[:, 4:8] & 63, (p[:, 8:12] >> 4) | ((p[:, 4:8] >> 6) << 4)], 1)
    return sc.astype(np.float32), mn.astype(np.float32)


def unpack(raw, kind, shape):
    """The values that the bytes stand for, float32."""
    if kind == "F32":
        return np.frombuffer(raw, np.float32).reshape(shape).copy()
    if kind == "F16":
        return np.frombuffer(raw, np.float16).astype(np.float32).reshape(shape)
    if kind == "BF16":
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    b = np.frombuffer(raw, np.uint8).reshape(-1, TYPES[kind][2])
    scale = lambda at: np.ascontiguousarray(b[:, at:at + 2]).view(np.float16).astype(np.float32)
    if kind == "Q8_0":
        x = scale(0) * np.ascontiguousarray(b[:, 2:]).view(np.int8)
    elif kind == "Q4_0":
        x = scale(0) * (np.concatenate([b[:, 2:] & 15, b[:, 2:] >> 4], 1).astype(np.float32) - 8)
    elif kind in ("Q4_K", "Q5_K"):
        sc, mn = six_bits(b[:, 4:16])
        low = b[:, -128:].reshape(-1, 4, 1, 32)
        q = np.concatenate([low & 15, low >> 4], 2).reshape(-1, 8, 32).astype(np.float32)
        if kind == "Q5_K":
            q += 16 * ((b[:, 16:48][:, None, :] >> np.arange(8, dtype=np.uint8)[None, :, None]) & 1)
        x = (scale(0) * sc)[:, :, None] * q - (scale(2) * mn)[:, :, None]
    else:
        ql, qh = b[:, :128].reshape(-1, 2, 2, 32), b[:, 128:192].reshape(-1, 2, 1, 32)
        q = np.concatenate([ql & 15, ql >> 4], 2)
        q = q | (((qh >> np.array([0, 2, 4, 6], np.uint8)[None, None, :, None]) & 3) << 4)
        sc = np.ascontiguousarray(b[:, 192:208]).view(np.int8).astype(np.float32)
        x = (scale(208) * sc)[:, :, None] * (q.astype(np.float32).reshape(-1, 16, 16) - 32)
    return x.astype(np.float32).reshape(shape)


def text(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def value(v):
    """(type, bytes) of a metadata value. bool, int (u32), float (f32), str, and lists of each; ints in lists i32."""
    if isinstance(v, bool):
        return BOOL, struct.pack("<?", v)
    if isinstance(v, int):
        return U32, struct.pack("<I", v)
    if isinstance(v, float):
        return F32, struct.pack("<f", v)
    if isinstance(v, str):
        return STR, text(v)
    if isinstance(v[0], str):
        return ARR, struct.pack("<IQ", STR, len(v)) + b"".join(map(text, v))
    kind, form = (BOOL, "?") if isinstance(v[0], bool) else (I32, "i") if isinstance(v[0], int) else (F32, "f")
    return ARR, struct.pack("<IQ%d%s" % (len(v), form), kind, len(v), *v)


def write(path, settings, tensors):
    """tensors: name -> (array, type name)."""
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(settings))]
    for key, v in settings.items():
        kind, raw = value(v)
        head += [text(key), struct.pack("<I", kind), raw]
    data, at = [], 0
    for name, (x, kind) in tensors.items():
        raw = pack(x, kind)
        head += [text(name), struct.pack("<I%dQIQ" % x.ndim, x.ndim, *x.shape[::-1], TYPES[kind][0], at)]
        raw += b"\0" * (-len(raw) % ALIGN)
        data.append(raw)
        at += len(raw)
    head = b"".join(head)
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % ALIGN) + b"".join(data))


def read(path):
    """(settings, name -> float32 array) of a file written here (types above only)."""
    data = open(path, "rb").read()
    at = 4
    forms = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}

    def take(form):
        nonlocal at
        got = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return got if len(got) > 1 else got[0]

    def string():
        nonlocal at
        n = take("Q")
        at += n
        return data[at - n:at].decode()

    def setting(kind):
        if kind == STR:
            return string()
        if kind == ARR:
            inner, n = take("IQ")
            return [setting(inner) for _ in range(n)]
        return take(forms[kind])

    _, tensor_count, count = take("IQQ")
    settings = {}
    for _ in range(count):
        key = string()
        settings[key] = setting(take("I"))
    infos = []
    for _ in range(tensor_count):
        name = string()
        rank = take("I")
        shape = take("%dQ" % rank)
        shape = tuple(shape)[::-1] if rank > 1 else (shape,)
        kind, offset = take("IQ")
        infos.append((name, shape, BY_NUMBER[kind], offset))
    at += -at % ALIGN
    out = {}
    for name, shape, (kind, block, size), offset in infos:
        n = int(np.prod(shape)) // block * size
        out[name] = unpack(data[at + offset:at + offset + n], kind, shape)
    return settings, out
