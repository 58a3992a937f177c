"""Small datasets for tests of what pages do with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from train_gamma.service import Service
from train_gamma.service.dataset_requests import EditRequest, PicturesRequest
from train_gamma.service.dataset_views import Edited, State

CAPTIONS = {
    "1": "1girl, long hair, blue eyes, sky",
    "2": "1girl, long hair, Blue_Eyes, night",
    "3": "1girl, (long hair:1.2), hat, miku \\(cosplay\\)",
    "4": "A girl stands in the rain.",
    "5": "",
}


def write_set(folder: Path, captions: Mapping[str, str] = CAPTIONS, size: tuple[int, int] = (24, 16)) -> Path:
    """A picture for each caption; "" for one without a caption file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, text) in enumerate(captions.items()):
        Image.new("RGB", size, (number * 40 % 256, 90, 255 - number * 30 % 256)).save(folder / f"{name}.png")
        if text:
            (folder / f"{name}.txt").write_text(text, "utf-8")
    return folder


def opened(service: Service, folder: Path, **options: Any) -> State:
    return service.datasets.open(str(folder), **options)


def edit(service: Service, state: State, action: str, **fields: Any) -> Edited:
    return service.datasets.edit(state.id, EditRequest(action, **fields))


def shown(service: Service, state: State) -> dict[str, str]:
    """The captions as they would be written."""
    page = service.datasets.pictures(state.id, PicturesRequest())
    return {item.name.removesuffix(".png"): item.text for item in page.items}


def on_disk(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))}
