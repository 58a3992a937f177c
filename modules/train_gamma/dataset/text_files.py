"""Text files that people wrote: captions, templates and prompt lists."""

import codecs
from pathlib import Path

from train_gamma.errors import UserError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_REMEDY = "Save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)."


def read_text(path: Path) -> str:
    """Read a UTF-8 file with or without a byte order mark, or a UTF-16 file that has one.

    Raises:
        UserError: if the file cannot be opened, or is not text in one of these encodings; the message names the byte.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"'{path}' cannot be read: {reason}. Check the path and your rights to the file.") from error
    return decode_text(data, path)


def decode_text(data: bytes, path: Path) -> str:
    """Like ``read_text``, for bytes that were read already; ``path`` is only named in messages."""
    text = _decode_utf16(data, path) if data.startswith(_UTF16_MARKS) else _decode_utf8(data, path)
    if "\0" in text:
        position = data.index(0)
        raise UserError(f"'{path}' is not plain text: byte {position} is 0x00. {_REMEDY}")
    return text


def _decode_utf8(data: bytes, path: Path) -> str:
    skipped = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        return data[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        position = skipped + error.start
        line = data.count(b"\n", 0, position) + 1
        where = f"byte {position} (line {line}) is 0x{data[position]:02x}"
        raise UserError(f"'{path}' is not UTF-8 text: {where}. {_REMEDY}") from error


def _decode_utf16(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' begins as UTF-16 text but breaks at byte {error.start}. {_REMEDY}") from error
