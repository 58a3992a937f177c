"""Presets: parts of a configuration under a name, and what the form held last."""

import copy
import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.errors import UserError
from train_gamma.service.built_in_presets import BUILT_IN, Values
from train_gamma.service.known_settings import known_settings
from train_gamma.service.places import UnknownError
from train_gamma.training.config import VERSION
from train_gamma.training.config_reading import from_dict

OF_ONE_RUN = (
    ("embedding", "name"),
    ("embedding", "init_embedding"),
    ("dataset", "folder"),
    ("output", "folder"),
    ("output", "export_to"),
    ("output", "overwrite"),
)
"""Settings that say which run it is and not how it is made. A preset does not keep them."""

LONGEST_NAME = 60
MEMORY = "last-form.json"

log = logging.getLogger("train_gamma")


class Presets:
    """Presets in a folder, beside the built-in ones. Every method may be called from any thread.

    ``folder`` tells the folder as it is now, since a host's settings can change it.

    Values are nested like a configuration, ``{"training": {"max_steps": 500}}``, and partial: what is missing stays as
    it is where the preset is applied.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The built-in presets, then the saved ones by name."""
        folder = self._folder()
        found = folder.glob("*.json") if folder.is_dir() else ()
        saved = [path.stem for path in found if path.name != MEMORY and not path.name.startswith(".")]
        return [*BUILT_IN, *sorted(saved, key=str.lower)]

    def is_built_in(self, name: str) -> bool:
        """Whether the preset comes with the program, and so cannot be replaced or deleted."""
        return name in BUILT_IN

    def load(self, name: str) -> Values:
        """The values of a preset; what this version does not know is left out, with a warning in the log.

        Raises:
            UserError: if there is none of that name, or its file is damaged.
        """
        return self.load_with_warnings(name)[0]

    def load_with_warnings(self, name: str) -> tuple[Values, list[str]]:
        """The values of a preset and a sentence for each setting that this version does not know.

        Raises:
            UserError: if there is none of that name, or its file is damaged.
        """
        if name in BUILT_IN:
            return copy.deepcopy(BUILT_IN[name]), []
        with self._lock:
            values, warnings = _read(self._path(name), f"Preset '{name}'")
        from_dict(values)
        for warning in warnings:
            log.warning("Preset '%s': %s", name, warning)
        return values, warnings

    def save(self, name: str, values: Mapping[str, Any]) -> None:
        """Keep values under a name, without the settings of one run; an older preset of the name is replaced.

        Raises:
            UserError: if the name or a value is not right, the preset is built in, or the file cannot be written.
        """
        path = self._path(name)
        from_dict(values)
        kept = {
            section: {key: value for key, value in content.items() if (section, key) not in OF_ONE_RUN}
            for section, content in values.items()
            if section != "version"
        }
        with self._lock:
            _write(path, {section: content for section, content in kept.items() if content}, f"Preset '{name}'")

    def delete(self, name: str) -> None:
        """Delete a saved preset.

        Raises:
            UserError: if there is none of that name, or it is built in.
        """
        path = self._path(name)
        with self._lock:
            if not path.is_file():
                raise UnknownError(f"There is no preset '{name}'. Choose one of the list.")
            path.unlink()

    def remembered(self) -> Values:
        """What the form held last; empty when nothing is known or it cannot be read."""
        try:
            with self._lock:
                values, _ = _read(self._folder() / MEMORY, "What the form held last")
            from_dict(values)
        except UserError as error:
            log.debug("%s", error)
            return {}
        return values

    def remember(self, values: Mapping[str, Any]) -> None:
        """Keep what the form holds.

        Raises:
            UserError: if a value is not right or the file cannot be written.
        """
        from_dict(values)
        with self._lock:
            _write(self._folder() / MEMORY, values, "What the form holds")

    def _path(self, name: str) -> Path:
        """The file of a preset that can be saved or deleted.

        Raises:
            UserError: if the name cannot be a preset's.
        """
        if name.lower() in {built_in.lower() for built_in in BUILT_IN}:
            raise UserError(f"'{name}' is built in and stays as it is. Choose another name.")
        allowed = all(letter.isalnum() or letter in " -_+.()" for letter in name)
        if not (name.strip(" .") == name and name and allowed and len(name) <= LONGEST_NAME):
            raise UserError(
                f"'{name}' cannot be the name of a preset. It may have letters, digits, blanks and - _ + . ( ), begins "
                f"and ends with none of blank and dot, and is at most {LONGEST_NAME} long. Choose another name."
            )
        if f"{name}.json".lower() == MEMORY:
            raise UserError(f"'{name}' is kept for what the form held last. Choose another name.")
        return self._folder() / f"{name}.json"


def _read(path: Path, what: str) -> tuple[Values, list[str]]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UnknownError(f"{what} does not exist. Choose one of the list.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{what} cannot be read ({error}). Delete the file '{path}', or save it again.") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{what} is damaged. Delete the file '{path}', or save it again.")
    return known_settings(content)


def _write(path: Path, values: Mapping[str, Any], what: str) -> None:
    text = json.dumps({"version": VERSION, **values}, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        atomic.write_text(path, text + "\n")
    except OSError as error:
        raise UserError(
            f"{what} cannot be written to '{path}': {error.strerror or error}. Free space or fix the folder's rights."
        ) from error
