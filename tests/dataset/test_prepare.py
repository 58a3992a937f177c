"""Copies of pictures in a new folder: what they show, and that nothing else changes."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.captions.sets import files
from tests.dataset.drawn import gradient, noise
from tests.doctor.profiles import ADOBE_RGB, make_profile
from train_gamma.dataset.buckets import apply_fit, fit_picture, make_buckets
from train_gamma.dataset.pictures import open_picture
from train_gamma.dataset.prepare import Prepared, plan, prepare, preview
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.errors import UserError

BUCKETS = make_buckets(96, 96, 16, 64, 128)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "[set] x.png"
    path.mkdir()
    return path


def settings(folder: Path, **changes: Any) -> PrepareConfig:
    """For training at 96 x 96, into the folder ``new`` beside the pictures."""
    values = {"width": 96, "height": 96, "bucket_step": 16, "bucket_min": 64, "bucket_max": 128}
    places = {"folder": str(folder), "into": str(folder.parent / "new")}
    return PrepareConfig(**{**places, **values, **changes})


def prepared(folder: Path, **changes: Any) -> Prepared:
    return prepare(settings(folder, **changes))


def copy(folder: Path, name: str) -> Image.Image:
    with Image.open(folder.parent / "new" / name) as image:
        image.load()
        return image


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def names(folder: Path) -> list[str]:
    new = folder.parent / "new"
    return sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())


def test_copies_and_captions_go_into_the_same_subfolders_and_the_originals_stay(folder: Path) -> None:
    (folder / "in" / "deep").mkdir(parents=True)
    for name, size in (
        ("2.png", (100, 60)),
        ("10.jpg", (60, 100)),
        ("in/deep/a.b.webp", (70, 70)),
        ("in/c.bmp", (64, 65)),
    ):
        noise(*size, seed=len(name)).save(folder / name)
    (folder / "2.txt").write_bytes("\ufeffhair, é\r\n".encode("utf-16"))
    (folder / "in/deep/a.b.caption").write_bytes(b"\xff no text")
    (folder / "in/deep/a.b.txt").write_bytes(b"both")
    (folder / "other.json").write_text("{}")
    before = files(folder)
    done = prepared(folder, recursive=True)
    assert files(folder) == before
    assert names(folder) == [
        "10.png", "2.png", "2.txt", "in/c.png", "in/deep/a.b.caption", "in/deep/a.b.png", "in/deep/a.b.txt",
    ]  # fmt: skip
    assert (done.pictures, len(done.written), done.skipped, done.stopped) == (4, 7, (), False)
    after = files(folder.parent / "new")
    for name in ("2.txt", "in/deep/a.b.caption", "in/deep/a.b.txt"):
        assert after[name][0] == before[name][0]
    assert prepare(settings(folder, into=str(folder.parent / "flat"))).pictures == 2


@pytest.mark.parametrize("size", [(300, 200), (100, 180), (64, 64), (129, 64), (500, 170), (97, 101)])
def test_a_copy_is_what_training_makes_of_the_picture(folder: Path, size: tuple[int, int]) -> None:
    """With the middle kept in view, by training's own functions; the box is in whole pixels here."""
    gradient(*size).save(folder / "a.png")
    prepared(folder, focus="middle", upscale=True)
    fit = fit_picture(size, BUCKETS, upscale=True)
    expected = apply_fit(open_picture(folder / "a.png", "white"), fit)
    found = copy(folder, "a.png")
    assert found.size == expected.size
    assert np.abs(pixels(found) - pixels(expected)).max() <= 3
    (planned,) = plan(settings(folder, focus="middle"))
    assert planned.cuts[0].bucket == fit.bucket
    assert abs(planned.lost - fit.lost) < 0.02
    assert fit_picture(found.size, BUCKETS, upscale=True).bucket == fit.bucket


