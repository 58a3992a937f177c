"""A step in pieces is the step in one piece, and every picture weighs the same."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.tiny import float64_by_default, tiny_backbone, tiny_parts
from tests.training.plain import PlainBackbone
from tests.training.runs import made_run
from tests.worlds import write_pictures
from train_gamma.training.loop import accumulate
from train_gamma.training.run import Run

TOLERANCE = 1e-6
"""Of the largest value of the gradient. The model computes in float64; the rows and the sum are float32."""


class Split:
    """An order whose every batch comes in ``parts`` pieces, of sizes that differ by one at most."""

    def __init__(self, order: Any, parts: int) -> None:
        self._order, self._parts = order, parts

    def microbatches(self, step: int) -> list[list[Any]]:
        pieces = []
        for batch in self._order.microbatches(step):
            bounds = [round(i * len(batch) / self._parts) for i in range(self._parts + 1)]
            pieces += [batch[a:b] for a, b in itertools.pairwise(bounds) if b > a]
        return pieces


@pytest.fixture(scope="module")
def precise() -> Any:
    """The tiny model in float64."""
    unet, vae, text_encoder = tiny_parts()
    return tiny_backbone(unet=unet.double(), vae=vae, text_encoders={"clip_l": text_encoder.double()})


@pytest.fixture(scope="module")
def eight_a_step(
    request: Any, precise: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, tuple[float, Tensor]]:
    """A run with batches of 8 on 9 pictures in one or three buckets; loss and gradient of its first step in whole."""
    root = tmp_path_factory.mktemp("eight")
    mixed = request.param == "three buckets"
    write_pictures(root / "pictures", 9)
    dataset = {"width": 96 if mixed else 64, "flip": True, "tag_dropout": 0.3}
    run = made_run(root, precise, dataset=dataset, training={"batch_size": 8})
    return run, gradient(run)


def gradient(run: Run) -> tuple[float, Tensor]:
    """The loss of the run's next step and its gradient."""
    with run.backbone.lend("off"), float64_by_default():
        loss = accumulate(run)
    (row,) = run.rows
    assert row.grad is not None
    return loss, row.grad.clone()


SPLITS = [("one bucket", parts) for parts in range(1, 9)] + [("three buckets", parts) for parts in range(1, 9)]
BY_DEFAULT = [*SPLITS[:8], ("three buckets", 3), ("three buckets", 8)]


