"""Measure what the prune assistant is worth on drawn characters: what it suggests, and what embeddings learn by it.

Usage: ``python tools/benchmark_pruning.py WORK [--characters 30] [--seeds 9000 9001 ...]``.

First the tags that it ticks are compared with the character's own, on captions of the true tags and on captions by
the miniature tagger. Then the demo is trained on the same pictures with three kinds of captions: all tags, those that
are left when the ticked ones are removed, and none. A run that has its outcome in WORK already is not made again.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "modules"))

from train_gamma.backbone import Backbone  # noqa: E402
from train_gamma.captions.assistant import advise  # noqa: E402
from train_gamma.captions.edits import keep_first, remove  # noqa: E402
from train_gamma.captions.store import CaptionStore, open_store  # noqa: E402
from train_gamma.cli.progress import TerminalProgress  # noqa: E402
from train_gamma.demo.benchmark import train_and_measure  # noqa: E402
from train_gamma.demo.samples import write_dataset  # noqa: E402
from train_gamma.demo.world import BENCHMARK_SEEDS, IDENTITY, random_character, tags  # noqa: E402
from train_gamma.hosts.load_checkpoint import load_backbone  # noqa: E402
from train_gamma.hosts.standalone import StandaloneHost  # noqa: E402
from train_gamma.service import Service  # noqa: E402
from train_gamma.tagging.config import OVERWRITE, TagConfig  # noqa: E402
from train_gamma.training.config import ModelConfig  # noqa: E402
from train_gamma.training.events import Control  # noqa: E402

FIRST_CHARACTER = 300


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--characters", type=int, default=30, help="for the suggestions; 0 leaves that part out")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(BENCHMARK_SEEDS), help="for the embeddings")
    arguments = parser.parse_args()
    seeds = range(FIRST_CHARACTER, FIRST_CHARACTER + arguments.characters)
    if seeds:
        service = Service(StandaloneHost(arguments.work / "data"))
        compare(seeds, arguments.work / "true tags", lambda _folder: None)
        compare(seeds, arguments.work / "tagged", partial(tag, service))
    if arguments.seeds:
        learn(arguments.seeds, arguments.work)


def compare(seeds: range, work: Path, caption: Callable[[Path], None]) -> None:
    """Draw sets with all tags, caption them anew, and count how many of the ticked tags are the character's own."""
    precision, recall = [], []
    for seed in seeds:
        write_dataset(seed, work / str(seed), captions="full")
        caption(work / str(seed))
        ticked = set(advise(open_store(work / str(seed), recursive=False).captions).ticked)
        truth = set(tags(random_character(seed), {}, IDENTITY))
        precision.append(len(ticked & truth) / len(ticked))
        recall.append(len(ticked & truth) / len(truth))
    for name, values in (("precision", precision), ("recall", recall)):
        deviation = statistics.pstdev(values)
        print(f"{work.name}: {name} {statistics.mean(values):.4f} +- {deviation:.4f}, lowest {min(values):.3f}")


def tag(service: Service, folder: Path) -> None:
    """Replace the captions by those of the miniature tagger with its recommended threshold."""
    job = service.tagging.tag(TagConfig(folder=str(folder), model="miniature", existing=OVERWRITE))
    job.wait()
    if job.snapshot()["state"] != "finished":
        raise SystemExit(job.snapshot()["message"])


def accept(store: CaptionStore) -> None:
    """Remove what the assistant ticks."""
    store.apply(remove(store.captions, advise(store.captions).ticked), "prune")


def empty(store: CaptionStore) -> None:
    """Remove every tag."""
    store.apply(keep_first(store.captions, 0), "remove all")


WAYS: dict[str, Callable[[CaptionStore], None]] = {
    "nothing pruned": lambda _store: None,
    "suggestions accepted": accept,
    "all tags removed": empty,
}


def learn(seeds: list[int], work: Path) -> None:
    """Train on each character in the three ways, and print the identity that the judge sees."""
    backbone = load_backbone(ModelConfig(path="miniature"))
    found = {way: [identity(backbone, seed, way, work) for seed in seeds] for way in WAYS}
    print(f"| captions | {' | '.join(map(str, seeds))} | mean | deviation |")
    print(f"|---|{'---|' * (len(seeds) + 2)}")
    for way, values in found.items():
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        cells = " | ".join(f"{value:.2f}" for value in (*values, statistics.mean(values), deviation))
        print(f"| {way} | {cells} |")


def identity(backbone: Backbone, seed: int, way: str, work: Path) -> float:
    """How much of a character its embedding shows, 0..1."""
    root = work / f"{seed} {way}"
    kept = root / "outcome.json"
    if not kept.exists():
        write_dataset(seed, root / "pictures", captions="full")
        store = open_store(root / "pictures", recursive=False)
        WAYS[way](store)
        store.save(root / "kept")
        outcome, _ = train_and_measure(seed, root, backbone, TerminalProgress(quiet=True), Control())
        kept.write_text(json.dumps(asdict(outcome)), "utf-8")
        print(f"{seed}, {way}: {outcome.summary()}", flush=True)
    return float(json.loads(kept.read_text("utf-8"))["identity_after"])


if __name__ == "__main__":
    main()
