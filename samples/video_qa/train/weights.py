"""Trained parts as safetensors files for stages of Winnow (`weights=FILE`): matrices [in, out] and vectors."""
import json
import struct

import numpy as np


FORMS = {"F16": np.float16, "F32": np.float32, "I32": np.int32}


def store(path, about, tensors):
    """A safetensors file of arrays as they are, and metadata."""
    entries = {"__metadata__": about}
    data, at = [], 0
    for name, x in tensors.items():
        kind, = (k for k, form in FORMS.items() if x.dtype == form)
        raw = np.ascontiguousarray(x).tobytes()
        entries[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + b"".join(data))


def write(path, stage, tensors, more=None):
    """tensors: name -> array; matrices are stored as F16, vectors as F32. more: metadata beside stage and version."""
    store(path, {"winnow.stage": stage, "winnow.version": "1", **(more or {})},
          {name: np.asarray(x, np.float16 if np.ndim(x) > 1 else np.float32) for name, x in tensors.items()})


def read(path):
    """(metadata, name -> float32 array) of a safetensors file."""
    with open(path, "rb") as file:
        raw = file.read()
    size, = struct.unpack_from("<Q", raw)
    entries = json.loads(raw[8:8 + size])
    out = {}
    for name, e in entries.items():
        if name != "__metadata__":
            first, last = e["data_offsets"]
            x = np.frombuffer(raw[8 + size + first:8 + size + last], FORMS[e["dtype"]])
            out[name] = x.reshape(e["shape"]).astype(np.float32)
    return entries.get("__metadata__", {}), out
