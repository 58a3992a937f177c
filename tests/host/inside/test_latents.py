"""Pictures to latents: the host's own encoding, with the VAE of the run and not with whichever is loaded."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import lent, pixels, txt2img, write_vae
from train_gamma.errors import UserError


@pytest.fixture
def other_vae(webui: Any, tmp_path: Path) -> Iterator[Path]:
    """Another VAE, loaded by the host's own function; the checkpoint's own again afterwards."""
    from modules import sd_vae

    path = write_vae(tmp_path)
    sd_vae.reload_vae_weights(webui.sd_model, vae_file=str(path))
    yield path
    sd_vae.reload_vae_weights(webui.sd_model, vae_file=None)
    sd_vae.vae_dict.pop(path.name, None)


@torch.no_grad()
def by_the_host(model: Any, pictures: Tensor) -> Tensor:
    """The host's own sampled latents with a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        latents: Tensor = model.get_first_stage_encoding(model.encode_first_stage(pictures))
    return latents


def sampled(distribution: Any) -> Tensor:
    noise = torch.randn(distribution.mean.shape, generator=torch.Generator().manual_seed(4))
    latents: Tensor = distribution.mean + distribution.std * noise
    return latents


def test_latents_equal_the_hosts_own_encoding(webui: Any, unchanged: None) -> None:
    with lent() as backbone:
        found = backbone.encode_images(pixels())
        assert found.mean.dtype == found.std.dtype == torch.float32
        assert not found.mean.requires_grad
        torch.testing.assert_close(sampled(found), by_the_host(webui.sd_model, pixels()), rtol=0, atol=1e-6)


def test_a_batch_is_encoded_as_its_pictures_are(webui: Any) -> None:
    with lent() as backbone:
        together = backbone.encode_images(pixels(3))
        for index, picture in enumerate(pixels(3)):
            alone = backbone.encode_images(picture[None])
            torch.testing.assert_close(together.mean[index], alone.mean[0], rtol=1e-4, atol=1e-5)


def test_trap_0_9_and_13_19_the_loaded_vae_is_not_the_checkpoints(webui: Any, other_vae: Path) -> None:
    """Naive: encode with what is loaded. The latents then differ by far more than the posterior's deviation."""
    from modules import script_callbacks

    loaded_again: list[Any] = []
    script_callbacks.on_model_loaded(loaded_again.append)
    wrapper = webui.sd_model.cond_stage_model
    naive = by_the_host(webui.sd_model, pixels())
    with lent() as backbone:
        assert backbone.identity.vae_name == ""
        assert backbone.identity.vae_hash == backbone.identity.model_hash
        with backbone.lend("off"):
            found = sampled(backbone.encode_images(pixels()))
            torch.testing.assert_close(found, sampled(backbone.encode_images(pixels())), rtol=0, atol=0)
    script_callbacks.remove_callbacks_for_function(loaded_again.append)
    assert loaded_again == []  # naive: the host's reload_vae_weights tells every extension of a new model
    assert webui.sd_model.cond_stage_model is wrapper  # and makes another wrapper
    torch.testing.assert_close(by_the_host(webui.sd_model, pixels()), naive, rtol=0, atol=0)  # theirs is back

    from modules import sd_vae

    sd_vae.reload_vae_weights(webui.sd_model, vae_file=None)
    torch.testing.assert_close(found, by_the_host(webui.sd_model, pixels()), rtol=0, atol=1e-6)
    assert float((found - naive).abs().max()) > 0.05


def test_the_loaded_vae_is_used_when_it_is_asked_for(webui: Any, other_vae: Path, unchanged: None) -> None:
    with lent(vae="loaded") as backbone:
        assert backbone.identity.vae_name == "other.vae"
        assert backbone.identity.vae_hash == hashlib.sha256(other_vae.read_bytes()).hexdigest()
        found = sampled(backbone.encode_images(pixels()))
        torch.testing.assert_close(found, by_the_host(webui.sd_model, pixels()), rtol=0, atol=1e-6)


def test_a_file_is_used_when_it_is_named(webui: Any, tmp_path: Path) -> None:
    path = write_vae(tmp_path, "third.safetensors", change=0.2)
    from modules import sd_vae

    with nothing_changes(), lent(vae=str(path)) as backbone, backbone.lend("off"):
        assert backbone.identity.vae_name == "third"
        found = sampled(backbone.encode_images(pixels()))
    own = by_the_host(webui.sd_model, pixels())
    sd_vae.reload_vae_weights(webui.sd_model, vae_file=str(path))
    expected = by_the_host(webui.sd_model, pixels())
    sd_vae.reload_vae_weights(webui.sd_model, vae_file=None)
    sd_vae.vae_dict.pop(path.name, None)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(found, own, atol=1e-3)


