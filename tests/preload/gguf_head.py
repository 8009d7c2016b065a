"""Writes a GGUF file that says what its projector is, and no more (standard library only)."""
import struct


def write(path, projector, key="clip.projector_type"):
    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()

    settings = [("general.architecture", "clip")] + ([(key, projector)] if projector else [])
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(settings)))
        for name, value in settings:
            file.write(text(name) + struct.pack("<I", 8) + text(value))
        file.write(bytes(-file.tell() % 32))
