import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.dataset.drawn import gradient, noise, pixel, png_bytes, png_chunk
from train_gamma.dataset import pictures
from train_gamma.dataset.pictures import decode_picture, open_picture, parse_colour
from train_gamma.errors import UserError

RED = (255, 0, 0)

# EXIF 2.32, table 4: what the 0th row and the 0th column of the stored picture are, seen by a viewer.
STORED = {
    1: lambda seen: seen,  # row top, column left
    2: lambda seen: seen[:, ::-1],  # top, right
    3: lambda seen: seen[::-1, ::-1],  # bottom, right
    4: lambda seen: seen[::-1],  # bottom, left
    5: lambda seen: seen.transpose(1, 0, 2),  # left, top
    6: lambda seen: seen[:, ::-1].transpose(1, 0, 2),  # right, top
    7: lambda seen: seen[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: lambda seen: seen[::-1].transpose(1, 0, 2),  # left, bottom
}


def saved(image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", list(STORED))
def test_exif_rotation_is_applied(tmp_path, orientation):
    seen = np.asarray(gradient(12, 7))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](seen)))
    image = open_picture(saved(stored, tmp_path / "a.png", exif=exif), "white")
    assert np.array_equal(np.asarray(image), seen)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_unreadable_exif_does_not_stop_a_picture(tmp_path):
    path = saved(noise(8, 8), tmp_path / "a.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert np.array_equal(np.asarray(open_picture(path, "white")), np.asarray(noise(8, 8)))


@pytest.mark.parametrize("ending", ["png", "bmp", "webp"])
def test_lossless_formats_keep_every_pixel(tmp_path, ending):
    path = saved(noise(9, 5), tmp_path / f"a.{ending}", **({"lossless": True} if ending == "webp" else {}))
    assert np.array_equal(np.asarray(open_picture(path, "white")), np.asarray(noise(9, 5)))


def test_transparency_shows_the_background_in_proportion(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0] = [(0, 0, 200, 255), (0, 0, 200, 0), (0, 0, 200, 51)]  # opaque, clear, one fifth
    image = open_picture(saved(Image.fromarray(rgba), tmp_path / "a.png"), "#ff0000")
    assert [pixel(image, x, 0) for x in range(3)] == [(0, 0, 200), RED, (204, 0, 40)]


def test_grey_with_alpha_shows_the_background(tmp_path):
    grey = Image.fromarray(np.array([[100, 100]], np.uint8))
    image = Image.merge("LA", (grey, Image.fromarray(np.array([[255, 0]], np.uint8))))
    opened = open_picture(saved(image, tmp_path / "a.png"), "red")
    assert [pixel(opened, x, 0) for x in range(2)] == [(100, 100, 100), RED]


@pytest.mark.parametrize("clear", [1, bytes([255, 0])])
def test_a_palette_with_transparency_shows_the_background(tmp_path, clear):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 255, 0, 255, 0])
    image.putpixel((1, 0), 1)
    opened = open_picture(saved(image, tmp_path / "a.png", transparency=clear), "red")
    assert [pixel(opened, x, 0) for x in range(2)] == [(0, 0, 255), RED]


@pytest.mark.parametrize(("depth", "row"), [(1, b"\x40"), (2, b"\x30"), (4, b"\x0f"), (8, b"\x00\xff")])
def test_a_transparent_grey_value_shows_the_background_at_every_depth(tmp_path, depth, row):
    largest = png_chunk(b"tRNS", (2**depth - 1).to_bytes(2, "big"))
    (tmp_path / "a.png").write_bytes(png_bytes((2, 1), depth, 0, [row], largest))
    opened = open_picture(tmp_path / "a.png", "red")
    assert [pixel(opened, x, 0) for x in range(2)] == [(0, 0, 0), RED]


