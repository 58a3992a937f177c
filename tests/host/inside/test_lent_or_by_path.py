"""The same checkpoint lent by the WebUI and loaded by its path is the same model, and makes the same embedding."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from tests.host.inside.stage import lent, pixels, rows
from tests.training.runs import Heard, embedding_vectors
from tests.worlds import small_config, write_pictures
from train_gamma.demo.checkpoint import CHECKPOINT
from train_gamma.embedding.start import start_vectors
from train_gamma.training.config_reading import from_dict
from train_gamma.training.entry import start_run
from train_gamma.training.events import Control

ROOT = Path(__file__).parents[3]
CLIP_SKIP = 2
PROMPTS = ["a photo of zorb, (literal) [brackets], red hair", "zorb " + "and so on, " * 30]
STEPS = 12


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> str:
    """A Python with diffusers: the one that was given, or the host's if it has them."""
    given = request.config.getoption("--path-python")
    if given is None and importlib.util.find_spec("diffusers") is None:
        pytest.skip("needs diffusers: give a Python that has them with --path-python")
    return str(request.config.invocation_params.dir / given) if given else sys.executable


@pytest.fixture(scope="module")
def by_path(webui: Any, python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the other Python has done its part."""
    folder = tmp_path_factory.mktemp("by path")
    write_pictures(folder / "pictures")
    run = config(folder, folder / "runs by path")
    request = {"checkpoint": str(CHECKPOINT), "clip_skip": CLIP_SKIP, "prompts": PROMPTS, "run": run.to_dict()}
    (folder / "request.json").write_text(json.dumps(request), "utf-8")
    safetensors.torch.save_file(inputs(), folder / "inputs.safetensors")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'modules'}{os.pathsep}{ROOT}"}
    script = Path(__file__).with_name("by_path.py")
    done = subprocess.run(
        [python, script, folder], env=environment, cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def config(folder: Path, runs: Path) -> Any:
    return small_config(
        folder,
        model={"path": str(CHECKPOINT), "device": "cpu", "clip_skip": CLIP_SKIP},
        embedding={"name": "zorb", "num_vectors": 3},
        training={"max_steps": STEPS, "learning_rate": "0.005"},
        output={"folder": str(runs)},
    )


def inputs() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(8)
    return {
        "rows": rows(3),
        "pixels": pixels(2),
        "x_t": torch.randn(2, 4, 8, 8, generator=generator),
        "t": torch.tensor([20, 700]),
    }


def test_every_piece_is_the_same(by_path: Path) -> None:
    expected = safetensors.torch.load_file(by_path / "pieces.safetensors")
    given = inputs()
    leaf = given["rows"].requires_grad_(True)
    with lent(clip_skip=CLIP_SKIP) as backbone, backbone.lend("off"):
        encoded = backbone.encode_images(given["pixels"])
        conditioning = backbone.encode_prompts(PROMPTS, {"zorb": {"clip_l": leaf}})
        predicted = backbone.predict(given["x_t"], given["t"], conditioning)
        predicted.square().mean().backward()  # type: ignore[no-untyped-call]
        found = {
            "mean": encoded.mean,
            "std": encoded.std,
            "context": conditioning.context,
            "predicted": predicted,
            "gradient": leaf.grad,
            "alphas_cumprod": backbone.alphas_cumprod,
            "token_table": backbone.token_tables()["clip_l"],
            "tokens": torch.tensor([token.id for token in backbone.tokenize(PROMPTS[0])]),
        }
    for name, value in expected.items():
        here = found[name]
        assert isinstance(here, Tensor)
        torch.testing.assert_close(here.detach(), value, rtol=1e-4, atol=2e-5 * float(value.abs().max()), msg=name)


def test_the_same_run_makes_the_same_vectors(by_path: Path) -> None:
    """They differ by less than a thousandth of the way they have gone from where they started."""
    run = from_dict(config(by_path, by_path / "runs lent").to_dict())
    with lent(clip_skip=CLIP_SKIP) as backbone:
        started = start_vectors(run.embedding, backbone, run.training.seed)["clip_l"]
        _folder, finished = start_run(run, backbone, Heard(), Control())
    assert finished.path is not None
    here = embedding_vectors(finished.path)
    there = embedding_vectors(Path((by_path / "finished").read_text("utf-8")))
    gone = float((there - started).norm())
    assert gone > 0.1
    assert float((here - there).norm()) < 0.001 * gone
