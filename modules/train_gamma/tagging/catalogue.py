"""Every tagger that can be chosen: those the project describes, those the user adds, and the host's."""

import difflib
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import Captioner, Entry, HostInterrogator, Interrogator, Label, Tell
from train_gamma.tagging.model_files import fetch_files, find_files
from train_gamma.tagging.model_spec import Layouts, ModelSpec, read_spec
from train_gamma.tagging.onnx_session import runtime_problem
from train_gamma.tagging.onnx_tagger import OnnxTagger
from train_gamma.tagging.tag_files import read_labels

log = logging.getLogger("train_gamma")

Origin: TypeAlias = Literal["project", "file", "folder", "host"]

_PACKAGE = Path(__file__).parents[1]
_SHIPPED = Path(__file__).with_name("models.json")
_OWN_DESCRIPTION = "model.json"
_STAGES = "preprocess.json"
_GUESSES: Mapping[str, Mapping[str, Any]] = {
    "selected_tags.csv": {"form": "csv", "layout": "wd"},
    "tags-selected.csv": {"form": "csv", "layout": "wd", "categories": "e621"},
    "top_tags.txt": {"form": "lines", "layout": "joytag", "sigmoid": True},
    "tag_mapping.json": {"form": "mapping", "layout": "cl", "sigmoid": True},
}
"""What a folder without a description is taken for, by its list of tags."""


@dataclass(frozen=True, slots=True)
class _Found:
    entry: Entry
    spec: ModelSpec | None = None
    host: HostInterrogator | None = None


def none() -> Sequence[HostInterrogator]:
    """No interrogators of a host."""
    return ()


