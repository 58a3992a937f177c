"""``tags suggest``: which tags to take out, so that the embedding learns them, and a text to begin with."""

import argparse
import json
import shlex
from dataclasses import asdict
from typing import Any

from train_gamma.captions.assistant import Suggestion
from train_gamma.captions.init_text import InitText
from train_gamma.cli.tag_captions import open_captions
from train_gamma.errors import UserError

_BANDS = {
    "ticked": "Take out, so that the embedding learns them:",
    "sometimes": "In many pictures, not in all; leave what may be taken off:",
    "look": "Of no known kind, but in nearly all pictures; have a look:",
}


def run(arguments: argparse.Namespace) -> int:
    """Print what the page's assistant suggests. Nothing is changed."""
    from train_gamma.hosts.standalone import StandaloneHost
    from train_gamma.service import Service
    from train_gamma.service.dataset_prune import prune
    from train_gamma.service.dataset_requests import PruneRequest
    from train_gamma.service.tag_lists import TagLists
    from train_gamma.service.token_counts import TokenCounts

    if arguments.vectors < 0:
        raise UserError(f"--vectors must be 0 or more, got {arguments.vectors}.")
    store = open_captions(arguments)
    host = StandaloneHost(arguments.data)
    lists = TagLists(lambda: host.folders.tag_lists, Service(host).tagging.catalogue)
    request = PruneRequest(name=arguments.name, num_vectors=arguments.vectors or 1)
    found = prune(store.captions, request, lists, TokenCounts(host))
    if arguments.json:
        print(json.dumps(_plain(found, arguments.vectors, [str(path) for path in store.pictures]), ensure_ascii=False))
        return 0
    _print_advice(found, [path.name for path in store.pictures])
    if arguments.vectors:
        _print_text(found.init_text, arguments.vectors)
    if found.ticked:
        below = " --recursive" if arguments.recursive else ""
        print(f"\ntrain-gamma tags remove {shlex.quote(arguments.folder)}{below} {shlex.join(found.ticked)}")
    return 0


def _print_advice(advice: Any, names: list[str]) -> None:
    for band, heading in _BANDS.items():
        found = [one for one in advice.suggestions if one.band == band]
        if found:
            print(heading)
        for one in found:
            print(f"  {_line(one, names)}")
    if not advice.suggestions:
        print("There is nothing to suggest: no trait or garment is in most of the captions.")
    for sentence in advice.contradictions:
        print(sentence)


def _line(one: Suggestion, names: list[str]) -> str:
    lift = "" if one.lift is None else f", {one.lift:.0f} times as often as elsewhere"
    missing = [names[index] for index in one.without]
    without = f"; not in {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}" if missing else ""
    relatives = ", ".join(relative.tag for relative in one.relatives)
    return f"{one.tag} ({one.count}, {one.share:.0%}{lift}{without})" + (f", with {relatives}" if relatives else "")


def _print_text(text: InitText | None, vectors: int) -> None:
    if text is None:
        print("\nTokens cannot be counted, so there is no initialization text. Run: pip install transformers")
        return
    print(f"\nInitialization text for {vectors} vectors ({text.tokens} tokens): {text.text}")
    if text.dropped:
        print(f"No room for: {', '.join(text.dropped)}. All of them take {text.least_vectors} vectors.")


def _plain(found: Any, vectors: int, pictures: list[str]) -> dict[str, Any]:
    suggestions = [{**asdict(one), "without": [pictures[index] for index in one.without]} for one in found.suggestions]
    text = found.init_text if vectors else None
    return {
        "suggestions": suggestions,
        "ticked": list(found.ticked),
        "contradictions": list(found.contradictions),
        "subject": found.subject,
        "background": found.background,
        "init_text": None if text is None else asdict(text),
    }
