"""What the tests in this folder set up in the host, and ask of it in its own ways."""

import shutil
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import numpy
import safetensors.torch
import torch
from torch import Tensor

from train_gamma.backbone import Backbone
from train_gamma.hosts.webui_backbone import borrowed
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control

WIDTH = 64
"""Of the miniature checkpoint's text encoder."""


PROMPT = "a photo of zorb"


def lent(control: Control | None = None, **model: Any) -> AbstractContextManager[Backbone]:
    """The loaded model, for one job."""
    return borrowed(ModelConfig(**model), control or Control())


def rows(count: int = 2, seed: int = 0) -> Tensor:
    """Rows of an embedding, as long as tokens are."""
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)).mul(0.3)


def pixels(count: int = 1, seed: int = 0) -> Tensor:
    """Smooth pictures in [-1, 1]."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(-1, 1)


def embed(name: str, vectors: Tensor) -> Any:
    """An embedding in the host's own database, as reading a file would put it there."""
    from modules import sd_hijack, shared
    from modules.textual_inversion.textual_inversion import Embedding

    embedding = Embedding(vectors, name)
    embedding.vectors, embedding.shape = vectors.shape
    return sd_hijack.model_hijack.embedding_db.register_embedding(embedding, shared.sd_model)


def forget(name: str) -> None:
    """Take an embedding out of the host's database."""
    from modules import sd_hijack, shared

    sd_hijack.model_hijack.embedding_db.register_embedding_by_name(None, shared.sd_model, name)


def forget_conditions() -> None:
    """Empty the host's cache of encoded prompts."""
    from modules import processing

    processing.StableDiffusionProcessing.cached_c = [None, None]
    processing.StableDiffusionProcessing.cached_uc = [None, None]


def txt2img(prompt: str, **more: Any) -> numpy.ndarray:
    """The host's own picture, as its API makes it, (64, 64, 3)."""
    from modules import call_queue, processing, shared

    forget_conditions()
    settings = {"seed": 1, "steps": 4, "width": 64, "height": 64, "cfg_scale": 3.0, "sampler_name": "DDIM", **more}
    with call_queue.queue_lock:
        shared.state.begin("test")
        with closing(processing.StableDiffusionProcessingTxt2Img(prompt=prompt, **settings)) as picture:
            image = processing.process_images(picture).images[0]
        shared.state.end()
    return numpy.asarray(image).astype(int)


def write_vae(folder: Path, name: str = "other.vae.safetensors", change: float = 0.05) -> Path:
    """A VAE file like the checkpoint's, but with other weights."""
    from modules import sd_models

    model = sd_models.model_data.sd_model
    generator = torch.Generator().manual_seed(7)
    weights = {}
    for key, value in model.first_stage_model.state_dict().items():
        noise = torch.randn(value.shape, generator=generator) * change * value.std().nan_to_num(0.0)
        weights[key] = (value.detach() + noise).contiguous()
    path = folder / name
    safetensors.torch.save_file(weights, path)
    return path


def write_checkpoint(name: str = "other") -> Path:
    """A second checkpoint beside the miniature: its UNet has other weights. The host knows it afterwards."""
    from modules import sd_models

    first = Path(sd_models.model_data.sd_model.sd_checkpoint_info.filename)
    path = first.with_name(f"{name}.safetensors")
    if path.exists():  # the host may have it mapped into memory
        return path
    weights = safetensors.torch.load_file(first)
    changed = {k: v.float() * 0.5 if "diffusion_model.out" in k else v for k, v in weights.items()}
    safetensors.torch.save_file({k: v.contiguous() for k, v in changed.items()}, path)
    shutil.copy(first.with_suffix(".yaml"), path.with_suffix(".yaml"))
    sd_models.list_models()
    return path


def write_lora(name: str = "stripes") -> Path:
    """A LoRA for one layer of the UNet and one of the text encoder, in kohya's naming."""
    import networks
    from modules import shared

    layers = {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": (96, WIDTH),
        "lora_te_text_model_encoder_layers_0_mlp_fc1": None,
    }
    generator = torch.Generator().manual_seed(3)
    weights = {}
    for layer, shape in layers.items():
        out, into = shape or _shape_of_fc1()
        weights[f"{layer}.lora_down.weight"] = torch.randn(2, into, generator=generator)
        weights[f"{layer}.lora_up.weight"] = torch.randn(out, 2, generator=generator)
    folder = Path(shared.cmd_opts.lora_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    safetensors.torch.save_file(weights, path)
    networks.list_available_networks()
    return path


def _shape_of_fc1() -> tuple[int, int]:
    from modules import sd_models

    model = sd_models.model_data.sd_model
    layer = model.cond_stage_model.wrapped.transformer.text_model.encoder.layers[0].mlp.fc1
    return layer.out_features, layer.in_features


def gradient(backbone: Backbone, prompt: str, vectors: Tensor, name: str = "zorb", **options: Any) -> Tensor:
    """The gradient of a training loss with respect to the rows."""
    leaf = vectors.detach().clone().requires_grad_(True)
    generator = torch.Generator().manual_seed(11)
    x_t, wanted = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    conditioning = backbone.encode_prompts([prompt], {name: {"clip_l": leaf}}, **options)
    loss = (backbone.predict(x_t, torch.tensor([400]), conditioning) - wanted).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad


def gradient_of_a_run() -> Tensor:
    """The gradient of the rows in a run that begins now."""
    with lent() as backbone, backbone.lend("off"):
        return gradient(backbone, PROMPT, rows())
