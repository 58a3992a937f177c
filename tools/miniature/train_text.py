"""Teaches the text encoder what belongs together ("green hair, blue eyes"), without pictures.

One linear probe for each attribute reads the last token of the padded caption and names the value of the attribute, or
says that the caption does not mention it. The probes are thrown away afterwards.

Usage: ``python train_text.py WORK TOKENIZER [--minutes 4]``
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from common import Clock, log_row, save, training_values, world
from text import Words, random_captions, small_encoder
from torch import nn
from torch.nn import functional


def targets(shown: list[dict[str, str]], captions: list[list[str]]) -> dict[str, torch.Tensor]:
    """Number what each caption says about each attribute; 0 is nothing."""
    found: dict[str, torch.Tensor] = {}
    for name, attribute in world.ATTRIBUTES.items():
        column = []
        for values, tags in zip(shown, captions, strict=True):
            by_name = name in world.IDENTITY and values["name"] and values["name"] in tags
            said = by_name or (attribute.tags[values[name]] or "-") in tags
            column.append(1 + attribute.values.index(values[name]) if said else 0)
        found[name] = torch.tensor(column)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument(
        "--minutes", type=float, default=4, help="of this run; a further run goes on where the former one ended"
    )
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    rng = random.Random("text")
    words = Words(args.tokenizer)
    encoder = small_encoder(words)
    probes = nn.ModuleDict({name: nn.Linear(64, 1 + len(a.values)) for name, a in world.ATTRIBUTES.items()})
    resume = args.work / "text-state.pt"
    if resume.exists():
        state = torch.load(resume)
        encoder.load_state_dict(state["text"])
        probes.load_state_dict(state["probes"])
    optimizer = torch.optim.AdamW([*encoder.parameters(), *probes.parameters()], lr=2e-3, weight_decay=1e-3)
    clock, step, shown_at = Clock(args.minutes), 0, 0.0
    right = dict.fromkeys(world.ATTRIBUTES, 0.0)
    while clock.done < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * clock.rate(step)
        shown = []
        for _ in range(128):
            name, values = training_values(rng)
            shown.append({"name": name, **values})
        captions, openings = random_captions(shown, rng)
        last = encoder(words.rows(captions, openings)).last_hidden_state[:, -1]
        loss = torch.zeros(())
        for name, wanted in targets(shown, captions).items():
            scores = probes[name](last)
            loss = loss + functional.cross_entropy(scores, wanted)
            right[name] = 0.95 * right[name] + 0.05 * float((scores.argmax(1) == wanted).float().mean())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        step += 1
        if clock.spent - shown_at > 30 or clock.done >= 1:
            shown_at = clock.spent
            row = {name: round(value, 3) for name, value in right.items()}
            log_row(
                args.work / "text.csv",
                minutes=round(shown_at / 60, 2),
                step=step,
                loss=round(float(loss.detach()), 3),
                **row,
            )
    save(resume, {"text": encoder.state_dict(), "probes": probes.state_dict()})
    save(args.work / "text.pt", encoder.state_dict())


if __name__ == "__main__":
    main()
