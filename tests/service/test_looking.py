"""Numbers, tokens and findings before anything is trained."""

from pathlib import Path

import pytest

from tests.service.small_host import SmallHost, small_run, trained
from train_gamma.demo.samples import write_dataset
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.places import ForbiddenError
from train_gamma.training.config import EmbeddingConfig, ModelConfig, RunConfig


def test_the_numbers_follow_from_the_settings(service: Service, host: SmallHost, tmp_path: Path) -> None:
    config = small_run(
        tmp_path, training={"max_steps": 0, "max_epochs": 5, "batch_size": 2, "gradient_accumulation": 3}
    )
    derived = service.derive(config)
    assert (derived.num_pictures, derived.pictures_per_step) == (7, 6)
    assert derived.total_steps == 6  # 35 visits, 6 a step
    assert derived.epochs == pytest.approx(36 / 7)
    assert derived.seconds is None
    assert "7 pictures, 6 a step, 6 steps" in derived.summary


def test_the_size_of_the_file_is_near_the_truth(service: Service, host: SmallHost, tmp_path: Path) -> None:
    for count in (1, 75):
        name = f"zzgamma{count}"
        config = small_run(tmp_path, embedding={"name": name, "num_vectors": count})
        guess = service.derive(config).file_bytes
        trained(service, config)
        size = (host.folders.embeddings / f"{name}.safetensors").stat().st_size
        assert guess == pytest.approx(size, abs=2048)


def test_the_time_comes_from_the_last_job(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path))
    derived = service.derive(small_run(tmp_path, training={"max_steps": 100, "batch_size": 6}))
    assert derived.seconds == pytest.approx(100 * 2 * shown["seconds_per_step"])


@pytest.mark.parametrize("folder", ["", "/nowhere/at/all", "\0"])
def test_a_folder_that_is_not_there_is_told_and_not_raised(folder: str, service: Service, tmp_path: Path) -> None:
    derived = service.derive(small_run(tmp_path, dataset={"folder": folder}))
    assert derived.num_pictures == 0
    assert derived.problem
    assert derived.file_bytes > 0


def test_tokens_of_the_text_that_fit_and_that_do_not(service: Service) -> None:
    embedding = EmbeddingConfig(name="zz", num_vectors=2, init_text="red hair girl", long_text="cut")
    preview = service.explain_start(embedding, ModelConfig())
    assert preview.tokens == (("red", True), ("hair", True), ("girl", False))
    assert (preview.num_tokens, preview.problem) == (3, "")
    assert "'girl' is cut off" in preview.summary
    refused = service.explain_start(EmbeddingConfig(name="zz", num_vectors=2, init_text="red hair girl"), ModelConfig())
    assert refused.tokens == preview.tokens
    assert "has 3 tokens" in refused.problem


def test_tags_of_the_dataset_as_a_start(service: Service, tmp_path: Path) -> None:
    for k, caption in enumerate(("night, smile", "Night, forest", "night, smile, sky", "zz")):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / f"{k}.png").write_bytes(b"never opened")
        (tmp_path / "pictures" / f"{k}.txt").write_text(caption, "utf-8")
    config = small_run(tmp_path, embedding={"name": "zz", "start": "tags", "num_vectors": 3})
    preview = service.explain_start(config.embedding, config.model, config.dataset)
    assert preview.tokens == (("night", True), ("smile", True), ("forest", True))
    missing = service.explain_start(config.embedding, config.model)
    assert "Dataset folder is not set" in missing.problem


@pytest.mark.parametrize("start", ["zero", "random"])
def test_other_starts_are_told_in_a_sentence(start: str, service: Service) -> None:
    assert start in service.explain_start(EmbeddingConfig(name="zz", start=start), ModelConfig()).summary


def test_a_start_from_nothing_is_a_problem(service: Service) -> None:
    preview = service.explain_start(EmbeddingConfig(name="zz", start="embedding"), ModelConfig())
    assert "Embedding to start from is empty" in preview.problem


def test_a_name_is_looked_at_beside_those_in_subfolders(service: Service, host: SmallHost) -> None:
    place = host.folders.embeddings / "mine"
    place.mkdir(parents=True)
    (place / "tg-mika.pt").write_bytes(b"whatever")
    assert "already" in service.check_name("tg-mika", ModelConfig())[0].message
    assert service.check_name("tg-mika", ModelConfig(), overwrite=True) == []
    assert service.check_name("tg-other", ModelConfig()) == []


def test_the_check_tells_the_hosts_problems_and_notes(service: Service, host: SmallHost, tmp_path: Path) -> None:
    findings = service.check(small_run(tmp_path))
    assert any(finding.message == "A LoRA is taken off for the run." for finding in findings)
    host.problems = ("No model is loaded. Choose one.",)
    findings = service.check(small_run(tmp_path))
    assert (findings[0].level, findings[0].message) == ("error", "No model is loaded. Choose one.")


