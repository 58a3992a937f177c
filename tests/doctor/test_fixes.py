"""Every fix does what it says, loses nothing, and can be taken back."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from tests.dataset.drawn import noise
from tests.doctor.faults import CAPTION, FAULTS, picture
from tests.doctor.folders import clean_folder, examined, kinds
from tests.doctor.profiles import ADOBE_RGB, make_profile
from train_gamma.dataset.pictures import open_picture
from train_gamma.doctor.findings import Finding
from train_gamma.doctor.fixes import BY_HAND, apply_fix
from train_gamma.doctor.repair import Repair, take_back
from train_gamma.errors import UserError

FIXABLE = [case for case, fault in FAULTS.items() if fault.action not in BY_HAND and case != "huge"]


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def broken(root: Path, case: str) -> tuple[Path, Finding]:
    folder = clean_folder(root / "set")
    FAULTS[case].make(folder)
    (finding,) = examined(folder, **FAULTS[case].changes).findings
    return folder, finding


@pytest.mark.parametrize("case", FIXABLE)
def test_a_fix_leaves_a_clean_folder_and_can_be_taken_back(case: str, tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, case)
    before = contents(tmp_path)
    material = examined(folder, **FAULTS[case].changes).material
    repair = apply_fix(finding, material)
    assert repair.problems == ()
    assert {path.stem for path in repair.touched} == {Path(name).stem for name in FAULTS[case].files}
    left = kinds(examined(folder, **FAULTS[case].changes))
    assert left == (["oversized"] if case == "20000 x 200" else []), "400 x 200 is left of it"
    after = contents(tmp_path)
    assert set(before.values()) <= set(after.values()), "something is lost"
    record = Repair.from_dict(json.loads(json.dumps(repair.to_dict())))
    assert record == repair
    take_back(record)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("case", ["EXIF 6", "CMYK", "alpha", "palette", "animated WebP"])
def test_the_picture_looks_as_before(case: str, tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, case)
    (path,) = finding.pictures
    shown = open_picture(path, "white")
    apply_fix(finding, examined(folder).material)
    assert np.array_equal(np.asarray(open_picture(path.with_suffix(".png"), "gray")), np.asarray(shown))


def test_a_profile_is_turned_into_srgb(tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "profile")
    (path,) = finding.pictures
    with Image.open(path) as image:
        stored = image.convert("RGB")
    apply_fix(finding, examined(folder).material)
    with Image.open(path) as image:
        assert "icc_profile" not in image.info
        converted = np.asarray(image, dtype=np.float64)
    # Adobe RGB (gamma 2.2) to linear XYZ of D50, to linear sRGB, to sRGB: by hand
    linear = (np.asarray(stored, dtype=np.float64) / 255) ** 2.2
    to_srgb = np.linalg.inv(
        np.array([(0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.7141)])
    )
    light = (linear @ np.array(ADOBE_RGB) @ to_srgb.T).clip(0, 1)
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(converted - expected).mean() < 1.0
    assert np.abs(converted - np.asarray(stored, dtype=np.float64)).mean() > 3.0


def test_16_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "16 bits")
    apply_fix(finding, examined(folder).material)
    with Image.open(finding.pictures[0]) as image:
        values = np.asarray(image)[:, :, 0]
    ramp = np.linspace(0, 65535, 64).astype(">u2").astype(float) / 65535 * 255
    assert np.abs(values[0] - ramp).max() <= 1


def test_a_picture_is_scaled_down_to_what_training_uses(tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "oversized")
    apply_fix(finding, examined(folder).material)
    with Image.open(finding.pictures[0]) as image:
        assert image.size == (256, 197)


@pytest.mark.parametrize("case", ["long", "extreme aspect"])
def test_a_crop_is_the_middle_in_the_shape_of_the_bucket(case: str, tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, case)
    (path,) = finding.pictures
    whole = open_picture(path, "white")
    (subject,) = [s for s in examined(folder).material.subjects if s.path == path]
    apply_fix(finding, examined(folder).material)
    cut = open_picture(path, "white")
    assert subject.fit is not None
    ratio = min(2.0, max(0.5, subject.fit.bucket.width / subject.fit.bucket.height))
    assert cut.width / cut.height == pytest.approx(ratio, abs=0.03)
    assert cut.width == whole.width or cut.height == whole.height
    left, top = (whole.width - cut.width) // 2, (whole.height - cut.height) // 2
    assert np.array_equal(np.asarray(whole.crop((left, top, left + cut.width, top + cut.height))), np.asarray(cut))


def test_what_is_excluded_keeps_its_folders_and_takes_its_caption_along(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("deep/er/x.png", "x.png"):
        (folder / name).write_bytes(b"")
        (folder / name).with_suffix(".txt").write_text(CAPTION)
    examination = examined(folder, recursive=True)
    for finding in examination.of("unreadable"):
        apply_fix(finding, examination.material)
    rejected = tmp_path / "set_rejected"
    assert set(contents(rejected)) == {"deep/er/x.png", "deep/er/x.txt", "x.png", "x.txt"}
    assert examined(folder, recursive=True).findings == ()
    (folder / "x.png").write_bytes(b"")
    (folder / "x.txt").write_text("another")
    again = examined(folder)
    repair = apply_fix(again.findings[0], again.material)
    assert {"x.png", "x.txt", "x-2.png", "x-2.txt"} <= set(contents(rejected))
    assert {path.name for path in repair.touched} == {"x.png", "x.txt"}


def test_a_caption_that_another_picture_has_too_stays(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "05.jpg").write_bytes(b"")
    examination = examined(folder)
    apply_fix(examination.of("unreadable")[0], examination.material)
    assert (folder / "05.txt").is_file()
    assert not (folder / "05.jpg").exists()


def test_copies_into_another_folder_leave_the_dataset_alone(tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "CMYK")
    before = contents(folder)
    repair = apply_fix(finding, examined(folder).material, tmp_path / "new")
    assert contents(folder) == before
    assert set(contents(tmp_path / "new")) == {"print.png", "print.txt"}
    take_back(repair)
    assert contents(tmp_path / "new") == {}
    with pytest.raises(UserError, match="lies in the dataset"):
        apply_fix(finding, examined(folder).material, folder / "new")


def test_a_file_that_is_in_the_way_is_not_written_over(tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "CMYK")
    noise(64, 64).save(folder / "print.png")
    before = contents(tmp_path)
    repair = apply_fix(finding, examined(folder).material)
    assert "is there already" in repair.problems[0]
    assert repair.steps == ()
    assert contents(tmp_path) == before


def test_one_file_that_cannot_be_fixed_keeps_no_other_from_it(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    for name in ("a", "b", "c"):
        (folder / f"{name}.png").write_bytes((folder / "00.png").read_bytes())
        (folder / f"{name}.txt").write_text("1girl, red hair, night, smile, hat")
    examination = examined(folder)
    (folder / "b.png").unlink()
    repair = apply_fix(examination.of("same_file")[0], examination.material)
    assert {path.name for path in repair.touched} == {"a.png", "a.txt", "c.png", "c.txt"}
    assert len(repair.problems) == 1
    assert "'b.png'" in repair.problems[0].replace(str(folder) + "/", "")


@pytest.mark.parametrize("spoil", ["changed", "gone", "taken"])
def test_what_was_changed_since_is_not_taken_back(spoil: str, tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "CMYK")
    repair = apply_fix(finding, examined(folder).material)
    if spoil == "changed":
        noise(64, 64).save(folder / "print.png")
    elif spoil == "gone":
        (folder / "print.png").unlink()
    else:
        (folder / "print.jpg").write_bytes(b"mine")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"print\.(png|jpg)"):
        take_back(repair)
    assert contents(tmp_path) == before


def test_what_nobody_but_people_can_do_is_refused(tmp_path: Path) -> None:
    folder, finding = broken(tmp_path, "no caption")
    with pytest.raises(UserError, match="There is no fix that can be made"):
        apply_fix(finding, examined(folder).material)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (f"{CAPTION}, café".encode("cp1252"), f"{CAPTION}, café"),
        (CAPTION.encode("utf-16-le"), CAPTION),
        (CAPTION.encode("utf-16-be"), CAPTION),
        (f"{CAPTION}, 帽子\r\n".encode("utf-16"), f"{CAPTION}, 帽子\r\n"),
        (f"{CAPTION}\n".encode("utf-8-sig"), f"{CAPTION}\n"),
    ],
)
def test_captions_are_written_anew_as_utf_8(data: bytes, text: str, tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    picture(1).save(folder / "x.png")
    (folder / "x.txt").write_bytes(data)
    (finding,) = examined(folder).findings
    apply_fix(finding, examined(folder).material)
    assert (folder / "x.txt").read_bytes() == text.encode("utf-8")
    assert (tmp_path / "set_originals" / "x.txt").read_bytes() == data


def test_cleaning_and_escaping_touch_only_what_they_must(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    texts = {"02": "1girl,red  hair ,night sky, hat,  blue dress\r\n", "03": f"{CAPTION}, miku (cosplay)\r\n"}
    for stem, text in texts.items():
        (folder / f"{stem}.txt").write_bytes(text.encode())
    before = contents(folder)
    examination = examined(folder)
    repair = apply_fix(examination.of("emphasis")[0], examination.material)
    after = contents(folder)
    assert [path.name for path in repair.touched] == ["03.txt"]
    assert after["03.txt"].decode() == f"{CAPTION}, miku \\(cosplay\\)\r\n"
    assert {name for name in before if before[name] != after[name]} == {"03.txt"}


def test_an_original_is_kept_however_often_its_picture_is_fixed(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    profile = make_profile("Adobe", ADOBE_RGB, 2.2)
    for number in range(2):
        image = picture(number).convert("RGBA")
        image.paste((0, 0, 0, 0), (0, 0, 9, 9))
        image.save(folder / "00.png", icc_profile=profile)
        examination = examined(folder)
        apply_fix(examination.of("alpha")[0], examination.material)
        left = examined(folder)
        assert kinds(left) == ["profile"], "flattening says nothing about colours, so the profile must stay"
        apply_fix(left.of("profile")[0], left.material)
        assert examined(folder).findings == ()
    assert len(contents(tmp_path / "set_originals")) == 4


def test_a_turned_picture_keeps_transparency_and_profile(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    image = picture(1, (64, 60)).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 9, 9))
    exif = image.getexif()
    exif[0x0112] = 8
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(folder / "00.png", exif=exif, icc_profile=profile)
    examination = examined(folder)
    apply_fix(examination.of("exif_rotation")[0], examination.material)
    with Image.open(folder / "00.png") as turned:
        turned.load()
        assert np.array_equal(np.asarray(turned), np.asarray(image.transpose(Image.Transpose.ROTATE_90)))
        assert turned.info["icc_profile"] == profile
        assert turned.getexif().get(0x0112, 1) == 1
        assert ImageOps.exif_transpose(turned).size == turned.size


def test_a_folder_without_one_above_it_is_refused(tmp_path: Path) -> None:
    from train_gamma.doctor.repair import beside

    with pytest.raises(UserError, match="has no folder above it"):
        beside(Path("/"), "_rejected")


def test_a_damaged_record_is_refused() -> None:
    for content in ({}, {"action": "x", "steps": [{}], "problems": []}, {"action": "x", "steps": 3, "problems": []}):
        with pytest.raises(UserError, match="record of what was done is damaged"):
            Repair.from_dict(content)


def test_a_fix_from_a_gif_is_its_first_frame(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    frames = [noise(64, 64, seed).quantize(64) for seed in (1, 2)]
    frames[0].save(folder / "x.gif", save_all=True, append_images=frames[1:])
    (folder / "x.txt").write_text(CAPTION)
    examination = examined(folder)
    apply_fix(examination.of("unread_picture")[0], examination.material)
    data = io.BytesIO()
    frames[0].convert("RGB").save(data, "PNG")
    assert np.array_equal(np.asarray(Image.open(folder / "x.png")), np.asarray(Image.open(data)))
    assert examined(folder).findings == ()


def test_a_tiff_becomes_a_png_and_what_pillow_cannot_read_is_only_named(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    with Image.open(folder / "07.png") as image:
        shown = image.convert("RGB")
    (folder / "07.png").unlink()
    shown.save(folder / "07.tif")
    (folder / "drawing.svg").write_text("<svg/>")
    examination = examined(folder)
    by_action = {finding.action: finding for finding in examination.of("unread_picture")}
    assert [path.name for path in by_action[""].pictures] == ["drawing.svg"]
    assert apply_fix(by_action["convert"], examination.material).problems == ()
    with Image.open(folder / "07.png") as image:
        assert image.convert("RGB").tobytes() == shown.tobytes()
    assert not (folder / "07.tif").exists()
