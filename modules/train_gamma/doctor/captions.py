"""What is wrong with captions as a whole: those that are missing, empty or badly encoded, and what they call things."""

import re
from collections.abc import Iterable, Sequence
from statistics import median

from train_gamma.captions.tag_text import Piece, escaped, pieces
from train_gamma.dataset.templates import NAME, contains_word
from train_gamma.doctor.emphasis import is_read_as
from train_gamma.doctor.findings import Action, Finding, Level, listed
from train_gamma.doctor.material import Material, Subject, paths

FEW_TAGS = 5
_WORDS_OF_A_SENTENCE = 7

_EMPTY_WORDS = re.compile(
    r"img|image|dsc[nf]?|p|pict?|picture|photo|pxl|mvimg|gopr|screenshot|untitled|unnamed|download|whatsapp"
    r"|at|am|pm|copy|kopie|edited"
)  # what cameras, telephones and browsers call files
_HASH_NAME = re.compile(r"[0-9a-f]{4}[0-9a-f-]{8,}", re.IGNORECASE)


def check_captions(material: Material) -> list[Finding]:
    """What is wrong with captions, one finding a kind; of those that cannot be read, one each."""
    return [
        *_unreadable(material),
        *_encodings(material),
        *_missing(material),
        *_empty(material),
        *_camera_names(material),
        *_few_tags(material),
        *_emphasis(material),
        *_name_in_caption(material),
    ]


def bad_brackets(of_caption: Iterable[Piece]) -> list[str]:
    r"""The tags of a caption that the WebUI would read as something else: ``miku (cosplay)``, ``:(`` or ``\m/``.

    Brackets around whole tags, as in ``(long hair:1.2)``, are meant to weigh them and no fault.
    """
    tags = [(piece.text, piece.tags[0]) for piece in of_caption if not piece.emphasis]
    return [text for text, tag in tags if text != NAME and not is_read_as(text, " ".join(tag.split()))]


def escape_caption(caption: str) -> str:
    """The caption with those tags escaped; the others stay as they are."""
    of_caption = pieces(caption)
    bad = set(bad_brackets(of_caption))
    parts = [escaped(piece.tags[0]) if piece.text in bad else piece.text for piece in of_caption]
    return ", ".join(parts) if bad else caption


def _unreadable(material: Material) -> list[Finding]:
    fix = "Or let it be written anew as UTF-8; the bytes as they are now are kept."
    return [
        Finding(
            "encoding",
            "error",
            subject.caption.problem,
            fix,
            (subject.path,),
            "reencode" if subject.caption.encoding == "unknown" else "",
        )
        for subject in _once(material.subjects)
        if subject.caption.problem
    ]


def _once(subjects: Sequence[Subject]) -> list[Subject]:
    """One picture for each caption file."""
    return list({subject.caption.path: subject for subject in reversed(subjects)}.values())[::-1]


def _encodings(material: Material) -> list[Finding]:
    said = {
        "utf-16": "Captions in UTF-16: {which}. They are read here, and as nonsense or not at all by other trainers.",
        "utf-8-sig": "Captions that begin with a byte order mark: {which}. It is left out here; other trainers take it "
        "for a part of the first tag.",
    }
    fix = "Write them anew as plain UTF-8."
    return [
        finding
        for encoding, message in said.items()
        for finding in _finding(
            material,
            {"utf-16": "utf16", "utf-8-sig": "bom"}[encoding],
            "note",
            [subject for subject in material.subjects if subject.caption.encoding == encoding],
            message,
            fix,
            "reencode",
        )
    ]


def _missing(material: Material) -> list[Finding]:
    """Pictures without a caption file; where none has one, names that say something are captions on purpose."""
    without = [subject for subject in material.subjects if subject.caption.path is None]
    if len(without) == len(material.subjects):
        without = [subject for subject in without if not subject.caption.text]
    named = sum(bool(subject.caption.text) for subject in without)
    if named == 0:
        instead = "their prompts are the template without [filewords], so all that is in them is learned"
    elif named == len(without):
        instead = "their file names are taken as captions"
    else:
        instead = "their file names are taken as captions where they have words in them"
    message = f"No caption for {{which}}: {instead}."
    return _finding(material, "caption_missing", "warning", without, message, "Tag them.", "tag")


