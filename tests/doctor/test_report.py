"""The report as a page and as markdown."""

import html.parser
from pathlib import Path

import pytest

from tests.doctor.faults import CAPTION, FAULTS, picture
from tests.doctor.folders import clean_folder, examined
from train_gamma.doctor.findings import Finding
from train_gamma.doctor.report import html_report, markdown_report, write_report

EVIL = "<img src=x onerror=alert(1)> & [a](b) |x| `*_"


class Page(html.parser.HTMLParser):
    """What a browser makes of a page: its text, its tags, and what it would fetch."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.tags, self.fetched = "", [], []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href", "onerror")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = clean_folder(tmp_path / "a_set")
    for case in ("CMYK", "same file", "near duplicate", "0-byte file", "palette"):
        FAULTS[case].make(folder)
    picture(1).save(folder / "odd_*name*.png")
    (folder / "odd_*name*.txt").write_text(f"{CAPTION}, ({EVIL})")
    return folder


def test_the_page_has_every_finding_and_picture_and_fetches_nothing(folder: Path) -> None:
    examination = examined(folder)
    page = Page(html_report(examination, [Finding("x", "note", f"Another: {EVIL}")]))
    for finding in examination.findings:
        assert finding.message in page.text
        assert finding.fix in page.text
    for subject in examination.material.subjects:
        assert subject.name in page.text
    assert f"Another: {EVIL}" in page.text
    assert page.fetched == []
    assert not {"img", "script", "link", "iframe"} & set(page.tags)
    assert "05.png" in page.text
    assert "upper body" in page.text


def test_the_markdown_has_every_finding_and_nothing_is_taken_for_markup(folder: Path) -> None:
    examination = examined(folder)
    text = markdown_report(examination)
    plain = text.replace("\\", "")
    for finding in examination.findings:
        assert f"- {finding.message} {finding.fix}".strip().replace("\\", "") in plain
    assert r"odd\_\*name\*.png" in text
    assert "<img" not in text.replace(r"\<img", "")
    rows = [line for line in text.splitlines() if line.startswith("| ") and ".png" in line]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5, 9}
    assert [line for line in text.splitlines() if line.startswith("## ")][:3] == [
        "## Errors",
        "## Warnings",
        "## Notes",
    ]


def test_a_clean_folder_has_a_report_that_says_so(tmp_path: Path) -> None:
    examination = examined(clean_folder(tmp_path / "set"))
    assert "Nothing was found." in markdown_report(examination)
    assert "Nothing was found." in html_report(examination)
    assert "12 pictures, 12 with a caption" in markdown_report(examination)


def test_both_are_written_and_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_report(examined(folder), tmp_path / "run")
    first = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert set(first) == {"report.html", "report.md"}
    write_report(examined(folder), tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == first