def test_training_cuts_nothing_more_off_whatever_the_size(folder: Path) -> None:
    rng = random.Random(0)
    for number in range(6):
        noise(rng.randrange(64, 300), rng.randrange(64, 300), number).save(folder / f"{number}.png")
    for number, size in enumerate(("bucket", "keep", "longest")):
        config = settings(folder, size=size, longest_side=90, into=str(folder.parent / f"new{number}"))
        prepare(config)
        for planned in plan(config):
            with Image.open(folder.parent / f"new{number}" / planned.name) as image:
                fit = fit_picture(image.size, BUCKETS, upscale=True)
                assert image.size == planned.cuts[0].size
            assert fit.bucket == planned.cuts[0].bucket == fit_picture(planned.size, BUCKETS, upscale=True).bucket
            assert fit.lost == pytest.approx(planned.lost_in_training)
            assert fit.lost < 0.02


def test_the_plan_says_where_the_picture_is_cut(folder: Path) -> None:
    """A red square at the right of a grey picture: what is kept has it, and the point is in it."""
    image = Image.new("RGB", (400, 100), "grey")
    image.paste("red", (300, 30, 350, 80))
    image.save(folder / "a.png")
    (planned,) = plan(settings(folder))
    box = planned.cuts[0].box
    assert (planned.name, planned.size, planned.how, planned.problem) == ("a.png", (400, 100), "auto", "")
    assert box.x <= 300
    assert box.x + box.width >= 350
    assert (box.y, box.height) == (0, 100)
    assert planned.lost == pytest.approx(1 - box.width / 400)
    assert planned.focus is not None
    assert 290 <= planned.focus[0] <= 360
    assert 30 <= planned.focus[1] <= 80
    assert not (folder.parent / "new").exists()


def test_a_preview_is_the_copy(folder: Path) -> None:
    noise(150, 90).save(folder / "a.png")
    config = settings(folder, brightness=1.2, contrast=0.8, saturation=1.5)
    prepare(config)
    for picture in (Path("a.png"), folder / "a.png"):
        assert np.array_equal(pixels(preview(config, picture)), pixels(copy(folder, "a.png")))
    with pytest.raises(UserError, match="no picture of the folder"):
        preview(config, Path("b.png"))
    with pytest.raises(UserError, match="1 pieces"):
        preview(config, Path("a.png"), 1)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"size": "bucket"}, (30, 30)),
        ({"size": "bucket", "upscale": True}, (96, 96)),
        ({"size": "longest", "longest_side": 128}, (30, 30)),
        ({"size": "longest", "longest_side": 128, "upscale": True}, (128, 128)),
        ({"size": "keep", "upscale": True}, (30, 30)),
    ],
)
def test_small_pictures_are_enlarged_only_when_asked(
    folder: Path, changes: dict[str, Any], size: tuple[int, int]
) -> None:
    noise(30, 30).save(folder / "a.png")
    done = prepared(folder, **changes)
    assert copy(folder, "a.png").size == size
    assert any("fewer pixels" in note for note in done.notes) == (size == (30, 30))


@pytest.mark.parametrize(("size", "expected"), [("keep", (300, 120)), ("longest", (100, 40)), ("bucket", None)])
def test_without_a_crop_everything_stays_in_view(folder: Path, size: str, expected: tuple[int, int] | None) -> None:
    """To the size that covers its bucket, as training scales it before it cuts."""
    gradient(300, 120).save(folder / "a.png")
    config = settings(folder, crop="none", size=size, longest_side=100)
    fit = fit_picture((300, 120), BUCKETS, upscale=True)
    prepare(config)
    found = copy(folder, "a.png")
    assert found.size == (expected or fit.resized)
    whole = gradient(300, 120).resize(found.size, Image.Resampling.LANCZOS)
    assert np.array_equal(pixels(found), pixels(whole))
    (planned,) = plan(config)
    assert (planned.lost, planned.how, planned.focus) == (0.0, "whole", None)
    assert planned.lost_in_training == pytest.approx(fit.lost, abs=0.02)


