"""Saving a run: its state, a copy of the embedding, and at the end the embedding itself."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from train_gamma.embedding.embedding import Embedding, info_of
from train_gamma.embedding.files import write_embedding
from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import section_types
from train_gamma.training.events import Saved, Warned
from train_gamma.training.optimizers import optimizer_tensors
from train_gamma.training.run import Run
from train_gamma.training.state import State, save_state

ENDS = ("finished", "stopped", "not finite")
"""The reasons for which a run ends with a finished embedding, and not with one copy more."""


def save_run(run: Run, reason: str = "") -> Path | None:
    """Write the state and a copy; at the end of a run the embedding in place of the copy, and its export.

    A copy on the way that cannot be written is a warning, as the next one may succeed.

    Args:
        run: the run; its vectors are always those of the last good step.
        reason: why the run ends with this save, as in ``Finished``; "" when it goes on. A run that ends by an
            exception ("failed") gets a copy, and a failing save does not hide the exception.

    Returns:
        The embedding or copy, None if it could not be written.

    Raises:
        UserError: if the last save of a run without exception fails.
    """
    output, name, place = run.config.output, run.config.embedding.name, run.folder.path
    path = place / f"{name}.{output.format}" if reason in ENDS else run.folder.copy(name, run.step, output.format)
    try:
        save_state(run.folder.state, current_state(run))
        embedding = current_embedding(run)
        write_embedding(embedding, path)
        if output.export_to and reason in ("finished", "stopped"):
            place = Path(output.export_to)
            write_embedding(embedding, place / path.name)
    except OSError as error:
        message = (
            f"The embedding of step {run.step} could not be written to '{place}': "
            f"{error.strerror or error}. Free space or fix the folder's rights; what was written before is untouched."
        )
        if reason in ENDS:
            raise UserError(message) from error
        run.listener(Warned(run.step, message))
        return None
    run.listener(Saved(run.step, path))
    return path


def current_state(run: Run) -> State:
    """The run as it is now."""
    return State(
        step=run.step,
        skipped=run.skipped,
        nonfinite=run.nonfinite,
        scale=run.loss_scale.scale,
        good_steps=run.loss_scale.good_steps,
        seconds=run.seconds,
        vectors=run.vectors,
        optimizer=optimizer_tensors(run.optimizer),
    )


def current_embedding(run: Run) -> Embedding:
    """The vectors as they are now, with what they were trained on."""
    config = json.dumps(shareable(run.config), ensure_ascii=False, sort_keys=True)
    info = info_of(run.backbone.identity, config)
    return Embedding(name=run.config.embedding.name, vectors=run.vectors, step=run.step, info=info)


def shareable(config: RunConfig) -> dict[str, Any]:
    """The configuration without the folders of this computer: of every path only the last part stays."""
    content = config.to_dict()
    for section, kind in section_types().items():
        for f in dataclasses.fields(kind):
            if f.metadata["path"]:
                content[section][f.name] = Path(content[section][f.name]).name
    return content
