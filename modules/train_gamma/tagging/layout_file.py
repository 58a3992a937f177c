"""Layouts as some models bring them: preprocess.json, a list of what is done to a picture, stage by stage.

The stages are named after torchvision's transforms; dghs-imgutils (deepghs/imgutils 2cf3c357, preprocess/pillow.py)
writes and reads them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import ImageColor

from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError
from train_gamma.tagging.preprocess import RESAMPLING, Layout

_BY_NUMBER = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
_NOTHING_TO_DO = ("convert_rgb", "to_tensor", "maybe_to_tensor", "center_crop")


def read_layout(path: Path) -> Layout:
    """The layout that a file of stages describes.

    Raises:
        UserError: if it cannot be read, or has a stage that has no place in a ``Layout``.
    """
    stages = _stages(path)
    kinds = [str(stage.get("type")) for stage in stages]
    values: dict[str, Any] = {"axes": "NCHW"}
    try:
        for kind, stage in zip(kinds, stages, strict=True):
            values.update(_values(kind, stage, "center_crop" in kinds))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(_unknown(path, kinds)) from error
    if "size" not in values:
        raise UserError(_unknown(path, kinds))
    return Layout(**values)


def _values(kind: str, stage: Mapping[str, Any], cropped: bool) -> dict[str, Any]:
    if kind == "resize":
        return {**_resize(stage["size"], cropped), "resample": _filter(stage.get("interpolation", "bilinear"))}
    if kind == "pad_to_size":
        return {
            "fit": "shrink",
            "rounded": True,
            "size": _square(stage["size"]),
            "fill": _colour(stage.get("background_color", "white")),
            "resample": _filter(stage.get("interpolation", "bilinear")),
        }
    if kind == "normalize":
        return {"mean": _three(stage["mean"]), "std": _three(stage["std"])}
    if kind not in _NOTHING_TO_DO:
        raise ValueError(kind)
    return {}


def _resize(size: Any, cropped: bool) -> dict[str, Any]:
    """One number is the short side, which only makes a square when the centre is cropped; two are both sides."""
    if isinstance(size, int) or len(size) == 1:
        if not cropped:
            raise ValueError(size)
        return {"fit": "crop", "size": size if isinstance(size, int) else int(size[0])}
    return {"fit": "stretch", "size": _square(size)}


def _square(size: Any) -> int:
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise ValueError(size)
    return int(height)


def _filter(value: Any) -> str:
    name = _BY_NUMBER[value] if isinstance(value, int) else str(value).lower()
    if name not in RESAMPLING:
        raise ValueError(value)
    return name


def _colour(value: Any) -> tuple[int, int, int]:
    red, green, blue = (ImageColor.getrgb(value) if isinstance(value, str) else value)[:3]
    return int(red), int(green), int(blue)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _stages(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"'{path}' is not JSON ({error}). Download it again.") from error
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise UserError(f"'{path}' has no list of 'stages'. Download it again, or describe the layout in model.json.")
    return stages


def _unknown(path: Path, kinds: list[str]) -> str:
    return (
        f"'{path}' describes a preparation of pictures ({', '.join(kinds)}) that is not known here. Describe it as "
        "'layout' in model.json."
    )