def test_the_check_lists_what_is_wrong_with_pictures_one_by_one(service: Service, tmp_path: Path) -> None:
    config = small_run(tmp_path)
    for name in ("0.png", "1.png"):
        (tmp_path / "pictures" / name).write_bytes(b"damaged")
    errors = [finding.message for finding in service.check(config) if finding.level == "error"]
    assert len(errors) == 2
    assert "0.png" in errors[0]
    assert "1.png" in errors[1]


def test_the_sample_dataset_is_drawn_once_and_left_alone(service: Service, host: SmallHost, tmp_path: Path) -> None:
    folder = service.sample_dataset()
    assert folder == tmp_path / "sample dataset"
    write_dataset(1, tmp_path / "again")
    assert sorted(path.name for path in folder.iterdir()) == sorted(p.name for p in (tmp_path / "again").iterdir())
    (folder / "001.txt").write_text("my own caption", "utf-8")
    (folder / "002.png").unlink()
    assert service.sample_dataset() == folder
    assert (folder / "001.txt").read_text("utf-8") == "my own caption"
    assert not (folder / "002.png").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


OUTSIDE = (
    {"dataset": {"folder": "/etc"}},
    {"dataset": {"template_file": "/etc/passwd"}},
    {"dataset": {"template_file": " /etc/passwd"}},
    {"dataset": {"cache_folder": "/tmp/elsewhere"}},
    {"embedding": {"init_embedding": "/etc/passwd"}},
    {"preview": {"prompt_file": "/etc/passwd"}},
    {"output": {"folder": "/tmp/elsewhere"}},
    {"output": {"export_to": "/tmp/elsewhere"}},
    {"model": {"vae": "/etc/passwd"}},
    {"model": {"path": "/etc/passwd"}},
    {"dataset": {"folder": "pictures/../../.."}},
)


@pytest.mark.parametrize("changes", OUTSIDE)
def test_over_the_network_only_named_folders_can_be_used(
    changes: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service = Service(SmallHost(tmp_path, readable=[tmp_path]))
    config = small_run(tmp_path, **changes)
    with pytest.raises(ForbiddenError, match="outside the folders"):
        service.train(config)
    with pytest.raises(ForbiddenError):
        service.derive(config)
    assert service.check(config)[0].level == "error"
    if {"embedding", "dataset", "model"} & set(changes):
        with pytest.raises(ForbiddenError):
            service.explain_start(config.embedding, config.model, config.dataset)
        with pytest.raises(ForbiddenError):
            service.create(config.embedding, config.model, config.output, 0, config.dataset)


@pytest.mark.parametrize("option", ["dataset.template_file", "preview.prompt_file"])
def test_over_the_network_only_text_files_are_read_as_prompts(option: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("webui-user.sh", "prompts.txt", "PROMPTS.TXT"):
        (tmp_path / "mine" / name).write_text("[name], --secret\n" if name.endswith("sh") else "[name]\n", "utf-8")
    (tmp_path / "mine" / "link.txt").symlink_to(tmp_path / "mine" / "webui-user.sh")
    home, open_ = (Service(SmallHost(tmp_path / "data", readable=readable)) for readable in ((), (tmp_path / "mine",)))
    section, key = option.split(".")

    def config(name: str) -> RunConfig:
        return small_run(tmp_path / "mine", **{section: {key: str(tmp_path / "mine" / name)}})

    for name in ("webui-user.sh", "link.txt"):
        with pytest.raises(ForbiddenError, match=r"must end in \.txt"):
            open_.train(config(name))
        assert "secret" not in str(open_.check(config(name)))
        home.derive(config(name))
    for name in ("prompts.txt", "PROMPTS.TXT"):
        assert not [finding for finding in open_.check(config(name)) if finding.level == "error"]


def test_inside_the_named_folders_all_works(tmp_path: Path) -> None:
    service = Service(SmallHost(tmp_path / "data", readable=[tmp_path / "mine"]))
    (tmp_path / "mine").mkdir()
    trained(service, small_run(tmp_path / "mine"))


def test_settings_that_name_no_place_can_be_used_over_the_network(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    service = Service(SmallHost(tmp_path / "data", readable=[tmp_path / "mine"]))
    assert "Dataset folder is not set" in service.derive(RunConfig()).problem
    assert service.explain_start(RunConfig().embedding, RunConfig().model).num_tokens == 1


def test_a_link_out_of_the_named_folders_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link").symlink_to("/etc")
    service = Service(SmallHost(tmp_path / "data", readable=[tmp_path / "mine"]))
    with pytest.raises(ForbiddenError):
        service.derive(small_run(tmp_path, dataset={"folder": str(tmp_path / "mine" / "link")}))


def test_any_folder_can_be_used_at_home(service: Service, tmp_path: Path) -> None:
    assert service.derive(small_run(tmp_path)).problem == ""
    with pytest.raises(UserError):
        service.train(RunConfig())
