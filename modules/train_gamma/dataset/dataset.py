"""A folder of pictures, checked as a whole before anything is trained."""

import dataclasses
import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from train_gamma.dataset.buckets import make_buckets
from train_gamma.dataset.captions import compile_filename_regex
from train_gamma.dataset.items import Item, read_items
from train_gamma.dataset.pictures import find_pictures, parse_colour
from train_gamma.dataset.tags import frequent_tags
from train_gamma.dataset.templates import contains_word, keeps_word, load_templates, render_prompt
from train_gamma.errors import UserError, raise_all
from train_gamma.training.config import DatasetConfig

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run learns from.

    Attributes:
        items: the pictures in natural order of their names.
        templates: at least one, each with [name].
        config: the settings it was loaded with.
    """

    items: tuple[Item, ...]
    templates: tuple[str, ...]
    config: DatasetConfig

    def prompt(self, index: int, name: str, rng: random.Random) -> str:
        """Draw a prompt for a visit: template, dropout and shuffle come from ``rng``."""
        template = rng.choice(self.templates)
        return render_prompt(template, name, self.items[index].caption.text, self.config, rng)

    def prompts_of(self, index: int, name: str) -> list[str]:
        """The prompt of a picture from each template, with all its tags in their order."""
        plain = dataclasses.replace(self.config, shuffle_tags=False, tag_dropout=0.0)
        text = self.items[index].caption.text
        return [render_prompt(template, name, text, plain, random.Random(0)) for template in self.templates]

    def frequent_tags(self, name: str) -> list[str]:
        """The distinct tags of the captions, the most frequent first."""
        return frequent_tags([item.caption.text for item in self.items], name)

    def crop_report(self) -> str:
        """Say which buckets are used how often, and what each picture loses."""
        counts = Counter(item.fit.bucket for item in self.items)
        lines = [f"{len(self.items)} pictures in {len(counts)} buckets"]
        lines += [f"  {bucket.width} x {bucket.height}: {counts[bucket]}" for bucket in sorted(counts)]
        lines.append("Picture, size, bucket, share cut off")
        for item in self.items:
            size, bucket = f"{item.size[0]} x {item.size[1]}", f"{item.fit.bucket.width} x {item.fit.bucket.height}"
            lines.append(f"  {self._name(item)}: {size} -> {bucket}, {item.fit.lost:.1%}")
        return "\n".join(lines)

    def manifest(self) -> dict[str, Any]:
        """What the run was given, as plain JSON values: the sha256 of every picture and caption, and the templates."""
        return {"pictures": [self._record(item) for item in self.items], "templates": list(self.templates)}

    def _record(self, item: Item) -> dict[str, Any]:
        return {
            "file": self._name(item),
            "sha256": item.sha256,
            "size": list(item.size),
            "bucket": [item.fit.bucket.width, item.fit.bucket.height],
            "caption_source": item.caption.source,
            "caption_sha256": hashlib.sha256(item.caption.text.encode("utf-8")).hexdigest(),
        }

    def _name(self, item: Item) -> str:
        return item.path.relative_to(dataset_folder(self.config)).as_posix()


def load_dataset(config: DatasetConfig, name: str) -> Dataset:
    """Read the pictures, captions and templates of a run, all of them, and check them together.

    Every picture is decoded once, so a file that would fail later fails here. In every prompt that the dataset can
    give, whatever is shuffled or dropped, ``name`` is a word of its own.

    Args:
        config: the settings.
        name: of the embedding.

    Raises:
        UserError: one that lists every unreadable picture, every caption that is not text, every template that would
            give a prompt without the name, and every setting that cannot work.
    """
    unusable: list[str] = []  # settings that would fail again at every picture
    step, shortest, longest = config.bucket_step, config.bucket_min, config.bucket_max
    buckets = _collect(unusable, lambda: make_buckets(config.width, config.height, step, shortest, longest)) or ()
    _collect(unusable, lambda: parse_colour(config.background))
    _collect(unusable, lambda: compile_filename_regex(config))
    problems: list[str] = []
    templates = _collect(problems, lambda: load_templates(config)) or ()
    problems += _name_problems(templates, name)
    pictures = _collect(problems, lambda: find_pictures(dataset_folder(config), config.recursive)) or []
    items = () if unusable else tuple(read_items(pictures, config, buckets, problems))
    raise_all(unusable + problems)
    dataset = Dataset(items, templates, config)
    raise_all(_prompt_problems(dataset, name))
    return dataset


def dataset_folder(config: DatasetConfig) -> Path:
    """The folder of the settings as a path.

    Raises:
        UserError: if none is set.
    """
    if not config.folder.strip():
        raise UserError("Dataset folder is not set. Give the folder that holds the pictures.")
    try:
        return Path(config.folder).expanduser()
    except RuntimeError:  # ~ of somebody who has no home
        return Path(config.folder)


def _collect(problems: list[str], action: Callable[[], T]) -> T | None:
    try:
        return action()
    except UserError as error:
        problems += [line.removeprefix("- ") for line in str(error).splitlines()]
        return None


def _name_problems(templates: tuple[str, ...], name: str) -> list[str]:
    if not name.strip():
        return ["The embedding has no Name, so no prompt can have it. Give it one."]
    return [
        f"Template '{template}' would not give a prompt with '{name}' as a word of its own: letters touch [name]. "
        "Put a space or comma on both sides of [name]."
        for template in templates
        if not keeps_word(template, name)
    ]


def _prompt_problems(dataset: Dataset, name: str) -> list[str]:
    """Look at the prompts themselves: a name with a comma, for one, does not survive the rendering."""
    return [
        f"The prompt '{prompt}' of {item.path.name} has no '{name}' as a word of its own. Choose another Name."
        for index, item in enumerate(dataset.items)
        for prompt in dataset.prompts_of(index, name)
        if not contains_word(prompt, name)
    ]
