"""Every fault of a dataset that the doctor knows, each as what makes it and what must be found."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin

from tests.dataset.drawn import noise, png_bytes
from tests.doctor.folders import NAME
from tests.doctor.profiles import ADOBE_RGB, make_profile
from train_gamma.demo.drawing import draw
from train_gamma.demo.world import random_character, random_scene

CAPTION = "1girl, red hair, blue eyes, green dress, night, upper body, head tilt, holding sword, crown, dark skin"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        make: breaks a folder.
        kind, level, action: of the finding that must come.
        files: the files that the finding must name.
        changes: settings without which it is no fault.
    """

    make: Callable[[Path], None]
    kind: str
    level: str
    action: str
    files: tuple[str, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)


def picture(number: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """A drawn picture that is like no other."""
    rng = random.Random(f"fault {number}")
    return draw(random_character(1000 + number), random_scene(rng), size, number)


def put(
    name: str, image: Image.Image | bytes, caption: str | bytes | None = CAPTION, **options: Any
) -> Callable[[Path], None]:
    """A way to add a picture and its caption."""

    def make(folder: Path) -> None:
        path = folder / name
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path, **options)
        if caption is not None:
            path.with_suffix(".txt").write_bytes(caption.encode() if isinstance(caption, str) else caption)

    return make


def caption(number: int, text: str | bytes) -> Callable[[Path], None]:
    """A way to add a picture with this caption."""
    return put(f"caption{number}.png", picture(number), text)


def both(*ways: Callable[[Path], None]) -> Callable[[Path], None]:
    """Several ways, one after the other."""

    def make(folder: Path) -> None:
        for way in ways:
            way(folder)

    return make


def file(name: str, data: bytes = b"x") -> Callable[[Path], None]:
    """A way to add a file."""
    return lambda folder: (folder / name).write_bytes(data) and None


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def turned(image: Image.Image) -> Image.Exif:
    """EXIF that says: turn this by a quarter."""
    exif = image.getexif()
    exif[0x0112] = 6
    return exif


def hole(image: Image.Image) -> Image.Image:
    """The picture with a transparent corner."""
    image = image.convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 8, 8))
    return image


def copy_of(name: str, new: str, change: Callable[[Image.Image], Image.Image] | None = None) -> Callable[[Path], None]:
    """A way to add a picture that is there again, with the same caption."""

    def make(folder: Path) -> None:
        data = (folder / name).read_bytes()
        if change is not None:
            with Image.open(io.BytesIO(data)) as image:
                data = saved(change(image.convert("RGB")), "PNG", pnginfo=_note())
        put(new, data, (folder / name).with_suffix(".txt").read_bytes())(folder)

    return make


def _note() -> PngImagePlugin.PngInfo:
    note = PngImagePlugin.PngInfo()
    note.add_text("note", "the same picture in another file")
    return note


def _spotted(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).ellipse((50, 50, 53, 53), fill="white")
    return image


def _mirrored(image: Image.Image) -> Image.Image:
    return ImageOps.mirror(_spotted(image))


def _grey16() -> bytes:
    rows = [np.linspace(row * 800, 65535 - row * 500, 64).astype(">u2").tobytes() for row in range(64)]
    return png_bytes((64, 64), 16, 0, rows)


