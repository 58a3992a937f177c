"""Which pictures of a dataset are meant."""

from collections.abc import Collection, Iterable
from pathlib import Path

from train_gamma.captions.filters import CountTokens, find
from train_gamma.captions.snapshot import Snapshot
from train_gamma.captions.store import CaptionStore
from train_gamma.errors import UserError
from train_gamma.service.dataset_requests import FilterRequest
from train_gamma.service.places import UnknownError


def picture_path(store: CaptionStore, picture: int) -> Path:
    """The file of a picture.

    Raises:
        UnknownError: if there is no such picture.
    """
    pictures = store.pictures
    try:
        check_indices([picture], len(pictures))
    except UserError as error:
        raise UnknownError(str(error)) from None
    return pictures[picture]


def check_indices(indices: Iterable[int], number: int) -> None:
    """Refuse indices that no picture of so many has.

    Raises:
        UserError: if there is one.
    """
    wrong = [index for index in indices if not 0 <= index < number]
    if wrong:
        raise UserError(f"There is no picture {wrong[0]}: the dataset has {number}. Load it again.")


def passing(store: CaptionStore, captions: Snapshot, wanted: FilterRequest, count: CountTokens | None) -> list[int]:
    """The pictures that pass a filter, ascending.

    Raises:
        UserError: if tokens are wanted and cannot be counted.
    """
    among: Collection[int] | None = None
    if wanted.only is not None:
        among = [picture for picture in set(wanted.only) if 0 <= picture < len(captions)]
    if wanted.changed:
        changed = store.changed()
        among = changed if among is None else set(among).intersection(changed)
    return find(captions, wanted.of_captions, count, among)


def chosen(
    store: CaptionStore,
    captions: Snapshot,
    where: tuple[str, FilterRequest, list[int]],
    count: CountTokens | None,
) -> Collection[int] | None:
    """The pictures of a scope: all, those of a filter, or selected ones.

    Raises:
        UserError: if there is no such scope, nothing is selected, or the filter cannot be used.
    """
    scope, wanted, selected = where
    if scope == "all":
        return None
    if scope == "filtered":
        return passing(store, captions, wanted, count)
    if scope != "selected":
        raise UserError(f"Scope must be all, filtered or selected, got '{scope}'.")
    check_indices(selected, len(captions))
    if not selected:
        raise UserError("No picture is selected. Select some, or choose all pictures.")
    return sorted(set(selected))
