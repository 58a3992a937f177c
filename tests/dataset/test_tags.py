"""Counting the tags of captions."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import small_config, write_pictures
from train_gamma.dataset.dataset import load_dataset
from train_gamma.dataset.tags import frequent_tags


def test_tags_come_by_the_number_of_captions_that_have_them():
    captions = ["night, smile", "smile, night sky", "smile, night, forest"]
    assert frequent_tags(captions, "zz") == ["smile", "night", "night sky", "forest"]


def test_a_tag_that_is_twice_in_a_caption_counts_once():
    assert frequent_tags(["sky, sky, sky", "sea", "sea"], "zz") == ["sea", "sky"]


def test_case_makes_no_difference_and_the_first_writing_stays():
    assert frequent_tags(["Night, sky", "night", "sky, NIGHT"], "zz") == ["Night", "sky"]


def test_the_embeddings_own_name_and_signs_are_no_tags():
    assert frequent_tags(["zzGamma, sky, ...", "[name], sky, !", "zzgamma"], "zzgamma") == ["sky"]


def test_no_captions_have_no_tags():
    assert frequent_tags([], "zz") == []
    assert frequent_tags(["", " , ,"], "zz") == []


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d e", "f"]), unique=True), max_size=12))
def test_the_order_is_that_of_a_plain_count(pictures):
    counts = Counter(tag for tags in pictures for tag in tags)
    found = frequent_tags([", ".join(tags) for tags in pictures], "zz")
    assert sorted(found) == sorted(counts)
    assert [counts[tag] for tag in found] == sorted(counts.values(), reverse=True)


def test_a_dataset_counts_its_captions(tmp_path):
    write_pictures(tmp_path / "pictures")
    texts = [path.read_text("utf-8") for path in (tmp_path / "pictures").glob("*.txt")]
    dataset = load_dataset(small_config(tmp_path).dataset, "zz")
    counts = Counter(tag for text in texts for tag in text.split(", "))
    assert counts[dataset.frequent_tags("zz")[0]] == max(counts.values())
