"""Trains the miniature tagger on drawings and writes it as the WD taggers are: model.onnx and selected_tags.csv.

Usage: ``python train_tagger.py WORK OUTPUT [--minutes 25]``
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from common import Clock, batches, log_row
from numpy.typing import NDArray
from tagger_onnx import Network, write_model
from tagger_pictures import POSTS, RATINGS, SIDE, VARIANTS, part, tag_counts
from torch.nn import functional

BATCH = 32
PART = 1000


def as_given(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """(N, 3, SIDE, SIDE), between -1 and 1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def recoloured(pictures: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Change brightness, contrast and colours of some a little, and add some noise, in place."""
    count = len(pictures)
    some = (torch.rand(count, 1, 1, 1) < 0.6).float()
    gain = 1 + some * (0.05 * torch.randn(count, 1, 1, 1) + 0.03 * torch.randn(count, 3, 1, 1))
    shift = some * 0.04 * torch.randn(count, 1, 1, 1)
    strength = some * 0.08 * torch.rand(count, 1, 1, 1)
    chosen = noise[torch.randint(len(noise), (count,))]
    return pictures.mul_(gain).add_(shift).addcmul_(strength, chosen).clamp_(-1, 1)


def balance(probabilities: NDArray[np.float32], wanted: NDArray[np.bool_]) -> tuple[float, float]:
    """The threshold at which as many tags are given as there are, and the micro-F1 there.

    Precision (right / given) and recall (right / there) are equal where given and there are equally many.
    """
    there = int(wanted.sum())
    ranked = np.sort(probabilities.ravel())[::-1]
    threshold = float(ranked[there - 1] + ranked[there]) / 2
    given = probabilities >= threshold
    return threshold, 2 * float((given & wanted).sum()) / float(given.sum() + there)


def probabilities_of(model: Path, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What onnxruntime says of pictures in RGB, without the ratings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    found = []
    for first in range(0, len(pictures), BATCH):
        given = pictures[first : first + BATCH, :, :, ::-1].astype(np.float32)
        found.append(session.run(["output"], {"input": given})[0])
    return np.concatenate(found)[:, len(RATINGS) :]


def write_tags(path: Path) -> None:
    """Write the list of tags in the WD taggers' format; the ratings' counts sum to the number of posts."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["tag_id", "name", "category", "count"])
        for index, name in enumerate(RATINGS):
            writer.writerow([9_999_999 - index, name, 9, POSTS if name == "general" else 0])
        for index, (name, count) in enumerate(tag_counts().items()):
            writer.writerow([index + 1, name, 0, count])


def write_all(network: Network, output: Path, judged: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> dict[str, float]:
    """Write model, tags and thresholds, and measure what was written."""
    output.mkdir(parents=True, exist_ok=True)
    write_model(network, output / "model.onnx")
    write_tags(output / "selected_tags.csv")
    pictures, wanted = judged
    probabilities = probabilities_of(output / "model.onnx", pictures)
    threshold, score = balance(probabilities, wanted)
    plain = slice(None, None, VARIANTS)
    given = probabilities[plain] >= threshold
    on_plain = 2 * float((given & wanted[plain]).sum()) / float(given.sum() + wanted[plain].sum())
    figures = {"threshold": round(threshold, 4), "micro_f1": round(score, 4), "plain": round(on_plain, 4)}
    metadata = {
        "thresholds": {"general": figures["threshold"]},
        "micro_f1": figures["micro_f1"],
        "micro_f1_of_plain_drawings": figures["plain"],
        "how": f"Precision equals recall on {len(pictures)} pictures that were not trained on: "
        f"{len(pictures) // VARIANTS} drawings of 64 to 512 pixels, each plain and {VARIANTS - 1} times cropped, "
        "reduced, blurred or compressed.",
    }
    (output / "metadata.json").write_text(json.dumps(metadata, indent=4) + "\n", encoding="utf-8")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=15, help="of the processor's time")
    parser.add_argument("--parts", type=int, default=12, help=f"of {PART} drawings each")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(5)
    sets = [part(args.work, "train", number, PART) for number in range(args.parts)]
    pictures, tags = (np.concatenate(each) for each in zip(*sets, strict=True))
    judged = part(args.work, "judged", 0, 500)
    network = Network()
    if args.start:
        network.load_state_dict(torch.load(args.start))
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    noise = torch.randn(24, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    clock, step, said = Clock(args.minutes, of=time.process_time), 0, 0.0
    for _, chosen in batches([len(pictures)], [BATCH], np.random.default_rng(0)):
        if clock.done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * clock.rate(step)
        given = recoloured(as_given(pictures[chosen]), noise)
        loss = functional.binary_cross_entropy_with_logits(network(given), torch.from_numpy(tags[chosen]).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if clock.spent - said > 60:
            said = clock.spent
            figures = write_all(network, args.output, judged)
            network.train()
            minutes, now = round(said / 60, 2), round(float(loss.detach()), 4)
            log_row(args.work / "tagger.csv", minutes=minutes, step=step, loss=now, **figures)
    torch.save(network.state_dict(), args.work / "tagger.pt")
    print(json.dumps({"steps": step, "weights": sum(p.numel() for p in network.parameters())}))
    print(json.dumps(write_all(network, args.output, judged)))


if __name__ == "__main__":
    main()
