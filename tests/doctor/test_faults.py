"""A folder with every fault, one each, is reported without a miss; a clean one gives no finding."""

from pathlib import Path

import pytest
from PIL import Image, ImageFile

from tests.doctor.faults import FAULTS, OF_THE_SET, Fault
from tests.doctor.folders import clean_folder, examined, kinds
from train_gamma.demo.samples import write_dataset

EVERY = {**FAULTS, **OF_THE_SET}


def test_a_clean_folder_gives_no_finding(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "clean")
    for changes in ({}, {"emphasis": False}, {"flip": True}, {"upscale": False}):
        assert examined(folder, init_text="1girl, red hair", **changes).findings == ()


@pytest.mark.parametrize("captions", ["pruned", "full"])
@pytest.mark.parametrize("character", [0, 1, 2])
def test_the_drawn_sample_pictures_give_no_finding(character: int, captions: str, tmp_path: Path) -> None:
    write_dataset(character, tmp_path / "drawn", 24, captions)  # type: ignore[arg-type]
    assert examined(tmp_path / "drawn").findings == ()


@pytest.mark.parametrize("case", EVERY)
def test_a_fault_is_found_and_nothing_else(case: str, tmp_path: Path) -> None:
    fault = EVERY[case]
    folder = clean_folder(tmp_path / "set")
    fault.make(folder)
    (finding,) = examined(folder, **fault.changes).findings
    assert (finding.kind, finding.level, finding.action) == (fault.kind, fault.level, fault.action), str(finding)
    assert sorted(path.name for path in finding.pictures) == sorted(fault.files)
    assert finding.fix
    assert str(finding).endswith(".")
    assert all(Path(name).stem in finding.message for name in fault.files[:5])


def test_every_fault_at_once_is_reported_without_a_miss(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set", count=30)
    for fault in FAULTS.values():
        fault.make(folder)
    changes = {key: value for fault in FAULTS.values() for key, value in fault.changes.items() if key != "emphasis"}
    for emphasis in (True, False):
        examination = examined(folder, **{**changes, "emphasis": emphasis})
        for case, fault in FAULTS.items():
            if fault.kind == "weights" and emphasis:
                continue  # then they are meant
            level = "note" if fault.kind == "emphasis" and not emphasis else fault.level
            assert _reported(fault, level, examination), case
        assert set(kinds(examination)) <= {fault.kind for fault in EVERY.values()}


UNREADABLE = ("truncated JPEG", "0-byte file", "web page", "bomb", "16 bits", "palette", "animated WebP")


def test_reading_sets_no_flag_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clean_folder(tmp_path / "set")
    for case in UNREADABLE:
        FAULTS[case].make(folder)
    before = kinds(examined(folder))
    for flag, limit in ((True, None), (True, 89_478_485), (False, 1_000_000_000)):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", flag)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert kinds(examined(folder)) == before
        assert ImageFile.LOAD_TRUNCATED_IMAGES is flag
        assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("limit", [None, 89_478_485])
def test_a_bomb_is_refused_before_it_is_decoded(
    limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clean_folder(tmp_path / "set")
    FAULTS["bomb"].make(folder)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # hosts switch Pillow's own check off
    largest = []
    load = ImageFile.ImageFile.load

    def watched(image: ImageFile.ImageFile) -> object:
        largest.append(image.width * image.height)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", watched)
    (finding,) = examined(folder).findings
    assert finding.kind == "too_large"
    assert max(largest) == 64 * 64


def _reported(fault: Fault, level: str, examination: object) -> bool:
    found = [f for f in examination.of(fault.kind) if f.level == level]  # type: ignore[attr-defined]
    return any(set(fault.files) <= {path.name for path in finding.pictures} for finding in found)