@pytest.mark.parametrize("width", [1, 2])
def test_a_transparent_colour_shows_the_background_at_8_and_16_bits(tmp_path, width):
    def sample(value):
        return value.to_bytes(width, "big")

    scale = 257 if width == 2 else 1
    row = b"".join(sample(value * scale) for value in (10, 20, 30, 40, 50, 60))
    clear = png_chunk(b"tRNS", b"".join((value * scale).to_bytes(2, "big") for value in (40, 50, 60)))
    (tmp_path / "a.png").write_bytes(png_bytes((2, 1), 8 * width, 2, [row], clear))
    opened = open_picture(tmp_path / "a.png", "red")
    assert [pixel(opened, x, 0) for x in range(2)] == [(10, 20, 30), RED]


def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path):
    values = [0, 100, 1000, 32768, 40000, 65535]
    row = b"".join(value.to_bytes(2, "big") for value in values)
    (tmp_path / "a.png").write_bytes(png_bytes((len(values), 1), 16, 0, [row]))
    opened = open_picture(tmp_path / "a.png", "white")
    assert [pixel(opened, x, 0)[0] for x in range(len(values))] == [round(value / 257) for value in values]


def test_a_transparent_value_of_16_bit_grey_shows_the_background(tmp_path):
    row = (40000).to_bytes(2, "big") + (40001).to_bytes(2, "big")
    clear = png_chunk(b"tRNS", (40001).to_bytes(2, "big"))
    (tmp_path / "a.png").write_bytes(png_bytes((2, 1), 16, 0, [row], clear))
    opened = open_picture(tmp_path / "a.png", "red")
    assert [pixel(opened, x, 0) for x in range(2)] == [(156, 156, 156), RED]


def test_one_bit_pictures_are_black_and_white(tmp_path):
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    opened = open_picture(saved(image, tmp_path / "a.png"), "red")
    assert [pixel(opened, x, 0) for x in range(2)] == [(0, 0, 0), (255, 255, 255)]


def test_cmyk_becomes_rgb(tmp_path):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan, all magenta and yellow: red
    red, green, blue = pixel(open_picture(saved(image, tmp_path / "a.jpg", quality=95), "white"), 8, 8)
    assert red > 245
    assert green < 10
    assert blue < 10


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path, ending):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("blue", "lime")]
    drawn = saved(frames[0], tmp_path / f"drawn.{ending}", save_all=True, append_images=frames[1:])
    path = drawn.rename(tmp_path / "a.webp")  # a GIF by another name too
    red, green, blue = pixel(open_picture(path, "white"), 4, 4)
    assert blue > 245
    assert red + green < 10


def test_the_format_is_known_by_content_not_by_ending(tmp_path):
    path = saved(noise(8, 8), tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(np.asarray(open_picture(path, "white")), np.asarray(noise(8, 8)))


@pytest.mark.parametrize("limit", [None, pictures.MAX_PIXELS // 2])
def test_a_decompression_bomb_is_refused_even_if_the_host_turned_the_check_off(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    (tmp_path / "a.png").write_bytes(png_bytes((60000, 60000), 8, 2, [b""]))
    with pytest.raises(UserError, match="more than 178 million pixels"):
        open_picture(tmp_path / "a.png", "white")


@pytest.mark.parametrize(("text", "colour"), [("white", (255, 255, 255)), ("#102030", (16, 32, 48)), (" Red ", RED)])
def test_colours_are_names_or_hexadecimal(text, colour):
    assert parse_colour(text) == colour


def encoded(kind):
    data = io.BytesIO()
    noise(20, 15).save(data, kind)
    return data.getvalue()


SOURCES = {kind: encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF")}


@given(
    kind=st.sampled_from(sorted(SOURCES)),
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255))),
)
def test_a_damaged_file_gives_a_picture_or_an_error_that_names_it(tmp_path_factory, kind, cut, changes):
    data = bytearray(SOURCES[kind])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    try:
        image = decode_picture(bytes(data[: max(1, int(cut * len(data)))]), path, "white")
    except UserError as error:
        outcome = str(error)
    else:
        outcome = image.mode
    assert outcome == "RGB" or ("damaged.png" in outcome and "take it out of the folder" in outcome)
