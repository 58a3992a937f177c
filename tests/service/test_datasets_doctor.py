"""Examining and preparing datasets that are open, beside a training too, and fixes that can be taken back."""

import html
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.service.open_sets import edit, opened, shown, write_set
from tests.service.small_host import PATIENCE_S, SmallHost, done, small_run
from train_gamma.captions.store import StaleError
from train_gamma.dataset.buckets import fit_picture, make_buckets
from train_gamma.errors import UserError
from train_gamma.jobs import BusyError
from train_gamma.service import Service
from train_gamma.service.dataset_requests import ExamineRequest, FixRequest
from train_gamma.service.open_dataset import UnsavedError
from train_gamma.service.places import ForbiddenError, UnknownError

SAME = "same_file"
SMALL = {"dataset": {"width": 64, "height": 64, "bucket_step": 32, "bucket_min": 64, "bucket_max": 128}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures that are the same, a caption nobody can read, a caption without a picture."""
    folder = write_set(tmp_path / "set", {"a": "1girl, sky", "b": "1girl, sky", "c": "hat"}, (64, 64))
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "c.txt").write_bytes(b"caf\xe9")
    (folder / "gone.txt").write_text("left over")
    return folder


def examined(service: Service, name: str, **fields: Any) -> dict[str, Any]:
    return done(service.datasets.checks.examine(name, ExamineRequest(config=SMALL, **fields)))


def index_of(service: Service, name: str, kind: str) -> int:
    (found,) = [one.index for one in service.datasets.checks.findings(name).findings if one.kind == kind]
    return found


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_wrong_is_found_and_named_by_picture(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    assert not service.datasets.checks.findings(state.id).examined
    snapshot = examined(service, state.id)
    assert (snapshot["kind"], snapshot["title"], snapshot["done"], snapshot["total"]) == ("examine", "set", 3, 3)
    found = service.datasets.checks.findings(state.id)
    assert snapshot["result"] == found.counts
    by_kind = {one.kind: one for one in found.findings}
    assert by_kind[SAME].pictures == (1,)
    assert by_kind[SAME].fixable
    assert by_kind["encoding"].pictures == (2,)
    assert (by_kind["orphan_caption"].pictures, by_kind["orphan_caption"].files) == ((), ("gone.txt",))
    assert ("file", 0, 1) in {(pair.kind, pair.one, pair.other) for pair in found.pairs}
    assert service.datasets.state(state.id).examined
    assert "Dataset 'set'" in html.unescape(service.datasets.checks.report(state.id, "html"))
    assert service.datasets.checks.report(state.id, "md").startswith("# Dataset 'set'")


def test_a_fix_moves_files_reads_the_folder_again_and_is_taken_back(
    service: Service, host: SmallHost, folder: Path
) -> None:
    state = opened(service, folder)
    before = files(folder)
    examined(service, state.id)
    finding = index_of(service, state.id, SAME)
    fixed = service.datasets.checks.fix(state.id, FixRequest(finding, 1, state.version))
    assert set(fixed.touched) == {"b.png", "b.txt"}
    assert files(folder) == before - {"b.png", "b.txt"}
    assert files(folder.with_name("set_rejected")) == {"b.png", "b.txt"}
    assert set(shown(service, state)) == {"a", "c"}
    found = service.datasets.checks.findings(state.id)
    assert (found.outdated, found.findings[finding].fixed, found.fixes) == (True, True, (fixed.fix,))
    assert (fixed.fix.action, fixed.fix.files, fixed.fix.problems) == ("exclude", 2, ())

    later = Service(host)  # the program was started anew
    state = opened(later, folder)
    assert later.datasets.checks.findings(state.id).fixes == (fixed.fix,)
    assert "2 files are as they were" in later.datasets.checks.undo_fix(state.id, None, state.version)
    assert files(folder) == before
    assert set(shown(later, state)) == {"a", "b", "c"}
    with pytest.raises(UnknownError, match="no fix to undo"):
        later.datasets.checks.undo_fix(state.id, None)


def test_a_caption_is_written_anew(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    examined(service, state.id)
    service.datasets.checks.fix(state.id, FixRequest(index_of(service, state.id, "encoding")))
    assert (folder / "c.txt").read_text("utf-8") == "café"
    assert shown(service, state)["c"] == "café"
    assert service.datasets.state(state.id).unreadable == 0


def test_only_chosen_pictures_are_changed(service: Service, folder: Path) -> None:
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes())
    state = opened(service, folder)
    before = files(folder)
    examined(service, state.id)
    finding = index_of(service, state.id, SAME)
    service.datasets.checks.fix(state.id, FixRequest(finding, pictures=[3]))
    assert files(folder) == before - {"d.png"}


def test_nothing_is_fixed_that_would_lose_changes_or_is_not_what_was_seen(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    fix = service.datasets.checks.fix
    with pytest.raises(UnknownError, match="not examined yet"):
        fix(state.id, FixRequest(0))
    examined(service, state.id)
    finding = index_of(service, state.id, SAME)
    by_hand = next(one.index for one in service.datasets.checks.findings(state.id).findings if not one.fixable)
    before = files(folder)
    for request, message in (
        (FixRequest(99), "no finding 99"),
        (FixRequest(by_hand), "no fix that can be made"),
        (FixRequest(finding, action="convert"), "What can be done about this is 'exclude'"),
        (FixRequest(finding, pictures=[2]), "not about 'c.png'"),
        (FixRequest(finding, pictures=[]), "No picture is chosen"),
        (FixRequest(finding, pictures=[7]), "no picture 7"),
        (FixRequest(index_of(service, state.id, "encoding"), action="exclude"), "choose which ones"),
        (FixRequest(finding, 3), "another window"),
        (FixRequest(finding, 1, 5), "another window"),
    ):
        with pytest.raises(UserError, match=message):
            fix(state.id, request)
    edit(service, state, "add", tags=["x"])
    with pytest.raises(UnsavedError, match="Save or discard"):
        fix(state.id, FixRequest(finding))
    with pytest.raises(StaleError):
        service.datasets.checks.undo_fix(state.id, None, state.version)
    assert files(folder) == before


def test_a_dataset_is_never_emptied(service: Service, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "tiny", {"a": "x", "b": "y"}, (9, 9))
    state = opened(service, folder)
    examined(service, state.id)
    with pytest.raises(UserError, match="every picture"):
        service.datasets.checks.fix(state.id, FixRequest(index_of(service, state.id, "tiny")))
    service.datasets.checks.fix(state.id, FixRequest(index_of(service, state.id, "tiny"), pictures=[0]))
    assert files(folder) == {"b.png", "b.txt"}


def test_pictures_of_any_finding_can_be_taken_out_and_written_elsewhere(
    service: Service, folder: Path, tmp_path: Path
) -> None:
    Image.new("RGBA", (64, 64), (9, 200, 9, 100)).save(folder / "d.png")
    state = opened(service, folder)
    examined(service, state.id)
    clear = next(one for one in service.datasets.checks.findings(state.id).findings if one.action == "flatten")
    before = files(folder)
    service.datasets.checks.fix(state.id, FixRequest(clear.index, into=str(tmp_path / "new")))
    assert Image.open(tmp_path / "new" / "d.png").mode == "RGB"
    assert files(folder) == before
    service.datasets.checks.fix(state.id, FixRequest(clear.index, pictures=[3], action="exclude"))
    assert files(folder) == before - {"d.png"}


def test_one_examines_while_a_training_runs(service: Service, host: SmallHost, folder: Path, tmp_path: Path) -> None:
    host.backbone.hold_at = 1
    training = service.train(small_run(tmp_path))
    assert host.backbone.reached.wait(PATIENCE_S)
    state = opened(service, folder)
    edit(service, state, "add", tags=["x"])
    service.datasets.save(state.id)
    examined(service, state.id)
    service.datasets.restore(state.id, service.datasets.backups(state.id)[0].name)
    assert (folder / "a.txt").read_text() == "1girl, sky"
    assert service.jobs.current is training
    host.backbone.go.set()
    done(training)


def test_one_examination_at_a_time_which_can_be_stopped(
    service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = threading.Event(), threading.Event()

    def held(path: Path, read: Callable[..., Any] = Path.read_bytes) -> bytes:
        if path.suffix == ".png":
            reached.set()
            assert go.wait(PATIENCE_S)
        return bytes(read(path))

    state = opened(service, folder)
    monkeypatch.setattr(Path, "read_bytes", held)
    job = service.datasets.checks.examine(state.id, ExamineRequest())
    assert reached.wait(PATIENCE_S)
    assert service.datasets.state(state.id).job == job.id
    with pytest.raises(BusyError, match="'set' is being examined"):
        service.datasets.preparing.prepare(state.id, {"into": "x"})
    job.control.stop()
    go.set()
    done(job, "stopped")
    found = service.datasets.checks.findings(state.id)
    assert (found.stopped, service.datasets.state(state.id).job) == (True, None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_vectors": 0}, "must be 1 or more"),
        ({"config": {"dataset": {"widht": 3}}}, "Unknown key 'widht'"),
        ({"config": {"dataset": {"width": 3}}}, "at least 64"),
    ],
)
def test_settings_of_an_examination_are_checked(
    fields: dict[str, Any], message: str, service: Service, folder: Path
) -> None:
    state = opened(service, folder)
    with pytest.raises(UserError, match=message):
        service.datasets.checks.examine(state.id, ExamineRequest(**fields))


# -- preparing --------------------------------------------------------------------------------------------------------


def test_pictures_are_cut_into_a_new_folder(service: Service, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "wide", {"a": "x", "b": "y"}, (200, 64))
    Image.new("RGB", (64, 64)).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"no picture")
    state = opened(service, folder)
    settings = {**SMALL["dataset"], "into": str(tmp_path / "new"), "focus": "middle"}
    page = service.datasets.preparing.plan(state.id, settings, offset=0, limit=2)
    assert (page.total, [index for index, _ in page.plans], page.problem) == (3, [0, 1], "")
    wide, square = (plan for _, plan in page.plans)
    fit = fit_picture((200, 64), make_buckets(64, 64, 32, 64, 128), upscale=True)
    assert wide.cuts[0].bucket == fit.bucket
    assert wide.lost == pytest.approx(fit.lost, abs=0.02)
    assert square.lost == 0
    shape = service.datasets.preparing.preview(state.id, settings, 0).size
    job = service.datasets.preparing.prepare(state.id, settings)
    result = done(job)["result"]
    assert (result["pictures"], len(result["problems"]), result["folder"]) == (2, 1, str(tmp_path / "new"))
    assert files(tmp_path / "new") == {"a.png", "a.txt", "b.png", "b.txt"}
    assert Image.open(tmp_path / "new" / "a.png").size == shape == wide.cuts[0].size
    assert "inside" in service.datasets.preparing.plan(state.id, {"into": str(folder / "x")}).problem


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "New folder is not set"),
        ({"into": "set/new"}, "inside the pictures' folder"),
        ({"folder": "elsewhere"}, "what the dataset was opened with"),
        ({"into": "new", "crop": "round"}, "Crop"),
        ({"into": "new", "croop": "none"}, "Unknown key 'croop'"),
    ],
)
def test_settings_of_preparing_are_checked(
    values: dict[str, Any], message: str, service: Service, folder: Path, tmp_path: Path
) -> None:
    state = opened(service, folder)
    named = {key: str(tmp_path / value) if key == "into" else value for key, value in values.items()}
    with pytest.raises(UserError, match=message):
        service.datasets.preparing.prepare(state.id, named)


def test_new_folders_lie_where_requests_may_write(folder: Path, tmp_path: Path) -> None:
    service = Service(SmallHost(tmp_path / "data", readable=(folder,)))
    state = opened(service, folder)
    examined(service, state.id)
    outside = str(tmp_path / "elsewhere")
    with pytest.raises(ForbiddenError):
        service.datasets.preparing.prepare(state.id, {"into": outside})
    with pytest.raises(ForbiddenError):
        service.datasets.checks.fix(state.id, FixRequest(0, into=outside))
    with pytest.raises(ForbiddenError):
        service.datasets.checks.examine(state.id, ExamineRequest(config={"dataset": {"template_file": outside}}))
