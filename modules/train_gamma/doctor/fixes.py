"""What the program can do about a finding."""

import codecs
from collections.abc import Callable, Mapping
from pathlib import Path

from train_gamma.dataset.captions import caption_paths
from train_gamma.dataset.text_files import decode_text
from train_gamma.doctor.captions import escape_caption
from train_gamma.doctor.findings import Action, Finding
from train_gamma.doctor.material import Material, Subject
from train_gamma.doctor.picture_edits import Edit, as_png, crop, downscale, flatten, open_for_edit, rotate, to_srgb
from train_gamma.doctor.pictures import OVERSIZED, training_side
from train_gamma.doctor.repair import ORIGINALS, REJECTED, Repair, Step, Workbench
from train_gamma.doctor.residues import clean_caption, prefers_spaces
from train_gamma.errors import UserError

BY_HAND: tuple[Action, ...] = ("", "tag", "review")
"""Actions that are not made here: nothing can be done, it is the tagger's part, or somebody has to look."""


def apply_fix(
    finding: Finding,
    material: Material,
    into: Path | None = None,
    note: Callable[[Step], None] = lambda _step: None,
) -> Repair:
    """Do what a finding advises, for all its files.

    A file that cannot be changed is left as it is and told in the repair's problems; the others go on.

    Args:
        finding: with an action that the program can make.
        material: the examined dataset the finding is about.
        into: for pictures that are written anew: a folder for them and copies of their captions, so that the dataset
            stays as it is. None to put them into the dataset, with the originals beside it.
        note: hears of each step when it is done.

    Raises:
        UserError: if there is nothing the program can do, or ``into`` lies in the dataset.
    """
    if finding.action in BY_HAND:
        raise UserError(f"There is no fix that can be made for this: {finding.message} {finding.fix}".strip())
    folder = material.folder.absolute()
    if into is not None and into.absolute().is_relative_to(folder):
        raise UserError(f"The new folder '{into}' lies in the dataset. Choose one outside of it.")
    bench = Workbench(folder, note)
    work = _work_of(finding, material, into)
    for path in finding.pictures:
        try:
            work(path, bench)
        except UserError as error:
            bench.problems.append(str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            bench.problems.append(f"'{path}' could not be fixed: {reason}. Check the space and the folder's rights.")
    return bench.done(finding.action)


Work = Callable[[Path, Workbench], None]


def _work_of(finding: Finding, material: Material, into: Path | None) -> Work:
    longest = round(OVERSIZED * training_side(material))
    edits: Mapping[str, Edit] = {
        "convert": to_srgb,
        "rotate": rotate,
        "flatten": flatten,
        "downscale": downscale(longest),
        "crop": crop,
    }
    if finding.action in edits:
        return _edit_picture(edits[finding.action], material, into)
    if finding.action == "exclude":
        return _exclude(finding, material)
    if finding.action == "reencode":
        return _caption_work(material, lambda data, path: guess_text(data, path).encode("utf-8"))
    spaces = prefers_spaces(subject.pieces for subject in material.with_words)
    change = escape_caption if finding.action == "escape" else lambda text: clean_caption(text, finding.kind, spaces)
    return _caption_work(material, lambda data, path: _changed(decode_text(data, path), change).encode("utf-8"))


def guess_text(data: bytes, path: Path) -> str:
    """The text of a caption file whatever it is written in; cp1252, the West's of Windows, when nothing else fits.

    Raises:
        UserError: if it begins as UTF-16 and breaks.
    """
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decode_text(data, path)
    if b"\0" in data:  # UTF-16 without its mark: of plain letters every second byte is 0
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", "replace")
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _changed(text: str, change: Callable[[str], str]) -> str:
    """A caption changed, with the line break at its end as it was; one that is as it should be stays untouched."""
    line = " ".join(text.split())
    after = change(line)
    end = text[len(text.rstrip()) :]
    return text if after == line else after + end


def _exclude(finding: Finding, material: Material) -> Work:
    gone = set(finding.pictures)
    by_path = {subject.path: subject for subject in material.subjects}
    staying = {subject.path.with_suffix("") for subject in material.subjects if subject.path not in gone}

    def work(path: Path, bench: Workbench) -> None:
        bench.put_away(path.absolute(), REJECTED)
        if path in by_path and path.with_suffix("") not in staying:
            for caption in caption_paths(path, material.config):
                if caption.is_file():
                    bench.put_away(caption.absolute(), REJECTED)

    return work


def _edit_picture(edit: Edit, material: Material, into: Path | None) -> Work:
    subjects: Mapping[Path, Subject] = {subject.path: subject for subject in material.subjects}

    def work(path: Path, bench: Workbench) -> None:
        subject = subjects.get(path)
        opened = open_for_edit(path, material.config.background, subject.fit if subject else None)
        data = as_png(edit(opened), opened, edit)
        old = path.absolute()
        home = bench.folder if into is None else into.absolute()
        new = home / old.relative_to(bench.folder).with_suffix(".png")
        if new.exists() and new != old:
            raise UserError(f"'{new}' is there already, so '{path.name}' is left as it is. Rename one of them.")
        bench.write(new, data)
        if into is not None:
            for caption in (file for file in caption_paths(old, material.config) if file.is_file()):
                copy = home / caption.relative_to(bench.folder)
                if not copy.exists():
                    bench.write(copy, caption.read_bytes())
        elif new != old:
            bench.put_away(old, ORIGINALS)

    return work


def _caption_work(material: Material, change: Callable[[bytes, Path], bytes]) -> Work:
    files = {subject.path: subject.caption.path for subject in material.subjects}

    def work(path: Path, bench: Workbench) -> None:
        file = files.get(path)
        if file is None:
            return
        before = file.read_bytes()
        after = change(before, file)
        if after != before:
            bench.write(file.absolute(), after)

    return work
