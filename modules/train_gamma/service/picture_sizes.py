"""Sizes of pictures from their headers alone, remembered for as long as the file stays as it is."""

import threading
from pathlib import Path

from PIL import Image

from train_gamma.dataset.pictures import DECODE_ERRORS, FORMATS, ORIENTATION_TAG
from train_gamma.tagging.cache import Stamp, stamp_of

MOST_KEPT = 50_000
_TURNED = (5, 6, 7, 8)  # the values of EXIF's orientation with which width and height change places

Size = tuple[int, int]


class PictureSizes:
    """See the module. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[Stamp, Size | None]] = {}

    def of(self, path: Path) -> tuple[Stamp | None, Size | None]:
        """The stamp of a file, and the (width, height) of the picture upright; None for what cannot be read."""
        stamp = stamp_of(path)
        if stamp is None:
            return None, None
        with self._lock:
            known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = stamp, _read(path)
            with self._lock:
                if len(self._known) >= MOST_KEPT:
                    self._known.clear()
                self._known[path] = known
        return known


def _read(path: Path) -> Size | None:
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            known = image.format != "PNG" or "exif" in image.info  # else Pillow would decode all of it to look
            turned = known and image.getexif().get(ORIENTATION_TAG) in _TURNED
    except (*DECODE_ERRORS, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return (height, width) if turned else (width, height)
