"""Models that were loaded by their path, kept for the next time they are asked for."""

import dataclasses
import threading
from pathlib import Path

from train_gamma.backbone import Backbone
from train_gamma.hosts.load_checkpoint import load_backbone
from train_gamma.training.config import ModelConfig

Key = tuple[ModelConfig, tuple[tuple[str, float, int], ...]]


class LoadedModels:
    """Models by how they are loaded. One is kept; a second one only while a job holds the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Key, Backbone] = {}

    @property
    def newest(self) -> Backbone | None:
        """The model that was loaded last."""
        return next(reversed(list(self._kept.values())), None)

    def get(self, model: ModelConfig, keep_others: bool = False) -> Backbone:
        """The model, loaded if need be.

        Args:
            model: how it is loaded.
            keep_others: a job holds another one. The model is then loaded into main memory, for looking only.

        Raises:
            UserError: if it cannot be loaded.
        """
        with self._lock:
            key = _key(model)
            if key in self._kept:
                return self._kept[key]
            if keep_others:
                model = dataclasses.replace(model, device="cpu", precision="auto")
                key = _key(model)
            newest = list(self._kept.items())[:1] if keep_others else []
            if key not in self._kept:
                self._kept = dict(newest)  # before the next one is loaded, as two may not fit into memory
                self._kept = {**self._kept, key: load_backbone(model)}
            return self._kept[key]

    def forget(self) -> None:
        """Keep none."""
        with self._lock:
            self._kept = {}


def _key(model: ModelConfig) -> Key:
    """The settings a model is loaded by, and the state of its files."""
    settings = dataclasses.replace(model, checkpointing="auto")
    return settings, (*_stamps(model.path), *_stamps(model.vae))


def _stamps(place: str) -> tuple[tuple[str, float, int], ...]:
    path = Path(place).expanduser()
    if place in ("", "miniature") or not path.exists():
        return ()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple((str(file), file.stat().st_mtime, file.stat().st_size) for file in files if file.is_file())
