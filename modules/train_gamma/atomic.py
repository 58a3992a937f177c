"""Files that are either the old one or the new one, never half of one."""

import os
import secrets
import stat
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
    Several threads may write at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, mode = _new_file(path)
    try:
        write(temporary)
        _sync(temporary)
        temporary.chmod(_mode_of(path, mode))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _new_file(beside: Path) -> tuple[Path, int]:
    """An empty file of a new name, and the rights that a new file gets here.

    The operating system takes the umask off; asking for it would change it for every thread in the meantime. Of a long
    name only the beginning is taken, or the temporary one would be too long.
    """
    while True:
        temporary = beside.with_name(f".{beside.name[:40]}.{secrets.token_hex(4)}.tmp")
        try:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            continue
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        os.close(handle)
        return temporary, mode


def _mode_of(path: Path, new: int) -> int:
    """The rights that a file has; those of a new one where there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return new


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
