"""``tags import`` and ``tags export``: the metadata files of kohya's scripts."""

import argparse
import json
import sys

from train_gamma.captions.change_set import ChangeSet
from train_gamma.captions.kohya import export_metadata, import_metadata, read_metadata, write_metadata
from train_gamma.captions.snapshot import Selection
from train_gamma.captions.store import CaptionStore
from train_gamma.cli.tag_captions import open_captions
from train_gamma.errors import UserError

MOST_NAMES = 5


def importing(store: CaptionStore, which: Selection, arguments: argparse.Namespace) -> ChangeSet:
    """What a metadata file would change; names in it that are no pictures are told."""
    metadata = read_metadata(arguments.file)
    found = import_metadata(store.captions, store.pictures, metadata, arguments.part, arguments.mode, which)
    if found.unmatched:
        listed = ", ".join(found.unmatched[:MOST_NAMES]) + (", ..." if len(found.unmatched) > MOST_NAMES else "")
        print(f"{len(found.unmatched)} names in '{arguments.file}' are no picture of here: {listed}", file=sys.stderr)
    return found.change


def run_export(arguments: argparse.Namespace) -> int:
    """Write a metadata file."""
    store = open_captions(arguments)
    exists = arguments.file.exists()
    if exists and not (arguments.merge or arguments.overwrite):
        raise UserError(f"'{arguments.file}' exists already. Choose another name, or add --merge or --overwrite.")
    into = read_metadata(arguments.file) if exists and arguments.merge else None
    metadata = export_metadata(store.captions, store.pictures, into, arguments.full_path, arguments.part)
    write_metadata(arguments.file, metadata)
    if arguments.json:
        print(json.dumps({"file": str(arguments.file), "pictures": len(metadata)}, ensure_ascii=False))
    else:
        print(f"{arguments.file}: {len(metadata)} pictures")
    return 0
