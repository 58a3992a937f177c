"""A small list of labels of every kind."""

import numpy as np

from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING, Label

LABELS = [
    Label("general", RATING),
    Label("sensitive", RATING),
    Label("questionable", RATING),
    Label("explicit", RATING),
    Label("1girl", GENERAL),
    Label("long_hair", GENERAL),
    Label("hair", GENERAL),
    Label("^_^", GENERAL),
    Label(">:(", GENERAL),
    Label("nude", GENERAL),
    Label("nipples", GENERAL),
    Label("hatsune_miku", CHARACTER),
    Label("hatsune_miku_(cosplay)", CHARACTER),
    Label("vocaloid", "copyright"),
]
RECOMMENDED = {GENERAL: 0.35, CHARACTER: 0.85}
INDEX = {label.name: number for number, label in enumerate(LABELS)}


def row(**seen: float) -> np.ndarray:
    """Probabilities of the labels; names as keywords, others are 0."""
    return pairs(seen)


def pairs(seen: dict[str, float]) -> np.ndarray:
    """The same from a mapping, for names that are no keywords."""
    probabilities = np.zeros(len(LABELS), dtype=np.float32)
    for name, probability in seen.items():
        probabilities[INDEX[name]] = probability
    return probabilities
