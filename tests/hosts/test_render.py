"""Previews: the samplers against planted truth and a second derivation, and what they leave untouched."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tiny import SCHEDULER, tiny_backbone, tiny_parts
from train_gamma.backbone import Conditioning, RenderRequest
from train_gamma.errors import UserError
from train_gamma.hosts.diffusers_backbone import DiffusersBackbone
from train_gamma.hosts.render import SAMPLERS, make_scheduler, sample
from train_gamma.hosts.vae import Vae

KINDS = ("epsilon", "v_prediction")
SMALL = RenderRequest("a zib", "bad", width=64, height=64, steps=3)
VECTORS = {"zib": {"clip_l": torch.linspace(-1, 1, 64).reshape(2, 32)}}


def alpha_bar() -> Tensor:
    """SD's schedule, worked out in float64: betas are linear in their square root (Rombach et al. 2022, ldm)."""
    return (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0)


def test_alphas_cumprod_are_those_of_stable_diffusion() -> None:
    backbone = tiny_backbone()
    assert (backbone.alphas_cumprod.shape, backbone.alphas_cumprod.dtype) == ((1000,), torch.float32)
    torch.testing.assert_close(backbone.alphas_cumprod.double(), alpha_bar(), rtol=2e-5, atol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_finds_the_picture_that_a_perfect_model_knows(sampler: str, kind: str) -> None:
    x_0 = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(8))

    def perfect(x_t: Tensor, t: Tensor, _conditioning: Conditioning) -> Tensor:
        a = torch.tensor(np.interp(t.numpy(), np.arange(1000), alpha_bar().numpy()), dtype=torch.float32)[
            :, None, None, None
        ]
        epsilon = (x_t - a.sqrt() * x_0) / (1 - a).sqrt()
        return epsilon if kind == "epsilon" else a.sqrt() * epsilon - (1 - a).sqrt() * x_0  # Salimans & Ho 2022

    request = RenderRequest("", steps=12, seed=4, sampler=sampler)
    scheduler = make_scheduler(sampler, {**SCHEDULER, "prediction_type": kind})
    found = sample(perfect, request, Conditioning(torch.zeros(1, 77, 8)), scheduler, (4, 8, 8))
    # what may be left is the noise of the lowest level, sqrt(1 - alpha_bar[0]) = 0.029
    assert (found - x_0).square().mean().sqrt() < 0.05


def ddim_by_hand(backbone: DiffusersBackbone, request: RenderRequest, kind: str) -> Tensor:
    """DDIM with eta 0 (Song et al. 2021, eq. 12) in float64, at SD's leading timesteps shifted by one."""
    a, stride = alpha_bar(), 1000 // request.steps
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(request.seed)).double()
    for t in [index * stride + 1 for index in reversed(range(request.steps))]:
        guided = []
        for prompt in (request.negative_prompt, request.prompt):
            conditioning = backbone.encode_prompts([prompt], VECTORS)
            guided.append(backbone.predict(x.float(), torch.tensor([t]), conditioning).double())
        output = guided[0] + request.guidance_scale * (guided[1] - guided[0])
        now, after = a[t], a[max(t - stride, 0)]
        epsilon = output if kind == "epsilon" else now.sqrt() * output + (1 - now).sqrt() * x
        x_0 = (x - (1 - now).sqrt() * epsilon) / now.sqrt()
        x = after.sqrt() * x_0 + (1 - after).sqrt() * epsilon
    return x.float()


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_ddim_picture_equals_one_made_by_hand(kind: str) -> None:
    unet, vae, encoder = tiny_parts()
    schedule = {**SCHEDULER, "prediction_type": kind}
    backbone = tiny_backbone(unet=unet, vae=vae, text_encoders={"clip_l": encoder}, scheduler_config=schedule)
    assert backbone.prediction == ("epsilon" if kind == "epsilon" else "v")
    request = RenderRequest("a zib", "bad hat", 64, 64, steps=5, guidance_scale=3.0, seed=7)
    latents = ddim_by_hand(backbone, request, kind)
    decoded = vae.decode(latents / 0.18215).sample[0]
    expected = ((decoded / 2 + 0.5).clamp(0, 1) * 255).permute(1, 2, 0).numpy()
    picture = np.asarray(backbone.render(request, VECTORS)).astype(float)
    assert picture.std() > 10
    assert np.abs(picture - expected).max() < 2


