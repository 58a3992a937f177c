"""A tiny model on disk, so that commands load it as they would load any other."""

import json
import shutil
from pathlib import Path

import pytest

from tests.tiny import SCHEDULER, TOKENIZER, tiny_parts
from tests.worlds import write_pictures


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-model")
    unet, vae, text_encoder = tiny_parts()
    for name, part in (("unet", unet), ("vae", vae), ("text_encoder", text_encoder)):
        part.save_pretrained(folder / name)
    shutil.copytree(TOKENIZER, folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def configuration(tmp_path: Path, model_folder: Path) -> Path:
    """A configuration file with paths relative to itself, beside its pictures."""
    write_pictures(tmp_path / "pictures")
    path = tmp_path / "run.toml"
    path.write_text(
        f"""
[model]
path = {json.dumps(str(model_folder))}
[embedding]
name = "zzgamma"
[dataset]
folder = "pictures"
width = 64
height = 64
bucket_step = 32
bucket_min = 64
bucket_max = 128
[training]
max_steps = 4
batch_size = 3
learning_rate = 0.01
evaluation_batches = 1
[preview]
every_n_steps = 2
width = 64
height = 64
steps = 2
prompts = ["[name], night", "[name], forest --d 5"]
[output]
folder = "runs"
save_every_n_steps = 2
""",
        "utf-8",
    )
    return path
