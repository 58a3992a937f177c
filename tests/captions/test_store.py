"""The captions of a dataset in memory: loaded, edited, undone and written."""

import threading

import pytest

from tests.captions.sets import files, small_store, texts, write_set
from train_gamma.captions import edits
from train_gamma.captions.files import list_backups, restore
from train_gamma.captions.store import StaleError, open_store
from train_gamma.errors import UserError

SENTENCES = [
    "a girl with long hair sits on a bench",
    "A photo of a cat, sitting on a table in front of the window.",
    "1girl, solo\nlong hair, smile",
    "1girl\r\nsolo\r\n",
    "The quick brown fox jumps over the lazy dog. It is brown.",
    "A woman, a man, and a dog, standing.",
]


def names(store, picture):
    return [tag.name for tag in store.caption(picture).tags]


def test_pictures_come_in_natural_order_with_their_captions(tmp_path):
    store = open_store(write_set(tmp_path, {"a10": "ten", "a2": "two", "b": None}), recursive=False)
    assert [path.name for path in store.pictures] == ["a2.png", "a10.png", "b.png"]
    assert texts(store) == ["two", "ten", ""]
    last = store.caption(2)
    assert (last.file, last.exists, last.changed) == (tmp_path / "b.txt", False, False)


def test_the_first_extension_that_exists_counts_and_new_files_get_the_first(tmp_path):
    write_set(tmp_path, {"a": None, "b": None})
    (tmp_path / "a.caption").write_text("from caption")
    store = open_store(tmp_path, recursive=False)
    assert store.caption(0).file == tmp_path / "a.caption"
    assert store.caption(1).file == tmp_path / "b.txt"
    other = open_store(tmp_path, recursive=False, extensions=("cap",))
    assert other.caption(0).file == tmp_path / "a.cap"


def test_subfolders_when_asked_for(tmp_path):
    write_set(tmp_path, {"a": "x"})
    write_set(tmp_path / "[char] v1", {"b": "y"})
    assert len(open_store(tmp_path, recursive=False).pictures) == 1
    assert texts(open_store(tmp_path, recursive=True)) == ["y", "x"]


def test_tags_are_raw_in_memory_and_as_they_were_in_the_file(tmp_path):
    store = small_store(tmp_path, r"long_hair,miku \(cosplay\) ,(smile:1.1), ^_^,,")
    assert names(store, 0) == ["long_hair", "miku (cosplay)", "smile", "^_^"]
    store.apply(edits.remove(store.captions, ["^_^"]), "remove")
    assert texts(store) == [r"long_hair, miku \(cosplay\), (smile:1.1)"]


@pytest.mark.parametrize("caption", SENTENCES)
def test_what_is_no_list_of_tags_is_left_alone_by_mass_edits(tmp_path, caption):
    store = small_store(tmp_path, caption, "1girl, solo")
    before = files(tmp_path)
    assert store.caption(0).plain
    change = edits.add(store.captions, ["trigger"])
    assert (len(change), change.left_alone) == (1, 1)
    store.apply(change, "add")
    store.save(tmp_path / "backups")
    assert files(tmp_path)["set/p0.txt"] == before["set/p0.txt"]
    assert texts(store)[1] == "1girl, solo, trigger"


@pytest.mark.parametrize(
    "caption",
    [
        "a woman sitting on a bench, 1girl, solo, long hair",
        "hair over one eye, looking at viewer, hand on own hip",
        "kono subarashii sekai ni shukufuku wo!, 1girl, solo",
        "1girl",
        "[name], smile",
        "1girl, solo\n",
    ],
)
def test_tags_with_a_sentence_among_them_are_tags(tmp_path, caption):
    assert not small_store(tmp_path, caption).caption(0).plain


def test_a_sentence_can_be_edited_by_hand(tmp_path):
    store = small_store(tmp_path, SENTENCES[0])
    store.apply(edits.set_text(store.captions, 0, "A girl, who stands. And more."), "edit")
    store.save(tmp_path / "backups")
    assert (tmp_path / "set" / "p0.txt").read_text() == "A girl, who stands. And more."


def test_a_line_end_at_the_end_stays(tmp_path):
    store = small_store(tmp_path, "a, b\r\n", "a\n")
    store.apply(edits.remove(store.captions, ["a"]), "remove")
    assert texts(store) == ["b\r\n", ""]


def test_only_changed_files_are_written(tmp_path):
    store = small_store(tmp_path, "a,b", "b ,c,, c", None, "")
    before = files(tmp_path / "set")
    store.apply(edits.remove(store.captions, ["a"]), "remove")
    assert store.changed() == [0]
    saved = store.save(tmp_path / "backups")
    after = files(tmp_path / "set")
    assert saved.written == (tmp_path / "set" / "p0.txt",)
    assert after.pop("p0.txt")[0] == b"b"
    before.pop("p0.txt")
    assert after == before
    assert store.changed() == []
    assert store.save(tmp_path / "backups").backup is None