def _empty(material: Material) -> list[Finding]:
    captions = [(subject, subject.caption) for subject in material.subjects]
    empty = [s for s, caption in captions if caption.source == "file" and not (caption.text or caption.problem)]
    message = (
        "Empty caption for {which}: their prompts are the template without [filewords], so all that is in them is "
        "learned."
    )
    return _finding(material, "caption_empty", "warning", empty, message, "Tag them.", "tag")


def _camera_names(material: Material) -> list[Finding]:
    if any(subject.caption.source == "file" for subject in material.subjects):
        return []  # the missing ones are told
    silly = [s for s in material.subjects if s.caption.source == "file name" and _says_nothing(s.caption.text)]
    message = "File names that describe nothing are taken as captions: {which}."
    fix = "Write caption files, or turn off 'File name as caption'."
    return _finding(material, "camera_names", "warning", silly, message, fix, "tag")


def _says_nothing(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.lower())
    return all(map(_EMPTY_WORDS.fullmatch, words)) or _HASH_NAME.fullmatch(text) is not None


def _few_tags(material: Material) -> list[Finding]:
    """Captions with fewer than five tags where half the others have more than twice as many.

    Where captions are pruned or short throughout, that is how they are meant.
    """
    lists = [subject for subject in material.with_words if not _is_sentence(subject)]
    if not lists:
        return []
    usual = median(len(subject.tags) for subject in lists)
    few = [subject for subject in lists if len(subject.tags) < FEW_TAGS and 2 * len(subject.tags) < usual]
    message = f"Fewer than {FEW_TAGS} tags for {{which}}, where {usual:g} are usual in this folder."
    return _finding(material, "few_tags", "warning", few, message, "Tag them again, or add what is missing.", "tag")


def _is_sentence(subject: Subject) -> bool:
    return any(len(tag.split()) >= _WORDS_OF_A_SENTENCE for tag in subject.tags)


def _emphasis(material: Material) -> list[Finding]:
    found = [(subject, bad) for subject in material.subjects if (bad := bad_brackets(subject.pieces))]
    examples = listed(list(dict.fromkeys(tag for _, bad in found for tag in bad)), 3)
    if material.config.emphasis:
        level: Level = "warning"
        message = f"Brackets or backslashes that are read as emphasis in the captions of {{which}}: {examples}."
    else:
        level = "note"
        message = (
            f"Brackets or backslashes in the captions of {{which}}: {examples}. Here they are characters like others; "
            "the WebUI's prompts and its own trainer read them as emphasis."
        )
    subjects = [subject for subject, _ in found]
    return _finding(material, "emphasis", level, subjects, message, r"Escape them: \( and \).", "escape")


def _name_in_caption(material: Material) -> list[Finding]:
    name = material.target.name
    texts = [(subject, subject.caption.text) for subject in material.subjects]
    named = [s for s, text in texts if NAME in text or (name.strip() and contains_word(text, name))]
    message = (
        f"'{name or NAME}' is in the captions of {{which}} already. The templates add it, so a tag that is only the "
        "name is left out; inside a longer tag it stays, and the prompt has it twice."
    )
    return _finding(material, "name_in_caption", "warning", named, message, "Take it out of the captions.")


def _finding(  # noqa: PLR0913, PLR0917 - a table row in words
    material: Material,
    kind: str,
    level: Level,
    subjects: Sequence[Subject],
    message: str,
    fix: str,
    action: Action = "",
) -> list[Finding]:
    """A finding about pictures, if there are any; {which} in the message says which."""
    if not subjects:
        return []
    text = message.replace("{which}", material.out_of_all(subjects))
    return [Finding(kind, level, text, fix, paths(subjects), action)]
