"""Every setting of preparing pictures. Each field describes itself; page, command line and API are made from that."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from train_gamma.dataset.boxes import read_box
from train_gamma.dataset.pictures import parse_colour
from train_gamma.errors import UserError, raise_all
from train_gamma.training.config import DatasetConfig
from train_gamma.training.options import option, range_problems


def _as_in_training(name: str, **changes: Any) -> Any:
    """The field of the same name that training has, with its label, limits and default."""
    found = next(f for f in dataclasses.fields(DatasetConfig) if f.name == name)
    return dataclasses.field(default=found.default, metadata={**found.metadata, **changes})


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """Which pictures are prepared, and how. The copies go into a new folder; nothing else is changed.

    Raises:
        UserError: if a value is out of its range, or two do not go together.
    """

    folder: str = option("", label="Pictures", help="The folder with the pictures. It stays as it is.", path=True)
    recursive: bool = option(False, label="Include subfolders", help="Prepare the pictures in folders inside it too.")
    into: str = option(
        "",
        label="New folder",
        help="Where the copies and their captions are put, in the same subfolders. Not inside the pictures' folder.",
        path=True,
    )
    caption_extensions: tuple[str, ...] = _as_in_training(
        "caption_extensions", help="Endings of the captions that are copied along."
    )
    crop: str = option(
        "bucket",
        label="Crop",
        help="bucket cuts each picture to the shape of its bucket, so that training need not cut any more; none does "
        "not cut, but for the crop boxes.",
        choices=("bucket", "none"),
    )
    focus: str = option(
        "auto",
        label="Keep in view",
        help="auto looks for what stands out, such as a figure; middle cuts as training does.",
        choices=("auto", "middle"),
    )
    boxes: tuple[str, ...] = option(
        (),
        label="Crop boxes",
        help="For single pictures what is to be kept, in pixels: name.png = x, y, width, height. With Crop at bucket, "
        "it is widened to the shape of a bucket.",
    )
    split: bool = option(
        False, label="Split long pictures", help="Cut very tall or wide pictures into pieces that overlap."
    )
    split_above: float = option(
        2.0,
        label="Split above",
        help="Pictures whose longer side is more than so many times the shorter one.",
        minimum=1.1,
        maximum=100.0,
    )
    overlap: float = option(
        0.2,
        label="Overlap of pieces",
        help="Share of a piece that the next one has too, at least.",
        minimum=0.0,
        maximum=0.9,
    )
    size: str = option(
        "bucket",
        label="Size",
        help="bucket scales to the size in which pictures are trained; longest only where the longer side is more than "
        "the number below; keep never scales.",
        choices=("bucket", "longest", "keep"),
    )
    longest_side: int = option(
        1024, label="Longest side", help="In pixels, for Size at longest.", minimum=64, maximum=16384
    )
    upscale: bool = option(
        False, label="Enlarge small pictures", help="Off: a picture with fewer pixels than that keeps those it has."
    )
    width: int = _as_in_training("width")
    height: int = _as_in_training("height")
    bucket_step: int = _as_in_training("bucket_step")
    bucket_min: int = _as_in_training("bucket_min")
    bucket_max: int = _as_in_training("bucket_max")
    flipped: bool = option(
        False, label="Mirrored copies", help="Write each picture mirrored too. Not for asymmetric characters."
    )
    brightness: float = option(
        1.0, label="Brightness", help="1 as it is, 0 black, 2 twice as bright.", minimum=0.0, maximum=4.0
    )
    contrast: float = option(1.0, label="Contrast", help="1 as it is, 0 plain grey.", minimum=0.0, maximum=4.0)
    saturation: float = option(
        1.0, label="Colour", help="Saturation: 1 as it is, 0 black and white.", minimum=0.0, maximum=4.0
    )
    transparency: str = option(
        "flatten",
        label="Transparency",
        help="flatten puts the background behind it; keep leaves it, as far as the format can.",
        choices=("flatten", "keep"),
    )
    background: str = _as_in_training("background")
    format: str = option(
        "png", label="Format", help="png loses nothing; the others are smaller.", choices=("png", "jpeg", "webp")
    )
    quality: int = option(95, label="Quality", help="Of jpeg and webp.", minimum=1, maximum=100)

    def __post_init__(self) -> None:
        problems = range_problems(self)
        for text in self.boxes:
            try:
                read_box(text)
            except UserError as error:
                problems.append(str(error))
        try:
            parse_colour(self.background)
        except UserError as error:
            problems.append(str(error))
        if self.format == "jpeg" and self.transparency == "keep":
            problems.append("Format jpeg has no transparency to keep. Choose png or webp, or let it be flattened.")
        raise_all(problems)
