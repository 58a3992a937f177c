"""Measures an exported checkpoint: does it paint what the tags ask for?

Usage: ``python evaluate.py FOLDER [--count 200] [--sheet SHEET.png] [--table FILE.csv]``
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from common import SIZES, drawing, log_row, world
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from train_gamma.demo.judge import Judge


def load(folder: Path) -> StableDiffusionPipeline:
    """Load the pipeline from the single file."""
    pipe = StableDiffusionPipeline.from_single_file(
        folder / "miniature.safetensors",
        config=str(folder / "diffusers"),
        local_files_only=True,
        torch_dtype=torch.float32,
    )
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def unseen(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Draw combinations of tags; with millions of them, none has been trained on but by rare chance."""
    rng = random.Random(f"evaluation {seed}")
    return [world.random_values(rng, world.ATTRIBUTES) for _ in range(count)]


def paint(
    pipe: StableDiffusionPipeline,
    prompts: Sequence[str],
    size: tuple[int, int],
    seed: int,
    steps: int = 24,
    guidance: float = 3.5,
) -> list[Image.Image]:
    """Paint one picture for each prompt."""
    found: list[Image.Image] = []
    for first in range(0, len(prompts), 50):
        part = list(prompts[first : first + 50])
        noise = torch.Generator().manual_seed(seed + first)
        found += pipe(
            part, width=size[0], height=size[1], num_inference_steps=steps, guidance_scale=guidance, generator=noise
        ).images
    return found


def measure(
    pipe: StableDiffusionPipeline, judge: Judge, combinations: list[dict[str, str]], **options: float
) -> tuple[dict[str, float], list[tuple[dict[str, str], Image.Image]]]:
    """Return the share of prompted values that the judge finds, for each attribute, and the pictures."""
    painted: list[tuple[dict[str, str], Image.Image]] = []
    for index, size in enumerate(SIZES):
        part = combinations[index :: len(SIZES)]
        prompts = [", ".join(world.tags(values, values)) for values in part]
        painted += zip(part, paint(pipe, prompts, size, 1000 * index, **options), strict=True)  # type: ignore[arg-type]
    found = judge.attributes([image for _, image in painted])
    right = {
        name: sum(seen[name] == values[name] for seen, (values, _) in zip(found, painted, strict=True)) / len(painted)
        for name in world.ATTRIBUTES
    }
    return right, painted


def sheet(painted: list[tuple[dict[str, str], Image.Image]], columns: int = 8) -> Image.Image:
    """Show drawings beside what was painted from their tags."""
    painted = painted[: columns * 5]
    cell = 2 * max(max(image.size) for _, image in painted)
    made = Image.new("RGB", (columns * cell, -(-len(painted) // columns) * cell * 2), "white")
    for index, (values, image) in enumerate(painted):
        place = (index % columns * cell, index // columns * cell * 2)
        drawn = drawing.draw(values, values, image.size, index)
        for row, each in enumerate((drawn, image)):
            big = each.resize((each.width * 2, each.height * 2), Image.Resampling.NEAREST)
            made.paste(big, (place[0], place[1] + row * cell))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--note", default="")
    parser.add_argument("--guidance", type=float, default=3.5)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pipe, judge = load(args.folder), Judge.load()
    right, painted = measure(pipe, judge, unseen(args.count, args.seed), steps=args.steps, guidance=args.guidance)
    if args.sheet:
        sheet(painted).save(args.sheet)
    row = {name: round(value, 3) for name, value in right.items()}
    mean = round(sum(right.values()) / len(right), 4)
    if args.table:
        log_row(args.table, note=args.note, combinations=len(painted), mean=mean, worst=min(row.values()), **row)
    else:
        print(mean, row)


if __name__ == "__main__":
    main()
