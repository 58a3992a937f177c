"""From a template, a name and a caption to the prompt that is trained on."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError, raise_all
from train_gamma.training.config import DatasetConfig

NAME = "[name]"
FILEWORDS = "[filewords]"


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    place: str


def load_templates(config: DatasetConfig) -> tuple[str, ...]:
    """The templates of the file, or those of the settings when no file is given.

    Blank lines and lines that begin with # are left out.

    Raises:
        UserError: if the file cannot be read, no template is left, or one has no [name]; every culprit is listed.
    """
    lines = _file_lines(config.template_file.strip()) if config.template_file.strip() else _setting_lines(config)
    lines = [line for line in lines if line.text and not line.text.startswith("#")]
    if not lines:
        where = f"Prompt template file '{config.template_file}'" if config.template_file.strip() else "Prompt templates"
        raise UserError(
            f"{where} has no template, only blank lines or comments. Add a line such as: [name], [filewords]"
        )
    raise_all(
        [
            f"Template '{line.text}' ({line.place}) has no [name], so the embedding would learn nothing from it. "
            "Put [name] where the embedding belongs, or delete the line."
            for line in lines
            if NAME not in line.text
        ]
    )
    return tuple(line.text for line in lines)


def render_prompt(template: str, name: str, caption: str, config: DatasetConfig, rng: random.Random) -> str:
    """Fill in a template.

    The caption is split into tags at its commas. The first ``keep_tags`` stay where they are; each of the others is
    left out with the chance ``tag_dropout``, and what remains is shuffled if ``shuffle_tags`` is on. A [name] in the
    caption is filled in as well. A tag that is nothing but the name is left out when the template has [name] itself,
    so that the embedding is not in the prompt twice. Empty pieces between commas vanish. Everything else, escaped
    brackets too, is taken as it is.

    Args:
        template: text with [name] and [filewords].
        name: the embedding's name.
        caption: the words of the picture, may be "".
        config: shuffle, keep and dropout.
        rng: where the draws come from.
    """
    tags = _draw_tags(split_tags(caption), config, rng)
    if NAME in template:
        tags = [tag for tag in tags if tag != NAME and not re.fullmatch(re.escape(name), tag, re.IGNORECASE)]
    words = ", ".join(tags).replace(NAME, name)
    values = {NAME: name, FILEWORDS: words}
    filled = re.sub(r"\[name\]|\[filewords\]", lambda match: values[match.group()], template)
    return ", ".join(" ".join(piece.split()) for piece in split_tags(filled))


def split_tags(caption: str) -> list[str]:
    """The comma-separated tags of a caption, stripped, without empty ones."""
    return [tag.strip() for tag in caption.split(",") if tag.strip()]


def contains_word(text: str, word: str) -> bool:
    """Whether ``word`` stands in ``text`` as a word of its own, in any case: no letter, digit or _ on either side."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def keeps_word(template: str, name: str) -> bool:
    """Whether every prompt from this template has ``name`` as a word of its own, whatever the caption is.

    The caption may begin and end with letters, so ``[name][filewords]`` does not keep it.
    """
    return contains_word(template.replace(FILEWORDS, "x").replace(NAME, name), name)


def _draw_tags(tags: list[str], config: DatasetConfig, rng: random.Random) -> list[str]:
    kept, rest = tags[: config.keep_tags], tags[config.keep_tags :]
    if config.tag_dropout > 0:
        rest = [tag for tag in rest if rng.random() >= config.tag_dropout]
    if config.shuffle_tags:
        rng.shuffle(rest)
    return kept + rest


def _file_lines(file: str) -> list[_Line]:
    path = Path(file).expanduser()
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"Prompt template file '{path}' {found}. Check the path, or leave it empty.")
    lines = read_text(path).splitlines()
    return [_Line(text.strip(), f"{path.name}, line {number}") for number, text in enumerate(lines, 1)]


def _setting_lines(config: DatasetConfig) -> list[_Line]:
    return [_Line(" ".join(text.split()), f"template {number}") for number, text in enumerate(config.templates, 1)]
