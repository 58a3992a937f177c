"""The captions that a ``tags`` command is about: folder, filter, tokens, and where their backups are."""

import argparse
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from train_gamma.captions.filters import Filter, find
from train_gamma.captions.store import EXTENSIONS, CaptionStore, open_store
from train_gamma.errors import UserError

CountTokens = Callable[[str], int]


def chosen_folder(arguments: argparse.Namespace) -> Path:
    """The folder that is named, absolute, as backups are kept by it.

    Raises:
        UserError: if nothing is named.
    """
    if not arguments.folder.strip():
        raise UserError("FOLDER is empty. Give the folder that holds the pictures.")
    return Path(arguments.folder).expanduser().absolute()


def open_captions(arguments: argparse.Namespace) -> CaptionStore:
    """Load the captions of the folder.

    Raises:
        UserError: if it cannot be read or has no pictures.
    """
    extensions = tuple(arguments.extension or EXTENSIONS)
    escape = not getattr(arguments, "no_escape", False)
    return open_store(chosen_folder(arguments), arguments.recursive, extensions, escape)


def selected(store: CaptionStore, arguments: argparse.Namespace) -> list[int] | None:
    """The pictures that pass the filter, None for all.

    Raises:
        UserError: if tokens are to be counted and cannot be.
    """
    wanted = Filter(
        all_of=tuple(getattr(arguments, "with")),
        any_of=tuple(arguments.with_any),
        none_of=tuple(arguments.without),
        untagged=arguments.untagged,
        more_tokens=arguments.more_tokens,
        fewer_tags=arguments.fewer_tags,
        text=arguments.containing,
    )
    if wanted == Filter():
        return None
    count = None if wanted.more_tokens is None else token_counter(arguments)
    return find(store.captions, wanted, count)


def token_counter(arguments: argparse.Namespace) -> CountTokens | None:
    """Counts the tokens of a text, each once: with the checkpoint that is named, or with CLIP's words.

    None without both. To be asked for only where tokens matter, as it takes seconds to load.
    """
    counter: CountTokens | None
    if arguments.model:
        from train_gamma.hosts.load_checkpoint import load_backbone
        from train_gamma.training.config import ModelConfig

        backbone: Any = load_backbone(ModelConfig(path=arguments.model))

        def counter(text: str) -> int:
            return len(backbone.tokenize(text))
    else:
        from train_gamma.hosts.token_counting import token_counter as clip_counter

        counter = clip_counter()
    return None if counter is None else lru_cache(200_000)(counter)


def needed_counter(arguments: argparse.Namespace) -> CountTokens:
    """The same, where nothing can be done without.

    Raises:
        UserError: if tokens cannot be counted.
    """
    counter = token_counter(arguments)
    if counter is None:
        raise UserError("Tokens cannot be counted: transformers is missing. Run: pip install transformers")
    return counter


def kept_folder(arguments: argparse.Namespace, folder: Path) -> Path:
    """What the program keeps for itself, as the page has it with the same --data.

    Raises:
        UserError: if it would lie among the pictures.
    """
    from train_gamma.hosts.standalone import StandaloneHost

    kept = StandaloneHost(arguments.data).folders.kept.resolve()
    if kept.is_relative_to(folder.resolve()):
        raise UserError(
            f"The old captions would be kept among the pictures, in '{kept}'. Choose another --data folder."
        )
    return kept


def backups_folder(arguments: argparse.Namespace, folder: Path) -> Path:
    """Where the zips of captions are, those of the page and of ``tag`` too."""
    from train_gamma.service.tag_work import CAPTIONS

    return kept_folder(arguments, folder) / CAPTIONS
