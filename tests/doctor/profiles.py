"""ICC profiles written by hand after the specification (ICC.1:2001-04): a matrix or grey profile with a gamma."""

import struct
from collections.abc import Sequence

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""The primaries of Adobe RGB (1998), adapted to D50: XYZ of red, green and blue."""
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
"""Those of sRGB."""
_D50 = (0.9642, 1.0, 0.8249)


def make_profile(name: str, primaries: Sequence[Sequence[float]] | None, gamma: float) -> bytes:
    """The bytes of a display profile; without primaries one for grey."""
    tags = [(b"desc", _description(name)), (b"wtpt", _xyz(_D50)), (b"cprt", b"text\0\0\0\0none\0")]
    if primaries is None:
        tags.append((b"kTRC", _curve(gamma)))
    else:
        tags += [(letter + b"XYZ", _xyz(value)) for letter, value in zip((b"r", b"g", b"b"), primaries, strict=True)]
        tags += [(letter + b"TRC", _curve(gamma)) for letter in (b"r", b"g", b"b")]
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for signature, data in tags:
        table += signature + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    space = b"GRAY" if primaries is None else b"RGB "
    header = struct.pack(">I4sI4s4s4s12x4s", start + len(body), b"none", 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    header += bytes(64 - len(header)) + struct.pack(">I", 0) + b"".join(map(_fixed, _D50))
    return header + bytes(128 - len(header)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(value: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, value))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _description(name: str) -> bytes:
    text = name.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
