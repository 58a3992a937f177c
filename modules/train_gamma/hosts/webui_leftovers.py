"""What the last picture has left on the model, and would otherwise be trained on top of.

None of it is put back after a run: the WebUI sets all of it anew for each picture, from its prompt and its settings.
AUTOMATIC1111/stable-diffusion-webui v1.9.4: modules/extra_networks.py, modules/sd_unet.py, modules/sd_hijack.py
(``apply_circular``), modules/sd_models.py (``apply_token_merging``), and extensions-builtin/Lora and /hypertile.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch

from train_gamma.hosts.webui_overrides import settings_set_to


def found(sd_model: Any) -> list[str]:
    """What there is, a sentence each."""
    from modules import sd_hijack, sd_unet, shared

    sentences = [f"LoRA '{network.name}' is still active; the run is made without it." for network in _loras()]
    sentences += [
        f"Hypernetwork '{network.name}' is still active; the run is made without it."
        for network in shared.loaded_hypernetworks
    ]
    if sd_hijack.model_hijack.circular_enabled:
        sentences.append("Tiling is still on from the last picture; the run is made without it.")
    if sd_unet.current_unet is not None:
        sentences.append("Another UNet takes the place of the checkpoint's; the run is made with the checkpoint's own.")
    if getattr(sd_model, "applied_token_merged_ratio", 0):
        sentences.append("Token merging is still on; the run is made without it.")
    if any(tiles.enabled for tiles in _hypertiles(sd_model)):
        sentences.append("Hypertile is still on from the last picture; the run is made without it.")
    return sentences


@torch.no_grad()
def reset(sd_model: Any) -> None:
    """Make the model the one that is in the checkpoint's file."""
    from modules import sd_hijack, sd_models, sd_unet

    _switch_extra_networks_off()
    _take_loras_off_the_weights(sd_model)
    sd_hijack.model_hijack.apply_circular(False)
    sd_unet.apply_unet("None")
    sd_models.apply_token_merging(sd_model, 0)
    for tiles in _hypertiles(sd_model):
        tiles.enabled = False


def _switch_extra_networks_off() -> None:
    """Activate nothing, as a prompt without any ``<...>`` does; not even what the settings add to every prompt."""
    from modules import extra_networks, processing, shared

    nothing = processing.StableDiffusionProcessingTxt2Img(prompt="")
    nothing.all_prompts = []
    always_added = [name for name in ("sd_lora", "sd_hypernetwork") if name in shared.opts.data_labels]
    with settings_set_to(dict.fromkeys(always_added, "None")):
        extra_networks.activate(nothing, {})


def _take_loras_off_the_weights(sd_model: Any) -> None:
    """Have the weights changed back now: the WebUI does so only when a layer is used the next time."""
    networks = sys.modules.get("networks")  # of extensions-builtin/Lora
    if networks is None:
        return
    for module in sd_model.modules():
        if getattr(module, "network_current_names", ()):
            networks.network_apply_weights(module)


def _loras() -> list[Any]:
    return list(getattr(sys.modules.get("networks"), "loaded_networks", ()))


def _hypertiles(sd_model: Any) -> Iterator[Any]:
    """The switches that extensions-builtin/hypertile has put on the model's layers."""
    for module in sd_model.modules():
        tiles = vars(module).get("__webui_hypertile_params")
        if tiles is not None:
            yield tiles
