"""Checkpoints from disk: the same model comes out of every layout."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.hosts.checkpoints import TEXT, YAML, single_file, write_folder, write_single_file, write_yaml
from tests.tiny import tiny_backbone, tiny_parts
from train_gamma.backbone import Backbone, RenderRequest
from train_gamma.errors import UserError
from train_gamma.hosts.load_checkpoint import choose_device, choose_dtype, load_backbone
from train_gamma.training.config import ModelConfig

VECTORS = {"zib": {"clip_l": torch.linspace(-1, 1, 64).reshape(2, 32)}}


def load(path: Path, **settings: Any) -> Backbone:
    return load_backbone(ModelConfig(path=str(path), device="cpu", **settings))


@torch.no_grad()
def outputs(backbone: Backbone) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(1, 4, 8, 8, generator=generator)
    latents = backbone.encode_images(torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1)
    conditioning = backbone.encode_prompts(["a zib, red hair"], VECTORS)
    picture = backbone.render(RenderRequest("a zib", width=64, height=64, steps=2), VECTORS)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return [
        latents.mean,
        latents.std,
        conditioning.context,
        backbone.predict(x_t, torch.tensor([500]), conditioning),
        pixels,
    ]


def assert_same(backbone: Backbone, other: Backbone) -> None:
    assert all(torch.equal(a, b) for a, b in zip(outputs(backbone), outputs(other), strict=True))


@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
def test_single_file_gives_the_model_that_was_written(tmp_path: Path, ending: str) -> None:
    path = write_single_file(tmp_path, ending)
    backbone = load(path)
    assert_same(backbone, tiny_backbone())
    identity = backbone.identity
    assert (identity.family, identity.model_name, identity.vae_name, identity.clip_skip) == ("sd1", "tiny", "", 1)
    assert identity.model_hash == identity.vae_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_folder_gives_the_model_that_was_written(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiny-model")
    backbone = load(folder, clip_skip=1)
    assert_same(backbone, tiny_backbone())
    files = ["text_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"]
    content = b"".join((folder / f"{file}.safetensors").read_bytes() for file in files)
    assert backbone.identity.model_hash == hashlib.sha256(content).hexdigest()
    assert backbone.identity.model_name == "tiny-model"


def test_folder_in_half_precision_and_in_shards(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiny")
    unet, vae = (folder / part / "diffusion_pytorch_model.safetensors" for part in ("unet", "vae"))
    weights = load_file(unet)
    for number, keys in enumerate((sorted(weights)[:9], sorted(weights)[9:]), start=1):
        save_file(
            {key: weights[key] for key in keys},
            unet.with_name(f"diffusion_pytorch_model-0000{number}-of-00002.safetensors"),
        )
    unet.unlink()
    vae.rename(vae.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert_same(load(folder), tiny_backbone())


def test_folder_with_the_old_names_of_the_vae_attention(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiny")
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(path)
    for now, then in old.items():
        weights = {key.replace(f".{now}.", f".{then}."): weight for key, weight in weights.items()}
    save_file(weights, path)
    assert_same(load(folder), tiny_backbone())


def test_other_vae_is_used_and_recorded(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    other = tiny_parts(seed=1)
    bare = {
        key.removeprefix("first_stage_model."): w for key, w in single_file(other).items() if key.startswith("first")
    }
    save_file(bare, tmp_path / "better.vae.safetensors")
    backbone = load(path, vae=str(tmp_path / "better.vae.safetensors"))
    assert_same(backbone, tiny_backbone(vae=other[1]))
    assert backbone.identity.vae_name == "better.vae"
    assert backbone.identity.vae_hash == hashlib.sha256((tmp_path / "better.vae.safetensors").read_bytes()).hexdigest()
    other[1].save_pretrained(tmp_path / "folder" / "vae")
    assert_same(load(path, vae=str(tmp_path / "folder")), tiny_backbone(vae=other[1]))


def test_text_encoder_without_the_inner_prefix_and_with_damaged_positions(tmp_path: Path) -> None:
    prefix = "cond_stage_model.transformer."
    weights = {key.replace(f"{prefix}text_model.", prefix): weight for key, weight in single_file(tiny_parts()).items()}
    weights[f"{prefix}embeddings.position_ids"] = torch.full((1, 77), 3, dtype=torch.int64)
    save_file(weights, tmp_path / "tiny.safetensors")
    write_yaml(tmp_path)
    assert_same(load(tmp_path / "tiny.safetensors"), tiny_backbone())


@pytest.mark.parametrize(
    ("precision", "dtype", "vae_dtype"),
    [
        ("fp16", torch.float16, torch.float16),
        ("bf16", torch.bfloat16, torch.float32),
        ("auto", torch.float32, torch.float32),
    ],
)
def test_precision_is_as_asked(tmp_path: Path, precision: str, dtype: torch.dtype, vae_dtype: torch.dtype) -> None:
    backbone = load(write_single_file(tmp_path), precision=precision)
    assert backbone.dtype == dtype
    assert backbone._vae.model.dtype == vae_dtype
    assert backbone.token_tables()["clip_l"].dtype == dtype


def test_loaded_model_is_frozen_and_in_eval_mode(tmp_path: Path) -> None:
    backbone: Any = load(write_single_file(tmp_path))
    for model in (backbone._unet, backbone._vae.model, backbone._text_encoders["clip_l"]):
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())
        assert not any(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])


def test_clip_skip_is_recorded(tmp_path: Path) -> None:
    assert load(write_single_file(tmp_path), clip_skip=2).identity.clip_skip == 2


@pytest.mark.parametrize("how", ["yaml", "mark", "folder"])
def test_v_prediction_is_recognised(tmp_path: Path, how: str) -> None:
    if how == "folder":
        path = write_folder(tmp_path / "tiny")
        config = path / "scheduler" / "scheduler_config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "prediction_type": "v_prediction"}))
    else:
        path = write_single_file(tmp_path, **({"v_pred": torch.tensor([])} if how == "mark" else {}))
    if how == "yaml":
        write_yaml(tmp_path, YAML.replace("timesteps: 1000", 'timesteps: 1000\n    parameterization: "v"'))
    assert load(path).prediction == "v"


def test_zero_terminal_snr_mark_ends_in_pure_noise(tmp_path: Path) -> None:
    backbone = load(write_single_file(tmp_path, v_pred=torch.tensor([]), ztsnr=torch.tensor([])))
    assert backbone.alphas_cumprod[-1] < 1e-6
    assert backbone.alphas_cumprod[0] == pytest.approx(1 - 0.00085, rel=1e-5)


def test_prediction_is_epsilon_without_any_mark(tmp_path: Path) -> None:
    assert load(write_single_file(tmp_path)).prediction == "epsilon"


def test_betas_come_from_the_yaml(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    write_yaml(tmp_path, YAML.replace("linear_end: 0.0120", "linear_end: 0.0200"))
    expected = (1 - torch.linspace(0.00085**0.5, 0.02**0.5, 1000, dtype=torch.float64) ** 2).prod()
    assert load(path).alphas_cumprod[-1].item() == pytest.approx(expected.item(), rel=1e-3)


def test_number_of_heads_of_the_text_encoder_comes_from_its_config(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    write_yaml(tmp_path, encoder={**TEXT, "num_attention_heads": 2})
    assert not torch.equal(
        load(path).encode_prompts(["a"], {}).context, tiny_backbone().encode_prompts(["a"], {}).context
    )


def test_auto_is_fp32_on_the_cpu_and_fp16_elsewhere() -> None:
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    assert choose_dtype("auto", torch.device("cuda")) == torch.float16
    assert choose_dtype("bf16", torch.device("cpu")) == torch.bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="'cuda' is not available"):
        choose_device("cuda")


def test_missing_miniature_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train_gamma.hosts.load_checkpoint.MINIATURE", tmp_path / "miniature.safetensors")
    with pytest.raises(UserError, match="built-in model is missing"):
        load_backbone(ModelConfig())


@pytest.mark.parametrize("path", ["", "miniature"])
def test_miniature_loads_by_its_name(path: str) -> None:
    backbone = load_backbone(ModelConfig(path=path, device="cpu"))
    assert backbone.identity.model_name == "miniature"
    assert backbone.prediction == "epsilon"
    assert backbone.token_tables()["clip_l"].shape[0] == 49408
