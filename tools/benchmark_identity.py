"""Train the demo on several drawn characters and print a table of how well each was learned.

Usage: ``python tools/benchmark_identity.py WORK [--seeds 9000 9001 ...] [--set section.key=value ...]``, and
``--from-pictures`` for captions by the miniature tagger.
A character that has its outcome in WORK already is not trained again.
"""

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "modules"))

from train_gamma.cli.configuration import parse_changes  # noqa: E402
from train_gamma.cli.progress import TerminalProgress  # noqa: E402
from train_gamma.demo.benchmark import described_identity, run_demo, train_and_measure  # noqa: E402
from train_gamma.demo.judge import Judge  # noqa: E402
from train_gamma.demo.tagging import draw_and_tag  # noqa: E402
from train_gamma.demo.world import BENCHMARK_SEEDS, IDENTITY, random_character, tags  # noqa: E402
from train_gamma.hosts.load_checkpoint import load_backbone  # noqa: E402
from train_gamma.training.config import ModelConfig  # noqa: E402
from train_gamma.training.events import Control  # noqa: E402

FIGURES = ("identity_before", "identity_after", "described", "eval_loss_before", "eval_loss_after", "seconds")


def main() -> None:
    """Train on each character and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(BENCHMARK_SEEDS))
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--from-pictures", action="store_true", help="captions by the miniature tagger")
    arguments = parser.parse_args()
    backbone = load_backbone(ModelConfig(path="miniature"))
    changes = parse_changes(arguments.set)
    results = {
        seed: measure(backbone, seed, arguments.work, changes, arguments.from_pictures) for seed in arguments.seeds
    }
    print(table(results))


def measure(
    backbone: Any, seed: int, work: Path, changes: dict[str, Any], from_pictures: bool = False
) -> dict[str, float]:
    """The figures of one character."""
    kept = work / f"{seed}.json"
    if not kept.exists():
        if from_pictures:
            print(draw_and_tag(seed, work / str(seed)).story(), flush=True)
        way = train_and_measure if from_pictures else run_demo
        outcome, _ = way(seed, work / str(seed), backbone, TerminalProgress(quiet=True), Control(), changes)
        described = described_identity(backbone, Judge.load(), random_character(seed))
        kept.write_text(json.dumps({**asdict(outcome), "described": described}), "utf-8")
        print(f"{seed}: {outcome.summary()}, described {described:.2f}, {outcome.contact_sheet}", flush=True)
    content: dict[str, float] = json.loads(kept.read_text("utf-8"))
    return content


def table(results: dict[int, dict[str, float]]) -> str:
    """The figures as markdown, with mean and standard deviation."""
    lines = [
        "| seed | character | identity before | after | traits as tags | evaluation loss before | after | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for seed, result in results.items():
        look = ", ".join(tags(random_character(seed), {}, IDENTITY))
        lines.append(f"| {seed} | {look} | {_cells([result[key] for key in FIGURES])} |")
    for word, of in (("mean", statistics.mean), ("standard deviation", statistics.stdev)):
        if len(results) > 1:
            lines.append(f"| {word} | | {_cells([of([r[key] for r in results.values()]) for key in FIGURES])} |")
    return "\n".join(lines)


def _cells(values: list[float]) -> str:
    formats = (".2f", ".2f", ".2f", ".3f", ".3f", ".0f")
    return " | ".join(format(value, spec) for value, spec in zip(values, formats, strict=True))


if __name__ == "__main__":
    main()
