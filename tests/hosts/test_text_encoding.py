"""The text encoder's output, against the library's own path and against the full vocabulary matrix."""

import copy
import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.tiny import IDENTITY, TEXT, float64_by_default, tiny_backbone, tiny_parts, tiny_tokenizer
from train_gamma.errors import UserError
from train_gamma.hosts.diffusers_backbone import DiffusersBackbone

SIX_LAYERS = {**TEXT, "num_hidden_layers": 6}


def padded_ids(text: str) -> Tensor:
    ids = tiny_tokenizer().encode(text)
    return torch.tensor([[49406, *ids, *[49407] * (76 - len(ids))]])


def inner(encoder: nn.Module) -> Any:
    return getattr(encoder, "text_model", encoder)


def random_vectors(*sizes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(size, 32, generator=generator).mul(0.2).requires_grad_() for size in sizes]


@pytest.mark.parametrize("text", ["", "a cat", "a Photo of girl, red hair (quality:1.2), " * 5, "cat " * 75])
def test_prompt_without_embeddings_gives_what_the_library_gives(text: str) -> None:
    _, _, encoder = tiny_parts()
    backbone = tiny_backbone()
    with torch.no_grad():
        expected = encoder.eval()(input_ids=padded_ids(text)).last_hidden_state
        context = backbone.encode_prompts([text], {}).context
    torch.testing.assert_close(context, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_clip_skip_takes_an_earlier_layer_and_the_final_norm(clip_skip: int) -> None:
    _, _, encoder = tiny_parts(text=SIX_LAYERS)
    identity = dataclasses.replace(IDENTITY, clip_skip=clip_skip)
    backbone = tiny_backbone(text_encoders={"clip_l": encoder}, identity=identity)
    with torch.no_grad():
        hidden = encoder.eval()(input_ids=padded_ids("a cat"), output_hidden_states=True).hidden_states
        expected = inner(encoder).final_layer_norm(hidden[-clip_skip])
        context = backbone.encode_prompts(["a cat"], {}).context
    torch.testing.assert_close(context, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("clip_skip", [0, 3])
def test_clip_skip_beyond_the_layers_is_refused(clip_skip: int) -> None:
    with pytest.raises(UserError, match="between 1 and 2"):
        tiny_backbone(identity=dataclasses.replace(IDENTITY, clip_skip=clip_skip))


def test_long_prompts_are_encoded_chunk_by_chunk_and_short_ones_padded() -> None:
    backbone = tiny_backbone()
    first, second = "cat " * 75, "dog " * 5
    with torch.no_grad():
        context = backbone.encode_prompts([first + second, "hat"], {}).context
        parts = [backbone.encode_prompts([text], {}).context for text in (first, second, "hat", "")]
    assert context.shape == (2, 154, 32)
    torch.testing.assert_close(context[0], torch.cat([parts[0][0], parts[1][0]]), rtol=0, atol=1e-6)
    torch.testing.assert_close(context[1], torch.cat([parts[2][0], parts[3][0]]), rtol=0, atol=1e-6)


def test_vectors_that_equal_token_rows_change_nothing() -> None:
    backbone = tiny_backbone()
    ids = tiny_tokenizer().encode("red hair")
    rows = backbone.token_tables()["clip_l"][ids]
    with torch.no_grad():
        expected = backbone.encode_prompts(["a red hair, smile"], {}).context
        context = backbone.encode_prompts(["a ZIB, smile"], {"zib": {"clip_l": rows}}).context
    torch.testing.assert_close(context, expected, rtol=0, atol=1e-6)


def full_matrix_gradients(parts: tuple[Any, Any, Any], ids: Tensor, rows: Tensor, t: Tensor, x_t: Tensor) -> Tensor:
    """The gradient of a whole vocabulary matrix with the rows at its end, by the library's forward pass alone."""
    unet, _, encoder = copy.deepcopy(parts)
    table = inner(encoder).embeddings.token_embedding
    table.weight = nn.Parameter(torch.cat([table.weight.detach(), rows]))
    with float64_by_default():
        context = encoder(input_ids=ids).last_hidden_state.reshape(len(x_t), -1, 32)
        output = unet(x_t, t, encoder_hidden_states=context).sample
    (output - target(x_t)).square().mean().backward()
    return table.weight.grad


def target(x_t: Tensor) -> Tensor:
    return torch.randn(x_t.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float32).to(x_t)


def test_gradient_of_the_rows_equals_that_of_the_full_vocabulary_matrix() -> None:
    parts = tuple(part.double().eval() for part in tiny_parts())
    backbone = DiffusersBackbone(
        parts[0], parts[1], {"clip_l": parts[2]}, tiny_tokenizer(), {"num_train_timesteps": 1000}, IDENTITY
    )
    zib, mop = random_vectors(3, 1)
    prompts = ["a zib, red hair and zib", "mop " + "cat " * 73 + "zib dog"]
    generator = torch.Generator().manual_seed(1)
    x_t, t = torch.randn(2, 4, 8, 8, generator=generator).double(), torch.tensor([900, 60])
    with backbone.lend(), float64_by_default():
        conditioning = backbone.encode_prompts(prompts, {"zib": {"clip_l": zib}, "mop": {"clip_l": mop}})
        output = backbone.predict(x_t, t, conditioning)
        (output - target(x_t).float()).square().mean().backward()

    encode, new = tiny_tokenizer().encode, [49408, 49409, 49410]
    chunks = [
        [*encode("a"), *new, *encode(", red hair and"), *new],
        [],
        [49411, *encode("cat " * 73)],
        [*new, *encode("dog")],
    ]
    ids = torch.tensor([[49406, *chunk, *[49407] * (76 - len(chunk))] for chunk in chunks])
    expected = full_matrix_gradients(parts, ids, torch.cat([zib, mop]).detach().double(), t, x_t)[49408:]
    actual = torch.cat([zib.grad, mop.grad]).double()
    assert expected.norm(dim=1).min() > 1e-4  # no row's gradient is nothing, so the comparison means something
    assert ((actual - expected).norm() / expected.norm()).item() < 1e-6


def test_only_the_vectors_get_gradients_even_outside_of_a_loan() -> None:
    parts = tiny_parts()
    backbone = tiny_backbone(unet=parts[0], text_encoders={"clip_l": parts[2]})
    (zib,) = random_vectors(2)
    context = backbone.encode_prompts(["a zib"], {"zib": {"clip_l": zib}}).context
    context.square().sum().backward()
    assert zib.grad is not None
    assert inner(parts[2]).embeddings.token_embedding.weight.grad is None


def test_another_clip_skip_shares_the_model() -> None:
    parts = tiny_parts()
    backbone = tiny_backbone(unet=parts[0], text_encoders={"clip_l": parts[2]})
    other = backbone.with_clip_skip(2)
    assert (backbone.identity.clip_skip, other.identity.clip_skip) == (1, 2)
    assert other.token_tables()["clip_l"].data_ptr() == backbone.token_tables()["clip_l"].data_ptr()
    assert torch.equal(other.alphas_cumprod, backbone.alphas_cumprod)
    assert not torch.allclose(other.encode_prompts(["a"], {}).context, backbone.encode_prompts(["a"], {}).context)
    with pytest.raises(UserError, match="Clip skip must be between"):
        backbone.with_clip_skip(99)


def test_causal_mask_keeps_what_stands_before_the_embedding_unchanged() -> None:
    backbone = tiny_backbone()
    one, two = random_vectors(2, 2)
    with torch.no_grad():
        first = backbone.encode_prompts(["a red zib hat"], {"zib": {"clip_l": one}}).context
        second = backbone.encode_prompts(["a red zib hat"], {"zib": {"clip_l": two}}).context
    assert torch.equal(first[:, :3], second[:, :3])
    assert (first[:, 3:] - second[:, 3:]).abs().amax(dim=-1).min() > 1e-4


def test_embedding_longer_than_a_chunk_is_refused() -> None:
    with pytest.raises(UserError, match="'zib' has 76 vectors.*75"):
        tiny_backbone().encode_prompts(["zib"], {"zib": {"clip_l": torch.zeros(76, 32)}})


@pytest.mark.parametrize(
    ("vectors", "found"),
    [
        ({"clip_l": torch.zeros(2, 768)}, "768 wide for clip_l"),
        ({"clip_l": torch.zeros(2, 32), "clip_g": torch.zeros(2, 64)}, "32 wide for clip_l, 64 wide for clip_g"),
    ],
)
def test_embedding_of_another_kind_of_model_is_refused(vectors: dict[str, Tensor], found: str) -> None:
    with pytest.raises(UserError, match=f"'zib'.*its vectors are {found}, those of 'tiny' are 32 wide for clip_l"):
        tiny_backbone().encode_prompts(["zib"], {"zib": vectors})


def test_encoder_is_as_it_was_after_encoding_and_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, encoder = tiny_parts(text=SIX_LAYERS)
    backbone = tiny_backbone(text_encoders={"clip_l": encoder}, identity=dataclasses.replace(IDENTITY, clip_skip=3))
    layers, token_embedding = inner(encoder).encoder.layers, inner(encoder).embeddings.token_embedding
    backbone.encode_prompts(["a zib"], {"zib": {"clip_l": torch.zeros(2, 32)}})
    with monkeypatch.context() as patched:
        patched.setattr(inner(encoder).final_layer_norm, "forward", None)
        with pytest.raises(TypeError):
            backbone.encode_prompts(["a zib"], {"zib": {"clip_l": torch.zeros(2, 32)}})
    assert inner(encoder).encoder.layers is layers
    assert len(layers) == 6
    assert inner(encoder).embeddings.token_embedding is token_embedding
    assert not token_embedding._forward_hooks


def test_prompts_in_a_batch_do_not_touch_each_other() -> None:
    backbone = tiny_backbone()
    (zib,) = random_vectors(2)
    prompts = ["a zib", "hat, zib zib", "cat"]
    with torch.no_grad():
        together = backbone.encode_prompts(prompts, {"zib": {"clip_l": zib}}).context
        apart = torch.cat([backbone.encode_prompts([prompt], {"zib": {"clip_l": zib}}).context for prompt in prompts])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)
