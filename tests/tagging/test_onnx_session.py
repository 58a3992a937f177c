"""Opening real ONNX files with the real onnxruntime, and every way in which that can fail."""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.tagging.models import write_model
from train_gamma.errors import UserError
from train_gamma.tagging.onnx_session import OnnxSession, runtime_problem


def small(folder: Path, **kinds: Any) -> Path:
    path = folder / "model.onnx"
    write_model(path, 5, **kinds)
    return path


@pytest.mark.parametrize(("batch", "most"), [(None, None), (1, 1), (4, 4)])
def test_most_at_once_is_the_batch_axis(tmp_path: Path, batch: int | None, most: int | None) -> None:
    session = OnnxSession(small(tmp_path, batch=batch), "cpu")
    assert session.most_at_once == most
    assert session.input_shape == (most, 16, 16, 3)
    assert session.num_outputs == 5


def test_runs_on_the_cpu_and_says_so(tmp_path: Path) -> None:
    session = OnnxSession(small(tmp_path), "cpu")
    assert (session.device, session.note) == ("CPU", "")
    found = session.run(np.zeros((2, 16, 16, 3), np.float32))
    assert found.shape == (2, 5)
    assert found == pytest.approx(0.5)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_half_precision_models_take_the_same_pictures(tmp_path: Path, kind: int) -> None:
    session = OnnxSession(small(tmp_path, kind=kind), "cpu")
    found = session.run(np.full((1, 16, 16, 3), 128.0, np.float32))
    assert found.dtype == np.float32


def test_auto_without_a_gpu_is_the_cpu_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    session = OnnxSession(small(tmp_path), "auto")
    assert session.device == "CPU"
    assert "no GPU support" in session.note


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_gpu_is_not_claimed_when_the_model_did_not_load_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime falls back to the CPU without a word when CUDA's libraries do not match; here it really does."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    session = OnnxSession(small(tmp_path), "auto")
    assert session.device == "CPU"
    assert "CUDA" in session.note
    with pytest.raises(UserError, match="Choose the device auto or cpu"):
        OnnxSession(small(tmp_path), "gpu")


def test_gpu_that_was_asked_for_and_is_not_there_is_refused(tmp_path: Path) -> None:
    if len(onnxruntime.get_available_providers()) > 2:
        pytest.skip("this onnxruntime has a GPU")
    with pytest.raises(UserError, match="no GPU support"):
        OnnxSession(small(tmp_path), "gpu")


def test_gpu_settings_leave_memory_to_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    opened = OnnxSession(small(tmp_path), "cpu")._session

    def open_session(path: str, options: Any, providers: list[Any]) -> Any:
        asked.extend(providers)
        return SimpleNamespace(
            get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
            get_inputs=opened.get_inputs,
            get_outputs=opened.get_outputs,
        )

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    session = OnnxSession(small(tmp_path), "auto")
    assert (session.device, session.note) == ("CUDA", "")
    assert asked[0][1]["arena_extend_strategy"] == "kSameAsRequested"
    assert asked[1] == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:9e76\nsize 1260435999\n", "only a pointer"),
        (b"<!DOCTYPE html><html>Not found</html>", "cannot be loaded"),
        (b"\x08\x08\x12\x00" + bytes(1000), "cannot be loaded"),
    ],
)
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        OnnxSession(path, "cpu")


def test_cut_off_model_is_told(tmp_path: Path) -> None:
    path = small(tmp_path)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"model\.onnx' cannot be loaded: .* damaged"):
        OnnxSession(path, "cpu")


def test_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        OnnxSession(tmp_path / "none.onnx", "cpu")


def test_model_of_something_else_is_told(tmp_path: Path) -> None:
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", 77])
    other = helper.make_tensor_value_info("out", TensorProto.INT64, ["N", 77])
    graph = helper.make_graph([helper.make_node("Identity", ["tokens"], ["out"])], "text", [tokens], [other])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "t.onnx")
    with pytest.raises(UserError, match=r"takes tokens of tensor\(int64\)"):
        OnnxSession(tmp_path / "t.onnx", "cpu")


def test_named_output_is_taken(tmp_path: Path) -> None:
    path = small(tmp_path, outputs=("initial", "refined"))
    batch = np.full((1, 16, 16, 3), 200.0, np.float32)
    first, refined = OnnxSession(path, "cpu").run(batch), OnnxSession(path, "cpu", "refined").run(batch)
    assert np.allclose(first, 1 - refined, atol=1e-6)  # sigmoid(-x)
    with pytest.raises(UserError, match="no output 'last', only initial, refined"):
        OnnxSession(path, "cpu", "last")


def test_failure_while_running_is_told(tmp_path: Path) -> None:
    session = OnnxSession(small(tmp_path), "cpu")
    with pytest.raises(UserError, match=r"failed on CPU with 3 pictures: .*Pictures at once"):
        session.run(np.zeros((3, 15, 16, 3), np.float32))


def test_missing_runtime_is_told_in_the_list_and_when_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert 'pip install "onnxruntime>=1.17' in runtime_problem()
    with pytest.raises(UserError, match="is not installed"):
        OnnxSession(small(tmp_path), "cpu")


def test_broken_runtime_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").write_text("raise ImportError('DLL load failed: 1114')", "utf-8")
    path = small(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="does not load: DLL load failed: 1114"):
        OnnxSession(path, "cpu")


@pytest.mark.parametrize(("version", "too_old"), [("1.16.3", True), ("1.9.0", True), ("1.17.0", False), ("2.0", False)])
def test_old_runtime_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, too_old: bool) -> None:
    monkeypatch.setattr(onnxruntime, "__version__", version)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    assert ("too old" in runtime_problem()) == too_old
    if too_old:
        with pytest.raises(UserError, match=r"1\.17 is needed"):
            OnnxSession(small(tmp_path), "cpu")
    else:
        assert OnnxSession(small(tmp_path), "cpu").device == "CPU"


def test_old_gpu_build_is_not_to_be_joined_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name != "onnxruntime-gpu":
            raise importlib.metadata.PackageNotFoundError
        return "1.16.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert 'pip install "onnxruntime-gpu>=1.17' in runtime_problem()


def test_runtime_that_is_there_has_no_problem() -> None:
    assert runtime_problem() == ""


def test_closed_session_is_a_bug(tmp_path: Path) -> None:
    session = OnnxSession(small(tmp_path), "cpu")
    session.close()
    with pytest.raises(RuntimeError, match="was closed"):
        session.run(np.zeros((1, 16, 16, 3), np.float32))
