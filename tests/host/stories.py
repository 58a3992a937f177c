"""What several tests against a started WebUI do: a small run on drawn pictures, and judging the host's own pictures."""

import base64
import io
import random
from pathlib import Path
from typing import Any

from PIL import Image

from tests.host.launching import Server
from train_gamma.demo.benchmark import demo_config, unseen_scenes
from train_gamma.demo.judge import Judge
from train_gamma.demo.samples import write_dataset
from train_gamma.demo.world import random_character

CHARACTER = 9004
"""The seed of a character that the miniature checkpoint was never trained on."""

SCENES = 12


def draw_pictures(folder: Path, count: int = 24) -> Path:
    """A dataset of the character."""
    write_dataset(CHARACTER, folder, count)
    return folder


def config(server: Server, name: str, steps: int, **training: Any) -> dict[str, Any]:
    """The demo's settings for a run of ``steps`` on pictures in the server's data folder, as the API takes them."""
    pictures = server.data / "pictures"
    if not pictures.is_dir():
        draw_pictures(pictures)
    values = demo_config(server.data, 1).to_dict()
    values["model"]["path"] = ""
    values["embedding"]["name"] = name
    values["dataset"]["folder"] = str(pictures)
    values["training"].update({"max_steps": steps, "evaluate_every_n_steps": 0, **training})
    values["preview"].update({"every_n_steps": 0})
    values["output"].update({"folder": "", "save_every_n_steps": 0})
    return values


def pictures_of(server: Server, prompt: str, count: int = SCENES) -> list[Image.Image]:
    """The host's txt2img pictures of ``prompt`` in unseen scenes."""
    made = []
    for index, scene in enumerate(unseen_scenes(count, seed=0)):
        answer = server.txt2img(", ".join([prompt, *scene]), seed=1000 + index, sampler_name="DDIM", steps=24)
        made.append(decode(answer))
    return made


def identity(server: Server, prompt: str, count: int = SCENES) -> float:
    """The share of the character's attributes that the judge sees in the host's pictures of ``prompt``."""
    return Judge.load().identity(pictures_of(server, prompt, count), random_character(CHARACTER))


def decode(answer: dict[str, Any]) -> Image.Image:
    """The first picture of a txt2img answer."""
    return Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).convert("RGB")


def new_name() -> str:
    """A name no other test has used."""
    return f"zz-{random.SystemRandom().randrange(36**4):06d}"
