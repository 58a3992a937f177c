"""``check``: what is wrong with a folder of pictures, or with a configuration and its pictures, and fixes."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.cli.configuration import parse_changes, read_configuration
from train_gamma.cli.options import add_data, add_json
from train_gamma.cli.training import FAILED, INTERRUPTED, add_set, interruptible
from train_gamma.errors import UserError

POLL_S = 0.1
_OF_FOLDERS = ("fix", "into", "undo")


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    check = commands.add_parser(
        "check",
        help="say what is wrong with a folder of pictures, or with a configuration and its pictures",
        description="Looks at every picture and caption, and says what is wrong and what to do. What the program can "
        "repair is repaired with --fix and the word in brackets; nothing is deleted, and --undo takes it back.",
    )
    check.add_argument("what", type=Path, metavar="FOLDER|CONFIG.toml")
    add_set(check)
    check.add_argument("--report", type=Path, metavar="DIR", help="write report.html and report.md into this folder")
    check.add_argument("--fix", action="append", default=[], metavar="WORD", help="repair this; may be repeated")
    check.add_argument("--into", default="", metavar="NEW", help="with --fix: write changed pictures into a new folder")
    check.add_argument("--undo", action="store_true", help="take the last repair back")
    add_json(check)
    add_data(check)
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check a folder or a configuration. Exit code 1 if there are errors."""
    return check_folder(arguments) if arguments.what.is_dir() else check_configuration(arguments)


def check_configuration(arguments: argparse.Namespace) -> int:
    """Print the report that training starts with, and what each picture loses."""
    from train_gamma.dataset.dataset import load_dataset
    from train_gamma.doctor.report import write_report
    from train_gamma.hosts.load_checkpoint import load_backbone
    from train_gamma.training.plan import make_plan
    from train_gamma.training.preflight import check_run, dataset_findings, examine_run, refused_findings, report

    wrong = [f"--{option}" for option in _OF_FOLDERS if getattr(arguments, option)]
    if wrong:
        raise UserError(f"{wrong[0]} is for a folder of pictures. Give that instead of '{arguments.what}'.")
    config = read_configuration(arguments.what, arguments.set)
    backbone = load_backbone(config.model)
    try:
        dataset = load_dataset(config.dataset, config.embedding.name)
        plan = make_plan(config, len(dataset.items))
    except UserError as error:
        findings, crops = refused_findings(error, config, backbone), ""
    else:
        examination = examine_run(config, backbone, dataset)
        findings, crops = check_run(config, backbone, dataset, plan, examination), dataset.crop_report()
        if arguments.report:
            of_pictures = dataset_findings(examination)
            write_report(examination, arguments.report, [one for one in findings if one not in of_pictures])
    if arguments.json:
        _print_json({"findings": [dataclasses.asdict(finding) for finding in findings]})
    else:
        print("\n\n".join(filter(None, [report(findings), crops])))
    return FAILED if any(finding.level == "error" for finding in findings) else 0


def check_folder(arguments: argparse.Namespace) -> int:
    """Examine a folder, and repair what is asked for."""
    from train_gamma.hosts.standalone import StandaloneHost
    from train_gamma.service import Service
    from train_gamma.training.config_reading import from_dict

    changes = parse_changes(arguments.set)
    config = from_dict(changes)
    datasets = Service(StandaloneHost(arguments.data)).datasets
    opened = datasets.open(str(arguments.what), config.dataset.recursive)
    if arguments.undo:
        print(datasets.checks.undo_fix(opened.id, None))
        return 0
    if not _examine(datasets, opened.id, config, changes, arguments.json):
        return INTERRUPTED
    found = datasets.checks.findings(opened.id)
    if arguments.report:
        for kind in ("html", "md"):
            atomic.write_text(arguments.report / f"report.{kind}", datasets.checks.report(opened.id, kind))
    done = _repair(datasets, opened.id, found.findings, arguments.fix, arguments.into)
    if arguments.json:
        _print_json({"findings": [dataclasses.asdict(one) for one in found.findings], "fixes": done})
    else:
        _tell(found.findings, opened.pictures, done)
    return FAILED if any(finding.level == "error" for finding in found.findings) else 0


def _examine(datasets: Any, name: str, config: Any, changes: dict[str, Any], quiet: bool) -> bool:
    """Let a folder be examined, with a bar on standard error; whether that came to its end."""
    from train_gamma.service.dataset_requests import ExamineRequest

    embedding = config.embedding
    words = embedding.init_text if embedding.start == "text" else ""
    target = ExamineRequest(embedding.name, embedding.num_vectors, words, changes)
    job = datasets.checks.examine(name, target)
    with interruptible(job.control.stop, "picture"):
        _watch(job, quiet)
    shown = job.snapshot()
    if shown["state"] == "failed":
        raise UserError(shown["message"])
    return bool(shown["state"] == "finished")


def _watch(job: Any, quiet: bool) -> None:
    from tqdm import tqdm

    with tqdm(desc="Looking", unit="picture", file=sys.stderr, disable=quiet, leave=False) as bar:
        over = False
        while not over:
            over = job.wait(POLL_S)
            shown = job.snapshot()
            bar.total = shown["total"]
            bar.update(shown["done"] - bar.n)


def _repair(datasets: Any, name: str, findings: Sequence[Any], kinds: Sequence[str], into: str) -> list[dict[str, Any]]:
    """Repair the findings of these kinds, and tell what was done.

    Raises:
        UserError: if one of them was not found or cannot be repaired; nothing is done then.
    """
    from train_gamma.service.dataset_requests import FixRequest

    for kind in kinds:
        of_kind = [finding for finding in findings if finding.kind == kind]
        if not of_kind:
            raise UserError(f"--fix {kind}: that was not found. There are: {_kinds(findings) or 'none'}.")
        if not any(finding.fixable for finding in of_kind):
            raise UserError(f"--fix {kind}: the program cannot repair that. {of_kind[0].fix}".strip())
    wanted = [finding for finding in findings if finding.kind in kinds and finding.fixable]
    done = []
    for finding in wanted:
        fixed = datasets.checks.fix(name, FixRequest(finding.index, into=into))
        done.append({"kind": finding.kind, "action": fixed.fix.action, "files": list(fixed.touched)})
        done[-1]["problems"] = list(fixed.fix.problems)
    return done


def _kinds(findings: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(finding.kind for finding in findings if finding.fixable))


def _tell(findings: Sequence[Any], pictures: int, done: Sequence[dict[str, Any]]) -> None:
    for finding in findings:
        word = f" [{finding.kind}]" if finding.fixable else ""
        print(f"{finding.level:8}{finding.message} {finding.fix}".rstrip() + word)
    if not findings:
        print(f"Nothing is wrong with these {pictures} pictures." if pictures > 1 else "Nothing is wrong.")
    for one in done:
        print(f"{one['kind']}: {one['action']}, {len(one['files'])} files. --undo takes it back.")
        for problem in one["problems"]:
            print(f"    {problem}", file=sys.stderr)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False, default=str))
