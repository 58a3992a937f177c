"""``crop``: copies of pictures, cut to their buckets around what is to be seen, in a new folder."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from train_gamma.cli.options import add_json, add_options, given
from train_gamma.cli.training import FAILED, INTERRUPTED, interruptible

POSITIONAL = "folder"


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    from train_gamma.dataset.prepare_config import PrepareConfig

    crop = commands.add_parser(
        "crop",
        help="write copies of pictures that are cut, scaled, mirrored or split",
        description="Writes copies of the pictures of a folder, with their captions, into a new folder. By default "
        "each is cut to the shape of its bucket in training, around what stands out. The originals stay as they are.",
    )
    crop.add_argument(POSITIONAL, metavar="FOLDER", help="the folder with the pictures")
    add_options(crop, PrepareConfig, but=(POSITIONAL,))
    crop.add_argument("--plan", action="store_true", help="show what would be cut away, and write nothing")
    add_json(crop)
    crop.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write copies, or show the plan. Exit code 1 if a picture could not be prepared."""
    from train_gamma.dataset.prepare import plan, prepare
    from train_gamma.dataset.prepare_config import PrepareConfig
    from train_gamma.training.flat_reading import read_flat

    config = read_flat(given(arguments, PrepareConfig), PrepareConfig())
    stopping = _Stopping()
    with interruptible(stopping.stop, "picture"), _bar(arguments.json, arguments.plan) as progress:
        if arguments.plan:
            result: Any = plan(config, progress, stopping.asked)
        else:
            result = prepare(config, progress, stopping.asked)
    if arguments.plan:
        return _tell_plan(result, arguments.json, stopping.asked())
    return _tell_end(result, arguments.json)


class _Stopping:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def asked(self) -> bool:
        return self._stopped


@contextmanager
def _bar(quiet: bool, planning: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error while pictures are worked on."""
    if quiet:
        yield None
        return
    from tqdm import tqdm

    what = "Looking" if planning else "Preparing"
    with tqdm(desc=what, unit="picture", file=sys.stderr, dynamic_ncols=True, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _tell_plan(plans: Sequence[Any], as_json: bool, stopped: bool) -> int:
    failed = [one for one in plans if one.problem]
    if as_json:
        print(json.dumps({"pictures": [_plain(one) for one in plans], "stopped": stopped}, ensure_ascii=False))
    else:
        _print_table([one for one in plans if not one.problem])
        for one in failed:
            print(one.problem, file=sys.stderr)
    return INTERRUPTED if stopped else FAILED if failed else 0


def _print_table(plans: Sequence[Any]) -> None:
    width = max([len("Picture"), *(len(one.name) for one in plans)])
    print(
        f"{'Picture':{width}}  {'size':>11}  {'bucket':>11}  {'cut away':>8}  {'kept: x, y, width x height':30}  around"
    )
    for one in plans:
        for number, cut in enumerate(one.cuts):
            name, size, lost = (one.name, _by(*one.size), f"{one.lost:.1%}") if number == 0 else ("", "", "")
            box = f"{cut.box.x}, {cut.box.y}, {_by(cut.box.width, cut.box.height)}"
            bucket = _by(cut.bucket.width, cut.bucket.height)
            print(f"{name:{width}}  {size:>11}  {bucket:>11}  {lost:>8}  {box:30}  {_around(one)}".rstrip())


def _around(one: Any) -> str:
    if one.focus is None:
        return {"box": "the box", "split": "in pieces"}.get(one.how, "")
    return f"{one.focus[0]:.0f}, {one.focus[1]:.0f} ({one.how})"


def _by(width: int, height: int) -> str:
    return f"{width} x {height}"


def _tell_end(done: Any, as_json: bool) -> int:
    if as_json:
        print(json.dumps(_ended(done), ensure_ascii=False))
    else:
        for one in done.skipped:
            print(one.reason, file=sys.stderr)
        for note in done.notes:
            print(f"Note: {note}")
        same = f", {len(done.unchanged)} were there already" if done.unchanged else ""
        left = f"; {len(done.skipped)} could not be prepared" if done.skipped else ""
        print(f"{done.pictures} pictures prepared{left}. {len(done.written)} files written to '{done.into}'{same}.")
        if done.stopped:
            print("Stopped early; the same command goes on.")
    return INTERRUPTED if done.stopped else FAILED if done.skipped else 0


def _plain(one: Any) -> dict[str, Any]:
    cuts = [
        {
            "box": [cut.box.x, cut.box.y, cut.box.width, cut.box.height],
            "size": list(cut.size),
            "bucket": [cut.bucket.width, cut.bucket.height],
        }
        for cut in one.cuts
    ]
    return {
        "name": one.name,
        "size": list(one.size),
        "cuts": cuts,
        "lost": one.lost,
        "lost_in_training": one.lost_in_training,
        "focus": list(one.focus) if one.focus else None,
        "how": one.how,
        "problem": one.problem,
    }


def _ended(done: Any) -> dict[str, Any]:
    return {
        "into": str(done.into),
        "pictures": done.pictures,
        "written": _paths(done.written),
        "unchanged": _paths(done.unchanged),
        "skipped": [{"path": str(one.path), "reason": one.reason} for one in done.skipped],
        "notes": list(done.notes),
        "stopped": done.stopped,
    }


def _paths(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths]
