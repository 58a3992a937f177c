"""The shipped checkpoint: its size, its layout, and that it paints."""

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from train_gamma.demo import checkpoint
from train_gamma.demo.judge import Judge
from train_gamma.demo.world import ATTRIBUTES, NAMES, random_values, tags
from train_gamma.errors import UserError


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    with safe_open(checkpoint.CHECKPOINT, "pt") as file:
        return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def pipe() -> Any:
    diffusers = pytest.importorskip("diffusers")
    made = diffusers.StableDiffusionPipeline.from_single_file(
        checkpoint.CHECKPOINT, config=str(checkpoint.DIFFUSERS), local_files_only=True, torch_dtype=torch.float32
    )
    made.set_progress_bar_config(disable=True)
    return made


def paint(pipe: Any, prompts: list[str], size: tuple[int, int] = (64, 64), steps: int = 3) -> list[Image.Image]:
    noise = torch.Generator().manual_seed(0)
    made = pipe(prompts, width=size[0], height=size[1], num_inference_steps=steps, guidance_scale=3.5, generator=noise)
    return list(made.images)


def test_everything_together_is_small() -> None:
    assert sum(path.stat().st_size for path in checkpoint.FOLDER.rglob("*") if path.is_file()) <= 24_000_000


def test_weights_are_in_half_precision() -> None:
    with safe_open(checkpoint.CHECKPOINT, "pt") as file:
        keys = set(file.keys()) - {"betas", "alphas_cumprod"}
        kinds = {file.get_slice(key).get_dtype() for key in keys}
    assert kinds == {"F16"}


def test_weights_are_finite() -> None:
    with safe_open(checkpoint.CHECKPOINT, "pt") as file:
        assert all(torch.isfinite(file.get_tensor(key)).all() for key in file.keys())  # noqa: SIM118


def test_the_layout_is_that_of_stable_diffusion_1(shapes: dict[str, tuple[int, ...]]) -> None:
    for prefix in ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."):
        assert any(key.startswith(prefix) for key in shapes)
    assert shapes["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"] == (49408, 64)
    assert shapes["cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"][0] == 77
    assert shapes["model.diffusion_model.input_blocks.0.0.weight"][1] == 4
    assert len(shapes["model.diffusion_model.input_blocks.1.1.proj_in.weight"]) == 4
    assert shapes["first_stage_model.encoder.mid.attn_1.q.weight"] == (64, 64, 1, 1)
    assert shapes["first_stage_model.quant_conv.weight"] == (8, 8, 1, 1)


def test_widths_fit_32_groups(shapes: dict[str, tuple[int, ...]]) -> None:
    norms = [
        s for k, s in shapes.items() if re.search(r"(norm\d?|norm_out|in_layers\.0|out_layers\.0|out\.0)\.weight$", k)
    ]
    assert norms
    assert all(shape[0] % 32 == 0 for shape in norms)


def test_the_side_car_tells_the_sizes(shapes: dict[str, tuple[int, ...]]) -> None:
    text = checkpoint.SIDE_CAR.read_text(encoding="utf-8")
    told = {key: int(value) for key, value in re.findall(r"^ *(\w+): (\d+)$", text, re.MULTILINE)}
    assert told["model_channels"] == shapes["model.diffusion_model.input_blocks.0.0.weight"][0]
    assert (
        told["context_dim"]
        == shapes["model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"][1]
    )
    assert told["ch"] == shapes["first_stage_model.encoder.conv_in.weight"][0]


def test_placing_it_for_a_host_names_the_tokenizer(tmp_path: Path) -> None:
    placed = checkpoint.place(tmp_path)
    assert placed.read_bytes() == checkpoint.CHECKPOINT.read_bytes()
    text = placed.with_suffix(".yaml").read_text(encoding="utf-8")
    folder = re.search(r"version: '(.+)'", text)
    assert folder is not None
    assert (Path(folder[1]) / "vocab.json").is_file()
    assert json.loads((Path(folder[1]) / "config.json").read_text(encoding="utf-8"))["hidden_size"] == 64


def test_placing_it_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        checkpoint.place(tmp_path / "missing")


def test_names_are_single_tokens() -> None:
    vocabulary = json.loads((checkpoint.TOKENIZER / "vocab.json").read_text(encoding="utf-8"))
    assert len(vocabulary) == 49408
    assert (vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]) == (49406, 49407)
    assert all(f"{name}</w>" in vocabulary for name in NAMES)


def test_it_loads_in_diffusers_and_paints_every_shape(pipe: Any) -> None:
    for size in ((64, 64), (64, 96), (96, 64)):
        (image,) = paint(pipe, ["1girl, blue hair"], size)
        assert image.size == size
        assert np.asarray(image).std() > 10


def test_the_autoencoder_keeps_a_drawing(pipe: Any) -> None:
    from train_gamma.demo.drawing import draw

    values = random_values(random.Random("autoencoder"), ATTRIBUTES)
    given = torch.from_numpy(np.asarray(draw(values, values)).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        latent = pipe.vae.encode(given).latent_dist.mean
        error = (pipe.vae.decode(latent).sample.clamp(-1, 1) - given).square().mean() / 4
    assert -10 * float(error.log10()) > 20
    # what diffusion works on is about 1 wide
    assert 0.3 < float((latent * 0.18215).std()) < 3


def test_the_prompt_steers_the_picture(pipe: Any) -> None:
    red, blue = paint(pipe, ["1girl, night, black hair, black dress", "1girl, white background, blonde hair"], steps=8)
    assert np.asarray(red).mean() < np.asarray(blue).mean() - 20


@pytest.mark.slow
def test_prompted_values_are_painted(pipe: Any) -> None:
    from diffusers import DDIMScheduler

    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    rng = random.Random("two hundred combinations")
    wanted = [random_values(rng, ATTRIBUTES) for _ in range(200)]
    found: list[dict[str, str]] = []
    judge = Judge.load()
    for first in range(0, 200, 50):
        prompts = [", ".join(tags(values, values)) for values in wanted[first : first + 50]]
        found += judge.attributes(paint(pipe, prompts, steps=24))
    right = {n: sum(f[n] == w[n] for f, w in zip(found, wanted, strict=True)) / 200 for n in ATTRIBUTES}
    assert sum(right.values()) / len(right) >= 0.85, right
    assert min(right.values()) >= 0.70, right
