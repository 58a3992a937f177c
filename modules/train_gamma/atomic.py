"""Files that are either the old one or the new one, never half of one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` by way of a temporary file beside it, synced to disk and renamed over it.

    Raises:
        OSError: if the disk is full or the folder cannot be written; ``path`` is then what it was before.
    """
    write_with(path, lambda temporary: _write(temporary, data))


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, line ends as they are, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it over ``path``.

    For writers that insist on a file name. The temporary file has the ending ``.tmp`` and is removed on failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
