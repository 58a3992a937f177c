"""Writes the checkpoint with everything that hosts need beside it.

Usage: ``python export.py WORK TOKENIZER FOLDER``
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from common import SCHEDULER_CONFIG, TEXT_CONFIG, UNET_CONFIG, VAE_CONFIG
from ldm_keys import single_file
from safetensors.torch import load_file, save_file
from text import Words

SIDE_CAR = """\
# Sizes of miniature.safetensors, for hosts that build the model with the ldm package.
# "version" is the folder of the tokenizer: absolute, or relative to where the host runs.
model:
  base_learning_rate: 1.0e-04
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    linear_start: 0.00085
    linear_end: 0.0120
    num_timesteps_cond: 1
    log_every_t: 200
    timesteps: 1000
    first_stage_key: "jpg"
    cond_stage_key: "txt"
    image_size: 8
    channels: 4
    cond_stage_trainable: false
    conditioning_key: crossattn
    monitor: val/loss_simple_ema
    scale_factor: 0.18215
    use_ema: False

    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        image_size: 8
        in_channels: 4
        out_channels: 4
        model_channels: 96
        attention_resolutions: [ 4, 2, 1 ]
        num_res_blocks: 1
        channel_mult: [ 1, 1, 1 ]
        num_heads: 4
        use_spatial_transformer: True
        transformer_depth: 1
        context_dim: 64
        use_checkpoint: False
        legacy: False

    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
      params:
        embed_dim: 4
        monitor: val/rec_loss
        ddconfig:
          double_z: true
          z_channels: 4
          resolution: 64
          in_channels: 3
          out_ch: 3
          ch: 64
          ch_mult: [ 1, 1, 1, 1 ]
          num_res_blocks: 1
          attn_resolutions: []
          dropout: 0.0
        lossconfig:
          target: torch.nn.Identity

    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenCLIPEmbedder
      params:
        version: tokenizer
"""

MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def full_text(small: dict[str, torch.Tensor], words: Words) -> dict[str, torch.Tensor]:
    """Put the trained rows back into a table of the whole vocabulary; the other rows are random, equally spread."""
    key = next(key for key in small if key.endswith("token_embedding.weight"))
    trained = small[key]
    spread = float(trained.std())
    table = (
        torch.randn(TEXT_CONFIG["vocab_size"], trained.shape[1], generator=torch.Generator().manual_seed(4)) * spread
    )
    table[torch.tensor(words.used)] = trained
    return {**small, key: table}


def settings(folder: Path, name: str, class_name: str, content: dict[str, object]) -> None:
    """Write one of diffusers' settings files."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"_class_name": class_name, **content}, indent=2) + "\n", encoding="utf-8")


def write(work: Path, tokenizer: Path, folder: Path) -> None:
    """Write the checkpoint from the running averages of the training state."""
    state = torch.load(work / "unet-state.pt")
    unet, small = state["average"]
    # The further trained decoder, where there is one, belongs to the same latents.
    better = work / "vae-decoder"
    vae = load_file((better if better.is_dir() else work / "vae") / "diffusion_pytorch_model.safetensors")
    weights = single_file(unet, vae, full_text(small, Words(tokenizer)))
    weights = {key: value.detach().half().contiguous() for key, value in weights.items()}
    betas = (
        torch.linspace(
            SCHEDULER_CONFIG["beta_start"] ** 0.5, SCHEDULER_CONFIG["beta_end"] ** 0.5, 1000, dtype=torch.float64
        )
        ** 2
    )
    weights["betas"] = betas.float()
    weights["alphas_cumprod"] = torch.cumprod(1 - betas, 0).float()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "miniature.safetensors", metadata={"format": "pt"})
    (folder / "miniature.yaml").write_text(SIDE_CAR, encoding="utf-8")

    text = {**TEXT_CONFIG, "architectures": ["CLIPTextModel"], "model_type": "clip_text_model"}
    configs = folder / "diffusers"
    settings(configs, "unet/config.json", "UNet2DConditionModel", UNET_CONFIG)
    settings(configs, "vae/config.json", "AutoencoderKL", VAE_CONFIG)
    settings(configs, "scheduler/scheduler_config.json", "DDIMScheduler", SCHEDULER_CONFIG)
    (configs / "model_index.json").write_text(json.dumps(MODEL_INDEX, indent=2) + "\n", encoding="utf-8")
    # Hosts that build the text encoder with the ldm package look for its sizes in the tokenizer's folder.
    for place in (configs / "text_encoder", folder / "tokenizer"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.json").write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
    for target in (folder / "tokenizer", configs / "tokenizer"):
        target.mkdir(parents=True, exist_ok=True)
        for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
            if (tokenizer / name).resolve() != (target / name).resolve():
                shutil.copyfile(tokenizer / name, target / name)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"step {state['step']}: {len(weights)} tensors, {size / 1e6:.2f} MB in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    write(args.work, args.tokenizer, args.folder)
