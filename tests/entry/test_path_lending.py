"""Forge and reForge: which of them it is, and the chosen checkpoint lent by its file while their GPU work waits."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.entry.fake_host import FakeHost
from train_gamma.errors import UserError
from train_gamma.hosts import loaded_models, webui_path
from train_gamma.hosts.detect import host_kind, host_name
from train_gamma.hosts.loaded_models import LoadedModels
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control


class MainThread:
    """Forge's main thread: one task after another (modules_forge/main_thread.py)."""

    def __init__(self) -> None:
        self.waiting_list: list[tuple[Callable[[], Any], threading.Event]] = []
        self.ended = False
        threading.Thread(target=self._loop, daemon=True).start()

    def run_and_wait_result(self, work: Callable[[], Any]) -> None:
        done = threading.Event()
        self.waiting_list.append((work, done))
        done.wait()

    def _loop(self) -> None:
        while not self.ended:
            time.sleep(0.002)
            if self.waiting_list:
                work, done = self.waiting_list.pop(0)
                work()
                done.set()


@pytest.fixture
def forge(host: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A Forge with a chosen checkpoint; ``loaded`` is what the loader was asked for."""
    checkpoint = tmp_path / "chosen.safetensors"
    checkpoint.write_bytes(b"weights")
    made = SimpleNamespace(main_thread=MainThread(), checkpoint=checkpoint, loaded=[], unloaded=[])
    put(monkeypatch, "backend", memory_management=put_memory(monkeypatch, made))
    put(monkeypatch, "modules_forge", main_thread=made.main_thread)
    info = SimpleNamespace(title="chosen [abc]", filename=str(checkpoint))
    host.opts.data["sd_model_checkpoint"] = "chosen"
    from modules import sd_models

    monkeypatch.setattr(sd_models, "get_closet_checkpoint_match", {"chosen": info}.get, raising=False)

    def load(model: ModelConfig) -> Any:
        made.loaded.append(model)
        time.sleep(0.02)
        name = Path(model.path).stem
        return SimpleNamespace(identity=name, give_way=pytest.fail, with_clip_skip=lambda n: f"{name}, clip skip {n}")

    monkeypatch.setattr(webui_path, "load_backbone", load)
    monkeypatch.setattr(loaded_models, "load_backbone", load)
    monkeypatch.setattr(webui_path, "LOOKED_AT", LoadedModels())
    yield made
    made.main_thread.ended = True


def put(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []
    module.__spec__ = SimpleNamespace(name=name)  # type: ignore[assignment]
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def put_memory(monkeypatch: pytest.MonkeyPatch, made: Any) -> ModuleType:
    return put(monkeypatch, "backend.memory_management", unload_all_models=lambda: made.unloaded.append(True))


def test_the_kind_of_host_is_known_by_what_it_has(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host_kind() == "a1111"
    put(monkeypatch, "ldm_patched")
    put(monkeypatch, "ldm_patched.modules")
    put(monkeypatch, "ldm_patched.modules.model_management")
    assert host_kind() == "reforge"
    assert host_name() == "reForge 1.9.4"
    put(monkeypatch, "backend")
    put(monkeypatch, "backend.memory_management")
    assert host_kind() == "forge"


def test_forge_lends_its_chosen_checkpoint_by_path(forge: Any) -> None:
    webui = WebuiHost()
    assert not webui.lends_loaded_model
    with webui.borrow(ModelConfig(), Control()) as backbone:
        assert backbone.identity == "chosen"
        assert forge.unloaded  # room was made on the GPU
        backbone.give_way()  # nobody waits
    assert [Path(model.path) for model in forge.loaded] == [forge.checkpoint]
    assert webui.loaded().title == "chosen [abc]"


def test_a_run_may_name_another_checkpoint(forge: Any) -> None:
    with WebuiHost().borrow(ModelConfig(path="other.safetensors"), Control()):
        pass
    assert forge.loaded[0].path == "other.safetensors"


def test_pictures_wait_while_it_is_lent_and_get_their_turn_between_steps(forge: Any) -> None:
    made: list[str] = []
    with WebuiHost().borrow(ModelConfig(), Control()) as backbone:
        picture = threading.Thread(target=forge.main_thread.run_and_wait_result, args=(lambda: made.append("one"),))
        picture.start()
        time.sleep(0.1)
        assert made == []
        backbone.give_way()
        assert made == ["one"]
        picture.join(5)
        late = threading.Thread(target=forge.main_thread.run_and_wait_result, args=(lambda: made.append("two"),))
        late.start()
        time.sleep(0.05)
        assert made == ["one"]  # it is ours again
    late.join(5)
    assert made == ["one", "two"]


def test_a_stop_while_waiting_begins_nothing_and_blocks_nobody(forge: Any) -> None:
    busy, control, made = threading.Event(), Control(), []
    threading.Thread(target=forge.main_thread.run_and_wait_result, args=(busy.wait,), daemon=True).start()
    control.stop()
    with pytest.raises(UserError, match="stopped"), WebuiHost().borrow(ModelConfig(), control):
        pass
    assert not forge.loaded
    busy.set()
    after = threading.Thread(target=forge.main_thread.run_and_wait_result, args=(lambda: made.append(True),))
    after.start()
    after.join(5)
    assert made == [True]


def test_looking_loads_once_and_stays_off_the_gpu(forge: Any) -> None:
    webui = WebuiHost()
    assert webui.look(ModelConfig()) is webui.look(ModelConfig())
    assert [model.device for model in forge.loaded] == ["cpu"]


def test_other_settings_of_the_form_do_not_load_the_checkpoint_again(forge: Any) -> None:
    webui = WebuiHost()
    assert webui.look(ModelConfig()).identity == "chosen"
    assert webui.look(ModelConfig(checkpointing="on", precision="fp16", device="cuda")).identity == "chosen"
    assert webui.look(ModelConfig(clip_skip=2)) == "chosen, clip skip 2"
    assert len(forge.loaded) == 1


def test_two_refreshes_at_once_load_one_model(forge: Any) -> None:
    webui = WebuiHost()
    threads = [threading.Thread(target=webui.look, args=(ModelConfig(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(forge.loaded) == 1


def test_a_checkpoint_that_was_written_over_is_loaded_again(forge: Any) -> None:
    webui = WebuiHost()
    webui.look(ModelConfig())
    forge.checkpoint.write_bytes(b"other weights")
    webui.look(ModelConfig())
    assert len(forge.loaded) == 2


def test_no_checkpoint_is_said(forge: Any, host: FakeHost) -> None:
    host.opts.data["sd_model_checkpoint"] = None
    assert WebuiHost().loaded().problems
    with pytest.raises(UserError, match="No checkpoint is chosen"):
        WebuiHost().look(ModelConfig())


def test_without_a_main_thread_the_queue_is_held(forge: Any, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modules_forge", None)
    made = []
    with WebuiHost().borrow(ModelConfig(), Control()) as backbone:
        assert host.lock.locked()

        def picture() -> None:
            with host.lock:
                made.append(True)

        waiting = threading.Thread(target=picture)
        waiting.start()
        while not host.lock._pending_threads:
            time.sleep(0.002)
        backbone.give_way()
        waiting.join(5)
        assert made == [True]
        assert host.lock.locked()
    assert not host.lock.locked()
