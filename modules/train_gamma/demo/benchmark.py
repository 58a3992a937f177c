"""Train an embedding of a drawn character on the miniature checkpoint and measure how well it was learned."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.backbone import Backbone, RenderRequest, Vectors
from train_gamma.demo.judge import Judge
from train_gamma.demo.samples import write_dataset
from train_gamma.demo.world import IDENTITY, SCENE, Character, random_character, random_scene, tags
from train_gamma.embedding.files import read_embedding
from train_gamma.embedding.start import start_vectors
from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.training.contact_sheet import Row, contact_sheet, preview_rows
from train_gamma.training.entry import start_run
from train_gamma.training.events import Control, Evaluated, Event, Listener
from train_gamma.training.previews import load_previews, named
from train_gamma.training.run_folder import RunFolder

NAME = "zzminichar"
STEPS = 300
NUM_SCENES = 16
SAMPLING = {"width": 64, "height": 64, "steps": 24, "guidance_scale": 3.0}
SHOWN = (
    "[name], blue sky, holding sword, looking at viewer, upper body",
    "[name], forest, holding flower, head tilt, close-up",
    "[name], night, holding wand, looking to the side, upper body --w 64 --h 96",
    "[name], sunset, holding balloon, looking at viewer --w 96 --h 64",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training on the miniature world came to.

    identity: the share of the character's eight attributes that the judge finds, over pictures of scenes that were
    not in the dataset, with the vectors as they started and as they ended. eval_loss: the evaluation loss.
    """

    embedding: str
    contact_sheet: str
    identity_before: float
    identity_after: float
    eval_loss_before: float
    eval_loss_after: float
    steps: int
    seconds: float

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def summary(self) -> str:
        """The line that says how well it went."""
        return (
            f"identity {self.identity_before:.2f} -> {self.identity_after:.2f}, "
            f"evaluation loss {self.eval_loss_before:.3f} -> {self.eval_loss_after:.3f}"
        )


def unseen_scenes(count: int, seed: int) -> list[list[str]]:
    """The tags of ``count`` random scenes."""
    rng = random.Random(f"scenes {seed}")
    return [tags({}, random_scene(rng), SCENE) for _ in range(count)]


def demo_config(root: Path, seed: int, changes: dict[str, Any] | None = None) -> RunConfig:
    """The settings of the demo: those of an ordinary run, scaled to the miniature's 64 pixels.

    The buckets are the miniature's three sizes: 64 x 64, 64 x 96 and 96 x 64 all fit into the area of 80 x 80.
    """
    base: dict[str, dict[str, Any]] = {
        "model": {"path": "miniature"},
        "embedding": {"name": NAME, "num_vectors": 2, "init_text": "girl"},
        "dataset": {
            "folder": str(root / "pictures"),
            "width": 80,
            "height": 80,
            "bucket_step": 32,
            "bucket_min": 64,
            "bucket_max": 96,
        },
        "training": {
            "learning_rate": "0.02",
            "max_steps": STEPS,
            "batch_size": 8,
            "timestep_sampling": "high_noise",
            "seed": seed,
            "evaluate_every_n_steps": 100,
            "evaluation_batches": 6,
        },
        "preview": {"every_n_steps": STEPS // 2, "prompts": SHOWN, **SAMPLING},
        "output": {"folder": str(root / "runs"), "save_every_n_steps": 100},
    }
    for section, values in (changes or {}).items():
        base[section] = {**base[section], **values}
    return from_dict(base)


def run_demo(
    character_seed: int,
    root: Path,
    backbone: Backbone,
    listener: Listener,
    control: Control,
    changes: dict[str, Any] | None = None,
) -> tuple[Outcome, RunFolder]:
    """Draw a dataset with captions of its scenes, and train on it; see ``train_and_measure``."""
    write_dataset(character_seed, root / "pictures")
    return train_and_measure(character_seed, root, backbone, listener, control, changes)


def train_and_measure(
    character_seed: int,
    root: Path,
    backbone: Backbone,
    listener: Listener,
    control: Control,
    changes: dict[str, Any] | None = None,
) -> tuple[Outcome, RunFolder]:
    """Train on the character's pictures in ``root/pictures``, measure, and lay everything out on a contact sheet.

    Raises:
        UserError: if the run was stopped before its end, or something in ``changes`` is not right.
    """
    character = random_character(character_seed)
    config = demo_config(root, character_seed, changes)
    pictures = sorted((root / "pictures").glob("*.png"))
    losses: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Evaluated):
            losses.append(event.loss)
        listener(event)

    folder, finished = start_run(config, backbone, listen, control)
    if finished.reason != "finished" or finished.path is None:
        raise UserError(
            f"The run ended after {finished.step} steps ({finished.reason}). "
            f"Go on with: train-gamma resume {folder.path}"
        )
    before = start_vectors(config.embedding, backbone, config.training.seed)
    after = read_embedding(finished.path).vectors
    judge = Judge.load()
    outcome = Outcome(
        embedding=str(finished.path),
        contact_sheet=str(draw_sheet(folder, pictures, config)),
        identity_before=identity(backbone, judge, character, before),
        identity_after=identity(backbone, judge, character, after),
        eval_loss_before=losses[0],
        eval_loss_after=losses[-1],
        steps=finished.step,
        seconds=round(_seconds(folder), 1),
    )
    atomic.write_text(folder.path / "outcome.json", outcome.to_json() + "\n")
    return outcome, folder


def identity(backbone: Backbone, judge: Judge, character: Character, vectors: Vectors, name: str = NAME) -> float:
    """How much of ``character`` the pictures of ``name`` in unseen scenes show, 0..1."""
    return prompted_identity(backbone, judge, character, [name], {name: vectors})


def described_identity(backbone: Backbone, judge: Judge, character: Character) -> float:
    """The same for a full description in tags, without any embedding: what the model can do when told everything."""
    return prompted_identity(backbone, judge, character, tags(character, {}, IDENTITY), {})


def prompted_identity(
    backbone: Backbone, judge: Judge, character: Character, words: Sequence[str], embeddings: dict[str, Vectors]
) -> float:
    """The identity of pictures prompted with ``words`` and then the tags of each unseen scene."""
    scenes = unseen_scenes(NUM_SCENES, seed=0)
    images = [
        backbone.render(
            RenderRequest(
                prompt=", ".join([*words, *scene]),
                width=64,
                height=64,
                steps=24,
                guidance_scale=3.0,
                seed=1000 + index,
            ),
            embeddings,
        )
        for index, scene in enumerate(scenes)
    ]
    return judge.identity(images, character)


def draw_sheet(folder: RunFolder, pictures: Sequence[Path], config: RunConfig) -> Path:
    """The dataset beside the previews before, during and after, with the prompts above."""
    columns = len(config.preview.prompts)
    rows = [Row("dataset", tuple(pictures[:columns])), *preview_rows(folder)]
    headings = [named(preview.request, NAME).prompt for preview in load_previews(config.preview)]
    sheet = contact_sheet(rows, headings, f"{NAME}: {config.embedding.num_vectors} vectors")
    path = folder.path / "contact-sheet.png"
    atomic.write_with(path, lambda file: sheet.save(file, "PNG"))
    return path


def _seconds(folder: RunFolder) -> float:
    return float(folder.loss.read_text("utf-8").splitlines()[-2].split(",")[-2])
