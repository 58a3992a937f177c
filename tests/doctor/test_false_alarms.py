"""What looks like a fault and is none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps

from tests.doctor.faults import CAPTION, both, caption, file, picture, put
from tests.doctor.folders import clean_folder, examined, kinds
from tests.doctor.profiles import SRGB, make_profile
from train_gamma.demo.drawing import draw
from train_gamma.demo.world import random_character

SCENE = {"item": "none", "background": "sky", "pose": "viewer", "framing": "upper"}


def upright(image: Image.Image) -> Image.Exif:
    exif = image.getexif()
    exif[0x0112] = 1
    exif[0x010E] = "a description"
    return exif


def recoloured(folder: Path) -> None:
    """The same scene with the same seed, where only the colour of hair and dress differs."""
    one = random_character(3000)
    other = {**one, "hair_colour": "green", "dress_colour": "purple"}
    for name, who in (("one", {**one, "hair_colour": "red", "dress_colour": "yellow"}), ("two", other)):
        put(f"{name}.png", draw(who, SCENE, (64, 64), 1))(folder)


def symmetric(folder: Path) -> None:
    """A picture that is its own mirror image."""
    half = picture(1).crop((0, 0, 32, 64))
    whole = Image.new("RGB", (64, 64))
    whole.paste(half, (0, 0))
    whole.paste(ImageOps.mirror(half), (32, 0))
    put("symmetric.png", whole)(folder)


NO_FAULTS: dict[str, Callable[[Path], None]] = {
    "opaque alpha": put("a.png", picture(1).convert("RGBA")),
    "a transparent colour that no pixel has": put("a.png", picture(1), transparency=(1, 2, 3)),
    "sRGB by LittleCMS": put(
        "a.png", picture(1), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "sRGB by another name and gamma 2.2": put("a.jpg", picture(1), icc_profile=make_profile("Cam 3000", SRGB, 2.2)),
    "grey of gamma 2.2": put("a.png", picture(1).convert("L"), icc_profile=make_profile("Grey", None, 2.2)),
    "a profile that is no profile": put("a.png", picture(1), icc_profile=b"junk" * 50),
    "a profile of another kind of picture": put(
        "a.png", picture(1).convert("L"), icc_profile=make_profile("x", SRGB, 1)
    ),
    "grey": put("a.png", picture(1).convert("L")),
    "EXIF that says upright": put("a.jpg", picture(1), exif=upright(picture(1)), quality=95),
    "BMP": put("a.bmp", picture(1)),
    "WebP with one frame": put("a.webp", picture(1), quality=95),
    "capitals in the ending": put("A.PNG", picture(1)),
    "other colours on the same figure": recoloured,
    "a symmetric picture": symmetric,
    "twice as long as wide": put("a.png", picture(1, (128, 64))),
    "faces with underscores": caption(1, f"{CAPTION}, ^_^, o_o, ||_||, @_@"),
    "escaped brackets": caption(1, rf"{CAPTION}, miku \(cosplay\), :\("),
    "weights that are meant": caption(1, f"{CAPTION}, (smile:1.2), [hat]"),
    "the placeholder of one word alike": caption(1, f"{CAPTION}, zz-mikado"),
    "a sentence": caption(1, "A girl with red hair who stands in front of a forest, holding a sword."),
    "several lines": caption(1, f"{CAPTION},\r\nsmile,\r\nhat\r\n"),
    "a tag that has a rating's name in it": caption(1, f"{CAPTION}, general store, explicit lyrics"),
    "a sign that says something": caption(1, f'{CAPTION}, a sign that says "open"'),
    "words beyond ASCII": caption(1, f"{CAPTION}, 帽子, café"),
    "files of the system": both(file("Thumbs.db"), file("desktop.ini"), file(".hidden.txt"), file(".DS_Store")),
    "a tag with two people in it": caption(1, f"{CAPTION}, 2girls poster"),
}


@pytest.mark.parametrize("case", NO_FAULTS)
def test_what_is_no_fault_gives_no_finding(case: str, tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    NO_FAULTS[case](folder)
    assert kinds(examined(folder)) == []
    assert len(examined(folder).material.subjects) >= 12
