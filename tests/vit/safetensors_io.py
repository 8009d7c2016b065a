"""Reads and writes safetensors files with numpy alone: 8 bytes of header size, a JSON header, the data."""
import json
import struct

import numpy as np

NAMES = {"float32": "F32", "float16": "F16", "int32": "I32", "uint8": "U8", "uint16": "BF16"}
KINDS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32,
         "U32": np.uint32, "U8": np.uint8, "BF16": np.uint16}


def write(path, tensors, metadata=None):
    """Arrays of uint16 are written as BF16: they are taken for its bits."""
    header, blobs, at = ({"__metadata__": metadata} if metadata else {}), [], 0
    for name, x in tensors.items():
        raw = np.ascontiguousarray(x).tobytes()
        header[name] = {"dtype": NAMES[x.dtype.name], "shape": list(x.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read(path):
    """(metadata, name -> array); BF16 comes as float32."""
    data = open(path, "rb").read()
    n, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + n])
    metadata, out = header.pop("__metadata__", {}), {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        x = np.frombuffer(data[8 + n + a:8 + n + b], KINDS[t["dtype"]]).reshape(t["shape"])
        out[name] = (x.astype(np.uint32) << 16).view(np.float32) if t["dtype"] == "BF16" else x
    return metadata, out
