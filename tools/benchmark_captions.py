"""How long the dataset tab's edits take: 2,000 pictures with 30 tags each, on one thread.

    python tools/benchmark_captions.py [PICTURES [TAGS]]

Each line is the median of five runs. "act" is to work out what changes and to make it so, the index of tags included;
"look" is what the page asks for afterwards: the difference to the files and the table of all tags.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from train_gamma.captions import cleaning, edits, filters, replacing
from train_gamma.captions.change_set import ChangeSet
from train_gamma.captions.replacing import Rule
from train_gamma.captions.snapshot import Snapshot
from train_gamma.captions.store import CaptionStore, open_store
from train_gamma.captions.tag_text import write_tags

COLOURS = (
    "red",
    "blue",
    "green",
    "long",
    "short",
    "black",
    "white",
    "pink",
    "tiny",
    "big",
    "old",
    "new",
    "wet",
    "soft",
)
THINGS = ("hair", "eyes", "dress", "shirt", "skirt", "hat", "bow", "gloves", "boots", "cape", "tail", "ears", "scarf")
COMMON = [f"{colour}_{thing}" for colour in COLOURS for thing in THINGS]
RARE = [f"thing {number} (series {number % 50})" for number in range(2700)]


def main() -> None:
    pictures, tags = ([int(text) for text in sys.argv[1:3]] + [2000, 30][len(sys.argv) - 1 :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_set(Path(folder, "set"), pictures, tags)
        seconds = clock(lambda: open_store(dataset, recursive=False))
        print(f"{pictures} pictures, {tags} tags each\n\n| | act, ms | look, ms | files changed |\n|---|---|---|---|")
        print(f"| load | {seconds * 1000:.0f} | | |")
        store = open_store(dataset, recursive=False)
        slowest = max(measure(store, name, make) for name, make in actions().items())
        for name, ask in questions(store).items():
            print(f"| {name} | | {clock(ask) * 1000:.0f} | |")
        store.apply(edits.remove(store.captions, ["1girl"]), "remove")
        start = time.perf_counter()
        written = len(store.save(Path(folder, "backups")).written)
        print(f"| save with backup | {(time.perf_counter() - start) * 1000:.0f} | | {written} |")
        print(f"\nslowest action: {slowest * 1000:.0f} ms")


def write_set(folder: Path, pictures: int, tags: int) -> Path:
    rng = random.Random(0)
    folder.mkdir()
    for number in range(pictures):
        some = rng.sample(COMMON, tags * 2 // 3)
        rest = rng.sample(RARE, max(0, tags - 2 - len(some)))
        (folder / f"{number}.png").write_bytes(b"")
        (folder / f"{number}.txt").write_text(write_tags(["1girl", "solo", *some, *rest], escape=True))
    return folder


def actions() -> dict[str, Callable[[Snapshot], ChangeSet]]:
    return {
        "remove a tag of all": lambda c: edits.remove(c, ["1girl"]),
        "remove 200 tags": lambda c: edits.remove(c, COMMON[:200]),
        "add a tag to all": lambda c: edits.add(c, ["trigger"], "front"),
        "add ten tags behind another": lambda c: edits.add(c, [f"new {i}" for i in range(10)], "after", "solo"),
        "rename": lambda c: edits.rename(c, "1girl", "one girl"),
        "replace 40 tags by one": lambda c: replacing.replace(c, [Rule(", ".join(COMMON[:40]), "nsfw")]),
        "replace a part of tags": lambda c: replacing.replace(c, [Rule("hair", "fur", "substring")]),
        "replace by regex": lambda c: replacing.replace(c, [Rule(r"^(\w+)_(\w+)$", r"\2 \1", "regex")]),
        "replace in whole captions": lambda c: replacing.replace_text(c, Rule("girl, ", "boy, ", "substring")),
        "sort alphabetically": lambda c: edits.sort(c, "alphabetical", 2),
        "sort by frequency": lambda c: edits.sort(c, "frequency"),
        "keep first 10": lambda c: edits.keep_first(c, 10),
        "remove duplicates": edits.unique,
        "truncate to 40 words": lambda c: edits.truncate(c, 40, lambda text: len(text.split())),
        "move 20 tags to front": lambda c: edits.move_to_front(c, COMMON[:20]),
        "copy one picture's tags to all": lambda c: edits.copy_tags(c, 0, range(len(c))),
        "clean, every kind": lambda c: cleaning.clean(c, [action.name for action in cleaning.ACTIONS]),
    }


def questions(store: CaptionStore) -> dict[str, Callable[[], object]]:
    wanted = filters.Filter(all_of=("1girl",), any_of=tuple(COMMON[:9]), none_of=("red hair",), text="series")
    return {
        "filter": lambda: filters.find(store.captions, wanted),
        "table of tags": lambda: filters.tag_table(store.captions),
        "preview of a replacement": lambda: replacing.matches(store.captions, [Rule("hair", "fur", "substring")]),
        "files changed by others": store.conflicts,
    }


def measure(store: CaptionStore, name: str, make: Callable[[Snapshot], ChangeSet]) -> float:
    acting, looking, files = [], [], 0
    for _ in range(5):
        start = time.perf_counter()
        files = store.apply(make(store.captions), name)
        middle = time.perf_counter()
        store.diff()
        filters.tag_table(store.captions)
        acting.append(middle - start)
        looking.append(time.perf_counter() - middle)
        if files:
            store.undo()
    acted, looked = statistics.median(acting), statistics.median(looking)
    print(f"| {name} | {acted * 1000:.0f} | {looked * 1000:.0f} | {files} |")
    return acted


def clock(do: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        do()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