def test_a_box_is_cut_out_exactly(folder: Path) -> None:
    image = noise(200, 100)
    image.save(folder / "a.png")
    noise(50, 50).save(folder / "b.png")
    prepared(folder, crop="none", size="keep", boxes=("a.png = 20, 30, 55, 41",))
    assert np.array_equal(pixels(copy(folder, "a.png")), pixels(image)[30:71, 20:75])
    assert copy(folder, "b.png").size == (50, 50)


def test_a_box_is_brought_to_the_shape_of_a_bucket(folder: Path) -> None:
    noise(400, 400).save(folder / "a.png")
    (planned,) = plan(settings(folder, boxes=("a.png=100,100,200,190",)))
    assert (planned.how, planned.focus) == ("box", None)
    (cut,) = planned.cuts
    assert (cut.box.width, cut.box.height) == (200, 200)
    assert cut.size == (96, 96)
    assert planned.lost == pytest.approx(0.75)


def test_boxes_that_cannot_be_are_told(folder: Path) -> None:
    noise(100, 100).save(folder / "a.png")
    noise(100, 100, 1).save(folder / "b.png")
    with pytest.raises(UserError, match="not in the folder"):
        plan(settings(folder, boxes=("c.png = 0, 0, 5, 5",)))
    with pytest.raises(UserError, match="two crop boxes"):
        plan(settings(folder, boxes=("a.png = 0, 0, 5, 5", "a.png = 0, 0, 6, 5")))
    with pytest.raises(UserError, match="must be written as"):
        settings(folder, boxes=("a.png: 1",))
    config = settings(folder, boxes=("a.png = 60, 0, 50, 50",))
    assert ["reaches out" in one.problem for one in plan(config)] == [True, False]
    done = prepare(config)
    assert [one.path.name for one in done.skipped] == ["a.png"]
    assert names(folder) == ["b.png"]
    with pytest.raises(UserError, match="reaches out"):
        preview(config, Path("a.png"))


def test_pictures_are_turned_upright(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = gradient(100, 60)
    image.save(folder / "a.png", exif=exif)
    prepared(folder, crop="none", size="keep")
    found = copy(folder, "a.png")
    assert found.size == (60, 100)
    assert np.array_equal(pixels(found), np.rot90(pixels(image), k=-1))
    assert 0x0112 not in found.getexif()


def test_transparency_is_flattened_or_kept(folder: Path) -> None:
    """Half of the picture is clear, with red in it that nobody sees: it must not come through where it is scaled."""
    values = np.zeros((100, 100, 4), dtype=np.uint8)
    values[:, :50] = (255, 0, 0, 0)
    values[:, 50:] = (0, 0, 255, 255)
    Image.fromarray(values).save(folder / "a.png")
    noise(100, 100).save(folder / "b.png")
    prepared(folder, background="#00ff00")
    flat = pixels(copy(folder, "a.png"))
    assert tuple(flat[32, 5]) == (0, 255, 0)
    assert tuple(flat[32, 60]) == (0, 0, 255)
    prepare(settings(folder, transparency="keep", into=str(folder.parent / "clear"), format="webp", quality=100))
    with Image.open(folder.parent / "clear" / "a.webp") as image:
        kept = pixels(image.convert("RGBA"))
    assert kept[32, 5, 3] == 0
    assert kept[32, 60, 3] == 255
    shown = kept[kept[:, :, 3] > 60]
    assert shown[:, 0].max() < 60
    with Image.open(folder.parent / "clear" / "b.webp") as image:
        assert image.mode == "RGB"
    with pytest.raises(UserError, match="no transparency to keep"):
        settings(folder, format="jpeg", transparency="keep")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_kind_look_as_in_training(folder: Path, mode: str) -> None:
    name = "a.jpg" if mode == "CMYK" else "a.png"
    image = gradient(70, 70)
    if mode == "I;16":
        Image.fromarray(np.asarray(image)[..., 0].astype(np.uint16) * 257).save(folder / name)
    elif mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((70, 70)))
        image.save(folder / name)
    else:
        image.convert(mode).save(folder / name)
    config = settings(folder, crop="none", size="keep", background="red")
    copied = preview(config, Path(name))
    assert copied.mode == "RGB"
    assert np.array_equal(pixels(copied), pixels(open_picture(folder / name, "red")))
    kept = preview(settings(folder, crop="none", size="keep", transparency="keep"), Path(name))
    assert kept.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")


