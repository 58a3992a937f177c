"""The check before the start: what it finds, how grave it is, and that there is a way out."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, train_small
from tests.worlds import small_config, write_pictures
from train_gamma.dataset.dataset import load_dataset
from train_gamma.errors import UserError
from train_gamma.training.events import Warned
from train_gamma.training.plan import make_plan
from train_gamma.training.preflight import Finding, check_run, refused_findings, report


def findings(root: Path, backbone: PlainBackbone | None = None, **changes: Any) -> list[Finding]:
    """What is found about a run on 12 pictures."""
    if not (root / "pictures").exists():
        write_pictures(root / "pictures", 12)
    changes["dataset"] = {"width": 96, **changes.get("dataset", {})}
    config = small_config(root, **changes)
    dataset = load_dataset(config.dataset, config.embedding.name)
    return check_run(config, backbone or PlainBackbone(), dataset, make_plan(config, len(dataset.items)))


def test_a_good_run_has_nothing_but_its_summary(tmp_path: Path) -> None:
    (found,) = findings(tmp_path)
    assert found.level == "note"
    assert found.message == "12 pictures, 3 a step, 6 steps: every picture is seen 1.5 times."


@pytest.mark.parametrize(
    ("level", "told", "changes"),
    [
        ("error", "has a slash in it", {"embedding": {"name": "zz/gamma"}}),
        ("error", "is a common word", {"embedding": {"name": "girl"}}),
        ("warning", "is a word of the vocabulary", {"embedding": {"name": "ukulele"}}),
        ("error", "for the finished embedding does not exist", {"output": {"export_to": "{root}/nowhere"}}),
        (
            "error",
            "There is an embedding '{root}/full/zzgamma.safetensors' already",
            {"output": {"export_to": "{root}/full"}},
        ),
        ("warning", "is the beginning of another", {"output": {"export_to": "{root}/others"}}),
        ("error", "Initialization text has 3 tokens", {"embedding": {"init_text": "girl with hat"}}),
        ("error", "Initialization text is empty", {"embedding": {"init_text": " "}}),
        (
            "error",
            "There is no embedding file",
            {"embedding": {"start": "embedding", "init_embedding": "{root}/no.pt"}},
        ),
        ("warning", "start at zero", {"embedding": {"start": "zero"}}),
        ("error", "--q is not known", {"preview": {"prompts": ["[name] --q 3"]}}),
        ("error", "Preview prompt file", {"preview": {"prompt_file": "{root}/no.txt"}}),
        ("warning", "Preview 'a cat' does not show", {"preview": {"prompts": ["a cat"], "every_n_steps": 2}}),
        (
            "warning",
            "prompts have more than 75 tokens",
            {"dataset": {"templates": ["[name], [filewords]" + " sky" * 75]}},
        ),
        ("warning", "prompts have more than 75 tokens", {"embedding": {"num_vectors": 74}}),
        ("warning", "Learning rate 1e-06 hardly moves", {"training": {"learning_rate": "0.1:2, 1e-6"}}),
        ("warning", "Learning rate 5 is far above", {"training": {"learning_rate": "5:2, 0.01"}}),
        ("warning", "Weight decay 0.01 pulls", {"training": {"weight_decay": 0.01}}),
    ],
)
def test_what_would_spoil_a_run_is_found(level: str, told: str, changes: dict[str, Any], tmp_path: Path) -> None:
    for folder, files in {"full": ["zzgamma.safetensors"], "others": ["zzgammaray.pt"]}.items():
        (tmp_path / folder).mkdir()
        for name in files:
            (tmp_path / folder / name).touch()
    filled = {
        section: {key: value.format(root=tmp_path) if isinstance(value, str) else value for key, value in keys.items()}
        for section, keys in changes.items()
    }
    found = findings(tmp_path, **filled)
    matching = [f for f in found if told.format(root=tmp_path) in f.message]
    assert [f.level for f in matching] == [level], [str(f) for f in found]
    assert matching[0].fix or "." in matching[0].message.rstrip("."), "there is no way out"
    assert str(matching[0]).endswith((".", "]"))


@pytest.mark.parametrize(
    ("level", "told", "backbone"),
    [
        ("warning", "encoded with the VAE 'other.vae'", {"vae_name": "other.vae", "vae_hash": "2" * 64}),
        ("note", "Trained with clip skip 2", {"clip_skip": 2}),
    ],
)
def test_what_is_unusual_about_the_model_is_found(level: str, told: str, backbone: Any, tmp_path: Path) -> None:
    matching = [f for f in findings(tmp_path, PlainBackbone(**backbone)) if told in f.message]
    assert [f.level for f in matching] == [level]
    assert matching[0].fix


def test_warnings_of_the_dataset_are_passed_on(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 3)
    assert any(f.level == "warning" and f.message.startswith("Only 3 pictures") for f in findings(tmp_path))


def test_what_the_doctor_finds_is_told_once_and_keeps_no_run_from_starting(
    plain: PlainBackbone, tmp_path: Path
) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    (folder / "copy.png").write_bytes((folder / "3.png").read_bytes())
    (folder / "copy.txt").write_text("night, sky, smile", "utf-8")
    Image.new("RGB", (20, 20), "red").save(folder / "tiny.png")
    (folder / "4.txt").write_text("", "utf-8")
    heard = Heard()
    run, _ = train_small(tmp_path, plain, heard, dataset={"width": 96}, training={"weight_decay": 0.5})
    told = [event.message for event in heard.of(Warned)]
    for part in ("copy.png = 3.png", "tiny.png 3", "(4.png)", "Weight decay 0.5"):
        assert sum(part in message for message in told) == 1, (part, told)
    assert len(told) == 5  # these and the picture without a caption
    for report_file in (run.report, run.report.with_suffix(".md")):
        text = report_file.read_text("utf-8")
        for part in ("copy.png = 3.png", "tiny.png 3", "Weight decay 0.5", "14 pictures, 3 a step"):
            assert text.count(part) == 1, part


def test_a_dataset_that_cannot_be_loaded_is_examined_all_the_same(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    (folder / "3.png").write_bytes(b"")
    (folder / "4.txt").write_bytes(b"caf\xe9")
    (folder / "5.txt").write_text("", "utf-8")
    config = small_config(tmp_path, dataset={"width": 96})
    with pytest.raises(UserError) as caught:
        load_dataset(config.dataset, config.embedding.name)
    found = refused_findings(caught.value, config, PlainBackbone())
    assert [finding.level for finding in found] == ["error", "error", "warning"]
    for name in ("3.png", "4.txt", "5.png"):
        assert sum(name in finding.message for finding in found) == 1
    nowhere = small_config(tmp_path, dataset={"folder": str(tmp_path / "nowhere")})
    assert [f.message for f in refused_findings(UserError("- one\n- two"), nowhere, PlainBackbone())] == ["one", "two"]


def test_an_embedding_may_be_replaced_when_asked(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "zzgamma.safetensors").touch()
    found = findings(tmp_path, output={"export_to": str(tmp_path / "full"), "overwrite": True})
    assert [f.level for f in found] == ["note"]


def test_a_preview_may_name_the_embedding_itself(tmp_path: Path) -> None:
    found = findings(tmp_path, preview={"prompts": ["zzgamma at night"], "every_n_steps": 2})
    assert [f.level for f in found] == ["note"]


def test_errors_come_first_and_the_report_names_the_levels(tmp_path: Path) -> None:
    found = findings(
        tmp_path, embedding={"start": "zero", "name": "a/b"}, preview={"prompts": ["--q"]}, training={"weight_decay": 1}
    )
    levels = [f.level for f in found]
    assert levels == sorted(levels, key=("error", "warning", "note").index)
    assert set(levels) == {"error", "warning", "note"}
    lines = report(found).splitlines()
    assert [line.split()[0] for line in lines] == levels
    assert all(f.fix in line for f, line in zip(found, lines, strict=True))


def test_errors_keep_a_run_from_starting_and_nothing_is_written(plain: PlainBackbone, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        train_small(tmp_path, plain, embedding={"init_text": ""}, preview={"prompts": ["--q"]})
    assert len(str(caught.value).splitlines()) == 2
    assert not (tmp_path / "runs").exists()
    assert (plain.encodings, plain.predictions, plain.loans) == (0, 0, 0)


def test_warnings_are_told_when_a_run_starts(plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    train_small(tmp_path, plain, heard, training={"weight_decay": 0.5})
    assert any("Weight decay 0.5 pulls" in event.message for event in heard.of(Warned))
