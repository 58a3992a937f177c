"""``train`` and ``resume``."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from train_gamma.cli.configuration import parse_changes, read_configuration

FAILED, INTERRUPTED = 1, 130


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    train = commands.add_parser("train", help="train an embedding as a TOML file says")
    train.add_argument("config", type=Path, metavar="CONFIG.toml")
    add_set(train)
    train.set_defaults(run=run_train)
    resume = commands.add_parser("resume", help="go on with a run")
    resume.add_argument("folder", type=Path, metavar="RUN")
    add_set(resume)
    resume.set_defaults(run=run_resume)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes single settings."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change a setting; may be repeated"
    )


def run_train(arguments: argparse.Namespace) -> int:
    """Train a new embedding."""
    config = read_configuration(arguments.config, arguments.set)

    def start(listener: Any, control: Any) -> tuple[Any, Any]:
        from train_gamma.hosts.load_checkpoint import load_backbone
        from train_gamma.training.entry import start_run

        return start_run(config, load_backbone(config.model), listener, control)

    return run_job(start)


def run_resume(arguments: argparse.Namespace) -> int:
    """Go on with a run."""
    changes = parse_changes(arguments.set)

    def go_on(listener: Any, control: Any) -> tuple[Any, Any]:
        from train_gamma.hosts.load_checkpoint import load_backbone
        from train_gamma.training.entry import resume_run, resumed_config
        from train_gamma.training.run_folder import open_run_folder

        config, _ = resumed_config(open_run_folder(arguments.folder), changes)
        return resume_run(arguments.folder, load_backbone(config.model), listener, control, changes)

    return run_job(go_on)


def run_job(job: Callable[[Any, Any], tuple[Any, Any]], quiet: bool = False) -> int:
    """Run a training job with a progress bar and Ctrl-C, and say how it ended."""
    from train_gamma.cli.progress import TerminalProgress
    from train_gamma.training.events import Control

    control = Control()
    with interruptible(control.stop):
        folder, finished = job(TerminalProgress(quiet=quiet), control)
    return tell_end(folder.path, finished)


def tell_end(folder: Path, finished: Any) -> int:
    """Print where the embedding is and how to go on; the exit code."""
    if finished.reason == "finished":
        print(f"Done: {finished.step} steps.\nEmbedding: {finished.path}\nRun: {folder}")
        return 0
    if finished.reason == "stopped":
        print(
            f"Stopped after {finished.step} steps.\nEmbedding: {finished.path}\nGo on with: train-gamma resume {folder}"
        )
        return INTERRUPTED
    print(
        f"Ended after {finished.step} steps, as the loss was not finite several times in a row. The last good vectors "
        f"are in {finished.path}. Try model.precision=fp32 or bf16, or a lower learning rate.",
        file=sys.stderr,
    )
    return FAILED


@contextmanager
def interruptible(stop: Callable[[], None], unit: str = "step") -> Iterator[None]:
    """Turn the first Ctrl-C into ``stop``; a second one ends at once, with what is saved."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        print(f"\nStopping after this {unit}; press Ctrl-C again to end at once.", file=sys.stderr)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
