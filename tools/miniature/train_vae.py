"""Trains the autoencoder, then folds the mean and the spread of its latents into it.

Usage: ``python train_vae.py WORK [--minutes 28]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from common import SCALING, SIZES, VAE_CONFIG, Clock, as_input, batches, log_row, pictures, save
from diffusers import AutoencoderKL
from torch.nn import functional


def decibels(vae: AutoencoderKL, pixels: np.ndarray) -> float:
    """Measure the reconstruction of pictures (peak signal to noise ratio)."""
    with torch.no_grad():
        given = as_input(pixels)
        got = vae.decode(vae.encode(given).latent_dist.mean).sample.clamp(-1, 1)
    errors = ((got - given) / 2).square().flatten(1).mean(1)
    return float((-10 * errors.log10()).mean())


@torch.no_grad()
def fold(vae: AutoencoderKL, latents: list[torch.Tensor]) -> None:
    """Rewrite the two 1 x 1 convolutions so that latents times 0.18215 have mean 0 and spread 1 in each channel."""
    together = torch.cat([part.movedim(1, 0).flatten(1) for part in latents], dim=1)
    mean = together.mean(1)
    factor = 1 / (SCALING * together.std(1))
    before, after = vae.quant_conv, vae.post_quant_conv
    assert before is not None
    assert after is not None
    half = len(mean)
    before.weight[:half] *= factor[:, None, None, None]
    before.bias[:half] = (before.bias[:half] - mean) * factor
    # The second half holds the logarithm of the variance.
    before.bias[half:] += 2 * factor.log()
    after.bias += (after.weight[:, :, 0, 0] * mean).sum(1)
    after.weight /= factor[None, :, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=28)
    parser.add_argument("--pictures", type=int, default=6000, help="of each size")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="faster steps after several minutes of preparation")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch._dynamo.config.cache_size_limit = 64
    data = [pictures(args.work, "train", size, args.pictures)[0] for size in SIZES]
    unseen = [pictures(args.work, "unseen", size, 30)[0] for size in SIZES]

    vae = AutoencoderKL(**VAE_CONFIG).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=1.3e-3, betas=(0.9, 0.98), weight_decay=1e-3)
    resume, step, spent = args.work / "vae-state.pt", 0, 0.0
    if resume.exists():
        state = torch.load(resume)
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]

    def loss_of(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = vae.encode(x).latent_dist
        error = vae.decode(latent.sample()).sample - x
        spread = 0.5 * (latent.mean.square() + latent.var - 1 - latent.logvar).mean()
        return error.abs().mean() + 0.5 * error.square().mean(), spread

    compiled = torch.compile(loss_of, dynamic=False) if args.compile else loss_of
    clock = Clock(args.minutes, spent)
    saved = shown = clock.spent
    total: list[float] = []
    for bucket, chosen in batches([len(part) for part in data], [6, 4, 4], np.random.default_rng(step)):
        if clock.done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 1.3e-3 * clock.rate(step)
        x = as_input(data[bucket][chosen]).contiguous(memory_format=torch.channels_last)
        error, spread = compiled(x)
        optimizer.zero_grad()
        (error + 1e-4 * spread).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        step += 1
        total.append(float(error.detach()))
        if clock.spent - shown > 60 or step == 20:
            shown = clock.spent
            row = {f"db_{w}x{h}": round(decibels(vae, part), 2) for (w, h), part in zip(SIZES, unseen, strict=True)}
            log_row(
                args.work / "vae.csv",
                minutes=round(shown / 60, 2),
                step=step,
                loss=round(float(np.mean(total)), 4),
                **row,
            )
            total.clear()
        if clock.spent - saved > 180:
            saved = clock.spent
            optimizer_state = optimizer.state_dict()
            save(resume, {"vae": vae.state_dict(), "optimizer": optimizer_state, "step": step, "spent": saved})
    save(resume, {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": clock.spent})

    latents = []
    with torch.no_grad():
        for part in data:
            parts = [vae.encode(as_input(part[i : i + 50])).latent_dist.mean for i in range(0, 1000, 50)]
            latents.append(torch.cat(parts))
    before = [decibels(vae, part) for part in unseen]
    fold(vae, latents)
    after = [decibels(vae, part) for part in unseen]
    assert functional.l1_loss(torch.tensor(before), torch.tensor(after)) < 0.01, (before, after)
    for (w, h), value in zip(SIZES, after, strict=True):
        log_row(
            args.work / "vae-final.csv",
            size=f"{w}x{h}",
            db=round(value, 2),
            steps=step,
            minutes=round(clock.spent / 60, 1),
        )
    vae.to(memory_format=torch.contiguous_format).save_pretrained(args.work / "vae")


if __name__ == "__main__":
    main()
