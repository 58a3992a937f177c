"""A planted embedding is found again: the wanted output is the model's own under a secret vector.

Unlike with real pictures, the best possible loss is known (0), and so is the vector that has it.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import tiny_backbone
from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, embedding_vectors, train_small
from train_gamma.backbone import Conditioning, LatentDistribution
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import write_embedding
from train_gamma.training.events import Evaluated


class Teacher:
    """A backbone whose loss is the distance between its predictions under the trained and under a secret vector.

    All latents are 0, so the noise can be read off x_t = sqrt(1 - alpha_bar) noise. The prediction that is returned is
    noise + model(trained) - model(secret): its error, against the noise, is the difference of the two.
    """

    def __init__(self, model: Any, secret: Tensor) -> None:
        self._model, self._secret = model, {"clip_l": secret}
        self._taught = Conditioning(torch.empty(0))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        nothing = torch.zeros(len(pixels), 4, pixels.shape[-2] // 8, pixels.shape[-1] // 8)
        return LatentDistribution(nothing, nothing.clone())

    def encode_prompts(
        self, prompts: Any, embeddings: Any, sizes: Any = None, *, emphasis: bool = False
    ) -> Conditioning:
        with torch.no_grad():
            self._taught = self._model.encode_prompts(prompts, dict.fromkeys(embeddings, self._secret), sizes)
        conditioning: Conditioning = self._model.encode_prompts(prompts, embeddings, sizes)
        return conditioning

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        alpha_bar = self.alphas_cumprod[t].view(-1, 1, 1, 1)
        with torch.no_grad():
            offset = x_t / (1 - alpha_bar).sqrt() - self._model.predict(x_t, t, self._taught)
        output: Tensor = self._model.predict(x_t, t, conditioning) + offset
        return output


RATE = "0.1:40%, 0.03:70%, 0.01:90%, 0.003"


def secret_vector(model: Any, seed: int) -> Tensor:
    """(1, D) a random direction, as long as a vector of the vocabulary is on average."""
    table = model.token_tables()["clip_l"]
    direction = torch.randn(1, table.shape[1], generator=torch.Generator().manual_seed(1000 + seed))
    return direction / direction.norm() * table.norm(dim=1).mean()


def cosine(a: Tensor, b: Tensor) -> float:
    """The cosine of two vectors without their means: a text encoder's LayerNorms take the mean out."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()))


def find_again(model: Any, secret: Tensor, root: Path, **training: Any) -> tuple[float, float, float]:
    """The cosine to the secret that was reached, and the evaluation loss before and after."""
    heard = Heard()
    folder, _ = train_small(
        root,
        Teacher(model, secret),
        heard,
        embedding={"num_vectors": 1},
        training={"evaluation_batches": 4, "evaluate_every_n_steps": 0, "batch_size": 2, **training},
        output={"save_every_n_steps": 0},
    )
    before, after = (event.loss for event in heard.of(Evaluated))
    return cosine(embedding_vectors(folder.path / "zzgamma.safetensors"), secret), before, after


def test_the_secret_has_no_loss(tiny: Any, tmp_path: Path) -> None:
    """The bench itself: starting at the secret, there is nothing to learn."""
    secret = secret_vector(tiny, 0)
    write_embedding(Embedding("secret", {"clip_l": secret}), tmp_path / "secret.safetensors")
    heard = Heard()
    train_small(
        tmp_path,
        Teacher(tiny, secret),
        heard,
        embedding={"num_vectors": 1, "start": "embedding", "init_embedding": str(tmp_path / "secret.safetensors")},
        training={"max_steps": 1},
    )
    assert heard.of(Evaluated)[0].loss < 1e-10


@pytest.mark.parametrize("seed", range(3))
def test_a_secret_vector_of_a_linear_model_is_found(seed: int, tmp_path: Path) -> None:
    """Where the loss is a square of the distance there is one best vector. Seeds 0 to 4 reach 0.9998 or more."""
    model = PlainBackbone()
    secret = secret_vector(model, seed)
    settings = {"max_steps": 150, "learning_rate": "0.2:30%, 0.05:60%, 0.01:85%, 0.002", "batch_size": 1}
    reached, before, after = find_again(model, secret, tmp_path, **settings)
    assert reached > 0.999
    assert after < 1e-4 * before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_secret_vector_of_a_real_model_is_found(seed: int, tmp_path: Path) -> None:
    """A model and a secret for each seed; 800 steps of 2 samples, from the word "girl".

    Measured with seeds 0, 1 and 2, under transformers 4.57: cosine 0.9999, 1.0000, 1.0000; evaluation loss, whose best
    value is 0, 0.051 -> 5e-7, 0.068 -> 6e-13, 0.031 -> 3e-12. The means, which the model does not see, are not found.
    """
    model = tiny_backbone(seed)
    secret = secret_vector(model, seed)
    settings = {"max_steps": 800, "learning_rate": "0.1:50%, 0.03:70%, 0.01:85%, 0.003", "seed": seed}
    reached, before, after = find_again(model, secret, tmp_path, **settings)
    assert before > 0.02
    assert reached > 0.99
    assert after < 1e-4 * before
