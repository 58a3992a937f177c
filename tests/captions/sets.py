"""Small datasets of captions on disk."""

from pathlib import Path

from train_gamma.captions.store import CaptionStore, open_store


def write_set(folder: Path, captions: dict[str, str | bytes | None]) -> Path:
    """A folder with an empty picture and a caption file, or none, for every name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, caption in captions.items():
        (folder / f"{name}.png").write_bytes(b"")
        if caption is not None:
            data = caption if isinstance(caption, bytes) else caption.encode("utf-8")
            (folder / f"{name}.txt").write_bytes(data)
    return folder


def small_store(tmp_path: Path, *captions: str | bytes | None) -> CaptionStore:
    """A store of pictures p0, p1, ... with these captions."""
    named = {f"p{number}": caption for number, caption in enumerate(captions)}
    return open_store(write_set(tmp_path / "set", named), recursive=False)


def texts(store: CaptionStore) -> list[str]:
    """What is shown now."""
    return [store.caption(picture).text for picture in range(len(store.pictures))]


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file of a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}
