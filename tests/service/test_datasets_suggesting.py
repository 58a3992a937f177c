"""What pages are offered: tags that complete what is typed, and tags that the embedding is to learn."""

from pathlib import Path

import pytest

from tests.service.open_sets import edit, opened, shown, write_set
from tests.service.small_host import SmallHost
from tests.tiny import tiny_tokenizer
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.dataset_requests import PruneRequest

LIST = """1girl,0,6000000,"1girls,sole_female"
long_hair,0,4000000,"/lh,longhair"
very_long_hair,0,900000,
hatsune_miku_(cosplay),4,5000,"miku_cosplay"
hat,0,1000000,
>:(,0,20000,
long_sleeves,0,1500000,
broken line
,0,1,
another,0,many,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", {"a": "Long_Tail, hat, sky", "b": "Long_Tail, >:(", "c": "Long_Tail, sky"})


@pytest.fixture
def listed(host: SmallHost) -> Path:
    (place,) = host.folders.tag_lists
    place.mkdir()
    (place / "danbooru.csv").write_text(LIST, "utf-8")
    (place / "EnglishDictionary.csv").write_text("a,0,1\n" * 500, "utf-8")
    return place / "danbooru.csv"


def test_tags_complete_what_is_typed(service: Service, folder: Path, listed: Path) -> None:
    state = opened(service, folder)
    source, found = service.datasets.complete(state.id, "LONG_")
    assert source == "danbooru.csv"
    assert [(one.tag, one.count, one.in_set, one.alias) for one in found] == [
        ("Long_Tail", 0, 3, ""),  # of the set, as it is spelled there
        ("long hair", 4000000, 0, ""),
        ("long sleeves", 1500000, 0, ""),
        ("very long hair", 900000, 0, ""),
    ]
    by_alias = service.datasets.complete(state.id, "sole f")[1]
    assert [(one.tag, one.alias) for one in by_alias] == [("1girl", "sole female")]
    assert [one.tag for one in service.datasets.complete(state.id, "ha", 2)[1]] == ["hat", "hatsune miku (cosplay)"]
    assert service.datasets.complete(state.id, " ")[1] == []


def test_what_is_completed_is_typed_into_a_caption_as_it_is_meant(service: Service, folder: Path, listed: Path) -> None:
    state = opened(service, folder)
    (miku,), (face, *_) = (service.datasets.complete(state.id, text)[1] for text in ("hatsune", ">"))
    assert (miku.insert, face.tag) == ("hatsune miku \\(cosplay\\)", ">:(")
    edit(service, state, "set", picture=2, tags=[miku.insert, face.insert])
    view = service.datasets.picture(state.id, 2)
    assert [(chip.tag, chip.text) for chip in view.tags] == [
        ("hatsune miku (cosplay)", "hatsune miku \\(cosplay\\)"),
        (">:(", ">:\\("),
    ]
    assert shown(service, state)["c"] == "hatsune miku \\(cosplay\\), >:\\("


def test_the_list_is_read_again_when_it_changes_and_a_broken_one_is_left_out(
    service: Service, folder: Path, listed: Path
) -> None:
    state = opened(service, folder)
    assert service.datasets.complete(state.id, "zebra")[1] == []
    listed.write_text(LIST + "zebra,0,77,\n", "utf-8")
    assert [one.count for one in service.datasets.complete(state.id, "zebra")[1]] == [77]
    listed.write_text("no list\n", "utf-8")
    source, found = service.datasets.complete(state.id, "sky")
    assert (source, [one.tag for one in found][:1]) == ("miniature", ["sky"])


def test_without_a_list_the_tagger_knows_tags(service: Service, folder: Path) -> None:
    state = opened(service, folder)
    source, found = service.datasets.complete(state.id, "witch")
    assert (source, [one.tag for one in found]) == ("miniature", ["witch hat"])


# -- what to take out -------------------------------------------------------------------------------------------------


def test_traits_are_suggested_with_the_words_to_start_from(service: Service, tmp_path: Path) -> None:
    captions = {f"{k}": "1girl, zzgamma, red hair, blue eyes, crown" + (", night" if k % 2 else "") for k in range(10)}
    captions["9"] = "1girl, zzgamma, blue eyes, night"
    state = opened(service, write_set(tmp_path / "set", captions))
    found = service.datasets.prune(state.id, PruneRequest("zzgamma", num_vectors=4))
    assert (found.pictures, found.background, found.subject) == (10, "miniature", "1girl")
    assert set(found.ticked) == {"red hair", "blue eyes", "crown"}
    by_tag = {one.tag: one for one in found.suggestions}
    assert by_tag["red hair"].without == (9,)
    assert by_tag["red hair"].lift == pytest.approx(0.9 / by_miniature("red hair"))
    assert found.init_text is not None
    assert found.init_text.tokens == len(tiny_tokenizer().tokens(found.init_text.text)) <= 4
    chosen = service.datasets.prune(state.id, PruneRequest(num_vectors=75, tags=["blue eyes"]))
    assert chosen.init_text is not None
    assert chosen.init_text.text == "1girl blue eyes"
    with pytest.raises(UserError, match="from 1 to 75"):
        service.datasets.prune(state.id, PruneRequest(num_vectors=0))


def test_a_list_that_knows_few_of_the_tags_says_nothing_of_them(service: Service, tmp_path: Path) -> None:
    text = "1girl, red hair, grey sea, old town, dry grass, small boat"
    state = opened(service, write_set(tmp_path / "set", {"a": text, "b": text}))
    found = service.datasets.prune(state.id, PruneRequest())
    assert found.background == ""
    assert [(one.tag, one.lift) for one in found.suggestions] == [("red hair", None)]


def test_what_tags_imply_comes_from_a_table_of_the_users(service: Service, host: SmallHost, tmp_path: Path) -> None:
    (place,) = host.folders.tag_lists
    place.mkdir()
    (place / "danbooru_implications.csv").write_text("witch hat,headwear\n", "utf-8")
    text = "1girl, witch hat, headwear"
    state = opened(service, write_set(tmp_path / "set", {"a": text, "b": text}))
    (hat,) = [one for one in service.datasets.prune(state.id, PruneRequest()).suggestions if one.tag == "witch hat"]
    assert [one.tag for one in hat.relatives] == ["headwear"]


def by_miniature(tag: str) -> float:
    """How frequent a tag is, from the miniature tagger's own table."""
    import train_gamma.demo

    table = Path(train_gamma.demo.__file__).with_name("tagger") / "selected_tags.csv"
    rows = [line.split(",") for line in table.read_text("utf-8").splitlines()[1:]]
    counts = {name: int(count) for _, name, _, count in rows}
    return counts[tag.replace(" ", "_")] / sum(int(count) for _, _, category, count in rows if category == "9")
