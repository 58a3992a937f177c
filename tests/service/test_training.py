"""Training through the service: where things go, what is kept, and how it ends."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.service.small_host import PATIENCE_S, SmallHost, done, small_run, trained
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import read_embedding, write_embedding
from train_gamma.errors import UserError
from train_gamma.jobs import BusyError
from train_gamma.service import Service
from train_gamma.training.config import EmbeddingConfig, ModelConfig, OutputConfig
from train_gamma.training.entry import start_run
from train_gamma.training.events import Control, Finished, Progress, Started

PREVIEWS = {"every_n_steps": 3, "prompts": ["[name], night", "[name], sky"]}


def rows(path: Path) -> torch.Tensor:
    return read_embedding(path).vectors["clip_l"]


def test_a_new_embedding_ends_in_the_hosts_folder(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path, preview=PREVIEWS))
    target = host.folders.embeddings / "zzgamma.safetensors"
    run = host.folders.runs / shown["run"]
    assert rows(target).equal(rows(run / "zzgamma.safetensors"))
    assert read_embedding(target).step == 6
    assert host.published == [(target, run / "previews" / "000006-00.png")]
    assert shown["message"] == "Done: 6 steps. The embedding is 'zzgamma.safetensors'."
    assert [copy["step"] for copy in shown["copies"]] == [2, 4]
    assert shown["previews"] == [{"step": step, "count": 2} for step in (0, 3, 6)]
    assert shown["result"] == "zzgamma.safetensors"
    assert host.lent == 0


def test_the_vectors_are_those_of_the_command_line(service: Service, host: SmallHost, tmp_path: Path) -> None:
    trained(service, small_run(tmp_path))
    config = small_run(tmp_path, output={"folder": str(tmp_path / "other")})
    _, finished = start_run(config, host.backbone, lambda event: None, Control())
    assert finished.path is not None
    assert rows(host.folders.embeddings / "zzgamma.safetensors").equal(rows(finished.path))


def test_the_host_hears_every_event_and_the_end(service: Service, host: SmallHost, tmp_path: Path) -> None:
    trained(service, small_run(tmp_path))
    assert sum(isinstance(event, Started) for event in host.events) == 1
    assert isinstance(host.events[-1], Finished)
    assert host.events[-1].reason == "finished"


def test_a_host_that_cannot_show_progress_does_not_end_the_run(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    host.failing_reporter = True
    trained(service, small_run(tmp_path))
    assert len(host.events) == 1


def test_a_host_that_does_not_take_the_embedding_is_told_as_a_warning(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    host.failing_publish = True
    shown = trained(service, small_run(tmp_path))
    assert "the list is locked" in shown["warnings"][-1]
    assert (host.folders.embeddings / "zzgamma.safetensors").is_file()


def test_a_second_job_is_refused_while_one_runs(service: Service, host: SmallHost, tmp_path: Path) -> None:
    host.backbone.hold_at = 2
    job = service.train(small_run(tmp_path))
    assert host.backbone.reached.wait(PATIENCE_S)
    with pytest.raises(BusyError):
        service.train(small_run(tmp_path, embedding={"name": "zzother"}))
    (run,) = service.runs()
    assert not run.resumable  # the job works on it
    with pytest.raises(BusyError):
        service.resume(run.name)
    host.backbone.go.set()
    done(job)


def test_looking_goes_on_while_a_job_runs(service: Service, host: SmallHost, tmp_path: Path) -> None:
    host.backbone.hold_at = 1
    config = small_run(tmp_path)
    job = service.train(config)
    assert host.backbone.reached.wait(PATIENCE_S)
    assert service.derive(config).total_steps == 6
    assert service.check_name("zzother", ModelConfig()) == []
    assert service.explain_start(config.embedding, ModelConfig()).num_tokens == 1
    assert service.embeddings() == []
    assert [f.level for f in service.check(small_run(tmp_path, embedding={"name": "zznew"}))].count("error") == 0
    host.backbone.go.set()
    done(job)


def test_stop_keeps_what_was_learned_and_resume_makes_it_whole(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    whole = trained(service, small_run(tmp_path, embedding={"name": "zzwhole"}))
    host.backbone.steps, host.backbone.hold_at = 0, 3
    job = service.train(small_run(tmp_path, preview=PREVIEWS))
    assert host.backbone.reached.wait(PATIENCE_S)
    job.control.stop()
    assert job.snapshot()["state"] == "stopping"
    host.backbone.go.set()
    shown = done(job, "stopped")
    target = host.folders.embeddings / "zzgamma.safetensors"
    step = shown["step"]
    assert 3 <= step < 6
    assert read_embedding(target).step == step
    assert host.published[-1][0] == target
    (run,) = [run for run in service.runs() if run.embedding == "zzgamma"]
    assert (run.step, run.total_steps, run.finished, run.resumable) == (step, 6, False, True)

    again = done(service.resume(run.name))
    assert again["kind"] == "resume"
    assert [point[0] for point in again["curve"]] == [1, 2, 3, 4, 5, 6]
    assert again["previews"] == [{"step": at, "count": 2} for at in (0, 3, 6)]
    assert [at for at, _ in again["evaluations"]] == [0, 3, 6]
    whole_curve = [(point[0], point[2]) for point in whole["curve"]]
    assert [(point[0], point[2]) for point in again["curve"]] == whole_curve
    assert read_embedding(target).step == 6
    assert service.run_summary(run.name).finished
    with pytest.raises(UserError, match="all 6 steps are done"):
        service.resume(run.name)
    longer = done(service.resume(run.name, {"training": {"max_steps": 8}}))
    assert longer["step"] == 8


def test_resumed_vectors_equal_an_uninterrupted_runs(service: Service, host: SmallHost, tmp_path: Path) -> None:
    trained(service, small_run(tmp_path))
    whole = rows(host.folders.embeddings / "zzgamma.safetensors")
    (host.folders.embeddings / "zzgamma.safetensors").unlink()
    host.backbone.steps, host.backbone.hold_at = 0, 2
    job = service.train(small_run(tmp_path))
    assert host.backbone.reached.wait(PATIENCE_S)
    job.control.stop()
    host.backbone.go.set()
    done(job, "stopped")
    done(service.resume(job.run or ""))
    assert rows(host.folders.embeddings / "zzgamma.safetensors").equal(whole)


def test_a_stop_while_another_has_the_model_ends_the_job(service: Service, host: SmallHost, tmp_path: Path) -> None:
    with host.turn:
        job = service.train(small_run(tmp_path))
        assert job.snapshot()["state"] == "waiting"
        job.control.stop()
        shown = done(job, "stopped")
    assert shown["message"] == "Stopped before it began."
    assert not host.folders.runs.exists()
    assert host.events[-1] == Finished(0, "stopped", None)


def test_a_stop_while_pictures_are_encoded_leaves_no_run(
    service: Service, host: SmallHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_run(tmp_path)
    encode = host.backbone.encode_images

    def encode_and_stop(pixels: Any) -> Any:
        service.jobs.latest.control.stop()  # type: ignore[union-attr]
        return encode(pixels)

    monkeypatch.setattr(host.backbone, "encode_images", encode_and_stop)
    done(service.train(config), "stopped")
    assert host.backbone.encodings < 7
    assert service.runs() == []
    assert list(host.folders.embeddings.iterdir()) == []
    assert host.lent == 0


def test_an_exception_in_the_model_fails_the_job_and_keeps_the_steps(
    service: Service, host: SmallHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(1000))

    def give_way() -> None:
        if not host.backbone.encoding and next(calls) == 4:
            raise UserError("The checkpoint was changed from 'plain' to 'other'.")

    monkeypatch.setattr(host.backbone, "give_way", give_way)
    shown = done(service.train(small_run(tmp_path)), "failed")
    assert shown["message"] == "The checkpoint was changed from 'plain' to 'other'."
    assert host.published == []
    monkeypatch.undo()
    assert done(service.resume(shown["run"]))["step"] == 6


def test_what_is_wrong_is_refused_before_a_job_begins(service: Service, host: SmallHost, tmp_path: Path) -> None:
    for changes, text in (
        ({"dataset": {"folder": str(tmp_path / "nothing")}}, "does not exist"),
        ({"embedding": {"name": "girl"}}, "common word"),
        ({"embedding": {"init_text": ""}}, "Initialization text is empty"),
    ):
        with pytest.raises(UserError, match=text):
            service.train(small_run(tmp_path, **changes))
    host.problems = ("The checkpoint is an inpainting model. Load another one.",)
    with pytest.raises(UserError, match="inpainting"):
        service.train(small_run(tmp_path))
    assert service.jobs.latest is None
    assert not host.folders.runs.exists()


def test_an_embedding_that_exists_is_refused_unless_it_is_to_be_trained_on(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    trained(service, small_run(tmp_path))
    before = (host.folders.embeddings / "zzgamma.safetensors").read_bytes()
    with pytest.raises(UserError, match="already"):
        service.train(small_run(tmp_path))
    with pytest.raises(UserError, match=r"already"):
        service.train(small_run(tmp_path, embedding={"name": "ZZgamma"}))
    assert (host.folders.embeddings / "zzgamma.safetensors").read_bytes() == before


@pytest.mark.parametrize("ending", ["safetensors", "pt", "png"])
def test_training_on_begins_at_the_file_and_replaces_it_and_keeps_it(
    ending: str, service: Service, host: SmallHost, tmp_path: Path
) -> None:
    made = service.create(
        EmbeddingConfig(name="zzgamma", num_vectors=3, init_text="red hair girl"),
        ModelConfig(),
        OutputConfig(format=ending),
    )
    before, start = made.read_bytes(), rows(made)
    config = small_run(tmp_path, embedding={"num_vectors": 2, "init_text": "dog"}, output={"format": "pt"})
    notes = [str(finding) for finding in service.check(config, replace=True)]
    assert any("replaced when the run ends" in note and "kept" in note for note in notes)
    assert not any(finding.level == "error" for finding in service.check(config, replace=True))
    shown = trained(service, config, replace=True)
    run = host.folders.runs / shown["run"]
    assert (run / "replaced" / made.name).read_bytes() == before
    assert rows(made).shape == start.shape
    assert not rows(made).equal(start)
    assert (rows(made) - start).abs().max() < 6 * 0.005 * 1.5  # six steps of AdamW move a value by so much at most
    assert [path.stem for path in host.folders.embeddings.iterdir()] == ["zzgamma"]
    config_now = service.run_config(shown["run"])
    assert (config_now.embedding.start, config_now.embedding.num_vectors) == ("embedding", 3)


def test_training_on_twice_keeps_both_that_were_replaced(service: Service, host: SmallHost, tmp_path: Path) -> None:
    service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig())
    file = host.folders.embeddings / "zzgamma.safetensors"
    first = file.read_bytes()
    one = trained(service, small_run(tmp_path), replace=True)
    second = file.read_bytes()
    two = trained(service, small_run(tmp_path), replace=True)
    kept = [(host.folders.runs / run["run"] / "replaced" / file.name).read_bytes() for run in (one, two)]
    assert kept == [first, second]


def test_an_embedding_in_a_subfolder_stays_there(service: Service, host: SmallHost, tmp_path: Path) -> None:
    made = service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig())
    place = host.folders.embeddings / "mine" / made.name
    place.parent.mkdir()
    made.rename(place)
    assert any(f.level == "error" for f in service.check(small_run(tmp_path)))
    trained(service, small_run(tmp_path), replace=True)
    assert [path for path in host.folders.embeddings.rglob("*") if path.is_file()] == [place]
    assert read_embedding(place).step == 6
    assert host.published[-1][0] == place


def test_a_format_that_is_only_read_makes_room_for_one_that_is_written(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    made = service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig(format="pt"))
    old = made.with_suffix(".bin")
    made.rename(old)
    before = old.read_bytes()
    shown = trained(service, small_run(tmp_path), replace=True)
    assert [path.name for path in host.folders.embeddings.iterdir()] == ["zzgamma.safetensors"]
    assert (host.folders.runs / shown["run"] / "replaced" / "zzgamma.bin").read_bytes() == before


def test_a_failed_run_replaces_nothing(
    service: Service, host: SmallHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig())
    before = made.read_bytes()

    def predict(*_arguments: Any) -> Any:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(host.backbone, "predict", predict)
    shown = done(service.train(small_run(tmp_path), replace=True), "failed")
    assert shown["message"] == "RuntimeError: the driver is gone"
    assert made.read_bytes() == before


def test_training_on_needs_something_to_train_on(service: Service, host: SmallHost, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no embedding 'zzgamma'"):
        service.train(small_run(tmp_path), replace=True)
    host.folders.embeddings.mkdir(exist_ok=True)
    (host.folders.embeddings / "zzgamma.pt").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="cannot be used"):
        service.train(small_run(tmp_path), replace=True)


def test_an_embedding_for_another_model_is_not_trained_on(service: Service, host: SmallHost, tmp_path: Path) -> None:
    host.folders.embeddings.mkdir()
    path = host.folders.embeddings / "zzgamma.safetensors"
    write_embedding(Embedding("zzgamma", {"clip_l": torch.ones(2, 768)}), path)
    findings = service.check(small_run(tmp_path), replace=True)
    assert any(f.level == "error" and "another kind of model" in f.message for f in findings)


def test_create_writes_publishes_and_guards(service: Service, host: SmallHost) -> None:
    embedding = EmbeddingConfig(name="zzgamma", num_vectors=2, init_text="red hair")
    path = service.create(embedding, ModelConfig(), OutputConfig())
    table = host.backbone.tables["clip_l"]
    ids = [token.id for token in host.backbone.tokenize("red hair")]
    assert rows(path).equal(table[ids])
    assert (read_embedding(path).step, read_embedding(path).info.model_name) == (0, "plain")
    assert host.published == [(path, None)]
    before = path.read_bytes()
    with pytest.raises(UserError, match="already"):
        service.create(EmbeddingConfig(name="zzgamma", init_text="dog"), ModelConfig(), OutputConfig())
    assert path.read_bytes() == before
    service.create(EmbeddingConfig(name="zzgamma", init_text="dog"), ModelConfig(), OutputConfig(overwrite=True))
    assert path.read_bytes() != before
    for name in ("", "../zz", "a/b", "CON", "zz,a"):
        with pytest.raises(UserError):
            service.create(EmbeddingConfig(name=name), ModelConfig(), OutputConfig())
    assert [file.name for file in host.folders.embeddings.iterdir()] == [path.name]


def test_a_run_that_was_killed_goes_on(host: SmallHost, tmp_path: Path) -> None:
    """What a program leaves that dies after step 5, with its last save at step 4, and a line of its log torn."""
    dead = host.folders.runs / "zzgamma-20260101-120000"
    begun: list[Path] = []

    def die(event: Any) -> None:
        if isinstance(event, Started):
            begun.append(event.folder)
        if isinstance(event, Progress) and event.step == 5:
            shutil.copytree(begun[0], dead)

    config = small_run(tmp_path, output={"folder": str(tmp_path / "elsewhere")})
    _, whole = start_run(config, host.backbone, die, Control())
    with (dead / "loss.csv").open("a", encoding="utf-8") as file:
        file.write("6,0,0.1")
    service = Service(host)
    (found,) = service.runs()
    assert (found.step, found.total_steps, found.finished, found.resumable) == (4, 6, False, True)
    assert found.started == "2026-01-01 12:00:00"
    assert [point[0] for point in service.run_snapshot(found.name)["curve"]] == [1, 2, 3, 4, 5]
    shown = done(service.resume(found.name))
    assert [point[0] for point in shown["curve"]] == [1, 2, 3, 4, 5, 6]
    assert whole.path is not None
    assert rows(host.folders.embeddings / "zzgamma.safetensors").equal(rows(whole.path))


def test_resume_is_refused_for_another_model_before_a_job_begins(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    shown = trained(service, small_run(tmp_path))
    other = SmallHost(tmp_path, backbone=type(host.backbone)(clip_skip=2))
    with pytest.raises(UserError, match="clip skip 1, now it is 2"):
        Service(other).resume(shown["run"], {"training": {"max_steps": 9}})
    with pytest.raises(UserError, match="cannot be changed on resume"):
        service.resume(shown["run"], {"training": {"batch_size": 1}})


def test_a_copy_can_be_published_as_an_embedding_of_its_own(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path))
    path = service.publish_copy(shown["run"], 4)
    copy = host.folders.runs / shown["run"] / "copies" / "zzgamma-4.safetensors"
    assert path == host.folders.embeddings / "zzgamma-4.safetensors"
    assert rows(path).equal(rows(copy))
    assert read_embedding(path).name == "zzgamma-4"
    assert host.published[-1][0] == path
    with pytest.raises(UserError, match="no copy of step 3"):
        service.publish_copy(shown["run"], 3)


def test_the_picture_of_a_card_is_no_embedding(service: Service, host: SmallHost, tmp_path: Path) -> None:
    service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig())
    (host.folders.embeddings / "zzgamma.preview.png").write_bytes(b"picture")
    findings = service.check(small_run(tmp_path), replace=True)
    assert not [finding for finding in findings if ".preview" in finding.message]


def test_an_embedding_that_goes_elsewhere_is_not_the_hosts_matter(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    trained(service, small_run(tmp_path, output={"export_to": str(tmp_path / "mine")}))
    assert read_embedding(tmp_path / "mine" / "zzgamma.safetensors").step == 6
    assert host.published == []


def test_a_run_that_was_moved_is_unknown(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path))
    shutil.rmtree(host.folders.runs / shown["run"])
    with pytest.raises(UserError, match="no run"):
        service.run_config(shown["run"])
