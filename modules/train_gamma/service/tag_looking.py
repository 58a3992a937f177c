"""Answers about settings from the cache alone, and about one picture that is in no folder."""

import time
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from train_gamma.captions.files import read_existing
from train_gamma.dataset.pictures import parse_colour
from train_gamma.errors import UserError
from train_gamma.service.loaded_taggers import LoadedTaggers
from train_gamma.service.tag_folder import TagFolder
from train_gamma.service.tag_proposals import proposals, ranked
from train_gamma.service.tag_views import Live, Single, TagCount
from train_gamma.tagging.asking import CaptionerAsker, TaggerAsker, sentence_of
from train_gamma.tagging.cache import Cache
from train_gamma.tagging.choosing import Chooser
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import RATING, Interrogator, Tell
from train_gamma.tagging.rows import Row, unpacked
from train_gamma.tagging.tagged_set import Choices, TaggedSet

NOT_YET = "{model} has not looked at {what} yet. Run it once, and every change of the settings is shown here at once."


def live(folder: TagFolder, tagged: TaggedSet, config: TagConfig, picture: int) -> Live:
    """What settings give for a folder and one of its pictures.

    Raises:
        UserError: if a setting cannot be used.
    """
    index = max(0, min(picture, len(folder.pictures) - 1))
    choices = tagged.choices(config)
    counts = choices.chooser.tag_counts(tagged.matrix)
    num_known = len(tagged.known)
    shown = Live(
        num_pictures=len(folder.pictures),
        num_known=num_known,
        counts=tuple(TagCount(tag, count, count / num_known) for tag, count in counts),
        mean_tags=sum(count for _, count in counts) / num_known if num_known else 0.0,
        picture=index,
        path=folder.pictures[index],
        existing=_existing(folder, index),
        problem="" if num_known else _unknown("any picture of this folder", config),
    )
    return _with_picture(shown, folder, choices, config) if index in tagged else shown


def look_at(picture: Image.Image, config: TagConfig, models: LoadedTaggers, cache: Cache, tell: Tell) -> Single:
    """Look at one picture; what is not loaded is loaded first.

    Raises:
        UserError: if a model cannot be loaded, or fails at the picture.
    """
    upright = as_rgb(picture, config.background)
    with models.turn:
        tagger = models.tagger(config.model, config.device, cache, tell) if config.model.strip() else None
        captioner = models.captioner(config.captioner, config.device, cache, tell) if config.captioner.strip() else None
        begun = time.perf_counter()
        row = _row(tagger, upright, config) if tagger else None
        sentence = _sentence(CaptionerAsker(captioner, config.background), upright) if captioner else ""
        seconds = time.perf_counter() - begun
        device = next((model.device for model in (tagger, captioner) if model is not None), "")
    labels = tagger.labels if tagger else ()
    thresholds = tagger.thresholds if tagger else {}
    probabilities = row.dense(len(labels)) if row else np.zeros(0, np.float32)
    chooser = Chooser(labels, thresholds, config)
    chosen = chooser.choose(probabilities)
    tags = ranked(labels, thresholds, probabilities, chosen, config)
    ratings = {
        label.name: float(value) for label, value in zip(labels, probabilities, strict=True) if label.category == RATING
    }
    rating = max(ratings, key=lambda name: ratings[name], default="")
    return Single(tags, rating, ratings, sentence, chooser.caption(chosen, sentence), seconds, device)


def as_rgb(picture: Image.Image, background: str) -> Image.Image:
    """A picture in memory as RGB, upright, on a background.

    Raises:
        UserError: if ``background`` is not a colour.
    """
    ground = Image.new("RGBA", picture.size, (*parse_colour(background), 255))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        composed = Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")
    else:
        composed = picture.convert("RGB")
    composed.info.pop("transparency", None)
    exif = picture.getexif()
    composed.getexif().update(exif)
    return ImageOps.exif_transpose(composed) or composed


def _with_picture(shown: Live, folder: TagFolder, choices: Choices, config: TagConfig) -> Live:
    tagged, index = choices.tagged, shown.picture
    chosen = choices.tags(index)
    caption = choices.chooser.caption(chosen, tagged.sentence(index))
    (proposal,) = proposals({index: caption}, folder, {folder.pictures[index]: shown.existing}, config)
    return Live(
        num_pictures=shown.num_pictures,
        num_known=shown.num_known,
        counts=shown.counts,
        mean_tags=shown.mean_tags,
        picture=index,
        path=shown.path,
        known=True,
        tags=ranked(tagged.labels, tagged.thresholds, tagged.row(index), chosen, config),
        sentence=tagged.sentence(index),
        caption=caption,
        existing=shown.existing,
        outcome=proposal.outcome,
    )


def _existing(folder: TagFolder, index: int) -> str | None:
    try:
        return read_existing(folder.captions[index])
    except UserError as error:
        return f"({error})"


def _unknown(what: str, config: TagConfig) -> str:
    return NOT_YET.format(model=config.model.strip() or config.captioner.strip(), what=what)


def _row(tagger: Interrogator, picture: Image.Image, config: TagConfig) -> Row | None:
    """As the cache would have it, so that the caption is that of a run."""
    asker = TaggerAsker(tagger, config.background, 1)
    (answer,) = asker.ask(asker.stack([asker.prepare(picture)]))
    if answer is None:
        raise UserError("The model's probabilities are not numbers. Try another device, or another model.")
    return unpacked(answer, len(tagger.labels))


def _sentence(asker: CaptionerAsker, picture: Image.Image) -> str:
    answers: Sequence[bytes | None] = asker.ask([picture])
    return sentence_of(answers[0] or b"") or ""