@pytest.mark.parametrize(
    ("eight_a_step", "parts"),
    [pytest.param(*split, marks=[] if split in BY_DEFAULT else pytest.mark.slow) for split in SPLITS],
    indirect=["eight_a_step"],
)
def test_micro_batches_give_the_gradient_of_the_batch(
    eight_a_step: tuple[Run, tuple[float, Tensor]], parts: int
) -> None:
    run, (loss, expected) = eight_a_step
    order = run.order
    try:
        run.order = Split(order, parts)
        sizes = [len(batch) for batch in run.order.microbatches(0)]
        assert sum(sizes) == 8
        assert len(sizes) >= parts
        in_parts, found = gradient(run)
    finally:
        run.order = order
    assert float(expected.abs().max()) > 0
    assert float((found - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())
    assert math.isclose(in_parts, loss, rel_tol=1e-6)


@pytest.mark.parametrize(("batch_size", "accumulation"), [(8, 1), (4, 2), (2, 4), (1, 8), (3, 3)])
def test_accumulation_multiplies_the_samples_of_a_step(
    batch_size: int, accumulation: int, plain: PlainBackbone, tmp_path: Path
) -> None:
    run = made_run(
        tmp_path,
        plain,
        dataset={"width": 96},
        training={"batch_size": batch_size, "gradient_accumulation": accumulation},
    )
    batches = [run.order.microbatches(step) for step in range(20)]
    assert {sum(map(len, step)) for step in batches} == {batch_size * accumulation}
    assert max(len(batch) for step in batches for batch in step) <= batch_size


class Recording(PlainBackbone):
    """Keeps what the model was fed in training: (prompt, x_t, t) of each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[tuple[str, Tensor, int]] = []
        self._prompts: tuple[str, ...] = ()

    def encode_prompts(self, prompts: Any, embeddings: Any, sizes: Any = None, *, emphasis: bool = False) -> Any:
        self._prompts = tuple(prompts)
        return super().encode_prompts(prompts, embeddings, sizes)

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        if torch.is_grad_enabled():
            self.samples += zip(self._prompts, x_t, t.tolist(), strict=True)
        return super().predict(x_t, t, conditioning)


def gradient_by_hand(backbone: Recording, start: Tensor, prompt: str, x_t: Tensor, t: int, x_0: Any) -> Any:
    """The gradient of one sample's loss on each row, in float64, from the formulas in ``plain``."""
    alpha_bar = float(backbone.alphas_cumprod[t])
    x_t64, weight = x_t.double().numpy(), backbone.weight.double().numpy()
    noise = (x_t64 - math.sqrt(alpha_bar) * x_0) / math.sqrt(1 - alpha_bar)
    ids = [token.id for token in backbone.tokenize(prompt.replace("zzgamma", ""))]
    context = start.double().sum(dim=0).numpy() + backbone.tables["clip_l"][ids].double().mean(dim=0).numpy()
    error = (weight @ context)[:, None, None] + backbone.carry * x_t64 - noise  # (C, h, w)
    return 2 * (error.mean(axis=(1, 2)) @ weight) / len(weight)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_a_full_batch_step_is_the_mean_over_all_pictures(batch_size: int, tmp_path: Path) -> None:
    """Pictures are told apart by their captions; noise is what the model's input holds beside the picture.

    Five pictures in one bucket and two in another: a mean over batches would weigh those two more.
    """
    colours = {}
    (tmp_path / "pictures").mkdir()
    for index, size in enumerate([(64, 64)] * 5 + [(96, 64)] * 2):
        colour = (30 * index, 255 - 30 * index, 90)
        Image.new("RGB", size, colour).save(tmp_path / "pictures" / f"{index}.png")
        caption = f"number {index}"
        (tmp_path / "pictures" / f"{index}.txt").write_text(caption)
        colours[f"zzgamma, {caption}"] = numpy.array([*colour, sum(colour) / 3]) / 127.5 - 1
    backbone = Recording()
    run = made_run(
        tmp_path,
        backbone,
        dataset={"width": 96, "latent_sampling": "deterministic"},
        training={"full_batch": True, "batch_size": batch_size},
    )
    accumulate(run)
    (row,) = run.rows
    assert sorted(prompt for prompt, _, _ in backbone.samples) == sorted(colours), "every picture exactly once"
    by_hand = [
        gradient_by_hand(backbone, row.detach(), prompt, x_t, t, colours[prompt][:, None, None])
        for prompt, x_t, t in backbone.samples
    ]
    assert row.grad is not None
    for vector in row.grad:  # every row has the same part in a context
        assert numpy.allclose(vector.numpy(), numpy.mean(by_hand, axis=0), rtol=2e-4, atol=1e-5)


def test_full_batch_counts_steps_by_pictures(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, training={"full_batch": True, "batch_size": 2, "max_steps": 0, "max_epochs": 5})
    assert (run.samples_per_step, run.total_steps) == (7, 5)


@pytest.mark.parametrize(("epochs", "batch_size", "steps"), [(1, 7, 1), (1, 3, 3), (2, 3, 5), (3, 7, 3)])
def test_epochs_become_steps_that_see_every_picture_so_often(
    epochs: int, batch_size: int, steps: int, plain: PlainBackbone, tmp_path: Path
) -> None:
    run = made_run(tmp_path, plain, training={"max_steps": 0, "max_epochs": epochs, "batch_size": batch_size})
    assert run.total_steps == steps
