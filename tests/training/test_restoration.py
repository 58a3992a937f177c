"""However a run ends, the model is what it was, and what was learned is on the disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import tiny_backbone, tiny_parts
from tests.training.runs import Heard, Raiser, embedding_vectors, only_run, state_numbers, state_tensors, train_small
from train_gamma.training.events import Control, Evaluated, Finished, Previewed, Progress, Saved

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)

STEPS: dict[str, Any] = {
    "training": {"max_steps": 4, "evaluate_every_n_steps": 2, "max_nonfinite_steps": 2},
    "preview": {"every_n_steps": 2},
    "output": {"save_every_n_steps": 1},
}


@pytest.fixture(scope="module")
def lent() -> tuple[Any, tuple[Any, ...]]:
    """A backbone and its models, in a mixed state that no run would choose by itself."""
    unet, vae, text_encoder = tiny_parts()
    unet.train()
    unet.enable_gradient_checkpointing()
    vae.decoder.train()
    unet.conv_in.requires_grad_(False)
    text_encoder.requires_grad_(False)
    unet.conv_out.register_forward_hook(lambda *_: None)
    models = (unet, vae, text_encoder)
    return tiny_backbone(unet=unet, vae=vae, text_encoders={"clip_l": text_encoder}), models


def fingerprint(models: tuple[Any, ...]) -> dict[str, Any]:
    """Everything about the models that a run could leave changed."""
    facts: dict[str, Any] = {}
    for number, model in enumerate(models):
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            bits = hashlib.sha256(tensor.detach().numpy().tobytes()).hexdigest()
            facts[f"{number}.{name}"] = (bits, tensor.requires_grad, tensor.grad is None, tensor.dtype, id(tensor))
        for name, module in model.named_modules():
            hooks = tuple(len(getattr(module, kind)) for kind in HOOKS)
            checkpointing = getattr(module, "gradient_checkpointing", None)
            facts[f"{number}.{name}()"] = (module.training, hooks, checkpointing, "forward" in module.__dict__)
    return facts


def assert_saved(root: Path, step: int, finished: bool) -> None:
    """The state and the embedding are those of the last good step."""
    folder = only_run(root)
    vectors = state_tensors(folder)["vectors.clip_l"]
    path = folder.path / "zzgamma.safetensors" if finished else folder.copy("zzgamma", step, "safetensors")
    assert state_numbers(folder)["step"] == step
    assert embedding_vectors(path).equal(vectors)
    assert torch.isfinite(vectors).all()
    assert not list(folder.path.rglob("*.tmp"))


def after_calls(count: int, predict: Callable[..., Any], then: Callable[..., Any]) -> Callable[..., Any]:
    """``predict``, which from the training call after ``count`` others on does ``then`` instead."""
    calls: list[int] = []

    def wrapped(*arguments: Any) -> Any:
        if torch.is_grad_enabled():
            calls.append(1)
            if len(calls) > count:
                return then(*arguments)
        return predict(*arguments)

    return wrapped


def test_a_run_to_its_end_changes_nothing_of_the_model(lent: Any, tmp_path: Path) -> None:
    backbone, models = lent
    before = fingerprint(models)
    inside: list[bool] = []

    def look() -> None:
        parameters = [parameter for model in models for parameter in model.parameters()]
        modules = [module for model in models for module in model.modules()]
        inside.append(
            any(p.requires_grad or p.grad is not None for p in parameters) or any(m.training for m in modules)
        )

    train_small(tmp_path, backbone, Heard(Progress, 3, look), **STEPS)
    assert inside == [False]
    assert fingerprint(models) == before
    assert_saved(tmp_path, 4, finished=True)


def test_a_stop_changes_nothing_of_the_model(lent: Any, tmp_path: Path) -> None:
    backbone, models = lent
    before, control = fingerprint(models), Control()
    train_small(tmp_path, backbone, Heard(Progress, 2, control.stop), control, **STEPS)
    assert fingerprint(models) == before
    assert_saved(tmp_path, 2, finished=True)


def test_too_many_losses_that_are_not_finite_change_nothing_of_the_model(
    lent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, models = lent
    before, predict = fingerprint(models), backbone.predict
    broken = after_calls(2, predict, lambda *arguments: predict(*arguments) * torch.nan)
    monkeypatch.setattr(backbone, "predict", broken)
    _, finished = train_small(tmp_path, backbone, **STEPS)
    assert (finished.step, finished.reason) == (2, "not finite")
    assert fingerprint(models) == before
    assert_saved(tmp_path, 2, finished=True)


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_an_exception_in_the_third_step_changes_nothing_of_the_model(
    error: BaseException, lent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, models = lent
    before, heard = fingerprint(models), Heard()
    monkeypatch.setattr(backbone, "predict", after_calls(2, backbone.predict, Raiser(error)))
    with pytest.raises(type(error)):
        train_small(tmp_path, backbone, heard, **STEPS)
    assert fingerprint(models) == before
    assert_saved(tmp_path, 2, finished=False)
    assert heard.events[-1] == Finished(2, "failed", only_run(tmp_path).copy("zzgamma", 2, "safetensors"))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Progress, ZeroDivisionError()),
        (Evaluated, KeyboardInterrupt()),
        (Saved, KeyboardInterrupt()),
        (Previewed, ZeroDivisionError()),
    ],
)
def test_a_listener_that_raises_changes_nothing_of_the_model(
    kind: type, error: BaseException, lent: Any, tmp_path: Path
) -> None:
    backbone, models = lent
    before = fingerprint(models)
    with pytest.raises(type(error)):
        train_small(tmp_path, backbone, Heard(kind, 2, Raiser(error)), **STEPS)
    assert fingerprint(models) == before
    assert_saved(tmp_path, 2, finished=False)


def test_a_failing_picture_encoder_changes_nothing_of_the_model(
    lent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, models = lent
    before = fingerprint(models)
    monkeypatch.setattr(backbone, "encode_images", Raiser(RuntimeError("out of memory")))
    with pytest.raises(RuntimeError, match="out of memory"):
        train_small(tmp_path, backbone, **STEPS)
    assert fingerprint(models) == before
