"""What is wrong with single pictures: their files, sizes, shapes and colours."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from train_gamma.dataset.facts import PictureFacts
from train_gamma.doctor.findings import Action, Finding, Level, listed
from train_gamma.doctor.material import Material, Subject

HUGE_PIXELS = 50_000_000
SMALL, TINY = 4 / 3, 2.0
"""Enlargement above which a picture is small or tiny: for 512 x 512, a side below 384 or 256."""
OVERSIZED = 4.0
"""A longest side above this many sides of the training size is more than training can use: 2,048 for 512 x 512."""
LONG, EXTREME = 2.0, 3.0
"""Longer side to shorter side."""
MUCH_CUT = 0.2

_EXCLUDE = "Or let it be moved out of the folder, to '{folder}_rejected'."


@dataclass(frozen=True, slots=True)
class _Rule:
    """One thing that can be wrong with a picture.

    Attributes:
        kind, level, action: of the finding.
        detail: None for a picture that is all right; otherwise what is said behind its name, may be "".
        message: with {which} for "2 of 40 pictures (a.png 3.1x, b.png 2.4x)".
        fix: what to do.
    """

    kind: str
    level: Level
    action: Action
    detail: Callable[[Subject, PictureFacts, Material], str | None]
    message: str
    fix: str


def check_pictures(material: Material) -> list[Finding]:
    """What is wrong with single pictures, one finding a kind; of those that cannot be read, one each."""
    findings = [_unreadable(subject, material) for subject in material.subjects if subject.problem]
    for rule in _RULES:
        details = [(subject, _detail(rule, subject, material)) for subject in material.readable]
        concerned = [(subject, detail) for subject, detail in details if detail is not None]
        if concerned:
            findings.append(_finding(rule, concerned, material))
    return findings


def training_side(material: Material) -> float:
    """The side of the square that has as many pixels as the pictures are trained with."""
    return math.sqrt(material.config.width * material.config.height)


def _unreadable(subject: Subject, material: Material) -> Finding:
    kind = "too_large" if subject.too_large else "unreadable"
    fix = _EXCLUDE.format(folder=material.folder.name)
    return Finding(kind, "error", subject.problem, fix, (subject.path,), "exclude")


def _detail(rule: _Rule, subject: Subject, material: Material) -> str | None:
    return None if subject.facts is None else rule.detail(subject, subject.facts, material)


def _finding(rule: _Rule, concerned: list[tuple[Subject, str]], material: Material) -> Finding:
    names = listed([f"{subject.name} {detail}".strip() for subject, detail in concerned])
    values = {
        "which": f"{len(concerned)} of {len(material.subjects)} pictures ({names})",
        "background": material.config.background,
        "limit": str(round(OVERSIZED * training_side(material))),
        "size": f"{material.config.width} x {material.config.height}",
    }
    message, fix = rule.message.format(**values), rule.fix.format(**values)
    return Finding(rule.kind, rule.level, message, fix, tuple(s.path for s, _ in concerned), rule.action)


# -- the tests; each gives None, or what is said behind the name -------------------------------------------------------


def _huge(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    pixels = facts.size[0] * facts.size[1]
    return f"{pixels / 1e6:.0f} million" if pixels > HUGE_PIXELS else None


def _oversized(subject: Subject, facts: PictureFacts, material: Material) -> str | None:
    if max(facts.size) <= OVERSIZED * training_side(material) or _huge(subject, facts, material) is not None:
        return None
    return _size(facts) if _extreme(subject, facts, material) is None else None


def _tiny(subject: Subject, _facts: PictureFacts, material: Material) -> str | None:
    return f"{subject.enlarged:.1f}x" if material.config.upscale and subject.enlarged > TINY else None


def _small(subject: Subject, _facts: PictureFacts, material: Material) -> str | None:
    if not material.config.upscale or not SMALL < subject.enlarged <= TINY:
        return None
    return f"{subject.enlarged:.1f}x"


def _kept_small(subject: Subject, facts: PictureFacts, material: Material) -> str | None:
    return _size(facts) if not material.config.upscale and subject.enlarged > TINY else None


def _ratio(facts: PictureFacts) -> float:
    return max(facts.size) / min(facts.size)


def _extreme(subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return _shape(subject, facts) if _ratio(facts) > EXTREME else None


def _long(subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return _shape(subject, facts) if LONG < _ratio(facts) <= EXTREME else None


def _cut(subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    if subject.fit is None or _ratio(facts) > LONG or subject.fit.lost <= MUCH_CUT:
        return None
    return f"{subject.fit.lost:.0%}"


def _clear(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return "" if facts.clear else None


def _turned(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return "" if facts.orientation in range(2, 9) else None


def _print_colours(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return "" if facts.mode == "CMYK" else None


def _deep(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return f"{facts.depth} bits" if facts.depth > 8 else None


def _palette(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return "" if facts.mode in ("P", "PA") else None


def _profile(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return f"'{facts.profile}'" if facts.profile else None


def _animated(_subject: Subject, facts: PictureFacts, _material: Material) -> str | None:
    return "" if facts.animated else None


def _size(facts: PictureFacts) -> str:
    return f"{facts.size[0]} x {facts.size[1]}"


def _shape(subject: Subject, facts: PictureFacts) -> str:
    cut = f" of which {subject.fit.lost:.0%} is cut off" if subject.fit and subject.fit.lost > MUCH_CUT else ""
    return f"{_size(facts)}{cut}"


_CROP = (
    "Crop them to what matters, or allow longer buckets with Bucket minimum and Bucket maximum; or exclude them."
)  # fmt: skip

_RULES = (
    _Rule(
        "huge", "warning", "downscale", _huge,
        "More than 50 million pixels in {which}: each takes hundreds of megabytes while it is read.",
        "Scale copies down to {limit} pixels a side; more is not seen in training.",
    ),
    _Rule(
        "tiny", "error", "exclude", _tiny,
        "Scaled up more than 2 times to {size}: {which}. Their blur is learned.",
        "Take larger ones, enlarge them with an upscaler, exclude them, or turn off 'Upscale small pictures'.",
    ),
    _Rule(
        "small", "warning", "exclude", _small,
        "Scaled up more than 1.3 times to {size}: {which}. Their blur is learned.",
        "Take larger ones, enlarge them with an upscaler, or train at a smaller Width and Height.",
    ),
    _Rule(
        "kept_small", "note", "exclude", _kept_small,
        "Less than half as large as {size}: {which}. They are trained at their own size, with few details.",
        "Take larger ones, or exclude them.",
    ),
    _Rule(
        "oversized", "note", "downscale", _oversized,
        "Larger than training at {size} can use: {which}.",
        "They only take longer to read. Copies of {limit} pixels a side are as good.",
    ),
    _Rule(
        "extreme_aspect", "error", "crop", _extreme,
        "More than 3 times as long as wide: {which}. The shorter side is left with few pixels.", _CROP,
    ),
    _Rule(
        "aspect", "warning", "crop", _long,
        "More than twice as long as wide: {which}. The shorter side is left with few pixels.", _CROP,
    ),
    _Rule("cut", "warning", "crop", _cut, "More than 20% is cut off {which}.", _CROP),
    _Rule(
        "alpha", "note", "flatten", _clear,
        "Transparent parts in {which}: '{background}' (Background) shows through them and is learned.",
        "Flatten them, and every program sees the same. Leave them for a trainer that takes transparency as a mask.",
    ),
    _Rule(
        "exif_rotation", "note", "rotate", _turned,
        "Turned by an EXIF note: {which}. Here they are turned upright; programs that ignore it learn them lying.",
        "Rotate the pixels, and every program sees the same.",
    ),
    _Rule(
        "cmyk", "warning", "convert", _print_colours,
        "Colours for print (CMYK) in {which}: other programs show other colours than those that are learned.",
        "Convert them to RGB.",
    ),
    _Rule(
        "deep", "note", "convert", _deep,
        "More than 8 bits a channel in {which}: here they are scaled; many programs cut such values off.",
        "Convert them to 8 bits.",
    ),
    _Rule(
        "palette", "note", "convert", _palette,
        "At most 256 colours (a palette) in {which}: what is smooth became grainy when they were saved.",
        "Take the originals if there are any, or convert them to RGB.",
    ),
    _Rule(
        "profile", "warning", "convert", _profile,
        "Colours in another profile than sRGB in {which}: the profile is not read in training, so the wrong colours "
        "are learned.",
        "Convert them to sRGB.",
    ),
    _Rule(
        "animated", "note", "convert", _animated,
        "Animations: {which}. The first frame is trained on.",
        "Save the frame that you want as a picture.",
    ),
)  # fmt: skip
