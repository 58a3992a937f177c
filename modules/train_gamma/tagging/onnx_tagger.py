"""A tagger in an ONNX file, loaded."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import Floats, Label
from train_gamma.tagging.layout_file import read_layout
from train_gamma.tagging.model_spec import ModelSpec
from train_gamma.tagging.onnx_session import OnnxSession
from train_gamma.tagging.preprocess import PREPROCESSING, Layout, prepare
from train_gamma.tagging.tag_files import read_labels

_COMMON_SIZE = 448
_SAMPLES, _SAMPLE_BYTES = 64, 65536


class OnnxTagger:
    """An ``Interrogator`` of a model that is described by a ``ModelSpec``."""

    def __init__(self, spec: ModelSpec, files: Mapping[str, Path], device: str) -> None:
        """Load it.

        Args:
            spec: what it is.
            files: where each of ``spec.all_files`` is.
            device: "auto", "cpu" or "gpu".

        Raises:
            UserError: if it cannot be loaded, or its files do not fit each other.
        """
        self._spec = spec
        self._labels = tuple(read_labels(files[spec.tags], spec.form, spec.categories))
        self._layout = read_layout(files[spec.layout_file]) if spec.layout_file else spec.layout
        self._session = OnnxSession(files[spec.model], device, spec.output)
        self._tags_file = files[spec.tags]
        self._size = _square_side(files[spec.model], self._session.input_shape, self._layout)
        if self._session.num_outputs is not None:
            self._check_count(self._session.num_outputs)
        digest = fingerprint([files[name] for name in spec.all_files])
        taken = f"{spec.output} sigmoid={spec.sigmoid}"
        self.identity = f"{spec.name} {digest} {taken} {self._layout} {self._size} {PREPROCESSING}"

    @property
    def labels(self) -> Sequence[Label]:
        """What the columns of ``predict`` are."""
        return self._labels

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The recommended threshold per category."""
        return self._spec.thresholds

    @property
    def most_at_once(self) -> int | None:
        """The most pictures for ``predict``, None for any number."""
        return self._session.most_at_once

    @property
    def device(self) -> str:
        """Where it runs, such as "CPU" or "CUDA"."""
        return self._session.device

    @property
    def note(self) -> str:
        """Why it does not run on the GPU, "" if it does or was not to."""
        return self._session.note

    def prepare(self, picture: Image.Image) -> NDArray[Any]:
        """One picture as one row of a batch; float32."""
        return prepare(picture, self._layout, self._size)

    def predict(self, batch: NDArray[Any]) -> Floats:
        """(N, T) probabilities, 0..1.

        Raises:
            UserError: if the runtime fails, or what comes out are no probabilities of the labels.
        """
        most = self.most_at_once or len(batch)
        parts = [self._run(batch[start : start + most]) for start in range(0, len(batch), most)]
        found = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._check_count(found.shape[1])
        if self._spec.sigmoid:
            found = sigmoid(found)
        self._check_range(found)
        return found

    def close(self) -> None:
        """Free its memory."""
        self._session.close()

    def _run(self, batch: NDArray[Any]) -> Floats:
        """One batch, filled up with its last picture if the model takes so many and no fewer."""
        count, most = len(batch), self.most_at_once
        if most is not None and count < most:
            batch = np.concatenate([batch, np.repeat(batch[-1:], most - count, axis=0)])
        return self._session.run(batch)[:count]

    def _check_count(self, outputs: int) -> None:
        if outputs != len(self._labels):
            raise UserError(
                f"'{self._tags_file}' names {len(self._labels)} tags, and the model of '{self._spec.name}' has "
                f"{outputs} outputs. They belong to different versions: download both files again, from the same place."
            )

    def _check_range(self, found: Floats) -> None:
        low, high = float(found.min(initial=0.0)), float(found.max(initial=0.0))
        if np.isnan(low) or np.isnan(high):
            raise UserError(
                f"'{self._spec.name}' gives numbers that are not finite on {self.device}. Choose another device."
            )
        if low < -1e-3 or high > 1.001:
            raise UserError(
                f"'{self._spec.name}' gives numbers from {low:.3g} to {high:.3g}, which are no probabilities. If they "
                'are logits, set "sigmoid": true in its description.'
            )


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(logits))
    found: Floats = np.where(logits >= 0, np.float32(1.0), small) / (1.0 + small)
    return found


def fingerprint(files: Sequence[Path]) -> str:
    """Of the content of files: small ones whole, of large ones the size and samples spread over all of it."""
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            if size <= _SAMPLES * _SAMPLE_BYTES:
                digest.update(file.read())
                continue
            for index in range(_SAMPLES):
                file.seek((size - _SAMPLE_BYTES) * index // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def _square_side(path: Path, shape: tuple[int | None, ...], layout: Layout) -> int:
    last_axes = layout.axes == "NHWC"
    channels = shape[3] if last_axes else shape[1]
    height, width = (shape[1], shape[2]) if last_axes else (shape[2], shape[3])
    if channels not in (3, None) or height != width:
        raise UserError(
            f"'{path}' takes pictures of {shape}, which is not {layout.axes} with three colours and a square. "
            'Correct "layout" in its description.'
        )
    return height or layout.size or _COMMON_SIZE
