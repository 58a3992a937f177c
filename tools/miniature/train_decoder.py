"""Goes on training the decoder alone; latents stay as they are, so that the UNet may be trained on them meanwhile.

Usage: ``python train_decoder.py WORK [--minutes 25]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from common import SCALING, SIZES, Clock, as_input, batches, log_row, pictures
from diffusers import AutoencoderKL
from train_unet import latents
from train_vae import decibels

RATE = 8e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=25, help="of this run; a further run goes on from its result")
    parser.add_argument("--pictures", type=int, default=6000, help="of each size")
    parser.add_argument("--used", type=int, default=4000, help="pictures of each size to train on")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    data = [pictures(args.work, "train", size, args.pictures)[0] for size in SIZES]
    unseen = [pictures(args.work, "unseen", size, 30)[0] for size in SIZES]
    made = [latents(args.work, "train", size, args.pictures, args.used) for size in SIZES]
    vae = AutoencoderKL.from_pretrained(args.work / "vae").to(memory_format=torch.channels_last)
    vae.encoder.requires_grad_(False)
    trained = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=RATE, betas=(0.9, 0.98), weight_decay=1e-3)
    clock, said = Clock(args.minutes), 0.0
    total: list[float] = []
    drawn = batches([args.used] * len(SIZES), [6, 4, 4], np.random.default_rng(args.seed))
    for step, (bucket, chosen) in enumerate(drawn):
        for group in optimizer.param_groups:
            group["lr"] = RATE * clock.rate(step)
        mean, spread = (part[chosen] for part in made[bucket])
        latent = (mean + spread * torch.randn_like(mean)) / SCALING
        error = vae.decode(latent.contiguous(memory_format=torch.channels_last)).sample - as_input(data[bucket][chosen])
        loss = error.abs().mean() + 0.5 * error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        total.append(float(loss.detach()))
        if clock.spent - said > 120 or clock.done >= 1:
            said = clock.spent
            row = {f"db_{w}x{h}": round(decibels(vae, part), 2) for (w, h), part in zip(SIZES, unseen, strict=True)}
            mean_loss = round(float(np.mean(total)), 4)
            log_row(args.work / "decoder.csv", minutes=round(said / 60, 2), step=step + 1, loss=mean_loss, **row)
            total.clear()
            vae.save_pretrained(args.work / "vae-decoder")
        if clock.done >= 1:
            break
    vae.save_pretrained(args.work / "vae-decoder")


if __name__ == "__main__":
    main()
