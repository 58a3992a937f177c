"""Files written whole or not at all, from many threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from train_gamma import atomic


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_threads_leave_the_umask_alone_and_files_have_the_usual_rights(tmp_path):
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: atomic.write_text(tmp_path / f"{n}.txt", str(n)), range(64)))
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
    finally:
        assert os.umask(before) == 0o027
    assert sorted(int(path.read_text()) for path in tmp_path.iterdir()) == list(range(64))


def test_a_name_as_long_as_names_can_be_is_written(tmp_path):
    path = tmp_path / ("猫" * 83 + ".txt")  # 253 bytes, of 255
    atomic.write_text(path, "hat")
    assert path.read_text() == "hat"


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic.write_with(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_file_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "shared.txt"
    path.write_text("old")
    path.chmod(0o664)
    atomic.write_text(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o664)
