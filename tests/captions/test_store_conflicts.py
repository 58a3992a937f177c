"""Caption files that another program changes while they are edited here."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.captions.sets import small_store, texts
from train_gamma.captions import edits
from train_gamma.captions.files import list_backups, restore
from train_gamma.captions.merging import merge
from train_gamma.captions.store import ConflictError
from train_gamma.captions.words import read_words
from train_gamma.errors import UserError


@pytest.fixture
def both(tmp_path):
    """Pictures 0 and 1 are edited here; 1 and 2 by another program."""
    store = small_store(tmp_path, "a, b", "a, b, c", "a, b")
    store.apply(edits.remove(store.captions, ["a"], selection=[0, 1]), "remove")
    (tmp_path / "set" / "p1.txt").write_text("a, theirs, b, c")
    (tmp_path / "set" / "p2.txt").write_text("other")
    return store


def on_disk(store):
    return [store.caption(i).file.read_text() for i in range(len(store.pictures))]


def test_they_are_found_by_their_bytes(both):
    assert both.conflicts() == [1, 2]
    file = both.caption(0).file
    file.write_text(file.read_text())  # new time, same bytes
    assert both.conflicts() == [1, 2]


def test_saving_is_refused_and_writes_nothing(both, tmp_path):
    before = on_disk(both)
    with pytest.raises(ConflictError, match=r"1 caption files .*p1\.txt") as refused:
        both.save(tmp_path / "backups")
    assert refused.value.pictures == (1,)
    assert on_disk(both) == before
    assert both.changed() == [0, 1]


def test_a_file_that_is_not_written_is_no_conflict(both, tmp_path):
    both.undo()
    both.apply(edits.remove(both.captions, ["a"], selection=[0]), "remove")
    assert len(both.save(tmp_path / "backups").written) == 1
    assert on_disk(both) == ["b", "a, theirs, b, c", "other"]
    assert both.conflicts() == [1, 2]


def test_overwrite_writes_ours_and_the_backup_has_theirs(both, tmp_path):
    both.save(tmp_path / "backups", "overwrite")
    assert on_disk(both) == ["b", "b, c", "other"]
    assert texts(both) == on_disk(both)
    assert (both.changed(), both.conflicts()) == ([], [])
    restore(list_backups(tmp_path / "backups", both.folder)[0].path)
    assert on_disk(both) == ["a, b", "a, theirs, b, c", "other"]


def test_merge_has_both_and_takes_the_others_over(both, tmp_path):
    saved = both.save(tmp_path / "backups", "merge")
    assert on_disk(both) == ["b", "theirs, b, c", "other"]
    assert texts(both) == on_disk(both)
    assert sorted(path.name for path in saved.taken) == ["p1.txt", "p2.txt"]
    assert (both.changed(), both.conflicts()) == ([], [])
    assert both.undo() == "Merge with changed files"
    assert texts(both) == ["b", "b, c", "a, b"]


def test_reload_drops_our_changes_of_these_files_only(both, tmp_path):
    both.save(tmp_path / "backups", "reload")
    assert on_disk(both) == ["b", "a, theirs, b, c", "other"]
    assert texts(both) == on_disk(both)
    assert both.changed() == []


def test_a_sentence_cannot_be_merged(tmp_path):
    store = small_store(tmp_path, "a, b")
    store.apply(edits.add(store.captions, ["x"]), "add")
    store.caption(0).file.write_text("A girl who is standing on a bench.")
    with pytest.raises(ConflictError, match="no lists of tags"):
        store.save(tmp_path / "backups", "merge")
    assert store.caption(0).file.read_text() == "A girl who is standing on a bench."
    assert store.changed() == [0]


def test_a_file_that_was_deleted_is_written_again(tmp_path):
    store = small_store(tmp_path, "a, b")
    store.apply(edits.add(store.captions, ["x"]), "add")
    store.caption(0).file.unlink()
    with pytest.raises(ConflictError):
        store.save(tmp_path / "backups")
    store.save(tmp_path / "backups", "merge")
    assert on_disk(store) == ["a, b, x"]


def test_the_same_change_on_both_sides_is_no_conflict(tmp_path):
    store = small_store(tmp_path, "a, b")
    store.apply(edits.remove(store.captions, ["a"]), "remove")
    store.caption(0).file.write_text("b")
    assert store.save(tmp_path / "backups").written == ()
    assert (store.changed(), store.conflicts()) == ([], [])


def test_no_such_way(both, tmp_path):
    with pytest.raises(UserError, match="On conflict"):
        both.save(tmp_path / "backups", "guess")


TAGS = st.lists(st.sampled_from("abcdefgh"), unique=True)


@settings(deadline=None, max_examples=60)
@given(TAGS, TAGS, TAGS)
def test_a_merge_has_what_either_added_and_not_what_either_removed(base, ours, theirs):
    """The sets by the definition of a three-way merge; each side's order, where it can be kept, is ours."""
    merged = merge(*(read_words(", ".join(tags)) for tags in (base, ours, theirs)))
    found = [tag.name for tag in merged.tags]
    removed = (set(base) - set(ours)) | (set(base) - set(theirs))
    assert set(found) == (set(ours) | set(theirs)) - removed
    assert len(found) == len(set(found))
    if set(ours) != set(theirs):
        kept = [tag for tag in ours if tag in found]
        assert [tag for tag in found if tag in ours] == kept


@settings(deadline=None, max_examples=40)
@given(TAGS, TAGS)
def test_a_merge_with_a_side_that_changed_nothing_is_the_other(base, changed):
    before, after = read_words(", ".join(base)), read_words(", ".join(changed))
    assert merge(before, after, before).text == after.text
    assert set(merge(before, before, after).tags) == set(after.tags)


def test_a_weight_that_only_they_wrote_is_taken():
    base, ours, theirs = map(read_words, ("a, b, c", "b, a", "a, (b:1.2), c"))
    assert merge(base, ours, theirs).text == "(b:1.2), a"
