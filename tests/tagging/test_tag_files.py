"""The lists of tags, as models bring them and as people have changed them."""

import json
from pathlib import Path

import pytest

from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import Label
from train_gamma.tagging.tag_files import DANBOORU, E621, read_labels

HEADER = "tag_id,name,category,count\n"
ODD = ["^_^", ">:(", ":)", "\\m/", "\\o/", "||_||", "(o)_(o)", 'don\'t_say_"lazy"', "hatsune_miku_(cosplay)", "a,_b"]


def written(folder: Path, text: str, name: str = "selected_tags.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def test_csv_gives_names_categories_and_counts_in_its_order(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "9999999,general,9,1589178\n1,1girl,0,5113288\n2,hatsune_miku,4,90000\n")
    assert read_labels(path, "csv", DANBOORU) == [
        Label("general", "rating", 1589178),
        Label("1girl", "general", 5113288),
        Label("hatsune_miku", "character", 90000),
    ]


def test_category_comes_from_the_column_and_not_from_the_place(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1,solo,0,1\n2,reimu,4,1\n3,explicit,9,1\n4,smile,0,1\n")
    assert [label.category for label in read_labels(path, "csv", DANBOORU)] == [
        "general",
        "character",
        "rating",
        "general",
    ]


def test_odd_names_come_through_unchanged(tmp_path: Path) -> None:
    quoted = ('"' + name.replace('"', '""') + '"' if '"' in name or "," in name else name for name in ODD)
    path = written(tmp_path, HEADER + "".join(f"{number},{name},0,5\n" for number, name in enumerate(quoted)))
    assert [label.name for label in read_labels(path, "csv", DANBOORU)] == ODD


def test_copy_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """Numbers with a point, blank rows, a byte order mark, line ends of Windows, no last line end."""
    path = written(
        tmp_path,
        "\ufeff" + HEADER.replace("\n", "\r\n") + "9999999.0,general,9.0,1589178.0\r\n\r\n,,,\r\n2.0,solo,0.0,7.0",
    )
    assert read_labels(path, "csv", DANBOORU) == [Label("general", "rating", 1589178), Label("solo", "general", 7)]


def test_columns_go_by_their_names(tmp_path: Path) -> None:
    path = written(tmp_path, "id,tag_id,name,category,count,ips\n0,470575,1girl,0,6000000,[]\n")
    assert read_labels(path, "csv", DANBOORU) == [Label("1girl", "general", 6000000)]


def test_unknown_counts_are_none(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1,a,0,-1\n2,b,0,\n3,c,0,many\n4,d,0\n")
    assert [label.count for label in read_labels(path, "csv", DANBOORU)] == [0, 0, 0, 0]


def test_e621_has_species(tmp_path: Path) -> None:
    path = written(tmp_path, "id,name,category,count\n1,canine,5,9\n2,female,0,9\n3,hi_res,7,9\n4,strange,42,9\n")
    categories = [label.category for label in read_labels(path, "csv", E621)]
    assert categories == ["species", "general", "meta", "42"]


def test_lines_are_general_tags(tmp_path: Path) -> None:
    path = written(tmp_path, "1girl\nlong_hair\r\n\n^_^\n", "top_tags.txt")
    assert read_labels(path, "lines", DANBOORU) == [
        Label("1girl", "general"),
        Label("long_hair", "general"),
        Label("^_^", "general"),
    ]


def test_mapping_is_ordered_by_number_and_not_by_text(tmp_path: Path) -> None:
    tags = {
        str(n): {"tag": f"tag_{n}", "category": "Rating" if n == 0 else "Quality"} for n in (10, 2, 0, 1, *range(3, 10))
    }
    labels = read_labels(written(tmp_path, json.dumps(tags), "tag_mapping.json"), "mapping", DANBOORU)
    assert [label.name for label in labels] == [f"tag_{n}" for n in range(11)]
    assert [label.category for label in labels[:2]] == ["rating", "quality"]


def test_metadata_of_camie_is_found_where_it_is(tmp_path: Path) -> None:
    mapping = {"idx_to_tag": {"1": "reimu", "0": "solo"}, "tag_to_category": {"solo": "general", "reimu": "character"}}
    deep = written(tmp_path, json.dumps({"dataset_info": {"tag_mapping": mapping}}), "deep.json")
    flat = written(tmp_path, json.dumps(mapping), "flat.json")
    expected = [Label("solo", "general"), Label("reimu", "character")]
    assert read_labels(deep, "metadata", DANBOORU) == expected
    assert read_labels(flat, "metadata", DANBOORU) == expected


@pytest.mark.parametrize(
    ("form", "text", "told"),
    [
        ("csv", "", "no column 'name'"),
        ("csv", "1girl,solo\n", "no column 'name'"),
        ("csv", HEADER, "names no tags"),
        ("csv", HEADER + "1,,0,5\n", "entry 2, has no name"),
        ("lines", "\n\n", "names no tags"),
        ("mapping", "{", "is not JSON"),
        ("mapping", "[]", "is not of the form"),
        ("mapping", '{"0": {"tag": "a"}, "2": {"tag": "b"}}', "without gaps"),
        ("metadata", '{"tags": []}', "no 'idx_to_tag'"),
        ("csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "no column 'name'"),
    ],
)
def test_wrong_file_is_told_by_name(tmp_path: Path, form: str, text: str, told: str) -> None:
    path = written(tmp_path, text, "wrong.txt")
    with pytest.raises(UserError, match=told) as error:
        read_labels(path, form, DANBOORU)
    assert str(path) in str(error.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", "csv", DANBOORU)
