"""Making a finished embedding work in the very next picture of the WebUI."""

import logging
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.hosts.webui_state import JOB

PATIENCE = 20.0
"""Seconds to wait for a generation to end. After that the caller goes on, and the embedding is made known in turn."""

_log = logging.getLogger("train_gamma")


def publish(embedding: Path, preview: Path | None) -> None:
    """Let the WebUI read its embeddings again and forget the prompts it has encoded with the old ones.

    Pictures that are asked for after this wait in the same queue, so they get the new vectors even when ``PATIENCE``
    is over before the picture that is being made.

    Args:
        embedding: the file, already in one of the WebUI's embedding folders.
        preview: a PNG for its card in the extra networks, if there is one.
    """
    if preview is not None:
        write_card(embedding, preview)
    if native_training():  # it may hold the lock for hours, and a reload would take its embedding away
        make_known(embedding)
        return
    waiting = threading.Thread(target=_in_turn, args=(make_known, embedding), name="train-gamma-publish", daemon=True)
    waiting.start()
    waiting.join(PATIENCE)


def make_known(embedding: Path) -> None:
    """Read the embeddings anew, or only this one while the WebUI itself trains; then forget encoded prompts."""
    for database in _databases():
        if native_training():
            _register_only(database, embedding)
        else:
            database.load_textual_inversion_embeddings(force_reload=True)
    forget_prompts()


def write_card(embedding: Path, preview: Path) -> None:
    """Put ``preview`` beside the embedding as ``NAME.preview.png``, which the WebUI never takes for an embedding.

    A card (.png) is its own picture. A picture that cannot be written is a pity and nothing more.
    """
    from modules import shared

    wanted = getattr(shared.opts, "train_gamma_card_previews", True)
    if not wanted or embedding.suffix.lower() == ".png":
        return
    try:
        card = embedding.with_name(f"{embedding.stem}.preview.png")
        atomic.write_with(card, lambda temporary: _copy(preview, temporary))
    except OSError as error:
        _log.warning("The picture for the card of '%s' could not be written: %s", embedding.stem, error)


def forget_prompts() -> None:
    """Empty the caches of encoded prompts, in place, as pictures that are being made share the lists.

    The WebUI keeps them by prompt, size and checkpoint, so a prompt would go on giving what an embedding was before.
    """
    from modules import processing

    for owner in _family(processing.StableDiffusionProcessing):
        for name, cache in list(vars(owner).items()):
            if name.startswith("cached_") and isinstance(cache, list):
                cache[:] = [None] * len(cache)


def native_training() -> bool:
    """Whether the WebUI's own training, or another extension's, is under way.

    By the state's job; and, since a picture made over the API meanwhile empties that, by what threads are doing.
    """
    from modules.shared import state

    job = str(state.job or "")
    if job.startswith(("train-", "train_")) and job != JOB:
        return True
    trainers = {"train_embedding": "textual_inversion.py", "train_hypernetwork": "hypernetwork.py"}
    return any(
        trainers.get(frame.f_code.co_name, "-") == Path(frame.f_code.co_filename).name
        for innermost in sys._current_frames().values()  # the only way to see other threads
        for frame in _stack(innermost)
    )


def _stack(frame: Any) -> list[Any]:
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _databases() -> list[Any]:
    """Where the loaded model looks for embeddings; none is there before a model is, and it reads them by itself."""
    from modules import sd_hijack, sd_models

    model = getattr(sd_models.model_data, "sd_model", None)
    if model is None:
        return []
    database = getattr(sd_hijack.model_hijack, "embedding_db", None)
    if database is not None:
        return [database]
    engines = [value for name, value in vars(model).items() if name.startswith("text_processing_engine")]  # Forge
    return [engine.embeddings for engine in engines if hasattr(engine, "embeddings")]


def _in_turn(work: Callable[[Path], None], embedding: Path) -> None:
    from modules import call_queue

    try:
        with call_queue.queue_lock:
            work(embedding)
    except Exception:  # in a thread of its own nobody else would tell
        _log.exception("The WebUI could not read '%s'; press Refresh in its extra networks.", embedding.name)


def _register_only(database: Any, embedding: Path) -> None:
    """Add one embedding and leave the objects of all others alone, also at the next picture's look at the folder."""
    database.load_from_file(str(embedding), embedding.name)
    for folder in database.embedding_dirs.values():
        if Path(folder.path) in embedding.parents:
            folder.update()


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _family(owner: type) -> list[type]:
    children: list[type] = owner.__subclasses__()
    return [owner, *(descendant for child in children for descendant in _family(child))]