def test_a_turned_picture_keeps_its_transparency(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    image = noise(40, 30).convert("RGBA")
    image.putpixel((0, 0), (9, 9, 9, 0))
    image.save(folder / "a.png", exif=exif)
    found = preview(settings(folder, crop="none", size="keep", transparency="keep"), Path("a.png"))
    assert np.array_equal(pixels(found), np.rot90(pixels(image), k=1))


def test_colours_of_another_profile_become_srgb(folder: Path) -> None:
    """By the published primaries and gamma of both; the green is outside of sRGB in part, so it is clipped."""
    pytest.importorskip("PIL.ImageCms")
    profile = make_profile("Adobe RGB", ADOBE_RGB, 2.2)
    Image.new("RGB", (64, 64), (128, 128, 128)).save(folder / "grey.png", icc_profile=profile)
    Image.new("RGB", (64, 64), (100, 200, 100)).save(folder / "green.png", icc_profile=profile)
    prepared(folder)
    assert np.abs(pixels(copy(folder, "grey.png")) - _srgb_of(128, 128, 128)).max() <= 2
    assert np.abs(pixels(copy(folder, "green.png")) - _srgb_of(100, 200, 100)).max() <= 3
    assert "icc_profile" not in copy(folder, "green.png").info


def _srgb_of(*adobe: int) -> NDArray[np.int64]:
    """sRGB of an Adobe RGB colour: decode with gamma 2.2, matrices of IEC 61966-2-1 and Adobe RGB (1998), encode."""
    from tests.doctor.profiles import SRGB

    linear = (np.array(adobe) / 255) ** 2.2
    xyz = linear @ np.array(ADOBE_RGB)
    back = np.clip(xyz @ np.linalg.inv(np.array(SRGB)), 0, 1)
    encoded = np.where(back <= 0.0031308, 12.92 * back, 1.055 * back ** (1 / 2.4) - 0.055)
    return (encoded * 255).round().astype(np.int64)


def test_brightness_contrast_and_colour(folder: Path) -> None:
    image = noise(64, 64)
    image.save(folder / "a.png")
    original = pixels(image)

    def changed(**changes: float) -> NDArray[np.int64]:
        return pixels(preview(settings(folder, **changes), Path("a.png")))

    assert np.array_equal(changed(), original)
    assert changed(brightness=0.0).max() == 0
    assert np.abs(changed(brightness=0.5) - original / 2).max() <= 1
    assert np.unique(changed(contrast=0.0)).size == 1
    assert changed(contrast=2.0).std() > original.std() > changed(contrast=0.5).std()
    grey = changed(saturation=0.0)
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert np.abs(grey[..., 0] - original @ [0.299, 0.587, 0.114]).max() <= 1


@pytest.mark.parametrize(
    ("kind", "ending", "magic"),
    [("png", ".png", b"\x89PNG"), ("jpeg", ".jpg", b"\xff\xd8\xff"), ("webp", ".webp", b"RIFF")],
)
def test_formats(folder: Path, kind: str, ending: str, magic: bytes) -> None:
    noise(64, 64).save(folder / "a.bmp")
    prepared(folder, format=kind, quality=100)
    path = folder.parent / "new" / f"a{ending}"
    assert path.read_bytes().startswith(magic)
    if kind != "png":
        prepare(settings(folder, format=kind, quality=20, into=str(folder.parent / "small")))
        assert (folder.parent / "small" / f"a{ending}").stat().st_size < path.stat().st_size / 2


def test_what_a_format_cannot_hold_is_told_for_that_picture_alone(folder: Path) -> None:
    """The sides of a webp are 16383 pixels at most (RFC 9649, 14 bits)."""
    Image.new("RGB", (16384, 2)).save(folder / "long.png")
    noise(30, 30).save(folder / "short.png")
    done = prepared(folder, format="webp", crop="none", size="keep")
    assert [one.path.name for one in done.skipped] == ["long.png"]
    assert "cannot be a webp file" in done.skipped[0].reason
    assert names(folder) == ["short.webp"]


def test_mirrored_copies_have_the_same_caption_and_sides_are_told(folder: Path) -> None:
    for name, caption in (("a", "red hat, looking to the left"), ("b", "all_right_hand"), ("c", "bright, leftovers")):
        noise(64, 64, ord(name)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(caption)
    done = prepared(folder, flipped=True)
    assert names(folder) == sorted(f"{n}{f}{e}" for n in "abc" for f in ("", "_flipped") for e in (".png", ".txt"))
    for name in "abc":
        assert np.array_equal(pixels(copy(folder, f"{name}_flipped.png")), pixels(copy(folder, f"{name}.png"))[:, ::-1])
        flipped = folder.parent / "new" / f"{name}_flipped.txt"
        assert flipped.read_bytes() == (folder / f"{name}.txt").read_bytes()
    (note,) = [note for note in done.notes if "left or right" in note]
    assert "2 pictures" in note
    assert note.endswith("a.png, b.png.")


def test_long_pictures_are_split(folder: Path) -> None:
    image = gradient(100, 400)
    image.save(folder / "tall.png")
    noise(200, 100).save(folder / "wide.png")
    (folder / "tall.txt").write_text("1girl")
    done = prepared(folder, split=True, overlap=0.0, size="keep", flipped=True)
    parts = [f"tall_part{n}{flip}.{e}" for n in (1, 2, 3, 4) for flip in ("", "_flipped") for e in ("png", "txt")]
    assert names(folder) == sorted([*parts, "wide.png", "wide_flipped.png"])
    stacked = np.concatenate([pixels(copy(folder, f"tall_part{n}.png")) for n in (1, 2, 3, 4)])
    assert np.array_equal(stacked, pixels(image))
    assert done.pictures == 2
    tall = plan(settings(folder, split=True))[0]
    assert (tall.how, tall.lost, tall.focus) == ("split", 0.0, None)
    assert tall.lost_in_training < 0.02


def test_a_bad_picture_is_told_and_the_others_go_on(folder: Path) -> None:
    noise(64, 64).save(folder / "1.png")
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes()[:200])
    (folder / "3.png").write_bytes(b"")
    noise(64, 64, 4).save(folder / "4.png")
    assert [bool(one.problem) for one in plan(settings(folder))] == [False, True, True, False]
    done = prepared(folder)
    assert [one.path.name for one in done.skipped] == ["2.png", "3.png"]
    assert "cut off" in done.skipped[0].reason
    assert "empty" in done.skipped[1].reason
    assert names(folder) == ["1.png", "4.png"]


def test_pictures_that_share_a_name_get_names_of_their_own(folder: Path) -> None:
    for number, name in enumerate(("a.jpg", "a.png", "A.webp", "a_2.bmp", "b.png", "b_flipped.png", "b_part1.png")):
        noise(64, 64, number).save(folder / name)
    (folder / "a.txt").write_text("shared")
    done = prepared(folder, flipped=True, split=True)
    assert len([name for name in names(folder) if name.endswith(".png")]) == 2 * 7
    assert len({name.casefold() for name in names(folder)}) == len(names(folder))
    assert sum(name.endswith(".txt") for name in names(folder)) >= 4
    assert any("got another one" in note for note in done.notes)
    assert len(done.written) == len(names(folder))
