"""Where lists of tags for autocomplete are looked for."""

from pathlib import Path
from types import SimpleNamespace

from train_gamma.hosts.standalone import StandaloneHost
from train_gamma.hosts.webui_access import read_folders


def test_those_of_the_tagcomplete_extension_are_found_in_a_webui(tmp_path: Path) -> None:
    lists = tmp_path / "extensions" / "a1111-sd-webui-tagcomplete" / "tags"
    lists.mkdir(parents=True)
    (tmp_path / "extensions" / "another" / "tags").mkdir(parents=True)
    shared = SimpleNamespace(cmd_opts=SimpleNamespace(), opts=SimpleNamespace(data={}))
    own = tmp_path / "textual_inversion" / "train_gamma" / "tags"
    assert read_folders(shared, tmp_path).tag_lists == (lists, own)


def test_the_stand_alone_program_has_a_folder_for_them(tmp_path: Path) -> None:
    assert StandaloneHost(tmp_path).folders.tag_lists == (tmp_path.resolve() / "tags",)
