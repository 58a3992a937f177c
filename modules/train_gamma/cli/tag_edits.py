"""The edits of ``tags``: each makes of captions, the chosen pictures and a command line what would change."""

import argparse
from pathlib import Path

from train_gamma.captions import cleaning, edits, replacing
from train_gamma.captions.change_set import ChangeSet
from train_gamma.captions.replacing import Rule
from train_gamma.captions.rules import RuleSets
from train_gamma.captions.snapshot import Selection
from train_gamma.captions.store import CaptionStore
from train_gamma.cli.tag_captions import chosen_folder, kept_folder, needed_counter
from train_gamma.errors import UserError

ARROW = "->"


def remove(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``remove TAG ...``."""
    return edits.remove(store.captions, arguments.tags, which)


def add(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``add TAG ... --position``."""
    position: edits.Place | int = _place(arguments.position)
    beside = arguments.before or arguments.after
    if beside:
        position = "before" if arguments.before else "after"
    return edits.add(store.captions, arguments.tags, position, beside, which)


def replace(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``replace 'TAGS -> NEW' ...``."""
    rules = [_rule(text, arguments.kind) for text in arguments.rules]
    if not arguments.whole_caption:
        return replacing.replace(store.captions, rules, which)
    if len(rules) != 1:
        raise UserError(f"--whole-caption takes one rule at a time, got {len(rules)}. Leave the others out.")
    return replacing.replace_text(store.captions, rules[0], arguments.sentences, which)


def apply_rules(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``apply NAME``."""
    from train_gamma.service.datasets import RULES

    def folder() -> Path:
        return kept_folder(arguments, chosen_folder(arguments)) / RULES

    return replacing.replace(store.captions, RuleSets(folder).load(arguments.name).rules, which)


def rename(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``rename OLD NEW``."""
    return edits.rename(store.captions, arguments.old, arguments.new, which)


def front(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``front TAG ...``."""
    return edits.move_to_front(store.captions, arguments.tags, which)


def sort(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``sort --by``."""
    return edits.sort(store.captions, arguments.by, arguments.keep_first, arguments.backwards, which)


def unique(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:  # noqa: ARG001 - none
    """``unique``."""
    return edits.unique(store.captions, which)


def truncate(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``truncate --tokens`` or ``--tags``."""
    if arguments.tags is not None:
        return edits.keep_first(store.captions, arguments.tags, which)
    return edits.truncate(store.captions, arguments.tokens, needed_counter(arguments), which)


def clean(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """``clean WHAT ...``."""
    return cleaning.clean(store.captions, arguments.actions, which)


def _place(text: str) -> edits.Place | int:
    if text == "front":
        return "front"
    if text == "back":
        return "back"
    try:
        return int(text)
    except ValueError:
        raise UserError(f"--position must be front, back or a whole number, got '{text}'.") from None


def _rule(text: str, kind: replacing.Kind) -> Rule:
    search, arrow, replacement = text.partition(ARROW)
    if not arrow:
        raise UserError(f"'{text}' has no arrow. Write it as 'TAGS -> NEW', such as 'nude, nipples -> nsfw'.")
    return Rule(search.removesuffix(" "), replacement.removeprefix(" "), kind)
