"""What the program knows of a model that tags pictures: data, not code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from train_gamma.errors import raise_all
from train_gamma.tagging.interrogator import GENERAL
from train_gamma.tagging.preprocess import RESAMPLING, Layout
from train_gamma.tagging.tag_files import FORMS, SCHEMES

_AXES = ("NHWC", "NCHW")
_CHANNELS = ("RGB", "BGR")
_FITS = ("pad", "shrink", "stretch", "crop")
_FORBIDDEN_IN_NAMES = '<>:"/\\|?*'


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model.

    Attributes:
        name: what it is chosen by, and its folder's name.
        title: for people.
        aliases: what it is called elsewhere.
        repository: on huggingface.co, "" when it is only on this machine.
        revision: commit, tag or branch of the repository.
        folder: where its files are; None for those of a repository.
        model: the ONNX file, a path inside repository and folder.
        tags: the list of what its outputs mean.
        files: what else it needs, external weights for instance.
        form: of the list, a key of ``tag_files.FORMS``.
        categories: names for what the list calls a category.
        layout: what it takes for a picture.
        layout_file: a file of the model that describes that, in place of ``layout``; "" for none.
        sigmoid: whether its output is logits.
        output: the name of the output, "" for the first.
        thresholds: the recommended one per category.
        licence: SPDX name.
        megabytes: to download.
    """

    name: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    repository: str = ""
    revision: str = "main"
    folder: Path | None = None
    model: str = "model.onnx"
    tags: str = "selected_tags.csv"
    files: tuple[str, ...] = ()
    form: str = "csv"
    categories: Mapping[str, str] = field(default_factory=lambda: SCHEMES["danbooru"])
    layout: Layout = field(default_factory=Layout)
    layout_file: str = ""
    sigmoid: bool = False
    output: str = ""
    thresholds: Mapping[str, float] = field(default_factory=lambda: {GENERAL: 0.35})
    licence: str = ""
    megabytes: int = 0

    @property
    def all_files(self) -> tuple[str, ...]:
        """Every file it needs, as paths inside its repository or folder."""
        named = (self.model, self.tags, self.layout_file, *self.files)
        return tuple(dict.fromkeys(file for file in named if file))


Layouts = Mapping[str, Mapping[str, Any]]
"""Layouts by name, each the fields of a ``Layout``."""

_TEXTS = ("name", "title", "repository", "revision", "path", "model", "tags", "layout_file", "output", "licence")
_KEYS = (
    *_TEXTS, "aliases", "files", "form", "categories", "layout", "sigmoid", "thresholds", "megabytes", "about"
)  # fmt: skip


def read_spec(data: Any, base: Path, layouts: Layouts, name: str = "") -> ModelSpec:
    """Make sense of one model's description.

    Args:
        data: as it is in the JSON.
        base: the folder that a relative ``path`` starts from.
        layouts: those that a description may name.
        name: for a description that does not have one.

    Raises:
        UserError: that lists everything that is wrong with it.
    """
    reader = _Reader(data, layouts)
    values: dict[str, Any] = {key: reader.text(key) for key in _TEXTS if key != "path" and key in reader.data}
    values.setdefault("name", name)
    values.setdefault("title", values["name"])
    values["folder"] = reader.folder(base)
    values["aliases"], values["files"] = reader.texts("aliases"), reader.texts("files")
    values["form"] = reader.choice(reader.data, "form", "csv", tuple(FORMS))
    values["categories"] = reader.categories()
    values["layout"] = reader.layout()
    values["thresholds"] = reader.thresholds(values["folder"])
    values["sigmoid"] = reader.truth(reader.data, "sigmoid")
    values["megabytes"] = int(reader.number(reader.data, "megabytes", 0, 0, 1_000_000))
    spec = ModelSpec(**values)
    reader.check(spec)
    raise_all(reader.problems)
    return spec


