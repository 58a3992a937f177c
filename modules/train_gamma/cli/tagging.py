"""``tag``: captions for a folder of pictures."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from train_gamma.cli.options import add_data, add_json, add_options, given
from train_gamma.cli.training import FAILED, INTERRUPTED, interruptible
from train_gamma.errors import UserError
from train_gamma.tagging.config import PREVIEW_ONLY, TagConfig

POLL_S = 0.1
POSITIONAL = "folder"


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    tag = commands.add_parser(
        "tag",
        help="write captions for a folder of pictures",
        description="Writes a caption file beside each picture of a folder. What a model says of a picture is kept, so "
        "that other settings need no second look at it.",
    )
    tag.add_argument(POSITIONAL, nargs="?", default="", metavar="FOLDER", help="the folder with the pictures")
    add_options(tag, TagConfig, but=(POSITIONAL,))
    tag.add_argument("--list-models", action="store_true", help="list the taggers and captioners, and do nothing else")
    tag.add_argument("--dry-run", action="store_true", help="show the captions and write nothing")
    add_json(tag)
    add_data(tag)
    tag.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tag a folder, or list the models."""
    from train_gamma.hosts.standalone import StandaloneHost
    from train_gamma.service import Service

    service = Service(StandaloneHost(arguments.data))
    if arguments.list_models:
        return _list_models(service.tagging.entries(), arguments.json)
    config = read_arguments(arguments)
    plan = service.tagging.plan(config)
    if not (arguments.json or plan.problem):
        _tell(_planned(plan, config))
    job = service.tagging.tag(config)
    with interruptible(job.control.stop, "batch"):
        watch(job, quiet=arguments.json)
    shown = job.snapshot()
    preview = service.tagging.proposals(config) if config.existing == PREVIEW_ONLY else []
    if arguments.json:
        print(json.dumps({**shown, "proposals": [_plain(one) for one in preview]}, ensure_ascii=False))
    else:
        _tell_end(shown, preview)
    return {"finished": 0, "stopped": INTERRUPTED}.get(shown["state"], FAILED)


def read_arguments(arguments: argparse.Namespace) -> TagConfig:
    """The settings in a command line.

    Raises:
        UserError: if a value is not right, or a dry run is to write too.
    """
    from train_gamma.tagging.config_reading import read_tag_config

    values = given(arguments, TagConfig)
    if arguments.dry_run:
        if values.get("existing", PREVIEW_ONLY) != PREVIEW_ONLY:
            raise UserError("--dry-run writes nothing, so --existing has no meaning with it. Leave one of them out.")
        values["existing"] = PREVIEW_ONLY
    return read_tag_config(values)


def watch(job: Any, quiet: bool) -> None:
    """Draw bars on standard error until the job is over."""
    bars = _Bars()
    over = False
    while not over:
        over = job.wait(POLL_S)
        if not quiet:
            bars.show(job.snapshot())
    bars.close()


class _Bars:
    """A bar for each model that looks at the pictures, one after the other, and a line for each warning."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""
        self._told = 0

    def show(self, shown: Mapping[str, Any]) -> None:
        from tqdm import tqdm

        if shown["what"] != self._what:
            self.close()
            self._what = shown["what"]
            self._bar = tqdm(total=shown["total"], desc=self._what, unit="picture", file=sys.stderr, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(shown["done"] - self._bar.n)
        for message in shown["warnings"][self._told :]:
            tqdm.write(f"Warning: {message}", file=sys.stderr)
        self._told = len(shown["warnings"])

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _planned(plan: Any, config: TagConfig) -> str:
    actions = ", ".join(f"{count} {action}" for action, count in plan.actions.items())
    known = f"; {plan.num_known} of the {plan.num_needed} needed are known already" if plan.num_known else ""
    captions = "nothing is written" if config.existing == PREVIEW_ONLY else f"captions: {actions}"
    return "\n".join([f"{plan.num_pictures} pictures, {captions}{known}.", *plan.notes])


def _tell_end(shown: Mapping[str, Any], proposals: Sequence[Any]) -> None:
    for one in proposals:
        print(f"{one.path}\n    {one.caption}")
    for failed in shown["result"]["failed"]:
        _tell(failed["reason"])
    if shown["state"] == "failed":
        _tell(shown["message"])
    else:
        print(shown["message"])


def _list_models(entries: Sequence[Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps([_plain(entry) for entry in entries], ensure_ascii=False))
        return 0
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = entry.problem or ("ready" if entry.ready else f"is downloaded when it is used: {entry.source}")
        kind = "" if entry.kind == "tagger" else ", writes sentences"
        print(f"{entry.name:{width}}  {entry.title}{kind}; {state}")
    return 0


def _plain(one: Any) -> dict[str, Any]:
    values = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
    return {
        key: str(value) if isinstance(value, Path) else dict(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