def test_trap_8_own_weights_when_the_host_has_put_none_aside(
    webui: Any, other_vae: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naive: rely on ``sd_vae.base_vae``, which is of another checkpoint now and then; then keep what is loaded."""
    from modules import sd_vae

    base = sd_vae.base_vae
    assert base is not None
    with lent() as backbone, backbone.lend("off"):
        expected = sampled(backbone.encode_images(pixels()))
    monkeypatch.setattr(sd_vae, "base_vae", None)
    with lent() as backbone, backbone.lend("off"):
        torch.testing.assert_close(sampled(backbone.encode_images(pixels())), expected, rtol=0, atol=0)


def test_trap_8_the_vae_of_the_host_is_in_place_whenever_somebody_else_may_draw(webui: Any, other_vae: Path) -> None:
    """Naive: swap once for the run. Pictures of others, and previews, are then decoded with another VAE."""
    before = txt2img("a photo")
    weights = {name: value.clone() for name, value in webui.sd_model.first_stage_model.state_dict().items()}

    def in_place() -> bool:
        now = webui.sd_model.first_stage_model.state_dict()
        return all(torch.equal(weights[name], now[name]) for name in weights)

    with lent() as backbone:
        backbone.encode_images(pixels())
        assert in_place()  # outside of a loan, at once
        with backbone.lend("off"):
            backbone.encode_images(pixels())
            assert not in_place()
            backbone._turn._began -= 60  # type: ignore[attr-defined]
            backbone.give_way()
            assert in_place()
            backbone.encode_images(pixels())
        assert in_place()
    assert (txt2img("a photo") == before).all()


@pytest.fixture
def half_vae(webui: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The checkpoint's VAE in fp16, with weights that are too much for it: beyond 65504 before the first norm."""
    from modules import devices

    vae = webui.sd_model.first_stage_model
    kept = {name: value.detach().clone() for name, value in vae.state_dict().items()}
    weight = vae.encoder.conv_in.weight
    with torch.no_grad():
        weight.mul_(6e4 / weight.abs().max())
    vae.half()
    monkeypatch.setattr(devices, "dtype_vae", torch.float16)
    yield vae
    vae.float()
    vae.load_state_dict(kept)


def test_trap_8_and_13_20_latents_that_are_not_finite(webui: Any, half_vae: Any) -> None:
    """Naive: cache them. The host encodes in fp16 without a look, and every step from then on is NaN."""
    assert not bool(by_the_host(webui.sd_model, pixels().half()).isfinite().all())
    with nothing_changes(), lent() as backbone:
        found = backbone.encode_images(pixels())
        assert bool(found.mean.isfinite().all())
        assert bool(found.std.isfinite().all())
    half_vae.float()
    torch.testing.assert_close(sampled(found), by_the_host(webui.sd_model, pixels()), rtol=1e-2, atol=1e-2)


def test_latents_that_are_not_finite_in_any_precision_are_refused(webui: Any, half_vae: Any) -> None:
    with torch.no_grad():
        half_vae.encoder.conv_out.bias[0] = float("nan")
    with nothing_changes(), lent() as backbone, pytest.raises(UserError, match="not finite, even in fp32"):
        backbone.encode_images(pixels())


def test_a_vae_that_does_not_fit_is_refused(webui: Any, tmp_path: Path, unchanged: None) -> None:
    import safetensors.torch

    path = tmp_path / "wrong.safetensors"
    state = dict(webui.sd_model.first_stage_model.state_dict())
    name = "encoder.conv_in.weight"
    state[name] = torch.zeros(3, 3, 3, 3)
    safetensors.torch.save_file({key: value.contiguous() for key, value in state.items()}, path)
    with (
        lent(vae=str(path)) as backbone,
        backbone.lend("off"),
        pytest.raises(
            UserError,
            match=r"does not fit this model \(size mismatch for encoder\.conv_in.*Choose a VAE made for SD 1\.x",
        ),
    ):
        backbone.encode_images(pixels())


def test_a_vae_file_that_is_not_there_is_refused(webui: Any, tmp_path: Path, unchanged: None) -> None:
    with pytest.raises(UserError, match="does not exist"), lent(vae=str(tmp_path / "none.pt")):
        pass


def test_trap_0_2_a_pickle_that_the_host_refuses_without_raising(webui: Any, tmp_path: Path, unchanged: None) -> None:
    """Naive: use what torch.load returns. The host's replacement returns None for files of a recent torch."""
    path = tmp_path / "vae.pt"
    torch.save({"state_dict": dict(webui.sd_model.first_stage_model.state_dict())}, path)
    with (
        lent(vae=str(path)) as backbone,
        backbone.lend("off"),
        pytest.raises(UserError, match=r"cannot be read"),
    ):
        backbone.encode_images(pixels())
