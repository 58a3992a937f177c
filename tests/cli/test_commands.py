"""The commands as a user types them, in this process; exit codes and what they leave on disk."""

import json
from pathlib import Path

import pytest
from PIL import Image

from train_gamma.cli import main
from train_gamma.embedding.files import read_embedding


def run_folder(configuration: Path) -> Path:
    (folder,) = (configuration.parent / "runs").iterdir()
    return folder


def test_train_writes_the_embedding_and_says_where(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(configuration)]) == 0
    embedding = run_folder(configuration) / "zzgamma.safetensors"
    assert str(embedding) in capsys.readouterr().out
    assert read_embedding(embedding).step == 4


def test_set_wins_over_the_file(configuration: Path) -> None:
    arguments = ["train", str(configuration), "--set", "training.max_steps=2", "--set", "embedding.num_vectors=3"]
    assert main(arguments) == 0
    embedding = read_embedding(run_folder(configuration) / "zzgamma.safetensors")
    assert (embedding.step, embedding.num_vectors) == (2, 3)


def test_resume_goes_on_to_a_raised_number_of_steps(configuration: Path) -> None:
    assert main(["train", str(configuration), "--set", "training.max_steps=2"]) == 0
    folder = run_folder(configuration)
    assert main(["resume", str(folder), "--set", "training.max_steps=5"]) == 0
    assert read_embedding(folder / "zzgamma.safetensors").step == 5


def test_resume_of_a_finished_run_says_how_to_train_on(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(configuration)]) == 0
    assert main(["resume", str(run_folder(configuration))]) == 2
    assert "--set training.max_steps=8" in capsys.readouterr().err


def test_check_reports_and_trains_nothing(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(configuration)]) == 0
    out = capsys.readouterr().out
    assert "7 pictures, 3 a step, 4 steps" in out
    assert "5.png: 96 x 64" in out
    assert not (configuration.parent / "runs").exists()


def test_check_with_errors_has_exit_code_1(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long_text = "embedding.init_text=a girl with very long hair"
    assert main(["check", str(configuration), "--set", long_text]) == 1
    assert "error" in capsys.readouterr().out


def test_contact_sheet_has_a_row_a_step_and_a_column_a_prompt(configuration: Path, tmp_path: Path) -> None:
    assert main(["train", str(configuration)]) == 0
    sheet = tmp_path / "sheet.png"
    assert main(["contact-sheet", str(run_folder(configuration)), "--out", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        assert picture.width > 2 * 192
        assert picture.height > 3 * 192  # steps 0, 2 and 4


def test_preview_of_a_run_and_of_a_file_are_the_same_picture(
    configuration: Path, model_folder: Path, tmp_path: Path
) -> None:
    assert main(["train", str(configuration)]) == 0
    folder = run_folder(configuration)
    prompt = ["--prompt", "[name], night --w 64 --h 64 --s 2 --l 7 --d 9"]
    assert main(["preview", str(folder), *prompt, "--out", str(tmp_path / "a")]) == 0
    file = str(folder / "zzgamma.safetensors")
    assert main(["preview", file, "--model", str(model_folder), *prompt, "--out", str(tmp_path / "b")]) == 0
    one, other = (tmp_path / side / "zzgamma-preview-00.png" for side in "ab")
    assert Image.open(one).tobytes() == Image.open(other).tobytes()


def test_inspect_json_names_vectors_and_nearest_tokens(
    configuration: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(configuration), "--set", "training.max_steps=1"]) == 0
    capsys.readouterr()
    file = run_folder(configuration) / "zzgamma.safetensors"
    assert main(["inspect", str(file), "--json", "--model", str(model_folder)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["num_vectors"] == 2
    assert report["vectors"][0]["nearest"][0]["text"] == "girl"  # one step from its start


@pytest.mark.parametrize("ending", ["pt", "png", "safetensors"])
def test_convert_keeps_the_vectors(configuration: Path, tmp_path: Path, ending: str) -> None:
    assert main(["train", str(configuration), "--set", "training.max_steps=1"]) == 0
    source, target = run_folder(configuration) / "zzgamma.safetensors", tmp_path / f"other.{ending}"
    assert main(["convert", str(source), str(target)]) == 0
    before, after = read_embedding(source).vectors["clip_l"], read_embedding(target).vectors["clip_l"]
    assert before.equal(after)


def test_convert_does_not_replace_a_file_unasked(configuration: Path, tmp_path: Path) -> None:
    assert main(["train", str(configuration), "--set", "training.max_steps=1"]) == 0
    target = tmp_path / "other.pt"
    target.write_bytes(b"mine")
    assert main(["convert", str(run_folder(configuration) / "zzgamma.safetensors"), str(target)]) == 2
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere.toml"], "Configuration 'nowhere.toml' does not exist"),
        (["resume", "nowhere"], "'nowhere' is not the folder of a run"),
        (["contact-sheet", "nowhere"], "'nowhere' is not the folder of a run"),
        (["inspect", "nowhere.pt"], "nowhere.pt"),
        (["convert", "nowhere.pt", "x.safetensors"], "nowhere.pt"),
        (["preview", "nowhere.pt", "--prompt", "a"], "nowhere.pt"),
    ],
)
def test_missing_input_has_exit_code_2_and_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nmax_steps = ", "is not valid TOML"),
        ("[training]\nsteps = 3", "Unknown key 'steps' in [training]"),
        ("[trainig]\nmax_steps = 3", "Unknown section [trainig]"),
        ("training = 3", "[training] must be a section"),
        ('[training]\nmax_steps = "many"', "Max steps (training.max_steps) must be a whole number, got 'many'"),
        ("[training]\nbatch_size = 0", "Batch size must be at least 1, got 0"),
        ('[training]\noptimizer = "magic"', "Optimizer must be one of adamw, got 'magic'"),
    ],
)
def test_bad_configurations_are_refused_before_anything_is_loaded(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    assert main(["train", str(path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("change", ["max_steps=3", "training.max_steps", "training.=3", "=3"])
def test_changes_without_section_key_or_value_are_refused(
    configuration: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(configuration), "--set", change]) == 2
    assert "section.key=value" in capsys.readouterr().err


def test_a_list_can_be_set(configuration: Path) -> None:
    prompts = 'preview.prompts=["[name] one", "[name] two", "[name] three"]'
    assert main(["train", str(configuration), "--set", prompts, "--set", "training.max_steps=2"]) == 0
    assert len(list((run_folder(configuration) / "previews").glob("000002-*.png"))) == 3
