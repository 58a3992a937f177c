"""What the UNet is told in training is, number by number, what the host itself tells it for the same prompt."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import embed, forget, gradient, lent, rows

NAME = "zorb"
WORDS = [
    "a",
    "photo",
    "of",
    "the",
    "girl",
    "with",
    "red",
    "hair",
    "and",
    "blue",
    "eyes",
    "standing",
    "in",
    "front",
    "of",
    "a",
    "house",
    "at",
    "night",
    "under",
    "the",
    "stars",
]
LONG = ", ".join(f"{first} {second}" for first, second in itertools.product(WORDS[3:9], WORDS[9:17]))  # over 75 tokens

PLAIN = [
    NAME,
    f"a photo of {NAME}",
    f"{NAME}, red hair, blue eyes",
    f"{NAME.upper()} in capital letters",
    f"{NAME}{NAME} twice without a space",
    f"{NAME} and {NAME} twice",
    "no name at all",
    "",
    " ",
    f"  {NAME}  spaces  ",
    f"ümläuts, 日本語, emoji 🙂, {NAME}",
    f"{NAME}'s hat; it's \"red\"",
    f"newline\n{NAME}\ttab",
    f"a <lora:none:1> {NAME}",
    f"under_score {NAME}_tail",
    f"{LONG}, {NAME}",
    f"{NAME}, {LONG}",
    f"{LONG}, {NAME}, {LONG}",
    " ".join(["word"] * 73) + f" {NAME}",  # exactly at the end of the first chunk
    " ".join(["word"] * 74) + f" {NAME}",  # two rows, one place: moved to the next chunk
    " ".join(["word"] * 75) + f" {NAME}",
    ", ".join(["word"] * 37) + f" {NAME}",
    ",".join(["word"] * 40) + f",{NAME},more",
    "word " * 60 + "a, b, c, d, e, f, g, h " + NAME,  # torn at a comma
    f"{NAME}, fren",  # another embedding, of one row
    f"fren {NAME} longfren",
    "longfren " * 12 + NAME,  # ten rows each: they do not fit into one chunk
]

EMPHASISED = [
    f"({NAME})",
    f"(({NAME}))",
    f"({NAME}:1.4), red hair",
    f"[{NAME}]",
    f"a (photo of {NAME}:0.7) in (((rain)))",
    f"a \\(photo\\) of {NAME}",
    f"artist (style), {NAME}",
    f"({LONG}:1.2), {NAME}",
    f"(fren:1.3) {NAME}",
    f"{NAME} BREAK red hair",
    f"BREAK {NAME}",
    f"{NAME} BREAK BREAK blue",
    f"({NAME} BREAK red:1.2)",
    f"{LONG} BREAK {NAME}",
    f"(unclosed {NAME}",
    f"closed) {NAME}]",
    f"[a:b:0.5] {NAME}",
    f"({NAME}:1.5e3)",
    f"({NAME}:-1)",
    f"(:1.2) {NAME}",
    f"[[[{NAME}]]], [(mixed]) nesting)",
    f"BREAKfast {NAME}",
    "(word:2) " + "word " * 80 + NAME,
]

PROMPTS = PLAIN + EMPHASISED
assert len(PROMPTS) == 50


@pytest.fixture(autouse=True)
def _others(webui: Any) -> Iterator[None]:
    """Two other embeddings that prompts may name."""
    embed("fren", rows(1, seed=21))
    embed("longfren", rows(10, seed=22))
    yield
    forget("fren")
    forget("longfren")


def by_the_host(prompt: str, vectors: Tensor, **settings: Any) -> Tensor:
    """The host's own way: the embedding in its database, the settings set, and its own call."""
    from modules import devices, shared

    embed(NAME, vectors)
    before = dict(shared.opts.data)
    shared.opts.data.update(settings)
    try:
        with devices.autocast(), torch.no_grad():
            conditioning: Tensor = shared.sd_model.get_learned_conditioning([prompt])
    finally:
        shared.opts.data.clear()
        shared.opts.data.update(before)
        forget(NAME)
    return conditioning


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_literal_captions_equal_the_hosts_conditioning_without_emphasis(webui: Any, clip_skip: int) -> None:
    vectors = rows()
    with lent(clip_skip=clip_skip) as backbone, backbone.lend("off"):
        for prompt in PROMPTS:
            ours = backbone.encode_prompts([prompt], {NAME: {"clip_l": vectors}}).context
            theirs = by_the_host(prompt, vectors, emphasis="None", CLIP_stop_at_last_layers=clip_skip)
            assert torch.equal(ours, theirs), prompt


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
@pytest.mark.parametrize("emphasis", ["Original", "No norm", "Ignore", "None"])
def test_prompts_with_emphasis_equal_the_hosts_conditioning(
    webui: Any, monkeypatch: pytest.MonkeyPatch, clip_skip: int, emphasis: str
) -> None:
    vectors = rows()
    monkeypatch.setitem(webui.opts.data, "emphasis", emphasis)
    with lent(clip_skip=clip_skip) as backbone, backbone.lend("off"):
        for prompt in PROMPTS:
            ours = backbone.encode_prompts([prompt], {NAME: {"clip_l": vectors}}, emphasis=True).context
            theirs = by_the_host(prompt, vectors, CLIP_stop_at_last_layers=clip_skip)
            assert torch.equal(ours, theirs), prompt