def test_an_edit_that_is_edited_back_changes_nothing(tmp_path):
    store = small_store(tmp_path, "a,b,  c")
    store.apply(edits.add(store.captions, ["x"]), "add")
    store.apply(edits.remove(store.captions, ["x"]), "remove")
    assert store.changed() == []
    assert texts(store) == ["a,b,  c"]


def test_a_backup_puts_the_files_back(tmp_path):
    store = small_store(tmp_path, "a,b", None)
    before = {name: data for name, (data, _) in files(tmp_path / "set").items()}
    store.apply(edits.add(store.captions, ["x"], "front"), "add")
    backup = store.save(tmp_path / "backups").backup
    assert (tmp_path / "set" / "p1.txt").read_text() == "x"
    assert [found.path for found in list_backups(tmp_path / "backups", store.folder)] == [backup]
    restore(backup)
    assert {name: data for name, (data, _) in files(tmp_path / "set").items()} == before
    assert store.conflicts() == [0, 1]
    store.reload()
    assert texts(store) == ["a,b", ""]


def test_pictures_that_share_a_caption_file_change_together(tmp_path):
    write_set(tmp_path, {"a": "x, y", "b": "x"})
    (tmp_path / "a.jpg").write_bytes(b"")
    store = open_store(tmp_path, recursive=False)
    assert [path.name for path in store.pictures] == ["a.jpg", "a.png", "b.png"]
    change = edits.remove(store.captions, ["y"], selection=[1])
    assert store.apply(change, "remove") == 1
    assert texts(store) == ["x", "x", "x"]
    assert store.changed() == [0, 1]
    assert store.diff().files == 1
    store.save(tmp_path / "backups")
    assert (store.changed(), (tmp_path / "a.txt").read_text()) == ([], "x")
    store.undo()
    assert texts(store) == ["x, y", "x, y", "x"]


@pytest.mark.parametrize("data", ["é, à".encode("latin-1"), b"\xff\xfea", b"a\0b"])
def test_a_file_that_cannot_be_read_says_why_and_is_never_written(tmp_path, data):
    store = small_store(tmp_path, data, "solo")
    caption = store.caption(0)
    assert "p0.txt" in caption.problem
    assert (caption.tags, caption.text, caption.changed) == ((), "", False)
    change = edits.add(store.captions, ["x"])
    assert (len(change), change.left_alone) == (1, 1)
    with pytest.raises(UserError, match="cannot be edited"):
        edits.set_text(store.captions, 0, "new")
    store.apply(change, "add")
    store.save(tmp_path / "backups")
    assert (tmp_path / "set" / "p0.txt").read_bytes() == data


@pytest.mark.parametrize(
    ("data", "tags"),
    [(b"\xef\xbb\xbfa, b", ["a", "b"]), ("a, é".encode("utf-16"), ["a", "é"]), (b"a, b\r\n", ["a", "b"])],
)
def test_encodings_that_people_save_in(tmp_path, data, tags):
    assert names(small_store(tmp_path, data), 0) == tags


def test_undo_and_redo_name_what_they_do(tmp_path):
    store = small_store(tmp_path, "a, b")
    assert (store.undo(), store.redo(), store.undo_label, store.redo_label) == (None, None, None, None)
    store.apply(edits.remove(store.captions, ["a"]), "Remove a")
    store.apply(edits.add(store.captions, ["c"]), "Add c")
    assert store.undo_label == "Add c"
    assert [store.undo(), store.undo(), store.undo()] == ["Add c", "Remove a", None]
    assert texts(store) == ["a, b"]
    assert [store.redo(), store.redo_label] == ["Remove a", "Add c"]
    assert texts(store) == ["b"]
    store.apply(edits.add(store.captions, ["d"]), "Add d")
    assert store.redo() is None
    assert texts(store) == ["b, d"]


def test_a_hundred_steps_can_be_undone(tmp_path):
    store = small_store(tmp_path, "a")
    for number in range(103):
        store.apply(edits.add(store.captions, [f"t{number}"]), str(number))
    undone = 0
    while store.undo() is not None:
        undone += 1
    assert undone == 100
    assert texts(store) == ["a, t0, t1, t2"]


def test_undo_after_saving_gives_back_the_text_of_before(tmp_path):
    store = small_store(tmp_path, "a,b ,, c\r\n")
    store.apply(edits.remove(store.captions, ["b"]), "remove")
    store.save(tmp_path / "backups")
    store.undo()
    assert store.changed() == [0]
    store.save(tmp_path / "backups")
    assert (tmp_path / "set" / "p0.txt").read_bytes() == b"a,b ,, c\r\n"


