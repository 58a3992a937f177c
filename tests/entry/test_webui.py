"""What is registered with the WebUI, and that nothing that fails there takes the tab or the WebUI away."""

import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.entry.fake_host import CALLBACKS, FakeHost
from train_gamma.hosts import webui
from train_gamma.jobs import Job


def replace_module(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


def test_every_call_of_the_host_has_its_callback(host: FakeHost) -> None:
    webui.register()
    assert set(host.callbacks) == set(CALLBACKS)
    assert set(host.names.values()) == {"train_gamma"}  # lets people reorder them


def test_a_host_whose_callbacks_have_no_names_is_fine(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import script_callbacks

    added: list[Any] = []

    def on_ui_tabs(callback: Any) -> None:
        added.append(callback)

    monkeypatch.setattr(script_callbacks, "on_ui_tabs", on_ui_tabs)
    webui.register()
    assert added == [webui.on_ui_tabs]


def test_a_host_without_a_call_has_all_the_others(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import script_callbacks

    monkeypatch.delattr(script_callbacks, "on_ui_train_tabs")
    monkeypatch.setattr(script_callbacks, "on_ui_settings", fail)
    webui.register()
    assert set(host.callbacks) == set(CALLBACKS) - {"on_ui_train_tabs", "on_ui_settings"}


def test_a_second_copy_of_the_extension_stands_back(host: FakeHost, tmp_path: Path, capsys: Any) -> None:
    webui.register(tmp_path / "another copy")
    assert host.callbacks == {}
    assert "installed twice" in capsys.readouterr().err


def test_a_page_that_cannot_be_built_is_a_tab_that_says_why(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("gradio")
    replace_module(monkeypatch, "train_gamma.ui.page", build_page=fail)
    webui.register()
    ((tab,),) = host.call("on_ui_tabs")
    blocks, title, tab_id = tab
    assert (title, tab_id) == ("Train Gamma", "train_gamma")
    told = " ".join(str(getattr(block, "value", "")) for block in blocks.blocks.values())
    assert "boom" in told
    assert "Traceback" in capsys.readouterr().err


def test_the_page_gets_the_token_and_the_components_of_txt2img(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    replace_module(monkeypatch, "train_gamma.ui.page", build_page=lambda *given: seen.append(given))
    webui.register()
    host.call("on_ui_train_tabs", SimpleNamespace(txt2img_preview_params=["prompt", "negative"]))
    host.call("on_ui_tabs")
    service, token, txt2img = seen[0]
    assert service is webui.installation().service
    assert token == webui.installation().access.token
    assert txt2img == ["prompt", "negative"]


def test_routes_are_added_to_each_new_server_with_one_service_and_one_token(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[Any] = []
    replace_module(
        monkeypatch,
        "train_gamma.api",
        add_routes=lambda *given: added.append(given),
        AccessRules=lambda **rules: rules,
    )
    monkeypatch.setattr(host.cmd_opts, "api_auth", "ann:1", raising=False)
    webui.register()
    host.call("on_app_started", None, "first server")  # --nowebui has no page
    host.call("on_script_unloaded")
    host.callbacks.clear()
    webui.register()  # Reload UI
    host.call("on_app_started", object(), "second server")
    (first, service, rules), (second, same_service, same_rules) = added
    assert (first, second) == ("first server", "second server")
    assert service is same_service
    assert rules == same_rules
    assert rules["credentials"] == {"ann": "1"}
    assert rules["locked"]


def test_the_package_stays_on_the_path_after_the_scripts_are_loaded(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = str(webui.ROOT / "modules")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if Path(place).resolve() != Path(sources)])
    webui.register()
    host.call("on_before_ui")
    host.call("on_before_ui")
    assert sys.path.count(sources) == 1


def test_a_plot_that_cannot_take_an_axis_leaves_the_rest(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    replace_module(monkeypatch, "train_gamma.hosts.webui_xyz", add_axis=fail)
    webui.register()
    host.call("on_before_ui")
    assert "works without it" in capsys.readouterr().err


def test_reload_ui_takes_up_code_that_was_updated(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    webui.register()
    webui.installation()
    host.call("on_script_unloaded")
    assert "train_gamma.hosts.webui" in sys.modules  # nothing has changed
    monkeypatch.setattr(webui, "_sources", lambda: (1, 1))
    host.call("on_script_unloaded")
    assert not [name for name in sys.modules if name.split(".")[0] == "train_gamma"]


def test_an_extension_whose_folder_is_gone_makes_room_for_another_copy(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    webui.register()
    webui.installation()
    monkeypatch.setattr(webui, "ROOT", tmp_path / "gone")
    host.call("on_script_unloaded")
    assert "train_gamma.hosts.webui" not in sys.modules


def test_an_update_waits_for_a_running_job(host: FakeHost, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    webui.register()
    service = webui.installation().service
    monkeypatch.setattr(type(service.jobs), "current", Job("train", "fox"))
    monkeypatch.setattr(webui, "_sources", lambda: (1, 1))
    host.call("on_script_unloaded")
    assert "train_gamma.hosts.webui" in sys.modules
    assert "Restart the WebUI" in capsys.readouterr().err


def test_the_end_of_the_program_waits_until_the_job_has_saved(host: FakeHost) -> None:
    current, saved = webui.installation(), []

    def work(listener: Any, control: Any) -> str:
        while not control.stop_requested:
            pass
        saved.append(True)
        return ""

    current.service.jobs.start("train", "fox", work)
    current.stop_and_save()
    assert saved == [True]


def test_asking_whether_a_job_runs_makes_no_service(host: FakeHost) -> None:
    assert webui.installation().running is None
    assert webui.installation().mirror is None
    assert "service" not in vars(webui.installation())


def test_messages_reach_the_console_once(host: FakeHost, capsys: Any) -> None:
    webui.register()
    webui.register()
    logging.getLogger("train_gamma").warning("hello")
    assert capsys.readouterr().err.count("[Train Gamma] hello") == 1
