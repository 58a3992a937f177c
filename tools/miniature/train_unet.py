"""Trains the UNet, and the text encoder along with it, on the latents of drawings.

Usage: ``python train_unet.py WORK TOKENIZER [--minutes 50]``
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from common import (
    SCALING,
    SCHEDULER_CONFIG,
    SIZES,
    UNET_CONFIG,
    Average,
    Clock,
    as_input,
    batches,
    log_row,
    pictures,
    save,
)
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from text import Words, random_captions, small_encoder
from torch.nn import functional

RATES = (1.2e-3, 3e-4)


@torch.no_grad()
def latents(
    work: Path, purpose: str, size: tuple[int, int], count: int, used: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and spread of the scaled latents of drawings, made once."""
    file = work / f"latents-{purpose}-{size[0]}x{size[1]}-{used}.pt"
    if not file.exists():
        vae = AutoencoderKL.from_pretrained(work / "vae").eval().to(memory_format=torch.channels_last)
        pixels, _ = pictures(work, purpose, size, count)
        means, spreads = [], []
        for first in range(0, used, 32):
            given = as_input(pixels[first : min(used, first + 32)]).contiguous(memory_format=torch.channels_last)
            latent = vae.encode(given).latent_dist
            means.append(latent.mean * SCALING)
            spreads.append(latent.std * SCALING)
        save(file, (torch.cat(means).contiguous(), torch.cat(spreads).contiguous()))
    return torch.load(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--pictures", type=int, default=6000, help="of each size")
    parser.add_argument("--used", type=int, default=4000, help="pictures of each size to train on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="begin a new cycle of the learning rate")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--encode-only", action="store_true", help="make the latents and stop")
    parser.add_argument("--compile", action="store_true", help="faster steps after several minutes of preparation")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch._dynamo.config.cache_size_limit = 64
    torch.manual_seed(2)
    if args.encode_only:
        for size in SIZES:
            latents(args.work, "train", size, args.pictures, args.used)
        return
    words = Words(args.tokenizer)
    encoder = small_encoder(words)
    encoder.load_state_dict(torch.load(args.work / "text.pt"))
    unet = UNet2DConditionModel(**UNET_CONFIG).to(memory_format=torch.channels_last)
    groups = [
        {"params": list(module.parameters()), "lr": rate} for module, rate in zip((unet, encoder), RATES, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3, foreach=True)
    average = Average(unet, encoder)
    scheduler = DDIMScheduler(**SCHEDULER_CONFIG)
    resume, step, spent, before = args.work / "unet-state.pt", 0, 0.0, 0.0
    if resume.exists():
        state = torch.load(resume)
        unet.load_state_dict(state["unet"])
        encoder.load_state_dict(state["text"])
        optimizer.load_state_dict(state["optimizer"])
        average.weights = state["average"]
        step, spent, before = state["step"], state["spent"], state["before"]
        if args.again:
            before += spent
            spent = 0.0
    data = [latents(args.work, "train", size, args.pictures, args.used) for size in SIZES]
    shown = [pictures(args.work, "train", size, args.pictures)[1] for size in SIZES]

    denoise = torch.compile(unet, dynamic=False) if args.compile else unet
    clock = Clock(args.minutes, spent)

    def keep() -> None:
        state = {"unet": unet.state_dict(), "text": encoder.state_dict(), "optimizer": optimizer.state_dict()}
        state.update(average=average.weights, step=step, spent=clock.spent, before=before)
        save(resume, state)

    first = step
    saved = said = clock.spent
    losses: list[list[float]] = [[] for _ in SIZES]
    rng = random.Random(f"unet {step}")
    for bucket, chosen in batches([args.used] * 3, [32, 24, 24], np.random.default_rng(step)):
        if clock.done >= 1:
            break
        for group, rate in zip(optimizer.param_groups, RATES, strict=True):
            group["lr"] = args.rate * rate * clock.rate(step - first)
        mean, spread = (part[chosen] for part in data[bucket])
        captions, openings = random_captions([shown[bucket][index] for index in chosen], rng)
        clean = mean + spread * torch.randn_like(mean)
        noise = torch.randn_like(clean)
        times = (1000 * torch.rand(len(chosen)).sqrt()).long().clamp(0, 999)
        noisy = scheduler.add_noise(clean, noise, times).contiguous(memory_format=torch.channels_last)
        context = encoder(words.rows(captions, openings)).last_hidden_state
        loss = functional.mse_loss(denoise(noisy, times, context).sample, noise)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        step += 1
        average.update(min(0.998, (1 + step) / (10 + step)))
        losses[bucket].append(float(loss.detach()))
        if clock.spent - said > 60 or step == first + 20:
            said = clock.spent
            row = {
                f"loss_{w}x{h}": round(float(np.mean(part or [0.0])), 4)
                for (w, h), part in zip(SIZES, losses, strict=True)
            }
            log_row(args.work / "unet.csv", minutes=round((before + said) / 60, 2), step=step, **row)
            losses = [[] for _ in SIZES]
        if clock.spent - saved > 120:
            saved = clock.spent
            keep()
    keep()


if __name__ == "__main__":
    main()
