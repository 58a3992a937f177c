"""Read and write embeddings, whatever the format."""

from pathlib import Path

from PIL import Image

from train_gamma import atomic
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.layouts import Content, embedding_of
from train_gamma.embedding.pickle_reader import read_torch_file
from train_gamma.embedding.pickle_writer import pt_bytes
from train_gamma.embedding.png_card import png_bytes, read_png
from train_gamma.embedding.safetensors_file import read_safetensors, safetensors_bytes
from train_gamma.errors import UserError

WRITABLE = (".safetensors", ".pt", ".png")
READABLE = (*WRITABLE, ".bin", ".webp")

_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_HEADER = 100 * 1024 * 1024


def read_embedding(path: Path) -> Embedding:
    """Read an embedding, without executing anything that is in the file.

    The content decides what the file is; its ending does not matter.

    Raises:
        UserError: if there is no such file, or it is no embedding, is damaged, or may be malicious.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        entries, metadata = _entries(path, head)
    except UserError as error:
        raise UserError(f"Embedding file '{path}' cannot be used. {error}") from error
    except FileNotFoundError as error:
        raise UserError(f"There is no embedding file '{path}'. Check the path.") from error
    except OSError as error:
        raise UserError(f"Embedding file '{path}' cannot be opened: {error.strerror}. Check the path.") from error
    return embedding_of(Content(path.name, path.stem, entries, metadata))


def write_embedding(embedding: Embedding, path: Path, picture: Image.Image | None = None) -> None:
    """Write an embedding in the format that the ending of ``path`` names; the old file stays if that fails.

    Args:
        embedding: what to write.
        path: a .safetensors, .pt (A1111's dictionary in a container that every WebUI opens) or .png (a card).
        picture: what a card shows, such as a preview; ignored by the other formats.

    Raises:
        UserError: if the ending is another one.
        OSError: if the disk is full or the folder cannot be written.
    """
    atomic.write_bytes(path, _bytes(embedding, path, picture))


def _bytes(embedding: Embedding, path: Path, picture: Image.Image | None) -> bytes:
    ending = path.suffix.lower()
    if ending == ".safetensors":
        return safetensors_bytes(embedding)
    if ending == ".pt":
        return pt_bytes(embedding)
    if ending == ".png":
        return png_bytes(embedding, picture)
    raise UserError(
        f"'{path.name}' has the ending '{ending}', in which no embedding can be written. It must be "
        f"{', '.join(WRITABLE[:-1])} or {WRITABLE[-1]}. Give the file one of these endings."
    )


def _entries(path: Path, head: bytes) -> tuple[dict[str, object], dict[str, str]]:
    if not head:
        raise UserError("The file is empty (0 bytes). Copy or download it again.")
    if head.startswith(_PNG) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return read_png(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_HEADER:
        return read_safetensors(path)
    if head.startswith((b"PK", b"\x80")) or path.suffix.lower() in (".pt", ".bin", ".ckpt"):
        _refuse_text(head)
        return read_torch_file(path), {}
    _refuse_text(head)
    raise UserError(f"It is none of the formats that embeddings have ({', '.join(READABLE)}). Use another file.")


def _refuse_text(head: bytes) -> None:
    """Say what has been downloaded in the place of an embedding."""
    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise UserError(
            "It is a web page, which sites send in the place of a file you must log in for. Download it again."
        )
    if start.startswith(b"version https://git-lfs"):
        raise UserError("It is a pointer that git-lfs left in the place of the file. Run 'git lfs pull'.")
