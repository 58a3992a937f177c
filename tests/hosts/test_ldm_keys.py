"""Names of weights in single files, against the library's converter and against published counts for SD 1.5."""

from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.hosts.checkpoints import as_convolution, state
from tests.tiny import TEXT, UNET, VAE
from train_gamma.hosts.ldm_keys import TEXT_PREFIXES, UNET_PREFIX, VAE_PREFIX, text_keys, unet_key, vae_key
from train_gamma.hosts.sd1_config import SD1


def empty_model(cls_name: str, config: Any) -> Any:
    return _empty_model(cls_name, tuple(config.items()))


@lru_cache
def _empty_model(cls_name: str, config: tuple[tuple[str, Any], ...]) -> Any:
    import diffusers

    with torch.device("meta"):
        return getattr(diffusers, cls_name)(**dict(config))


def empty_text_encoder(config: Any) -> Any:
    import transformers

    with torch.device("meta"):
        return transformers.CLIPTextModel(transformers.CLIPTextConfig(**config))


@pytest.mark.parametrize("config", [UNET, SD1.unet], ids=["tiny", "sd1"])
def test_library_reads_the_unet_back_from_these_keys(config: Any) -> None:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    unet = empty_model("UNet2DConditionModel", config)
    types = config["up_block_types"]
    keys = {UNET_PREFIX + unet_key(n, config["layers_per_block"], types): weight for n, weight in state(unet)}
    back = convert_ldm_unet_checkpoint(dict(keys), dict(unet.config))
    assert same(back, unet)


@pytest.mark.parametrize("config", [VAE, SD1.vae], ids=["tiny", "sd1"])
def test_library_reads_the_vae_back_from_these_keys(config: Any) -> None:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    vae = empty_model("AutoencoderKL", config)
    keys = {VAE_PREFIX + vae_key(n, 4): as_convolution(n, weight) for n, weight in state(vae)}
    back = convert_ldm_vae_checkpoint(dict(keys), dict(vae.config))
    assert {name: weight.shape for name, weight in back.items()} == {name: weight.shape for name, weight in state(vae)}


@pytest.mark.parametrize("config", [TEXT, SD1.text_encoder], ids=["tiny", "sd1"])
def test_library_reads_the_text_encoder_back_from_these_keys(config: Any) -> None:
    from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint

    encoder = empty_text_encoder(config)
    keys = {text_keys(n)[0]: weight for n, weight in state(encoder)}
    back = {n.removeprefix("text_model."): weight for n, weight in convert_ldm_clip_checkpoint(keys).items()}
    assert set(back) == {n.removeprefix("text_model.") for n, _ in state(encoder)}
    assert all(key.startswith(TEXT_PREFIXES[0]) for key in keys)


def same(converted: dict[str, Tensor], model: Any) -> bool:
    """Every weight is there, and is the very one: shapes alone would not tell two layers apart."""
    own = dict(state(model))
    return set(converted) == set(own) and all(converted[n].shape == own[n].shape for n in own)


def test_converted_values_are_the_very_ones() -> None:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    unet, vae = empty_model("UNet2DConditionModel", UNET), empty_model("AutoencoderKL", VAE)
    # each weight is its own number, so that an exchange of two cannot hide
    unet_numbers = {name: torch.full((1,), float(i)) for i, (name, _) in enumerate(state(unet))}
    keys = {UNET_PREFIX + unet_key(n, 1, UNET["up_block_types"]): number for n, number in unet_numbers.items()}
    assert convert_ldm_unet_checkpoint(keys, dict(unet.config)) == unet_numbers
    vae_numbers = {name: torch.full((1,), float(i)) for i, (name, _) in enumerate(state(vae))}
    keys = {VAE_PREFIX + vae_key(n, 4): number for n, number in vae_numbers.items()}
    assert convert_ldm_vae_checkpoint(keys, dict(vae.config)) == vae_numbers


def test_size_of_sd15_is_the_published_one() -> None:
    # parameters as in the model cards of SD 1.5 (860M UNet, 123M text encoder) and keys as in v1-5-pruned-emaonly
    unet, vae = empty_model("UNet2DConditionModel", SD1.unet), empty_model("AutoencoderKL", SD1.vae)
    encoder = empty_text_encoder(SD1.text_encoder)
    counts = [(sum(w.numel() for _, w in state(m)), len(state(m))) for m in (unet, vae, encoder)]
    assert counts == [(859_520_964, 686), (83_653_863, 248), (123_060_480, 196)]


def test_keys_of_the_original_checkpoint_are_among_them() -> None:
    unet, vae = empty_model("UNet2DConditionModel", SD1.unet), empty_model("AutoencoderKL", SD1.vae)
    found = {UNET_PREFIX + unet_key(n, 2, SD1.unet["up_block_types"]) for n, _ in state(unet)}
    found |= {VAE_PREFIX + vae_key(n, 4) for n, _ in state(vae)}
    found |= {text_keys(n)[0] for n, _ in state(empty_text_encoder(SD1.text_encoder))}
    assert len(found) == 686 + 248 + 196
    assert found > {
        "model.diffusion_model.input_blocks.11.0.in_layers.0.weight",
        "model.diffusion_model.input_blocks.3.0.op.weight",
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.output_blocks.2.1.conv.weight",
        "model.diffusion_model.output_blocks.5.2.conv.bias",
        "model.diffusion_model.output_blocks.11.1.proj_out.weight",
        "model.diffusion_model.time_embed.2.weight",
        "model.diffusion_model.out.2.weight",
        "first_stage_model.decoder.up.3.upsample.conv.weight",
        "first_stage_model.decoder.mid.attn_1.proj_out.weight",
        "first_stage_model.encoder.down.1.block.0.nin_shortcut.weight",
        "first_stage_model.post_quant_conv.bias",
        "cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc2.bias",
    }
