"""Routes of datasets that are open: looking at them, editing and saving their captions."""

from collections.abc import Mapping
from typing import Any, get_args

from fastapi import Request
from fastapi.responses import FileResponse, Response

from train_gamma.api.answers import plain
from train_gamma.api.asking import service_of
from train_gamma.api.dataset_bodies import DiffRequest, OpenRequest, RestoreNameRequest, SaveRequest, VersionRequest
from train_gamma.captions import cleaning, edits, filters, kohya, merging, replacing
from train_gamma.captions.store import EXTENSIONS
from train_gamma.service.dataset_requests import (
    EditRequest,
    ExportRequest,
    ImportRequest,
    PicturesRequest,
    PruneRequest,
    TagsRequest,
)
from train_gamma.service.dataset_views import DiffView, Edited
from train_gamma.service.datasets import Datasets

JPEG = "image/jpeg"
FOR_GOOD, ASK_AGAIN = "private, max-age=31536000, immutable", "private, no-cache"


def datasets_of(request: Request) -> Datasets:
    """The datasets of the service."""
    return service_of(request).datasets


def options() -> dict[str, Any]:
    """What can be chosen for edits, searches and files."""
    return {
        "extensions": list(EXTENSIONS),
        "searches": list(get_args(filters.Search)),
        "columns": list(get_args(filters.Column)),
        "orders": list(get_args(edits.Order)),
        "positions": list(get_args(edits.Place)),
        "kinds": list(get_args(replacing.Kind)),
        "copy_modes": list(get_args(edits.CopyMode)),
        "on_conflict": list(get_args(merging.OnConflict)),
        "cleaning": plain(cleaning.ACTIONS),
        "kohya_parts": list(get_args(kohya.Part)),
        "kohya_modes": list(get_args(kohya.Mode)),
    }


def open_dataset(request: Request, body: OpenRequest) -> dict[str, Any]:
    """Open a folder of pictures. Opened again, it is the same dataset; without unsaved changes it is read again."""
    answer: dict[str, Any] = plain(datasets_of(request).open(body.folder, body.recursive, body.extension))
    return answer


def state(request: Request, dataset: str) -> dict[str, Any]:
    """The dataset as a whole: version, unsaved changes, what can be undone."""
    answer: dict[str, Any] = plain(datasets_of(request).state(dataset))
    return answer


def reload(request: Request, dataset: str, body: VersionRequest) -> dict[str, Any]:
    """Read pictures and captions again. Changes that were not saved are lost."""
    datasets_of(request).reload(dataset, body.version)
    return with_state(request, dataset, {})


def tags(request: Request, dataset: str, body: TagsRequest) -> dict[str, Any]:
    """A part of the list of tags, with counts."""
    page = datasets_of(request).tags(dataset, body)
    return {**plain(page), "rows": [_classed(row) for row in plain(page.rows)]}


def pictures(request: Request, dataset: str, body: PicturesRequest) -> dict[str, Any]:
    """A part of the pictures that pass a filter, and the indices of all of these."""
    answer: dict[str, Any] = plain(datasets_of(request).pictures(dataset, body))
    return answer


def picture(request: Request, dataset: str, index: int) -> dict[str, Any]:
    """One picture: its caption tag by tag, and what a tagger saw in it."""
    view = plain(datasets_of(request).picture(dataset, index))
    chips = [_classed(chip) for chip in view["tags"]]
    seen = [{"tag": tag, "confidence": value} for tag, value in view["seen"]]
    return {**view.pop("item"), **view, "tags": chips, "seen": seen}


def thumbnail(request: Request, dataset: str, index: int, size: int = 256, v: str = "") -> Response:
    """A small copy of a picture, as JPEG. With the stamp of the picture as ``v`` it may be kept for good."""
    make, stamp = datasets_of(request).thumbnail(dataset, index, size)
    headers = {"ETag": f'"{stamp}-{size}"', "Cache-Control": FOR_GOOD if v and v == stamp else ASK_AGAIN}
    if stamp and request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return FileResponse(make(), media_type=JPEG, headers=headers)


