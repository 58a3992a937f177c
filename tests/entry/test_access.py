"""Folders and logins as the command line and the settings have them."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.entry.fake_host import FakeHost
from train_gamma.hosts.webui_access import is_open_to_others, read_access, read_folders
from train_gamma.hosts.webui_settings import add_settings


def shared_of(host: FakeHost, **flags: object) -> SimpleNamespace:
    cmd_opts = SimpleNamespace(**{**vars(host.cmd_opts), **flags})
    return SimpleNamespace(cmd_opts=cmd_opts, opts=host.opts)


def test_files_belong_into_the_data_folder(host: FakeHost) -> None:
    folders = read_folders(shared_of(host), host.folder)
    assert folders.embeddings == host.embeddings
    assert folders.runs.is_relative_to(host.folder / "textual_inversion")
    assert folders.presets.is_relative_to(host.folder / "textual_inversion")
    assert folders.kept.is_relative_to(host.folder / "textual_inversion")
    assert folders.taggers.parent == host.folder / "models"  # where the host has all of its models


@pytest.mark.parametrize("name", ["runs", "taggers"])
def test_the_flag_goes_before_the_setting(host: FakeHost, name: str) -> None:
    key = f"train_gamma_{name}_dir"
    host.opts.data[key] = "/from/the/setting"
    assert getattr(read_folders(shared_of(host), host.folder), name) == Path("/from/the/setting")
    flagged = read_folders(shared_of(host, **{key: "/from/the/flag"}), host.folder)
    assert getattr(flagged, name) == Path("/from/the/flag")


def test_settings_that_were_never_added_have_their_defaults(host: FakeHost) -> None:
    assert not any(key.startswith("train_gamma") for key in host.opts.data)  # as with --nowebui
    assert read_folders(shared_of(host), host.folder).runs.name == "runs"


def test_on_its_own_machine_every_folder_may_be_named(host: FakeHost) -> None:
    assert read_folders(shared_of(host), host.folder).readable == ()


@pytest.mark.parametrize(
    "flag",
    [{"listen": True}, {"share": True}, {"server_name": "0.0.0.0"}, {"ngrok": "x"}, {"webui_is_non_local": True}],
)
def test_open_to_other_machines_only_some_folders_may_be_named(
    host: FakeHost, flag: dict[str, object], tmp_path: Path
) -> None:
    host.opts.data["train_gamma_readable_folders"] = f"{tmp_path / 'by setting'}\n\n"
    host.opts.data["outdir_samples"] = "/anywhere/a/visitor/likes"
    shared = shared_of(host, train_gamma_readable_dir=[str(tmp_path / "by flag")], ckpt_dir="/models", **flag)
    readable = read_folders(shared, host.folder).readable
    for expected in (host.folder, tmp_path / "by setting", tmp_path / "by flag", Path("/models")):
        assert expected.resolve() in readable
    assert Path("/anywhere/a/visitor/likes") not in readable
    assert Path("/").resolve() not in readable


def test_output_folders_count_when_visitors_cannot_change_them(host: FakeHost) -> None:
    host.opts.data["outdir_samples"] = "/pictures"
    shared = shared_of(host, listen=True, hide_ui_dir_config=True)
    assert Path("/pictures") in read_folders(shared, host.folder).readable


@pytest.mark.parametrize("flags", [{}, {"api_auth": ""}, {"api_auth": None, "gradio_auth": None}])
def test_without_a_login_the_api_is_open(flags: dict[str, object]) -> None:
    access = read_access(SimpleNamespace(**flags))
    assert not access.locked
    assert access.credentials == {}


def test_users_of_the_hosts_api_are_users_of_ours() -> None:
    access = read_access(SimpleNamespace(api_auth="ann:pass:word,bob:2"))
    assert access.locked
    assert access.credentials == {"ann": "pass:word", "bob": "2"}


@pytest.mark.parametrize("flags", [{"gradio_auth": "ann:1"}, {"gradio_auth_path": "/logins"}])
def test_a_login_of_the_page_locks_the_api_and_leaves_the_token_of_the_page(flags: dict[str, object]) -> None:
    access = read_access(SimpleNamespace(**flags))
    assert access.locked
    assert access.credentials == {}
    assert len(access.token) >= 32
    assert access.token != read_access(SimpleNamespace(**flags)).token
    assert access.token not in repr(access)


def test_paths_in_settings_are_fixed_where_other_machines_reach_the_page(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradio = ModuleType("gradio")
    vars(gradio).update(Textbox=object, Checkbox=object)
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    add_settings()
    assert host.opts.described["train_gamma_readable_folders"].component_args.get("visible", True)
    monkeypatch.setattr(host.cmd_opts, "listen", True, raising=False)
    add_settings()
    for key in ("train_gamma_readable_folders", "train_gamma_runs_dir", "train_gamma_taggers_dir"):
        # the host refuses to set what is not visible (modules/options.py, Options.__setattr__)
        assert host.opts.described[key].component_args["visible"] is False
    assert all(option.section == ("train_gamma", "Train Gamma") for option in host.opts.described.values())
    assert all(key.startswith("train_gamma_") for key in host.opts.described)


def test_whether_others_reach_it_is_read_with_care() -> None:
    assert not is_open_to_others(SimpleNamespace())
