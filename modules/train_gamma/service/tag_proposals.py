"""From what is known of pictures to what becomes of their caption files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from train_gamma.captions.tag_text import with_spaces
from train_gamma.service.tag_folder import TagFolder
from train_gamma.service.tag_views import Proposal, Ranked
from train_gamma.tagging.captioning import CaptionWriter
from train_gamma.tagging.choosing import Chooser, Tag
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.existing import action, merged
from train_gamma.tagging.interrogator import GENERAL, RATING, Floats, Label
from train_gamma.tagging.thresholds import SEEN, fixed_threshold, mcut

LEAST_FOR_NAMES = 0.15


def needed_pictures(folder: TagFolder, texts: Mapping[Path, str | None], config: TagConfig) -> list[Path]:
    """The pictures whose tags a run needs: those that get a caption, and for the order by frequency all of them."""
    if config.sort == "frequency":
        return list(folder.pictures)
    return [path for path, text in texts.items() if action(text, None, config.existing) != "skipped"]


def proposals(
    captions: Mapping[int, str], folder: TagFolder, texts: Mapping[Path, str | None], config: TagConfig
) -> list[Proposal]:
    """What becomes of each caption file whose text now is known.

    Args:
        captions: the new caption by the picture's index.
        folder: the pictures.
        texts: of the files now.
        config: the settings.
    """
    found = []
    for index, caption in captions.items():
        path = folder.pictures[index]
        if path not in texts:
            continue
        old = texts[path]
        new = merged(old, caption, config.existing)
        planned = action(old, None, config.existing)
        done = planned if new is not None or planned == "skipped" else "unchanged"
        found.append(Proposal(path, folder.captions[index], old, caption, old if new is None else new, done))
    return found


def ranked(
    labels: Sequence[Label],
    thresholds: Mapping[str, float],
    probabilities: Floats,
    chosen: Sequence[Tag],
    config: TagConfig,
) -> tuple[Ranked, ...]:
    """What is seen in one picture, the most probable first.

    Args:
        labels: what (T,) ``probabilities`` are about.
        thresholds: the recommended ones.
        probabilities: of the picture.
        chosen: the tags that are written.
        config: the settings.
    """
    written = {tag.name for tag in chosen}
    writer = CaptionWriter(config)
    limits: dict[str, float] = {}
    found = []
    for index in sorted((probabilities >= SEEN).nonzero()[0].tolist(), key=lambda index: -probabilities[index]):
        label = labels[index]
        if label.category not in limits:
            same = [k for k, other in enumerate(labels) if other.category == label.category]
            limits[label.category] = _limit(label.category, probabilities[same], thresholds, config)
        text = ", ".join(writer.written_for(label.name)) or with_spaces(label.name)
        found.append(
            Ranked(
                label.name,
                text,
                label.category,
                float(probabilities[index]),
                limits[label.category],
                label.name in written,
            )
        )
    return tuple(found)


def setting_notes(labels: Sequence[Label], thresholds: Mapping[str, float], config: TagConfig) -> list[str]:
    """A sentence for what the settings name and the tagger does not know."""
    return Chooser(labels, thresholds, config).notes()


def _limit(category: str, probabilities: Floats, recommended: Mapping[str, float], config: TagConfig) -> float:
    """The threshold of one picture's category, for people to see."""
    if category == RATING:
        return 0.0
    if config.threshold_method != "mcut":
        return fixed_threshold(category, recommended, config)
    seen = probabilities[probabilities >= SEEN]
    cut = mcut([*seen.tolist(), 0.0])  # type: ignore[arg-type]
    return cut if category == GENERAL else max(LEAST_FOR_NAMES, cut)