def edit(request: Request, dataset: str, body: EditRequest) -> dict[str, Any]:
    """Change captions, or preview that.

    Action and its fields: remove (tags), add (tags, position, beside), replace (rules), replace_text (one rule, plain),
    apply_rules (name), rename (tag, new), move_to_front (tags), sort (order, keep, backwards), keep_first (count),
    unique, truncate (count), set (picture, tags), text (picture, text), copy (picture, mode), clean (actions), mark
    (tag, having, lacking). 409 if the captions are not those of ``version`` any more.
    """
    edited = datasets_of(request).edit(dataset, body)
    return with_state(request, dataset, edited_view(edited))


def undo(request: Request, dataset: str, body: VersionRequest) -> dict[str, Any]:
    """Take the last change back."""
    return with_state(request, dataset, {"label": datasets_of(request).undo(dataset, body.version)})


def redo(request: Request, dataset: str, body: VersionRequest) -> dict[str, Any]:
    """Do again what was undone last."""
    return with_state(request, dataset, {"label": datasets_of(request).redo(dataset, body.version)})


def discard(request: Request, dataset: str, body: VersionRequest) -> dict[str, Any]:
    """Go back to what was saved last. This can be undone."""
    return with_state(request, dataset, {"label": datasets_of(request).discard(dataset, body.version)})


def diff(request: Request, dataset: str, body: DiffRequest) -> dict[str, Any]:
    """What saving would change."""
    version, found = datasets_of(request).diff(dataset, body.most)
    return {"version": version, **diff_view(found)}


def save(request: Request, dataset: str, body: SaveRequest) -> dict[str, Any]:
    """Write the captions that were changed; what they were is kept. 409 if another program has changed the files."""
    saved = datasets_of(request).save(dataset, body.on_conflict, body.version)
    return with_state(request, dataset, plain(saved))


def list_backups(request: Request, dataset: str) -> dict[str, Any]:
    """The captions as they were before changes, the newest first."""
    kept = datasets_of(request).backups(dataset)
    return {"backups": [{**plain(one), "when": one.when.isoformat()} for one in kept]}


def restore(request: Request, dataset: str, body: RestoreNameRequest) -> dict[str, Any]:
    """Put captions back as they were, and read them again."""
    done = datasets_of(request).restore(dataset, body.name, body.version)
    return with_state(request, dataset, {"done": done})


def prune(request: Request, dataset: str, body: PruneRequest) -> dict[str, Any]:
    """Which tags to take out so that the embedding learns them, and the words to start from. Changes nothing."""
    found = plain(datasets_of(request).prune(dataset, body))
    return {**found, "suggestions": [_classed(one) for one in found["suggestions"]]}


def complete(request: Request, dataset: str, text: str = "", limit: int = 20) -> dict[str, Any]:
    """Tags that fit what was typed."""
    source, found = datasets_of(request).complete(dataset, text, limit)
    return {"source": source, "matches": plain(found)}


def import_metadata(request: Request, dataset: str, body: ImportRequest) -> dict[str, Any]:
    """Take captions from a metadata file of kohya's scripts, or preview that."""
    found = datasets_of(request).import_metadata(dataset, body)
    more = {"matched": found.matched, "unmatched": list(found.unmatched)}
    return with_state(request, dataset, {**edited_view(found.edited), **more})


def export_metadata(request: Request, dataset: str, body: ExportRequest) -> dict[str, Any]:
    """Write the captions into a metadata file of kohya's scripts; without a path they are in the answer."""
    answer: dict[str, Any] = plain(datasets_of(request).export_metadata(dataset, body))
    return answer


def with_state(request: Request, dataset: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with the dataset as it is now."""
    now = plain(datasets_of(request).state(dataset))
    return {"version": now["version"], **answer, "state": now}


def edited_view(edited: Edited) -> dict[str, Any]:
    """An edit as it is sent."""
    return {**plain(edited), "diff": None if edited.diff is None else diff_view(edited.diff)}


def diff_view(diff: DiffView) -> dict[str, Any]:
    """A difference as it is sent."""
    added, removed = ([{"tag": tag, "count": count} for tag, count in tags] for tags in (diff.added, diff.removed))
    return {**plain(diff), "added": added, "removed": removed}


def _classed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """With the key that is no name in Python."""
    return {"class" if key == "tag_class" else key: value for key, value in entry.items()}
