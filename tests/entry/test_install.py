"""The installer: silent and quick when there is nothing to do, and it never moves a package that is there."""

import base64
import importlib.util
import os
import subprocess
import sys
import time
import venv
import zipfile
from pathlib import Path

import pytest

from train_gamma.hosts import onnxruntime_setup

ROOT = Path(__file__).parents[2]


def run_installer(python: Path | str, tmp_path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run install.py as the host does: in a process of its own, with the host's folder on the path."""
    (tmp_path / "host").mkdir(exist_ok=True)
    return subprocess.run(
        [str(python), str(ROOT / "install.py")],
        cwd=tmp_path / "host",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "host"), "TMPDIR": str(tmp_path), **environment},
    )


def pretend_installed(folder: Path, name: str, version: str = "1.20.0") -> Path:
    """A package that has its metadata and nothing that works."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    (folder / "onnxruntime").mkdir()
    (folder / "onnxruntime" / "__init__.py").write_text("raise ImportError('DLL load failed')", "utf-8")
    return folder


def wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A wheel with nothing in it but its name."""
    info, line = f"{name}-{version}.dist-info", f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"version = {version!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{line}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def environment(tmp_path: Path) -> tuple[Path, Path]:
    """Python and site-packages of an environment with pip and a package of the host's."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel(shelf, "hostlib", "1.0")
    wheel(shelf, "hostlib", "2.0")
    wheel(shelf, "newlib", "3.0")
    pip(python, "install", "--no-index", "--find-links", str(shelf), "hostlib==1.0")
    return python, shelf


def pip(python: Path, *arguments: str) -> str:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("build", ["onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"])
def test_nothing_is_done_when_a_build_is_there_even_a_broken_one(tmp_path: Path, build: str) -> None:
    broken = pretend_installed(tmp_path / "broken", build)
    done = run_installer(sys.executable, tmp_path, PYTHONPATH=str(broken), PATH="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_adds_less_than_a_third_of_a_second_to_a_start(tmp_path: Path) -> None:
    there = pretend_installed(tmp_path / "there", "onnxruntime")
    took = []
    for _ in range(5):
        began = time.perf_counter()
        run_installer(sys.executable, tmp_path, PYTHONPATH=str(there))
        took.append(time.perf_counter() - began)
    assert min(took) < 0.3  # with the start of Python in it


def test_installing_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "launch.py").write_text("class args:\n    skip_install = True\n", "utf-8")
    done = run_installer(sys.executable, tmp_path, PIP_NO_INDEX="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_only_what_is_missing_is_added(environment: tuple[Path, Path], tmp_path: Path) -> None:
    python, shelf = environment
    wheel(shelf, "onnxruntime", "1.20.0", "hostlib>=1.0")
    wheel(shelf, "onnxruntime", "1.30.0")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf)}
    before = pip(python, "freeze").split()
    done = run_installer(python, tmp_path, **offline)
    assert "Installed onnxruntime" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert sorted(pip(python, "freeze").split()) == sorted([*before, "onnxruntime==1.20.0"])
    again = run_installer(python, tmp_path, **offline)
    assert (again.stdout, again.stderr) == ("", "")


@pytest.mark.slow
def test_what_would_move_a_package_of_the_host_is_not_installed(environment: tuple[Path, Path], tmp_path: Path) -> None:
    python, shelf = environment
    wheel(shelf, "onnxruntime", "1.20.0", "hostlib>=2.0")
    before = pip(python, "freeze")
    done = run_installer(python, tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(shelf))
    assert done.returncode == 0
    assert "could not be installed" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert pip(python, "freeze") == before


@pytest.mark.slow
def test_without_a_network_it_is_one_line_and_not_tried_at_every_start(
    environment: tuple[Path, Path], tmp_path: Path
) -> None:
    python, _ = environment
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
    done = run_installer(python, tmp_path, **offline)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    began = time.perf_counter()
    again = run_installer(python, tmp_path, **offline)
    assert (again.returncode, again.stdout) == (0, "")
    assert time.perf_counter() - began < 1


def test_every_installed_package_is_pinned() -> None:
    lines = onnxruntime_setup.pins().splitlines()
    for name in ("torch", "numpy", "pillow"):
        assert [line for line in lines if line.lower().startswith(f"{name}==")], name
    assert all(line.count("==") == 1 and " " not in line for line in lines)


@pytest.mark.parametrize(
    ("torch", "cudnn", "driver", "expected"),
    [
        ("2.1.2+cu121", "", True, False),  # AUTOMATIC1111 1.9: cuDNN 8
        ("2.4.1+cu121", "", True, True),
        ("2.10.0+cu128", "", True, True),
        ("2.4.1+cu118", "", True, False),
        ("2.9.0+cu130", "", True, False),
        ("2.6.0", "9.1.0.70", True, True),  # Linux wheels of PyPI have no +cu
        ("2.6.0", "", True, False),
        ("2.4.1+cpu", "", True, False),
        ("2.4.1+rocm6.1", "", True, False),
        ("2.4.1+cu121", "", False, False),
        ("", "", True, False),
    ],
)
def test_the_gpu_build_is_taken_only_where_its_libraries_are(
    monkeypatch: pytest.MonkeyPatch, torch: str, cudnn: str, driver: bool, expected: bool
) -> None:
    versions = {"torch": torch, "nvidia-cudnn-cu12": cudnn}
    monkeypatch.setattr(onnxruntime_setup, "_version", versions.get)
    monkeypatch.setattr(onnxruntime_setup.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(onnxruntime_setup.shutil, "which", lambda name: "/usr/bin/nvidia-smi" if driver else None)
    assert onnxruntime_setup.wants_gpu() is expected


def test_a_gpu_build_that_opens_no_session_gives_way_to_the_one_for_the_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, ...]] = []

    def pip_(action: str, *arguments: str) -> str:
        calls.append((action, arguments[-1]))
        return ""

    monkeypatch.setattr(onnxruntime_setup, "wants_gpu", lambda: True)
    monkeypatch.setattr(onnxruntime_setup, "opens_session", lambda provider: False)
    monkeypatch.setattr(onnxruntime_setup, "_pip", pip_)
    monkeypatch.setattr(onnxruntime_setup, "_failure_mark", lambda: tmp_path / "failed")
    onnxruntime_setup.install_onnxruntime()
    done = [(action, what.split(">")[0]) for action, what in calls]
    assert done == [("install", "onnxruntime-gpu"), ("uninstall", "onnxruntime-gpu"), ("install", "onnxruntime")]
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_model_of_the_probe_is_a_model() -> None:
    content = base64.b64decode(onnxruntime_setup._IDENTITY_MODEL)
    fields, at = {}, 0  # of ModelProto (onnx.proto): numbers and texts of less than 128 bytes
    while at < len(content):
        key, value = content[at], content[at + 1]
        fields[key >> 3] = content[at + 2 : at + 2 + value] if key & 7 == 2 else value
        at += 2 + (value if key & 7 == 2 else 0)
    assert at == len(content)
    assert set(fields) == {1, 7, 8}  # ir_version, graph, opset_import
    assert b"Identity" in fields[7]
    if importlib.util.find_spec("onnxruntime") is not None:
        assert onnxruntime_setup.opens_session("CPUExecutionProvider")
