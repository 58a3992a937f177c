"""What each bad input of a dataset gives: the whole message, with {folder} for the dataset's folder."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from tests.dataset.drawn import draw_folder, noise, png_bytes, small_config
from train_gamma.dataset.dataset import load_dataset
from train_gamma.errors import UserError


def jpeg(image):
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()


def writes(name, data):
    def prepare(folder):
        (folder / name).write_bytes(data)
        return {}

    return prepare


def sets(**changes):
    def prepare(folder):
        return {
            key: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
            for key, value in changes.items()
        }

    return prepare


def only(*names):
    def prepare(folder):
        for path in folder.iterdir():
            path.unlink()
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"x")
        return {}

    return prepare


def template_file(text):
    def prepare(folder):
        (folder / "t.txt").write_bytes(text)
        return {"template_file": str(folder / "t.txt")}

    return prepare


def broken_link(folder):
    (folder / "0.png").unlink()
    (folder / "0.png").symlink_to(folder / "gone.png")
    return {}


AGAIN = "Download or export it again, or take it out of the folder."
CONVERT = "Convert it to PNG, or take it out of the folder."
NOT_A_PICTURE = "'{folder}/0.png' is not a PNG, JPEG, WEBP or BMP picture: "
NO_NAME = (
    "has no [name], so the embedding would learn nothing from it. "
    "Put [name] where the embedding belongs, or delete the line."
)
AS_UTF8 = "Save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)."
ENDINGS = "(looked for .png .jpg .jpeg .webp .bmp; "
TOUCHED = "as a word of its own: letters touch [name]. Put a space or comma on both sides of [name]."

REFUSED = {
    "no folder set": (sets(folder=""), "Dataset folder is not set. Give the folder that holds the pictures."),
    "missing folder": (sets(folder="{folder}/x"), "Dataset folder '{folder}/x' does not exist. Check the path."),
    "file for a folder": (
        sets(folder="{folder}/0.png"),
        "Dataset folder '{folder}/0.png' is a file. Give the folder that holds the pictures.",
    ),
    "empty folder": (
        only(),
        (
            "Dataset folder '{folder}' has no pictures (looked for .png .jpg .jpeg .webp .bmp; it is empty). "
            "Check the path, or convert the pictures to PNG."
        ),
    ),
    "no pictures": (
        only("a.gif", "b.gif", "c.txt"),
        (
            f"Dataset folder '{{folder}}' has no pictures {ENDINGS}3 other files: 2 .gif, 1 .txt). "
            "Check the path, or convert the pictures to PNG."
        ),
    ),
    "pictures in subfolders": (
        only("notes.md", "a/1.png", "a/2.png", "b/3.png"),
        (
            f"Dataset folder '{{folder}}' has no pictures {ENDINGS}1 other file: 1 .md). "
            "Its subfolders have 3 in 2 folders: turn on 'Include subfolders', or choose one of them."
        ),
    ),
    "truncated JPEG": (
        writes("0.png", jpeg(noise(64, 64))[:1500]),
        f"'{{folder}}/0.png' is damaged or cut off (<reason>). {AGAIN}",
    ),
    "JPEG with only its header": (
        writes("0.png", jpeg(noise(64, 64))[:10]),
        f"'{{folder}}/0.png' is damaged or cut off (<reason>). {AGAIN}",
    ),
    "truncated PNG": (
        lambda folder: writes("0.png", (folder / "0.png").read_bytes()[:200])(folder),
        f"'{{folder}}/0.png' is damaged or cut off (<reason>). {AGAIN}",
    ),
    "0-byte file": (writes("0.png", b""), f"'{{folder}}/0.png' is empty (0 bytes). {AGAIN}"),
    "text for a picture": (writes("0.png", b"hello"), f"{NOT_A_PICTURE}its content is none of these. {CONVERT}"),
    "web page for a picture": (
        writes("0.png", b"<!DOCTYPE html><html>"),
        f"{NOT_A_PICTURE}it is a web page or SVG drawing. {CONVERT}",
    ),
    "AVIF with the wrong ending": (
        writes("0.png", b"\0\0\0\x20ftypavif" + bytes(20)),
        f"{NOT_A_PICTURE}it is an AVIF picture. {CONVERT}",
    ),
    "too many pixels": (
        writes("0.png", png_bytes((50000, 50000), 8, 2, [b""])),
        (
            "'{folder}/0.png' has more than 178 million pixels, the limit that guards the memory. "
            "Scale it down (a few thousand pixels a side are plenty), or take it out of the folder."
        ),
    ),
    "link to nowhere": (
        broken_link,
        "'{folder}/0.png' cannot be read: No such file or directory. Check your rights to it, or take it away.",
    ),
    "caption that is not UTF-8": (
        writes("0.txt", "1girl, café".encode("cp1252")),
        f"'{{folder}}/0.txt' is not UTF-8 text: byte 10 (line 1) is 0xe9. {AS_UTF8}",
    ),
    "caption in UTF-16 without a mark": (
        writes("0.txt", "hat".encode("utf-16-le")),
        f"'{{folder}}/0.txt' is not plain text: byte 1 is 0x00. {AS_UTF8}",
    ),
    "caption in half a UTF-16": (
        writes("0.txt", "hat".encode("utf-16")[:-1]),
        f"'{{folder}}/0.txt' begins as UTF-16 text but breaks at byte 6. {AS_UTF8}",
    ),
    "missing template file": (
        sets(template_file="{folder}/t.txt"),
        "Prompt template file '{folder}/t.txt' does not exist. Check the path, or leave it empty.",
    ),
    "folder for a template file": (
        sets(template_file="{folder}"),
        "Prompt template file '{folder}' is a folder. Check the path, or leave it empty.",
    ),
    "template file that is not UTF-8": (
        template_file(b"[name]\n\xff"),
        f"'{{folder}}/t.txt' is not UTF-8 text: byte 7 (line 2) is 0xff. {AS_UTF8}",
    ),
    "template file of blank lines and comments": (
        template_file(b"\n  \n# [name]\n"),
        (
            "Prompt template file '{folder}/t.txt' has no template, only blank lines or comments. "
            "Add a line such as: [name], [filewords]"
        ),
    ),
    "no templates": (
        sets(templates=()),
        "Prompt templates has no template, only blank lines or comments. Add a line such as: [name], [filewords]",
    ),
    "template without [name]": (sets(templates=("[filewords]",)), f"Template '[filewords]' (template 1) {NO_NAME}"),
    "line of a template file without [name]": (
        template_file(b"[name]\n\na [Name]\n"),
        f"Template 'a [Name]' (t.txt, line 3) {NO_NAME}",
    ),
    "letters at [name]": (
        sets(templates=("my[name]",)),
        f"Template 'my[name]' would not give a prompt with 'gamma' {TOUCHED}",
    ),
    "background that is no colour": (
        sets(background="whitish"),
        "Background 'whitish' is not a colour. Give a name such as white or gray, or six digits like #808080.",
    ),
    "file name regex that is none": (
        sets(filename_regex="("),
        (
            "File name regex '(' is not a regular expression: missing ), unterminated subpattern at position 0. "
            "Correct it, or leave it empty to take the whole name."
        ),
    ),
    "bucket step off the latent's grid": (
        sets(bucket_step=12),
        "Bucket step must be a multiple of 8 (a latent pixel has 8 x 8 pixels), got 12. Try 64.",
    ),
    "bucket step beyond the size": (
        sets(bucket_step=128),
        "Width x Height (64 x 64) has no room for one Bucket step (128). Lower the step.",
    ),
    "bucket minimum beyond the size": (
        sets(bucket_min=256, bucket_max=1024),
        (
            "No bucket fits: with sides of at least Bucket minimum (256), in multiples of Bucket step (16), "
            "even the smallest has more area than Width x Height (64 x 64). "
            "Lower Bucket minimum to 64 or less, or raise Width and Height."
        ),
    ),
    "no step between the limits": (
        sets(bucket_min=33, bucket_max=47),
        (
            "No multiple of Bucket step (16) lies between Bucket minimum (33) and Bucket maximum (47). "
            "Lower the minimum, raise the maximum or lower the step."
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_what_to_do(tmp_path, case):
    prepare, message = REFUSED[case]
    folder = draw_folder(tmp_path, [(64, 64), (60, 70)])
    changes = prepare(folder)
    with pytest.raises(UserError) as error:
        load_dataset(small_config(**{"folder": folder, **changes}), "gamma")
    expected = re.escape(message.replace("{folder}", str(folder))).replace("<reason>", ".+")  # Pillow's own words
    assert re.fullmatch(expected, str(error.value))


def test_an_embedding_without_a_name_is_refused(tmp_path):
    with pytest.raises(UserError, match="The embedding has no Name, so no prompt can have it. Give it one."):
        load_dataset(small_config(draw_folder(tmp_path, [(64, 64)])), " ")


def test_a_name_that_does_not_survive_in_a_prompt_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"The prompt 'a, b, tag 0, other' of 0.png has no 'a,b' as a word of its own."):
        load_dataset(small_config(draw_folder(tmp_path, [(64, 64)])), "a,b")


def _palette():
    image = noise(64, 64).quantize(16)
    image.info["transparency"] = 3
    return image


ACCEPTED = {
    "CMYK": ("a.jpg", lambda path: noise(64, 64).convert("CMYK").save(path)),
    "16-bit grey": ("a.png", lambda path: path.write_bytes(png_bytes((64, 64), 16, 0, [bytes(128)] * 64))),
    "1-bit": ("a.png", lambda path: noise(64, 64).convert("1").save(path)),
    "palette with transparency": ("a.png", lambda path: _palette().save(path)),
    "RGBA": ("a.webp", lambda path: noise(64, 64).convert("RGBA").save(path)),
    "animation": ("a.webp", lambda path: noise(64, 64).save(path, save_all=True, append_images=[noise(64, 64, 1)])),
    "20000 x 200": ("a.png", lambda path: Image.new("RGB", (20000, 200)).save(path)),
    "1 x 1": ("a.png", lambda path: Image.new("RGB", (1, 1)).save(path)),
    "GIF named .png": ("a.png", lambda path: noise(64, 64).save(path, "GIF")),
    "ending in capitals": ("A.PNG", lambda path: noise(64, 64).save(path)),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_unusual_pictures_are_accepted(tmp_path, case):
    name, write = ACCEPTED[case]
    write(tmp_path / name)
    dataset = load_dataset(small_config(tmp_path), "gamma")
    assert [item.path.name for item in dataset.items] == [name]


def test_an_empty_caption_gives_a_clean_prompt(tmp_path):
    dataset = load_dataset(small_config(draw_folder(tmp_path, [(64, 64)], [" \n"])), "gamma")
    assert dataset.prompts_of(0, "gamma") == ["gamma"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_cut_off_picture_is_refused_even_where_another_program_told_pillow_to_take_them(
    tmp_path, monkeypatch, kind, share
):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = io.BytesIO()
    noise(64, 64).save(data, kind)
    whole = data.getvalue()
    (tmp_path / "0.png").write_bytes(whole)
    load_dataset(small_config(tmp_path), "gamma")
    (tmp_path / "0.png").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match="is damaged or cut off"):
        load_dataset(small_config(tmp_path), "gamma")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_a_blank_template_line_is_no_template(tmp_path):
    folder = draw_folder(tmp_path / "pictures", [(64, 64)])
    Path(tmp_path / "t.txt").write_text("\n[name]\n\n")
    dataset = load_dataset(small_config(folder, template_file=str(tmp_path / "t.txt")), "gamma")
    assert dataset.templates == ("[name]",)
