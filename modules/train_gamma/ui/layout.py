"""Where each field of the configuration stands on the page, and when. Tables only."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from train_gamma.host import Host
from train_gamma.ui.fields import all_fields

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of fields under a heading; the fields of a row are named without their section."""

    heading: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A section of the configuration as one accordion."""

    title: str
    section: str
    parts: tuple[Part, ...]


GROUPS = (
    Group(
        "Dataset",
        "dataset",
        (
            Part(
                "Captions",
                (
                    "templates template_file",
                    "shuffle_tags emphasis filename_captions",
                    "keep_tags tag_dropout",
                    "caption_extensions filename_regex filename_join",
                ),
            ),
            Part(
                "Pictures",
                ("width height background", "recursive upscale flip", "bucket_step bucket_min bucket_max"),
            ),
            Part("Encoding", ("latent_sampling cache_folder",)),
        ),
    ),
    Group(
        "Training",
        "training",
        (
            Part("Steps", ("learning_rate max_steps max_epochs", "batch_size gradient_accumulation full_batch")),
            Part(
                "Optimizer",
                ("optimizer weight_decay max_nonfinite_steps", "beta1 beta2 epsilon", "clip_mode clip_value"),
            ),
            Part("Noise", ("timestep_sampling min_timestep max_timestep", "seed")),
            Part("Evaluation", ("evaluate_every_n_steps evaluation_batches",)),
        ),
    ),
    Group(
        "Previews",
        "preview",
        (
            Part("", ("every_n_steps at_start", "prompts")),
            Part("", ("prompt_file",)),
            Part("Where a prompt does not say", ("width height", "steps guidance_scale seed")),
        ),
    ),
    Group("Saving", "output", (Part("", ("save_every_n_steps tensorboard",)),)),
    Group(
        "Model",
        "model",
        (Part("", ("vae", "clip_skip checkpointing", "precision device")),),
    ),
)
"""The accordions of the Train tab."""

CREATE_ROWS = (
    "embedding.num_vectors",
    "embedding.start",
    "embedding.init_text embedding.init_embedding",
    "embedding.long_text embedding.short_text",
)
PLACED_ALONE = ("embedding.name", "output.format", "model.path", "dataset.folder")
"""Fields that the tabs place by themselves."""

NOT_ON_THE_PAGE = {
    "output.folder": "where runs are kept is the host's matter",
    "output.export_to": "the finished embedding goes to the host's embeddings folder",
    "output.overwrite": "the choice 'Begin with' says it, and the run keeps what it replaces",
}
NOT_WHEN_LENT = {
    "model.path": "the loaded checkpoint is trained on",
    "model.precision": "the model is loaded already",
    "model.device": "the model is loaded already",
}
"""Fields that are not the page's matter, with the reason."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``field`` acts, and is shown, only where ``shown`` holds for the values of the fields it depends ``on``."""

    field: str
    on: tuple[str, ...]
    shown: Callable[[Values], bool]


RULES = (
    Rule("embedding.init_text", ("embedding.start",), lambda v: v["embedding.start"] == "text"),
    Rule("embedding.init_embedding", ("embedding.start",), lambda v: v["embedding.start"] == "embedding"),
    Rule("embedding.long_text", ("embedding.start",), lambda v: v["embedding.start"] in ("text", "embedding")),
    Rule("embedding.short_text", ("embedding.start",), lambda v: v["embedding.start"] not in ("zero", "random")),
    Rule("dataset.templates", ("dataset.template_file",), lambda v: not v["dataset.template_file"]),
    Rule(
        "dataset.keep_tags",
        ("dataset.shuffle_tags", "dataset.tag_dropout"),
        lambda v: bool(v["dataset.shuffle_tags"] or v["dataset.tag_dropout"]),
    ),
    Rule("dataset.filename_regex", ("dataset.filename_captions",), lambda v: bool(v["dataset.filename_captions"])),
    Rule("dataset.filename_join", ("dataset.filename_captions",), lambda v: bool(v["dataset.filename_captions"])),
    Rule("training.max_epochs", ("training.max_steps",), lambda v: not v["training.max_steps"]),
    Rule("training.gradient_accumulation", ("training.full_batch",), lambda v: not v["training.full_batch"]),
    Rule("training.clip_value", ("training.clip_mode",), lambda v: v["training.clip_mode"] != "off"),
    Rule("preview.at_start", ("preview.every_n_steps",), lambda v: bool(v["preview.every_n_steps"])),
)


def controllers(rules: Iterable[Rule]) -> list[str]:
    """The fields that others depend on."""
    return list(dict.fromkeys(key for rule in rules for key in rule.on))


def fields_of(group: Group) -> list[list[str]]:
    """The keys of a group's fields, a list for each row."""
    return [[f"{group.section}.{name}" for name in row.split()] for part in group.parts for row in part.rows]


def absent_fields(host: Host) -> set[str]:
    """The fields that are not on the page in this host; a choice of one is no choice."""
    single = {key for key, field in all_fields().items() if field.choices is not None and len(field.choices) == 1}
    return {*NOT_ON_THE_PAGE, *(NOT_WHEN_LENT if host.lends_loaded_model else ()), *single}
