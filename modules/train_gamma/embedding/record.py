"""What is written beside the vectors, the same facts in every format."""

from train_gamma.embedding.embedding import Embedding


def record_of(embedding: Embedding) -> dict[str, str | int]:
    """Name, step, model, VAE, clip skip and settings by key, leaving out what is not known.

    ``sd_checkpoint`` and ``sd_checkpoint_name`` are A1111's keys for the short hash and the name of the checkpoint;
    ``model_hash`` is the whole sha256.
    """
    info = embedding.info
    known: dict[str, str | int | None] = {
        **info.extra,
        "name": embedding.name,
        "step": embedding.step,
        "sd_checkpoint": info.short_hash,
        "sd_checkpoint_name": info.model_name,
        "model_name": info.model_name,
        "model_hash": info.model_hash,
        "vae_name": info.vae_name,
        "vae_hash": info.vae_hash,
        "clip_skip": info.clip_skip,
        "config": info.config,
    }
    return {key: value for key, value in known.items() if value is not None and value != ""}
