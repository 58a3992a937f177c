"""Files that are no model to train on, and what is said about them."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.hosts.checkpoints import YAML, single_file, write_folder, write_single_file, write_yaml
from tests.tiny import tiny_parts
from train_gamma.errors import UserError
from train_gamma.hosts.load_checkpoint import load_backbone
from train_gamma.training.config import ModelConfig

UNET_IN = "model.diffusion_model.input_blocks.0.0.weight"


def message(path: Path, **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        load_backbone(ModelConfig(path=str(path), device="cpu", **settings))
    assert str(caught.value).rstrip().endswith(".")
    return str(caught.value)


def saved(folder: Path, **weights: torch.Tensor) -> Path:
    save_file(weights, folder / "file.safetensors")
    return folder / "file.safetensors"


def test_missing_file(tmp_path: Path) -> None:
    assert "nothing.safetensors' does not exist" in message(tmp_path / "nothing.safetensors")


def test_wrong_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"png")
    assert "must end in one of .safetensors, .ckpt" in message(tmp_path / "picture.png")


@pytest.mark.parametrize("size", [0, 5, 300, 40_000])
def test_truncated_safetensors(tmp_path: Path, size: int) -> None:
    path = write_single_file(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    assert f"not a whole .safetensors file ({size} bytes" in message(path)


@pytest.mark.parametrize("size", [0, 5, 40_000])
def test_truncated_ckpt(tmp_path: Path, size: int) -> None:
    path = write_single_file(tmp_path, ".ckpt")
    path.write_bytes(path.read_bytes()[:size])
    assert "tiny.ckpt'" in message(path)


def test_web_page_instead_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("<!DOCTYPE html><html>Log in</html>", encoding="utf-8")
    assert "not a whole .safetensors file" in message(tmp_path / "model.safetensors")


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".bin"])
def test_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path, ending: str, zipped: bool) -> None:
    path, trace = tmp_path / f"model{ending}", tmp_path / "was-run"
    content = {"state_dict": {UNET_IN: torch.zeros(4, 4, 3, 3)}, "callbacks": Malicious(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert "mkdir" in message(path)
    assert not trace.exists()


def test_pickle_that_runs_code_is_refused_as_vae(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    torch.save(Malicious(tmp_path / "was-run"), tmp_path / "vae.pt")
    assert "could run code" in message(path, vae=str(tmp_path / "vae.pt"))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (["lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight"], "a LoRA"),
        (["unet.down_blocks.0.attentions.0.to_q.lora_A.weight"], "a LoRA"),
        (["emb_params"], "an embedding"),
        (["clip_l", "clip_g"], "an embedding"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "a VAE"),
        (["first_stage_model.encoder.conv_in.weight"], "a VAE"),
        (["control_model.input_blocks.0.0.weight"], "a ControlNet"),
        (["down_blocks.0.resnets.0.conv1.weight"], "the UNet of a diffusers folder"),
        (["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"], "a text encoder"),
        (["something.else"], "it has no UNet (first of 1 keys: 'something.else')"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, keys: list[str], what: str) -> None:
    path = saved(tmp_path, **{key: torch.zeros(2, 2) for key in keys})
    text = message(path)
    assert "is not a checkpoint" in text
    assert what in text


def test_embedding_of_the_webui_is_named(tmp_path: Path) -> None:
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.zeros(2, 8)}}, tmp_path / "zib.pt")
    assert "perhaps an embedding" in message(tmp_path / "zib.pt")


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight", "SDXL"),
        ("cond_stage_model.model.transformer.resblocks.0.ln_1.weight", "SD 2.x"),
        ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "SD 3"),
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "Flux"),
    ],
)
def test_other_families_are_named(tmp_path: Path, key: str, family: str) -> None:
    path = saved(tmp_path, **{key: torch.zeros(2, 2), UNET_IN: torch.zeros(4, 4, 3, 3)})
    assert f"{family} is not supported yet" in message(path)


def test_inpainting_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = write_single_file(tmp_path, **{UNET_IN: torch.zeros(32, 9, 3, 3)})
    assert "mask" in message(path)
    assert "inpainting" in message(path)


def test_instructed_model_is_refused(tmp_path: Path) -> None:
    assert "takes 8 channels" in message(write_single_file(tmp_path, **{UNET_IN: torch.zeros(32, 8, 3, 3)}))


@pytest.mark.parametrize(("prefix", "part"), [("first_stage_model.", "VAE"), ("cond_stage_model.", "text encoder")])
def test_checkpoint_without_a_part_is_refused(tmp_path: Path, prefix: str, part: str) -> None:
    keys = [key for key in single_file(tiny_parts()) if key.startswith(prefix)]
    path = write_single_file(tmp_path, **dict.fromkeys(keys))
    assert f"has no {part} in it" in message(path)


def test_missing_weight_is_named(tmp_path: Path) -> None:
    path = write_single_file(tmp_path, **{"model.diffusion_model.out.2.bias": None})
    assert "lacks the weight 'conv_out.bias'" in message(path)


def test_model_of_another_shape_asks_for_its_yaml(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    (tmp_path / "tiny.yaml").unlink()
    assert "needs its .yaml" in message(path)


@pytest.mark.parametrize("text", ["model: [", "model: {}", "- 1", "", "model: {params: {unet_config: 3}}"])
def test_yaml_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = write_single_file(tmp_path)
    write_yaml(tmp_path, text)
    assert "tiny.yaml'" in message(path)


def test_unknown_prediction_is_refused(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    write_yaml(tmp_path, YAML.replace("timesteps: 1000", "timesteps: 1000\n    parameterization: x0"))
    assert "predicts 'x0'" in message(path)


def test_vae_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_single_file(tmp_path)
    other = saved(tmp_path, something=torch.zeros(2))
    assert "is not a VAE" in message(path, vae=str(other))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_folder_without_weights_or_config_is_refused(tmp_path: Path, part: str) -> None:
    folder = write_folder(tmp_path / "tiny")
    for file in (folder / part).glob("*.safetensors"):
        file.unlink()
    assert "has no weights" in message(folder)
    (folder / part / "config.json").unlink()
    assert f"'{Path(part) / 'config.json'}' is missing" in message(folder)


def test_folder_of_pictures_is_refused(tmp_path: Path) -> None:
    assert "is not a diffusers folder" in message(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('"cross_attention_dim": 32', '"cross_attention_dim": 1024', "SD 2.x is not supported yet"),
        ('"addition_embed_type": null', '"addition_embed_type": "text_time"', "SDXL is not supported yet"),
        ('"in_channels": 4', '"in_channels": 9', "inpainting"),
        ("UNet2DConditionModel", "SD3Transformer2DModel", "SD3Transformer2DModel is not supported yet"),
        ("{", "", "cannot be read as JSON"),
    ],
)
def test_folder_of_another_model_is_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    folder = write_folder(tmp_path / "tiny")
    config = folder / "unet" / "config.json"
    content = config.read_text(encoding="utf-8")
    assert old in content
    config.write_text(content.replace(old, new), encoding="utf-8")
    assert text in message(folder)
