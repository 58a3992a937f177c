"""Small taggers in real ONNX files, made with the onnx package, whose probabilities can be worked out by hand.

Each is one linear layer over the mean colour of the picture, so that an upside down channel order, a wrong scale or a
wrong normalisation shows in the numbers.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

TAGS: tuple[tuple[str, int, int], ...] = (
    ("general", 9, 700),
    ("explicit", 9, 300),
    ("1girl", 0, 500),
    ("long_hair", 0, 250),
    ('don\'t_say_"lazy"', 0, 3),
    ("hatsune_miku_(cosplay)", 4, 9),
)
"""(name, category, count) of the labels of ``write_wd``."""


def weights(labels: int, seed: int = 0) -> NDArray[np.float32]:
    """(3, labels): how each label depends on the mean of each channel."""
    return np.random.default_rng(seed).normal(size=(3, labels)).astype(np.float32)


def write_model(  # noqa: PLR0913 - each is a way in which models differ
    path: Path,
    labels: int,
    *,
    size: int | None = 16,
    batch: int | None = None,
    axes: str = "NHWC",
    sigmoid: bool = True,
    divisor: float = 255.0,
    kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("output",),
) -> NDArray[np.float32]:
    """Write a model and return its weights: output = [sigmoid of] mean over the pixels / ``divisor`` @ weights."""
    w = weights(labels)
    sizes: list[Any] = ["N" if batch is None else batch]
    side: Any = "S" if size is None else size
    sizes += [side, side, 3] if axes == "NHWC" else [3, side, side]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    over = [1, 2] if axes == "NHWC" else [2, 3]
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], axes=over, keepdims=0)]
    nodes += [helper.make_node("Div", ["mean", "divisor"], ["scaled"])]
    nodes += [helper.make_node("MatMul", ["scaled", "w"], ["logits"])]
    for index, name in enumerate(outputs):  # a first output that is not the last is something else: its negative
        source = "logits" if index == len(outputs) - 1 else f"other_{index}"
        if source != "logits":
            nodes.append(helper.make_node("Neg", ["logits"], [source]))
        nodes.append(helper.make_node("Sigmoid" if sigmoid else "Identity", [source], [name]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", kind, sizes)],
        [helper.make_tensor_value_info(name, kind, [sizes[0], labels]) for name in outputs],
        [
            numpy_helper.from_array(w.astype(dtype), "w"),
            numpy_helper.from_array(np.array(divisor, dtype), "divisor"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return w


def write_tags(path: Path, tags: Sequence[tuple[str, int, int]] = TAGS) -> None:
    """Write a list in the form of the WD taggers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        writer.writerows([9_999_999 - number, *tag] for number, tag in enumerate(tags))


def write_wd(folder: Path, **kinds: Any) -> NDArray[np.float32]:
    """A folder as users drop it: model.onnx and selected_tags.csv. ``kinds`` are those of ``write_model``."""
    write_tags(folder / "selected_tags.csv")
    return write_model(folder / "model.onnx", len(TAGS), **kinds)
