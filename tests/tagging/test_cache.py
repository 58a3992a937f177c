"""Answers that are kept between runs, whatever befalls the file they are in."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from train_gamma.tagging import cache as module
from train_gamma.tagging.cache import Cache, KnownModel, Stamp, digest_of, stamp_of
from train_gamma.tagging.interrogator import Label

MODULES = Path(__file__).parents[2] / "modules"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "tags.sqlite"


@pytest.fixture
def cache(place: Path) -> Iterator[Cache]:
    made = Cache(place)
    yield made
    made.close()


def remember(cache: Cache, *paths: Path) -> None:
    cache.remember((path, stamp, digest_of(path.read_bytes())) for path in paths if (stamp := stamp_of(path)))


def written(path: Path, text: str, age_s: float = 100.0) -> Path:
    path.write_text(text, "utf-8")
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_answers_are_there_again_after_a_restart(cache: Cache, place: Path) -> None:
    cache.store("model on #ffffff", [(b"a" * 16, b"one"), (b"b" * 16, b"two")])
    cache.close()
    again = Cache(place)
    assert again.answers("model on #ffffff", [b"a" * 16, b"b" * 16, b"c" * 16]) == {
        b"a" * 16: b"one",
        b"b" * 16: b"two",
    }
    assert again.answers("model on #000000", [b"a" * 16]) == {}
    assert not again.problem
    again.close()


def test_thousands_are_asked_for_at_once(cache: Cache) -> None:
    many = {digest_of(str(k).encode()): str(k).encode() for k in range(2500)}
    cache.store("v", many.items())
    assert cache.answers("v", many) == many


def test_a_file_is_known_until_it_changes(cache: Cache, tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.png", "one"), written(tmp_path / "b.png", "two")
    assert cache.digests([first, second]) == {}
    remember(cache, first, second)
    assert cache.digests([second, first, tmp_path / "none.png"]) == {
        first: digest_of(b"one"),
        second: digest_of(b"two"),
    }
    written(first, "new", age_s=50)  # as long as before
    written(second, "two longer", age_s=100)
    assert cache.digests([first, second]) == {}


def test_a_file_that_may_change_unnoticed_is_not_remembered(cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("one")
    whole_second = time.time_ns() // 10**9 * 10**9
    os.utime(path, ns=(whole_second, whole_second))  # as a disk with a coarse clock has it
    remember(cache, path)
    assert cache.digests([path]) == {}


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are text")
def test_a_name_may_be_any_bytes(cache: Cache, tmp_path: Path) -> None:
    path = written(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe'\".png")), "one")
    remember(cache, path)
    assert cache.digests([path]) == {path: digest_of(b"one")}


def test_models_are_known_with_what_their_rows_are_about(cache: Cache, place: Path) -> None:
    model = KnownModel("m 1", (Label('say_"x"', "general", 3), Label("初音", "character")), {"general": 0.3}, "s")
    cache.know("m", model)
    cache.close()
    again = Cache(place)
    assert again.model("m") == model
    assert again.model("other") is None
    again.know("m", KnownModel("m 2"))
    assert again.model("m") == KnownModel("m 2")
    again.close()


def spoil_start(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def spoil_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def make_foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("create table answers (something text)")
    database.close()


@pytest.mark.parametrize("damage", [spoil_start, spoil_middle, cut, make_foreign])
def test_a_damaged_file_is_set_aside_and_made_anew(damage: object, cache: Cache, place: Path) -> None:
    cache.store("v", [(digest_of(str(k).encode()), b"x" * 900) for k in range(200)])
    cache.close()
    damage(place)  # type: ignore[operator]
    damaged = place.read_bytes()
    again = Cache(place)
    key = digest_of(b"7")
    assert again.answers("v", [key]) in ({}, {key: b"x" * 900})
    again.store("v", [(key, b"new")])
    assert again.answers("v", [key]) == {key: b"new"}
    assert not again.problem
    again.close()
    assert Cache(place).answers("v", [key]) == {key: b"new"}
    assert (place.parent / "tags-damaged.sqlite").read_bytes()[:16] == damaged[:16]


def test_where_nothing_can_be_kept_it_lives_in_memory_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    cache = Cache(tmp_path / "kept" / "tags.sqlite")
    cache.store("v", [(b"a" * 16, b"one")])
    assert cache.answers("v", [b"a" * 16]) == {b"a" * 16: b"one"}
    assert "tags.sqlite' cannot be used" in cache.problem
    assert (tmp_path / "kept").read_text() == "a file where the folder should be"
    cache.close()


def test_a_full_disk_is_no_damage(cache: Cache, place: Path) -> None:
    cache.store("v", [(b"a" * 16, b"one")])
    database = cache._open()
    pages = database.execute("pragma page_count").fetchone()[0]
    database.execute(f"pragma max_page_count = {pages}")
    cache.store("v", [(digest_of(bytes([k])), b"x" * 5000) for k in range(50)])
    assert "full" in cache.problem
    assert cache.answers("v", [digest_of(b"\x07")]) == {digest_of(b"\x07"): b"x" * 5000}
    assert not (place.parent / "tags-damaged.sqlite").exists()


WRITER = """
import sys, threading
from pathlib import Path
from train_gamma.tagging.cache import Cache, digest_of
cache = Cache(Path(sys.argv[1]))
for k in range(60):
    cache.store("v", [(digest_of(f"{sys.argv[2]} {k} {j}".encode()), sys.argv[2].encode()) for j in range(4)])
print(cache.problem)
"""


def test_several_programs_write_at_the_same_time(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(MODULES), "OMP_NUM_THREADS": "1"}
    names = ("one", "two")
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(place), name], env=environment, stdout=subprocess.PIPE, text=True
        )
        for name in names
    ]
    assert [program.communicate(timeout=60)[0].strip() for program in programs] == [""] * 2
    cache = Cache(place)
    for name in names:
        wanted = [digest_of(f"{name} {k} {j}".encode()) for k in range(60) for j in range(4)]
        assert cache.answers("v", wanted) == dict.fromkeys(wanted, name.encode())
    cache.close()


def test_threads_share_one_cache(cache: Cache) -> None:
    def work(name: str) -> None:
        for k in range(50):
            cache.store(name, [(digest_of(f"{name}{k}".encode()), name.encode())])
            assert cache.answers(name, [digest_of(f"{name}{k}".encode())])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for name in "abcd":
        assert len(cache.answers(name, [digest_of(f"{name}{k}".encode()) for k in range(50)])) == 50


def test_the_oldest_go_when_there_are_too_many(cache: Cache, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [digest_of(bytes([k])) for k in range(30)]
    for digest in digests:
        cache.store("v", [(digest, b"x")])
    cache.close()
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    assert set(Cache(place).answers("v", digests)) == set(digests[-10:])


def test_stamps_of_what_is_not_there_are_none(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "no") is None
    assert stamp_of(Path("a\0b")) is None
    assert stamp_of(written(tmp_path / "a", "four", 0)) == Stamp(4, (tmp_path / "a").stat().st_mtime_ns)
