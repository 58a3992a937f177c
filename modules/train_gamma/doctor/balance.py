"""What the set shows as a whole, by its tags: how many people, from how near and from where, and what flips spoil."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from train_gamma.captions.tag_text import normal, read_tags
from train_gamma.doctor.findings import Finding, listed
from train_gamma.doctor.material import Material, Subject, paths

FEW_PICTURES = 10
ONE_SIDED = 0.9
"""Share of the pictures of known framing from which on the set is called one-sided."""
_KNOWN = 0.5

_PEOPLE = re.compile(
    r"([2-9]|6\+|\d\d)(girls|boys|others|people)|multiple (girls|boys|others|people)|couple|crowd|group|everyone|"
    r"people in background"
)
_ONE_PERSON = ("1girl", "1boy", "1other")
_SINGLE = "solo"

FRAMING: Mapping[str, frozenset[str]] = {
    "face": frozenset({"close-up", "close up", "face", "portrait", "headshot", "face focus", "eye focus"}),
    "upper body": frozenset({"upper body", "bust", "from waist up"}),
    "to the knees": frozenset({"cowboy shot"}),
    "full body": frozenset({"full body", "full-body", "wide shot", "very wide shot"}),
    "lower body": frozenset({"lower body", "feet only", "legs only"}),
}
ANGLE: Mapping[str, frozenset[str]] = {
    "from behind": frozenset({"from behind", "facing away", "back focus"}),
    "from the side": frozenset({"from side", "profile", "looking to the side", "facing to the side"}),
    "from above": frozenset({"from above"}),
    "from below": frozenset({"from below"}),
    "looking at viewer": frozenset({"looking at viewer", "facing viewer", "straight-on"}),
}
NO_FACE = frozenset({"head out of frame", "face out of frame", "faceless", "no humans", "eyes out of frame", "no face"})

_ASYMMETRIC = re.compile(
    r"heterochromia|asymmetric(al)? .+|side ponytail|(one|two) side up|side braid|single .+|.*eyepatch|"
    r"hair over one eye|hair over (left|right) eye|mole( under .+| on .+)?|scar( on .+| across .+)?|tattoo|.+ tattoo|"
    r"prosthetic (arm|leg)|mechanical (arm|leg)|.*\b(left|right)[- ](arm|eye|hand|leg|side)\b.*|uneven .+|"
    r"multicolored (eyes|hair)|split-color hair|hair ornament on one side|monocle|one-eyed|single"
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the set shows, by the tags.

    Attributes:
        captioned: pictures with tags.
        framing: pictures for each framing.
        angle: pictures for each angle.
        people: pictures with several people.
        no_face: pictures without a face.
    """

    captioned: int
    framing: Mapping[str, int]
    angle: Mapping[str, int]
    people: int
    no_face: int


def coverage_of(material: Material) -> Coverage:
    """Count what the pictures show, as far as their captions say."""
    captioned = material.with_words
    return Coverage(
        len(captioned),
        {name: sum(bool(s.normal_tags & tags) for s in captioned) for name, tags in FRAMING.items()},
        {name: sum(bool(s.normal_tags & tags) for s in captioned) for name, tags in ANGLE.items()},
        sum(_has_people(subject) for subject in captioned),
        sum(bool(subject.normal_tags & NO_FACE) for subject in captioned),
    )


def check_balance(material: Material) -> list[Finding]:
    """What is one-sided or disturbing about the set as a whole."""
    coverage = coverage_of(material)
    return [
        *_few(material),
        *_people(material),
        *_faceless(material),
        *_framing(material, coverage),
        *_angle(material, coverage),
        *_flips(material),
    ]


def flip_problems(captions: Iterable[str], init_text: str) -> list[str]:
    """Why mirrored copies would spoil a set, a sentence each; empty when nothing speaks against them.

    Args:
        captions: of the pictures.
        init_text: the words the embedding starts from, which name what is pruned from the captions.
    """
    tags = [frozenset(map(normal, read_tags(caption))) for caption in captions]
    known = frozenset(map(normal, read_tags(init_text)))
    one_sided = sorted({tag for of_picture in (*tags, known) for tag in of_picture if _ASYMMETRIC.fullmatch(tag)})
    problems = []
    if one_sided:
        problems.append(f"What is on one side only would be learned on both: {listed(one_sided)}.")
    faces = sum(bool(of_picture & FRAMING["face"]) for of_picture in tags)
    if tags and faces > len(tags) / 2:
        problems.append(f"{faces} of {len(tags)} pictures are of faces, and no face is the same on both sides.")
    return problems


def _few(material: Material) -> list[Finding]:
    count = len(material.subjects)
    if count >= FEW_PICTURES:
        return []
    number = "1 picture" if count == 1 else f"{count} pictures"
    message = f"Only {number}: what the pictures share by chance (background, pose, crop) is learned too."
    return [Finding("few_pictures", "warning", message, f"{FEW_PICTURES} to 200 different ones are usual.")]


def _has_people(subject: Subject) -> bool:
    tags = subject.normal_tags
    return _SINGLE not in tags and (any(map(_PEOPLE.fullmatch, tags)) or sum(one in tags for one in _ONE_PERSON) > 1)


def _people(material: Material) -> list[Finding]:
    found = [subject for subject in material.with_words if _has_people(subject)]
    if not found:
        return []
    message = f"Several people in {material.out_of_all(found)}: whoever is beside the subject is learned with it."
    fix = "Cut the others away or exclude these pictures, unless they are the subject."
    return [Finding("several_people", "warning", message, fix, paths(found), "review")]


def _faceless(material: Material) -> list[Finding]:
    found = [subject for subject in material.with_words if subject.normal_tags & NO_FACE]
    if not found:
        return []
    message = f"No face to be seen in {material.out_of_all(found)}, by the tags."
    return [Finding("no_face", "note", message, "Keep only those that show what matters.", paths(found), "review")]


def _framing(material: Material, coverage: Coverage) -> list[Finding]:
    known = [s for s in material.with_words if any(s.normal_tags & tags for tags in FRAMING.values())]
    if len(known) < max(FEW_PICTURES, _KNOWN * len(material.subjects)):
        return []
    name, most = max(coverage.framing.items(), key=lambda item: item[1])
    if most < ONE_SIDED * len(known):
        return []
    message = f"{most} of {len(known)} pictures whose tags say how near they are show the same: {name}."
    fix = "Other framings will be hard to prompt; add pictures from nearer or farther if there are any."
    return [Finding("one_framing", "note", message, fix)]


def _angle(material: Material, coverage: Coverage) -> list[Finding]:
    count = len(material.with_words)
    front = coverage.angle["looking at viewer"]
    if count < FEW_PICTURES or front < ONE_SIDED * count:
        return []
    message = f"{front} of {count} pictures look at the viewer, {coverage.angle['from behind']} are from behind."
    fix = "Other angles will be guessed; add pictures from behind and from the side if there are any."
    return [Finding("one_angle", "note", message, fix)]


def _flips(material: Material) -> list[Finding]:
    if not material.config.flip:
        return []
    problems = flip_problems([s.caption.text for s in material.with_words], material.target.init_text)
    return [Finding("flip", "warning", f"Flip is on. {problem}", "Turn Flip off.") for problem in problems]
