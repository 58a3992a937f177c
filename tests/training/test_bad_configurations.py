"""Bad inputs and the message each gives: value, rule and way out. Nothing is lost, nothing written."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.plain import PlainBackbone
from tests.training.runs import train_small
from tests.worlds import small_config, write_pictures
from train_gamma.errors import UserError
from train_gamma.training.config_reading import from_dict
from train_gamma.training.entry import start_run
from train_gamma.training.events import Control

CASES: list[tuple[str, dict[str, Any], str]] = [
    # what is wrong, the settings, what the message says
    ("unknown section", {"trainin": {"seed": 1}}, "Unknown section [trainin]. Sections are: model, embedding, "),
    ("section that is no section", {"training": 5}, "[training] must be a section of keys and values, got 5"),
    (
        "unknown key",
        {"training": {"learn_rate": "0.1"}},
        "Unknown key 'learn_rate' in [training]. Keys are: learning_rate, ",
    ),
    (
        "steps in words",
        {"training": {"max_steps": "many"}},
        "Max steps (training.max_steps) must be a whole number, got 'many'",
    ),
    ("half a step", {"training": {"max_steps": 1.5}}, "Max steps (training.max_steps) must be a whole number, got 1.5"),
    ("negative steps", {"training": {"max_steps": -1}}, "Max steps must be at least 0, got -1"),
    (
        "no steps",
        {"training": {"max_steps": 0}},
        "Max steps and Max epochs are both 0, so nothing would be trained. Set one",
    ),
    ("no batch", {"training": {"batch_size": 0}}, "Batch size must be at least 1, got 0"),
    ("truth in words", {"training": {"full_batch": "maybe"}}, "Full batch (training.full_batch) must be true or false"),
    (
        "rate in words",
        {"training": {"learning_rate": "abc"}},
        "Learning rate 'abc': 'abc' is not a number. Write it like 0.005",
    ),
    ("no rate", {"training": {"learning_rate": ""}}, "Learning rate is empty. Give a number such as 0.005"),
    ("rate 0", {"training": {"learning_rate": 0}}, "Learning rate '0': 0 must be greater than 0. Try 0.005"),
    ("negative rate", {"training": {"learning_rate": "-0.1"}}, "-0.1 must be greater than 0"),
    ("rate NaN", {"training": {"learning_rate": "nan"}}, "nan must be greater than 0"),
    (
        "rate that ends too soon",
        {"training": {"learning_rate": "0.1:3"}},
        "ends at step 3, but the run has 6. Add a last value",
    ),
    (
        "rate that falls back",
        {"training": {"learning_rate": "0.1:4, 0.2:2, 0.1"}},
        "'0.2:2' ends at step 2, not after the part before",
    ),
    (
        "share of the run above all",
        {"training": {"learning_rate": "0.1:120%"}},
        "120% is not a share of the run. Use more than 0%",
    ),
    (
        "rate that ends too soon by epochs",
        {"training": {"max_steps": 0, "max_epochs": 9, "learning_rate": "0.1:3"}},
        "ends at step 3, but the run has 21",
    ),
    (
        "clip value in words",
        {"training": {"clip_mode": "norm", "clip_value": "off"}},
        "Gradient clip value 'off': 'off' is not a number",
    ),
    ("clip mode", {"training": {"clip_mode": "both"}}, "Gradient clipping must be one of off, norm, value, got 'both'"),
    ("optimizer", {"training": {"optimizer": "prodigy"}}, "Optimizer must be one of adamw, got 'prodigy'"),
    (
        "timesteps the wrong way round",
        {"training": {"min_timestep": 800, "max_timestep": 200}},
        "Lowest timestep (800) must not be above Highest timestep (200)",
    ),
    (
        "timestep beyond the schedule",
        {"training": {"max_timestep": 1000}},
        "Highest timestep must be at most 999, got 1000",
    ),
    ("negative seed", {"training": {"seed": -1}}, "Seed must be at least 0, got -1"),
    ("beta of 1", {"training": {"beta2": 1.0}}, "Adam beta 2 must be at most 0.99999, got 1.0"),
    ("dropout NaN", {"dataset": {"tag_dropout": float("nan")}}, "Tag dropout must be at least 0.0, got nan"),
    ("dropout above 1", {"dataset": {"tag_dropout": 1.5}}, "Tag dropout must be at most 1.0, got 1.5"),
    (
        "template that is a number",
        {"dataset": {"templates": 3}},
        "Prompt templates (dataset.templates) must be a list of texts, got 3",
    ),
    (
        "template without [name]",
        {"dataset": {"templates": ["a photo"]}},
        "Template 'a photo' (template 1) has no [name]",
    ),
    (
        "buckets the wrong way round",
        {"dataset": {"bucket_min": 128, "bucket_max": 64}},
        "Bucket minimum (128) must not be above Bucket maximum (64)",
    ),
    (
        "latent sampling",
        {"dataset": {"latent_sampling": "always"}},
        "Latent sampling must be one of once, deterministic, random, got 'always'",
    ),
    (
        "missing folder",
        {"dataset": {"folder": "/no/such/folder"}},
        "Dataset folder '/no/such/folder' does not exist. Check the path",
    ),
    ("no name", {"embedding": {"name": ""}}, "The embedding has no Name"),
    ("path for a name", {"embedding": {"name": "a/b"}}, "The name 'a/b' has a slash in it"),
    ("common word for a name", {"embedding": {"name": "girl"}}, "'girl' is a common word of prompts"),
    ("too many vectors", {"embedding": {"num_vectors": 76}}, "Vectors per token must be at most 75, got 76"),
    (
        "text longer than the vectors",
        {"embedding": {"init_text": "a girl with a hat"}},
        "Set Vectors per token to 5, shorten the text",
    ),
    (
        "empty text",
        {"embedding": {"init_text": ""}},
        "Initialization text is empty, and the start 'text' needs at least one word",
    ),
    (
        "missing embedding to start from",
        {"embedding": {"start": "embedding", "init_embedding": "/no.pt"}},
        "There is no embedding file '/no.pt'. Check the path",
    ),
    ("unknown preview option", {"preview": {"prompts": ["[name] --x 3"]}}, "--x is not known. Known are --n, --w"),
    (
        "preview of an impossible size",
        {"preview": {"prompts": ["[name] --w 100"]}},
        "width must be a multiple of 8, got 100",
    ),
    ("missing prompt file", {"preview": {"prompt_file": "/no.txt"}}, "Preview prompt file '/no.txt' cannot be read"),
    ("guidance below 1", {"preview": {"guidance_scale": 0.5}}, "Preview guidance scale must be at least 1.0, got 0.5"),
    ("format", {"output": {"format": "ckpt"}}, "Format must be one of safetensors, pt, png, got 'ckpt'"),
    (
        "missing folder for the embedding",
        {"output": {"export_to": "/no/where"}},
        "The folder '/no/where' for the finished embedding does not exist. Make it",
    ),
    ("runs folder that is a file", {"output": {"folder": "{root}/pictures/0.png"}}, "cannot be used"),
    (
        "runs folder below a file",
        {"output": {"folder": "{root}/pictures/0.png/runs"}},
        "Choose another with output.folder",
    ),
    (
        "latent cache that is a file",
        {"dataset": {"cache_folder": "{root}/pictures/0.png"}},
        "Latent cache folder '{root}/pictures/0.png' cannot be made",
    ),
    ("precision", {"model": {"precision": "fp8"}}, "Precision must be one of auto, fp32, fp16, bf16, got 'fp8'"),
    ("clip skip 0", {"model": {"clip_skip": 0}}, "Clip skip must be at least 1, got 0"),
    ("another version", {"version": 7}, "Configuration version 7 is not known; this program reads version 1"),
]


def fill(value: Any, root: Path) -> Any:
    """Put the test's folder into every text of nested settings."""
    if isinstance(value, dict):
        return {key: fill(item, root) for key, item in value.items()}
    return value.replace("{root}", str(root)) if isinstance(value, str) else value


@pytest.mark.parametrize(("changes", "told"), [pytest.param(c, t, id=name) for name, c, t in CASES])
def test_bad_settings_are_refused_with_a_way_out(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    backbone = PlainBackbone()
    with pytest.raises(UserError) as caught:
        start(tmp_path, backbone, fill(changes, tmp_path))
    message = str(caught.value)
    assert fill(told, tmp_path) in message
    assert message.rstrip()[-1] in ".]"
    assert not message.startswith("- "), "one mistake, one message"
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "runs" not in path.parts}
    assert after == before
    assert backbone.predictions == 0


def start(root: Path, backbone: PlainBackbone, changes: dict[str, Any]) -> None:
    """Give the settings as a file would, on top of good ones."""
    config = from_dict(changes, small_config(root))
    start_run(config, backbone, lambda event: None, Control())


def test_the_settings_they_are_put_on_are_good(plain: PlainBackbone, tmp_path: Path) -> None:
    assert train_small(tmp_path, plain)[1].reason == "finished"
