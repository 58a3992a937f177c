"""Tagging a folder, from the plan to the captions, with a tagger that sees colours."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.service.small_host import PATIENCE_S, SmallHost, done, small_run
from tests.tagging.seeing import (
    BLUE,
    GREEN,
    PINK,
    RED,
    Brought,
    ColourCaptioner,
    ColourTagger,
    brought_captioner,
    brought_tagger,
    draw,
    draw_all,
)
from train_gamma.errors import UserError
from train_gamma.jobs import BusyError
from train_gamma.service import Service
from train_gamma.service.places import ForbiddenError
from train_gamma.tagging import cache
from train_gamma.tagging.config import EXISTING, TagConfig
from train_gamma.training.events import Finished, Preparing

RED_SKY, LEAF = "red sky", r"green \(leaf\)"
CAPTIONS = [RED_SKY, LEAF, "blue", f"{RED_SKY}, blue, {LEAF}"]
"""Of the four pictures, at the recommended threshold of 0.4."""


@pytest.fixture
def tagger(host: SmallHost) -> Brought:
    brought = brought_tagger()
    host.own_interrogators = (brought, brought_captioner())
    return brought


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return draw_all(tmp_path / "set")


@pytest.fixture
def config(pictures: list[Path], tagger: Brought) -> TagConfig:
    return TagConfig(folder=str(pictures[0].parent), model="colours")


def captions(folder: Path, ending: str = ".txt") -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(folder.rglob(f"*{ending}"))}


def named(texts: list[str]) -> dict[str, str]:
    return {f"{k}.txt": text for k, text in enumerate(texts, 1)}


def result(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown["result"].items() if value and key != "backup"}


def test_the_way_from_a_folder_to_captions(service: Service, config: TagConfig, tagger: Brought) -> None:
    plan = service.tagging.plan(config)
    assert (plan.num_pictures, plan.num_needed, plan.num_known, plan.actions) == (4, 4, 0, {"new": 4})
    assert (plan.problem, tagger.loads) == ("", 0)
    job = service.tagging.tag(config)
    assert (job.kind, job.title) == ("tag", "set")
    shown = done(job)
    assert captions(Path(config.folder)) == named(CAPTIONS)
    assert result(shown) == {"written": 4, "new": 4}
    assert (shown["done"], shown["total"], shown["device"], shown["warnings"]) == (4, 4, "CPU", [])
    assert "4 captions written" in shown["message"]
    json.dumps(shown, allow_nan=False)
    assert service.tagging.loaded == "colours on CPU"
    assert not {path.suffix for path in Path(config.folder).iterdir()} - {".png", ".txt"}


def test_other_settings_need_no_model(service: Service, config: TagConfig, tagger: Brought, host: SmallHost) -> None:
    done(service.tagging.tag(config))
    other = replace(config, general_threshold=0.9, existing="overwrite", spaces=False, make_room=True)
    assert service.tagging.plan(other).num_known == 4
    for again in (service, Service(host)):  # as it is, and after a restart
        again.tagging.unload()
        shown = done(again.tagging.tag(other))
        assert captions(Path(config.folder)) == named(["red_sky", r"green_\(leaf\)", "blue", "red_sky"])
        assert (shown["done"], shown["total"]) == (4, 4)
        assert again.tagging.loaded == ""
    assert (tagger.loads, host.rooms) == (1, 0)


def test_a_model_whose_files_changed_is_asked_again(service: Service, config: TagConfig, tagger: Brought) -> None:
    done(service.tagging.tag(config))
    first = tagger.latest
    tagger.make = lambda: ColourTagger(identity="colours 2")
    service.tagging._catalogue.stamp = lambda _name: "new files"  # type: ignore[method-assign]
    assert service.tagging.plan(replace(config, existing="overwrite")).num_known == 0
    done(service.tagging.tag(replace(config, existing="overwrite")))
    assert (first.asked, tagger.latest.asked) == ([4], [4])
    assert first.closed
    assert service.tagging.plan(replace(config, existing="overwrite")).num_known == 4


OLD = "old, red sky"
AFTER = {
    "skip": {"1.txt": OLD, "2.txt": " \n"},
    "overwrite": {"1.txt": RED_SKY, "2.txt": LEAF},
    "merge old first": {"1.txt": OLD, "2.txt": LEAF},
    "merge new first": {"1.txt": OLD, "2.txt": LEAF},
    "fill empty only": {"1.txt": OLD, "2.txt": LEAF},
}
COUNTS = {
    "skip": {"written": 2, "new": 2, "skipped": 2},
    "overwrite": {"written": 4, "new": 2, "replaced": 1, "filled": 1},
    "merge old first": {"written": 3, "new": 2, "filled": 1, "unchanged": 1},
    "merge new first": {"written": 3, "new": 2, "filled": 1, "unchanged": 1},
    "fill empty only": {"written": 3, "new": 2, "filled": 1, "skipped": 1},
}


@pytest.mark.parametrize("mode", AFTER)
def test_captions_that_are_there(mode: str, service: Service, config: TagConfig, pictures: list[Path]) -> None:
    pictures[0].with_suffix(".txt").write_text(OLD)
    pictures[1].with_suffix(".txt").write_text(" \n")
    shown = done(service.tagging.tag(replace(config, existing=mode)))
    assert captions(pictures[0].parent) == {**named(CAPTIONS), **AFTER[mode]}
    assert result(shown) == COUNTS[mode]


def test_merging_adds_what_is_missing(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    pictures[3].with_suffix(".txt").write_text("a girl, Red_Sky")
    done(service.tagging.tag(replace(config, existing="merge new first")))
    assert captions(pictures[0].parent)["4.txt"] == f"blue, {LEAF}, a girl, Red_Sky"


def test_what_is_skipped_is_not_looked_at(
    service: Service, config: TagConfig, pictures: list[Path], tagger: Brought
) -> None:
    for picture in pictures[1:]:
        picture.with_suffix(".txt").write_text("mine")
    plan = service.tagging.plan(config)
    assert (plan.num_needed, plan.actions) == (1, {"new": 1, "skipped": 3})
    done(service.tagging.tag(config))
    assert tagger.latest.asked == [1]


def test_preview_writes_nothing(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    pictures[0].with_suffix(".txt").write_text(OLD)
    preview = replace(config, existing="preview only")
    shown = done(service.tagging.tag(preview))
    assert captions(pictures[0].parent) == {"1.txt": OLD}
    assert result(shown) == {}
    assert "nothing is written" in shown["message"]
    assert [one.caption for one in service.tagging.proposals(preview)] == CAPTIONS
    assert not list(service.tagging.backups(config.folder))


def test_the_order_by_frequency_does_not_depend_on_what_is_skipped(
    service: Service, host: SmallHost, tmp_path: Path, config: TagConfig, pictures: list[Path]
) -> None:
    """Blue is in two pictures, red in three; the one that is tagged last has the same order as in one go."""
    draw(pictures[0], (255, 0, 120))
    by_frequency = replace(config, sort="frequency")
    for picture in pictures[:3]:
        picture.with_suffix(".txt").write_text("mine")
    done(service.tagging.tag(by_frequency))
    assert captions(pictures[0].parent)["4.txt"] == f"blue, {RED_SKY}, {LEAF}"


def test_a_bad_picture_is_listed_and_the_others_are_tagged(
    service: Service, config: TagConfig, pictures: list[Path]
) -> None:
    pictures[1].write_bytes(pictures[1].read_bytes()[:40])
    shown = done(service.tagging.tag(config))
    (failed,) = shown["result"]["failed"]
    assert failed["path"] == str(pictures[1])
    assert "damaged" in failed["reason"]
    assert shown["result"]["written"] == 3
    assert (shown["done"], shown["total"]) == (4, 4)
    assert "1 could not be tagged" in shown["message"]
    assert service.tagging.plan(replace(config, existing="overwrite")).num_known == 3


def test_a_caption_that_is_no_text_is_no_reason_to_lose_it(
    service: Service, config: TagConfig, pictures: list[Path]
) -> None:
    strange = pictures[0].with_suffix(".txt")
    strange.write_bytes(b"caf\xe9")
    for mode in ("skip", "merge old first"):
        shown = done(service.tagging.tag(replace(config, existing=mode)))
        assert strange.read_bytes() == b"caf\xe9"
    assert "not UTF-8" in shown["result"]["failed"][0]["reason"]
    done(service.tagging.tag(replace(config, existing="overwrite")))
    assert strange.read_text() == RED_SKY
    service.tagging.restore(config.folder, service.tagging.backups(config.folder)[0].name)
    assert strange.read_bytes() == b"caf\xe9"


@pytest.mark.parametrize("name", ["[a] b", "x.png", "set", "it's", "100%", "{x}", "-rf"])
@pytest.mark.parametrize("written", ["{}", "{}/", '"{}"', "'{}/'", "  {} "])
def test_any_folder_name_is_taken_literally(
    name: str, written: str, service: Service, tmp_path: Path, tagger: Brought
) -> None:
    folder = tmp_path / "set" / "x" / name
    draw(folder / "1.png", RED)
    draw(folder / name / "2.png", BLUE)
    config = TagConfig(folder=written.format(folder), model="colours", recursive=True)
    assert done(service.tagging.tag(config))["title"] == name
    assert captions(tmp_path) == {"1.txt": RED_SKY, "2.txt": "blue"}
    assert (folder / name / "2.txt").is_file()


def test_a_folder_with_quotes_in_its_name_is_itself(service: Service, tmp_path: Path, tagger: Brought) -> None:
    draw(tmp_path / "'q'" / "1.png", RED)
    draw(tmp_path / "q" / "1.png", BLUE)
    done(service.tagging.tag(TagConfig(folder=f"{tmp_path}/'q'", model="colours")))
    assert [path.parent.name for path in tmp_path.rglob("*.txt")] == ["'q'"]


def test_two_pictures_of_one_caption_file_are_told(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    draw(pictures[0].with_suffix(".bmp"), GREEN)
    draw(pictures[0].parent / "1.webp", GREEN)
    (note,) = service.tagging.plan(config).notes
    shown = done(service.tagging.tag(config))
    assert shown["warnings"] == [note]
    assert "'1.bmp'" in note
    assert captions(pictures[0].parent)["1.txt"] == LEAF
    assert shown["total"] == 4


def test_another_ending_leaves_the_others_alone(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    pictures[0].with_suffix(".txt").write_text(OLD)
    done(service.tagging.tag(replace(config, extension=".caption", existing="overwrite")))
    assert captions(pictures[0].parent) == {"1.txt": OLD}
    assert list(captions(pictures[0].parent, ".caption").values()) == CAPTIONS


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"folder": ""}, "Pictures is not set"),
        ({"folder": "/nowhere/at all"}, "does not exist"),
        ({"folder": "a\0b"}, "Dataset folder"),
        ({"model": "colour"}, "There is no tagger 'colour'. Choose one of these: colours"),
        ({"model": ""}, "Tagger is not set"),
        ({"model": "sayer"}, "writes sentences"),
        ({"captioner": "colours"}, "gives tags"),
        ({"background": "wihte"}, "Background 'wihte' is not a colour"),
        ({"replace_tags": ("a b",)}, "Replace tags"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(
    changes: dict[str, Any], text: str, service: Service, config: TagConfig, tagger: Brought
) -> None:
    wrong = replace(config, **changes)
    with pytest.raises(UserError, match=text.replace("(", r"\(")):
        service.tagging.tag(wrong)
    assert text in service.tagging.plan(wrong).problem
    assert service.tagging.plan(wrong).problem
    assert service.tagging.live(wrong).problem
    assert (tagger.loads, service.jobs.latest) == (0, None)


def test_a_folder_without_pictures_is_told(service: Service, config: TagConfig, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no pictures" in service.tagging.plan(replace(config, folder=str(tmp_path / "empty"))).problem


def test_a_model_that_cannot_be_used_says_why(service: Service, config: TagConfig, host: SmallHost) -> None:
    broken = brought_tagger(name="broken")
    broken.entry = replace(broken.entry, problem="It needs a GPU. Buy one.")
    host.own_interrogators = (broken,)
    with pytest.raises(UserError, match="It needs a GPU"):
        service.tagging.tag(replace(config, model="broken"))


def test_requests_from_elsewhere_stay_in_their_folders(tmp_path: Path, tagger: Brought) -> None:
    inside, outside = draw_all(tmp_path / "in"), draw_all(tmp_path / "out")
    host = SmallHost(tmp_path / "data", readable=(tmp_path / "in",))
    host.own_interrogators = (tagger,)
    tagging = Service(host).tagging
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    for place in (f"{tmp_path}/out", f"'{tmp_path}/out'", f"{tmp_path}/in/../out", f"{tmp_path}/in/link"):
        config = TagConfig(folder=place, model="colours")
        with pytest.raises(ForbiddenError):
            tagging.tag(config)
        assert "outside the folders" in tagging.plan(config).problem
        assert "outside the folders" in tagging.live(config).problem
        with pytest.raises(ForbiddenError):
            tagging.backups(place)
    with pytest.raises(ForbiddenError):
        tagging.thumbnail(outside[0])
    with pytest.raises(ForbiddenError):
        tagging.thumbnail(tmp_path / "in" / "link" / "1.png")
    assert tagging.thumbnail(inside[0]).is_file()
    done(tagging.tag(TagConfig(folder=str(tmp_path / "in"), model="colours")))
    assert list(captions(tmp_path)) == [f"{k}.txt" for k in range(1, 5)]


# -- jobs -------------------------------------------------------------------------------------------------------------


def gated(tagger: Brought) -> threading.Event:
    """Let the tagger wait before its second batch."""
    gate = threading.Event()
    tagger.make = lambda: ColourTagger(gate=gate)
    return gate


def wait_for(condition: Callable[[], Any]) -> Any:
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 100)):
        found = condition()
        if found:
            return found
        pause.wait(0.01)
    raise AssertionError("it did not happen")


def test_a_stop_keeps_what_is_done(service: Service, config: TagConfig, tagger: Brought, pictures: list[Path]) -> None:
    gate, slow = gated(tagger), replace(config, batch_size=1)
    job = service.tagging.tag(slow)
    assert wait_for(lambda: tagger.latest and tagger.latest.reached.wait(0.01))
    shown = job.snapshot()
    assert (shown["state"], shown["done"], shown["total"]) == ("running", 1, 4)
    assert shown["message"] == "Tags: 1 of 4 pictures."
    job.control.stop()
    assert job.snapshot()["state"] == "stopping"
    gate.set()
    shown = done(job, "stopped")
    assert shown["message"].startswith("Stopped after 2 of 4 pictures; 2 captions written")
    assert captions(pictures[0].parent) == {f"{k}.txt": CAPTIONS[k - 1] for k in (1, 2)}
    shown = done(service.tagging.tag(config))
    assert captions(pictures[0].parent) == named(CAPTIONS)
    assert sum(tagger.latest.asked) == 4
    assert result(shown) == {"written": 2, "new": 2, "skipped": 2}


def test_a_stop_while_the_model_is_loaded_does_nothing(
    service: Service, config: TagConfig, tagger: Brought, pictures: list[Path]
) -> None:
    loading, go = threading.Event(), threading.Event()

    def load(tell: Any) -> Any:
        loading.set()
        assert go.wait(PATIENCE_S)
        tell("Downloading colours", 3_000_000, 9_000_000)
        raise AssertionError("it goes on")

    tagger.load = load  # type: ignore[method-assign]
    job = service.tagging.tag(config)
    assert loading.wait(PATIENCE_S)
    job.control.stop()
    go.set()
    assert done(job, "stopped")["message"] == "Stopped before it began."
    assert captions(pictures[0].parent) == {}


def test_loading_is_shown_in_megabytes(service: Service, config: TagConfig, tagger: Brought) -> None:
    told, go = threading.Event(), threading.Event()

    def load(tell: Any) -> Any:
        tell("Downloading colours", 3_000_000, 9_000_000)
        told.set()
        assert go.wait(PATIENCE_S)
        return ColourTagger()

    tagger.load = load  # type: ignore[method-assign]
    job = service.tagging.tag(config)
    assert told.wait(PATIENCE_S)
    shown = job.snapshot()
    assert (shown["state"], shown["message"]) == ("preparing", "Downloading colours: 3 of 9 MB.")
    go.set()
    done(job)


def test_a_model_that_fails_leaves_the_captions_alone(service: Service, config: TagConfig, tagger: Brought) -> None:
    def fail(_batch: Any) -> None:
        raise UserError("The GPU has no memory left. Lower 'Pictures at once'.")

    tagger.make = lambda: ColourTagger(fail=fail)
    shown = done(service.tagging.tag(config), "failed")
    assert shown["message"] == "The GPU has no memory left. Lower 'Pictures at once'."
    assert captions(Path(config.folder)) == {}


def test_one_job_at_a_time_and_a_training_frees_the_memory(
    service: Service, host: SmallHost, config: TagConfig, tagger: Brought, tmp_path: Path
) -> None:
    gate = gated(tagger)
    job = service.tagging.tag(replace(config, batch_size=1))
    assert wait_for(lambda: tagger.latest and tagger.latest.reached.wait(0.01))
    for refused in (
        lambda: service.tagging.tag(config),
        lambda: service.train(small_run(tmp_path)),
        service.tagging.unload,
        lambda: service.tagging.restore(config.folder, "x.zip"),
    ):
        with pytest.raises(BusyError, match="'set' is being tagged"):
            refused()
    gate.set()
    done(job)
    loaded = tagger.latest
    host.backbone.hold_at = 1
    training = service.train(small_run(tmp_path))
    assert host.backbone.reached.wait(PATIENCE_S)
    assert loaded.closed
    assert service.tagging.loaded == ""
    with pytest.raises(BusyError, match="is being trained"):
        service.tagging.tag(config)
    with pytest.raises(BusyError, match="is being trained"):
        service.tagging.interrogate(Image.new("RGB", (4, 4)), config)
    assert service.tagging.live(config).num_known == 4
    host.backbone.go.set()
    done(training)


def test_room_is_made_only_where_it_is_asked_for(service: Service, host: SmallHost, config: TagConfig) -> None:
    with host.turn:  # somebody else has the model
        done(service.tagging.tag(config))
    assert host.rooms == 0
    other = replace(config, make_room=True, background="gray", unload=True)
    done(service.tagging.tag(replace(other, existing="overwrite")))
    assert host.rooms == 1
    assert service.tagging.loaded == ""


def test_a_stop_while_it_waits_for_room_ends_it(service: Service, host: SmallHost, config: TagConfig) -> None:
    from contextlib import contextmanager

    waiting = threading.Event()

    @contextmanager
    def room(control: Any) -> Any:
        waiting.set()
        wait_for(lambda: control.stop_requested)
        raise UserError("Stopped while another job had the model.")
        yield

    host.room = room  # type: ignore[method-assign]
    job = service.tagging.tag(replace(config, make_room=True))
    assert waiting.wait(PATIENCE_S)
    job.control.stop()
    done(job, "stopped")


def test_the_host_hears_of_it_and_may_stop_it(service: Service, host: SmallHost, config: TagConfig) -> None:
    done(service.tagging.tag(replace(config, batch_size=2)))
    assert [event for event in host.events if isinstance(event, Preparing)][-1] == Preparing("Tags", 4, 4)
    assert host.events[-1] == Finished(4, "finished", None)
    host.failing_reporter = True
    done(service.tagging.tag(replace(config, existing="overwrite", background="gray")))

    def reporter(_title: str, control: Any) -> Any:
        def hear(event: Any) -> None:
            host.events.append(event)
            if isinstance(event, Preparing) and (event.what, event.done) == ("Tags", 1):
                control.stop()  # as the WebUI's Interrupt does

        return hear

    host.reporter = reporter  # type: ignore[method-assign]
    shown = done(service.tagging.tag(replace(config, existing="overwrite", background="red", batch_size=1)), "stopped")
    assert shown["done"] == 1
    assert host.events[-1].reason == "stopped"


def test_captions_that_cannot_be_kept_first_are_not_changed(
    service: Service, host: SmallHost, config: TagConfig
) -> None:
    host.folders.kept.mkdir()
    (host.folders.kept / "captions").write_text("in the way")
    shown = done(service.tagging.tag(config), "failed")
    assert "Nothing was changed" in shown["message"]
    assert captions(Path(config.folder)) == {}


def test_a_cache_that_cannot_be_kept_is_told_and_costs_nothing(
    service: Service, host: SmallHost, config: TagConfig
) -> None:
    (host.folders.kept / "tags.sqlite").mkdir(parents=True)
    shown = done(service.tagging.tag(config))
    assert captions(Path(config.folder)) == named(CAPTIONS)
    assert "tags.sqlite" in shown["warnings"][0]
    assert service.tagging.live(config).num_known == 4


# -- sentences --------------------------------------------------------------------------------------------------------


def test_a_sentence_comes_before_the_tags(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    both = replace(config, captioner="sayer", add_tags="zz")
    shown = done(service.tagging.tag(both))
    first = captions(pictures[0].parent)["1.txt"]
    assert first == f"zz, a picture of red, {RED_SKY}"
    assert shown["what"] == "Sentences"
    live = service.tagging.live(both, 0)
    assert (live.sentence, live.caption) == ("a picture of red", first)
    assert service.tagging.loaded == "colours on CPU, sayer on CPU"
    assert service.tagging.unload() == "colours and sayer"


def test_a_captioner_alone_is_enough(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    draw(pictures[1], (0, 0, 0))
    shown = done(service.tagging.tag(replace(config, model="", captioner="sayer")))
    assert captions(pictures[0].parent) == {
        "1.txt": "a picture of red",
        "3.txt": "a picture of blue",
        "4.txt": "a picture of red",
    }
    assert shown["result"]["failed"] == [{"path": str(pictures[1]), "reason": "The captioner sees nothing."}]
    assert service.tagging.live(replace(config, model="", captioner="sayer"), 2).caption == "a picture of blue"


def test_a_stop_between_tags_and_sentences_writes_only_what_is_complete(
    service: Service, host: SmallHost, config: TagConfig, pictures: list[Path]
) -> None:
    asked: list[Any] = []

    class Stopping(ColourCaptioner):
        def caption(self, picture: Any) -> str:
            asked.append(picture)
            if len(asked) == 2:
                service.jobs.current.control.stop()  # type: ignore[union-attr]
            return super().caption(picture)

    host.own_interrogators = (brought_tagger(), brought_captioner(Stopping))
    done(service.tagging.tag(replace(config, captioner="sayer")), "stopped")
    assert list(captions(pictures[0].parent)) == ["1.txt", "2.txt"]


# -- looking ----------------------------------------------------------------------------------------------------------


def test_live_is_what_a_run_writes(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    before = service.tagging.live(config, 1)
    assert (before.num_pictures, before.num_known, before.known, before.path) == (4, 0, False, pictures[1])
    assert "has not looked at" in before.problem
    done(service.tagging.tag(replace(config, existing="preview only")))
    shown = service.tagging.live(config, 3)
    assert (shown.num_known, shown.known, shown.problem) == (4, True, "")
    assert shown.caption == shown.outcome == CAPTIONS[3]
    assert shown.existing is None
    assert [(one.tag, one.count, one.share) for one in shown.counts] == [
        ("blue", 2, 0.5),
        ("green (leaf)", 2, 0.5),
        ("red sky", 2, 0.5),
    ]
    assert shown.mean_tags == 1.5
    ranked = {one.name: one for one in shown.tags}
    assert [one.name for one in shown.tags][:2] == ["red_sky", "blue"]
    assert ranked["green_(leaf)"].text == "green (leaf)"
    assert ranked["green_(leaf)"].probability == pytest.approx(120 / 255, abs=1e-6)
    assert (ranked["green_(leaf)"].threshold, ranked["green_(leaf)"].chosen) == (0.4, True)
    assert (ranked["grey_lady"].threshold, ranked["grey_lady"].chosen) == (0.7, False)
    assert not ranked["safe"].chosen


def test_live_follows_the_settings_and_the_folder(
    service: Service, config: TagConfig, pictures: list[Path], tagger: Brought
) -> None:
    done(service.tagging.tag(config))
    strict = service.tagging.live(replace(config, general_threshold=0.95), 3)
    assert strict.caption == RED_SKY
    assert {one.tag: one.count for one in strict.counts} == {"red sky": 2, "blue": 1, "green (leaf)": 1}
    assert service.tagging.live(replace(config, exclude_tags="RED sky"), 3).caption == f"blue, {LEAF}"
    draw(pictures[0].parent / "5.png", PINK)  # known already, by its content
    pictures[2].unlink()
    draw(pictures[1], (7, 7, 200))
    pictures[0].with_suffix(".txt").write_text("mine")
    shown = service.tagging.live(replace(config, existing="merge old first"), 0)
    assert (shown.num_pictures, shown.existing, shown.outcome) == (4, "mine", f"mine, {RED_SKY}")
    assert not service.tagging.live(config, 1).known
    done(service.tagging.tag(replace(config, existing="merge old first")))
    assert service.tagging.live(config, 3).caption == CAPTIONS[3]
    assert sum(tagger.latest.asked) == 5


@pytest.mark.parametrize(("asked", "shown"), [(-5, 0), (0, 0), (3, 3), (99, 3)])
def test_live_shows_the_nearest_picture(asked: int, shown: int, service: Service, config: TagConfig) -> None:
    assert service.tagging.live(config, asked).picture == shown


@pytest.mark.parametrize("mode", EXISTING)
def test_proposals_are_what_a_run_writes(mode: str, service: Service, config: TagConfig, pictures: list[Path]) -> None:
    pictures[0].with_suffix(".txt").write_text("mine, blue")
    pictures[1].with_suffix(".txt").write_text("")
    done(service.tagging.tag(replace(config, existing="preview only")))
    settings = replace(config, existing=mode)
    proposed = {one.caption_path.name: one.outcome for one in service.tagging.proposals(settings)}
    plan = service.tagging.plan(settings)
    shown = done(service.tagging.tag(settings))
    assert captions(pictures[0].parent) == {name: text for name, text in proposed.items() if text is not None}
    if mode != "preview only":
        assert dict(plan.actions) == {key: value for key, value in result(shown).items() if key != "written"}


def test_a_single_picture_is_seen_as_in_a_folder(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    done(service.tagging.tag(config))
    with Image.open(pictures[3]) as picture:
        single = service.tagging.interrogate(picture, config)
    live = service.tagging.live(config, 3)
    assert (single.caption, single.tags) == (live.caption, live.tags)
    assert (single.rating, single.device) == ("safe", "CPU")
    assert single.ratings == {"safe": pytest.approx(0.5), "risky": pytest.approx(0.5)}
    assert 0 <= single.seconds < PATIENCE_S


def test_a_single_picture_is_upright_and_on_its_background(service: Service, config: TagConfig) -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert service.tagging.interrogate(clear, replace(config, background="lime")).caption == LEAF
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 255] + [0] * 765)
    assert service.tagging.interrogate(palette, config).caption == "blue"
    palette.info["transparency"] = 0
    assert service.tagging.interrogate(palette, replace(config, background="red")).caption == RED_SKY
    seen: list[tuple[int, int]] = []
    tagger = service.tagging._models._loaded["tagger"].model
    prepare = tagger.prepare  # type: ignore[union-attr]
    tagger.prepare = lambda picture: [seen.append(picture.size), prepare(picture)][1]  # type: ignore[union-attr]
    turned = Image.new("RGB", (6, 4), RED)
    turned.getexif()[0x0112] = 6
    service.tagging.interrogate(turned, config)
    assert seen == [(4, 6)]


def test_single_pictures_and_a_run_share_the_model(service: Service, config: TagConfig, tagger: Brought) -> None:
    gate = gated(tagger)
    job = service.tagging.tag(replace(config, batch_size=1))
    assert wait_for(lambda: tagger.latest and tagger.latest.reached.wait(0.01))
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(service.tagging.interrogate(Image.new("RGB", (4, 4), RED), config))
    )
    thread.start()
    gate.set()
    thread.join(PATIENCE_S)
    done(job)
    assert found[0].caption == RED_SKY
    assert tagger.loads == 1


def test_a_single_picture_takes_no_model_away_from_a_run(
    service: Service, config: TagConfig, tagger: Brought, host: SmallHost
) -> None:
    models, cache = service.tagging._models, service.tagging._cache()

    def tell(_what: str, _done: int, _total: int) -> None:
        return

    with models.run(free=True):
        in_use = models.tagger("colours", "auto", cache, tell, for_run=True)
        assert service.tagging.interrogate(Image.new("RGB", (4, 4), RED), config).caption == RED_SKY
        with pytest.raises(BusyError, match="no room for 'colours' beside"):
            service.tagging.interrogate(Image.new("RGB", (4, 4), RED), replace(config, device="cpu"))
        assert (tagger.latest, tagger.latest.closed) == (in_use, False)
    assert tagger.latest.closed
    service.tagging.interrogate(Image.new("RGB", (4, 4), RED), replace(config, device="cpu"))
    assert tagger.loads == 2


# -- captions before, thumbnails --------------------------------------------------------------------------------------


def test_captions_can_be_put_back(service: Service, config: TagConfig, pictures: list[Path]) -> None:
    pictures[0].with_suffix(".txt").write_text("mine")
    before = captions(pictures[0].parent)
    shown = done(service.tagging.tag(replace(config, existing="overwrite")))
    (kept,) = service.tagging.backups(config.folder + "/")
    assert shown["result"]["backup"].endswith(kept.name)
    assert (kept.changed, kept.created) == (1, 3)
    told = service.tagging.restore(config.folder, kept.name)
    assert captions(pictures[0].parent) == before
    assert told == "1 captions are as they were, 3 are removed."
    with pytest.raises(UserError, match="There is no backup"):
        service.tagging.restore(config.folder, "../../x.zip")


def test_thumbnails_are_small_upright_and_follow_the_picture(service: Service, tmp_path: Path) -> None:
    picture = tmp_path / "wide.png"
    image = Image.new("RGBA", (300, 100), (0, 0, 255, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(picture, exif=exif)
    small = service.tagging.thumbnail(picture, 60)
    with Image.open(small) as shown:
        assert shown.size == (20, 60)
        assert shown.convert("RGB").getpixel((10, 30)) == (255, 255, 255)
    assert service.tagging.thumbnail(picture, 60) == small
    draw(picture, RED, (50, 50))
    other = service.tagging.thumbnail(picture, 60)
    assert other != small
    with Image.open(other) as shown:
        assert shown.size == (50, 50)
    for bad in (tmp_path / "no.png", tmp_path, "a\0b.png"):
        with pytest.raises(UserError):
            service.tagging.thumbnail(bad)
    (tmp_path / "text.png").write_text("secret")
    with pytest.raises(UserError, match="not a PNG"):
        service.tagging.thumbnail(tmp_path / "text.png")


def test_what_people_write_during_a_run_is_not_lost(
    service: Service, config: TagConfig, pictures: list[Path], tagger: Brought
) -> None:
    """Captions are looked at again when they are written: half an hour may lie between the start and that."""
    first, second = pictures[0].with_suffix(".txt"), pictures[1].with_suffix(".txt")
    second.write_text("mine", "utf-8")
    build = tagger.make

    def slow() -> Any:
        first.write_text("written meanwhile", "utf-8")
        second.write_text("mine, changed meanwhile", "utf-8")
        return build()

    tagger.make = slow
    done(service.tagging.tag(replace(config, existing="merge old first")))
    assert first.read_text("utf-8") == f"written meanwhile, {RED_SKY}"
    assert second.read_text("utf-8") == rf"mine, changed meanwhile, {LEAF}"


@pytest.mark.parametrize("error", ["database or disk is full", "database is locked"])
def test_a_cache_that_breaks_in_the_middle_loses_nothing(
    service: Service, config: TagConfig, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    store, calls = cache._store, [0]

    def breaking(*arguments: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise sqlite3.OperationalError(error)
        store(*arguments)

    monkeypatch.setattr(cache, "_store", breaking)
    shown = done(service.tagging.tag(replace(config, batch_size=1)))
    assert captions(Path(config.folder)) == named(CAPTIONS)
    assert result(shown) == {"written": 4, "new": 4}
    assert "not kept for the next time" in " ".join(shown["warnings"])
    done(service.tagging.tag(replace(config, existing="overwrite", general_threshold=0.9)))
    assert captions(Path(config.folder))["4.txt"] == RED_SKY


def test_the_tagger_is_gone_before_the_checkpoint_is_back(
    service: Service, config: TagConfig, host: SmallHost, tagger: Brought
) -> None:
    after: list[str] = []
    room = host.room

    @contextmanager
    def watched(control: Any) -> Iterator[None]:
        with room(control):
            yield
        after.append(service.tagging.loaded)

    host.room = watched  # type: ignore[method-assign]
    done(service.tagging.tag(replace(config, make_room=True)))
    assert after == [""]


def test_what_is_kept_is_never_among_the_pictures(service: Service, config: TagConfig, host: SmallHost) -> None:
    inside = replace(host.folders, kept=Path(config.folder) / "train-gamma" / "kept")
    host.folders = inside
    with pytest.raises(UserError, match="among the pictures"):
        service.tagging.tag(config)
