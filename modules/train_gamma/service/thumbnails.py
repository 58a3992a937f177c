"""Small copies of pictures for the page, made once."""

import io
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from train_gamma import atomic
from train_gamma.dataset.pictures import PICTURE_EXTENSIONS, open_picture
from train_gamma.errors import UserError
from train_gamma.tagging.cache import stamp_of

MOST_KEPT = 10_000
"""So many are kept, of about 10 KB each; then the oldest go."""
SMALLEST, LARGEST = 16, 1024
QUALITY = 85


def thumbnail(path: Path, size: int, folder: Path) -> Path:
    """A JPEG of a picture in ``folder``, made when it is not there or the picture has changed.

    Args:
        path: the picture.
        size: the most pixels of a side.
        folder: where small copies are kept.

    Raises:
        UserError: if it is no picture, or cannot be read.
    """
    size = max(SMALLEST, min(LARGEST, size))
    stamp = stamp_of(path)
    if path.suffix.lower() not in PICTURE_EXTENSIONS or stamp is None:
        raise UserError(f"'{path}' is no picture ({' '.join(PICTURE_EXTENSIONS)}). Choose one of the folder.")
    key = blake2b(f"{path}|{stamp.size}|{stamp.time}|{size}".encode(errors="surrogateescape"), digest_size=16)
    target = folder / f"{key.hexdigest()}.jpg"
    if not target.is_file():
        _make(path, size, target)
    return target


def _make(path: Path, size: int, target: Path) -> None:
    picture = open_picture(path, "white")
    picture.thumbnail((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY)
    try:
        atomic.write_bytes(target, content.getvalue())
    except OSError as error:
        raise UserError(
            f"'{target}' cannot be written: {error.strerror or error}. Free space or fix the folder's rights."
        ) from error
    _forget_oldest(target.parent)


def _forget_oldest(folder: Path) -> None:
    kept = list(folder.glob("*.jpg"))
    if len(kept) <= MOST_KEPT:
        return
    stamps = {path: stamp for path in kept if (stamp := stamp_of(path)) is not None}
    for path in sorted(stamps, key=lambda path: stamps[path].time)[: MOST_KEPT // 10]:
        path.unlink(missing_ok=True)
