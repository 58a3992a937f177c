"""``tags list``: the tags of a folder, or its captions."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from train_gamma.captions.filters import TagRow, search_rows, sort_rows, tag_table
from train_gamma.captions.store import CaptionStore
from train_gamma.cli.tag_captions import needed_counter, open_captions, selected, token_counter
from train_gamma.errors import UserError


def run(arguments: argparse.Namespace) -> int:
    """Print the tags, or with ``--pictures`` the captions."""
    store = open_captions(arguments)
    which = selected(store, arguments)
    if arguments.pictures:
        _tell_pictures(store, which, arguments)
        return 0
    if arguments.limit < 0:
        raise UserError(f"--limit must be 0 or more, got {arguments.limit}.")
    count = needed_counter(arguments) if arguments.sort == "tokens" or arguments.tokens else None
    found = search_rows(tag_table(store.captions, which, count), arguments.search, arguments.how)
    descending = (arguments.sort == "count") != arguments.reverse
    rows = sort_rows(found, arguments.sort, descending)
    shown = rows[: arguments.limit] if arguments.limit else rows
    chosen = len(store.pictures) if which is None else len(which)
    if arguments.json:
        print(
            json.dumps(
                {"pictures": chosen, "total": len(rows), "tags": [_plain(row) for row in shown]}, ensure_ascii=False
            )
        )
    else:
        _print_rows(shown)
        print(f"{len(rows)} tags in {chosen} pictures.")
    return 0


def _print_rows(rows: Sequence[TagRow]) -> None:
    width = max([len("tag"), *(len(row.tag) for row in rows)])
    counted = any(row.tokens is not None for row in rows)
    for row in rows:
        tokens = f"  {row.tokens:3} tokens" if counted else ""
        print(f"{row.tag:{width}}  {row.count:5}  {row.share:4.0%}{tokens}")


def _plain(row: TagRow) -> dict[str, Any]:
    return {"tag": row.tag, "count": row.count, "share": row.share, "tokens": row.tokens}


def _tell_pictures(store: CaptionStore, which: Sequence[int] | None, arguments: argparse.Namespace) -> None:
    indices = range(len(store.pictures)) if which is None else which
    count = token_counter(arguments) if arguments.tokens else None
    shown = [_picture(store, index, count) for index in indices]
    shown = shown[: arguments.limit] if arguments.limit else shown
    if arguments.json:
        print(json.dumps({"pictures": len(indices), "captions": shown}, ensure_ascii=False))
        return
    for one in shown:
        tokens = f" ({one['tokens']} tokens)" if one["tokens"] is not None else ""
        print(f"{one['picture']}{tokens}\n    {one['problem'] or one['text'].strip()}")


def _picture(store: CaptionStore, index: int, count: Any) -> dict[str, Any]:
    caption = store.caption(index)
    return {
        "picture": str(store.pictures[index]),
        "file": str(caption.file),
        "text": caption.text,
        "tags": [tag.name for tag in caption.tags],
        "plain": caption.plain,
        "problem": caption.problem,
        "tokens": None if count is None else count(caption.text),
    }
