"""A model that onnxruntime has really loaded, and on what. The only place that imports onnxruntime."""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import Floats

OLDEST = (1, 17)
"""The first onnxruntime that knows the operators of the v3 taggers."""

_GPU = {
    "CUDAExecutionProvider": "CUDA",
    "ROCMExecutionProvider": "ROCm",
    "MIGraphXExecutionProvider": "MIGraphX",
    "DmlExecutionProvider": "DirectML",
    "CoreMLExecutionProvider": "CoreML",
}
"""What runs on a GPU, the first one that is there is taken."""

_CPU = "CPUExecutionProvider"
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-rocm", "onnxruntime-silicon")
_RANGE = ">=1.17,<1.24"
_REMEDY = f'Run install.py again, or install it into this Python with: pip install "onnxruntime{_RANGE}"'
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_MEMORY_SHARE = 0.9
"""Of the GPU memory that is free when a session opens, how much it may take."""


def runtime_problem() -> str:
    """Why taggers cannot run here, with what to do; "" if they can as far as can be seen without loading anything."""
    if importlib.util.find_spec("onnxruntime") is None:
        return f"onnxruntime, which runs taggers, is not installed. {_REMEDY}"
    name, version = _installed()
    return _age_problem(name, version)


class OnnxSession:
    """One opened model.

    Attributes:
        device: where it runs, such as "CPU" or "CUDA".
        note: why it is not on the GPU, "" if it is or was not to be.
        input_shape: sizes of the input's axes, None where any will do.
        num_outputs: how many numbers a picture gives, None when the model does not say.
    """

    def __init__(self, path: Path, device: str, output: str = "") -> None:
        """Open ``path`` on ``device``.

        Args:
            path: the ONNX file.
            device: "cpu", "gpu" or "auto", which is the GPU if the model really loads on it.
            output: the name of the output, "" for the first.

        Raises:
            UserError: if onnxruntime is missing, broken or too old, the file is damaged or no model of pictures, or
                ``device`` is "gpu" and the model does not load there.
        """
        runtime = _import_runtime()
        _check_file(path)
        self._session, self.device, self.note = _open(runtime, path, device)
        self._path = path
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or inputs[0].type not in _TYPES:
            raise UserError(
                f"'{path}' takes {_told(inputs)}, and a tagger takes one batch of pictures. Choose another model."
            )
        self._input, self._type = inputs[0].name, _TYPES[inputs[0].type]
        self.input_shape = tuple(_size(axis) for axis in shape)
        self._output = _find_output(path, self._session.get_outputs(), output)
        sizes = next(o.shape for o in self._session.get_outputs() if o.name == self._output)
        self.num_outputs = _size(sizes[-1]) if len(sizes) > 1 else None

    @property
    def most_at_once(self) -> int | None:
        """The most pictures for one ``run``, None for any number."""
        return self.input_shape[0]

    def run(self, batch: NDArray[Any]) -> Floats:
        """(N, T) outputs of N prepared pictures.

        Raises:
            UserError: if the runtime cannot compute them, for want of memory say.
        """
        if self._session is None:
            raise RuntimeError(f"'{self._path}' was closed")
        try:
            (found,) = self._session.run([self._output], {self._input: batch.astype(self._type, copy=False)})
        except Exception as error:  # its exceptions have no base class but Exception
            raise UserError(
                f"'{self._path.name}' failed on {self.device} with {len(batch)} pictures: {_reason(error)} "
                "Lower 'Pictures at once', or choose the device cpu."
            ) from error
        return np.asarray(found, dtype=np.float32).reshape(len(found), -1)

    def close(self) -> None:
        """Free its memory. It cannot be run any more."""
        self._session = None


def _import_runtime() -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise UserError(f"onnxruntime, which runs taggers, is not installed. {_REMEDY}")
    try:
        runtime = importlib.import_module("onnxruntime")
        version, _ = str(runtime.__version__), runtime.InferenceSession
    except Exception as error:  # a broken one fails in every way there is
        raise UserError(
            f"onnxruntime, which runs taggers, is installed but does not load: {_reason(error)} Remove every package "
            f"whose name begins with onnxruntime, then: {_REMEDY}"
        ) from error
    problem = _age_problem(_installed()[0], version)
    if problem:
        raise UserError(problem)
    return runtime


