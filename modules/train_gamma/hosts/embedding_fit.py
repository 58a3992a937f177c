"""Whether embeddings and a model go together."""

from collections.abc import Mapping

from torch import Tensor

from train_gamma.backbone import Vectors
from train_gamma.errors import UserError
from train_gamma.hosts.prompt_chunks import CHUNK_LENGTH


def check_embeddings(embeddings: Mapping[str, Vectors], token_tables: Mapping[str, Tensor], model_name: str) -> None:
    """Refuse embeddings that do not belong to a model of this family, or that no prompt has room for.

    Raises:
        UserError: if vectors are not as wide as the model's, or more than fit into a chunk of a prompt.
    """
    widths = {encoder: table.shape[1] for encoder, table in token_tables.items()}
    for name, vectors in embeddings.items():
        found = {encoder: rows.shape[1] for encoder, rows in vectors.items()}
        if found != widths:
            raise UserError(
                f"Embedding '{name}' is for another kind of model: its vectors are {_listed(found)}, "
                f"those of '{model_name}' are {_listed(widths)}. Use it with a model of its kind."
            )
        length = max(len(rows) for rows in vectors.values())
        if length > CHUNK_LENGTH:
            raise UserError(
                f"Embedding '{name}' has {length} vectors; a prompt has room for {CHUNK_LENGTH} at once. Use fewer."
            )


def _listed(widths: Mapping[str, int]) -> str:
    return ", ".join(f"{width} wide for {encoder}" for encoder, width in widths.items())
