"""Caption files: what is read, what is written, and that nothing is ever lost."""

import codecs
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from train_gamma.captions import files
from train_gamma.captions.backups import RETENTION, folder_of
from train_gamma.captions.files import list_backups, read_existing, restore, write_captions
from train_gamma.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "[a] b.png"
    (folder / "set").mkdir(parents=True)
    return folder


@pytest.fixture
def backups(tmp_path):
    return tmp_path / "kept"


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "data",
    [
        "naïve, 猫\r\n".encode(),
        codecs.BOM_UTF8 + "naïve, 猫\r\n".encode(),
        codecs.BOM_UTF16_LE + "naïve, 猫\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "naïve, 猫\r\n".encode("utf-16-be"),
    ],
)
def test_text_is_read_as_it_is_in_every_unicode_encoding(dataset, data):
    (dataset / "a.txt").write_bytes(data)
    assert read_existing(dataset / "a.txt") == "naïve, 猫\r\n"


def test_no_file_is_none_and_an_empty_one_is_empty(dataset):
    (dataset / "a.txt").touch()
    assert read_existing(dataset / "a.txt") == ""
    assert read_existing(dataset / "b.txt") is None
    assert read_existing(dataset / "no" / "b.txt") is None
    assert read_existing(dataset / "a.txt" / "b.txt") is None


