"""Every edit that a page can ask for."""

from pathlib import Path
from typing import Any

import pytest

from tests.service.open_sets import CAPTIONS, edit, on_disk, opened, shown, write_set
from tests.tiny import tiny_tokenizer
from train_gamma.captions.replacing import Rule
from train_gamma.captions.rules import RuleSet
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.dataset_requests import ExportRequest, FilterRequest, ImportRequest, RuleRequest

ONE, TWO, THREE = CAPTIONS["1"], CAPTIONS["2"], CAPTIONS["3"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


@pytest.mark.parametrize(
    ("action", "fields", "changed"),
    [
        ("remove", {"tags": ["long_hair"]}, {"1": "1girl, blue eyes, sky", "2": "1girl, Blue_Eyes, night",
                                             "3": "1girl, hat, miku \\(cosplay\\)"}),
        ("add", {"tags": ["x (y)"], "position": 1, "scope": "selected", "selected": [0]},
         {"1": "1girl, x \\(y\\), long hair, blue eyes, sky"}),
        ("add", {"tags": ["x"], "position": "-1", "scope": "selected", "selected": [0]},
         {"1": "1girl, long hair, blue eyes, x, sky"}),
        ("add", {"tags": ["x"], "position": "before", "beside": "hat", "filter": FilterRequest(any=["hat"]),
                 "scope": "filtered"}, {"3": "1girl, (long hair:1.2), x, hat, miku \\(cosplay\\)"}),
        ("replace", {"rules": [RuleRequest("sky, night", "outdoors")]},
         {"1": "1girl, long hair, blue eyes, outdoors", "2": "1girl, long hair, Blue_Eyes, outdoors"}),
        ("replace", {"rules": [RuleRequest("^blue (.*)", r"green \1", "regex")]},
         {"1": "1girl, long hair, green eyes, sky"}),
        ("replace_text", {"rules": [RuleRequest("rain", "snow", "substring")], "plain": True},
         {"4": "A girl stands in the snow."}),
        ("rename", {"tag": "blue eyes", "new": "red eyes"},
         {"1": "1girl, long hair, red eyes, sky", "2": "1girl, long hair, red eyes, night"}),
        ("move_to_front", {"tags": ["sky", "blue eyes"]},
         {"1": "sky, blue eyes, 1girl, long hair", "2": "Blue_Eyes, 1girl, long hair, night"}),
        ("sort", {"order": "alphabetical", "keep": 1, "scope": "selected", "selected": [0]},
         {"1": "1girl, blue eyes, long hair, sky"}),
        ("keep_first", {"count": 1}, {"1": "1girl", "2": "1girl", "3": "1girl"}),
        ("set", {"picture": 2, "tags": ["(long hair:1.2)", "new (tag)"]},
         {"3": "(long hair:1.2), new \\(tag\\)"}),
        ("text", {"picture": 4, "text": "Just a text."}, {"5": "Just a text."}),
        ("copy", {"picture": 2, "scope": "selected", "selected": [0, 4]}, {"1": THREE, "5": THREE}),
        ("copy", {"picture": 2, "mode": "append", "scope": "selected", "selected": [0]},
         {"1": f"{ONE}, hat, miku \\(cosplay\\)"}),
        ("clean", {"actions": ["weights", "underscores"]},
         {"2": "1girl, long hair, Blue Eyes, night", "3": "1girl, long hair, hat, miku \\(cosplay\\)"}),
        ("mark", {"tag": "sky", "having": [1, 4], "lacking": [0]},
         {"1": "1girl, long hair, blue eyes", "2": f"{TWO}, sky", "5": "sky"}),
        ("unique", {}, {}),
    ],
)  # fmt: skip
def test_edits(action: str, fields: dict[str, Any], changed: dict[str, str], service: Service, folder: Path) -> None:
    state = opened(service, folder)
    before = edit(service, state, action, **{**fields, "preview": True})
    made = edit(service, state, action, **{**fields, "version": state.version})
    assert shown(service, state) == {**CAPTIONS, **changed}
    assert (made.files, before.files, before.label) == (len(changed), len(changed), made.label)
    assert service.datasets.state(state.id).undo == (made.label if changed else None)
    if changed:
        service.datasets.undo(state.id)
    service.datasets.save(state.id)
    assert on_disk(folder) == {name: text for name, text in CAPTIONS.items() if text}


def test_captions_are_cut_to_a_number_of_tokens(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    edit(service, state, "truncate", count=6)
    for name in ("1", "2", "3"):
        text = shown(service, state)[name]
        assert CAPTIONS[name].startswith(text)
        assert len(tiny_tokenizer().tokens(text)) <= 6
        (tag, *_) = CAPTIONS[name].removeprefix(text).removeprefix(", ").split(",")
        assert len(tiny_tokenizer().tokens(f"{text}, {tag}")) > 6


def test_saved_rules_are_applied_with_a_preview_of_what_they_match(service: Service, folder: Path) -> None:
    service.datasets.rules.save(RuleSet("mine", (Rule("sky, night", "outdoors"), Rule("hat", ""))))
    state = opened(service, folder)
    preview = edit(service, state, "apply_rules", name="mine", preview=True)
    found = {(one.tag, one.becomes, one.count) for one in preview.matches}
    assert found == {("sky", ("outdoors",), 1), ("night", ("outdoors",), 1), ("hat", (), 1)}
    assert edit(service, state, "apply_rules", name="mine").files == 3


@pytest.mark.parametrize(
    ("action", "fields", "message"),
    [
        ("explode", {}, "There is no edit 'explode'. There are: remove, add"),
        ("remove", {"tags": [" "]}, "nothing to remove"),
        ("remove", {"tags": ["a"], "scope": "some"}, "Scope must be all, filtered or selected"),
        ("remove", {"tags": ["a"], "scope": "selected"}, "No picture is selected"),
        ("remove", {"tags": ["a"], "scope": "selected", "selected": [9]}, "There is no picture 9"),
        ("add", {"tags": []}, "no tag to add"),
        ("add", {"tags": ["a"], "position": "left"}, "Position must be"),
        ("add", {"tags": ["a"], "position": None}, "Position must be"),
        ("replace", {}, "There is no rule"),
        ("replace", {"rules": [RuleRequest("", "x")]}, "nothing to search for"),
        ("replace_text", {"rules": []}, "one text at a time"),
        ("apply_rules", {"name": "nobody's"}, "cannot be the name"),
        ("apply_rules", {"name": "nobodys"}, "no rule set 'nobodys'"),
        ("rename", {"tag": "hat", "new": "a, b"}, "one new name"),
        ("sort", {"order": "size"}, "Order must be one of"),
        ("keep_first", {}, "needs a number as count"),
        ("truncate", {"count": -1}, "0 or more"),
        ("set", {"tags": ["a"]}, "give its index as picture"),
        ("text", {"picture": -1, "text": ""}, "no picture -1"),
        ("copy", {"picture": 0, "mode": "swap"}, "Mode must be one of"),
        ("clean", {"actions": ["polish"]}, "no cleaning called 'polish'"),
        ("mark", {"tag": "hat", "having": [1], "lacking": [1]}, "at once"),
        ("mark", {"tag": "hat", "having": [5]}, "no picture 5"),
    ],
)
def test_mistakes_are_told_and_change_nothing(
    action: str, fields: dict[str, Any], message: str, service: Service, folder: Path
) -> None:
    state = opened(service, folder)
    with pytest.raises(UserError, match=message):
        edit(service, state, action, **fields)
    assert service.datasets.state(state.id).version == state.version


# -- metadata of kohya's scripts --------------------------------------------------------------------------------------


def test_metadata_goes_out_and_comes_back(service: Service, folder: Path, tmp_path: Path) -> None:
    state = opened(service, folder)
    path = str(tmp_path / "meta.json")
    written = service.datasets.export_metadata(state.id, ExportRequest(path))
    assert (written.pictures, written.metadata) == (4, None)
    assert service.datasets.export_metadata(state.id, ExportRequest()).metadata == {
        "1": {"tags": ONE}, "2": {"tags": TWO}, "3": {"tags": THREE}, "4": {"caption": CAPTIONS["4"]},
    }  # fmt: skip
    with pytest.raises(UserError, match="is there already"):
        service.datasets.export_metadata(state.id, ExportRequest(path))
    edit(service, state, "keep_first", count=0)
    back = service.datasets.import_metadata(state.id, ImportRequest(path, preview=True))
    assert (back.edited.files, back.matched, back.unmatched) == (3, 4, ())
    back = service.datasets.import_metadata(state.id, ImportRequest(path, scope="selected", selected=[0, 1]))
    assert (back.edited.files, service.datasets.state(state.id).undo) == (2, "Import 'meta.json'")
    assert shown(service, state) == {**CAPTIONS, "3": ""}


@pytest.mark.parametrize(
    ("name", "message"), [("", "No metadata file"), ("set/1.txt", "must end in .json"), ("no.json", "cannot be read")]
)
def test_what_is_no_metadata_is_refused(
    name: str, message: str, service: Service, folder: Path, tmp_path: Path
) -> None:
    state = opened(service, folder)
    with pytest.raises(UserError, match=message):
        service.datasets.import_metadata(state.id, ImportRequest(str(tmp_path / name) if name else ""))
