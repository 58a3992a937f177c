"""Captions for drawn pictures from the pictures alone: the way of a user who has pictures and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from train_gamma.captions.files import write_captions
from train_gamma.demo.samples import write_dataset
from train_gamma.demo.world import SUBJECT
from train_gamma.errors import raise_all
from train_gamma.tagging.asking import TaggerAsker
from train_gamma.tagging.cache import Cache
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.config import OVERWRITE, TagConfig
from train_gamma.tagging.onnx_tagger import OnnxTagger
from train_gamma.tagging.rows import unpacked
from train_gamma.tagging.run import Hearing, look
from train_gamma.tagging.tagged_set import Seen, TaggedSet

TAGGER = "miniature"

NEARLY_ALL = 0.85
"""A tag that this share of the pictures has is part of the character rather than of a scene."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """What tagging came to.

    Attributes:
        pictures: all of them.
        captions: of each, as it was written beside it.
        left_out: tags that nearly every picture has, and the share of pictures that have them.
    """

    pictures: tuple[Path, ...]
    captions: tuple[str, ...]
    left_out: tuple[tuple[str, float], ...]

    def story(self) -> str:
        """A few sentences on what was done and why."""
        told = [f"Tagged {len(self.pictures)} pictures, for example: {self.captions[0]}"]
        if self.left_out:
            named = ", ".join(f"{tag} ({share:.0%})" for tag, share in self.left_out)
            told.append(
                f"Left out of the captions, as {NEARLY_ALL:.0%} of the pictures or more have them: {named}.\n"
                "They describe the character. What captions do not say is left for the embedding to learn; what they "
                "say would have to stand in every prompt."
            )
        return "\n".join(told)


def draw_and_tag(character_seed: int, root: Path) -> Tagged:
    """Draw a character's pictures into ``root/pictures``, and caption them by looking at them.

    Raises:
        UserError: if the tagger cannot be loaded, or a file cannot be read or written.
    """
    pictures = write_dataset(character_seed, root / "pictures", captions="none")
    return tag_pictures(pictures, root / "pictures", root / "kept")


def tag_pictures(pictures: Sequence[Path], folder: Path, kept: Path) -> Tagged:
    """Write captions of the tags that not nearly every picture has; "1girl" stays, as it tells nobody apart.

    Args:
        pictures: in ``folder``. Captions beside them are replaced.
        folder: the dataset.
        kept: where captions as they were before are kept, and what the tagger said.

    Raises:
        UserError: as ``draw_and_tag``.
    """
    config = TagConfig(folder=str(folder), model=TAGGER, existing=OVERWRITE)
    tagged = _look(pictures, config, kept)
    counts = tagged.choices(config).chooser.tag_counts(tagged.matrix)
    most = NEARLY_ALL * len(pictures)
    left_out = [(tag, count / len(pictures)) for tag, count in counts if count >= most and tag != SUBJECT]
    choices = tagged.choices(replace(config, exclude_tags=", ".join(tag for tag, _ in left_out)))
    captions = choices.captions()
    texts = {pictures[index].with_suffix(config.extension): caption for index, caption in captions.items()}
    write_captions(texts, kept / "captions", folder)
    return Tagged(tuple(pictures), tuple(texts.values()), tuple(left_out))


def _look(pictures: Sequence[Path], config: TagConfig, kept: Path) -> TaggedSet:
    failures: list[str] = []
    hearing = Hearing(failed=lambda path, reason: failures.append(f"'{path}': {reason}"))
    tagger = _load(config, kept)
    cache = Cache(kept / "tags.sqlite")
    try:
        asker = TaggerAsker(tagger, config.background, config.batch_size)
        outcome = look(pictures, asker, config.background, cache, hearing)
    finally:
        tagger.close()
        cache.close()
    raise_all(failures)
    labels = tagger.labels
    rows = [unpacked(outcome.answers[outcome.digests[path]], len(labels)) for path in pictures]
    return TaggedSet(labels, tagger.thresholds, [Seen(row) for row in rows])


def _load(config: TagConfig, kept: Path) -> OnnxTagger:
    loaded = Catalogue(lambda: kept / "taggers").load(config.model, config.device, lambda _what, _done, _all: None)
    if not isinstance(loaded, OnnxTagger):
        raise TypeError(f"'{config.model}' is no tagger of the project's: {loaded!r}")
    return loaded
