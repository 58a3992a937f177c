"""The VAE encodes every picture once, before the first step, and is not called again."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.runs import train_small
from train_gamma.training.events import Event, Preparing, Progress


def test_no_vae_call_after_the_cache_is_filled(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    encode = tiny.encode_images

    def counted(pixels: Any) -> Any:
        calls.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr(tiny, "encode_images", counted)
    at_start: list[int] = []
    steps: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, Preparing) and event.done == event.total:
            at_start.append(len(calls))
        if isinstance(event, Progress):
            steps.append(event.step)

    train_small(tmp_path, tiny, listen, dataset={"flip": True, "latent_sampling": "random"})
    assert len(steps) > 1
    assert at_start == [2 * 7]  # seven pictures, each as it is and mirrored
    assert len(calls) == 2 * 7