def _installed() -> tuple[str, str]:
    """The package it came in, and the version of that; the latter is "" when it came otherwise."""
    for name in _DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return name, importlib.metadata.version(name)
    return _DISTRIBUTIONS[0], ""


def _age_problem(name: str, version: str) -> str:
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) >= OLDEST:
        return ""
    oldest = ".".join(str(number) for number in OLDEST)
    return f'{name} {version} is too old for taggers; {oldest} is needed. Update it: pip install "{name}{_RANGE}"'


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}. Check your rights to it.") from error
    if start.startswith(b"version https://git-lfs"):
        raise UserError(
            f"'{path}' is only a pointer to the model, left by git without LFS. Delete it, and download the model."
        )
    if not start:
        raise UserError(f"'{path}' is empty (0 bytes). Delete it, and it is downloaded again.")


def _open(runtime: Any, path: Path, device: str) -> tuple[Any, str, str]:
    """The session, where it is, and why it is not on the GPU."""
    available = runtime.get_available_providers()
    provider = next((name for name in _GPU if name in available), "")
    if device == "cpu":
        return _session(runtime, path, _CPU), "CPU", ""
    if not provider:
        note = f"This build of onnxruntime has no GPU support (it has {', '.join(available)})."
    else:
        try:
            session = _session(runtime, path, provider)
            active = session.get_providers()[0]
            if active == provider:
                return session, _GPU[provider], ""
            note = f"onnxruntime did not load the model on {_GPU[provider]}, mostly because its libraries do not match."
        except UserError as error:
            note = f"onnxruntime could not load the model on {_GPU[provider]}: {error.__cause__ or error}"
    if device == "gpu":
        raise UserError(f"{note} Choose the device auto or cpu, or install the onnxruntime build for your GPU.")
    return _session(runtime, path, _CPU), "CPU", note


def _session(runtime: Any, path: Path, provider: str) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if provider == "DmlExecutionProvider":  # which takes neither memory patterns nor parallel execution
        options.enable_mem_pattern = False
    if provider == "CUDAExecutionProvider":
        _load_cuda_libraries(runtime)
    providers: list[Any] = [(provider, _settings(provider))]
    if provider != _CPU:
        providers.append(_CPU)
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exceptions have no base class but Exception
        raise UserError(
            f"'{path}' cannot be loaded: {_reason(error)} It is damaged, or made for a newer onnxruntime than "
            f"{runtime.__version__}. Delete it, and it is downloaded again."
        ) from error


def _load_cuda_libraries(runtime: Any) -> None:
    """CUDA and cuDNN as torch brings them, so that both use the same."""
    with contextlib.suppress(ImportError, OSError):
        importlib.import_module("torch")
    if hasattr(runtime, "preload_dlls"):
        with contextlib.suppress(Exception):
            runtime.preload_dlls()


def _settings(provider: str) -> dict[str, str]:
    if provider != "CUDAExecutionProvider":
        return {}
    settings = {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"}
    with contextlib.suppress(Exception):  # torch for the CPU, or none
        free, _ = importlib.import_module("torch").cuda.mem_get_info()
        settings["gpu_mem_limit"] = str(int(free * _MEMORY_SHARE))
    return settings


def _find_output(path: Path, outputs: Any, wanted: str) -> str:
    names = [output.name for output in outputs]
    if wanted and wanted not in names:
        raise UserError(f"'{path}' has no output '{wanted}', only {', '.join(names)}. Correct 'output' of the model.")
    return wanted or names[0]


def _size(axis: Any) -> int | None:
    return axis if isinstance(axis, int) and axis > 0 else None


def _told(inputs: Any) -> str:
    return "; ".join(f"{entry.name} of {entry.type} {entry.shape}" for entry in inputs)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if len(text) <= 300 else text[:297] + "..."
    return text if text.endswith((".", "!", "...")) else f"{text}."
