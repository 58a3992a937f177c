"""Latents of pictures, against the library's own path, and what happens where half precision overflows."""

import pytest
import torch

from tests.tiny import tiny_backbone, tiny_parts
from train_gamma.errors import UserError
from train_gamma.hosts.vae import Vae


def pixels(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 64, 96, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_mean_and_deviation_are_the_scaled_ones_of_the_library() -> None:
    _, vae, _ = tiny_parts()
    latents = tiny_backbone().encode_images(pixels())
    with torch.no_grad():
        mean, log_variance = vae.quant_conv(vae.encoder(pixels())).chunk(2, dim=1)
    assert latents.mean.shape == (2, 4, 8, 12)
    torch.testing.assert_close(latents.mean, mean * 0.18215)
    torch.testing.assert_close(latents.std, log_variance.exp().sqrt() * 0.18215)
    assert not latents.mean.requires_grad


def test_half_precision_gives_float32_latents_near_the_exact_ones() -> None:
    exact = tiny_backbone().encode_images(pixels())
    half = Vae(tiny_parts()[1].half()).encode(pixels())
    assert half.mean.dtype == half.std.dtype == torch.float32
    assert 0 < (half.mean - exact.mean).abs().max() < 0.05


def test_overflow_in_half_precision_is_encoded_again_in_float32() -> None:
    _, vae, _ = tiny_parts()
    # the sum before quant_conv leaves fp16's range, 65504, and comes back into it afterwards
    vae.encoder.conv_out.weight.data.mul_(1e6)
    vae.quant_conv.weight.data.mul_(1e-6)
    vae.half()
    weights = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    latents = Vae(vae).encode(pixels())
    assert bool(latents.mean.isfinite().all())
    assert vae.dtype == torch.float16
    assert all(torch.equal(tensor, weights[name]) for name, tensor in vae.state_dict().items())


def test_damaged_vae_is_refused() -> None:
    _, vae, _ = tiny_parts()
    vae.encoder.conv_in.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="not finite, even in fp32"):
        Vae(vae).encode(pixels())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_backbone_takes_and_gives_float32(dtype: torch.dtype) -> None:
    unet, vae, encoder = (part.to(dtype) for part in tiny_parts())
    backbone = tiny_backbone(unet=unet, vae=vae, text_encoders={"clip_l": encoder})
    vectors = torch.full((2, 32), 0.1, requires_grad=True)
    x_t = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    exact = tiny_backbone()
    with backbone.lend(), exact.lend():
        prompts, embeddings = ["a zib", "hat"], {"zib": {"clip_l": vectors}}
        output = backbone.predict(x_t, torch.tensor([3, 700]), backbone.encode_prompts(prompts, embeddings))
        (output * 1024).square().mean().backward()
        expected = exact.predict(x_t, torch.tensor([3, 700]), exact.encode_prompts(prompts, embeddings))
    assert backbone.dtype == dtype
    assert output.dtype == torch.float32
    assert vectors.grad is not None
    assert vectors.grad.dtype == torch.float32
    assert vectors.grad.norm() > 0
    assert (output - expected).abs().max() < 0.1
