"""Datasets that are open: shared by pages, looked at, and never silently overwritten."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.service.open_sets import CAPTIONS, edit, on_disk, opened, shown, write_set
from tests.service.small_host import SmallHost, done
from tests.tagging.seeing import PINK, brought_tagger, draw, truth
from tests.tiny import tiny_tokenizer
from train_gamma.captions.store import ConflictError, StaleError
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.dataset_requests import FilterRequest, PicturesRequest, TagsRequest
from train_gamma.service.open_dataset import MOST_OPEN, UnsavedError
from train_gamma.service.places import ForbiddenError, UnknownError
from train_gamma.tagging.config import TagConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


# -- opening ----------------------------------------------------------------------------------------------------------


def test_every_page_that_opens_a_folder_gets_the_same_dataset(service: Service, folder: Path) -> None:
    first = opened(service, folder)
    assert (first.pictures, first.changed, first.name) == (5, 0, "set")
    edit(service, first, "remove", tags=["1girl"])
    again = opened(service, folder / ".." / "set")
    assert (again.id, again.version, again.changed, again.undo) == (first.id, first.version + 1, 3, "Remove '1girl'")
    others = {opened(service, folder, recursive=True).id, opened(service, folder, extension="caption").id}
    assert len({first.id, *others}) == 3


def test_a_folder_that_is_opened_again_is_read_again_unless_changes_would_be_lost(
    service: Service, folder: Path
) -> None:
    state = opened(service, folder)
    (folder / "1.txt").write_text("sun")
    write_set(folder, {"6": "moon"})
    again = opened(service, folder)
    assert (again.pictures, shown(service, again)["1"]) == (6, "sun")
    edit(service, again, "add", tags=["new"])
    write_set(folder, {"7": "stars"})
    assert opened(service, folder).pictures == 6
    assert opened(service, folder).changed == 5  # 4.png is a sentence
    assert service.datasets.get(state.id).store.version == again.version + 1


def test_the_oldest_datasets_are_forgotten_but_none_with_unsaved_changes(service: Service, tmp_path: Path) -> None:
    states = [opened(service, write_set(tmp_path / str(k), {"a": "x"})) for k in range(2)]
    edit(service, states[0], "add", tags=["kept"])
    for k in range(2, MOST_OPEN + 2):
        opened(service, write_set(tmp_path / str(k), {"a": "x"}))
    assert shown(service, states[0]) == {"a": "x, kept"}
    with pytest.raises(UnknownError, match="not open any more"):
        service.datasets.state(states[1].id)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("", {}, "Pictures is not set"),
        ("nowhere", {}, "does not exist"),
        ("set", {"extension": ".png"}, "not that of a text file"),
        ("set", {"extension": "../x"}, "must be letters and digits"),
    ],
)
def test_what_cannot_be_opened_is_told(
    name: str, options: dict[str, Any], message: str, service: Service, folder: Path
) -> None:
    with pytest.raises(UserError, match=message):
        service.datasets.open(str(folder.parent / name) if name else "", **options)


def test_only_allowed_folders_are_opened_and_only_pictures_in_them_shown(tmp_path: Path) -> None:
    outside, inside = write_set(tmp_path / "out"), write_set(tmp_path / "in")
    (inside / "link.png").symlink_to(outside / "1.png")
    service = Service(SmallHost(tmp_path / "data", readable=(inside,)))
    with pytest.raises(ForbiddenError):
        opened(service, outside)
    state = opened(service, inside)
    page = service.datasets.pictures(state.id, PicturesRequest())
    places = {item.name: item.index for item in page.items}
    assert service.datasets.thumbnail(state.id, places["1.png"])[0]().is_file()
    with pytest.raises(ForbiddenError):
        service.datasets.thumbnail(state.id, places["link.png"])[0]()


# -- looking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (FilterRequest(), [0, 1, 2, 3, 4]),
        (FilterRequest(all=["long hair", "BLUE EYES"]), [0, 1]),
        (FilterRequest(any=["sky", "hat"]), [0, 2]),
        (FilterRequest(all=["1girl"], none=["blue_eyes"]), [2]),
        (FilterRequest(untagged=True), [4]),
        (FilterRequest(plain=True), [3]),
        (FilterRequest(fewer_tags=4), [4]),
        (FilterRequest(text="stands"), [3]),
        (FilterRequest(only=[4, 2, 99], all=["1girl"]), [2]),
        (FilterRequest(changed=True), []),
    ],
)
def test_pictures_are_found(wanted: FilterRequest, found: list[int], service: Service, folder: Path) -> None:
    state = opened(service, folder)
    page = service.datasets.pictures(state.id, PicturesRequest(wanted))
    assert (list(page.indices), page.total) == (found, len(found))


def test_a_page_of_pictures_has_what_the_grid_shows(service: Service, folder: Path) -> None:
    Image.new("RGB", (30, 10)).save(folder / "2.png", exif=turned())
    Image.new("RGB", (30, 10)).save(folder / "3.png", "JPEG", exif=turned())
    (folder / "5.png").write_bytes(b"no picture")
    (folder / "4.txt").write_bytes(b"\xff\xfe\x00")
    state = opened(service, folder)
    assert (state.unreadable, "4.txt" in state.problem) == (1, True)
    page = service.datasets.pictures(state.id, PicturesRequest(offset=1, limit=4))
    assert [item.index for item in page.items] == [1, 2, 3, 4]
    two, three, four, five = page.items
    assert (two.width, two.height) == (three.width, three.height) == (10, 30)
    assert (five.width, five.height) == (None, None)
    assert (two.tags, two.text) == (("1girl", "long hair", "Blue_Eyes", "night"), CAPTIONS["2"])
    assert two.tokens == len(tiny_tokenizer().tokens(CAPTIONS["2"]))
    assert four.problem == state.problem
    stamp = two.stamp
    Image.new("RGB", (12, 34)).save(folder / "2.png")
    (two,) = service.datasets.pictures(state.id, PicturesRequest(offset=1, limit=1)).items
    assert (two.width, two.height) == (12, 34)
    assert two.stamp != stamp


def test_the_list_of_tags(service: Service, host: SmallHost, folder: Path) -> None:
    state = opened(service, folder)
    page = service.datasets.tags(state.id, TagsRequest(limit=2))
    assert (page.total, page.pictures) == (7, 5)
    assert [(row.tag, row.count, row.share, row.tag_class) for row in page.rows] == [
        ("1girl", 3, 0.6, "context"),
        ("long hair", 3, 0.6, "trait"),
    ]
    assert page.rows[1].tokens == len(tiny_tokenizer().tokens("long hair"))
    request = TagsRequest("^(sky|hat)$", "regex", "name", False, FilterRequest(all=["hat"]))
    page = service.datasets.tags(state.id, request)
    assert [(row.tag, row.share) for row in page.rows] == [("hat", 1.0)]
    by_tokens = [row.tokens for row in service.datasets.tags(state.id, TagsRequest(sort="tokens")).rows]
    assert by_tokens == sorted(by_tokens, reverse=True)
    with pytest.raises(UserError, match="not a regular expression"):
        service.datasets.tags(state.id, TagsRequest("(", "regex"))


def test_without_a_tokenizer_everything_else_works(host: SmallHost, folder: Path) -> None:
    host.counts_tokens = False
    service = Service(host)
    state = opened(service, folder)
    assert not state.counts_tokens
    assert service.datasets.tags(state.id, TagsRequest()).rows[0].tokens is None
    assert service.datasets.pictures(state.id, PicturesRequest()).items[0].tokens is None
    for refused in (
        lambda: edit(service, state, "truncate", count=3),
        lambda: service.datasets.tags(state.id, TagsRequest(sort="tokens")),
        lambda: service.datasets.pictures(state.id, PicturesRequest(FilterRequest(more_tokens=3))),
    ):
        with pytest.raises(UserError, match="Tokens cannot be counted"):
            refused()


def test_one_picture_shows_how_sure_the_tagger_was(service: Service, host: SmallHost, tmp_path: Path) -> None:
    host.own_interrogators = (brought_tagger(),)
    draw(tmp_path / "set" / "1.png", PINK)
    draw(tmp_path / "set" / "2.png", PINK, (9, 9))
    (tmp_path / "set" / "2.jpg").write_bytes((tmp_path / "set" / "2.png").read_bytes())
    done(service.tagging.tag(TagConfig(folder=str(tmp_path / "set"), model="colours")))
    (tmp_path / "set" / "1.txt").write_text("Red_Sky, hat", "utf-8")
    state = opened(service, tmp_path / "set")
    view = service.datasets.picture(state.id, 0)
    _, _, red, green, blue, _, lady = truth(PINK)
    assert [(chip.tag, chip.count) for chip in view.tags] == [("Red_Sky", 3), ("hat", 1)]
    assert [chip.confidence for chip in view.tags] == [pytest.approx(red, abs=1e-6), None]
    assert dict(view.seen) == {
        "blue": pytest.approx(blue, abs=1e-6),
        "green (leaf)": pytest.approx(green, abs=1e-6),
        "grey lady": pytest.approx(lady, abs=1e-6),
    }
    assert [value for _, value in view.seen] == sorted((value for _, value in view.seen), reverse=True)
    assert view.tagger == "colours"
    assert [service.datasets.picture(state.id, k).shared for k in range(3)] == [(), (2,), (1,)]
    with pytest.raises(UnknownError, match="no picture 3"):
        service.datasets.picture(state.id, 3)


# -- changing ---------------------------------------------------------------------------------------------------------


def test_what_was_changed_in_another_window_is_not_overwritten(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    edit(service, state, "remove", tags=["sky"], version=state.version)
    now = shown(service, state)
    refused = (
        lambda: edit(service, state, "remove", tags=["hat"], version=state.version),
        lambda: edit(service, state, "remove", tags=["hat"], version=state.version, preview=True),
        lambda: service.datasets.undo(state.id, state.version),
        lambda: service.datasets.discard(state.id, state.version),
        lambda: service.datasets.reload(state.id, state.version),
        lambda: service.datasets.save(state.id, version=state.version),
        lambda: service.datasets.restore(state.id, "x.zip", state.version),
    )
    for action in refused:
        with pytest.raises(StaleError, match="another window"):
            action()
    assert shown(service, state) == now
    assert on_disk(folder)["1"] == CAPTIONS["1"]


def test_pages_that_edit_at_once_lose_nothing(service: Service, folder: Path) -> None:
    state = opened(service, folder)

    def add(tag: str) -> None:
        while True:  # as a page does that is told that it is not up to date
            try:
                edit(service, state, "add", tags=[tag], version=service.datasets.state(state.id).version)
            except StaleError:
                continue
            return

    tags = [f"by {k}" for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, tags))
    added = shown(service, state)["1"].removeprefix(CAPTIONS["1"] + ", ").split(", ")
    assert sorted(added) == tags
    undone = [service.datasets.undo(state.id) for _ in tags]
    assert undone == [f"Add '{tag}'" for tag in reversed(added)]
    assert shown(service, state) == CAPTIONS


def test_a_preview_changes_nothing_and_tells_everything(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    without_sky = FilterRequest(none=["sky"])
    preview = edit(
        service, state, "remove", preview=True, tags=["long hair", "hat"], scope="filtered", filter=without_sky
    )
    assert (preview.files, preview.left_alone, preview.label) == (2, 0, "Remove 'long hair', 'hat'")
    assert preview.diff is not None
    assert preview.diff.removed == (("long hair", 2), ("hat", 1))
    assert [(one.name, one.new) for one in preview.diff.examples] == [
        ("2.png", "1girl, Blue_Eyes, night"),
        ("3.png", "1girl, miku \\(cosplay\\)"),
    ]
    assert service.datasets.state(state.id).version == state.version


def test_undo_redo_discard(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    assert service.datasets.undo(state.id) is None
    edit(service, state, "unique")
    edit(service, state, "add", tags=["a"], scope="selected", selected=[0])
    assert service.datasets.undo(state.id) == "Add 'a'"
    assert service.datasets.redo(state.id) == "Add 'a'"
    assert service.datasets.discard(state.id) == "Discard changes"
    assert service.datasets.discard(state.id) is None
    assert service.datasets.undo(state.id) == "Discard changes"
    assert shown(service, state)["1"] == CAPTIONS["1"] + ", a"


# -- files ------------------------------------------------------------------------------------------------------------


def test_saving_keeps_what_was_and_restoring_reads_it_again(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    edit(service, state, "rename", tag="long hair", new="short hair")
    version, diff = service.datasets.diff(state.id)
    assert (version, diff.files, diff.added) == (state.version + 1, 3, (("short hair", 3),))
    saved = service.datasets.save(state.id, version=version)
    assert saved.written == 3
    assert on_disk(folder)["3"] == "1girl, (short hair:1.2), hat, miku \\(cosplay\\)"
    assert [one.name for one in service.datasets.backups(state.id)] == [saved.backup]
    assert [one.name for one in service.tagging.backups(str(folder))] == [saved.backup]
    edit(service, state, "add", tags=["x"])
    with pytest.raises(UnsavedError, match="4 captions have changes that are not saved"):
        service.datasets.restore(state.id, saved.backup)
    service.datasets.discard(state.id)
    assert "3 captions are as they were" in service.datasets.restore(state.id, saved.backup)
    assert on_disk(folder) == {name: text for name, text in CAPTIONS.items() if text}
    assert shown(service, state) == CAPTIONS


def test_files_changed_by_another_program_are_noticed(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    edit(service, state, "remove", tags=["1girl"])
    (folder / "1.txt").write_text(CAPTIONS["1"] + ", sun", "utf-8")
    with pytest.raises(ConflictError, match=r"1\.txt"):
        service.datasets.save(state.id)
    now = service.datasets.state(state.id)  # saving has looked, so this is not old
    assert (now.conflicts, now.conflict_names) == (1, ("1.png",))
    assert service.datasets.save(state.id, "merge").taken == 1
    assert on_disk(folder)["1"] == "long hair, blue eyes, sky, sun"
    assert service.datasets.state(state.id).conflicts == 0


def test_nothing_is_kept_among_the_pictures(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    service = Service(SmallHost(folder / "data"))
    state = opened(service, folder)
    edit(service, state, "add", tags=["x"])
    with pytest.raises(UserError, match="among the pictures"):
        service.datasets.save(state.id)
    assert on_disk(folder) == {name: text for name, text in CAPTIONS.items() if text}


def turned() -> Image.Exif:
    """EXIF of a picture that lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
