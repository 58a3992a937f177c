import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dataset.drawn import draw_folder, noise, rng, small_config
from train_gamma.dataset.dataset import load_dataset
from train_gamma.dataset.templates import contains_word
from train_gamma.errors import UserError

SIZES = [(64, 64), (90, 60), (60, 90), (64, 64)]


def test_pictures_captions_and_fits_come_together(tmp_path):
    dataset = load_dataset(small_config(draw_folder(tmp_path, SIZES)), "gamma")
    assert [item.path.name for item in dataset.items] == ["0.png", "1.png", "2.png", "3.png"]
    assert [item.size for item in dataset.items] == SIZES
    assert [item.caption.text for item in dataset.items] == [f"tag {number}, other" for number in range(4)]
    assert [(item.fit.bucket.width, item.fit.bucket.height) for item in dataset.items[:3]] == [
        (64, 64),
        (80, 48),
        (48, 80),
    ]
    assert dataset.items[0].sha256 == hashlib.sha256((tmp_path / "0.png").read_bytes()).hexdigest()


def test_the_size_is_that_of_the_upright_picture(tmp_path):
    image = noise(90, 60)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert load_dataset(small_config(tmp_path), "gamma").items[0].size == (60, 90)


def test_prompts_are_drawn_anew_at_each_visit(tmp_path):
    config = small_config(draw_folder(tmp_path, SIZES), templates=("[name], [filewords]", "art by [name], [filewords]"))
    dataset = load_dataset(config, "gamma")
    prompts = {dataset.prompt(0, "gamma", rng(seed)) for seed in range(40)}
    assert prompts == {"gamma, tag 0, other", "art by gamma, tag 0, other"}
    assert dataset.prompts_of(0, "gamma") == ["gamma, tag 0, other", "art by gamma, tag 0, other"]
    assert dataset.prompt(1, "gamma", rng(7)) == dataset.prompt(1, "gamma", rng(7))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("gam ,[]name()\\", max_size=25), st.floats(0, 1), st.integers(0, 3), st.integers(0, 1000))
def test_the_name_is_in_every_prompt_whatever_is_drawn(tmp_path, caption, dropout, keep, seed):
    folder = draw_folder(tmp_path, [(32, 32)], [caption])
    config = small_config(folder, shuffle_tags=True, tag_dropout=dropout, keep_tags=keep)
    dataset = load_dataset(config, "gam")
    assert contains_word(dataset.prompt(0, "gam", rng(seed)), "gam")


def test_all_bad_files_are_listed_at_once(tmp_path):
    draw_folder(tmp_path, SIZES)
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:200])
    (tmp_path / "2.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UserError) as error:
        load_dataset(small_config(tmp_path, templates=("picture",)), "gamma")
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert all(any(part in line for line in lines) for part in ("0.png", "1.png", "2.txt", "'picture' (template 1)"))
    assert "3.png" not in str(error.value)


def test_settings_that_cannot_work_are_told_once_and_together(tmp_path):
    config = small_config(draw_folder(tmp_path, SIZES), background="wite", filename_regex="(", bucket_step=12)
    with pytest.raises(UserError) as error:
        load_dataset(config, "gamma")
    assert [line.split()[1] for line in str(error.value).splitlines()] == ["Bucket", "Background", "File"]


def test_the_manifest_changes_with_every_picture_and_caption(tmp_path):
    folder = draw_folder(tmp_path, SIZES)

    def manifest():
        return json.loads(json.dumps(load_dataset(small_config(folder), "gamma").manifest()))

    before = manifest()
    assert before == manifest()
    assert [picture["file"] for picture in before["pictures"]] == ["0.png", "1.png", "2.png", "3.png"]
    assert before["pictures"][0]["caption_sha256"] == hashlib.sha256(b"tag 0, other").hexdigest()
    noise(90, 60, 99).save(folder / "1.png")
    (folder / "2.txt").write_text("changed")
    changed = [one != other for one, other in zip(before["pictures"], manifest()["pictures"], strict=True)]
    assert changed == [False, True, True, False]


def test_the_manifest_names_files_below_the_folder(tmp_path):
    draw_folder(tmp_path / "deep", [(32, 32)])
    dataset = load_dataset(small_config(f"{tmp_path}/", recursive=True), "gamma")
    assert dataset.manifest()["pictures"][0]["file"] == "deep/0.png"


def test_the_crop_report_has_every_bucket_and_picture(tmp_path):
    dataset = load_dataset(small_config(draw_folder(tmp_path, [(64, 64), (64, 64), (400, 40)])), "gamma")
    report = dataset.crop_report()
    assert "3 pictures in 2 buckets" in report
    assert "  64 x 64: 2" in report
    assert "  128 x 32: 1" in report
    assert "  2.png: 400 x 40 -> 128 x 32, 60.0%" in report


def test_a_name_that_is_in_captions_already_is_not_doubled(tmp_path):
    draw_folder(tmp_path, SIZES[:2], ["Gamma, hat", "[name] sitting"])
    dataset = load_dataset(small_config(tmp_path), "gamma")
    assert dataset.prompts_of(0, "gamma") == ["gamma, hat"]
    assert dataset.prompts_of(1, "gamma") == ["gamma, gamma sitting"]


def test_pictures_are_read_in_threads_and_stay_in_order(tmp_path):
    sizes = [(32 + 8 * (number % 5), 400 if number % 7 == 0 else 32) for number in range(40)]
    dataset = load_dataset(small_config(draw_folder(tmp_path, sizes)), "gamma")
    assert [item.path.name for item in dataset.items] == [f"{number}.png" for number in range(40)]
    assert [item.size for item in dataset.items] == sizes
    for number in (3, 17, 29):
        (tmp_path / f"{number}.png").write_bytes(b"")
    with pytest.raises(UserError) as error:
        load_dataset(small_config(tmp_path), "gamma")
    assert [line.split("'")[1].split("/")[-1] for line in str(error.value).splitlines()] == [
        "3.png",
        "17.png",
        "29.png",
    ]
