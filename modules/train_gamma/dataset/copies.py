"""Names of copies in a new folder, and how they get there without touching what is there already."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from train_gamma import atomic
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.errors import UserError

FLIPPED = "_flipped"
_MADE = re.compile(r"(?:_flipped|_part\d+)+\Z")


def copy_stems(names: Sequence[str], config: PrepareConfig) -> list[str]:
    """Paths without an ending for the copies of pictures, given by their paths below the folder, each once.

    ``a.jpg`` and ``a.png`` cannot both be ``a.png``, so the second is ``a_2``; so is ``a_flipped.png`` where the
    mirrored copy of ``a.png`` gets that name. Capitals make no difference, as they do not on all systems.
    """
    taken: set[str] = set()
    stems = []
    for name in names:
        stem = str(PurePosixPath(name).with_suffix(""))
        free, number = stem, 2
        while _reserved(free, config) in taken:
            free, number = f"{stem}_{number}", number + 1
        taken.add(_reserved(free, config))
        stems.append(free)
    return stems


def met_stems(stems: Sequence[str], there: Sequence[str], config: PrepareConfig) -> list[int]:
    """Which pictures, given by the stems of their copies, may have copies among files given by their paths."""
    taken = {_reserved(str(PurePosixPath(name).with_suffix("")), config) for name in there}
    return [index for index, stem in enumerate(stems) if _reserved(stem, config) in taken]


def part_stem(stem: str, number: int, of: int) -> str:
    """The path of a piece, counted from 1."""
    return f"{stem}_part{number}" if of > 1 else stem


@dataclass(frozen=True, slots=True)
class Copies:
    """The files of one picture in the new folder.

    Attributes:
        files: what each is to hold.
    """

    files: dict[Path, bytes]

    def differing(self) -> list[Path]:
        """Those that are there and hold something else."""
        return [path for path, data in self.files.items() if _is_there(path) and not _holds(path, data)]

    def missing(self) -> list[Path]:
        """Those that are not there."""
        return [path for path in self.files if not _is_there(path)]

    def write(self) -> list[Path]:
        """Write those that are missing, the picture last of all; returns what was written.

        Raises:
            UserError: if a file is there with other content, or cannot be written.
        """
        others = self.differing()
        if others:
            raise UserError(f"'{others[0]}' is there already and holds something else. Choose another New folder.")
        written = []
        for path, data in self.files.items():
            if _is_there(path):
                continue
            try:
                atomic.write_bytes(path, data)
            except OSError as error:
                reason = error.strerror or str(error)
                raise UserError(
                    f"'{path}' cannot be written: {reason}. Free space or fix the folder's rights."
                ) from error
            written.append(path)
        return written


def _reserved(stem: str, config: PrepareConfig) -> str:
    """What two pictures may not share: with mirrored copies or pieces, also what is left without their endings."""
    stem = stem.casefold()
    return _MADE.sub("", stem) if config.flipped or config.split else stem


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False