class Catalogue:
    """What can be chosen, looked up anew each time, so that a folder dropped in is there at once."""

    def __init__(self, folder: Callable[[], Path], host: Callable[[], Sequence[HostInterrogator]] = none) -> None:
        """``folder`` tells where users put models, ``host`` what the host brings along."""
        self._folder = folder
        self._host = host

    def entries(self) -> list[Entry]:
        """All of them; one that cannot be used has a ``problem``."""
        return [found.entry for found in self._all()]

    def entry(self, name: str) -> Entry:
        """The one of this name, or of this name elsewhere ("wd14-convnext").

        Raises:
            UserError: if there is none, naming those that are near.
        """
        return self._find(name).entry

    def load(self, name: str, device: str, tell: Tell) -> Interrogator | Captioner:
        """Load one, downloading its files first if they are not here.

        Args:
            name: as in ``entry``.
            device: "auto", "cpu" or "gpu".
            tell: hears of the download.

        Raises:
            UserError: if there is none of that name, or it cannot be loaded.
        """
        found = self._find(name)
        if found.entry.problem:
            raise UserError(found.entry.problem)
        if found.host is not None:
            return found.host.load(tell)
        if found.spec is None:
            raise RuntimeError(f"'{name}' has neither a description nor a problem")
        return OnnxTagger(found.spec, fetch_files(found.spec, self._folder(), tell), device)

    def lists(self) -> list[tuple[str, str]]:
        """The taggers whose list of tags is on this machine, by name, and what changes with that list."""
        found = []
        for one in self._all():
            path = _tags_of(one, self._folder())
            if path is not None:
                stat = path.stat()
                found.append((one.entry.name, f"{path} {stat.st_size} {stat.st_mtime_ns}"))
        return found

    def labels(self, name: str) -> list[Label]:
        """The list of a tagger, without loading the model.

        Raises:
            UserError: if there is no such tagger, its list is not on this machine, or it cannot be read.
        """
        found = self._find(name)
        path = _tags_of(found, self._folder())
        if found.spec is None or path is None:
            raise UserError(f"The list of tags of '{name}' is not on this machine. Use the tagger once.")
        return read_labels(path, found.spec.form, found.spec.categories)

    def stamp(self, name: str) -> str:
        """What changes with a model's description or files, without loading it; "" for one of the host's.

        Of files that are not on this machine nothing is in it, so what a model said can be used after it was deleted:
        a stamp with files begins with the one without.

        Raises:
            UserError: if there is none of that name.
        """
        spec = self._find(name).spec
        if spec is None:
            return ""
        described = hashlib.sha256(repr(spec).encode()).hexdigest()[:16]
        files = find_files(spec, self._folder())
        if len(files) < len(spec.all_files):
            return described
        found = [(name, path.stat()) for name, path in sorted(files.items())]
        return f"{described} " + " ".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in found)

    def _find(self, name: str) -> _Found:
        everything = self._all()
        wanted = name.strip().lower()
        for found in everything:
            if found.entry.name.lower() == wanted:
                return found
        for found in everything:
            if found.spec is not None and wanted in (alias.lower() for alias in found.spec.aliases):
                return found
        names = [found.entry.name for found in everything]
        near = difflib.get_close_matches(wanted, names, 3, 0.5) or names
        raise UserError(f"There is no tagger '{name}'. Choose one of these: {', '.join(near)}.")

    def _all(self) -> list[_Found]:
        folder, problem = self._folder(), runtime_problem()
        shipped = json.loads(_SHIPPED.read_text("utf-8"))
        layouts: Layouts = shipped["layouts"]
        found: dict[str, _Found] = {}
        for data in shipped["models"]:
            spec = read_spec(data, _PACKAGE, layouts)
            found[spec.name] = self._described(spec, "project", problem)
        for path in _files(folder):
            _add(found, _guarded(path, "file", partial(self._from_file, path, layouts, problem)))
        for path in _folders(folder):
            _add(found, _guarded(path, "folder", partial(self._from_folder, path, layouts, problem, set(found))))
        _add(found, [_Found(host.entry, host=host) for host in self._host()])
        return list(found.values())

    def _described(self, spec: ModelSpec, origin: Origin, problem: str) -> _Found:
        here = find_files(spec, self._folder())
        missing = [name for name in spec.all_files if name not in here]
        if missing and not spec.repository:
            problem = f"'{spec.folder}' has no {' and no '.join(missing)}. Put the files there. {problem}".strip()
        source = str(spec.folder) if spec.folder is not None else f"huggingface.co/{spec.repository}"
        entry = Entry(
            name=spec.name,
            title=spec.title,
            kind="tagger",
            origin=origin,
            thresholds=spec.thresholds,
            licence=spec.licence,
            source=source + (f" ({spec.megabytes} MB)" if spec.megabytes else ""),
            ready=not missing,
            problem=problem,
        )
        return _Found(entry, spec)

    def _from_file(self, path: Path, layouts: Layouts, problem: str) -> list[_Found]:
        try:
            data = _read_json(path)
            models = data["models"] if isinstance(data, dict) and isinstance(data.get("models"), list) else [data]
        except UserError as error:
            return [_bad(path.stem, "file", str(error))]
        return [self._from_data(path, model, layouts, problem, path.stem) for model in models]

    def _from_data(self, path: Path, data: Any, layouts: Layouts, problem: str, name: str) -> _Found:
        origin: Origin = "folder" if path.name == _OWN_DESCRIPTION else "file"
        try:
            return self._described(read_spec(data, path.parent, layouts, name), origin, problem)
        except UserError as error:
            named = data.get("name") if isinstance(data, dict) else None
            return _bad(named if isinstance(named, str) and named else name, origin, f"'{path}': {error}")

    def _from_folder(self, path: Path, layouts: Layouts, problem: str, known: set[str]) -> list[_Found]:
        if (path / _OWN_DESCRIPTION).is_file():
            try:
                data = _read_json(path / _OWN_DESCRIPTION)
            except UserError as error:
                return [_bad(path.name, "folder", str(error))]
            return [self._from_data(path / _OWN_DESCRIPTION, data, layouts, problem, path.name)]
        if path.name in known:  # the files of a model that is described already
            return []
        return self._guess(path, layouts, problem)

    def _guess(self, path: Path, layouts: Layouts, problem: str) -> list[_Found]:
        models = sorted(file.name for file in path.glob("*.onnx"))
        tags = next((name for name in _GUESSES if (path / name).is_file()), "")
        if not models and not tags:
            return []
        if not models or not tags:
            lacking = "no .onnx file" if not models else f"none of {', '.join(_GUESSES)}"
            return [_bad(path.name, "folder", f"'{path}' has {lacking}. Put the missing file there.")]
        model = "model.onnx" if "model.onnx" in models else models[0]
        data = {"model": model, "tags": tags, **_GUESSES[tags]}
        if (path / _STAGES).is_file():
            data["layout_file"] = _STAGES
        return [self._from_data(path / _OWN_DESCRIPTION, data, layouts, problem, path.name)]


def _tags_of(found: _Found, folder: Path) -> Path | None:
    """The list of a tagger, None if it is not on this machine."""
    return None if found.spec is None else find_files(found.spec, folder).get(found.spec.tags)


def _add(found: dict[str, _Found], more: Sequence[_Found]) -> None:
    """A user's description takes the place of the project's; any other of a name that is taken gets a number."""
    for item in more:
        name, number = item.entry.name, 2
        while name in found and (found[name].entry.origin != "project" or item.spec is None):
            name, number = f"{item.entry.name} ({number})", number + 1
        found[name] = replace(item, entry=replace(item.entry, name=name))


def _guarded(path: Path, origin: Origin, read: Callable[[], list[_Found]]) -> list[_Found]:
    """What is read, or the reason why it cannot be; no file of anybody's takes the list of taggers away."""
    try:
        return read()
    except UserError as error:
        return [_bad(path.stem, origin, str(error))]
    except Exception as error:
        log.exception("'%s' could not be read", path)
        return [_bad(path.stem, origin, f"'{path}' cannot be used: {type(error).__name__}: {error}. Correct it.")]


def _bad(name: str, origin: Origin, problem: str) -> _Found:
    return _Found(Entry(name=name, title=name, kind="tagger", origin=origin, problem=problem))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in _listed(folder) if path.suffix.lower() == ".json" and path.is_file())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in _listed(folder) if path.is_dir())


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:  # not there yet, or not to be read: nothing of the user's
        return []


def _read_json(path: Path) -> Any:
    text = read_text(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"'{path}' is not JSON ({error}). Correct it.") from error