FAULTS: dict[str, Fault] = {
    "truncated JPEG": Fault(
        put("cut.jpg", saved(noise(64, 64), "JPEG")[:2000]), "unreadable", "error", "exclude", ("cut.jpg",)
    ),
    "0-byte file": Fault(put("nothing.png", b""), "unreadable", "error", "exclude", ("nothing.png",)),
    "web page": Fault(put("page.png", b"<!doctype html>"), "unreadable", "error", "exclude", ("page.png",)),
    "bomb": Fault(
        put("bomb.png", png_bytes((50000, 50000), 8, 2, [b""])), "too_large", "error", "exclude", ("bomb.png",)
    ),
    "huge": Fault(
        put("huge.png", Image.new("1", (7200, 7200), 1)), "huge", "warning", "downscale", ("huge.png",)
    ),
    "tiny": Fault(put("tiny.png", picture(1, (31, 31))), "tiny", "error", "exclude", ("tiny.png",)),
    "small": Fault(put("small.png", picture(2, (47, 47))), "small", "warning", "exclude", ("small.png",)),
    "oversized": Fault(
        put("large.png", picture(3, (260, 200))), "oversized", "note", "downscale", ("large.png",)
    ),
    "extreme aspect": Fault(
        put("strip.png", picture(4, (224, 64))), "extreme_aspect", "error", "crop", ("strip.png",)
    ),
    "20000 x 200": Fault(
        put("ribbon.png", Image.new("L", (20000, 200), 90)), "extreme_aspect", "error", "crop", ("ribbon.png",)
    ),
    "long": Fault(put("long.png", picture(5, (64, 160))), "aspect", "warning", "crop", ("long.png",)),
    "much cut off": Fault(
        put("wide.png", picture(6, (120, 64))), "cut", "warning", "crop", ("wide.png",),
        {"bucket_min": 56, "bucket_max": 72},
    ),
    "alpha": Fault(put("hole.png", hole(picture(7))), "alpha", "note", "flatten", ("hole.png",)),
    "EXIF 6": Fault(
        put("lying.jpg", picture(8), exif=turned(picture(8)), quality=95),
        "exif_rotation", "note", "rotate", ("lying.jpg",),
    ),
    "CMYK": Fault(
        put("print.jpg", picture(9).convert("CMYK"), quality=95), "cmyk", "warning", "convert", ("print.jpg",)
    ),
    "16 bits": Fault(put("deep.png", _grey16()), "deep", "note", "convert", ("deep.png",)),
    "palette": Fault(
        put("palette.png", picture(10).quantize(200)), "palette", "note", "convert", ("palette.png",)
    ),
    "profile": Fault(
        put("adobe.png", picture(11), icc_profile=make_profile("Adobe RGB (1998)", ADOBE_RGB, 2.2)),
        "profile", "warning", "convert", ("adobe.png",),
    ),
    "animated WebP": Fault(
        put("moving.webp", picture(12), save_all=True, append_images=[picture(13)], lossless=True),
        "animated", "note", "convert", ("moving.webp",),
    ),
    "same file": Fault(copy_of("03.png", "copy.png"), "same_file", "warning", "exclude", ("copy.png",)),
    "same pixels": Fault(
        copy_of("04.png", "again.png", lambda image: image), "same_pixels", "warning", "exclude", ("again.png",)
    ),
    "near duplicate": Fault(
        copy_of("05.png", "near.png", _spotted), "duplicate_near", "warning", "review", ("05.png", "near.png")
    ),
    "mirrored duplicate": Fault(
        copy_of("06.png", "turned.png", _mirrored), "duplicate_mirrored", "warning", "review", ("06.png", "turned.png")
    ),
    "no caption": Fault(put("bare.png", picture(20), None), "caption_missing", "warning", "tag", ("bare.png",)),
    "empty caption": Fault(caption(21, ""), "caption_empty", "warning", "tag", ("caption21.png",)),
    "blank caption": Fault(caption(22, " \r\n\t"), "caption_empty", "warning", "tag", ("caption22.png",)),
    "not UTF-8": Fault(
        caption(23, f"{CAPTION}, café".encode("cp1252")), "encoding", "error", "reencode", ("caption23.png",)
    ),
    "UTF-16 without a mark": Fault(
        caption(24, CAPTION.encode("utf-16-le")), "encoding", "error", "reencode", ("caption24.png",)
    ),
    "UTF-16": Fault(caption(25, CAPTION.encode("utf-16")), "utf16", "note", "reencode", ("caption25.png",)),
    "BOM": Fault(caption(26, CAPTION.encode("utf-8-sig")), "bom", "note", "reencode", ("caption26.png",)),
    "few tags": Fault(caption(27, "1girl, smile"), "few_tags", "warning", "tag", ("caption27.png",)),
    "over the budget": Fault(
        caption(28, ", ".join(f"word {number}" for number in range(30))),
        "token_budget", "warning", "review", ("caption28.png",),
    ),
    "brackets": Fault(
        caption(29, f"{CAPTION}, miku (cosplay)"), "emphasis", "warning", "escape", ("caption29.png",)
    ),
    "unbalanced bracket": Fault(caption(30, f">:(, {CAPTION}"), "emphasis", "warning", "escape", ("caption30.png",)),
    "error text": Fault(caption(31, f"{CAPTION}, <error>"), "error_text", "warning", "clean", ("caption31.png",)),
    "weights": Fault(
        caption(32, f"{CAPTION}, (smile:0.98)"), "weights", "warning", "clean", ("caption32.png",), {"emphasis": False}
    ),
    "rating": Fault(
        caption(33, CAPTION.replace("night", "rating:safe")), "ratings", "note", "clean", ("caption33.png",)
    ),
    "underscores": Fault(
        caption(34, CAPTION.replace("red hair", "red_hair")), "underscores", "warning", "clean", ("caption34.png",)
    ),
    "repeated tag": Fault(caption(35, f"{CAPTION}, Red Hair"), "repeated_tags", "note", "clean", ("caption35.png",)),
    "dangling sentence": Fault(
        caption(36, f"{CAPTION}, a girl with a sign that says,"), "dangling", "warning", "clean", ("caption36.png",)
    ),
    "name in the caption": Fault(
        caption(37, f"{CAPTION}, {NAME} sitting"), "name_in_caption", "warning", "", ("caption37.png",)
    ),
    "orphan": Fault(file("nobody.txt"), "orphan_caption", "note", "exclude", ("nobody.txt",)),
    "other files": Fault(
        both(file("db.json"), file("x.000"), file("y.npz")),
        "other_files", "note", "exclude", ("db.json", "x.000", "y.npz"),
    ),
    "picture that is not read": Fault(
        put("frame.gif", saved(picture(38), "GIF")), "unread_picture", "warning", "convert", ("frame.gif",)
    ),
    "shared caption": Fault(
        both(put("pair.png", picture(39)), put("pair.jpg", picture(40), quality=95)),
        "shared_caption", "warning", "", ("pair.jpg", "pair.png"),
    ),
    "same but for capitals": Fault(
        both(put("Anna.png", picture(41)), put("anna.png", picture(42))),
        "same_but_case", "note", "", ("Anna.png", "anna.png"),
    ),
    "two captions": Fault(
        both(put("twice.png", picture(43)), file("twice.caption", b"a, b, c, d, e, f, g")),
        "two_captions", "note", "", ("twice.png",),
    ),
    "several people": Fault(
        caption(44, CAPTION.replace("1girl", "2girls")), "several_people", "warning", "review", ("caption44.png",)
    ),
    "no face": Fault(caption(45, f"{CAPTION}, head out of frame"), "no_face", "note", "review", ("caption45.png",)),
}  # fmt: skip


