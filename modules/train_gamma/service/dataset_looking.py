"""Answers about a dataset that is open. All of it reads one snapshot of the captions."""

from hashlib import blake2b
from pathlib import Path
from typing import cast

from train_gamma.captions.change_set import Diff
from train_gamma.captions.filters import Column, CountTokens, Search, search_rows, sort_rows, tag_table
from train_gamma.captions.state import Caption
from train_gamma.captions.store import CaptionStore
from train_gamma.captions.tag_classes import tag_class
from train_gamma.service.dataset_requests import FilterRequest, PicturesRequest, TagsRequest
from train_gamma.service.dataset_selection import passing
from train_gamma.service.dataset_views import (
    Chip,
    DiffView,
    Example,
    Item,
    PicturePage,
    PictureView,
    Row,
    State,
    TagPage,
)
from train_gamma.service.open_dataset import OpenDataset
from train_gamma.service.picture_sizes import PictureSizes
from train_gamma.service.tag_confidence import Confidences

MOST_NAMES = 20
MOST_ROWS, MOST_ITEMS = 5000, 500
MOST_SEEN = 60


def state_of(dataset: OpenDataset, counts_tokens: bool) -> State:
    """The dataset as a whole."""
    store = dataset.store
    captions, conflicts = store.captions, dataset.conflicts()
    problems = [words.problem for words in captions.words if words.problem]
    return State(
        id=dataset.id,
        version=captions.version,
        name=dataset.title,
        folder=store.folder,
        recursive=store.recursive,
        extension=store.extensions[0],
        pictures=len(captions),
        pictures_key=dataset.pictures_key,
        changed=dataset.num_changed(),
        undo=store.undo_label,
        redo=store.redo_label,
        conflicts=len(conflicts),
        conflict_names=tuple(name_of(store, picture) for picture in conflicts[:MOST_NAMES]),
        unreadable=len(problems),
        problem=problems[0] if problems else "",
        counts_tokens=counts_tokens,
        examined=dataset.examined is not None,
        job=dataset.job.id if dataset.job is not None and not dataset.job.over else None,
    )


def name_of(store: CaptionStore, picture: int) -> str:
    """The path of a picture inside the folder, with slashes."""
    return _name(store.pictures[picture], store.folder)


def tag_page(store: CaptionStore, request: TagsRequest, count: CountTokens | None) -> TagPage:
    """A part of the list of tags.

    Raises:
        UserError: if the search or the order cannot be used.
    """
    captions = store.captions
    pictures = None if request.filter == FilterRequest() else passing(store, captions, request.filter, count)
    by_tokens = request.sort == "tokens"
    found = tag_table(captions, pictures, count if by_tokens else None)
    found = search_rows(found, request.search, cast(Search, request.mode))
    ordered = sort_rows(found, cast(Column, request.sort), request.descending)
    offset, limit = max(0, request.offset), max(0, min(request.limit, MOST_ROWS))
    part = ordered[offset : offset + limit]
    return TagPage(
        captions.version,
        len(ordered),
        len(captions) if pictures is None else len(pictures),
        tuple(
            Row(row.tag, row.key, row.count, row.share, None if count is None else count(row.tag), tag_class(row.key))
            for row in part
        ),
    )


def picture_page(
    store: CaptionStore, request: PicturesRequest, count: CountTokens | None, sizes: PictureSizes
) -> PicturePage:
    """A part of the pictures that pass a filter.

    Raises:
        UserError: if the filter cannot be used.
    """
    captions = store.captions
    found = passing(store, captions, request.filter, count)
    offset, limit = max(0, request.offset), max(0, min(request.limit, MOST_ITEMS))
    part = found[offset : offset + limit]
    items = tuple(item_of(store, picture, store.caption(picture), count, sizes) for picture in part)
    return PicturePage(captions.version, len(found), tuple(found), items)


def item_of(
    store: CaptionStore, picture: int, caption: Caption, count: CountTokens | None, sizes: PictureSizes
) -> Item:
    """One picture of the grid."""
    path = store.pictures[picture]
    stamp, size = sizes.of(path)
    width, height = size or (None, None)
    return Item(
        index=picture,
        name=_name(path, store.folder),
        tags=tuple(tag.name for tag in caption.tags),
        text=caption.text,
        tokens=None if count is None else count(caption.text),
        changed=caption.changed,
        plain=caption.plain,
        problem=caption.problem,
        width=width,
        height=height,
        stamp="" if stamp is None else mark(path, stamp.size, stamp.time),
    )


def mark(path: Path, *values: int) -> str:
    """A short text that changes with a file and what is known of it."""
    text = f"{path}|{'|'.join(map(str, values))}"
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


def picture_view(
    store: CaptionStore, picture: int, count: CountTokens | None, sizes: PictureSizes, seen: Confidences
) -> PictureView:
    """One picture with all that is known of it.

    Raises:
        UserError: if there is no such picture.
    """
    captions, caption = store.captions, store.caption(picture)
    chips = tuple(
        Chip(tag.name, tag.text, len(captions.having(tag.key)), tag_class(tag.key), seen.of.get(tag.key))
        for tag in caption.tags
    )
    first = captions.first[picture]
    there = {tag.key for tag in caption.tags}
    others = [(seen.names[key], value) for key, value in seen.of.items() if key not in there]
    others.sort(key=lambda pair: -pair[1])
    return PictureView(
        version=captions.version,
        item=item_of(store, picture, caption, count, sizes),
        tags=chips,
        path=store.pictures[picture],
        file=caption.file,
        exists=caption.exists,
        shared=tuple(other for other in captions.twins.get(first, ()) if other != picture),
        seen=tuple(others[:MOST_SEEN]),
        tagger=seen.tagger,
    )


def diff_view(store: CaptionStore, diff: Diff) -> DiffView:
    """A difference with the names of the pictures."""
    examples = [Example(one.picture, name_of(store, one.picture), one.old, one.new) for one in diff.examples]
    return DiffView(diff.files, diff.added, diff.removed, tuple(examples))


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
