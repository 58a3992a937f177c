"""Files that do not go together: captions without pictures, pictures that share one, files of other kinds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image

from train_gamma.dataset.captions import caption_paths
from train_gamma.dataset.folders import count_by_ending
from train_gamma.dataset.pictures import PICTURE_EXTENSIONS
from train_gamma.doctor.findings import Action, Finding, listed
from train_gamma.doctor.material import Material, Subject, paths

UNREAD_PICTURES = (
    ".gif", ".jfif", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".psd", ".svg", ".tga", ".ico",
)  # fmt: skip
_OF_THE_SYSTEM = ("thumbs.db", "desktop.ini")


def check_names(material: Material) -> list[Finding]:
    """What is unusual about the files of the folder beside what is in them."""
    return [
        *_shared(material),
        *_only_case(material),
        *_two_captions(material),
        *_orphans(material),
        *_unread_pictures(material),
        *_other_files(material),
    ]


def _shared(material: Material) -> list[Finding]:
    groups = _groups(material.subjects, lambda subject: subject.path.with_suffix(""))
    return [
        Finding(
            "shared_caption",
            "warning",
            f"Caption file {_caption_name(group[0], material)} is shared by {len(group)} pictures: "
            f"{listed([subject.name for subject in group])}.",
            "Rename them if each needs its own.",
            paths(group),
        )
        for group in groups
    ]


def _caption_name(subject: Subject, material: Material) -> str:
    path = subject.caption.path or caption_paths(subject.path, material.config)[0]
    return path.name


def _only_case(material: Material) -> list[Finding]:
    by_folded = _groups(material.subjects, lambda subject: str(subject.path.with_suffix("")).casefold())
    groups = [group for group in by_folded if len({subject.path.with_suffix("") for subject in group}) > 1]
    if not groups:
        return []
    told = listed([" and ".join(subject.name for subject in group) for group in groups])
    message = f"Names that differ only in capitals: {told}. On Windows and macOS they are one name, with one caption."
    concerned = [subject for group in groups for subject in group]
    return [Finding("same_but_case", "note", message, "Rename one of each.", paths(concerned))]


def _two_captions(material: Material) -> list[Finding]:
    found = [subject for subject in material.subjects if subject.caption.others]
    if not found:
        return []
    endings = dict.fromkeys(path.suffix for subject in found for path in subject.caption.others)
    message = f"More than one caption file for {material.out_of_all(found)}; {' '.join(endings)} is not read."
    return [Finding("two_captions", "note", message, "Keep the one that you mean.", paths(found))]


def _orphans(material: Material) -> list[Finding]:
    pictures = [path for path in material.files if path.suffix.lower() in UNREAD_PICTURES]
    stems = {path.with_suffix("") for path in (*paths(material.subjects), *pictures)}
    orphans = [path for path in _texts(material) if path.with_suffix("") not in stems]
    if not orphans:
        return []
    message = f"{_number(orphans, 'caption file')} without a picture: {_names(orphans, material)}."
    folded = {str(stem).casefold() for stem in stems}
    if any(str(path.with_suffix("")).casefold() in folded for path in orphans):
        message += " Some have the name of a picture but for capitals, which count here."
    fix = "Rename them to the names of their pictures, or move them away."
    return [Finding("orphan_caption", "note", message, fix, tuple(orphans), "exclude")]


def _texts(material: Material) -> list[Path]:
    """The files that would be captions by their ending; the template file of the prompts is none."""
    endings = {path.suffix.lower() for path in caption_paths(Path("x"), material.config)}
    template = _template(material)
    return [path for path in material.files if path.suffix.lower() in endings and path.absolute() != template]


def _template(material: Material) -> Path | None:
    file = material.config.template_file.strip()
    return Path(file).expanduser().absolute() if file else None


def _unread_pictures(material: Material) -> list[Finding]:
    found = [path for path in material.files if path.suffix.lower() in UNREAD_PICTURES]
    here = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    known = [path for path in found if path.suffix.lower() in here]
    unknown = [path for path in found if path.suffix.lower() not in here]
    fix = "Convert to PNG what belongs to the set"
    return [
        *_unread(known, material, f"{fix}.", "convert"),
        *_unread(unknown, material, f"{fix}, with a program that knows them.", ""),
    ]


def _unread(found: Sequence[Path], material: Material, fix: str, action: Action) -> list[Finding]:
    if not found:
        return []
    kinds = f"{_number(found, 'picture')} of a kind that is not read"
    message = f"{kinds}, and so not trained on: {_names(found, material)}."
    return [Finding("unread_picture", "warning", message, fix, tuple(found), action)]


def _other_files(material: Material) -> list[Finding]:
    known, texts, template = {*PICTURE_EXTENSIONS, *UNREAD_PICTURES}, set(_texts(material)), _template(material)
    others = [path for path in material.files if path.suffix.lower() not in known and path not in texts]
    found = [p for p in others if p.name.lower() not in _OF_THE_SYSTEM and p.absolute() != template]
    if not found:
        return []
    message = f"Files that are neither pictures nor captions: {count_by_ending(found)} ({_names(found, material)})."
    return [Finding("other_files", "note", message, "They are not read, and do no harm here.", tuple(found), "exclude")]


def _groups(subjects: Sequence[Subject], key: Callable[[Subject], object]) -> list[list[Subject]]:
    groups: dict[object, list[Subject]] = defaultdict(list)
    for subject in subjects:
        groups[key(subject)].append(subject)
    return [group for group in groups.values() if len(group) > 1]


def _number(files: Sequence[Path], noun: str) -> str:
    return f"1 {noun}" if len(files) == 1 else f"{len(files)} {noun}s"


def _names(files: Iterable[Path], material: Material) -> str:
    return listed([path.relative_to(material.folder).as_posix() for path in files])
