"""Changes of ``tags``: shown, saved with a backup, and taken back."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from train_gamma.captions.backups import Backup, folder_of, read_backup
from train_gamma.captions.caption_folder import read_caption_file
from train_gamma.captions.change_set import ChangeSet, Diff, compare
from train_gamma.captions.files import Restored, list_backups, restore
from train_gamma.captions.saved_steps import redo, undo
from train_gamma.captions.words import NO_WORDS, Words, read_words
from train_gamma.cli.tag_captions import backups_folder, chosen_folder, open_captions, selected
from train_gamma.dataset.text_files import decode_text
from train_gamma.errors import UserError

MOST_TAGS = 20


def run_edit(arguments: argparse.Namespace) -> int:
    """Make the edit of a command: say how many files change, then save them, or only show them in a dry run."""
    store = open_captions(arguments)
    change: ChangeSet = arguments.edit(store, selected(store, arguments), arguments)
    diff = change.diff(len(change) if arguments.dry_run else MOST_TAGS)
    files = [store.caption(one.picture).file for one in diff.examples]
    told = {"files": len(change), "left_alone": change.left_alone, "dry_run": arguments.dry_run, **_plain(diff, files)}
    if not arguments.json:
        print(_announced(change, arguments.dry_run))
    if arguments.dry_run or not change.new:
        _tell(
            arguments, told | {"written": [], "backup": None}, lambda: _print_diff(diff, files) if change.new else None
        )
        return 0
    backups = backups_folder(arguments, store.folder)
    store.apply(change, arguments.tags_command)
    saved = store.save(backups)
    result = told | {"written": [str(path) for path in saved.written], "backup": str(saved.backup)}
    _tell(arguments, result, lambda: print(_saved(len(saved.written), saved.backup)))
    return 0


def run_undo(arguments: argparse.Namespace) -> int:
    """Take the last save back."""
    return _step(arguments, undo)


def run_redo(arguments: argparse.Namespace) -> int:
    """Do again what was undone last."""
    return _step(arguments, redo)


def run_backups(arguments: argparse.Namespace) -> int:
    """List the zips of a folder's captions."""
    folder = chosen_folder(arguments)
    found = list_backups(backups_folder(arguments, folder), folder)
    shown = [
        {"name": one.path.name, "when": one.when.isoformat(), "changed": one.changed, "created": one.created}
        for one in found
    ]
    _tell(arguments, {"backups": shown}, lambda: _print_backups(found, folder))
    return 0


def run_restore(arguments: argparse.Namespace) -> int:
    """Put the captions of a zip back."""
    folder = chosen_folder(arguments)
    path = _backup(arguments, folder)
    _tell_restored(arguments, path, restore(path))
    return 0


def run_diff(arguments: argparse.Namespace) -> int:
    """Show what has changed since a zip was made."""
    folder = chosen_folder(arguments)
    _, entries = read_backup(_backup(arguments, folder))
    pairs = []
    for number, entry in enumerate(entries):
        old, new = _words(entry.old, entry.path), read_caption_file(entry.path).words
        if old.text != new.text or old.problem or new.problem:
            pairs.append((number, old, new))
    diff = compare(pairs, len(pairs))
    files = [entries[one.picture].path for one in diff.examples]
    _tell(arguments, {"files": diff.files, **_plain(diff, files)}, lambda: _print_since(diff, files))
    return 0


def _print_since(diff: Diff, files: Sequence[Path]) -> None:
    print(f"{_files(diff.files)} changed since then.")
    _print_diff(diff, files)


def _step(arguments: argparse.Namespace, step: Callable[[Path, Path], tuple[Path, Restored]]) -> int:
    folder = chosen_folder(arguments)
    _tell_restored(arguments, *step(backups_folder(arguments, folder), folder))
    return 0


def _backup(arguments: argparse.Namespace, folder: Path) -> Path:
    """The zip that is named, or the newest."""
    backups = backups_folder(arguments, folder)
    found = list_backups(backups, folder)
    if not found:
        raise UserError(
            f"No captions of '{folder}' are kept in '{folder_of(backups, folder)}'. Check FOLDER and --data."
        )
    if not arguments.backup:
        return found[0].path
    for one in found:
        if arguments.backup in (one.path.name, one.path.stem):
            return one.path
    raise UserError(f"There is no backup '{arguments.backup}'. 'train-gamma tags backups {folder}' lists them.")


def _words(data: bytes | None, path: Path) -> Words:
    """A caption that a zip holds."""
    if data is None:
        return NO_WORDS
    try:
        return read_words(decode_text(data, path))
    except UserError as error:
        return Words(raw="", problem=str(error))


def _announced(change: ChangeSet, dry_run: bool) -> str:
    left = f"; {change.left_alone} are no lists of tags and are left alone" if change.left_alone else ""
    return f"{_files(len(change))} {'would' if dry_run else 'will'} change{left}."


def _saved(count: int, backup: Path | None) -> str:
    captions = "1 caption" if count == 1 else f"{count} captions"
    return f"{captions} written. How they were is in '{backup}'; 'tags undo' takes it back."


def _tell_restored(arguments: argparse.Namespace, path: Path, done: Restored) -> None:
    shown = {
        "restored": path.name,
        "put_back": [str(file) for file in done.put_back],
        "removed": [str(file) for file in done.removed],
        "kept": [str(file) for file in done.kept],
        "backup": None if done.backup is None else str(done.backup),
    }
    _tell(arguments, shown, lambda: _print_restored(path, done))


def _print_restored(path: Path, done: Restored) -> None:
    removed = f", {_files(len(done.removed))} removed that had not been there" if done.removed else ""
    print(f"{_files(len(done.put_back))} put back from '{path.name}'{removed}.")
    if done.kept:
        print(f"{_files(len(done.kept))} changed by another program since and left alone:")
        for file in done.kept:
            print(f"  {file}")


def _print_backups(found: Sequence[Backup], folder: Path) -> None:
    if not found:
        print(f"No captions of '{folder}' are kept.")
    for one in found:
        when = one.when.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        print(f"{one.path.name}  {when}  {one.changed} changed, {one.created} new")


def _print_diff(diff: Diff, files: Sequence[Path]) -> None:
    for sign, counts in (("-", diff.removed), ("+", diff.added)):
        for tag, count in counts[:MOST_TAGS]:
            print(f"  {sign} {tag} ({count})")
        if len(counts) > MOST_TAGS:
            print(f"  {sign} and {len(counts) - MOST_TAGS} more")
    for file, one in zip(files, diff.examples, strict=True):
        print(f"{file}\n    - {one.old.strip()}\n    + {one.new.strip()}")


def _plain(diff: Diff, files: Sequence[Path]) -> dict[str, Any]:
    return {
        "added": [list(pair) for pair in diff.added],
        "removed": [list(pair) for pair in diff.removed],
        "examples": [
            {"file": str(file), "old": one.old, "new": one.new} for file, one in zip(files, diff.examples, strict=True)
        ],
    }


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _tell(arguments: argparse.Namespace, shown: dict[str, Any], tell: Callable[[], None]) -> None:
    if arguments.json:
        print(json.dumps(shown, ensure_ascii=False))
    else:
        tell()