def test_latin_1_is_refused_rather_than_garbled(dataset):
    (dataset / "a.txt").write_bytes("naïve".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.txt' is not UTF-8 text: byte 2 "):
        read_existing(dataset / "a.txt")


def test_captions_are_written_and_the_old_ones_are_in_a_zip_outside(dataset, backups):
    (dataset / "a.txt").write_bytes("été\r\n".encode("latin-1"))
    (dataset / "set" / "b.txt").write_text("old", "utf-8")
    texts = {dataset / "a.txt": "hat, 猫", dataset / "set" / "b.txt": "", dataset / "c.txt": "new"}
    backup = write_captions(texts, backups, dataset)
    assert contents(dataset) == {"a.txt": "hat, 猫".encode(), "set/b.txt": b"", "c.txt": b"new"}
    with zipfile.ZipFile(backup) as archive:
        assert archive.read("captions/a.txt") == "été\r\n".encode("latin-1")
        assert archive.read("captions/set/b.txt") == b"old"
        listed = {file["path"]: file["old"] for file in json.loads(archive.read("manifest.json"))["files"]}
    assert listed == {"a.txt": "captions/a.txt", "set/b.txt": "captions/set/b.txt", "c.txt": None}
    assert backups in backup.parents


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_that_hold_their_text_already_are_not_touched(dataset, backups, encoding):
    path = dataset / "a.txt"
    path.write_bytes("猫, hat".encode(encoding))
    os.utime(path, ns=(1, 1))
    before = path.stat().st_ino, path.stat().st_mtime_ns
    assert write_captions({path: "猫, hat"}, backups, dataset) is None
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before
    assert not backups.exists()
    write_captions({path: "猫, hat", dataset / "b.txt": "x"}, backups, dataset)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_restoring_gives_every_byte_back_and_can_itself_be_undone(dataset, backups):
    old = {"a.txt": codecs.BOM_UTF8 + b"x\r\n", "set/b.txt": "é".encode("latin-1"), "empty.txt": b"", "same.txt": b"s"}
    for name, data in old.items():
        (dataset / name).write_bytes(data)
    texts = {dataset / name: "new" for name in ("a.txt", "set/b.txt", "empty.txt", "fresh.txt")}
    backup = write_captions(texts | {dataset / "same.txt": "s"}, backups, dataset)
    after = contents(dataset)
    restored = restore(backup)
    assert contents(dataset) == old
    assert set(restored.put_back) == {dataset / name for name in ("a.txt", "set/b.txt", "empty.txt")}
    assert restored.removed == (dataset / "fresh.txt",)
    assert restored.kept == ()
    again = restore(restored.backup)
    assert contents(dataset) == after
    assert again.removed == ()
    assert restore(restored.backup).backup is None  # nothing left to do


def test_what_was_edited_since_is_replaced_but_kept_in_a_zip_and_new_files_stay(dataset, backups):
    (dataset / "a.txt").write_text("old", "utf-8")
    backup = write_captions({dataset / "a.txt": "new", dataset / "b.txt": "new"}, backups, dataset)
    (dataset / "a.txt").write_text("by hand", "utf-8")
    (dataset / "b.txt").write_text("by hand too", "utf-8")
    restored = restore(backup)
    assert contents(dataset) == {"a.txt": b"old", "b.txt": b"by hand too"}
    assert restored.kept == (dataset / "b.txt",)
    with zipfile.ZipFile(restored.backup) as archive:
        assert archive.read("captions/a.txt") == b"by hand"


def test_backups_are_listed_newest_first_for_each_dataset_alone(dataset, backups, tmp_path):
    other = tmp_path / "other" / dataset.name
    other.mkdir(parents=True)
    first = write_captions({dataset / "a.txt": "1", dataset / "b.txt": "1"}, backups, dataset)
    second = write_captions({dataset / "a.txt": "2", dataset / "c.txt": "2"}, backups, Path(f"{dataset}/"))
    write_captions({other / "a.txt": "1"}, backups, other)
    found = list_backups(backups, dataset)
    assert [backup.path for backup in found] == [second, first]
    assert [(backup.changed, backup.created) for backup in found] == [(1, 1), (0, 2)]
    assert found[0].when > found[1].when
    assert found[0].dataset == dataset
    assert len(list_backups(backups, other)) == 1
    assert list_backups(backups, tmp_path) == []


def test_the_first_and_the_newest_nineteen_are_kept(dataset, backups):
    made = [write_captions({dataset / "a.txt": str(n)}, backups, dataset) for n in range(RETENTION + 3)]
    assert [backup.path for backup in list_backups(backups, dataset)] == [*made[:3:-1], made[0]]
    assert RETENTION == 20


def test_relative_folders_are_those_of_now(dataset, backups, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    write_captions({Path(dataset.name, "a.txt"): "x"}, Path("kept"), Path(dataset.name))
    assert list_backups(backups, dataset)[0].dataset == dataset


def test_a_backup_that_fails_changes_nothing(dataset, backups):
    backups.write_text("a file where the folder should be")
    (dataset / "a.txt").write_text("old", "utf-8")
    with pytest.raises(UserError, match="Nothing was changed"):
        write_captions({dataset / "a.txt": "new"}, backups, dataset)
    assert contents(dataset) == {"a.txt": b"old"}


def test_one_file_that_cannot_be_written_does_not_keep_the_others_from_it(dataset, backups):
    (dataset / "a.txt").write_text("old", "utf-8")
    (dataset / "file").write_text("no folder", "utf-8")
    with pytest.raises(UserError, match=r"1 of 3 caption files .*file/b\.txt.*old captions are in") as raised:
        write_captions({dataset / name: "new" for name in ("a.txt", "file/b.txt", "c.txt")}, backups, dataset)
    assert contents(dataset) == {"a.txt": b"new", "c.txt": b"new", "file": b"no folder"}
    assert str(list_backups(backups, dataset)[0].path) in str(raised.value)


def test_a_folder_in_place_of_a_caption_is_told_and_the_others_are_written(dataset, backups):
    (dataset / "a.txt").write_text("old", "utf-8")
    (dataset / "b.txt").mkdir()
    with pytest.raises(UserError, match=r"b\.txt' cannot be read"):
        write_captions({dataset / "a.txt": "new", dataset / "b.txt": "new"}, backups, dataset)
    assert contents(dataset) == {"a.txt": b"new"}


def test_half_a_character_is_told(dataset, backups):
    with pytest.raises(UserError, match=r"a\.txt' has U\+D83D"):
        write_captions({dataset / "a.txt": "hat \ud83d"}, backups, dataset)
    assert contents(dataset) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="file names are any bytes only there")
def test_file_names_that_are_no_text_are_written_and_restored(dataset, backups):
    path = Path(os.fsdecode(os.fsencode(dataset) + b"/caf\xe9.txt"))
    path.write_bytes(b"old")
    restore(write_captions({path: "new"}, backups, dataset))
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("relative", ["../outside.txt", "/etc/outside.txt", "set/../../outside.txt", "."])
def test_a_zip_that_names_files_elsewhere_is_refused(dataset, backups, relative):
    backup = write_captions({dataset / "a.txt": "new"}, backups, dataset)
    with zipfile.ZipFile(backup) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["files"][0] |= {"path": relative, "old": "captions/x"}
    with zipfile.ZipFile(backup, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("captions/x", b"evil")
    with pytest.raises(UserError, match="is not in the dataset"):
        restore(backup)
    assert contents(dataset) == {"a.txt": b"new"}
    assert not (dataset.parent / "outside.txt").exists()


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_a_damaged_zip_is_told_and_not_listed(dataset, backups, data):
    path = folder_of(backups, dataset) / "20200101-000000-000000.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with pytest.raises(UserError, match="is no zip of captions that can be put back"):
        restore(path)
    assert list_backups(backups, dataset) == []


def test_a_dataset_that_is_gone_is_told(dataset, backups, tmp_path):
    backup = write_captions({dataset / "a.txt": "new"}, backups, dataset)
    dataset.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="is gone"):
        restore(backup)
    assert not dataset.exists()


@pytest.mark.skipif(os.name == "nt", reason="needs a signal that cannot be caught")
@pytest.mark.slow
def test_killed_in_the_middle_every_caption_is_old_or_new_and_the_zip_has_the_old_ones(dataset, backups):
    names = [f"{n}.txt" for n in range(400)]
    for name in names:
        (dataset / name).write_text(f"old {name}", "utf-8")
    code = (
        "import sys; from pathlib import Path; from train_gamma.captions.files import write_captions\n"
        "root, kept = map(Path, sys.argv[1:]); print(1, flush=True)\n"
        "write_captions({p: f'new {p.name}' * 9 for p in root.glob('*.txt')}, kept, root)"
    )
    source = Path(files.__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(dataset), str(backups)], env=os.environ | {"PYTHONPATH": str(source)}
    )
    while child.poll() is None and not any(p.read_bytes().startswith(b"new") for p in dataset.glob("*.txt")):
        pass
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    found = {name: (dataset / name).read_text("utf-8") for name in names}
    assert all(text in (f"old {name}", f"new {name}" * 9) for name, text in found.items())
    assert any(text.startswith("new") for text in found.values())
    restore(list_backups(backups, dataset)[0].path)
    assert {name: (dataset / name).read_text("utf-8") for name in names} == {name: f"old {name}" for name in names}
