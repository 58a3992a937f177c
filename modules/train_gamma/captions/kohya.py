"""The metadata files of kohya-ss/sd-scripts: one JSON for all pictures, captions and tags apart.

``{"picture": {"caption": "a girl on a bench", "tags": "1girl, solo", ...}}``, where a picture is named by its whole
path or its name without the ending (finetune/merge_dd_tags_to_metadata.py and merge_captions_to_metadata.py, 9d67f9d0).
Both texts are what the caption files hold. Whatever else such a file says of a picture stays in it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias, get_args

from train_gamma import atomic
from train_gamma.captions.change_set import ChangeSet
from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.words import Words, read_words
from train_gamma.errors import UserError

Metadata: TypeAlias = dict[str, dict[str, Any]]
"""What such a file holds, by picture."""

Part = Literal["caption and tags", "caption", "tags"]
Mode = Literal["replace", "append", "fill empty"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file says of the pictures of a dataset.

    Attributes:
        change: what it would change.
        matched: number of pictures that it says something of.
        unmatched: names in the file that are no picture of the dataset, or could be several.
    """

    change: ChangeSet
    matched: int
    unmatched: tuple[str, ...]


def read_metadata(path: Path) -> Metadata:
    """Read a metadata file.

    Raises:
        UserError: if it cannot be read, or has not this form; the message says where.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}. Check the path.") from error
    except ValueError as error:
        raise UserError(f"'{path}' is no JSON file: {error}. Choose a metadata file of kohya's scripts.") from error
    if not isinstance(content, dict):
        raise UserError(f'\'{path}\' must name pictures, {{"picture": {{"tags": ...}}}}, but holds {_kind(content)}.')
    for key, entry in content.items():
        wrong = [part for part in ("caption", "tags") if isinstance(entry, dict) and not _is_text(entry.get(part))]
        if not isinstance(entry, dict) or wrong:
            what = f"its {wrong[0]} are no text" if wrong else f"it is {_kind(entry)}"
            raise UserError(
                f"'{path}' is no metadata file of kohya's scripts: of '{key}', {what}. Correct or leave it out."
            )
    return content


def write_metadata(path: Path, metadata: Metadata) -> None:
    """Write a metadata file atomically, as kohya's scripts read it.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        atomic.write_text(path, json.dumps(metadata, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"'{path}' cannot be written: {error.strerror or error}. Choose another place.") from error


def import_metadata(
    captions: Snapshot,
    pictures: Sequence[Path],
    metadata: Metadata,
    part: Part = "caption and tags",
    mode: Mode = "replace",
    selection: Selection = None,
) -> Imported:
    """Take captions over from metadata. Of what it does not name, nothing is changed.

    Args:
        captions: the dataset.
        pictures: of the dataset.
        metadata: as read.
        part: the caption in front of the tags, as kohya's trainer joins them, or one of them.
        mode: replace what is there, put what is missing behind it, or only fill empty captions.
        selection: the pictures.

    Raises:
        UserError: if there is no such part or mode.
    """
    if part not in get_args(Part) or mode not in get_args(Mode):
        raise UserError(f"Part is one of {', '.join(get_args(Part))}; mode is one of {', '.join(get_args(Mode))}.")
    found, unmatched = _match(metadata, pictures)
    chosen = set(captions.files(selection))
    old, new, left_alone = {}, {}, 0
    for picture, entry in sorted(found.items()):
        text = _joined(entry, part)
        first = captions.first[picture]
        if text is None or first not in chosen:
            continue
        before = captions.words[first]
        after = None if before.problem else _combined(before, text, mode)
        left_alone += after is None
        if after is not None and after.text != before.text:
            old[first], new[first] = before, after
    return Imported(ChangeSet(old, new, left_alone), len(found), tuple(unmatched))


def export_metadata(
    captions: Snapshot,
    pictures: Sequence[Path],
    into: Metadata | None = None,
    full_path: bool = False,
    part: Literal["caption", "tags"] | None = None,
) -> Metadata:
    """Metadata with the captions of a dataset. Pictures without one are only named if they were named before.

    Args:
        captions: the dataset.
        pictures: of the dataset.
        into: metadata to merge them into, which is not changed: the other part and all else in it stay.
        full_path: name pictures by their whole path, which folders in folders need.
        part: what they are; None for tags where they are tags, and caption where they are plain text.

    Raises:
        UserError: if two pictures would have the same name.
    """
    names = [str(path) if full_path else path.stem for path in pictures]
    _check_names(names, pictures)
    merged: Metadata = {key: dict(entry) for key, entry in (into or {}).items()}
    known = {picture: key for key, picture in _keys(merged, pictures).items() if picture is not None}
    for picture, (name, words) in enumerate(zip(names, captions.words, strict=True)):
        text = words.text.strip()
        if words.problem or not (text or picture in known):
            continue
        kind = part or ("caption" if words.plain else "tags")
        merged.setdefault(known.get(picture, name), {})[kind] = text
    return merged


def _match(metadata: Metadata, pictures: Sequence[Path]) -> tuple[dict[int, Mapping[str, Any]], list[str]]:
    found: dict[int, Mapping[str, Any]] = {}
    keys = _keys(metadata, pictures)
    for key, picture in keys.items():
        if picture is not None:
            found[picture] = {**found.get(picture, {}), **metadata[key]}
    return found, [key for key, picture in keys.items() if picture is None]


def _keys(metadata: Iterable[str], pictures: Sequence[Path]) -> dict[str, int | None]:
    """Which picture each name means: a whole path, else its end, down to a name without ending, if only one has it."""
    ends: defaultdict[str, list[int]] = defaultdict(list)
    seen: set[PurePosixPath] = set()  # a.png and a.jpg share a caption, so both are a
    for picture, path in enumerate(pictures):
        whole = PurePosixPath(path.as_posix())
        for named in {whole, whole.with_suffix("")} - seen:
            for depth in range(1, len(named.parts) + 1):
                ends["/".join(named.parts[-depth:])].append(picture)
            seen.add(named)
    return {key: _only(ends, key) for key in metadata}


def _only(ends: Mapping[str, Sequence[int]], key: str) -> int | None:
    parts = key.replace("\\", "/").split("/")
    for start in range(len(parts)):
        found = ends.get("/".join(parts[start:]), ())
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _joined(entry: Mapping[str, Any], part: Part) -> str | None:
    parts = [entry.get(name) for name in ("caption", "tags") if name in part]
    texts = [text for text in parts if text is not None]
    return ", ".join(text for text in texts if text.strip()) if texts else None


def _combined(old: Words, text: str, mode: Mode) -> Words | None:
    """The caption with an imported text, or None if it cannot have it."""
    new = read_words(text)
    if mode == "replace" or not old.text.strip():
        return new
    if mode == "fill empty":
        return old
    if not (old.editable and new.editable):
        return None
    there = {tag.key for tag in old.tags}
    return old.with_tags([*old.tags, *(tag for tag in new.tags if tag.key not in there)])


def _check_names(names: Sequence[str], pictures: Sequence[Path]) -> None:
    first: dict[str, Path] = {}
    for name, path in zip(names, pictures, strict=True):
        other = first.setdefault(name, path)
        if other != path and other.with_suffix("") != path.with_suffix(""):
            raise UserError(f"'{other}' and '{path}' would both be called '{name}'. Name pictures by their whole path.")


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "yes or no", type(None): "nothing"}
    return kinds.get(type(value), "a number")
