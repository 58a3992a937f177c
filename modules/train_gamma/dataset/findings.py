"""What is unusual about a dataset without being wrong."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from train_gamma.dataset.items import Item
from train_gamma.dataset.templates import NAME, contains_word

FEW_PICTURES = 10
MUCH_LOST = 0.2
MUCH_ENLARGED = 2.0

_EMPTY_WORDS = re.compile(
    r"img|image|dsc[nf]?|p|pict?|picture|photo|pxl|mvimg|gopr|screenshot|untitled|unnamed|download|whatsapp"
    r"|at|am|pm|copy|kopie|edited"
)  # what cameras, telephones and browsers call files
_HASH_NAME = re.compile(r"[0-9a-f]{4}[0-9a-f-]{8,}", re.IGNORECASE)


def find_findings(items: Sequence[Item], name: str) -> tuple[str, ...]:
    """Sentences about what may spoil the result, for the person who made the dataset.

    Args:
        items: the pictures.
        name: of the embedding.
    """
    found = [
        _few(items),
        _without_words(items),
        _camera_names(items),
        *_shared_captions(items),
        *_duplicates(items),
        _name_in_caption(items, name),
        _much_lost(items),
        _much_enlarged(items),
    ]
    return tuple(text for text in found if text)


def shorten(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _few(items: Sequence[Item]) -> str:
    if len(items) >= FEW_PICTURES:
        return ""
    number = "1 picture" if len(items) == 1 else f"{len(items)} pictures"
    return (
        f"Only {number}: what the pictures share by chance (background, pose, crop) is learned too. "
        f"{FEW_PICTURES} to 200 different ones are usual."
    )


def _without_words(items: Sequence[Item]) -> str:
    bare = [item.path.name for item in items if not item.caption.text]
    if not bare:
        return ""
    return (
        f"No caption for {len(bare)} of {len(items)} pictures ({shorten(bare)}): their prompts are the template "
        "without [filewords], so everything in them is learned as part of the embedding."
    )


def _camera_names(items: Sequence[Item]) -> str:
    named = [item.caption.text for item in items if item.caption.source == "file name" and _says_nothing(item)]
    if not named:
        return ""
    return (
        f"The captions of {len(named)} pictures are file names that describe nothing ({shorten(named)}). "
        "Write caption files, or turn off 'File name as caption'."
    )


def _says_nothing(item: Item) -> bool:
    text = item.caption.text
    words = re.findall(r"[^\W\d_]+", text.lower())
    return all(map(_EMPTY_WORDS.fullmatch, words)) or _HASH_NAME.fullmatch(text) is not None


def _shared_captions(items: Sequence[Item]) -> list[str]:
    users: dict[Path, list[str]] = defaultdict(list)
    for item in items:
        if item.caption.path is not None:
            users[item.caption.path].append(item.path.name)
    return [
        f"Caption file {path.name} is shared by {len(names)} pictures: {shorten(names)}. "
        "Rename them if each needs its own."
        for path, names in users.items()
        if len(names) > 1
    ]


def _duplicates(items: Sequence[Item]) -> list[str]:
    copies: dict[str, list[str]] = defaultdict(list)
    for item in items:
        copies[item.sha256].append(item.path.name)
    return [
        f"The same picture is there {len(names)} times and weighs as much: {shorten(names)}. Delete the copies."
        for names in copies.values()
        if len(names) > 1
    ]


def _name_in_caption(items: Sequence[Item], name: str) -> str:
    named = [item.path.name for item in items if NAME in item.caption.text or contains_word(item.caption.text, name)]
    if not named:
        return ""
    return (
        f"The captions of {len(named)} pictures have '{name}' in them already ({shorten(named)}). The templates add "
        "it, so a tag that is only the name is left out; inside a longer tag it stays, and the prompt has it twice."
    )


def _much_lost(items: Sequence[Item]) -> str:
    cut = [f"{item.path.name} {item.fit.lost:.0%}" for item in items if item.fit.lost > MUCH_LOST]
    if not cut:
        return ""
    return (
        f"More than {MUCH_LOST:.0%} is cut off {len(cut)} pictures ({shorten(cut)}). "
        "Crop them yourself, or allow longer buckets with Bucket minimum and Bucket maximum."
    )


def _much_enlarged(items: Sequence[Item]) -> str:
    small = [f"{item.path.name} {factor:.1f}x" for item in items if (factor := _enlargement(item)) > MUCH_ENLARGED]
    if not small:
        return ""
    return (
        f"{len(small)} pictures are scaled up more than {MUCH_ENLARGED:g} times ({shorten(small)}), "
        "and their blur is learned. Take larger ones, or turn off 'Upscale small pictures'."
    )


def _enlargement(item: Item) -> float:
    return max(item.fit.resized[0] / item.size[0], item.fit.resized[1] / item.size[1])
