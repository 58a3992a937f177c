"""``tags``: the captions of a folder of pictures, looked at and changed together."""

import argparse
from pathlib import Path
from typing import Any, get_args

from train_gamma.captions.cleaning import ACTIONS
from train_gamma.captions.edits import Order
from train_gamma.captions.filters import Column, Search
from train_gamma.captions.kohya import Mode, Part
from train_gamma.captions.replacing import Kind
from train_gamma.cli import tag_edits, tag_kohya, tag_saved, tag_suggestions, tag_table
from train_gamma.cli.options import add_data, add_json


def add_commands(commands: Any) -> None:
    """Add the command with its own commands to the parser."""
    tags = commands.add_parser(
        "tags",
        help="look at the captions of a folder and change them together",
        description="Every command that changes captions says first how many files that are, keeps the old ones in a "
        "zip outside of the folder, and can be undone. Captions that are sentences are left alone.",
    )
    kinds = tags.add_subparsers(dest="tags_command", required=True, metavar="COMMAND")
    _add_list(kinds)
    _add_edits(kinds)
    _add_cleaning(kinds)
    _add_suggest(kinds)
    _add_saved(kinds)
    _add_kohya(kinds)


def _add_list(kinds: Any) -> None:
    found = _command(kinds, "list", "list the tags with their number of pictures", tag_table.run)
    found.add_argument("--search", default="", metavar="TEXT", help="only tags with this in them")
    found.add_argument("--how", default="substring", choices=get_args(Search), help="how --search is read")
    found.add_argument("--sort", default="count", choices=get_args(Column))
    found.add_argument("--reverse", action="store_true", help="the other way round; counts begin with the highest")
    found.add_argument("--limit", type=int, default=0, metavar="N", help="the first N only")
    found.add_argument("--tokens", action="store_true", help="count tokens too")
    found.add_argument("--pictures", action="store_true", help="list the pictures and their captions instead")
    _add_which(found)
    _add_model(found)


def _add_edits(kinds: Any) -> None:
    remove = _edit(kinds, "remove", "take tags out", tag_edits.remove)
    remove.add_argument("tags", nargs="+", metavar="TAG")
    add = _edit(kinds, "add", "put tags in where they are missing", tag_edits.add)
    add.add_argument("tags", nargs="+", metavar="TAG")
    place = add.add_mutually_exclusive_group()
    place.add_argument("--position", default="back", help="front, back, or how many tags stay in front (default: back)")
    place.add_argument("--before", default="", metavar="TAG", help="in front of this one; at the back where it is not")
    place.add_argument("--after", default="", metavar="TAG", help="behind this one")
    replace = _edit(kinds, "replace", "replace tags, several by one too", tag_edits.replace)
    replace.add_argument(
        "rules",
        nargs="+",
        metavar="'TAGS -> NEW'",
        help="one or several tags with commas; nothing as NEW takes them out",
    )
    replace.add_argument("--kind", default="exact", choices=get_args(Kind), help="how TAGS is read (default: exact)")
    replace.add_argument("--whole-caption", action="store_true", help="search in the text of captions as it is written")
    replace.add_argument("--sentences", action="store_true", help="with --whole-caption, in sentences too")
    apply = _edit(kinds, "apply", "replace tags by a saved set of rules", tag_edits.apply_rules)
    apply.add_argument("name", metavar="NAME", help="of the set; NSFW is built in")
    rename = _edit(kinds, "rename", "give a tag another name", tag_edits.rename)
    rename.add_argument("old", metavar="OLD")
    rename.add_argument("new", metavar="NEW")
    front = _edit(kinds, "front", "move tags to the front", tag_edits.front)
    front.add_argument("tags", nargs="+", metavar="TAG")
    sort = _edit(kinds, "sort", "sort the tags of each caption", tag_edits.sort)
    sort.add_argument("--by", default="alphabetical", choices=get_args(Order))
    sort.add_argument("--keep-first", type=int, default=0, metavar="N", help="so many stay where they are")
    sort.add_argument("--backwards", action="store_true")
    _edit(kinds, "unique", "leave the first of equal tags", tag_edits.unique)
    truncate = _edit(kinds, "truncate", "cut captions off at the end", tag_edits.truncate)
    limit = truncate.add_mutually_exclusive_group(required=True)
    limit.add_argument("--tokens", type=int, metavar="N", help="so many tokens at most")
    limit.add_argument("--tags", type=int, metavar="N", help="so many tags at most")


