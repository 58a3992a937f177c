"""Trains the judge on drawings: plain, moved, blurred, noisy, recoloured a little, and sent through the autoencoder.

Usage: ``python train_judge.py WORK OUTPUT [--minutes 6]``
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from common import SIZES, Clock, as_input, batches, drawing, log_row, pictures, world
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch.nn import functional

from train_gamma.demo.judge import Network


def reconstructions(work: Path, count: int) -> list[tuple[np.ndarray, list[dict[str, str]]]]:
    """Return drawings after the autoencoder, where it has been trained."""
    if not (work / "vae").is_dir():
        return []
    vae = AutoencoderKL.from_pretrained(work / "vae").eval().to(memory_format=torch.channels_last)
    found = []
    for width, height in SIZES:
        pixels, shown = pictures(work, "reconstructed", (width, height), count)
        file = work / f"reconstructions-{width}x{height}.npy"
        if not file.exists():
            parts = []
            with torch.no_grad():
                for first in range(0, count, 20):
                    given = as_input(pixels[first : first + 20]).contiguous(memory_format=torch.channels_last)
                    parts.append(vae.decode(vae.encode(given).latent_dist.sample()).sample.clamp(-1, 1))
            got = (torch.cat(parts).permute(0, 2, 3, 1) + 1) * 127.5
            np.save(file, got.round().byte().numpy())
        found.append((np.load(file), shown))
    return found


def worsened(images: torch.Tensor) -> torch.Tensor:
    """Move, blur, recolour and add noise, each to a part of the pictures' batch."""
    if torch.rand(()) < 0.5:
        images = functional.pad(images, (2, 2, 2, 2), mode="reflect")
        down, across = torch.randint(0, 5, (2,)).tolist()
        images = images[..., down : images.shape[2] - 4 + down, across : images.shape[3] - 4 + across]
    if torch.rand(()) < 0.5:
        low = float(torch.empty(()).uniform_(0.25, 0.7))
        small = functional.interpolate(images, scale_factor=low, mode="area")
        soft = functional.interpolate(small, size=images.shape[2:], mode="bilinear")
        images = torch.lerp(images, soft, torch.rand(len(images), 1, 1, 1))
    colour = 1 + 0.12 * torch.randn(len(images), 3, 1, 1)
    images = images * colour + 0.06 * torch.randn(len(images), 3, 1, 1)
    return (images + 0.12 * torch.rand(len(images), 1, 1, 1) * torch.randn_like(images)).clamp(-1, 1)


def numbers(shown: list[dict[str, str]]) -> dict[str, torch.Tensor]:
    """Number the values shown."""
    return {n: torch.tensor([a.values.index(each[n]) for each in shown]) for n, a in world.ATTRIBUTES.items()}


@torch.no_grad()
def accuracy(network: Network, sets: list[tuple[np.ndarray, list[dict[str, str]]]]) -> dict[str, float]:
    """Return the share of right answers for each attribute."""
    right = dict.fromkeys(world.ATTRIBUTES, 0.0)
    count = 0
    for pixels, shown in sets:
        wanted = numbers(shown)
        for first in range(0, len(pixels), 100):
            scores = network(as_input(pixels[first : first + 100]))
            for name, part in scores.items():
                right[name] += float((part.argmax(1) == wanted[name][first : first + 100]).sum())
        count += len(pixels)
    return {name: value / count for name, value in right.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--pictures", type=int, default=6000, help="of each size")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", type=Path, help="weights to begin with, where their shapes fit")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(3)
    sets = [pictures(args.work, "train", size, args.pictures) for size in SIZES]
    sets += reconstructions(args.work, 500)
    unseen = [pictures(args.work, "judged", size, 200) for size in SIZES]
    wanted = [numbers(shown) for _, shown in sets]
    network = Network()
    if args.start:
        former = {key: value.float() for key, value in load_file(args.start).items()}
        mine = network.state_dict()
        fitting = {key: value for key, value in former.items() if mine[key].shape == value.shape}
        network.load_state_dict({**mine, **fitting})
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    clock, step, said = Clock(args.minutes), 0, 0.0
    for bucket, chosen in batches([len(part) for part, _ in sets], [64] * len(sets), np.random.default_rng(0)):
        if clock.done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * clock.rate(step)
        given = worsened(as_input(sets[bucket][0][chosen])).contiguous(memory_format=torch.channels_last)
        scores = network(given)
        loss = sum((functional.cross_entropy(scores[n], wanted[bucket][n][chosen]) for n in scores), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if clock.spent - said > 60:
            said = clock.spent
            right = accuracy(network.eval(), unseen)
            network.train()
            mean = round(float(np.mean(list(right.values()))), 4)
            row = {"loss": round(float(loss.detach()), 3), "mean": mean, "worst": round(min(right.values()), 4)}
            log_row(args.work / "judge.csv", minutes=round(said / 60, 2), step=step, **row)
    network.eval()
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, args.output)
    results = {"fresh drawings": accuracy(network, unseen)}
    if len(sets) > len(SIZES):
        vae = AutoencoderKL.from_pretrained(args.work / "vae").eval()
        again = []
        with torch.no_grad():
            for pixels, shown in unseen:
                got = vae.decode(vae.encode(as_input(pixels[:100])).latent_dist.mean).sample.clamp(-1, 1)
                again.append((((got.permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy(), shown[:100]))
        results["fresh drawings after the autoencoder"] = accuracy(network, again)
    rng = random.Random("large")
    large = []
    for seed in range(20):
        values = {**world.random_values(rng, world.IDENTITY), **world.random_scene(rng)}
        large.append((np.asarray(drawing.draw(values, values, (128, 128), seed).reduce(2)), values))
    results["drawn at twice the size"] = accuracy(network, [(np.stack([p for p, _ in large]), [v for _, v in large])])
    for name, right in results.items():
        row = {key: round(value, 4) for key, value in right.items()}
        log_row(
            args.work / "judge-final.csv", pictures=name, mean=round(float(np.mean(list(right.values()))), 4), **row
        )
    print(json.dumps({"parameters": sum(p.numel() for p in network.parameters()), "steps": step}))


if __name__ == "__main__":
    main()