def test_a_prompt_means_the_same_whatever_shares_its_batch(webui: Any) -> None:
    vectors = rows()
    with lent() as backbone, backbone.lend("off"):
        for emphasis in (False, True):
            batch = [f"({NAME}:1.5)", f"{LONG}, {NAME}", "((((red))))", NAME]
            together = backbone.encode_prompts(batch, {NAME: {"clip_l": vectors}}, emphasis=emphasis).context
            for prompt, found in zip(batch, together, strict=True):
                alone = backbone.encode_prompts([prompt], {NAME: {"clip_l": vectors}}, emphasis=emphasis).context[0]
                torch.testing.assert_close(found[: len(alone)], alone, rtol=0, atol=2e-5)
                empty = backbone.encode_prompts([""], {}, emphasis=emphasis).context[0]
                if len(found) > len(alone):
                    torch.testing.assert_close(found[len(alone) :], empty, rtol=0, atol=2e-5)


@pytest.mark.parametrize("emphasis", [False, True])
@pytest.mark.parametrize("prompt", [f"a photo of {NAME}", f"({NAME}:1.3), red", PLAIN[18], PLAIN[19], PLAIN[23]])
def test_the_gradient_of_the_rows_is_that_of_the_hosts_own_call(
    webui: Any, monkeypatch: pytest.MonkeyPatch, prompt: str, emphasis: bool
) -> None:
    vectors = rows()
    probe = torch.randn(1, 154, 64, generator=torch.Generator().manual_seed(5))
    with lent(clip_skip=2) as backbone, backbone.lend("off"):
        leaf = vectors.clone().requires_grad_(True)
        ours = backbone.encode_prompts([prompt], {NAME: {"clip_l": leaf}}, emphasis=emphasis).context
        (found,) = torch.autograd.grad((ours * probe[:, : ours.shape[1]]).sum(), leaf)

        plain = vectors.clone().requires_grad_(True)
        embed(NAME, plain)
        monkeypatch.setitem(webui.opts.data, "CLIP_stop_at_last_layers", 2)
        if not emphasis:
            monkeypatch.setitem(webui.opts.data, "emphasis", "None")
        theirs = webui.sd_model.get_learned_conditioning([prompt])
        (expected,) = torch.autograd.grad((theirs * probe[:, : theirs.shape[1]]).sum(), plain)
        forget(NAME)
    assert torch.equal(found, expected)
    assert float(found.abs().max()) > 0


def test_the_gradient_is_that_of_finite_differences(webui: Any) -> None:
    """Through text encoder, UNet and loss, along random directions."""
    vectors = rows().double().float()
    generator = torch.Generator().manual_seed(11)
    x_t, wanted = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))

    def loss(at: Tensor) -> float:
        conditioning = backbone.encode_prompts([f"a {NAME}"], {NAME: {"clip_l": at}})
        error = backbone.predict(x_t, torch.tensor([400]), conditioning) - wanted
        return float(error.double().square().mean())

    with lent() as backbone, backbone.lend("off"):
        slope = gradient(backbone, f"a {NAME}", vectors, NAME)
        direction = slope / slope.norm()
        size = 0.02
        with torch.no_grad():
            measured = (loss(vectors + size * direction) - loss(vectors - size * direction)) / (2 * size)
    assert measured == pytest.approx(float(slope.norm()), rel=0.02)


def test_no_gradient_of_the_vocabulary_is_kept(webui: Any) -> None:
    with lent() as backbone, backbone.lend("off"):
        gradient(backbone, NAME, rows(), NAME)
        assert [name for name, p in webui.sd_model.named_parameters() if p.grad is not None or p.requires_grad] == []


def test_the_longer_name_wins_over_anothers_shorter_one(webui: Any) -> None:
    """The host's rule, longest first, holds between ours and theirs."""
    with lent() as backbone, backbone.lend("off"):
        ours = backbone.encode_prompts(["fren extra"], {"fren extra": {"clip_l": rows()}}).context
        reverse = backbone.encode_prompts(["longfren"], {"long": {"clip_l": rows()}}).context
        plain = backbone.encode_prompts(["longfren"], {}).context
        theirs = backbone.encode_prompts(["fren extra"], {}).context
    assert not torch.equal(ours, theirs)
    assert torch.equal(reverse, plain)


def test_our_rows_count_where_the_host_knows_an_embedding_of_the_same_name(webui: Any, unchanged: None) -> None:
    """Naive: register ours as the host does; a name in other letters then keeps the older one in front."""
    old = embed(NAME.upper(), rows(1, seed=30))
    try:
        with lent() as backbone, backbone.lend("off"):
            ours = backbone.encode_prompts([NAME], {NAME: {"clip_l": rows()}}).context
        assert webui_database().word_embeddings[NAME.upper()] is old
    finally:
        forget(NAME.upper())
    assert torch.equal(ours, by_the_host(NAME, rows(), emphasis="None"))


def webui_database() -> Any:
    from modules import sd_hijack

    return sd_hijack.model_hijack.embedding_db


def test_encoding_leaves_nothing_behind(webui: Any) -> None:
    """Naive: the next picture's description says "Emphasis: None", which it was not made with."""
    from modules import sd_hijack

    sd_hijack.model_hijack.clear_comments()
    with nothing_changes(), lent(clip_skip=2) as backbone:
        backbone.encode_prompts([f"({NAME}), [x] BREAK"], {NAME: {"clip_l": rows()}}, emphasis=False)
        backbone.encode_prompts([f"({NAME}), [x] BREAK"], {NAME: {"clip_l": rows()}}, emphasis=True)
        with pytest.raises(ValueError, match="text input"):
            backbone.encode_prompts([None], {NAME: {"clip_l": rows()}})  # type: ignore[list-item]
