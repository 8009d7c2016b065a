"""Trained parts as safetensors files for stages of Winnow (`weights=FILE`): matrices [in, out] and vectors."""
import json
import struct

import numpy as np


def write(path, stage, tensors, more=None):
    """tensors: name -> array; matrices are stored as F16, vectors as F32. more: metadata beside stage and version."""
    entries = {"__metadata__": {"winnow.stage": stage, "winnow.version": "1", **(more or {})}}
    data, at = [], 0
    for name, x in tensors.items():
        kind, form = ("F16", np.float16) if np.ndim(x) > 1 else ("F32", np.float32)
        raw = np.ascontiguousarray(x, form).tobytes()
        entries[name] = {"dtype": kind, "shape": list(np.shape(x)), "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + b"".join(data))


def read(path):
    """(metadata, name -> float32 array) of a file written here."""
    with open(path, "rb") as file:
        raw = file.read()
    size, = struct.unpack_from("<Q", raw)
    entries = json.loads(raw[8:8 + size])
    out = {}
    for name, e in entries.items():
        if name != "__metadata__":
            first, last = e["data_offsets"]
            form = {"F16": np.float16, "F32": np.float32}[e["dtype"]]
            x = np.frombuffer(raw[8 + size + first:8 + size + last], form)
            out[name] = x.reshape(e["shape"]).astype(np.float32)
    return entries["__metadata__"], out