def _add_cleaning(kinds: Any) -> None:
    told = "\n".join(f"  {action.name:14} {action.help}" for action in ACTIONS)
    clean = _edit(kinds, "clean", "take out what taggers and captioners leave behind", tag_edits.clean)
    clean.formatter_class = argparse.RawDescriptionHelpFormatter
    clean.epilog = f"what can be cleaned:\n{told}"
    clean.add_argument("actions", nargs="+", metavar="WHAT", choices=[action.name for action in ACTIONS])


def _add_suggest(kinds: Any) -> None:
    suggest = _command(kinds, "suggest", "suggest which tags the embedding is to learn", tag_suggestions.run)
    suggest.add_argument("--vectors", type=int, default=0, metavar="N", help="propose an initialization text for N")
    suggest.add_argument("--name", default="", help="of the embedding, which is no trait where captions have it")
    add_data(suggest)


def _add_saved(kinds: Any) -> None:
    for name, told, run in (
        ("undo", "take the last saved change back", tag_saved.run_undo),
        ("redo", "do again what was undone last", tag_saved.run_redo),
        ("backups", "list the kept captions of this folder, the newest first", tag_saved.run_backups),
    ):
        add_data(_command(kinds, name, told, run))
    diff = _command(kinds, "diff", "show what has changed since a backup", tag_saved.run_diff)
    restore = _command(kinds, "restore", "put the captions of a backup back", tag_saved.run_restore)
    diff.add_argument("--since", dest="backup", default="", metavar="NAME", help="of 'backups' (default: the newest)")
    restore.add_argument("backup", metavar="NAME", help="of 'backups'")
    for parser in (diff, restore):
        add_data(parser)


def _add_kohya(kinds: Any) -> None:
    importing = _edit(kinds, "import", "take captions from a metadata JSON of kohya's scripts", tag_kohya.importing)
    importing.add_argument("file", type=Path, metavar="JSON")
    importing.add_argument("--part", default="caption and tags", choices=get_args(Part))
    importing.add_argument("--mode", default="replace", choices=get_args(Mode))
    exporting = _command(kinds, "export", "write captions into such a JSON", tag_kohya.run_export)
    exporting.add_argument("file", type=Path, metavar="JSON")
    exporting.add_argument("--part", default=None, choices=("caption", "tags"), help="(default: what each of them is)")
    exporting.add_argument("--full-path", action="store_true", help="name pictures by their whole path")
    exporting.add_argument("--merge", action="store_true", help="keep what the file says otherwise")
    exporting.add_argument("--overwrite", action="store_true", help="replace the file")


def _command(kinds: Any, name: str, told: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=told, description=told.capitalize() + ".")
    parser.add_argument("folder", metavar="FOLDER", help="the folder with the pictures")
    parser.add_argument("--recursive", action="store_true", help="the pictures in folders inside it too")
    parser.add_argument(
        "--extension",
        action="append",
        default=None,
        metavar="ENDING",
        help="of caption files, the first for new ones; may be repeated (default: .txt, then .caption)",
    )
    add_json(parser)
    parser.set_defaults(run=run)
    return parser


def _edit(kinds: Any, name: str, told: str, edit: Any) -> argparse.ArgumentParser:
    """A command that changes captions: ``edit`` makes the change, which is shown or saved."""
    parser = _command(kinds, name, told, tag_saved.run_edit)
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")
    parser.add_argument("--no-escape", action="store_true", help="write brackets of new tags without backslashes")
    _add_which(parser)
    _add_model(parser)
    add_data(parser)
    parser.set_defaults(edit=edit)
    return parser


def _add_which(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group("which pictures", "all of what is given must be true of a caption")
    for name, told in (
        ("--with", "it has this tag; may be repeated"),
        ("--with-any", "it has one of these; may be repeated"),
        ("--without", "it has not got this tag; may be repeated"),
    ):
        which.add_argument(name, action="append", default=[], metavar="TAG", help=told)
    which.add_argument("--untagged", action="store_true", help="it is empty or missing")
    which.add_argument("--more-tokens", type=int, metavar="N", help="it has more tokens than this")
    which.add_argument("--fewer-tags", type=int, metavar="N", help="it has fewer tags than this")
    which.add_argument("--containing", default="", metavar="TEXT", help="it contains this")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="", help="checkpoint that counts tokens (default: CLIP's own words)")
