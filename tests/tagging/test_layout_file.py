"""preprocess.json, as models of deepghs bring it."""

import json
from pathlib import Path
from typing import Any

import pytest

from train_gamma.errors import UserError
from train_gamma.tagging.layout_file import read_layout
from train_gamma.tagging.preprocess import Layout

TENSOR: list[dict[str, Any]] = [
    {"type": "maybe_to_tensor"},
    {"type": "normalize", "mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.1]},
]
NUMBERS: dict[str, Any] = {"axes": "NCHW", "channels": "RGB", "mean": (0.5, 0.4, 0.3), "std": (0.3, 0.2, 0.1)}


def written(folder: Path, content: Any) -> Path:
    path = folder / "preprocess.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (
            [{"type": "resize", "size": [448, 448], "interpolation": "bilinear", "max_size": None, "antialias": True}],
            {"fit": "stretch", "size": 448, "resample": "bilinear"},
        ),
        (
            [{"type": "resize", "size": 384, "interpolation": 3}, {"type": "center_crop", "size": [384, 384]}],
            {"fit": "crop", "size": 384, "resample": "bicubic"},
        ),
        (
            [{"type": "pad_to_size", "size": [512, 512], "background_color": "black", "interpolation": "lanczos"}],
            {"fit": "shrink", "rounded": True, "size": 512, "fill": (0, 0, 0), "resample": "lanczos"},
        ),
        (
            [{"type": "convert_rgb", "force_background": "white"}, {"type": "pad_to_size", "size": 448}],
            {"fit": "shrink", "rounded": True, "size": 448, "fill": (255, 255, 255), "resample": "bilinear"},
        ),
    ],
)
def test_stages_are_understood(tmp_path: Path, stages: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    path = written(tmp_path, {"stages": [*stages, *TENSOR]})
    assert read_layout(path) == Layout(**{**NUMBERS, **expected})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not JSON"),
        ([], "no list of 'stages'"),
        ({"stages": TENSOR}, "not known here"),
        ({"stages": [{"type": "resize", "size": 448}, *TENSOR]}, "not known here"),
        ({"stages": [{"type": "resize", "size": [448, 224]}, *TENSOR]}, "not known here"),
        ({"stages": [{"type": "five_crop", "size": 448}, *TENSOR]}, "five_crop"),
        ({"stages": [{"type": "resize", "size": [448, 448], "interpolation": "hamming"}]}, "not known here"),
        ({"stages": [{"type": "resize", "size": [448, 448]}, {"type": "normalize", "mean": [0.5]}]}, "not known here"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_layout(written(tmp_path, content))