def test_an_edit_that_changes_nothing_is_no_step(tmp_path):
    store = small_store(tmp_path, "a")
    assert store.apply(edits.remove(store.captions, ["x"]), "remove") == 0
    assert (store.version, store.undo_label) == (0, None)


def test_discard_goes_back_to_the_files_and_can_be_undone(tmp_path):
    store = small_store(tmp_path, "a,b", "c", "d")
    store.apply(edits.remove(store.captions, ["a", "c"]), "remove")
    assert store.discard() == 2
    assert (store.changed(), texts(store)) == ([], ["a,b", "c", "d"])
    store.undo()
    assert texts(store) == ["b", "", "d"]


def test_reload_takes_new_pictures_in_and_forgets_changes(tmp_path):
    store = small_store(tmp_path, "a", "b")
    store.apply(edits.remove(store.captions, ["a"]), "remove")
    version = store.version
    write_set(tmp_path / "set", {"p2": "c"})
    store.reload()
    assert texts(store) == ["a", "b", "c"]
    assert store.version > version
    assert store.undo() is None


def test_a_window_that_saw_something_older_is_refused(tmp_path):
    store = small_store(tmp_path, "a, b")
    seen = store.version
    store.apply(edits.remove(store.captions, ["a"]), "first window", seen)
    second = edits.add(store.captions, ["x"])
    for refused in (
        lambda: store.apply(second, "second window", seen),
        lambda: store.undo(seen),
        lambda: store.redo(seen),
        lambda: store.discard(seen),
        lambda: store.reload(seen),
        lambda: store.save(tmp_path / "backups", version=seen),
    ):
        with pytest.raises(StaleError, match="another window"):
            refused()
    assert texts(store) == ["b"]
    assert (tmp_path / "set" / "p0.txt").read_text() == "a, b"


def test_a_change_made_from_older_captions_is_refused_without_a_version_too(tmp_path):
    store = small_store(tmp_path, "a, b", "c")
    older = edits.remove(store.captions, ["a"])
    elsewhere = edits.remove(store.captions, ["c"])
    store.apply(edits.add(store.captions, ["x"], selection=[0]), "add")
    with pytest.raises(StaleError):
        store.apply(older, "remove")
    assert store.apply(elsewhere, "remove") == 1  # what it is about is as it was


def test_the_difference_before_saving(tmp_path):
    store = small_store(tmp_path, "a, b", "a", "c")
    store.apply(edits.remove(store.captions, ["a"]), "remove")
    store.apply(edits.add(store.captions, ["x (y)"], selection=[0]), "add")
    diff = store.diff()
    assert (diff.files, diff.removed, diff.added) == (2, (("a", 2),), (("x (y)", 1),))
    assert [(one.picture, one.old, one.new) for one in diff.examples] == [(0, "a, b", r"b, x \(y\)"), (1, "a", "")]


def test_the_first_twenty_files_are_shown(tmp_path):
    store = small_store(tmp_path, *["a"] * 30)
    store.apply(edits.add(store.captions, ["b"]), "add")
    diff = store.diff()
    assert (diff.files, len(diff.examples), diff.added) == (30, 20, (("b", 30),))


def test_what_could_not_be_written_is_still_a_change(tmp_path):
    store = small_store(tmp_path, "a", "a")
    store.apply(edits.add(store.captions, ["b"]), "add")
    (tmp_path / "set" / "p1.txt").unlink()
    (tmp_path / "set" / "p1.txt").mkdir()
    with pytest.raises(UserError, match=r"p1\.txt"):
        store.save(tmp_path / "backups", "overwrite")
    assert 1 in store.changed()
    assert store.caption(1).text == "a, b"


def test_threads_that_edit_at_once_lose_nothing(tmp_path):
    store = small_store(tmp_path, *["start"] * 5)

    def add_many(name):
        for number in range(10):
            while True:
                try:
                    store.apply(edits.add(store.captions, [f"{name}{number}"]), name)
                    break
                except StaleError:
                    continue

    threads = [threading.Thread(target=add_many, args=(name,)) for name in "wxyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {"start", *(f"{name}{number}" for name in "wxyz" for number in range(10))}
    assert all(set(names(store, picture)) == wanted for picture in range(5))
    assert store.version == 40
    while store.undo():
        pass
    assert store.changed() == []


def test_a_picture_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="no picture 7"):
        small_store(tmp_path, "a").caption(7)


def test_a_sentence_with_tags_stays_a_list_of_tags_when_it_is_pruned(tmp_path):
    store = small_store(tmp_path, "a girl is sitting on a bench, 1girl, solo, red hair")
    store.apply(edits.remove(store.captions, ["solo", "red hair"]), "prune")
    store.save(tmp_path / "backups")
    store.reload()
    assert not store.caption(0).plain
    assert [tag.name for tag in store.caption(0).tags] == ["a girl is sitting on a bench", "1girl"]
