"""The miniature tagger's network, and the same as an ONNX graph with the WD taggers' interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tagger_pictures import RATINGS, SIDE, TAGS
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGES = ((3, 24, 6, 4), (24, 64, 3, 2), (64, 64, 3, 1), (64, 128, 3, 2), (128, 128, 3, 1))
"""Channels in and out, width of the kernel, and step of each convolution; 8 x 8 places are left of 128 x 128."""

STEPS = 16
NARROW = 16
MIXED = 192
RATING_PROBABILITIES = (0.97, 0.03, 0.005, 0.002)
"""The world is always general; the network need not look for that."""

OPSET, IR = 13, 8
"""Old enough for every onnxruntime that is supported."""


def _conv(inputs: int, outputs: int, kernel: int, step: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=step, padding=(kernel - 1) // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Network(nn.Module):
    """(N, 3, SIDE, SIDE) pictures between -1 and 1 in RGB to (N, len(TAGS)) scores."""

    def __init__(self) -> None:
        super().__init__()
        last = STAGES[-1][1]
        self.layers = nn.Sequential(*(layer for stage in STAGES for layer in _conv(*stage)))
        self.narrow = nn.Conv2d(last, NARROW, 1)
        self.mix = nn.Linear(2 * last + NARROW * (SIDE // STEPS) ** 2, MIXED)
        self.drop = nn.Dropout(0.1)
        self.tags = nn.Linear(MIXED, len(TAGS))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Score what is somewhere in the picture together with what is where."""
        seen = self.layers(pictures)
        found = torch.cat([seen.mean((2, 3)), seen.amax((2, 3)), self.narrow(seen).flatten(1)], dim=1)
        return self.tags(self.drop(torch.relu(self.mix(found))))


class _Graph:
    """Collects nodes; weights are kept in half precision and cast where they are used."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operation: str, inputs: list[str], name: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        return self.add("Cast", [f"{name}_half"], name, to=TensorProto.FLOAT)

    def conv(self, given: str, name: str, conv: nn.Conv2d, turned: bool = False) -> str:
        kernel = conv.weight.detach().numpy()
        weights = [
            self.weight(f"{name}_weight", kernel[:, ::-1] if turned else kernel),
            self.weight(f"{name}_bias", conv.bias.detach().numpy()),
        ]
        edge = conv.padding[0]
        return self.add(
            "Conv",
            [given, *weights],
            name,
            kernel_shape=list(conv.kernel_size),
            strides=list(conv.stride),
            pads=[edge] * 4,
        )

    def linear(self, given: str, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        return self.add(
            "Gemm", [given, self.weight(f"{name}_weight", weight), self.weight(f"{name}_bias", bias)], name, transB=1
        )


def _with_ratings(last: nn.Linear) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    chances = np.array(RATING_PROBABILITIES)
    weight = np.concatenate([np.zeros((len(RATINGS), last.in_features)), last.weight.detach().numpy()])
    bias = np.concatenate([np.log(chances / (1 - chances)), last.bias.detach().numpy()])
    return weight.astype(np.float32), bias.astype(np.float32)


def write_model(network: Network, path: Path) -> None:
    """Write the graph: (N, SIDE, SIDE, 3) BGR, 0..255, in; (N, ratings and tags) probabilities out."""
    network = network.eval()
    graph = _Graph()
    graph.weights.append(numpy_helper.from_array(np.array(127.5, np.float32), "half_range"))
    graph.weights.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    seen = graph.add("Transpose", ["input"], "channels_first", perm=[0, 3, 1, 2])
    seen = graph.add("Div", [seen, "half_range"], "scaled")
    seen = graph.add("Sub", [seen, "one"], "centred")
    layers = list(network.layers)
    for index in range(0, len(layers), 3):
        folded = fuse_conv_bn_eval(layers[index], layers[index + 1])
        # The network learned RGB; reading its first kernel backwards makes it read BGR.
        seen = graph.conv(seen, f"conv_{index // 3}", folded, turned=index == 0)
        seen = graph.add("Relu", [seen], f"seen_{index // 3}")
    parts = [
        graph.add("Flatten", [graph.add("GlobalAveragePool", [seen], "mean")], "mean_flat"),
        graph.add("Flatten", [graph.add("GlobalMaxPool", [seen], "most")], "most_flat"),
        graph.add("Flatten", [graph.conv(seen, "narrow", network.narrow)], "narrow_flat"),
    ]
    found = graph.add("Concat", parts, "found", axis=1)
    mixed = graph.linear(found, "mix", network.mix.weight.detach().numpy(), network.mix.bias.detach().numpy())
    scores = graph.linear(graph.add("Relu", [mixed], "mixed"), "scores", *_with_ratings(network.tags))
    graph.add("Sigmoid", [scores], "output")
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", SIDE, SIDE, 3])
    got = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", len(RATINGS) + len(TAGS)])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "miniature tagger", [given], [got], graph.weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="train-gamma",
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
