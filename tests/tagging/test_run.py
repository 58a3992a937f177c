"""Pictures through a model: what comes out, what goes wrong on the way, and what happens at the same time."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tagging.seeing import (
    BLUE,
    GREEN,
    LABELS,
    PATIENCE_S,
    PINK,
    RED,
    ColourCaptioner,
    ColourTagger,
    draw,
    draw_all,
    truth,
)
from train_gamma.errors import UserError
from train_gamma.tagging.ahead import ahead
from train_gamma.tagging.asking import CaptionerAsker, TaggerAsker, sentence_of
from train_gamma.tagging.cache import Cache
from train_gamma.tagging.rows import unpacked
from train_gamma.tagging.run import Hearing, Outcome, look, num_threads, recall

GREY = (128, 128, 128)


class Ears:
    """Remembers what a run told."""

    def __init__(self) -> None:
        self.done, self.computed, self.stopped = 0, 0, False
        self.failed: dict[str, str] = {}
        self.stop_after = 10**9

    def hearing(self) -> Hearing:
        return Hearing(self.count, self.fail, lambda: self.done >= self.stop_after)

    def count(self, done: int, computed: int) -> None:
        self.done, self.computed = self.done + done, self.computed + computed

    def fail(self, path: Path, reason: str) -> None:
        self.failed[path.name] = reason


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    made = Cache(tmp_path / "kept" / "tags.sqlite")
    yield made
    made.close()


@pytest.fixture
def ears() -> Ears:
    return Ears()


def probabilities(outcome: Outcome, path: Path) -> list[float]:
    row = unpacked(outcome.answers[outcome.digests[path]], len(LABELS))
    assert row is not None
    return [round(value, 5) for value in row.dense(len(LABELS)).tolist()]


def expected(colour: tuple[int, int, int]) -> list[float]:
    return [round(value, 5) if value >= 0.05 else 0.0 for value in truth(colour)]


def run(paths: list[Path], tagger: ColourTagger, cache: Cache, ears: Ears, batch_size: int = 3) -> Outcome:
    return look(paths, TaggerAsker(tagger, "white", batch_size), "white", cache, ears.hearing())


def test_every_picture_has_what_the_model_says_of_it(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths, tagger = draw_all(tmp_path), ColourTagger()
    outcome = run(paths, tagger, cache, ears)
    assert [probabilities(outcome, path) for path in paths] == [expected(c) for c in (RED, GREEN, BLUE, PINK)]
    assert tagger.asked == [3, 1]
    assert (ears.done, ears.computed, ears.failed) == (4, 4, {})


def test_no_more_at_once_than_the_model_takes(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    tagger = ColourTagger(most_at_once=1)
    run(draw_all(tmp_path), tagger, cache, ears)
    assert tagger.asked == [1] * 4


def test_what_is_known_is_not_asked_again_whatever_the_file_is_called(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths = draw_all(tmp_path / "a")
    run(paths, ColourTagger(), cache, ears)
    paths[0].rename(paths[0].with_name("other.png"))
    again, tagger = [paths[0].with_name("other.png"), *paths[1:]], ColourTagger()
    asker = TaggerAsker(tagger, "white", 3)
    assert recall(again, asker.view, asker.understands, cache).digests.keys() == set(paths[1:])
    outcome = run(again, tagger, cache, ears)
    assert tagger.asked == []
    assert probabilities(outcome, again[0]) == expected(RED)
    assert recall(again, asker.view, asker.understands, cache).digests.keys() == set(again)


def test_another_model_or_background_is_asked_anew(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths = draw_all(tmp_path)
    run(paths, ColourTagger(), cache, ears)
    for asker in (
        TaggerAsker(ColourTagger(identity="colours 2"), "white", 3),
        TaggerAsker(ColourTagger(), "#fffffe", 3),
    ):
        assert not recall(paths, asker.view, asker.understands, cache).digests
    same = TaggerAsker(ColourTagger(), "#FFFFFF", 3)
    assert len(recall(paths, same.view, same.understands, cache).digests) == 4


def test_transparency_shows_the_background(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    from PIL import Image

    path = tmp_path / "clear.png"
    Image.new("RGBA", (4, 4), (0, 255, 0, 0)).save(path)
    outcome = look([path], TaggerAsker(ColourTagger(), "blue", 1), "blue", cache, ears.hearing())
    assert probabilities(outcome, path) == expected(BLUE)


def test_a_spoilt_answer_is_asked_for_again(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths, asker = draw_all(tmp_path), TaggerAsker(ColourTagger(), "white", 3)
    outcome = run(paths, ColourTagger(), cache, ears)
    cache.store(asker.view, [(outcome.digests[paths[0]], b"\x07" * 16), (outcome.digests[paths[1]], b"odd")])
    assert recall(paths, asker.view, asker.understands, cache).digests.keys() == set(paths[2:])
    tagger = ColourTagger()
    assert probabilities(run(paths, tagger, cache, ears), paths[0]) == expected(RED)
    assert tagger.asked == [2]


def test_bad_pictures_are_told_and_the_others_go_on(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths = draw_all(tmp_path)
    cut, empty, text, gone = (tmp_path / f"{name}.png" for name in ("cut", "empty", "text", "gone"))
    draw(cut, RED, (300, 300))
    cut.write_bytes(cut.read_bytes()[:200])
    empty.write_bytes(b"")
    text.write_text("no picture")
    outcome = run([cut, paths[0], empty, paths[1], text, gone, *paths[2:]], ColourTagger(), cache, ears)
    assert outcome.digests.keys() == set(paths)
    assert set(ears.failed) == {"cut.png", "empty.png", "text.png", "gone.png"}
    assert "0 bytes" in ears.failed["empty.png"]
    assert "damaged" in ears.failed["cut.png"]
    assert (ears.done, ears.computed) == (8, 4)


def test_a_picture_that_cannot_be_prepared_is_one_picture(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths, tagger = draw_all(tmp_path), ColourTagger()
    draw(paths[1], GREEN, (1, 1))
    prepare = tagger.prepare

    def picky(picture: Any) -> Any:
        if picture.size == (1, 1):
            raise ZeroDivisionError("too small")
        return prepare(picture)

    tagger.prepare = picky  # type: ignore[method-assign]
    assert len(run(paths, tagger, cache, ears).digests) == 3
    assert "ZeroDivisionError: too small" in ears.failed["2.png"]


def test_a_picture_that_the_model_fails_at_is_one_picture(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    def fail(batch: Any) -> None:
        if (batch == np.array(GREEN)).all(axis=1).any():
            raise UserError("Green is too much.")

    paths, tagger = draw_all(tmp_path), ColourTagger(fail=fail)
    outcome = run([*paths, draw(tmp_path / "5.png", GREY), draw(tmp_path / "6.png", GREY)], tagger, cache, ears)
    assert ears.failed == {"2.png": "Green is too much."}
    assert len(outcome.digests) == 5
    assert tagger.asked[-1] == 3  # it was the picture, not their number


def test_a_model_that_runs_out_of_memory_is_asked_about_fewer_at_once(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    def fail(batch: Any) -> None:
        if len(batch) > 2:
            raise RuntimeError("out of memory")

    paths = [draw(tmp_path / f"{k}.png", (k, 0, 0)) for k in range(16)]
    tagger = ColourTagger(fail=fail)
    outcome = run(paths, tagger, cache, ears, batch_size=8)
    assert len(outcome.digests) == 16
    assert not ears.failed
    assert set(tagger.asked) == {2}


def test_a_model_that_always_fails_ends_the_run(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    def fail(_batch: Any) -> None:
        raise RuntimeError("the driver is gone")

    with pytest.raises(RuntimeError, match="the driver is gone"):
        run(draw_all(tmp_path), ColourTagger(fail=fail), cache, ears)
    assert_no_threads()


def test_probabilities_that_are_no_numbers_are_no_answer(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    tagger = ColourTagger()
    predict = tagger.predict

    def broken(batch: Any) -> Any:
        found = predict(batch)
        found[(batch == np.array(BLUE)).all(axis=1), 2] = np.nan
        return found

    tagger.predict = broken  # type: ignore[method-assign]
    assert len(run(draw_all(tmp_path), tagger, cache, ears).digests) == 3
    assert "not numbers" in ears.failed["3.png"]


def test_pictures_of_different_shapes_are_not_put_into_one_batch(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    class Wide(ColourTagger):
        def prepare(self, picture: Any) -> Any:
            return np.asarray(picture, np.float32).mean(axis=0)

        def predict(self, batch: Any) -> Any:
            return super().predict(batch.mean(axis=1))

    paths = [draw(tmp_path / f"{k}.png", RED, (4 + k % 2, 3)) for k in range(6)]
    tagger = Wide()
    draw(paths[5], GREEN, (5, 3))
    outcome = run(paths, tagger, cache, ears)
    assert probabilities(outcome, paths[5]) == expected(GREEN)
    assert tagger.asked == [3, 3]


def test_a_stop_keeps_what_is_done_and_leaves_no_thread(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    paths = [draw(tmp_path / f"{k}.png", (k, 0, 0)) for k in range(40)]
    ears.stop_after = 6
    outcome = run(paths, ColourTagger(), cache, ears)
    assert list(outcome.digests) == paths[:6]
    assert_no_threads()
    ears.stop_after, tagger = 10**9, ColourTagger()
    run(paths, tagger, cache, ears)
    assert sum(tagger.asked) == 34


def test_pictures_are_prepared_by_several_threads_while_the_model_works(
    tmp_path: Path, cache: Cache, ears: Ears
) -> None:
    paths = [draw(tmp_path / f"{k}.png", (k, 0, 0)) for k in range(60)]
    tagger = ColourTagger(gate=threading.Event())
    together, calls = threading.Barrier(2), itertools.count()
    prepare = tagger.prepare

    def meet(picture: Any) -> Any:
        if next(calls) < 2:
            together.wait(PATIENCE_S)  # passes only if two are prepared at a time
        return prepare(picture)

    tagger.prepare = meet  # type: ignore[method-assign]
    thread = threading.Thread(target=run, args=(paths, tagger, cache, ears))
    thread.start()
    assert tagger.reached.wait(PATIENCE_S)  # the second batch is being asked about
    most = 3 * 4 + 2 * num_threads() + 3  # two asked, two ready, and what the threads hold
    wait_until(lambda: len(tagger.prepared) >= 9)
    assert len(tagger.prepared) <= most
    assert tagger.gate is not None
    tagger.gate.set()
    thread.join(PATIENCE_S)
    assert ears.done == 60


def test_captioners_are_asked_one_by_one(tmp_path: Path, cache: Cache, ears: Ears) -> None:
    black = draw(tmp_path / "black.png", (0, 0, 0))
    paths, captioner = [*draw_all(tmp_path), black], ColourCaptioner()
    outcome = look(paths, CaptionerAsker(captioner, "white"), "white", cache, ears.hearing())
    said = [sentence_of(outcome.answers[outcome.digests[path]]) for path in paths[:3]]
    assert said == ["a picture of red", "a picture of green", "a picture of blue"]
    assert ears.failed == {"black.png": "The captioner sees nothing."}


def test_what_is_made_ahead_comes_in_order_and_is_bounded() -> None:
    made: list[int] = []

    def numbers() -> Any:
        for k in range(20):
            made.append(k)
            yield k

    with ahead(numbers(), 2) as items:
        first = next(items)
        wait_until(lambda: len(made) >= 3)
        assert (first, made) == (0, [0, 1, 2])
        assert list(items) == list(range(1, 20))


def test_what_fails_ahead_is_raised_where_it_is_taken() -> None:
    def numbers() -> Any:
        yield 1
        raise ValueError("no more")

    with ahead(numbers(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="no more"):
            next(items)


def wait_until(reached: Any) -> None:
    over = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if reached():
            return
        over.wait(0.01)
    raise AssertionError("not reached")


def assert_no_threads() -> None:
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("train_gamma")]