class _Reader:
    """Collects the problems of a description while it is read."""

    def __init__(self, data: Any, layouts: Layouts) -> None:
        self.problems: list[str] = []
        self.data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        self._layouts = layouts
        if not isinstance(data, dict):
            self.problems.append(f"A model is described by {{...}} with keys such as name and path, got {data!r}.")
        unknown = [key for key in self.data if key not in _KEYS]
        if unknown:
            self.problems.append(f"Unknown {_list(unknown)}. A model has {', '.join(_KEYS)}.")

    def text(self, key: str) -> str:
        value = self.data.get(key, "")
        if not isinstance(value, str):
            self.problems.append(f"'{key}' must be a text, got {value!r}.")
            return ""
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problems.append(f"'{key}' must be a list of texts, got {value!r}.")
            return ()
        return tuple(value)

    def truth(self, data: Mapping[str, Any], key: str) -> bool:
        value = data.get(key, False)
        if not isinstance(value, bool):
            self.problems.append(f"'{key}' must be true or false, got {value!r}.")
        return value is True

    def choice(self, data: Mapping[str, Any], key: str, default: str, choices: tuple[str, ...]) -> str:
        value = data.get(key, default)
        if value not in choices:
            self.problems.append(f"'{key}' must be one of {', '.join(choices)}, got {value!r}.")
            return default
        return str(value)

    def number(self, data: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
        value = data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.problems.append(f"'{key}' must be a number from {low:g} to {high:g}, got {value!r}.")
            return default
        return float(value)

    def folder(self, base: Path) -> Path | None:
        text = self.text("path")
        if not text and not self.data.get("repository"):
            return base
        return base / Path(text).expanduser() if text else None

    def categories(self) -> Mapping[str, str]:
        value = self.data.get("categories", "danbooru")
        if isinstance(value, str) and value in SCHEMES:
            return SCHEMES[value]
        if isinstance(value, dict) and all(isinstance(name, str) for name in value.values()):
            return {str(key).lower(): name.lower() for key, name in value.items()}
        self.problems.append(
            f'\'categories\' must be {" or ".join(SCHEMES)}, or names such as {{"0": "general"}}, got {value!r}.'
        )
        return SCHEMES["danbooru"]

    def thresholds(self, folder: Path | None) -> Mapping[str, float]:
        value = self.data.get("thresholds", {GENERAL: 0.35})
        if isinstance(value, str) and folder is not None:  # a file of the model, with an entry of the same name
            value = _entry_of(folder / value, "thresholds")
        if not isinstance(value, dict) or GENERAL not in value:
            self.problems.append(f"'thresholds' must be such as {{\"general\": 0.35}}, got {value!r}.")
            return {GENERAL: 0.35}
        return {key: self.number(value, key, 0.35, 0.0, 1.0) for key in value}

    def layout(self) -> Layout:
        value = self.data.get("layout", "wd")
        given: Mapping[str, Any] = {"like": value} if isinstance(value, str) else value
        if not isinstance(given, dict):
            self.problems.append(f"'layout' must be the name of one or {{...}}, got {value!r}.")
            return Layout()
        like = given.get("like")
        if like is not None and like not in self._layouts:
            self.problems.append(f"'layout' must be one of {', '.join(self._layouts)}, or described, got {like!r}.")
        merged = {**self._layouts.get(str(like), {}), **{key: given[key] for key in given if key != "like"}}
        unknown = [key for key in merged if key not in {f.name for f in fields(Layout)}]
        if unknown:
            known = ", ".join(f.name for f in fields(Layout))
            self.problems.append(f"Unknown {_list(unknown)} in 'layout'. A layout has like, {known}.")
        return self._layout(merged)

    def _layout(self, data: Mapping[str, Any]) -> Layout:
        values: dict[str, Any] = {
            "axes": self.choice(data, "axes", "NHWC", _AXES),
            "channels": self.choice(data, "channels", "RGB", _CHANNELS),
            "size": int(self.number(data, "size", 0, 0, 4096)),
            "fit": self.choice(data, "fit", "pad", _FITS),
            "resample": self.choice(data, "resample", "bicubic", tuple(RESAMPLING)),
            "scale": self.number(data, "scale", 255.0, 1.0, 65535.0),
            "fill": tuple(int(value) for value in self._three(data, "fill", (255, 255, 255), 0.0, 255.0)),
            "rounded": self.truth(data, "rounded"),
            "mean": self._three(data, "mean", (0.0, 0.0, 0.0), -1000.0, 1000.0),
            "std": self._three(data, "std", (1.0, 1.0, 1.0), 1e-6, 1000.0),
        }
        return Layout(**values)

    def _three(
        self, data: Mapping[str, Any], key: str, default: tuple[float, float, float], low: float, high: float
    ) -> tuple[float, float, float]:
        value = data.get(key, list(default))
        if not isinstance(value, list | tuple) or len(value) != len(default):
            self.problems.append(f"'{key}' must be three numbers, for red, green and blue, got {value!r}.")
            return default
        red, green, blue = (self.number({key: item}, key, 1.0, low, high) for item in value)
        return red, green, blue

    def check(self, spec: ModelSpec) -> None:
        if not spec.name or spec.name.startswith(".") or any(sign in _FORBIDDEN_IN_NAMES for sign in spec.name):
            self.problems.append(
                f"'name' must be a name that a folder can have, without {_FORBIDDEN_IN_NAMES}, got '{spec.name}'."
            )
        for file in spec.all_files:
            parts = PurePosixPath(file.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in file:
                self.problems.append(f"'{file}' must be a file inside the model's own folder.")
        if not spec.model:
            self.problems.append("'model' must name the ONNX file.")
        if not spec.tags:
            self.problems.append("'tags' must name the list of tags.")
        if spec.repository and spec.repository.count("/") != 1:
            self.problems.append(f"'repository' must be such as SmilingWolf/wd-vit-tagger-v3, got '{spec.repository}'.")


def _entry_of(path: Path, key: str) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError):
        return f"'{path}', which has none"


def _list(keys: list[str]) -> str:
    return ("keys " if len(keys) > 1 else "key ") + ", ".join(f"'{key}'" for key in keys)
