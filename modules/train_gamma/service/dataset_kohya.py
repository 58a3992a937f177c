"""Captions from and into the metadata files of kohya's scripts."""

from pathlib import Path
from typing import cast

from train_gamma.captions.kohya import (
    Imported,
    Metadata,
    Mode,
    Part,
    export_metadata,
    import_metadata,
    read_metadata,
    write_metadata,
)
from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.store import CaptionStore
from train_gamma.errors import UserError
from train_gamma.service.dataset_requests import ExportRequest, ImportRequest
from train_gamma.service.dataset_views import Exported

ENDING = ".json"
_PARTS = ("caption", "tags")


class ExistsError(UserError):
    """A file is there already, and it was not said what is to become of it."""


def read_import(
    captions: Snapshot, store: CaptionStore, request: ImportRequest, path: Path, selection: Selection
) -> Imported:
    """What a metadata file would change.

    Raises:
        UserError: if the file cannot be read, or there is no such part or mode.
    """
    _check_ending(path)
    metadata = read_metadata(path)
    part, mode = cast(Part, request.part), cast(Mode, request.mode)  # whether they are is checked there
    return import_metadata(captions, store.pictures, metadata, part, mode, selection)


def export(captions: Snapshot, store: CaptionStore, request: ExportRequest, path: Path | None) -> Exported:
    """Write the captions into a metadata file, or return them where no path is given.

    Raises:
        UserError: if the file exists and may not be changed, or cannot be written, or two pictures have one name.
    """
    if request.part is not None and request.part not in _PARTS:
        raise UserError(f"Part must be {' or '.join(_PARTS)}, or left out, got '{request.part}'.")
    before = None if path is None else _before(path, request)
    part = cast("None", request.part)  # one of the texts that is allowed, or None
    metadata = export_metadata(captions, store.pictures, before, request.full_path, part)
    if path is None:
        return Exported("", len(metadata), metadata)
    write_metadata(path, metadata)
    return Exported(str(path), len(metadata), None)


def _before(path: Path, request: ExportRequest) -> Metadata | None:
    _check_ending(path)
    if not path.exists():
        return None
    if request.merge:
        return read_metadata(path)
    if not request.overwrite:
        raise ExistsError(f"'{path}' is there already. Merge into it, overwrite it, or choose another name.")
    return None


def _check_ending(path: Path) -> None:
    if path.suffix.lower() != ENDING:
        raise UserError(f"'{path}' must end in {ENDING}, as metadata files do. Choose another name.")
