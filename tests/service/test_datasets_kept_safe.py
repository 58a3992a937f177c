"""What must not go wrong when programs end in the middle, names are odd, and pages are older than the program."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.service.open_sets import edit, opened, write_set
from tests.service.small_host import SmallHost, done
from train_gamma.api.answers import plain
from train_gamma.doctor.repair import Step, Workbench
from train_gamma.service import Service
from train_gamma.service.dataset_requests import ExamineRequest, FixRequest, PicturesRequest
from train_gamma.service.repairs import Repairs

SMALL = {"dataset": {"width": 64, "height": 64, "bucket_step": 32, "bucket_min": 64, "bucket_max": 128}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, of which two are the same as the first."""
    folder = write_set(tmp_path / "set", dict.fromkeys("abcd", "1girl, sky, night, hat, smile"), (64, 64))
    for name in "bc":
        (folder / f"{name}.png").write_bytes((folder / "a.png").read_bytes())
    return folder


def examined(service: Service, name: str) -> Any:
    done(service.datasets.checks.examine(name, ExamineRequest(config=SMALL)))
    return next(one for one in service.datasets.checks.findings(name).findings if one.kind == "same_file")


def is_fixed(service: Service, name: str) -> bool:
    return next(one.fixed for one in service.datasets.checks.findings(name).findings if one.kind == "same_file")


def test_a_page_of_before_a_restart_is_told_that_it_is_old(host: SmallHost, folder: Path) -> None:
    before = opened(Service(host), folder)
    (folder / "a.png").rename(folder / "z.png")
    after = opened(Service(host), folder)
    assert (after.id, after.pictures) == (before.id, before.pictures)
    assert after.version > before.version
    assert after.version < 2**53
    assert after.pictures_key != before.pictures_key


def test_pictures_that_change_places_change_the_key_of_their_list(service: Service, folder: Path) -> None:
    before = opened(service, folder)
    edit(service, before, "remove", tags=["sky"])
    assert service.datasets.state(before.id).pictures_key == before.pictures_key
    service.datasets.discard(before.id)
    (folder / "a.png").rename(folder / "z.png")
    service.datasets.reload(before.id)
    assert service.datasets.state(before.id).pictures_key != before.pictures_key


def test_a_finding_is_fixed_when_all_of_it_is(service: Service, folder: Path, tmp_path: Path) -> None:
    state = opened(service, folder)
    finding = examined(service, state.id)
    assert finding.pictures == (1, 2)
    service.datasets.checks.fix(state.id, FixRequest(finding.index, pictures=[1]))
    assert not is_fixed(service, state.id)
    rest = next(one for one in service.datasets.checks.findings(state.id).findings if one.kind == "same_file").pictures
    service.datasets.checks.fix(state.id, FixRequest(finding.index, pictures=list(rest)))
    assert is_fixed(service, state.id)
    service.datasets.checks.undo_fix(state.id, None)
    assert not is_fixed(service, state.id)
    service.datasets.checks.undo_fix(state.id, None)
    service.datasets.checks.fix(state.id, FixRequest(finding.index))
    assert is_fixed(service, state.id)
    service.datasets.checks.undo_fix(state.id, None)
    assert not is_fixed(service, state.id)


def test_a_fix_can_be_undone_wherever_its_folder_is_open(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    service.datasets.checks.fix(state.id, FixRequest(examined(service, state.id).index))
    assert not (folder / "b.png").exists()
    deep = opened(service, folder, recursive=True)
    assert deep.id != state.id
    service.datasets.checks.undo_fix(deep.id, None)
    assert (folder / "b.png").exists()


def test_a_fix_that_the_program_did_not_survive_can_be_undone(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": "x", "b": "y"})
    repairs = Repairs(tmp_path / "kept" / "set.json")
    bench = Workbench(folder, lambda step: repairs.note("exclude", step))
    bench.put_away(folder / "a.png", "_rejected")
    with (tmp_path / "kept" / "set.begun").open("a") as file:
        file.write('{"action": "exclude", "st')  # the line that was being written
    (kept,) = Repairs(tmp_path / "kept" / "set.json").all()
    assert kept.repair.action == "exclude"
    assert kept.repair.steps == (Step("moved", tmp_path / "set_rejected" / "a.png", folder / "a.png"),)
    assert not (tmp_path / "kept" / "set.begun").exists()
    assert [one.id for one in Repairs(tmp_path / "kept" / "set.json").all()] == [kept.id]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_a_name_that_is_no_text_can_be_shown(service: Service, folder: Path) -> None:
    (folder / "d.png").rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    state = opened(service, folder)
    page = plain(service.datasets.pictures(state.id, PicturesRequest()))
    assert "caf\\udce9.png" in [item["name"] for item in page["items"]]
    examined(service, state.id)
    for kind in ("html", "md"):
        assert b"udce9" in service.datasets.checks.report(state.id, kind).encode("utf-8")
