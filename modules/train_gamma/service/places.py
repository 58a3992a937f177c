"""Which files and folders a request may name."""

import dataclasses
from pathlib import Path

from train_gamma.errors import UserError, raise_all
from train_gamma.host import Folders
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import section_types

PROMPT_FILES = {("dataset", "template_file"), ("preview", "prompt_file")}
"""Settings that name a file of prompts. Its lines are quoted where they are wrong, so over the network no other file
than a text is read as one."""


class ForbiddenError(UserError):
    """A request names a place outside the folders it may name."""


class UnknownError(UserError):
    """A request names something that is not there."""


def check_places(config: RunConfig, folders: Folders) -> None:
    """Refuse settings that name a place outside the folders a request may name.

    Raises:
        ForbiddenError: one sentence for every such setting.
    """
    problems = []
    for section, kind in section_types().items():
        for f in dataclasses.fields(kind):
            value = getattr(getattr(config, section), f.name)
            if not f.metadata["path"] or value.strip() in ("", "miniature", f.default):  # names no place of the user's
                continue
            if not (is_allowed(value, folders) and is_allowed(value.strip(), folders)):  # some are used stripped
                problems.append(_refusal(f.metadata["label"], value, folders))
            elif folders.readable and (section, f.name) in PROMPT_FILES and not _is_text(value.strip()):
                problems.append(
                    f"{f.metadata['label']} '{value}' must end in .txt where other computers reach the program. "
                    "Rename it."
                )
    try:
        raise_all(problems)
    except UserError as error:
        raise ForbiddenError(str(error)) from None


def check_place(label: str, place: str | Path, folders: Folders) -> Path | None:
    """The real path of a place that a request names; None for what can be no path.

    Raises:
        ForbiddenError: if it is outside the folders that a request may name.
    """
    if not is_allowed(place, folders):
        raise ForbiddenError(_refusal(label, str(place), folders))
    return real_path(place)


def is_allowed(place: str | Path, folders: Folders) -> bool:
    """Whether a request may name ``place``: anywhere if nothing is said, else inside the folders that are."""
    if not folders.readable:
        return True
    roots = (*folders.readable, folders.runs, folders.embeddings, folders.presets)
    real = real_path(place)
    return real is not None and any(real.is_relative_to(root.resolve()) for root in roots)


def real_path(place: str | Path) -> Path | None:
    """The place with links and ~ resolved; None for what can be no path."""
    try:
        return Path(place).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def run_path(run: str | Path, folders: Folders) -> Path:
    """The folder of a run that a request names by the folder's name or by its path.

    Raises:
        ForbiddenError: if it lies neither in the runs folder nor where a request may look.
        UnknownError: if there is no such run.
    """
    path = Path(run) if isinstance(run, Path) or Path(run).name != run else folders.runs / run
    real = real_path(path)
    if real is None or not str(run).strip():
        raise UnknownError(f"'{run}' is not the name of a run. Choose one of the list.")
    if not real.is_relative_to(folders.runs.resolve()) and not is_allowed(real, folders):
        raise ForbiddenError(_refusal("Run", str(run), folders))
    if not _is_run(real):
        raise UnknownError(f"There is no run '{run}'. Choose one of the list, or give the run's folder.")
    return real


def _is_text(place: str) -> bool:
    real = real_path(place)
    return real is not None and real.suffix.lower() == ".txt"


def _is_run(path: Path) -> bool:
    try:
        return (path / "config.json").is_file()
    except OSError:  # a name that is too long, say
        return False


def _refusal(what: str, place: str, folders: Folders) -> str:
    allowed = ", ".join(f"'{root}'" for root in folders.readable)
    return (
        f"{what} '{place}' is outside the folders that may be used over the network. Those are: {allowed}. Move it "
        "there, or start the program so that only this computer reaches it."
    )
