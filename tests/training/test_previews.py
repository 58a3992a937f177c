"""kohya's prompt syntax, and the pictures it asks for."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, embedding_vectors, train_small
from train_gamma.backbone import RenderRequest
from train_gamma.errors import UserError
from train_gamma.training.config import PreviewConfig
from train_gamma.training.events import Previewed
from train_gamma.training.previews import describe, load_previews, named, parse_preview, vectors_hash

CONFIG = PreviewConfig(width=256, height=320, steps=15, guidance_scale=6.5, seed=9)
DEFAULTS: dict[str, Any] = {
    "negative_prompt": "",
    "width": 256,
    "height": 320,
    "steps": 15,
    "guidance_scale": 6.5,
    "seed": 9,
}


@pytest.mark.parametrize(
    ("line", "prompt", "given"),
    [
        ("a cat", "a cat", {}),
        ("[name], night", "[name], night", {}),
        (
            "a cat --n ugly, blurry --w 512 --h 768 --d 7 --l 7.5 --s 30",
            "a cat",
            {
                "negative_prompt": "ugly, blurry",
                "width": 512,
                "height": 768,
                "seed": 7,
                "guidance_scale": 7.5,
                "steps": 30,
            },
        ),
        ("a cat --W 512 --N Ugly --D 3", "a cat", {"width": 512, "negative_prompt": "Ugly", "seed": 3}),
        ("a cat --s 30 --n ugly", "a cat", {"steps": 30, "negative_prompt": "ugly"}),
        ("a cat --n x-ray, b - c, --5, -- d", "a cat", {"negative_prompt": "x-ray, b - c, --5, -- d"}),
        ("a well-lit cat, 3--4 years --d 1", "a well-lit cat, 3--4 years", {"seed": 1}),
        ("a cat   --w   512   --h 64", "a cat", {"width": 512, "height": 64}),
        ("a cat\t--w\t512", "a cat", {"width": 512}),
        ("a cat --n", "a cat", {}),
        ("--n ugly", "", {"negative_prompt": "ugly"}),
        ("a cat --l 12", "a cat", {"guidance_scale": 12.0}),
        ("a cat --w 512 --w 640", "a cat", {"width": 640}),
        ("a cat --n [name] --d 0", "a cat", {"negative_prompt": "[name]", "seed": 0}),
    ],
)
def test_a_line_asks_for_what_kohyas_reader_finds_in_it(line: str, prompt: str, given: dict[str, Any]) -> None:
    request = parse_preview(line, CONFIG).request
    assert request == RenderRequest(prompt=prompt, **{**DEFAULTS, **given})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a cat --q 3", "--q is not known. Known are --n, --w, --h, --d, --l, --s"),
        ("a cat --width 512", "--width is not known"),
        ("a cat --w", "--w needs a whole number, got ''"),
        ("a cat --w wide", "--w needs a whole number, got 'wide'"),
        ("a cat --w 512.5", "--w needs a whole number, got '512.5'"),
        ("a cat --l high", "--l needs a number, got 'high'"),
        ("a cat --d 1 2", "--d needs a whole number, got '1 2'"),
        ("a cat --w 513", "width must be a multiple of 8, got 513"),
        ("a cat --h 100", "height must be a multiple of 8, got 100"),
        ("a cat --w 0", "width must be at least 64, got 0"),
        ("a cat --h -64", "height must be at least 64, got -64"),
        ("a cat --w 99999", "width must be at most"),
        ("a cat --s 0", "steps must be at least 1, got 0"),
        ("a cat --s 5000", "steps must be at most 1000"),
        ("a cat --d -1", "seed must be at least 0, got -1"),
        ("a cat --d 99999999999999999999", "seed must be at most"),
        ("a cat --l nan", "guidance scale must be at least 1.0, got nan"),
        ("a cat --l inf", "guidance scale must be at most 30.0, got inf"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(line: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_preview(line, CONFIG)
    assert f"Preview '{line}'" in str(caught.value)
    assert told in str(caught.value)


def test_a_prompt_file_is_added_to_the_prompts(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeff[name] one --d 4\r\n# a comment\r\n\r\n   \r\n  [name] größe  \r\n#--w 3\r\n".encode())
    config = PreviewConfig(prompts=("[name] zero", "  "), prompt_file=str(path))
    previews = load_previews(config)
    assert [preview.line for preview in previews] == ["[name] zero", "[name] one --d 4", "[name] größe"]
    assert [preview.request.prompt for preview in previews] == ["[name] zero", "[name] one", "[name] größe"]


def test_without_a_prompt_the_name_alone_is_shown() -> None:
    assert [preview.request.prompt for preview in load_previews(PreviewConfig())] == ["[name]"]


def test_a_prompt_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("größe".encode("latin-1"))
    for name in ("missing.txt", "latin.txt", "."):
        with pytest.raises(UserError, match="Preview prompt file '.*' cannot be read"):
            load_previews(PreviewConfig(prompt_file=str(tmp_path / name)))


def test_the_name_is_put_into_both_prompts() -> None:
    request = named(RenderRequest("[name], [name] b", negative_prompt="not [name]"), "zz")
    assert (request.prompt, request.negative_prompt) == ("zz, zz b", "not zz")


def test_the_description_is_an_infotext() -> None:
    """The layout of A1111's infotext: prompt, negative prompt, one line of settings."""
    request = RenderRequest("a cat", "ugly", 512, 768, steps=30, guidance_scale=7.5, seed=7)
    assert describe(request).splitlines() == [
        "a cat",
        "Negative prompt: ugly",
        "Steps: 30, Sampler: DDIM, CFG scale: 7.5, Seed: 7, Size: 512x768",
    ]
    assert "Negative" not in describe(RenderRequest("a cat"))


