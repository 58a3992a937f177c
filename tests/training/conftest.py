"""The real backbone over a tiny random model, and one run that others are compared with."""

from typing import Any

import pytest

from tests.tiny import tiny_backbone
from tests.training.plain import PlainBackbone
from tests.training.runs import train_small
from train_gamma.training.run_folder import RunFolder

EVERYTHING: dict[str, Any] = {
    "dataset": {"width": 96, "flip": True, "tag_dropout": 0.3, "shuffle_tags": True, "latent_sampling": "random"},
    "training": {"max_steps": 20, "evaluate_every_n_steps": 5, "learning_rate": "0.02"},
    "preview": {"every_n_steps": 5, "prompts": ["[name], night --d 3"]},
    "output": {"save_every_n_steps": 2},
}
"""All that is random at once; 7 pictures in three buckets, 3 a step, so that steps cross epochs and buckets."""


@pytest.fixture(scope="session")
def tiny() -> Any:
    """A tiny random Stable Diffusion; tests leave it as it is."""
    return tiny_backbone()


@pytest.fixture
def plain() -> PlainBackbone:
    """A model that can be computed by hand."""
    return PlainBackbone()


@pytest.fixture(scope="session")
def whole_run(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """20 uninterrupted steps with ``EVERYTHING``."""
    return train_small(tmp_path_factory.mktemp("whole"), tiny, **EVERYTHING)[0]
