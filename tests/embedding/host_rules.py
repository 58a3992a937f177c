"""What AUTOMATIC1111 1.9.4 accepts as an embedding, derived anew from its code and independent of our reader.

Source: AUTOMATIC1111/stable-diffusion-webui 1.9.4 (feee37d75f1b168768014e4634dcb156ee649c05), modules/safe.py,
modules/textual_inversion/textual_inversion.py and image_embedding.py. Facts only, in our own words.
"""

import base64
import collections
import io
import json
import pickle
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from PIL import Image

HOST_GLOBALS = {
    "collections": {"OrderedDict"},
    "torch._utils": {"_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_device_tensor_from_numpy"},
    "torch": {
        "FloatStorage",
        "HalfStorage",
        "IntStorage",
        "LongStorage",
        "DoubleStorage",
        "ByteStorage",
        "float32",
        "BFloat16Storage",
    },
    "torch.nn.modules.container": {"ParameterDict"},
    "numpy.core.multiarray": {"scalar", "_reconstruct"},
    "numpy": {"dtype", "ndarray"},
    "_codecs": {"encode"},
}
HOST_ZIP_NAME = re.compile(r"[^/]+/(data/\d+|version|data\.pkl)")
FIRST_OF_SEQUENCE = [253, 242, 127, 44, 157, 27, 239, 133, 38, 79, 167, 4, 177, 95, 130, 79, 78, 14, 52, 215]
"""The self-test at the end of image_embedding.py states these."""


class HostRefusesError(Exception):
    """The host would not load this."""


class _HostUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if name not in HOST_GLOBALS.get(module, ()):
            raise HostRefusesError(f"global '{module}/{name}' is forbidden")
        return collections.OrderedDict if name == "OrderedDict" else _Inert

    def persistent_load(self, pid):
        assert pid[0] == "storage"
        return


class _Inert:
    def __new__(cls, *args):
        return super().__new__(cls)

    def __setstate__(self, state):
        self.state = state


@dataclass
class HostEmbedding:
    """What the host registers."""

    name: str
    vec: torch.Tensor | dict[str, torch.Tensor]
    step: int | None
    checkpoint: str | None
    checkpoint_name: str | None
    shape: int
    vectors: int


def host_load(path: Path) -> HostEmbedding:
    """Load an embedding as the host does, or raise ``HostRefusesError``."""
    name, ending = path.stem, path.suffix.lower()
    if ending == ".png":
        data = _from_picture(path)
        name = data.get("name", name)
    elif ending in (".pt", ".bin"):
        _check_pickle(path)
        data = torch.load(path, map_location="cpu", weights_only=True)
    else:
        data = safetensors.torch.load_file(path)
    return _understood(data, name)


def _understood(data, name):
    if "string_to_param" in data:
        terms = data["string_to_param"]
        terms = getattr(terms, "_parameters", terms)
        if len(terms) != 1:
            raise HostRefusesError("embedding file has multiple terms in it")
        vec = next(iter(terms.values())).detach().to(torch.float32)
        shape, vectors = vec.shape[-1], vec.shape[0]
    elif type(data) is dict and "clip_g" in data and "clip_l" in data:
        vec = {key: value.detach().to(torch.float32) for key, value in data.items()}
        shape, vectors = data["clip_g"].shape[-1] + data["clip_l"].shape[-1], data["clip_g"].shape[0]
    elif type(data) is dict and type(next(iter(data.values()))) is torch.Tensor:
        if len(data) != 1:
            raise HostRefusesError("embedding file has multiple terms in it")
        vec = next(iter(data.values()))
        vec = (vec.unsqueeze(0) if vec.ndim == 1 else vec).detach().to(torch.float32)
        shape, vectors = vec.shape[-1], vec.shape[0]
    else:
        raise HostRefusesError("couldn't identify")
    told = [data.get(key) for key in ("step", "sd_checkpoint", "sd_checkpoint_name")]
    return HostEmbedding(name, vec, *told, shape, vectors)


def _check_pickle(path):
    """safe.py reads the pickles once with a short list of globals before torch may have them."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not HOST_ZIP_NAME.fullmatch(name):
                    raise HostRefusesError(f"bad file inside {path}: {name}")
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            _HostUnpickler(io.BytesIO(archive.read(pickles[0]))).load()
    except zipfile.BadZipFile:
        with path.open("rb") as file:
            for _ in range(5):
                _HostUnpickler(file).load()


def _from_picture(path):
    with Image.open(path) as picture:
        if "sd-ti-embedding" in getattr(picture, "text", {}):
            return decoded(base64.b64decode(picture.text["sd-ti-embedding"]))
    data = strips_of(path)
    if data is None:
        raise HostRefusesError("only a preview picture")
    return data


def decoded(text):
    def tensors(entries):
        return torch.tensor(entries["TORCHTENSOR"], dtype=torch.float64) if "TORCHTENSOR" in entries else entries

    return json.loads(text, object_hook=tensors)


def sequence(length):
    """The host's pseudo-random numbers: x -> 1664525 x + 1013904223 mod 2^32 from 0, each mod 255."""
    state, numbers = 0, []
    for _ in range(length):
        state = (1664525 * state + 1013904223) % 2**32
        numbers.append(state % 255)
    return numbers


def strips_of(path):
    """The data in the strips, found pixel by pixel."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    pixels, (width, height) = picture.load(), picture.size
    columns = [x for x in range(width) if any(all(pixels[x, y]) for y in range(height))]
    rows = [y for y in range(height) if any(all(pixels[x, y]) for x in range(width))]
    columns, rows = range(columns[0], columns[-1] + 1), range(rows[0], rows[-1] + 1)
    black = [x for x in columns if all(value & 15 == 0 for y in rows for value in pixels[x, y])]
    if len(black) < 2:
        return None
    left = [value & 15 for y in rows for x in range(columns[0], black[0]) for value in pixels[x, y]]
    right = [value & 15 for y in rows for x in range(black[-1] + 1, columns[-1] + 1) for value in pixels[x, y]]
    mixed = [number & 15 for number in sequence(len(left))]
    both = zip(left, right, mixed, strict=True)
    return decoded(zlib.decompress(bytes((high ^ mix) << 4 | (low ^ mix) for low, high, mix in both)))