def test_the_hash_changes_with_any_value() -> None:
    rows = {"clip_l": torch.zeros(2, 3)}
    other = {"clip_l": torch.zeros(2, 3)}
    assert vectors_hash(rows) == vectors_hash(other)
    other["clip_l"][1, 2] = 1e-30
    assert vectors_hash(rows) != vectors_hash(other)


def test_a_run_asks_for_its_previews_and_writes_what_made_them(plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    lines = ["[name], night --n ugly --w 96 --d 3", "[name] --s 5 --l 2"]
    folder, _ = train_small(tmp_path, plain, heard, preview={"every_n_steps": 3, "prompts": lines})
    asked = [(r.prompt, r.negative_prompt, r.width, r.height, r.seed, r.steps) for r in plain.requests]
    assert asked == [("zzgamma, night", "ugly", 96, 64, 3, 2), ("zzgamma", "", 64, 64, 1, 5)] * 3
    paths = [path for event in heard.of(Previewed) for path in event.paths]
    assert [path.name for path in paths] == [f"{step:06d}-{index:02d}.png" for step in (0, 3, 6) for index in (0, 1)]
    hashes = []
    for path in paths:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            text = dict(picture.text)
        assert text["parameters"].startswith("zzgamma")
        assert f"step {int(path.name[:6])}, vectors " in text["train_gamma"]
        hashes.append(text["train_gamma"].rsplit(" ", 1)[1])
    assert len(set(hashes)) == 3
    vectors = {"clip_l": embedding_vectors(folder.path / "zzgamma.safetensors")}
    assert hashes[-1] == vectors_hash(vectors)


@pytest.mark.parametrize(("every", "at_start", "steps"), [(0, True, []), (4, True, [0, 4, 6]), (4, False, [4, 6])])
def test_previews_come_when_they_should(
    every: int, at_start: bool, steps: list[int], plain: PlainBackbone, tmp_path: Path
) -> None:
    heard = Heard()
    train_small(tmp_path, plain, heard, preview={"every_n_steps": every, "at_start": at_start})
    assert [event.step for event in heard.of(Previewed)] == steps


def test_a_preview_of_the_real_model_shows_the_vectors(tiny: Any, tmp_path: Path) -> None:
    """Same seed and prompt: the picture changes with the vectors and with nothing else."""
    folder, _ = train_small(
        tmp_path,
        tiny,
        training={"max_steps": 2, "learning_rate": "0.5", "batch_size": 1},
        preview={"every_n_steps": 2, "prompts": ["[name]", "[name]", "a cat"]},
    )
    pictures = {path.name: Image.open(path).tobytes() for path in folder.previews.iterdir()}
    assert pictures["000000-00.png"] == pictures["000000-01.png"]
    assert pictures["000000-00.png"] != pictures["000002-00.png"]
    assert pictures["000000-02.png"] == pictures["000002-02.png"]
