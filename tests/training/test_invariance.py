"""What a run looks at on its way does not change where it goes."""

import random
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from tests.training.conftest import EVERYTHING
from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, embedding_vectors, rows, same, state_tensors, train_small
from train_gamma.training.events import Control, Evaluated, Previewed, Progress, Saved, Warned
from train_gamma.training.run_folder import RunFolder


def with_changes(**changes: dict[str, Any]) -> dict[str, Any]:
    """``EVERYTHING``, six steps of it, and ``changes``."""
    merged = {section: {**values, **changes.get(section, {})} for section, values in EVERYTHING.items()}
    merged["training"]["max_steps"] = 6
    return merged


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"preview": {"every_n_steps": 0}}, id="no previews"),
        pytest.param(
            {"training": {"evaluate_every_n_steps": 0}, "output": {"save_every_n_steps": 0}},
            id="no evaluation on the way and no copies",
        ),
        pytest.param(
            {
                "preview": {"every_n_steps": 1, "at_start": False},
                "training": {"evaluate_every_n_steps": 1},
                "output": {"save_every_n_steps": 1},
            },
            id="everything at every step",
        ),
        pytest.param({"model": {"checkpointing": "on"}}, id="gradient checkpointing"),
    ],
)
def test_the_vectors_are_the_same_whatever_is_watched(
    changes: dict[str, Any], whole_run: RunFolder, tiny: Any, tmp_path: Path
) -> None:
    torch.manual_seed(1234)  # a run does not depend on the global generators either
    merged = with_changes(**changes)
    merged["model"] = changes.get("model", {})
    folder, _ = train_small(tmp_path, tiny, **merged)
    expected = embedding_vectors(whole_run.copy("zzgamma", 6, "safetensors"))
    assert state_tensors(folder)["vectors.clip_l"].equal(expected)
    losses = [row["loss"] for row in rows(folder) if row["loss"]]
    assert losses == [row["loss"] for row in rows(whole_run) if row["loss"]][:6]


def test_the_intervals_do_what_they_say(plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    folder, _ = train_small(
        tmp_path,
        plain,
        heard,
        training={"max_steps": 7, "evaluate_every_n_steps": 2},
        preview={"every_n_steps": 3},
        output={"save_every_n_steps": 3},
    )
    assert [e.step for e in heard.of(Evaluated)] == [0, 2, 4, 6, 7]
    assert [e.step for e in heard.of(Previewed)] == [0, 3, 6, 7]
    assert [e.step for e in heard.of(Saved)] == [3, 6, 7]
    assert sorted(p.name for p in folder.copies.iterdir()) == ["zzgamma-3.safetensors", "zzgamma-6.safetensors"]


def test_previews_and_copies_asked_for_change_nothing(plain: PlainBackbone, tmp_path: Path) -> None:
    quiet, _ = train_small(tmp_path / "quiet", plain)
    control = Control()

    def ask() -> None:
        control.save_now()
        control.preview_now()

    asked, _ = train_small(tmp_path / "asked", plain, Heard(Progress, 3, ask), control)
    assert list(asked.previews.iterdir())
    assert same(state_tensors(asked), state_tensors(quiet))


def test_a_run_leaves_the_global_generators_alone(tiny: Any, tmp_path: Path) -> None:
    before = torch.get_rng_state(), numpy.random.get_state(), random.getstate(), torch.is_grad_enabled()
    changes = with_changes(training={"evaluate_every_n_steps": 2}, preview={"every_n_steps": 2})
    changes["training"]["max_steps"] = 2
    train_small(tmp_path, tiny, **changes)
    assert torch.get_rng_state().equal(before[0])
    after = numpy.random.get_state()
    assert after[0] == before[1][0]
    assert numpy.array_equal(after[1], before[1][1])
    assert after[2:] == before[1][2:]
    assert random.getstate() == before[2]
    assert torch.is_grad_enabled() == before[3]


def test_another_seed_is_another_run(plain: PlainBackbone, tmp_path: Path) -> None:
    first, _ = train_small(tmp_path / "first", plain)
    again, _ = train_small(tmp_path / "again", plain)
    other, _ = train_small(tmp_path / "other", plain, training={"seed": 1})
    assert same(state_tensors(first), state_tensors(again))
    assert not same(state_tensors(first), state_tensors(other))


@pytest.mark.parametrize("flip", [False, True])
def test_the_vae_is_not_needed_after_the_cache_is_filled(flip: bool, plain: PlainBackbone, tmp_path: Path) -> None:
    at_start: list[int] = []
    listener = Heard(Evaluated, 0, lambda: at_start.append(plain.encodings))
    train_small(tmp_path, plain, listener, dataset={"flip": flip}, preview={"every_n_steps": 2})
    assert at_start == [14 if flip else 7]
    assert plain.encodings == at_start[0]


def test_latents_kept_on_disk_spare_the_vae(tmp_path: Path) -> None:
    first, second = PlainBackbone(), PlainBackbone()
    cached = {"dataset": {"cache_folder": str(tmp_path / "cache")}}
    one, _ = train_small(tmp_path / "one", first, **cached)
    two, _ = train_small(tmp_path / "two", second, **cached)
    assert (first.encodings, second.encodings) == (7, 0)
    assert same(state_tensors(one), state_tensors(two))


def test_damaged_latents_on_disk_are_told_once_and_made_again(plain: PlainBackbone, tmp_path: Path) -> None:
    cached = {"dataset": {"cache_folder": str(tmp_path / "cache")}}
    one, _ = train_small(tmp_path / "one", plain, **cached)
    damaged = sorted((tmp_path / "cache").glob("*.safetensors"))[0]
    damaged.write_bytes(damaged.read_bytes()[:100])
    heard = Heard()
    two, _ = train_small(tmp_path / "two", plain, heard, **cached)
    assert len([event for event in heard.of(Warned) if "is damaged" in event.message]) == 1
    assert plain.encodings == 8
    assert same(state_tensors(one), state_tensors(two))


@pytest.mark.parametrize("encoders", [("clip_l",), ("clip_l", "clip_g")])
def test_one_tensor_for_each_text_encoder_is_trained(encoders: tuple[str, ...], tmp_path: Path) -> None:
    backbone = PlainBackbone(encoders=encoders)
    seen: list[torch.Tensor] = []
    encode = backbone.encode_prompts

    def watched(prompts: Any, embeddings: Any, sizes: Any = None, *, emphasis: bool = False) -> Any:
        seen.extend(embeddings["zzgamma"].values())
        return encode(prompts, embeddings, sizes)

    backbone.encode_prompts = watched
    folder, _ = train_small(tmp_path, backbone, embedding={"num_vectors": 3})
    leaves = {id(tensor) for tensor in seen}
    assert len(leaves) == len(encoders)
    assert all(t.shape == (3, 4) and t.dtype == torch.float32 and t.requires_grad and t.is_leaf for t in seen)
    assert {name for name in state_tensors(folder) if name.startswith("vectors")} == {f"vectors.{e}" for e in encoders}
