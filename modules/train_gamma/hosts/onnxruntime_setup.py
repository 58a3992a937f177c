"""Installs onnxruntime into the WebUI's environment without moving anything that is in it. Standard library only.

Every installed package is pinned to its version while pip works, so pip can add and never change. The GPU build is
taken where its CUDA 12 and cuDNN 9 are those of the installed torch, and kept only if it really opens a session on
the GPU; everywhere else it is the build for the CPU. (onnxruntime-gpu on PyPI is made for CUDA 12 and cuDNN 9 since
1.19; torch brings cuDNN 9 since 2.4, so the torch 2.1.2 of AUTOMATIC1111 1.9 cannot carry it.)
"""

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RANGE = ">=1.17,<1.24"
"""The newest with wheels for Python 3.10 is 1.23; the taggers' models need 1.17."""

RETRY_AFTER = 24 * 3600.0
"""Seconds after a failure, being offline say, before it is tried at a start again."""

_IDENTITY_MODEL = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCAhAN"
"""An ONNX model of one Identity node, to see on what device a session is opened."""

_PROBE = """
import base64, sys
import torch
import onnxruntime
if hasattr(onnxruntime, "preload_dlls"):
    onnxruntime.preload_dlls()
session = onnxruntime.InferenceSession(base64.b64decode(sys.argv[1]), providers=[sys.argv[2]])
sys.exit(0 if session.get_providers()[0] == sys.argv[2] else 1)
"""


def install_onnxruntime() -> None:
    """Install the build that will load; says in one line what came of it.

    Does nothing when ``--skip-install`` is given, or when it failed less than a day ago.
    """
    failed = _failure_mark()
    if (failed.exists() and time.time() - failed.stat().st_mtime < RETRY_AFTER) or _installing_is_off():
        return
    problem = ""
    if wants_gpu():
        problem = _pip_install(f"onnxruntime-gpu{RANGE}")
        if not problem and opens_session("CUDAExecutionProvider"):
            _tell("Installed onnxruntime-gpu, for taggers.")
            return
        if not problem:  # never two builds side by side
            _pip("uninstall", "--yes", "onnxruntime-gpu")
    problem = _pip_install(f"onnxruntime{RANGE}")
    if problem:
        failed.touch()
        _tell(f"onnxruntime, for taggers, could not be installed: {problem} Training works without it.")
    else:
        failed.unlink(missing_ok=True)
        _tell("Installed onnxruntime, for taggers.")


def wants_gpu() -> bool:
    """Whether the GPU build has what it needs: an NVIDIA driver, and a torch that brings CUDA 12 and cuDNN 9."""
    if platform.machine().lower() not in ("x86_64", "amd64") or shutil.which("nvidia-smi") is None:
        return False
    torch = _version("torch")
    match = re.match(r"(\d+)\.(\d+)", torch)
    brings_cudnn_9 = match is not None and (int(match[1]), int(match[2])) >= (2, 4)
    cuda_12 = "+cu12" in torch or ("+" not in torch and _version("nvidia-cudnn-cu12").startswith("9."))
    return brings_cudnn_9 and cuda_12


def opens_session(provider: str) -> bool:
    """Whether onnxruntime opens a session with ``provider``, tried in a process of its own."""
    command = [sys.executable, "-c", _PROBE, _IDENTITY_MODEL, provider]
    try:
        return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def pins() -> str:
    """Every installed package at its version, as a constraint file for pip."""
    lines = set()
    for found in importlib.metadata.distributions():
        name, version = found.metadata["Name"], found.version
        if name and version and re.fullmatch(r"\d[\w.!+]*", version):
            lines.add(f"{name}=={version}")
    return "\n".join(sorted(lines)) + "\n"


def _pip_install(requirement: str) -> str:
    """Install a wheel and what it needs and is missing; "" or why it did not work."""
    handle, name = tempfile.mkstemp(suffix=".txt", prefix="train-gamma-")
    os.close(handle)
    constraints = Path(name)
    try:
        constraints.write_text(pins(), "utf-8")
        return _pip("install", "--only-binary", ":all:", "--constraint", str(constraints), *_index(), requirement)
    finally:
        constraints.unlink(missing_ok=True)


def _pip(action: str, *arguments: str) -> str:
    quick = ["--no-input", "--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
    command = [sys.executable, "-m", "pip", action, *quick, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}."
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.lstrip().startswith("ERROR:")]
    told = errors[-1].strip().removeprefix("ERROR:").strip() if errors else f"pip ended with {done.returncode}"
    return f"{told.rstrip('.')}."


def _tell(line: str) -> None:
    print(f"[Train Gamma] {line}")  # noqa: T201 - the WebUI shows what its installers print


def _index() -> list[str]:
    address = os.environ.get("INDEX_URL", "")  # the WebUI's own way to name another index
    return ["--index-url", address] if address else []


def _installing_is_off() -> bool:
    try:
        import launch

        return bool(launch.args.skip_install)
    except (ImportError, AttributeError):  # outside of a WebUI
        return False


def _failure_mark() -> Path:
    environment = hashlib.sha256(sys.prefix.encode("utf-8", "replace")).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"train-gamma-onnxruntime-failed-{environment}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
