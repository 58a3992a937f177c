"""What follows from settings before anything is trained: numbers, tokens, and what is wrong with them."""

from dataclasses import dataclass
from pathlib import Path

from train_gamma.backbone import Backbone
from train_gamma.dataset.captions import read_caption
from train_gamma.dataset.dataset import dataset_folder, load_dataset
from train_gamma.dataset.pictures import find_pictures
from train_gamma.dataset.tags import frequent_tags
from train_gamma.embedding.files import read_embedding
from train_gamma.embedding.names import check_name
from train_gamma.embedding.start import plan_tags, plan_text, start_vectors
from train_gamma.errors import UserError
from train_gamma.service.embeddings import embedding_files
from train_gamma.training.config import DatasetConfig, EmbeddingConfig, RunConfig
from train_gamma.training.plan import make_plan
from train_gamma.training.preflight import Finding, check_run, refused_findings

FILE_OVERHEAD = 4096
"""Bytes of a file beside its vectors: the settings of the run and the names, about."""
USUAL_WIDTH = 768
"""Values of a vector for SD 1.x."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The numbers that follow from settings.

    Attributes:
        num_pictures: in the dataset folder, 0 when there is none.
        pictures_per_step: the effective batch.
        total_steps: optimizer steps in all.
        epochs: how often each picture is seen.
        file_bytes: of the finished embedding, about.
        seconds: what it takes, from the speed of the last job; None before there was one.
        summary: all of it in one sentence.
        problem: why the numbers are not known, "" when they are.
    """

    num_pictures: int = 0
    pictures_per_step: int = 0
    total_steps: int = 0
    epochs: float = 0.0
    file_bytes: int = 0
    seconds: float | None = None
    summary: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StartPreview:
    """What the vectors begin as.

    Attributes:
        tokens: the text of each token of the start and whether there is room for it.
        num_tokens: how many there are.
        summary: in one sentence.
        problem: why it cannot be used, "" when it can.
    """

    tokens: tuple[tuple[str, bool], ...] = ()
    num_tokens: int = 0
    summary: str = ""
    problem: str = ""


def derive(config: RunConfig, width: int, seconds_per_picture: float | None) -> Derived:
    """Work out the numbers of a run; ``width`` is that of the model's vectors."""
    file_bytes = config.embedding.num_vectors * width * 4 + FILE_OVERHEAD
    try:
        count = len(find_pictures(dataset_folder(config.dataset), config.dataset.recursive))
        plan = make_plan(config, count)
    except UserError as error:
        return Derived(file_bytes=file_bytes, summary=str(error), problem=str(error))
    per_step, steps = plan.samples_per_step, plan.total_steps
    seconds = None if seconds_per_picture is None else seconds_per_picture * per_step * steps
    epochs = steps * per_step / count
    summary = (
        f"{count} pictures, {per_step} a step, {steps} steps: each picture is seen {epochs:.1f} times. "
        f"About {_size(file_bytes)}" + ("." if seconds is None else f" and {_duration(seconds)}.")
    )
    return Derived(count, per_step, steps, epochs, file_bytes, seconds, summary)


def explain_start(embedding: EmbeddingConfig, dataset: DatasetConfig, model: Backbone) -> StartPreview:
    """Say what the vectors begin as. What is wrong with the start is its ``problem``."""
    try:
        return _explained(embedding, dataset, model)
    except UserError as error:
        tokens = model.tokenize(embedding.init_text) if embedding.start == "text" else []
        shown = tuple((token.text or f"#{token.id}", k < embedding.num_vectors) for k, token in enumerate(tokens))
        return StartPreview(shown, len(tokens), problem=str(error))


def dataset_tags(dataset: DatasetConfig, name: str) -> list[str]:
    """The tags of the captions in the dataset folder, the most frequent first; opens no picture.

    Raises:
        UserError: if the folder or a caption cannot be read.
    """
    pictures = find_pictures(dataset_folder(dataset), dataset.recursive)
    return frequent_tags([read_caption(path, dataset).text for path in pictures], name)


def name_findings(name: str, model: Backbone, folder: Path, overwrite: bool) -> list[Finding]:
    """What is wrong with a name beside the embeddings in ``folder`` and the folders inside it."""
    others = {path.stem for path in embedding_files(folder)}
    if overwrite:
        others = {other for other in others if other.lower() != name.lower()}
    return [Finding(f.level, f.message, f.fix) for f in check_name(name, model.tokenize, sorted(others))]


def run_findings(config: RunConfig, model: Backbone) -> list[Finding]:
    """The check before the start, with what is wrong with the pictures among the findings."""
    try:
        dataset = load_dataset(config.dataset, config.embedding.name)
        plan = make_plan(config, len(dataset.items))
    except UserError as error:
        return refused_findings(error, config, model)
    return check_run(config, model, dataset, plan)


def _explained(embedding: EmbeddingConfig, dataset: DatasetConfig, model: Backbone) -> StartPreview:
    if embedding.start in ("text", "tags"):
        if embedding.start == "tags":
            tags = dataset_tags(dataset, embedding.name)
            plan = plan_tags(tags, model.tokenize, embedding.num_vectors, embedding.short_text)
        else:
            tokens = model.tokenize(embedding.init_text)
            plan = plan_text(tokens, embedding.num_vectors, embedding.long_text, embedding.short_text)
        shown = [(token, True) for token in plan.kept] + [(token, False) for token in plan.dropped]
        words = tuple((token.text or f"#{token.id}", kept) for token, kept in shown)
        return StartPreview(words, len(words), plan.summary)
    start_vectors(embedding, model, 0)
    if embedding.start == "embedding":
        source = read_embedding(Path(embedding.init_embedding))
        return StartPreview(summary=f"The {source.num_vectors} vectors of '{source.name}' are where it starts.")
    told = {"zero": "All vectors start at zero.", "random": "All vectors start in random directions."}
    return StartPreview(summary=told[embedding.start])


def _size(size: int) -> str:
    return f"{size / 1024:.0f} KiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
