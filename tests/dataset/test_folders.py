import os

import pytest

from train_gamma.dataset.folders import list_files, natural_key
from train_gamma.dataset.pictures import find_pictures
from train_gamma.errors import UserError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_numbers_in_names_are_sorted_as_numbers_and_case_is_ignored():
    assert sorted(["a10", "A2", "b1", "a1", "a02"], key=natural_key) == ["a1", "A2", "a02", "a10", "b1"]


def test_only_pictures_are_found_by_their_endings_in_any_case(tmp_path):
    touch(tmp_path, "1.png", "2.JPG", "3.jpeg", "10.WebP", "4.bmp", "5.gif", "6.txt", "7")
    assert names(find_pictures(tmp_path, False), tmp_path) == ["1.png", "2.JPG", "3.jpeg", "4.bmp", "10.WebP"]


def test_subfolders_are_looked_into_only_when_asked(tmp_path):
    touch(tmp_path, "b.png", "deep/deeper/a.png")
    assert names(find_pictures(tmp_path, False), tmp_path) == ["b.png"]
    assert names(find_pictures(tmp_path, True), tmp_path) == ["b.png", "deep/deeper/a.png"]


def test_hidden_files_and_folders_are_left_out(tmp_path):
    touch(tmp_path, "a.png", "._a.png", ".thumbnails/a.png")
    assert names(find_pictures(tmp_path, True), tmp_path) == ["a.png"]


@pytest.mark.parametrize("name", ["[art] (2)", "a*b?", "ünïcode 絵", "folder.png", "{x}"])
def test_any_folder_name_is_taken_literally(tmp_path, name):
    touch(tmp_path / name, "a.png")
    assert names(find_pictures(tmp_path / name, False), tmp_path / name) == ["a.png"]


def test_a_slash_at_the_end_of_the_folder_means_nothing(tmp_path):
    touch(tmp_path, "a.png")
    found = find_pictures(type(tmp_path)(f"{tmp_path}{os.sep}"), False)
    assert names(found, tmp_path) == ["a.png"]


def test_linked_folders_are_entered_once_even_in_a_circle(tmp_path):
    touch(tmp_path, "data/a.png", "elsewhere/b.png")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data", target_is_directory=True)
    assert [path.name for path in find_pictures(tmp_path / "data", True)] == ["a.png", "b.png"]


def test_a_folder_without_pictures_says_what_it_has_and_where_pictures_are(tmp_path):
    touch(tmp_path, "a.gif", "b.gif", "c.txt", "sub/1.png", "sub/2.png", "other/3.png")
    with pytest.raises(UserError) as error:
        find_pictures(tmp_path, False)
    assert "3 other files: 2 .gif, 1 .txt" in str(error.value)
    assert "Its subfolders have 3 in 2 folders: turn on 'Include subfolders'" in str(error.value)


def test_listing_stops_at_the_limit(tmp_path):
    touch(tmp_path, *[f"{number}.txt" for number in range(9)])
    assert len(list_files(tmp_path, True, limit=4)) == 4