def retagged(change: Callable[[list[str], int], list[str]]) -> Callable[[Path], None]:
    """A way to change the tags of every caption."""

    def make(folder: Path) -> None:
        for number, path in enumerate(sorted(folder.glob("*.txt"))):
            path.write_text(", ".join(change(path.read_text("utf-8").strip().split(", "), number)), "utf-8")

    return make


FRAMES = ("upper body", "close-up")
GAZES = ("looking at viewer", "looking to the side", "head tilt")

OF_THE_SET: dict[str, Fault] = {
    "few pictures": Fault(
        lambda folder: [path.unlink() for path in folder.iterdir() if path.stem >= "09"] and None,
        "few_pictures", "warning", "",
    ),
    "one framing": Fault(
        retagged(lambda found, _: [tag for tag in found if tag not in FRAMES] + ["upper body"]),
        "one_framing", "note", "",
    ),
    "one angle": Fault(
        retagged(lambda found, _: [tag for tag in found if tag not in GAZES] + ["looking at viewer"]),
        "one_angle", "note", "",
    ),
    "flips of something one-sided": Fault(
        retagged(lambda found, number: [*found, "heterochromia"] if number == 0 else found),
        "flip", "warning", "", (), {"flip": True},
    ),
    "flips of faces": Fault(
        retagged(
            lambda found, number: [t for t in found if t not in FRAMES] + [("portrait", "full body")[number % 5 == 0]]
        ),
        "flip", "warning", "", (), {"flip": True},
    ),
    "names of cameras": Fault(
        lambda folder: [
            path.unlink() if path.suffix == ".txt" else path.rename(folder / f"IMG_10{path.name}")
            for path in list(folder.iterdir())
        ] and None,
        "camera_names", "warning", "tag", tuple(f"IMG_10{number:02d}.png" for number in range(12)),
    ),
    "no captions at all": Fault(
        lambda folder: [path.unlink() for path in folder.glob("*.txt")] and None,
        "caption_missing", "warning", "tag", tuple(f"{number:02d}.png" for number in range(12)),
    ),
    "small pictures that are kept small": Fault(
        put("tiny.png", picture(1, (31, 31))), "kept_small", "note", "exclude", ("tiny.png",), {"upscale": False}
    ),
    "brackets that are read literally": Fault(
        caption(29, f"{CAPTION}, miku (cosplay)"), "emphasis", "note", "escape", ("caption29.png",), {"emphasis": False}
    ),
}  # fmt: skip
"""Faults of the set as a whole, or of other settings, that cannot all be in one folder."""