def test_same_seed_same_picture_and_other_seed_another() -> None:
    backbone = tiny_backbone()
    pictures = [backbone.render(RenderRequest("a", width=64, height=64, steps=2, seed=seed), {}) for seed in (1, 1, 2)]
    assert pictures[0].tobytes() == pictures[1].tobytes() != pictures[2].tobytes()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_global_random_states_are_left_alone(sampler: str) -> None:
    backbone = tiny_backbone()
    before = (torch.get_rng_state(), np.random.get_state(), random.getstate())
    request = RenderRequest("a", width=64, height=64, steps=2, sampler=sampler)
    pictures = []
    for disturbance in (1, 2):
        torch.set_rng_state(torch.Generator().manual_seed(disturbance).get_state())
        state = torch.get_rng_state()
        pictures.append(backbone.render(request, {}).tobytes())
        assert torch.equal(torch.get_rng_state(), state)
    torch.set_rng_state(before[0])
    assert pictures[0] == pictures[1]
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), before[1], strict=True))
    assert random.getstate() == before[2]


def test_size_is_as_asked_and_chunk_counts_may_differ() -> None:
    backbone = tiny_backbone()
    picture = backbone.render(RenderRequest("cat " * 100, "", width=72, height=96, steps=1), {})
    assert (picture.size, picture.mode) == ((72, 96), "RGB")


def test_empty_prompt_is_fine() -> None:
    assert tiny_backbone().render(RenderRequest("", "", 64, 64, 1), {}).size == (64, 64)


def test_without_guidance_there_is_no_negative_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_backbone()
    sizes: list[int] = []
    predict = backbone.predict

    def counted(x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        sizes.append(len(x_t))
        return predict(x_t, t, conditioning)

    monkeypatch.setattr(backbone, "predict", counted)
    for scale in (1.0, 2.0):
        backbone.render(RenderRequest("a", "b", 64, 64, 2, guidance_scale=scale), {})
    assert sizes == [1, 1, 2, 2]


def test_vectors_change_the_picture_and_get_no_gradient() -> None:
    backbone = tiny_backbone()
    vectors = VECTORS["zib"]["clip_l"].clone().requires_grad_()
    with_vectors = backbone.render(SMALL, {"zib": {"clip_l": vectors}})
    with_others = backbone.render(SMALL, {"zib": {"clip_l": -vectors}})
    assert with_vectors.tobytes() != with_others.tobytes()
    assert vectors.grad is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 100}, "Width .* multiple of 8, got 100. Try 96."),
        ({"height": 0}, "Height .* multiple of 8, got 0. Try 8."),
        ({"steps": 0}, "between 1 and 999, got 0"),
        ({"steps": 1000}, "between 1 and 999, got 1000"),
        ({"sampler": "plms"}, "'plms' is not known. Use one of ddim, euler, euler_a, dpmpp_2m"),
    ],
)
def test_impossible_previews_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_backbone().render(RenderRequest("a", **changes), {})  # type: ignore[arg-type]


def test_model_that_predicts_something_else_is_refused() -> None:
    with pytest.raises(UserError, match="predicts 'sample'"):
        tiny_backbone(scheduler_config={**SCHEDULER, "prediction_type": "sample"})


def test_damaged_model_gives_no_black_preview() -> None:
    _, vae, _ = tiny_parts()
    torch.nn.init.constant_(vae.decoder.conv_out.weight, float("nan"))
    with pytest.raises(UserError, match="not finite"):
        Vae(vae).decode(torch.zeros(1, 4, 8, 8))
