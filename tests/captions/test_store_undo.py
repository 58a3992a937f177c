"""Whatever is done can be undone, to the byte."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.captions.odd_tags import ODD_TAGS
from tests.captions.sets import files, texts, write_set
from train_gamma.captions import cleaning, edits, replacing
from train_gamma.captions.replacing import Rule
from train_gamma.captions.store import open_store
from train_gamma.captions.tag_text import escaped
from train_gamma.errors import UserError

NAMES = ["1girl", "solo", "long hair", "Long_Hair", "smile", "hat", *ODD_TAGS]
WRITTEN = st.sampled_from([*NAMES, *map(escaped, NAMES), "(hat:1.1)", "[smile]", "(hat, solo:1.2)", "((smile))", ""])
CAPTIONS = st.one_of(
    st.lists(WRITTEN, max_size=6).map(", ".join),
    st.lists(WRITTEN, max_size=6).map(" ,".join),
    st.tuples(st.lists(WRITTEN, max_size=4).map(",".join), st.sampled_from(["\n", "\r\n", " ", ",", "\n\n"])).map(
        "".join
    ),
    st.sampled_from(["A girl who sits on a bench, reading.", "one\ntwo\nthree", ""]),
    st.text(st.sampled_from("ab ,()[]\\:1._\n"), max_size=12),
)
CONTENT = st.one_of(
    st.none(),
    CAPTIONS.map(lambda text: text.encode("utf-8")),
    CAPTIONS.map(lambda text: text.encode("utf-8-sig")),
    CAPTIONS.map(lambda text: text.encode("utf-16")),
    st.just("gar\xe7on, hat".encode("latin-1")),
)
TAG = st.sampled_from(NAMES)
TAGS = st.lists(TAG, min_size=1, max_size=3)
COUNT = st.integers(0, 4)
EDITS = st.one_of(
    st.builds(lambda tags: lambda c: edits.remove(c, tags), TAGS),
    st.builds(
        lambda tags, at, beside: lambda c: edits.add(c, tags, at, beside),
        TAGS,
        st.sampled_from(["front", "back", "before", "after", 1, -1]),
        TAG,
    ),
    st.builds(lambda old, new: lambda c: edits.rename(c, old, new), TAG, TAG),
    st.builds(lambda tags: lambda c: edits.move_to_front(c, tags), TAGS),
    st.builds(
        lambda order, keep, back: lambda c: edits.sort(c, order, keep, back),
        st.sampled_from(["alphabetical", "frequency", "length", "reverse"]),
        COUNT,
        st.booleans(),
    ),
    st.builds(lambda count: lambda c: edits.keep_first(c, count), COUNT),
    st.just(edits.unique),
    st.builds(lambda count: lambda c: edits.truncate(c, count, lambda text: len(text.split())), COUNT),
    st.builds(lambda tags: lambda c: edits.set_tags(c, 0, tags), st.lists(WRITTEN, max_size=3)),
    st.builds(lambda text: lambda c: edits.set_text(c, 0, text), CAPTIONS),
    st.builds(lambda how: lambda c: edits.copy_tags(c, 0, range(len(c)), how), st.sampled_from(["replace", "append"])),
    st.builds(lambda old, new: lambda c: replacing.replace(c, [Rule(old, new)]), TAG, TAG),
    st.builds(lambda new: lambda c: replacing.replace(c, [Rule("a", new, "substring")]), st.sampled_from(["", "o,("])),
    st.builds(lambda new: lambda c: replacing.replace_text(c, Rule("(.)r", new, "regex"), True), st.just(r"\1, x")),
    st.builds(
        lambda names: lambda c: cleaning.clean(c, names), st.lists(st.sampled_from([a.name for a in cleaning.ACTIONS]))
    ),
)  # fmt: skip


def apply(store, edit):
    """Whether it was a step. What cannot be edited, because a file cannot be read, is none."""
    try:
        return store.apply(edit(store.captions), "step") > 0
    except UserError:
        return False


@settings(deadline=None, max_examples=60)
@given(st.lists(CONTENT, min_size=1, max_size=4), st.lists(EDITS, max_size=8))
def test_edits_and_as_many_undos_give_back_the_bytes_and_write_nothing(contents, steps):
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_set(Path(folder, "set"), {f"p{i}": data for i, data in enumerate(contents)})
        before = files(dataset)
        store = open_store(dataset, recursive=False)
        shown = texts(store)
        done = sum([apply(store, edit) for edit in steps])
        edited = texts(store)
        assert [store.undo() for _ in range(done)] == ["step"] * done
        assert store.undo() is None
        assert (store.changed(), texts(store), store.diff().files) == ([], shown, 0)
        assert store.save(Path(folder, "backups")).backup is None
        assert files(dataset) == before
        assert [store.redo() for _ in range(done)] == ["step"] * done
        assert texts(store) == edited


@settings(deadline=None, max_examples=25)
@given(st.lists(CONTENT, min_size=1, max_size=3), st.lists(st.tuples(EDITS, st.booleans()), max_size=5))
def test_the_same_with_saves_in_between_gives_back_every_text(contents, steps):
    """To the byte, but for a byte order mark: what is written is UTF-8 without one."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_set(Path(folder, "set"), {f"p{i}": data for i, data in enumerate(contents)})
        store = open_store(dataset, recursive=False)
        shown = texts(store)
        done = 0
        for edit, save in steps:
            done += apply(store, edit)
            if save:
                store.save(Path(folder, "backups"))
                assert texts(open_store(dataset, recursive=False)) == texts(store)
        for _ in range(done):
            store.undo()
        store.save(Path(folder, "backups"))
        assert texts(open_store(dataset, recursive=False)) == shown
        for name, data in enumerate(contents):
            file = dataset / f"p{name}.txt"
            if data is not None and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe")):
                assert file.read_bytes() == data
            if data is None:
                assert not file.exists() or file.read_bytes() == b""


@settings(deadline=None, max_examples=30)
@given(st.lists(CONTENT, min_size=1, max_size=4), st.lists(EDITS, max_size=5))
def test_the_index_is_that_of_the_captions_after_any_edits(contents, steps):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(write_set(Path(folder), {f"p{i}": data for i, data in enumerate(contents)}), recursive=False)
        for edit in steps:
            apply(store, edit)
        counted = {}
        for picture in range(len(store.pictures)):
            for tag in store.caption(picture).tags:
                counted.setdefault(tag.key, set()).add(picture)
        assert store.captions.index == counted


def test_an_undone_new_caption_leaves_no_file(tmp_path):
    folder = write_set(tmp_path / "set", {"p0": "a, b", "p1": None})
    store = open_store(folder, False)
    store.apply(edits.add(store.captions, ["smile"]), "add")
    store.save(tmp_path / "backups")
    file = store.caption(1).file
    assert file.read_text() == "smile"
    store.undo()
    store.save(tmp_path / "backups")
    assert not file.exists()
    assert store.changed() == []
    assert store.conflicts() == []
    store.redo()
    store.save(tmp_path / "backups")
    assert file.read_text() == "smile"
