"""``demo``: the whole way from pictures to an embedding on the built-in miniature checkpoint."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from train_gamma.cli.options import add_json
from train_gamma.demo.samples import SAMPLE_CHARACTER


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser("demo", help="train on a drawn character with the built-in miniature checkpoint")
    demo.add_argument("--character", type=int, default=SAMPLE_CHARACTER, metavar="SEED", help="which character to draw")
    demo.add_argument(
        "--out", type=Path, default=Path("demo-run"), metavar="DIR", help="folder for everything it makes"
    )
    demo.add_argument(
        "--from-pictures",
        action="store_true",
        help="draw pictures without captions, and let the built-in miniature tagger write them",
    )
    add_json(demo)
    demo.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and print where its results are."""
    import torch

    from train_gamma.cli.progress import TerminalProgress
    from train_gamma.cli.training import interruptible
    from train_gamma.demo.benchmark import run_demo, train_and_measure
    from train_gamma.demo.tagging import draw_and_tag
    from train_gamma.hosts.load_checkpoint import load_backbone
    from train_gamma.training.config import ModelConfig
    from train_gamma.training.events import Control

    torch.set_num_threads(1)  # the miniature is so small that threads mostly wait for each other
    started = time.monotonic()
    control = Control()
    if not arguments.json:
        print(f"Drawing character {arguments.character} and training an embedding of it ...", file=sys.stderr)
    with interruptible(control.stop):
        if arguments.from_pictures:
            tagged = draw_and_tag(arguments.character, arguments.out)
            if not arguments.json:
                print(tagged.story(), file=sys.stderr)
        outcome, _ = (train_and_measure if arguments.from_pictures else run_demo)(
            arguments.character,
            arguments.out,
            load_backbone(ModelConfig(path="miniature")),
            TerminalProgress(quiet=arguments.json),
            control,
        )
    outcome = replace(outcome, seconds=round(time.monotonic() - started, 1))
    if arguments.json:
        print(outcome.to_json())
    else:
        print(f"Embedding:     {outcome.embedding}\nContact sheet: {outcome.contact_sheet}\n{outcome.summary()}")
    return 0
