"""Runs in their folders, without the job that made them."""

import json
from pathlib import Path

import pytest

from tests.service.small_host import SmallHost, small_run, trained
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.places import ForbiddenError, UnknownError
from train_gamma.training.config import RunConfig

PREVIEWS = {"every_n_steps": 3, "prompts": ["[name], night", "[name], sky"]}


@pytest.fixture
def run(service: Service, host: SmallHost, tmp_path: Path) -> Path:
    """A finished run with previews and copies."""
    return host.folders.runs / str(trained(service, small_run(tmp_path, preview=PREVIEWS))["run"])


def test_a_run_is_summed_up_by_a_program_that_never_saw_it(run: Path, host: SmallHost) -> None:
    (found,) = Service(host).runs()
    assert (found.name, found.path, found.embedding) == (run.name, run, "zzgamma")
    assert (found.step, found.total_steps, found.finished, found.resumable) == (6, 6, True, False)
    assert [path.name for path in found.copies] == ["zzgamma-2.safetensors", "zzgamma-4.safetensors"]
    assert found.latest_preview == run / "previews" / "000006-00.png"
    assert found.problem == ""


def test_a_run_shows_what_its_job_showed(run: Path, service: Service, host: SmallHost) -> None:
    job = service.jobs.latest
    assert job is not None
    live, read = job.snapshot(), Service(host).run_snapshot(run.name)
    same = ("run", "step", "total_steps", "epoch", "evaluations", "previews", "copies", "smoothed_loss", "loss")
    assert {key: read[key] for key in same} == {key: live[key] for key in same}
    assert read["curve"] == live["curve"]


def test_the_settings_of_a_run_can_be_loaded_back(run: Path, service: Service, tmp_path: Path) -> None:
    config = service.run_config(run.name)
    assert config.training == small_run(tmp_path).training
    assert config.preview.prompts == ("[name], night", "[name], sky")
    assert (config.output.folder, config.output.export_to, config.output.overwrite) == ("runs", "", False)


def test_settings_of_another_version_do_not_hide_a_run(run: Path, service: Service) -> None:
    content = json.loads((run / "config.json").read_text("utf-8"))
    content["version"] = 7
    content["training"]["ancient"] = 1
    (run / "config.json").write_text(json.dumps(content), "utf-8")
    assert service.run_config(run.name).training.max_steps == 6
    assert service.runs()[0].problem == ""


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b"\xff", b'{"training": {"max_steps": -4}}', b"null"])
def test_a_damaged_run_is_listed_with_its_problem(damage: bytes, run: Path, service: Service) -> None:
    (run / "config.json").write_bytes(damage)
    (found,) = service.runs()
    assert found.problem
    assert not found.resumable
    with pytest.raises(UserError):
        service.run_config(run.name)


@pytest.mark.parametrize("damage", [b"", b"\x10\0\0\0\0\0\0\0{}", b"x" * 100, b"\xff" * 8 + b"{"])
def test_a_run_without_a_state_cannot_go_on(damage: bytes, run: Path, service: Service) -> None:
    (run / "state.safetensors").write_bytes(damage)
    (found,) = service.runs()
    assert not found.resumable
    with pytest.raises(UserError, match="Nothing is saved"):
        service.resume(run.name)


def test_epochs_become_steps_by_the_pictures_of_the_run(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path, training={"max_steps": 0, "max_epochs": 2, "batch_size": 3}))
    assert service.run_summary(shown["run"]).total_steps == 5  # 14 visits, 3 a step
    for picture in (tmp_path / "pictures").iterdir():
        picture.unlink()
    assert service.run_summary(shown["run"]).finished


def test_the_newest_run_comes_first_and_other_folders_are_left_out(
    run: Path, service: Service, host: SmallHost
) -> None:
    for name in ("zz-20200101-000000", "zz-20990101-000000", "zz-20990101-000000-2"):
        place = host.folders.runs / name
        place.mkdir()
        for file in ("config.json", "state.safetensors", "manifest.json"):
            (place / file).write_bytes((run / file).read_bytes())
    (host.folders.runs / "notes").mkdir()
    (host.folders.runs / "readme.txt").write_text("mine", "utf-8")
    (host.folders.runs / "begun-20990101-000000").mkdir()
    (host.folders.runs / "begun-20990101-000000" / "config.json").write_bytes((run / "config.json").read_bytes())
    names = [found.name for found in service.runs()]
    assert names == ["zz-20990101-000000-2", "zz-20990101-000000", run.name, "zz-20200101-000000"]


def test_names_that_are_no_run(run: Path, service: Service) -> None:
    names = ["", " ", ".", "..", "../runs", "nothing", "/etc", "a\0b", "~", "~nobody-at-all", "x" * 5000, "../../etc"]
    for name in names:
        for action in (service.run_config, service.resume, service.run_snapshot, service.run_summary):
            with pytest.raises(UserError):
                action(name)
        with pytest.raises(UserError):
            service.preview(name, 6, 0)


def test_over_the_network_runs_elsewhere_are_out_of_reach(run: Path, tmp_path: Path) -> None:
    locked = Service(SmallHost(tmp_path / "data", readable=[tmp_path / "mine"]))
    with pytest.raises(ForbiddenError):
        locked.run_config(str(run))
    assert Service(SmallHost(tmp_path / "data")).run_config(str(run)) != RunConfig()
    (tmp_path / "data" / "runs").mkdir(parents=True)
    (tmp_path / "data" / "runs" / "link").symlink_to(run)
    with pytest.raises(ForbiddenError):
        locked.run_config("link")


def test_previews_are_found_by_step_and_number(run: Path, service: Service) -> None:
    assert service.preview(run.name, 6, 1) == run / "previews" / "000006-01.png"
    for step, index in ((6, 2), (5, 0), (-1, 0), (10**30, 0)):
        assert service.preview(run.name, step, index) is None


def test_a_preview_that_is_a_link_to_elsewhere_is_none(run: Path, service: Service) -> None:
    picture = run / "previews" / "000006-00.png"
    picture.unlink()
    picture.symlink_to("/etc/passwd")
    assert service.preview(run.name, 6, 0) is None


def test_a_run_that_is_not_there_says_so(service: Service) -> None:
    with pytest.raises(UnknownError, match="There is no run 'zz'"):
        service.run_summary("zz")
    assert service.runs() == []
