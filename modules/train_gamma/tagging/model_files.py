"""Where the files of a model are: its own folder, the Hugging Face cache, or the net."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from train_gamma.errors import UserError
from train_gamma.tagging.download import addresses, download
from train_gamma.tagging.interrogator import Tell
from train_gamma.tagging.model_spec import ModelSpec


def find_files(spec: ModelSpec, taggers: Path) -> dict[str, Path]:
    """Those of its files that are on this machine, without any use of the net.

    Args:
        spec: the model.
        taggers: the folder with a folder for each model.

    Returns:
        Where each is, by its name in ``spec.all_files``; the missing ones are left out.
    """
    found = _present(_own_folder(spec, taggers), spec.all_files)
    if len(found) == len(spec.all_files) or not spec.repository:
        return found
    for snapshot in _snapshots(spec):
        cached = _present(snapshot, spec.all_files)
        if len(cached) == len(spec.all_files):  # never the list of one revision with the model of another
            return cached
    return found


def fetch_files(spec: ModelSpec, taggers: Path, tell: Tell) -> dict[str, Path]:
    """Its files, downloaded if they are not on this machine.

    Raises:
        UserError: if some are not there and cannot be downloaded, with where to get them and where to put them.
    """
    found = find_files(spec, taggers)
    missing = [name for name in spec.all_files if name not in found]
    if not missing:
        return found
    if not spec.repository:
        raise UserError(f"'{spec.folder}' has no {' and no '.join(missing)}. Put the missing files there.")
    folder = _own_folder(spec, taggers)
    try:
        download(spec.repository, spec.revision, missing, folder, tell)
    except UserError as error:
        raise UserError(_by_hand(spec, missing, folder, str(error))) from error
    return find_files(spec, taggers)


def _by_hand(spec: ModelSpec, missing: list[str], folder: Path, reason: str) -> str:
    listed = "\n".join(addresses(spec.repository, spec.revision, missing))
    return (
        f"'{spec.name}' is not on this machine and could not be downloaded ({reason}). Try again when "
        f"{spec.repository} can be reached; what is there already is kept. Or download it by other means:\n"
        f"{listed}\nand put the files into {folder}"
    )


def _own_folder(spec: ModelSpec, taggers: Path) -> Path:
    return spec.folder if spec.folder is not None else taggers / spec.name


def _present(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Files by their path in the repository, or, as people save them, by their last name alone."""
    found = {}
    for name in names:
        for path in (folder / name, folder / Path(name).name):
            if _is_there(path.is_file):
                found[name] = path
                break
    return found


def _snapshots(spec: ModelSpec) -> list[Path]:
    """The pinned revision in the cache, then what other programs cached as the newest.

    The cache is laid out as huggingface_hub documents it ("Understand caching"): refs/<branch or tag> holds a commit,
    snapshots/<commit> the files of it.
    """
    repository = _cache() / ("models--" + spec.repository.replace("/", "--"))
    found = []
    for revision in dict.fromkeys((spec.revision, "main")):
        reference = repository / "refs" / revision
        commit = _text(reference).strip() or revision
        if _is_there((repository / "snapshots" / commit).is_dir):
            found.append(repository / "snapshots" / commit)
    return found


def _is_there(asked: Callable[[], bool]) -> bool:
    """Whether a file is there; one in a folder that nobody may enter, or with a name too long for any, is not."""
    try:
        return asked()
    except (OSError, ValueError):
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8") if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def _cache() -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"
